//! `receive`: takes every message, for everybody, and stores it before it is acknowledged.

mod account;
mod duplicates;
mod inbox;
mod maildir;
mod options;

#[cfg(unix)]
use std::fs;
use std::{
    error::Error,
    fmt,
    io::{self, Write as _},
};

use smtp_proto_tokio::{
    Server,
    server::{self, Shutdown},
};

use crate::arguments::about;

pub use self::{
    account::Account,
    duplicates::Duplicates,
    inbox::{Arrival, Inbox, MessageName},
    maildir::{Delivery, Maildir},
    options::{Listen, Options, Service},
};

/// Does what the options say, until a signal ends it.
///
/// # Errors
///
/// Whatever keeps it from listening.
pub async fn receive(options: &Options) -> Result<(), Box<dyn Error>> {
    let config = options.config()?;
    let inbox = options.inbox(&config)?;
    let mut serving = server::Options::new(config);
    if let Some(acceptor) = options.acceptor()? {
        serving = serving.tls(acceptor);
    }
    let shutdown = Shutdown::new();
    tokio::spawn(shut_down_on_signals(shutdown.clone()));
    let limited = |server: Server| server.max_connections(options.max_connections);
    match &options.listen {
        Listen::Tcp(address) => {
            let server = limited(about(
                address,
                Server::bind(address.as_str(), serving).await,
            )?);
            announce(&server.local_addr()?);
            server.serve_until(inbox, shutdown).await;
        }
        #[cfg(unix)]
        Listen::Unix(path) => {
            let server = limited(about(path.display(), Server::bind_unix(path, serving))?);
            announce(&path.display());
            server.serve_until(inbox, shutdown).await;
            fs::remove_file(path)?;
        }
        #[cfg(not(unix))]
        Listen::Unix(_) => return Err("there are no Unix sockets here".into()),
    }
    Ok(())
}

/// Says where it listens, to whoever may read it.
fn announce(address: &dyn fmt::Display) {
    let _ = writeln!(io::stdout(), "listening on {address}");
}

/// Ends the server on SIGTERM, where there is one, and SIGINT; at once on the second.
async fn shut_down_on_signals(shutdown: Shutdown) {
    signal().await;
    shutdown.begin();
    signal().await;
    shutdown.abort();
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
