//! Commands that the application has sent between messages.

use alloc::{collections::VecDeque, vec::Vec};

use super::{
    event::{CommandId, Event},
    session::{Phase, Session},
    transaction::{Stage, TransactionId},
};
use crate::{
    machine::{Misuse, limits},
    syntax::{Argument, Command, Extension, ForwardingCommand, Reply},
};

/// Commands of the application's that are not answered.
#[derive(Debug, Default)]
pub(super) struct OwnCommands {
    /// Those that were not sent.
    queue: VecDeque<Queued>,
    /// The one whose reply is awaited: each ends its group.
    asked: Option<CommandId>,
    /// How many there were.
    given: u64,
}

#[derive(Debug)]
struct Queued {
    id: CommandId,
    /// The first transaction that it goes before.
    before: TransactionId,
    line: Vec<u8>,
}

impl OwnCommands {
    /// Returns the line that is to be sent next.
    pub(super) fn line(&self) -> &[u8] {
        self.queue.front().map_or(&[], |first| &first.line)
    }

    /// Takes note that the line was rendered.
    pub(super) fn rendered(&mut self) {
        self.asked = self.queue.pop_front().map(|first| first.id);
    }

    /// Makes the event of a reply.
    pub(super) fn answer<'i>(&mut self, reply: Reply<'i>) -> Option<Event<'i>> {
        let command = self.asked.take()?;
        Some(Event::Answered { command, reply })
    }

    /// Takes a command that will not be answered any more.
    pub(super) fn next_unanswered(&mut self) -> Option<CommandId> {
        let queue = &mut self.queue;
        self.asked
            .take()
            .or_else(|| queue.pop_front().map(|first| first.id))
    }

    pub(super) fn shrink(&mut self) {
        self.queue.shrink_to_fit();
    }
}

impl Session {
    pub(super) fn command(&mut self, command: &Command<'_>) -> Result<CommandId, Misuse> {
        if self.is_ending() {
            return Err(Misuse::Ending);
        }
        if self.phase != Phase::Ready || self.early {
            return Err(Misuse::NotOpen);
        }
        if self.own_commands.queue.len() >= limits::QUEUED_COMMANDS {
            return Err(Misuse::QueueFull);
        }
        let mut line = Vec::new();
        command.write_to(&mut line);
        if line.len() > limits::OWN_COMMAND {
            return Err(Misuse::CommandTooLong);
        }
        let missing = |extension: &Extension| !self.capabilities.has(*extension);
        if needs(command, &line)?.iter().flatten().any(missing) {
            return Err(Misuse::NotOffered);
        }
        let own = &mut self.own_commands;
        let id = CommandId(own.given);
        own.given += 1;
        own.queue.push_back(Queued {
            id,
            before: self.transactions.ids().end,
            line,
        });
        Ok(id)
    }

    /// Tells whether a command of the application's is to be sent before anything of the transaction
    /// that is next, if there is one.
    pub(super) fn is_own_command_due(&self, next: Option<(TransactionId, Stage)>) -> bool {
        self.own_commands.queue.front().is_some_and(|first| {
            next.is_none_or(|(id, stage)| stage == Stage::Waiting && first.before <= id)
        })
    }
}

/// Returns which extensions a server has to offer for a command, if it is the application's to send.
fn needs(command: &Command<'_>, line: &[u8]) -> Result<[Option<Extension>; 2], Misuse> {
    // 6531-3.7.4-c
    let is_flagged = |argument: &Argument<'_>| {
        let last = argument.rsplit(' ').next().unwrap_or_default();
        last.eq_ignore_ascii_case(Extension::SmtpUtf8.keyword())
    };
    let utf8 = Some(Extension::SmtpUtf8);
    let text = utf8.filter(|_| !line.is_ascii());
    Ok(match command {
        Command::Noop | Command::Help(_) => [text, None],
        Command::Vrfy(name) | Command::Expn(name) => [text, utf8.filter(|_| is_flagged(name))],
        Command::Etrn(_) => [Some(Extension::Etrn), None],
        Command::Forwarding(attributes) if attributes.command() == ForwardingCommand::XForward => {
            [Some(Extension::XForward), None]
        }
        // Nothing that is the machine's own to send hides behind another's name (INJ-1).
        Command::Other { verb, .. }
            if verb
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
                && matches!(
                    Command::parse(line.trim_ascii_end()),
                    Ok(Command::Other { .. })
                ) =>
        {
            [text, None]
        }
        _ => return Err(Misuse::ReservedCommand),
    })
}
