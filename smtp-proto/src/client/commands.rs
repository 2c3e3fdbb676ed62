//! Commands: which comes next, whether it may be sent now, and how it is written.

use alloc::vec::Vec;

use super::{
    event::NotSentReason,
    pipeline::Expected,
    rules::{Level, Verb},
    session::{Phase, Session},
    transaction::{Stage, Transaction, TransactionId},
};
use crate::{
    machine::{Origin, limits},
    syntax::{Code, Extension, Reply},
};

/// What is to be sent next.
#[derive(Clone, Copy, Debug)]
enum Step {
    Session(Verb),
    Own,
    Reset,
    Mail(TransactionId),
    Recipient(TransactionId, usize),
    Data(TransactionId),
    LoneDot(TransactionId),
}

impl Session {
    /// Renders every command that may be sent now.
    pub(super) fn render(&mut self, control: &mut Vec<u8>) {
        while control.len().saturating_sub(self.wire.sent) < limits::RENDERED_BYTES
            && let Some(step) = self.next_step()
        {
            let start = control.len();
            self.write(step, control);
            let bytes = control.len().saturating_sub(start);
            if !self.pipeline.has_room(self.config.duplex, bytes) {
                control.truncate(start);
                return;
            }
            self.trace_from(start, control);
            self.commit(step, control.len(), bytes);
        }
    }

    /// Returns what is to be sent next, if it may be sent now.
    fn next_step(&mut self) -> Option<Step> {
        let blocked = self.wire.content.as_ref().is_some_and(|open| !open.offered);
        if blocked || self.is_over() || self.write_failed || self.abandoned {
            return None;
        }
        let early = self.is_early() && self.pipeline.is_opening();
        if !early && !self.pipeline.may_send(self.level) {
            return None;
        }
        match self.phase {
            Phase::Connected if early => return Some(Step::Session(Verb::Ehlo)),
            Phase::Due(verb) => return Some(Step::Session(verb)),
            Phase::Ready => {}
            Phase::Connected | Phase::Asked | Phase::Handshake | Phase::Leaving | Phase::Closed => {
                return None;
            }
        }
        loop {
            let next = self.transactions.advance();
            let next = next.map(|(id, transaction)| (id, transaction.stage));
            if self.is_own_command_due(next) {
                // What may be left of a transaction is ended first: ETRN must not be in one.
                return Some(match self.reset_due {
                    true => Step::Reset,
                    false => Step::Own,
                });
            }
            let Some((id, transaction)) = self.transactions.advance() else {
                let quits = self.quitting && !self.transactions.may_be_deferred();
                return quits.then_some(Step::Session(Verb::Quit));
            };
            let (stage, recipients) = (transaction.stage, transaction.recipients());
            let (presentable, binary) = (transaction.is_presentable, transaction.is_binary());
            return match stage {
                // Nothing is begun that could not be completed.
                Stage::Waiting if !presentable => None,
                // A transaction that was not ended by a 2yz already read may have left its sender
                // after, for whom the next message would be taken (measured with Exim).
                Stage::Waiting if self.reset_due => Some(Step::Reset),
                Stage::Waiting if self.admits_domains(id) => Some(Step::Mail(id)),
                Stage::Waiting => {
                    self.abandon(id, NotSentReason::LimitReached);
                    continue;
                }
                Stage::Recipients(sent) if sent < recipients => Some(Step::Recipient(id, sent)),
                Stage::Recipients(_) if self.level < Level::Stream && !binary => {
                    Some(Step::Data(id))
                }
                Stage::LoneDot => Some(Step::LoneDot(id)),
                Stage::Recipients(_)
                | Stage::Data
                | Stage::Content
                | Stage::Chunks
                | Stage::Over => None,
            };
        }
    }

    fn write(&self, step: Step, out: &mut Vec<u8>) {
        let command = |out: &mut Vec<u8>, parts: &[&[u8]]| {
            parts.iter().for_each(|part| out.extend_from_slice(part));
            out.extend_from_slice(b"\r\n");
        };
        let name = self.config.name.as_str().as_bytes();
        match step {
            Step::Session(Verb::Ehlo) => command(out, &[b"EHLO ", name]),
            Step::Session(Verb::Helo) => command(out, &[b"HELO ", name]),
            Step::Session(Verb::Lhlo) => command(out, &[b"LHLO ", name]),
            Step::Session(Verb::StartTls) => command(out, &[b"STARTTLS"]),
            Step::Session(Verb::Auth | Verb::AuthResponse) => self.write_auth(out),
            Step::Session(_) => command(out, &[b"QUIT"]),
            Step::Own => out.extend_from_slice(self.own_commands.line()),
            Step::Reset => command(out, &[b"RSET"]),
            Step::Mail(id) => {
                if let Some(transaction) = self.transactions.get(id) {
                    out.extend_from_slice(b"MAIL FROM:");
                    out.extend_from_slice(transaction.sender());
                    self.write_parameters(transaction, out);
                    out.extend_from_slice(b"\r\n");
                }
            }
            Step::Recipient(id, index) => {
                if let Some(transaction) = self.transactions.get(id) {
                    out.extend_from_slice(b"RCPT TO:");
                    out.extend_from_slice(transaction.recipient(index));
                    if let Some(given) = transaction.parameters_of(index) {
                        given.write_to(out);
                    }
                    out.extend_from_slice(b"\r\n");
                }
            }
            Step::Data(_) => command(out, &[b"DATA"]),
            Step::LoneDot(_) => command(out, &[b"."]),
        }
    }

    /// Writes the parameters of MAIL, each only where it was offered (RFC 5321 4.1.1.3).
    fn write_parameters(&self, transaction: &Transaction, out: &mut Vec<u8>) {
        if let Some(size) = transaction.size
            && self.capabilities.has(Extension::Size)
        {
            out.extend_from_slice(b" SIZE=");
            write_decimal(size, out);
        }
        // BINARYMIME is only asked for where it is offered, which has been checked.
        if let Some(body) = transaction.body
            && (transaction.is_binary() || self.capabilities.has(Extension::EightBitMime))
        {
            out.extend_from_slice(b" BODY=");
            out.extend_from_slice(body.as_str().as_bytes());
        }
        if transaction.internationalized {
            out.extend_from_slice(b" SMTPUTF8");
        }
        if let Some(given) = &transaction.parameters {
            given.write_to(out);
        }
    }

    /// Accounts for a step that was rendered; its reply is expected from now on.
    fn commit(&mut self, step: Step, len: usize, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let end = self.wire.base + len as u64;
        let of = |transaction, verb| Expected {
            transaction,
            ..Expected::session(verb, end, bytes)
        };
        let (expected, id, stage) = match step {
            Step::Session(verb) => {
                self.wire.secret |= matches!(verb, Verb::Auth | Verb::AuthResponse);
                let early = self.phase == Phase::Connected;
                self.phase = if verb == Verb::Quit {
                    Phase::Leaving
                } else {
                    Phase::Asked
                };
                self.pipeline.push(Expected::session(verb, end, bytes));
                if early {
                    self.open_early();
                }
                return;
            }
            Step::Own => {
                self.own_commands.rendered();
                self.pipeline.push(Expected::session(Verb::Own, end, bytes));
                return;
            }
            Step::Reset => {
                self.reset_due = false;
                self.pipeline
                    .push(Expected::session(Verb::Reset, end, bytes));
                return;
            }
            Step::Mail(id) => {
                self.reset_due = true;
                self.begun = id;
                (of(id, Verb::Mail), id, Stage::Recipients(0))
            }
            Step::Recipient(id, index) => {
                let expected = Expected {
                    recipient: u32::try_from(index).unwrap_or(u32::MAX),
                    ..of(id, Verb::Recipient)
                };
                (expected, id, Stage::Recipients(index + 1))
            }
            Step::Data(id) => (of(id, Verb::Data), id, Stage::Data),
            Step::LoneDot(id) => (of(id, Verb::LoneDot), id, Stage::Over),
        };
        self.pipeline.push(expected);
        if let Some(transaction) = self.transactions.get_mut(id) {
            transaction.pending += 1;
            transaction.stage = stage;
        }
        if expected.verb == Verb::Mail {
            self.count_mail();
        }
    }

    /// Keeps a trace of what was rendered from `start` on; of AUTH, only that it was.
    pub(super) fn trace_from(&mut self, start: usize, control: &[u8]) {
        if let Some(trace) = &mut self.trace {
            let lines: &[u8] = match self.phase {
                Phase::Due(Verb::Auth) => b"AUTH ...\r\n",
                Phase::Due(Verb::AuthResponse) => b"...\r\n",
                _ => control.get(start..).unwrap_or_default(),
            };
            trace.lines(Origin::Local, self.pipeline.round_trips(), lines);
        }
    }

    /// Keeps a trace of a reply; of a challenge, only that it came.
    pub(super) fn trace_reply(&mut self, reply: &Reply<'_>) {
        if let Some(trace) = &mut self.trace {
            let lines: &[u8] = match reply.code() {
                Code::CHALLENGE => b"334 ...\r\n",
                _ => reply.as_bytes(),
            };
            trace.lines(Origin::Remote, self.pipeline.round_trips(), lines);
        }
    }
}

/// Appends a number in decimal digits.
pub(super) fn write_decimal(mut number: u64, out: &mut Vec<u8>) {
    let start = out.len();
    loop {
        out.push(b'0' + (number % 10) as u8);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    if let Some(digits) = out.get_mut(start..) {
        digits.reverse();
    }
}
