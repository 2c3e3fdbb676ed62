//! Receives messages by SMTP or LMTP. `--help` tells more.

mod maildir_handler;

#[cfg(unix)]
use std::fs;
use std::{error::Error, process::ExitCode};

use maildir_handler::MaildirHandler;
use smtp_proto_example_support::{Endpoint, ReceiveOptions};
use smtp_proto_tokio::{
    Server,
    server::{Options, Shutdown, limits},
};

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
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
    tokio::spawn(shut_down_on_signals(shutdown.clone()));
    match &options.listen {
        Endpoint::Tcp(address) => {
            let server = Server::bind(address.as_str(), serving).await?;
            let server =
                server.max_connections(options.max_connections.unwrap_or(limits::CONNECTIONS));
            println!("listening on {}", server.local_addr()?);
            server.serve_until(handler, shutdown).await;
        }
        #[cfg(unix)]
        Endpoint::Unix(path) => {
            let server = Server::bind_unix(path, serving)?;
            println!("listening on {}", path.display());
            server.serve_until(handler, shutdown).await;
            fs::remove_file(path)?;
        }
        #[cfg(not(unix))]
        Endpoint::Unix(_) => return Err("there are no Unix sockets here".into()),
    }
    Ok(ExitCode::SUCCESS)
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
