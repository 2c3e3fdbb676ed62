//! One session: what there is to know of it. What is done with it stands in the files beside.

use alloc::boxed::Box;
use core::time::Duration;

use super::config::{Config, Settings, Tls};
use super::event::{Event, ResetCause, Ticket, TransactionId};
use super::output::{Account, Output, Receipts};
use super::pipeline::Pipeline;
use super::sequence::{Asked, Place, State, Waits};
use super::tally::Tally;
use super::transaction::{Deliveries, Receiving, Transaction};
use crate::framing::LineReader;
use crate::machine::{Deadline, Error, TlsInfo, Trace};
use crate::syntax::Capabilities;

/// What there is to know of one session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) config: Config,
    pub(super) state: State,
    pub(super) security: Security,
    /// What the handshake came to.
    pub(super) tls: Option<Box<TlsInfo>>,
    pub(super) authentication: Authentication,
    /// A proxy speaks for the client, and has said by XCLIENT who it is.
    pub(super) is_spoken_for: bool,
    /// Whether the client introduced itself by EHLO, so that extensions are at its disposal.
    pub(super) esmtp: bool,
    /// The transaction under way; also one whose MAIL has no verdict yet.
    pub(super) transaction: Option<Transaction>,
    pub(super) next_transaction: u64,
    pub(super) receiving: Receiving,
    /// How many recipients of the transaction that failed last wait for their verdicts.
    pub(super) failed_recipients: usize,
    pub(super) deliveries: Deliveries,
    pub(super) lines: LineReader,
    pub(super) pipeline: Pipeline,
    pub(super) output: Output,
    pub(super) account: Account,
    pub(super) receipts: Receipts,
    pub(super) read_timer: Deadline,
    /// How long the client may still pause within content.
    pub(super) patience: Duration,
    /// What the command waits for that stands first in the caller's buffer.
    pub(super) waits: Waits,
    pub(super) reset_owed: Option<(TransactionId, ResetCause)>,
    /// How many messages have no verdict yet.
    pub(super) undecided: usize,
    pub(super) tally: Tally,
    /// Until when the reply is held back whose turn it is.
    pub(super) held_until: Option<Duration>,
    /// The first ticket, until it is handed out.
    pub(super) greeting: Option<Ticket>,
    pub(super) eof: bool,
    /// The last event, or the error, has been read.
    pub(super) read_to_end: bool,
    /// Whether the transport takes no more bytes.
    pub(super) mute: bool,
    pub(super) ending: Option<Ending>,
    /// Whether the last event was told.
    pub(super) closed: bool,
    pub(super) trace: Option<Box<Trace>>,
    /// How many times the client sent something after it could read something.
    pub(super) round_trips: u64,
    /// How much the client could have read when it sent something last.
    pub(super) readable: u64,
    /// PIPECONNECT is offered and no content has been asked for: the client need not wait for the
    /// greeting, nor for the answer to EHLO.
    pub(super) opening: bool,
}

/// How a session ends that is ending.
#[derive(Debug)]
pub(super) enum Ending {
    Quit,
    Failed(Error),
}

/// Whether bytes go through TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Security {
    Clear,
    /// STARTTLS came: the client must not send anything before the verdict.
    Asked,
    /// The handshake is due once that many bytes of the session are written, of which those after
    /// `kept` ask for it.
    Starting {
        kept: u64,
        end: u64,
    },
    Encrypted,
}

/// Whether the client has proved who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Authentication {
    Missing,
    /// The next line is a response.
    Exchange,
    Done,
}

/// How far one step of reading got.
pub(super) enum Step<'i> {
    Event(Event<'i>),
    /// Something was done that is no event.
    Again,
    /// Nothing can be done with the input as it is.
    Starved,
}

impl Session {
    pub(super) fn new(config: Config, now: Duration) -> Self {
        let account = Account::new(config.settings().write_timeout);
        let trace = config.settings().trace.then(Box::default);
        let mut session = Self {
            config,
            state: State::Ungreeted,
            security: Security::Clear,
            tls: None,
            authentication: Authentication::Missing,
            is_spoken_for: false,
            esmtp: false,
            transaction: None,
            next_transaction: 1,
            receiving: Receiving::Commands,
            failed_recipients: 0,
            deliveries: Deliveries::default(),
            lines: LineReader::default(),
            pipeline: Pipeline::new(),
            output: Output::default(),
            account,
            receipts: Receipts::default(),
            read_timer: Deadline::default(),
            patience: Duration::ZERO,
            waits: Waits::Nothing,
            reset_owed: None,
            undecided: 0,
            tally: Tally::default(),
            held_until: None,
            greeting: None,
            eof: false,
            read_to_end: false,
            mute: false,
            ending: None,
            closed: false,
            trace,
            round_trips: 0,
            readable: 0,
            opening: false,
        };
        if session.settings().tls == Tls::Implicit {
            session.security = Security::Starting { kept: 0, end: 0 };
            session.arm(now);
        } else {
            session.greet(now);
        }
        session.opening = session.capabilities().get("PIPECONNECT").is_some();
        session
    }

    /// Asks for the greeting.
    pub(super) fn greet(&mut self, now: Duration) {
        self.greeting = Some(self.ask(Asked::Greeting, TransactionId(0), Place::Last, now));
    }

    pub(super) fn settings(&self) -> &Settings {
        self.config.settings()
    }

    /// Returns what is offered now.
    pub(super) fn capabilities(&self) -> &Capabilities {
        self.settings()
            .capabilities(self.security == Security::Encrypted)
    }
}
