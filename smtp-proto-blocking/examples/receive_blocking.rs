//! Receives messages by SMTP or LMTP, without a runtime. `--help` tells more.

mod maildir_handler;

#[cfg(unix)]
use std::thread;
use std::{error::Error, io, process::ExitCode, sync::Arc};

use maildir_handler::MaildirHandler;
use smtp_proto_blocking::{
    Server, TlsAcceptor,
    server::{Envelope, ShutdownHandle},
};
use smtp_proto_example_support::{
    Duplicates, Endpoint, Maildir, ReceiveOptions, Stop, Storage, received_to_json,
};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let options = match ReceiveOptions::from_env() {
        Ok(options) => options,
        Err(stop) => return Ok(stop.report()),
    };
    let Endpoint::Tcp(address) = &options.listen else {
        let reason = "--listen unix: is for the example of the other adapter";
        return Ok(Stop::Usage(reason.to_owned()).report());
    };
    let maildir = match &options.storage {
        Storage::Maildir(directory) => Some(Maildir::open(directory)?),
        Storage::Discard => None,
    };
    let mut handler = MaildirHandler::new(maildir);
    if options.json {
        handler = handler.telling(tell);
    }
    if let Some(account) = options.account()? {
        handler = handler.admitting(account);
    }
    if let Some(kept_for) = options.dedup {
        handler = handler.recognising(Arc::new(Duplicates::new(kept_for)));
    }
    let mut server = Server::bind(address.as_str(), options.config()?)?;
    if let Some(files) = &options.tls {
        server = server.tls(TlsAcceptor::from_pem_files(&files.certificate, &files.key)?);
    }
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
