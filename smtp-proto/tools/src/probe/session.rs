//! Sessions: connected, greeted, answered by EHLO, and in TLS where the test is to be there.

use std::{
    fmt, io,
    time::{Duration, Instant},
};

use smtp_proto::{
    client::Tls,
    machine::TlsInfo,
    syntax::{Capabilities, Extension, Reply},
};
use smtp_proto_rustls::{TlsConnector, rustls};

use super::{
    checks::{Login, login},
    dialogue::{Address, Dialogue, Patience, Silence},
    evidence::Said,
    finding::Tells as _,
    options::Options,
};

use crate::{
    Endpoint,
    security::{Secret, usual_tls},
};

/// The server under test, as far as it is known before anything is said.
pub(super) struct Server<'a> {
    pub options: &'a Options,
    pub address: Address,
    pub channel: Channel,
    pub certificates: Certificates,
    /// By whom sessions are opened, once it is known that a login works.
    pub secret: Option<Secret>,
    patience: Patience,
    /// What takes any certificate.
    anyones: TlsConnector,
}

/// Where commands go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// In clear.
    Clear,
    /// Over TLS, after STARTTLS.
    StartTls,
    /// Over TLS from the first byte.
    Implicit,
}

/// Which certificates are taken.
pub(super) enum Certificates {
    /// Those of the server's name that an authority vouches for.
    Verified(TlsConnector),
    /// Any, since the server's does not verify, or nothing can verify it: why.
    Anyones(String),
}

/// A session between transactions.
#[derive(Debug)]
pub(super) struct Session {
    pub dialogue: Dialogue,
    pub capabilities: Capabilities,
    /// What the handshake came to, where there is TLS.
    pub tls: Option<TlsInfo>,
}

/// What the handshake of TLS, or what led to it, came to.
#[derive(Debug)]
pub(super) enum TlsFailure {
    /// The server refused STARTTLS.
    Refused(Reply<'static>),
    /// The certificate does not verify: why.
    Certificate(String),
    /// The server said more than 220 before it.
    SaysMore,
    /// Anything else.
    Failed(String),
}

/// Why there is no session.
#[derive(Debug)]
#[non_exhaustive]
pub enum NoSession {
    /// No connection.
    Connection(io::Error),
    /// The server does not greet; what it says instead, if it says anything.
    NoGreeting(Silence, Option<String>),
    /// The server takes no sessions.
    Refused(Reply<'static>),
    /// No answer to EHLO or STARTTLS.
    NoAnswer(Silence),
    /// These commands are refused: EHLO and HELO, or LHLO.
    NoHello(&'static str, Reply<'static>),
    /// No TLS.
    NoTls(String),
    /// What an option names cannot be used.
    Options(io::Error),
    /// The login that was taken before is not: why.
    NoLogin(String),
}

impl<'a> Server<'a> {
    /// Connects to the first address at which there is something.
    pub(super) fn find(options: &'a Options) -> Result<(Self, Dialogue), NoSession> {
        let trust = &options.trust;
        let anyones = trust.any_certificate(&options.target);
        let anyones = anyones.map_err(NoSession::Options)?;
        let certificates = match trust.connector(&options.target) {
            Ok(connector) => Certificates::Verified(connector),
            Err(error) if trust.ca.is_some() => return Err(NoSession::Options(error)),
            // A platform without authorities is no fault of the server's.
            Err(error) => Certificates::Anyones(error.to_string()),
        };
        let patience = Patience {
            reply: options.reply_timeout,
            until: Instant::now() + options.timeout,
        };
        let target = &options.target;
        let channel = match options.tls.unwrap_or_else(|| usual_tls(target)) {
            Tls::Implicit => Channel::Implicit,
            Tls::Required => Channel::StartTls,
            _ => Channel::Clear,
        };
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "no address is known");
        let addresses = match target {
            Endpoint::Tcp(target) => {
                let addresses = target.addresses().map_err(NoSession::Connection)?;
                addresses.into_iter().map(Address::Tcp).collect()
            }
            Endpoint::Unix(path) => vec![Address::Unix(path.clone())],
        };
        for address in addresses {
            match Dialogue::connect(&address, patience) {
                Ok(dialogue) => {
                    let server = Self {
                        options,
                        address,
                        channel,
                        certificates,
                        secret: None,
                        patience,
                        anyones,
                    };
                    return Ok((server, dialogue));
                }
                Err(error) => failure = error,
            }
        }
        Err(NoSession::Connection(failure))
    }

    /// Connects.
    pub(super) fn connect(&self) -> Result<Dialogue, NoSession> {
        Dialogue::connect(&self.address, self.patience).map_err(NoSession::Connection)
    }

    /// Opens a session where the test is to be.
    pub(super) fn open(&self) -> Result<Session, NoSession> {
        let no_tls = |failure: TlsFailure| NoSession::NoTls(failure.to_string());
        let mut dialogue = self.connect()?;
        let mut tls = None;
        if self.channel == Channel::Implicit {
            tls = Some(self.handshake(&mut dialogue).map_err(no_tls)?);
        }
        greeted(&mut dialogue)?;
        let mut capabilities = self.hello(&mut dialogue)?;
        if self.channel == Channel::StartTls {
            tls = Some(self.start_tls(&mut dialogue).map_err(no_tls)?);
            capabilities = self.hello(&mut dialogue)?;
        }
        let mut session = Session {
            dialogue,
            capabilities,
            tls,
        };
        if let Some(secret) = &self.secret {
            match login::check(self, &mut session, secret) {
                Login::Accepted { .. } => {}
                other => return Err(NoSession::NoLogin(other.meaning())),
            }
        }
        session.dialogue.take_evidence();
        Ok(session)
    }

    /// Says EHLO, or else HELO; LHLO in LMTP.
    pub(super) fn hello(&self, dialogue: &mut Dialogue) -> Result<Capabilities, NoSession> {
        let name = match &self.options.helo {
            Some(name) => name.to_string(),
            None => dialogue.literal(),
        };
        let verb = if self.options.lmtp { "LHLO" } else { "EHLO" };
        let answer = dialogue.measure(format!("{verb} {name}\r\n").as_bytes());
        let answer = answer.map_err(NoSession::NoAnswer)?;
        if answer.is_positive() {
            return Ok(Capabilities::parse(&answer));
        }
        if self.options.lmtp {
            return Err(NoSession::NoHello(verb, answer));
        }
        let answer = dialogue.measure(format!("HELO {name}\r\n").as_bytes());
        let answer = answer.map_err(NoSession::NoAnswer)?;
        match answer.is_positive() {
            true => Ok(Capabilities::new()),
            false => Err(NoSession::NoHello("EHLO and HELO", answer)),
        }
    }

    /// Says STARTTLS, and does the handshake.
    pub(super) fn start_tls(&self, dialogue: &mut Dialogue) -> Result<TlsInfo, TlsFailure> {
        match dialogue.ask(b"STARTTLS\r\n") {
            Ok(reply) if reply.code().value() == 220 => self.handshake(dialogue),
            Ok(reply) => Err(TlsFailure::Refused(reply)),
            Err(silence) => Err(TlsFailure::Failed(silence.to_string())),
        }
    }

    /// Does the handshake.
    pub(super) fn handshake(&self, dialogue: &mut Dialogue) -> Result<TlsInfo, TlsFailure> {
        // RFC 3207 4.2, CVE-2021-38371: what comes with the 220 belongs to neither channel.
        if dialogue.has_input() {
            return Err(TlsFailure::SaysMore);
        }
        let failed = |error: io::Error| TlsFailure::Failed(error.to_string());
        let connector = match &self.certificates {
            Certificates::Verified(connector) => connector,
            Certificates::Anyones(_) => &self.anyones,
        };
        dialogue.begin_tls(connector).map_err(|error| {
            let cause = error.get_ref().and_then(|it| it.downcast_ref());
            match cause {
                Some(rustls::Error::InvalidCertificate(_)) => {
                    TlsFailure::Certificate(error.to_string())
                }
                _ => failed(error),
            }
        })
    }
}

/// Waits for the greeting, and returns how long it took.
pub(super) fn greeted(dialogue: &mut Dialogue) -> Result<Duration, NoSession> {
    let start = Instant::now();
    let greeting = dialogue.reply().map_err(|silence| {
        let evidence = dialogue.take_evidence();
        let said = evidence.iter().last().map(Said::text);
        let said = said.filter(|_| silence == Silence::Garbled);
        NoSession::NoGreeting(silence, said.map(Into::into))
    })?;
    match greeting.code().value() {
        220 => Ok(start.elapsed()),
        _ => Err(NoSession::Refused(greeting)),
    }
}

impl Session {
    /// Tells whether the server offers an extension.
    pub(super) fn offers(&self, extension: Extension) -> bool {
        self.capabilities.has(extension)
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clear => "in clear",
            Self::StartTls => "after STARTTLS",
            Self::Implicit => "over TLS from the first byte",
        })
    }
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reply) => write!(f, "STARTTLS is refused: {reply}"),
            Self::Certificate(why) => write!(f, "the certificate is not verified: {why}"),
            Self::SaysMore => f.write_str("the server says more before the handshake of TLS"),
            Self::Failed(why) => write!(f, "the handshake of TLS failed: {why}"),
        }
    }
}

impl fmt::Display for NoSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(error) => write!(f, "no connection: {error}"),
            Self::NoGreeting(silence, None) => write!(f, "no greeting: {silence}"),
            Self::NoGreeting(silence, Some(said)) => {
                write!(f, "no greeting: {silence}: \"{said}\"")
            }
            Self::Refused(reply) => write!(f, "the server takes no session: {reply}"),
            Self::NoAnswer(silence) => write!(f, "no answer: {silence}"),
            Self::NoHello(verbs, reply) => write!(f, "no session by {verbs}: {reply}"),
            Self::NoTls(why) | Self::NoLogin(why) => f.write_str(why),
            Self::Options(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for NoSession {}
