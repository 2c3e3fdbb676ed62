//! Our clients, by both adapters.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use smtp_proto::delivery::{Options, Report};
use smtp_proto::{
    client::{
        Config, Demand, Duplex, Envelope, Pipelining, Timeouts, Tls,
        mechanism::{Login, Plain, Protection},
    },
    machine::{Dialect, Origin, TraceEntry},
    syntax::{Attribute, Capabilities, Host},
};
use smtp_proto_tokio::tls::TlsConnector; // the other adapter's, too

use crate::{
    messages::Message,
    pki::NAME,
    servers::{PASSWORD, USER},
};

/// One of the two adapters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Adapter {
    Tokio,
    Blocking,
}

impl Adapter {
    pub(crate) const ALL: [Self; 2] = [Self::Tokio, Self::Blocking];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tokio => "tokio",
            Self::Blocking => "blocking",
        }
    }
}

/// How a client authenticates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Authentication {
    Plain,
    Login,
    /// The best that the server offers; in clear only one that does not show the password.
    Password,
}

impl Authentication {
    /// Returns the mechanism that the server has to offer for it.
    pub(crate) fn mechanism(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::Password => "SCRAM-SHA-256",
        }
    }
}

/// What a session is to be like.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) dialect: Dialect,
    pub(crate) policy: Pipelining,
    pub(crate) duplex: Duplex,
    /// STARTTLS, by the authority in this file.
    pub(crate) ca: Option<PathBuf>,
    pub(crate) authentication: Option<Authentication>,
    /// What the server offered before.
    pub(crate) known: Option<Capabilities>,
    /// What is said of the client that the session is for.
    pub(crate) xclient: Vec<Attribute<'static>>,
    /// What is said of the client that each message is from.
    pub(crate) xforward: Vec<Attribute<'static>>,
}

impl Session {
    /// Begins with a session in clear, without authentication.
    pub(crate) fn new(dialect: Dialect, policy: Pipelining) -> Self {
        Self {
            dialect,
            policy,
            duplex: Duplex::Full,
            ca: None,
            authentication: None,
            known: None,
            xclient: Vec::new(),
            xforward: Vec::new(),
        }
    }

    fn config(&self) -> Config {
        // A peer that hangs is to be found out while somebody waits.
        let mut timeouts = Timeouts::default();
        timeouts.greeting = Duration::from_secs(60);
        timeouts.command = Duration::from_secs(60);
        timeouts.data_initiation = Duration::from_secs(60);
        timeouts.write = Duration::from_secs(60);
        timeouts.data_termination = Duration::from_secs(60);
        let name = Host::parse("client.test").expect("a name");
        let mut config = Config::new(name)
            .dialect(self.dialect)
            .pipelining(self.policy)
            .duplex(self.duplex)
            .timeouts(timeouts)
            .queue(2048)
            .traced();
        if self.ca.is_some() {
            config = config.tls(Tls::Required);
        }
        if self.ca.is_none() {
            config = config.credentials_over(Protection::InClear);
        }
        if let Some(known) = &self.known {
            config = config.known_capabilities(known.clone());
        }
        if !self.xclient.is_empty() {
            config = config.xclient(Demand::Required, self.xclient.iter().cloned());
        }
        config
    }
}

/// What came of a session.
#[derive(Debug)]
pub(crate) struct Sending {
    /// One for each message, in their order.
    pub(crate) reports: Vec<Report>,
    /// How the session failed, if it did.
    pub(crate) failure: Option<String>,
    /// How long the messages took, once the session was open.
    pub(crate) elapsed: Duration,
    /// What the server offered.
    pub(crate) capabilities: Capabilities,
    /// The end of the dialogue, as the client saw it.
    pub(crate) trace: Vec<TraceEntry>,
}

impl Sending {
    /// Returns the last lines of the dialogue, for people; it reads also where the wire is encrypted.
    pub(crate) fn dialogue(&self, lines: usize) -> String {
        let mut text = String::new();
        for entry in &self.trace[self.trace.len().saturating_sub(lines)..] {
            let side = match entry.origin {
                Origin::Local => 'C',
                Origin::Remote => 'S',
            };
            let _ = writeln!(
                text,
                "round trip {:3} {side}: {}",
                entry.round_trips, entry.what
            );
        }
        text
    }
}

/// Sends messages over one connection and takes leave.
///
/// # Errors
///
/// Fails if there is no connection. How a session fails is in what is returned.
pub(crate) fn send(
    adapter: Adapter,
    server: SocketAddr,
    session: &Session,
    messages: &[Message],
) -> Result<Sending> {
    let messages: Vec<(Envelope<'static>, Arc<[u8]>)> = messages
        .iter()
        .map(|message| {
            let envelope = message.envelope().xforward(session.xforward.clone());
            (envelope, Arc::clone(&message.content))
        })
        .collect();
    match adapter {
        Adapter::Tokio => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(by_tokio(server, session, messages)),
        Adapter::Blocking => by_blocking(server, session, messages),
    }
}

/// Returns what the client of either adapter is told.
fn options<T, D>(session: &Session) -> Result<Options<T, D>>
where
    TlsConnector: Into<T>,
{
    let mut options = Options::new(session.config());
    if let Some(ca) = &session.ca {
        options = options.tls(TlsConnector::with_ca_file(NAME, ca)?);
    }
    Ok(match session.authentication {
        Some(Authentication::Plain) => options.authenticate(|| Plain::new(USER, PASSWORD)),
        Some(Authentication::Login) => options.authenticate(|| Login::new(USER, PASSWORD)),
        Some(Authentication::Password) => options.password(USER, PASSWORD),
        None => options,
    })
}

async fn by_tokio(
    server: SocketAddr,
    session: &Session,
    messages: Vec<(Envelope<'static>, Arc<[u8]>)>,
) -> Result<Sending> {
    use smtp_proto_tokio::Client;
    let stream = tokio::net::TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let mut client = Client::with_stream(stream, options(session)?)?;
    let mut reports = Vec::new();
    let mut failure = None;
    if session.known.is_none() {
        failure = client.ready().await.err().map(|error| error.to_string());
    }
    let begin = Instant::now();
    let mut sending = client.send_all(messages);
    loop {
        match sending.next().await {
            Ok(Some(report)) => reports.push(report),
            Ok(None) => break,
            Err(error) => {
                failure = Some(error.to_string());
                break;
            }
        }
    }
    let elapsed = begin.elapsed();
    if failure.is_none() {
        failure = client.quit().await.err().map(|error| error.to_string());
    }
    Ok(Sending {
        reports,
        failure,
        elapsed,
        capabilities: client.capabilities().clone(),
        trace: std::iter::from_fn(|| client.poll_trace()).collect(),
    })
}

fn by_blocking(
    server: SocketAddr,
    session: &Session,
    messages: Vec<(Envelope<'static>, Arc<[u8]>)>,
) -> Result<Sending> {
    use smtp_proto_blocking::Client;
    let stream = std::net::TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    let mut client = Client::with_stream(stream, options(session)?)?;
    let mut reports = Vec::new();
    let mut failure = None;
    if session.known.is_none() {
        failure = client.ready().err().map(|error| error.to_string());
    }
    let begin = Instant::now();
    for result in client.send_all(messages) {
        match result {
            Ok(report) => reports.push(report),
            Err(error) => failure = Some(error.to_string()),
        }
    }
    let elapsed = begin.elapsed();
    if failure.is_none() {
        failure = client.quit().err().map(|error| error.to_string());
    }
    Ok(Sending {
        reports,
        failure,
        elapsed,
        capabilities: client.capabilities().clone(),
        trace: std::iter::from_fn(|| client.poll_trace()).collect(),
    })
}
