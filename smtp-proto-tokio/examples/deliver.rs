//! Delivers message files over one connection. `--help` tells more.
//!
//! Without arguments it shows every pipelining policy at work.

mod maildir_handler;

use std::{error::Error, io, net::SocketAddr, process::ExitCode, sync::Arc, time::Instant};

use maildir_handler::MaildirHandler;
use smtp_proto::{delivery::Report, machine::Fault, server::Config, syntax::Host};
use smtp_proto_example_support::{Address, DeliverOptions, Inbox, Job, Maildir, Sent, deliver};
use smtp_proto_tokio::{Client, Server, server::Shutdown};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    runtime::Runtime,
};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let options = match DeliverOptions::from_env() {
        Ok(options) => options,
        Err(stop) => return Ok(stop.report()),
    };
    let runtime = Runtime::new()?;
    deliver(
        &options,
        |maildir| runtime.block_on(serve(maildir)),
        |job, tell| runtime.block_on(send(job, tell)),
    )
}

/// Sends messages over one connection.
async fn send(job: Job, tell: &mut dyn FnMut(&Report)) -> Sent {
    let mut sent = Sent::default();
    if let Err(error) = connect_and_send(job, tell, &mut sent).await {
        sent.capabilities_changed = matches!(
            &error,
            smtp_proto_tokio::Error::Session { error, .. }
                if error.fault() == Fault::CapabilitiesChanged
        );
        sent.failure = Some(error.to_string());
    }
    sent
}

async fn connect_and_send(
    job: Job,
    tell: &mut dyn FnMut(&Report),
    sent: &mut Sent,
) -> Result<(), smtp_proto_tokio::Error> {
    let lost = |error| smtp_proto_tokio::Error::Connect(Arc::new(error));
    match job.address.clone() {
        Address::Tcp(address) => {
            let stream = TcpStream::connect(address).await.map_err(lost)?;
            stream.set_nodelay(true).map_err(lost)?;
            send_over(stream, job, tell, sent).await
        }
        #[cfg(unix)]
        Address::Unix(path) => {
            let stream = tokio::net::UnixStream::connect(path).await.map_err(lost)?;
            send_over(stream, job, tell, sent).await
        }
        #[cfg(not(unix))]
        Address::Unix(_) => Err(lost(io::ErrorKind::Unsupported.into())),
    }
}

async fn send_over<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    stream: S,
    job: Job,
    tell: &mut dyn FnMut(&Report),
    sent: &mut Sent,
) -> Result<(), smtp_proto_tokio::Error> {
    let mut builder = Client::builder(job.config);
    if let Some(trust) = &job.trust {
        let connector = trust
            .connector()
            .map_err(|error| smtp_proto_tokio::Error::Connect(Arc::new(error)))?;
        builder = builder.tls(connector);
    }
    let mut client = builder.with_stream(stream)?;
    if !job.mechanisms.is_empty() {
        client.authenticate(job.mechanisms)?;
    }
    if !job.begins_early {
        // A server that refuses the session has refused the messages; their reports tell.
        let _ = client.ready().await;
    }
    let (opening, begin) = (client.round_trips(), Instant::now());
    let mut sending = client.send_all(job.messages);
    let mut result = loop {
        match sending.next().await {
            Ok(Some(report)) => tell(&report),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    sent.elapsed = begin.elapsed();
    sent.round_trips = client.round_trips() - opening;
    if result.is_ok() {
        result = client.quit().await;
    }
    sent.capabilities = client.capabilities().clone();
    sent.trace
        .extend(std::iter::from_fn(|| client.poll_trace()));
    result
}

/// Ends a server when it is dropped.
struct Running(Shutdown);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.begin();
    }
}

/// Starts a server that stores into a Maildir, until what it returns is dropped.
async fn serve(maildir: Arc<Maildir>) -> io::Result<(SocketAddr, Running)> {
    let name = Host::parse("server.example").map_err(io::Error::other)?;
    let server = Server::bind("127.0.0.1:0", Config::new(name)).await?;
    let address = server.local_addr()?;
    let shutdown = Shutdown::new();
    let handler = MaildirHandler(Inbox::new(Some(maildir)));
    tokio::spawn(server.serve_until(handler, shutdown.clone()));
    Ok((address, Running(shutdown)))
}
