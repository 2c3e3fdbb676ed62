//! One connection, and what becomes of messages over it.

use std::{
    io,
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use smtp_proto::{
    client::{Config, Duplex, Envelope, Pipelining, Timeouts, mechanism::Protection},
    delivery::{Report, Server},
    machine::{Dialect, Fault, TraceEntry},
    syntax::Capabilities,
};
use smtp_proto_blocking::{Client, Error, Socket, client};

use super::options::Options;
use crate::Endpoint;

/// How long to wait for a connection to one address, unless told otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Whom to connect to, and how.
#[derive(Debug)]
pub(super) struct Route {
    client: client::Options,
    /// Where the first message leaves before the session is open.
    early: Option<Vec<SocketAddr>>,
    timeout: Duration,
}

/// What a connection came to.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// How many round trips the messages took, without the session's opening and its QUIT.
    pub(super) round_trips: u64,
    /// How long they took, likewise.
    pub(super) elapsed: Duration,
    /// The trace, if one was kept.
    pub(super) trace: Vec<TraceEntry>,
    /// What the server offers.
    pub(super) capabilities: Capabilities,
    /// Why the session failed, if it did.
    pub(super) failure: Option<Error>,
}

impl Route {
    /// Prepares to connect to a server, or to the relay that stands in front of it; `known` is what it
    /// is known to offer.
    pub(super) fn new(
        options: &Options,
        server: &Endpoint,
        relay: Option<SocketAddr>,
        policy: Pipelining,
        known: Option<Capabilities>,
    ) -> io::Result<Self> {
        // A write that would block becomes a read: nothing need be held back for fear of that.
        let mut config = Config::new(options.helo.clone())
            .pipelining(policy)
            .duplex(Duplex::Full)
            .tls(options.security.tls(server));
        if options.lmtp {
            config = config.dialect(Dialect::Lmtp);
        }
        if options.trace || options.svg.is_some() {
            config = config.traced();
        }
        if let Some(timeout) = options.timeout {
            config = config.timeouts(timeouts(timeout));
        }
        let is_early = known
            .as_ref()
            .is_some_and(|known| known.get("PIPECONNECT").is_some());
        if let Some(known) = known {
            config = config.known_capabilities(known);
        }
        let (place, early) = match (server, relay) {
            (Endpoint::Unix(path), _) => {
                // Nobody listens in between.
                config = config.credentials_over(Protection::InClear);
                (Server::unix(path.to_string_lossy()), None)
            }
            (Endpoint::Tcp(_), Some(relay)) => (relay.into(), is_early.then(|| vec![relay])),
            (Endpoint::Tcp(target), None) => {
                let early = is_early.then(|| target.addresses()).transpose()?;
                ((target.host.as_str(), target.port).into(), early)
            }
        };
        let timeout = options.timeout.unwrap_or(CONNECT_TIMEOUT);
        let client = client::Options::new(config)
            .server(place)
            .connect_timeout(timeout);
        Ok(Self {
            client: options.security.apply(client, server)?,
            early,
            timeout,
        })
    }

    fn connect(&self) -> Result<Client, Error> {
        let Some(addresses) = &self.early else {
            return Client::connect(self.client.clone());
        };
        let unreachable = |error| Error::Connect(Arc::new(error));
        let mut failure = io::ErrorKind::NotFound.into();
        for address in addresses {
            match TcpStream::connect_timeout(address, self.timeout) {
                Ok(stream) => {
                    stream.set_nodelay(true).map_err(unreachable)?;
                    return Client::with_stream(Socket::Tcp(stream), self.client.clone());
                }
                Err(error) => failure = error,
            }
        }
        Err(unreachable(failure))
    }

    /// Sends messages over one connection, as far as it goes, and hands over the report on each.
    pub(super) fn send(
        &self,
        messages: impl Iterator<Item = (Envelope<'static>, Arc<[u8]>)>,
        mut tell: impl FnMut(Report),
    ) -> Sent {
        let mut sent = Sent::default();
        let mut client = match self.connect() {
            Ok(client) => client,
            Err(error) => {
                if let Error::Session { trace, .. } = &error {
                    sent.trace = trace.to_vec();
                }
                sent.failure = Some(error);
                return sent;
            }
        };
        let (opening, begin) = (client.round_trips(), Instant::now());
        for report in client.send_all(messages) {
            match report {
                Ok(report) => tell(report),
                Err(error) => sent.failure = Some(error),
            }
        }
        sent.elapsed = begin.elapsed();
        sent.round_trips = client.round_trips() - opening;
        if sent.failure.is_none() {
            sent.failure = client.quit().err();
        }
        sent.capabilities = client.capabilities().clone();
        sent.trace
            .extend(std::iter::from_fn(|| client.poll_trace()));
        sent
    }
}

impl Sent {
    /// Returns whether the session failed because the server does not offer any more what it was known
    /// to offer. Nothing of what was sent in advance was taken then.
    pub(super) fn has_changed(&self) -> bool {
        let fault = self.failure.as_ref().and_then(Error::machine);
        fault.is_some_and(|error| error.fault() == Fault::CapabilitiesChanged)
    }
}

/// Waits for everything so long.
fn timeouts(timeout: Duration) -> Timeouts {
    let mut timeouts = Timeouts::default();
    timeouts.greeting = timeout;
    timeouts.command = timeout;
    timeouts.data_initiation = timeout;
    timeouts.write = timeout;
    timeouts.data_termination = timeout;
    timeouts.quit = timeout.min(timeouts.quit);
    timeouts
}
