//! What a server writes ahead of a message that it takes.

use core::fmt::{self, Write as _};
use core::net::IpAddr;

use super::envelope::Envelope;
use super::session::Session;
use super::state::State;
use crate::machine::Dialect;
use crate::server::Config;
use crate::syntax::{ForwardPath, Host, write_header_date};

/// The `Received` field that a server writes ahead of each message it takes (RFC 5321 4.4): from
/// whom, by whom, by which protocol and when, as what the session knows has it.
///
/// It is written with its last CR LF, folded, in UTC. A recipient is named only if there is no other:
/// nobody is to learn of a blind copy (RFC 5321 7.2). A server that makes the final delivery writes
/// `Return-Path: ` and the [sender's path](super::Sender::path) ahead of it.
///
/// ```text
/// Received: from client.example ([192.0.2.1])
///     by mx.example.net with ESMTPSA id 17.3
///     for <bob@example.net> tls 0x1301;
///     Fri, 27 Nov 2026 15:48:54 +0000
/// ```
#[derive(Clone, Debug)]
pub struct Received<'a> {
    peer: Option<IpAddr>,
    name: Option<&'a Host<'static>>,
    by: &'a Host<'static>,
    with: With,
    id: Option<&'a str>,
    recipient: Option<&'a ForwardPath<'static>>,
    cipher_suite: u16,
    seconds: u64,
}

/// What the keyword of the protocol says (RFC 3848, RFC 6531 4.3).
#[derive(Clone, Copy, Debug)]
struct With {
    dialect: Dialect,
    is_extended: bool,
    is_utf8: bool,
    is_secured: bool,
    is_authenticated: bool,
}

impl<'a> Received<'a> {
    /// Makes the field for a message that a server of this configuration takes so many seconds after
    /// 1970-01-01T00:00:00Z.
    pub fn new<S: State>(
        config: &'a Config,
        session: &'a Session<S>,
        envelope: &'a Envelope<S>,
        seconds: u64,
    ) -> Self {
        let is_utf8 = envelope.sender.parameters.smtp_utf8;
        let recipient = match envelope.recipients.as_slice() {
            [only] => Some(&only.recipient.path),
            _ => None,
        };
        Self {
            peer: session.peer().map(|peer| peer.ip().to_canonical()),
            name: session.hello().map(|hello| &hello.name),
            by: config.hostname(),
            with: With {
                dialect: config.spoken(),
                is_extended: session.hello().is_some_and(|hello| hello.is_esmtp),
                is_utf8,
                is_secured: session.tls().is_some(),
                is_authenticated: session.identity().is_some(),
            },
            id: None,
            recipient: recipient.filter(|path| is_utf8 || path.is_ascii()),
            cipher_suite: session.tls().map_or(0, |tls| tls.cipher_suite),
            seconds,
        }
    }

    /// Adds what the server calls the message. One that is no dot-atom (RFC 5322 3.2.3) is left out.
    #[must_use]
    pub fn id(mut self, id: &'a str) -> Self {
        let is_atext =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
        let is_atom = |atom: &str| !atom.is_empty() && atom.bytes().all(is_atext);
        self.id = Some(id).filter(|id| id.split('.').all(is_atom));
        self
    }
}

impl fmt::Display for Received<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let introduced = self.name.filter(|name| name.conforms());
        f.write_str("Received: from ")?;
        match (introduced, self.peer) {
            (Some(name), Some(peer)) => write!(f, "{name} ({})", Literal(peer))?,
            (Some(name), None) => write!(f, "{name}")?,
            (None, Some(peer)) => write!(f, "{0} ({0})", Literal(peer))?,
            // Without an address it is a client on this machine.
            (None, None) => f.write_str("localhost")?,
        }
        if let (None, Some(name)) = (introduced, self.name) {
            write!(f, " ({})", Comment(name.as_str()))?;
        }
        write!(f, "\r\n\tby {} with {}", self.by, self.with)?;
        if let Some(id) = self.id {
            write!(f, " id {id}")?;
        }
        let mut separator = "\r\n\t";
        if let Some(recipient) = self.recipient {
            write!(f, "{separator}for {recipient}")?;
            separator = " ";
        }
        if self.cipher_suite != 0 {
            // RFC 8314 4.3
            write!(f, "{separator}tls {:#06x}", self.cipher_suite)?;
        }
        f.write_str(";\r\n\t")?;
        write_header_date(self.seconds, f)?;
        f.write_str("\r\n")
    }
}

impl fmt::Display for With {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_extended = self.is_extended || self.is_secured || self.is_authenticated;
        f.write_str(match (self.dialect, self.is_utf8) {
            (Dialect::Lmtp, true) => "UTF8LMTP",
            (Dialect::Lmtp, false) => "LMTP",
            (Dialect::Smtp, true) => "UTF8SMTP",
            (Dialect::Smtp, false) if is_extended => "ESMTP",
            (Dialect::Smtp, false) => "SMTP",
        })?;
        if self.is_secured {
            f.write_char('S')?;
        }
        if self.is_authenticated {
            f.write_char('A')?;
        }
        Ok(())
    }
}

/// An address as RFC 5321 4.1.3 has it.
struct Literal(IpAddr);

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => Host::from(address).fmt(f),
            IpAddr::V6(address) => Host::from(address).fmt(f),
        }
    }
}

/// What a client says, as the text of a comment (RFC 5322 3.2.2).
struct Comment<'a>(&'a str);

impl fmt::Display for Comment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '(' | ')' | '\\' => write!(f, "\\{character}")?,
                ' '..='~' => f.write_char(character)?,
                _ => f.write_char('?')?,
            }
        }
        Ok(())
    }
}
