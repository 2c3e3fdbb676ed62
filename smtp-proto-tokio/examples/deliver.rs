//! Delivers message files over one connection. `--help` tells more.
//!
//! Without arguments it shows every pipelining policy at work.

mod maildir_handler;

use std::{error::Error, io, net::SocketAddr, process::ExitCode, sync::Arc, time::Instant};

use maildir_handler::MaildirHandler;
use smtp_proto::{client::Report, server::Config, syntax::Host};
use smtp_proto_example_support::{DeliverOptions, Job, Maildir, Sent, deliver};
use smtp_proto_tokio::{Client, Server};
use tokio::{runtime::Runtime, sync::oneshot};

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
    if let Err(error) = try_to_send(job, tell, &mut sent).await {
        sent.failure = Some(error.to_string());
    }
    sent
}

async fn try_to_send(
    job: Job,
    tell: &mut dyn FnMut(&Report),
    sent: &mut Sent,
) -> Result<(), smtp_proto_tokio::Error> {
    let mut client = Client::connect(job.address, job.config).await?;
    // A server that refuses the session has refused the messages; their reports tell.
    let _ = client.ready().await;
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
    sent.trace
        .extend(std::iter::from_fn(|| client.poll_trace()));
    result
}

/// Starts a server that stores into a Maildir, until what it returns is dropped.
async fn serve(maildir: Arc<Maildir>) -> io::Result<(SocketAddr, oneshot::Sender<()>)> {
    let name = Host::parse("server.example").map_err(io::Error::other)?;
    let server = Server::bind("127.0.0.1:0", Config::new(name)).await?;
    let address = server.local_addr()?;
    let (running, ended) = oneshot::channel();
    let handler = MaildirHandler::new(Some(maildir));
    tokio::spawn(server.serve_until(handler, async {
        let _ = ended.await; // which it is when the sender is gone
    }));
    Ok((address, running))
}
