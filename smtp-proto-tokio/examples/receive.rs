//! Receives messages by SMTP. `--help` tells more.

mod maildir_handler;

use std::{error::Error, process::ExitCode};

use maildir_handler::MaildirHandler;
use smtp_proto::{server::Config, syntax::Host};
use smtp_proto_example_support::{Maildir, ReceiveOptions, Storage, received_to_json};
use smtp_proto_tokio::{
    Server,
    server::{Envelope, Recipient},
};

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let options = match ReceiveOptions::from_env() {
        Ok(options) => options,
        Err(stop) => return Ok(stop.report()),
    };
    let mut config = Config::new(Host::parse("localhost.localdomain")?);
    if let Some(octets) = options.max_size {
        config = config.max_message_size(octets);
    }
    let maildir = match &options.storage {
        Storage::Maildir(directory) => Some(Maildir::open(directory)?),
        Storage::Discard => None,
    };
    let mut handler = MaildirHandler::new(maildir);
    if options.json {
        handler = handler.telling(tell);
    }
    let server = Server::bind(options.listen.as_str(), config).await?;
    println!("listening on {}", server.local_addr()?);
    server.serve_until(handler, signal()).await;
    Ok(ExitCode::SUCCESS)
}

/// Waits for SIGTERM, where there is one, or SIGINT.
async fn signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

fn tell(envelope: &Envelope, octets: u64) {
    let paths: Vec<_> = envelope.recipients().map(Recipient::path).collect();
    println!(
        "{}",
        received_to_json(envelope.sender().path(), paths, octets)
    );
}
