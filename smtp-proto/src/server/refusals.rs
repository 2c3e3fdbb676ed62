//! What the machine refuses by itself.

use super::event::Event;
use super::pipeline::Answer;
use super::sequence::{self, Admission, Place, State};
use super::session::{Session, Step};
use super::transaction::Transaction;
use super::{replies, sasl};
use crate::machine::{Dialect, Fault, ForeignProtocol};
use crate::syntax::{CommandError, CommandErrorKind, Reply, Verb};

impl Session {
    /// Answers a line that is no command, or none of the form that its verb demands.
    pub(super) fn malformed<'i>(&mut self, error: CommandError, line: &'i [u8]) -> Step<'i> {
        let dialect = self.settings().dialect;
        let rule = |verb| Some((verb, sequence::rule(verb, dialect)?));
        let Some((verb, rule)) = error.verb().and_then(rule) else {
            return self.unrecognised(line);
        };
        self.tally.understood = true;
        let reply = match verb {
            _ if self.state == State::TurnedAway => &replies::TURNED_AWAY,
            _ if !self.is_offered(verb) => &replies::NOT_IMPLEMENTED,
            _ => match error.kind() {
                // 5321-4.1.1.11-a
                CommandErrorKind::Parameter(Some(name)) if !self.offers().has(name) => {
                    &replies::NOT_OFFERED
                }
                CommandErrorKind::Address if verb == Verb::Mail => &replies::BAD_SENDER,
                CommandErrorKind::Address => &replies::BAD_RECIPIENT,
                CommandErrorKind::ChunkSize => &replies::BAD_CHUNK_SIZE,
                _ => &replies::BAD_ARGUMENT,
            },
        };
        if verb == Verb::Mail {
            self.tally.pardon(self.config.settings());
        }
        let step = self.reject(reply, line, rule.place);
        if error.kind() == CommandErrorKind::ChunkSize && self.is_offered(verb) {
            // BDT-1: commands cannot be told from content any more.
            self.fail(Fault::MalformedChunk, line);
        }
        step
    }

    pub(super) fn unrecognised<'i>(&mut self, line: &'i [u8]) -> Step<'i> {
        if self.state == State::TurnedAway {
            return self.reject(&replies::TURNED_AWAY, line, Place::Any);
        }
        if !self.tally.understood
            && let Some(protocol) = foreign(line)
        {
            return self.refuse_foreign(protocol, line, line);
        }
        let verb = line.split(|byte| *byte == b' ').next();
        let verb = verb.and_then(|verb| core::str::from_utf8(verb).ok());
        if verb.is_some_and(|verb| self.settings().additions.has_command(verb)) {
            return self.reject(&replies::BAD_ARGUMENT, line, Place::Last);
        }
        self.reject(&replies::UNRECOGNISED, line, Place::Any)
    }

    /// Takes leave of a client that speaks another protocol, of which `bytes` are an example.
    pub(super) fn refuse_foreign<'i>(
        &mut self,
        protocol: ForeignProtocol,
        line: &'i [u8],
        bytes: &[u8],
    ) -> Step<'i> {
        let step = self.reject(&replies::NOT_SMTP, line, Place::Any);
        self.fail(Fault::ForeignProtocol(protocol), bytes);
        step
    }

    /// Answers a command that is not in its place, the application's own if it has no `verb`.
    pub(super) fn turn_down<'i>(
        &mut self,
        verb: Option<Verb>,
        admission: Admission,
        place: Place,
        line: &'i [u8],
    ) -> Step<'i> {
        let reply = self.refusal_of(admission);
        let needs = matches!(
            admission,
            Admission::NeedsTls | Admission::NeedsAuthentication
        );
        if needs && verb == Some(Verb::Mail) {
            self.tally.pardon(self.config.settings());
            return self.reject(reply, line, place);
        }
        if admission == Admission::Breaks {
            self.fail_transaction();
        }
        self.answer(Answer::Fixed(reply), place);
        self.count_misplaced();
        Step::Event(Event::Rejected {
            code: reply.code(),
            line: sasl::without_secret(line),
        })
    }

    pub(super) fn refusal_of(&self, admission: Admission) -> &'static Reply<'static> {
        let named = |it: &Transaction| it.recipients_named > 0;
        match admission {
            _ if self.state == State::TurnedAway => &replies::TURNED_AWAY,
            Admission::NotImplemented => &replies::NOT_IMPLEMENTED,
            Admission::NeedsTls => &replies::TLS_REQUIRED,
            Admission::NeedsAuthentication => &replies::AUTHENTICATION_REQUIRED,
            // 2033-4.2-a
            Admission::NoRecipients if self.settings().dialect == Dialect::Lmtp => {
                &replies::OUT_OF_PLACE
            }
            Admission::NoRecipients if self.transaction.as_ref().is_some_and(named) => {
                &replies::NO_VALID_RECIPIENTS
            }
            _ => &replies::OUT_OF_PLACE,
        }
    }

    pub(super) fn reject<'i>(
        &mut self,
        reply: &'static Reply<'static>,
        line: &'i [u8],
        place: Place,
    ) -> Step<'i> {
        self.answer(Answer::Fixed(reply), place);
        self.count_error();
        Step::Event(Event::Rejected {
            code: reply.code(),
            line: sasl::without_secret(line),
        })
    }
}

/// Tells which other protocol a line belongs to, the first that a client sends (CMD-4; Postfix's
/// `smtpd_forbidden_commands`).
fn foreign(line: &[u8]) -> Option<ForeignProtocol> {
    const METHODS: [&[u8]; 8] = [
        b"GET ",
        b"POST ",
        b"PUT ",
        b"HEAD ",
        b"DELETE ",
        b"CONNECT ",
        b"OPTIONS ",
        // HTTP/2 begins so.
        b"PRI ",
    ];
    if METHODS.iter().any(|method| line.starts_with(method)) {
        Some(ForeignProtocol::Http)
    } else if line.first().is_some_and(|byte| !byte.is_ascii_alphabetic()) {
        Some(ForeignProtocol::Unknown)
    } else {
        None
    }
}

/// Tells whether bytes, the first that a client sends, are TLS's: a record of a handshake. No line
/// end can be waited for then.
pub(super) fn is_tls(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x16)
}
