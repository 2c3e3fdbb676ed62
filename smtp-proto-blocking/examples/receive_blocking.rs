//! Receives messages by SMTP or LMTP, without a runtime. `--help` tells more.

mod maildir_handler;

use std::{error::Error, io, process::ExitCode};
#[cfg(unix)]
use std::{fs, thread};

use maildir_handler::MaildirHandler;
use smtp_proto_blocking::{
    Server,
    server::{Options, Shutdown, limits},
};
use smtp_proto_example_support::{Endpoint, ReceiveOptions};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let options = match ReceiveOptions::from_env() {
        Ok(options) => options,
        Err(stop) => return Ok(stop.report()),
    };
    let handler = MaildirHandler(options.inbox()?);
    let mut serving = Options::new(options.config()?);
    if let Some(acceptor) = options.acceptor()? {
        serving = serving.tls(acceptor);
    }
    let shutdown = Shutdown::new();
    shut_down_on_signals(shutdown.clone())?;
    match &options.listen {
        Endpoint::Tcp(address) => {
            let server = Server::bind(address.as_str(), serving)?;
            let server =
                server.max_connections(options.max_connections.unwrap_or(limits::CONNECTIONS));
            println!("listening on {}", server.local_addr()?);
            server.serve_until(handler, shutdown);
        }
        #[cfg(unix)]
        Endpoint::Unix(path) => {
            let server = Server::bind_unix(path, serving)?;
            println!("listening on {}", path.display());
            server.serve_until(handler, shutdown);
            fs::remove_file(path)?;
        }
        #[cfg(not(unix))]
        Endpoint::Unix(_) => return Err("there are no Unix sockets here".into()),
    }
    Ok(ExitCode::SUCCESS)
}

/// Ends the server on SIGTERM and SIGINT, where there are such; at once on the second.
#[cfg(unix)]
fn shut_down_on_signals(shutdown: Shutdown) -> io::Result<()> {
    use signal_hook::{
        consts::{SIGINT, SIGTERM},
        iterator::Signals,
    };
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    thread::spawn(move || {
        let mut signals = signals.forever();
        if signals.next().is_some() {
            shutdown.begin();
        }
        if signals.next().is_some() {
            shutdown.abort();
        }
    });
    Ok(())
}

#[cfg(not(unix))]
fn shut_down_on_signals(_: Shutdown) -> io::Result<()> {
    Ok(())
}
