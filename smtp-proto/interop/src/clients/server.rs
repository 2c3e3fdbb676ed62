//! Our server, by either adapter, with a handler that keeps messages in memory.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    thread::{self, JoinHandle},
};

use anyhow::Result;
use smtp_proto::{
    server::Config,
    syntax::{
        Capabilities, Extension, ForwardPath, Host, MailParameters, RcptParameters, Reply,
        ReversePath,
    },
};
use smtp_proto_blocking::server as blocking;
use smtp_proto_tokio::{TlsInfo, server as asynchronous};
use tokio::sync::oneshot;

use super::{
    Mode, Wish,
    store::{Store, Stored, admits},
};
use crate::{
    ours::Adapter,
    pki::{NAME, Pki},
};

/// A server on loopback. Dropping it ends it once its connections have come to their ends.
#[derive(Debug)]
pub(crate) struct OurServer {
    pub(crate) address: SocketAddr,
    pub(crate) store: Arc<Store>,
    stop: Option<Stop>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Stop {
    Tokio(#[expect(dead_code, reason = "it stops by being dropped")] oneshot::Sender<()>),
    Blocking(blocking::ShutdownHandle),
}

impl OurServer {
    /// Starts a server.
    ///
    /// # Errors
    ///
    /// Those of sockets and certificates.
    pub(crate) fn start(
        adapter: Adapter,
        config: Config,
        pki: &Pki,
        store: Store,
    ) -> io::Result<Self> {
        let store = Arc::new(store);
        let keeper = Keeper(Arc::clone(&store));
        let (address, stop, thread) = match adapter {
            Adapter::Tokio => start_tokio(config, pki, keeper)?,
            Adapter::Blocking => start_blocking(config, pki, keeper)?,
        };
        Ok(Self {
            address,
            store,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Ends the server once its connections have come to their ends, and returns what it kept.
    pub(crate) fn stop(self) -> Arc<Store> {
        Arc::clone(&self.store)
    }
}

impl Drop for OurServer {
    fn drop(&mut self) {
        if let Some(Stop::Blocking(handle)) = self.stop.take() {
            handle.shut_down();
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            eprintln!("a server of ours panicked");
        }
    }
}

type Started = (SocketAddr, Stop, JoinHandle<()>);

fn start_tokio(config: Config, pki: &Pki, keeper: Keeper) -> io::Result<Started> {
    let acceptor = smtp_proto_tokio::tls::TlsAcceptor::from_pem_files(&pki.certificate, &pki.key)?;
    let options = asynchronous::Options::new(config).tls(acceptor);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let server = runtime.block_on(smtp_proto_tokio::Server::bind("127.0.0.1:0", options))?;
    let address = server.local_addr()?;
    let (stop, stopped) = oneshot::channel();
    let thread = thread::spawn(move || {
        runtime.block_on(server.serve_until(keeper, async {
            let _ = stopped.await;
        }));
    });
    Ok((address, Stop::Tokio(stop), thread))
}

fn start_blocking(config: Config, pki: &Pki, keeper: Keeper) -> io::Result<Started> {
    let acceptor =
        smtp_proto_blocking::tls::TlsAcceptor::from_pem_files(&pki.certificate, &pki.key)?;
    let options = blocking::Options::new(config).tls(acceptor);
    let server = smtp_proto_blocking::Server::bind("127.0.0.1:0", options)?;
    let address = server.local_addr()?;
    let stop = server.shutdown_handle()?;
    let thread = thread::spawn(move || server.serve(&keeper));
    Ok((address, Stop::Blocking(stop), thread))
}

/// Takes every message for the store.
struct Keeper(Arc<Store>);

/// Gathers one message.
struct Gatherer {
    store: Arc<Store>,
    stored: Stored,
}

impl asynchronous::Handler for Keeper {
    type Session = ();
    type Sink = Gatherer;

    async fn connected(&self, _: Option<SocketAddr>) -> Result<(), Reply<'static>> {
        self.0.connected();
        Ok(())
    }

    async fn authenticate(
        &self,
        (): &(),
        credential: asynchronous::Credential<'_>,
        _: Option<&TlsInfo>,
    ) -> Result<String, Reply<'static>> {
        match credential {
            asynchronous::Credential::Password {
                user,
                password,
                acting_for,
            } if admits(user, password, acting_for) => Ok(user.to_owned()),
            _ => Err(asynchronous::invalid_credentials()),
        }
    }

    async fn mail(&self, (): &(), sender: &asynchronous::Sender) -> asynchronous::Verdict {
        self.0.mail(sender.path(), sender.parameters());
        asynchronous::Verdict::Accept
    }

    async fn recipient(
        &self,
        (): &(),
        _: &asynchronous::Sender,
        recipient: &asynchronous::Recipient,
    ) -> asynchronous::Verdict {
        self.0
            .recipient(recipient.path(), recipient.parameters())
            .map_or(asynchronous::Verdict::Accept, Into::into)
    }

    async fn content(
        &self,
        (): &(),
        envelope: Arc<asynchronous::Envelope>,
    ) -> Result<Gatherer, Reply<'static>> {
        let sender = envelope.sender();
        Ok(Gatherer {
            store: Arc::clone(&self.0),
            stored: Stored {
                from: sender.path().to_string(),
                to: envelope
                    .recipients()
                    .map(|recipient| recipient.path().to_string())
                    .collect(),
                content: Vec::new(),
                encrypted: sender.tls().is_some(),
                identity: sender.identity().map(str::to_owned),
            },
        })
    }

    fn closed(&self, (): &(), result: Result<(), &smtp_proto_tokio::Error>) {
        self.0.closed(result.err().map(ToString::to_string));
    }
}

impl asynchronous::Sink for Gatherer {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Reply<'static>> {
        self.stored.content.extend_from_slice(bytes);
        Ok(())
    }

    async fn finish(self) -> asynchronous::Verdict {
        self.store
            .keep(self.stored)
            .map_or(asynchronous::Verdict::Accept, Into::into)
    }
}

impl blocking::Handler for Keeper {
    type Sink = Gatherer;

    fn connected(&self, _: &blocking::Session) -> blocking::Verdict {
        self.0.connected();
        blocking::Verdict::Accept
    }

    fn authenticate(
        &self,
        _: &blocking::Session,
        credential: blocking::Credential<'_>,
    ) -> Result<String, Reply<'static>> {
        match credential {
            blocking::Credential::Password {
                user,
                password,
                acting_for,
            } if admits(user, password, acting_for) => Ok(user.to_owned()),
            _ => Err(blocking::invalid_credentials()),
        }
    }

    fn mail(
        &self,
        _: &blocking::Session,
        from: &ReversePath<'_>,
        parameters: &MailParameters<'_>,
    ) -> blocking::Verdict {
        self.0.mail(from, parameters);
        blocking::Verdict::Accept
    }

    fn recipient(
        &self,
        _: &blocking::Session,
        _: &blocking::Envelope,
        to: &ForwardPath<'_>,
        parameters: &RcptParameters<'_>,
    ) -> blocking::Verdict {
        self.0
            .recipient(to, parameters)
            .map_or(blocking::Verdict::Accept, Into::into)
    }

    fn content(
        &self,
        session: &blocking::Session,
        envelope: &blocking::Envelope,
    ) -> Result<Gatherer, Reply<'static>> {
        Ok(Gatherer {
            store: Arc::clone(&self.0),
            stored: Stored {
                from: envelope.from.to_string(),
                to: envelope
                    .recipients
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
                content: Vec::new(),
                encrypted: session.tls.is_some(),
                identity: session.identity.clone(),
            },
        })
    }

    fn closed(&self, _: &blocking::Session, error: Option<&smtp_proto_blocking::Error>) {
        self.0.closed(error.map(ToString::to_string));
    }
}

impl blocking::Sink for Gatherer {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Reply<'static>> {
        self.stored.content.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(self) -> blocking::Verdict {
        self.store
            .keep(self.stored)
            .map_or(blocking::Verdict::Accept, Into::into)
    }
}

/// Returns the configuration of our server: it offers what the clients could use.
pub(crate) fn config(mode: Mode, wish: Wish) -> Result<Config> {
    let mut offers = Capabilities::new()
        .with(Extension::Pipelining)
        .with_size(0)
        .with(Extension::EnhancedStatusCodes)
        .with(Extension::Chunking)
        .with(Extension::SmtpUtf8)
        .with(Extension::Dsn)
        .with(Extension::Help);
    if wish == Wish::EarlyPipelining {
        offers = offers.with_keyword("PIPECONNECT", "")?;
    }
    let mut config = Config::new(Host::parse(NAME)?)
        .offer(offers)
        .max_message_size(64 << 20)
        .dialect(mode.dialect())
        .tls(mode.tls());
    if let Some(mechanism) = mode.mechanism() {
        config = config.mechanisms([mechanism])?.require_auth();
    }
    Ok(config)
}
