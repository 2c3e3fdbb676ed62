//! Receives messages by SMTP, without a runtime. `--help` tells more.

mod maildir_handler;

#[cfg(unix)]
use std::thread;
use std::{error::Error, io, process::ExitCode};

use maildir_handler::MaildirHandler;
use smtp_proto::{server::Config, syntax::Host};
use smtp_proto_blocking::{
    Server,
    server::{Envelope, ShutdownHandle},
};
use smtp_proto_example_support::{Maildir, ReceiveOptions, Storage, received_to_json};

fn main() -> Result<ExitCode, Box<dyn Error>> {
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
    let server = Server::bind(options.listen.as_str(), config)?;
    let handle = server.shutdown_handle()?;
    shut_down_on_signals(handle)?;
    println!("listening on {}", server.local_addr()?);
    server.serve(&handler);
    Ok(ExitCode::SUCCESS)
}

/// Ends the server on SIGTERM and SIGINT, where there are such.
#[cfg(unix)]
fn shut_down_on_signals(handle: ShutdownHandle) -> io::Result<()> {
    use signal_hook::{
        consts::{SIGINT, SIGTERM},
        iterator::Signals,
    };
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    thread::spawn(move || {
        if signals.forever().next().is_some() {
            handle.shut_down();
        }
    });
    Ok(())
}

#[cfg(not(unix))]
fn shut_down_on_signals(_: ShutdownHandle) -> io::Result<()> {
    Ok(())
}

fn tell(envelope: &Envelope, octets: u64) {
    println!(
        "{}",
        received_to_json(&envelope.from, &envelope.recipients, octets)
    );
}
