//! Delivers message files over one connection, without a runtime. `--help` tells more.
//!
//! Without arguments it shows every pipelining policy at work.

mod maildir_handler;

use std::{
    error::Error,
    io,
    net::{SocketAddr, TcpStream},
    process::ExitCode,
    sync::Arc,
    thread,
    time::Instant,
};

use maildir_handler::MaildirHandler;
use smtp_proto::delivery::Report;
use smtp_proto::{client::Duplex, machine::Fault, server::Config, syntax::Host};
use smtp_proto_blocking::{Client, Server, Transport, server::Shutdown};
use smtp_proto_example_support::{Address, DeliverOptions, Inbox, Job, Maildir, Sent, deliver};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    match DeliverOptions::from_env() {
        Ok(options) => deliver(&options, serve, send),
        Err(stop) => Ok(stop.report()),
    }
}

/// Sends messages over one connection.
fn send(job: Job, tell: &mut dyn FnMut(&Report)) -> Sent {
    let mut sent = Sent::default();
    if let Err(error) = connect_and_send(job, tell, &mut sent) {
        sent.capabilities_changed = matches!(
            &error,
            smtp_proto_blocking::Error::Session { error, .. }
                if error.fault() == Fault::CapabilitiesChanged
        );
        sent.failure = Some(error.to_string());
    }
    sent
}

fn connect_and_send(
    job: Job,
    tell: &mut dyn FnMut(&Report),
    sent: &mut Sent,
) -> Result<(), smtp_proto_blocking::Error> {
    let lost = |error| smtp_proto_blocking::Error::Connect(Arc::new(error));
    match job.address.clone() {
        Address::Tcp(address) => {
            let stream = TcpStream::connect(address).map_err(lost)?;
            stream.set_nodelay(true).map_err(lost)?;
            send_over(stream, job, tell, sent)
        }
        #[cfg(unix)]
        Address::Unix(path) => {
            let stream = std::os::unix::net::UnixStream::connect(path).map_err(lost)?;
            send_over(stream, job, tell, sent)
        }
        #[cfg(not(unix))]
        Address::Unix(_) => Err(lost(io::ErrorKind::Unsupported.into())),
    }
}

fn send_over<T: Transport + Send + 'static>(
    stream: T,
    job: Job,
    tell: &mut dyn FnMut(&Report),
    sent: &mut Sent,
) -> Result<(), smtp_proto_blocking::Error> {
    // A write that would block becomes a read: nothing need be held back for fear of that.
    let mut builder = Client::builder(job.config.duplex(Duplex::Full));
    if let Some(trust) = &job.trust {
        let unusable = |error| smtp_proto_blocking::Error::Connect(Arc::new(error));
        builder = builder.tls(trust.connector().map_err(unusable)?);
    }
    let mut client = builder.with_stream(stream)?;
    if !job.mechanisms.is_empty() {
        client.authenticate(job.mechanisms)?;
    }
    if !job.begins_early {
        // A server that refuses the session has refused the messages; their reports tell.
        let _ = client.ready();
    }
    let (opening, begin) = (client.round_trips(), Instant::now());
    let mut result = Ok(());
    for report in client.send_all(job.messages) {
        match report {
            Ok(report) => tell(&report),
            Err(error) => result = Err(error),
        }
    }
    sent.elapsed = begin.elapsed();
    sent.round_trips = client.round_trips() - opening;
    if result.is_ok() {
        result = client.quit();
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

/// Starts a server that stores into a Maildir.
fn serve(maildir: Arc<Maildir>) -> io::Result<(SocketAddr, Running)> {
    let name = Host::parse("server.example").map_err(io::Error::other)?;
    let server = Server::bind("127.0.0.1:0", Config::new(name))?;
    let (address, shutdown) = (server.local_addr()?, Shutdown::new());
    let (handler, ends) = (MaildirHandler(Inbox::new(Some(maildir))), shutdown.clone());
    thread::spawn(move || server.serve_until(handler, ends));
    Ok((address, Running(shutdown)))
}
