//! Our server, by either adapter, with a handler that keeps messages in memory.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    thread::{self, JoinHandle},
};

use anyhow::Result;
use smtp_proto::{
    reception::{
        ClientAttributes, Envelope, Identity, Recipient, Refusal, Sender, Session, Tally,
        Transaction, Verdict, accept,
    },
    sasl::{Credential, invalid_credentials},
    server::Config,
    syntax::{Capabilities, Extension, Host, Reply},
};
use smtp_proto_blocking::server as blocking;
use smtp_proto_tokio::server as asynchronous;

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
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Stop {
    Tokio(asynchronous::Shutdown),
    Blocking(blocking::Shutdown),
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
            stop,
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
        match &self.stop {
            Stop::Tokio(shutdown) => shutdown.begin(),
            Stop::Blocking(shutdown) => shutdown.begin(),
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
    let shutdown = asynchronous::Shutdown::new();
    let serving = server.serve_until(keeper, shutdown.clone());
    let thread = thread::spawn(move || runtime.block_on(serving));
    Ok((address, Stop::Tokio(shutdown), thread))
}

fn start_blocking(config: Config, pki: &Pki, keeper: Keeper) -> io::Result<Started> {
    let acceptor =
        smtp_proto_blocking::tls::TlsAcceptor::from_pem_files(&pki.certificate, &pki.key)?;
    let options = blocking::Options::new(config).tls(acceptor);
    let server = smtp_proto_blocking::Server::bind("127.0.0.1:0", options)?;
    let address = server.local_addr()?;
    let shutdown = blocking::Shutdown::new();
    let ends = shutdown.clone();
    let thread = thread::spawn(move || server.serve_until(keeper, ends));
    Ok((address, Stop::Blocking(shutdown), thread))
}

/// Takes every message for the store.
struct Keeper(Arc<Store>);

/// Gathers one message.
struct Gatherer {
    store: Arc<Store>,
    stored: Stored,
}

/// Spells the handler for an adapter, whose error it names.
macro_rules! keeper {
    ($face:ident, $error:ty $(, $async:tt)?) => {
        impl $face::Handler for Keeper {
            type Sink = Gatherer;

            $($async)? fn connected(&self, _: &Session) -> Verdict {
                self.0.connected();
                accept()
            }

            $($async)? fn authenticate(
                &self,
                _: &Session,
                credential: Credential<'_>,
            ) -> Result<Identity, Refusal> {
                match credential {
                    Credential::Password {
                        user,
                        password,
                        acting_for,
                    } if admits(user, password, acting_for) => Ok(user.into()),
                    _ => Err(invalid_credentials().into()),
                }
            }

            $($async)? fn mail(&self, _: &Session, sender: &Sender) -> Verdict {
                self.0.mail(&sender.path, &sender.parameters);
                accept()
            }

            $($async)? fn recipient(
                &self,
                _: &Session,
                _: &Transaction,
                recipient: &Recipient,
            ) -> Verdict {
                verdict(self.0.recipient(&recipient.path, &recipient.parameters))
            }

            $($async)? fn content(
                &self,
                session: &Session,
                envelope: Envelope,
            ) -> Result<Gatherer, Refusal> {
                let to = envelope.recipients.iter();
                Ok(Gatherer {
                    store: Arc::clone(&self.0),
                    stored: Stored {
                        from: envelope.sender.path.to_string(),
                        to: to.map(|to| to.recipient.path.to_string()).collect(),
                        content: Vec::new(),
                        encrypted: session.tls().is_some(),
                        identity: session.identity().map(|identity| identity.name.clone()),
                    },
                })
            }

            $($async)? fn xforward(&self, _: &Session, attributes: &ClientAttributes) -> Verdict {
                self.0.xforward(attributes);
                accept()
            }

            fn closed(&self, _: &Session, result: Result<(), &$error>, _: &Tally) {
                self.0.closed(result.err().map(ToString::to_string));
            }
        }

        impl $face::Sink for Gatherer {
            $($async)? fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
                self.stored.content.extend_from_slice(bytes);
                Ok(())
            }

            $($async)? fn finish(self) -> Verdict {
                verdict(self.store.keep(self.stored))
            }
        }
    };
}

keeper!(blocking, smtp_proto_blocking::Error);
keeper!(asynchronous, smtp_proto_tokio::Error, async);

fn verdict(refusal: Option<Reply<'static>>) -> Verdict {
    refusal.map_or_else(accept, |reply| Err(reply.into()))
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
    if wish == Wish::Forwarding {
        offers = offers.with_keyword("XFORWARD", "NAME ADDR PORT PROTO HELO IDENT SOURCE")?;
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
