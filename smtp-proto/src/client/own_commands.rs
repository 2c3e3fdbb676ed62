//! Commands that the application has sent between messages: which ones, when, and their answers.

use alloc::{collections::VecDeque, vec::Vec};

use super::{
    event::{CommandId, Event},
    transaction::TransactionId,
};
use crate::{
    machine::{Misuse, limits},
    syntax::{Argument, Capabilities, Command, Extension, ForwardingCommand, Reply},
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
    /// Queues a command that goes before that transaction, to a server with these capabilities.
    pub(super) fn submit(
        &mut self,
        command: &Command<'_>,
        before: TransactionId,
        offered: &Capabilities,
    ) -> Result<CommandId, Misuse> {
        if self.queue.len() >= limits::QUEUED_COMMANDS {
            return Err(Misuse::QueueFull);
        }
        let mut line = Vec::new();
        command.write_to(&mut line);
        if line.len() > limits::OWN_COMMAND {
            return Err(Misuse::CommandTooLong);
        }
        let missing = |extension: &Extension| !offered.has(*extension);
        if needs(command, &line)?.iter().flatten().any(missing) {
            return Err(Misuse::NotOffered);
        }
        let id = CommandId(self.given);
        self.given = self.given.saturating_add(1);
        self.queue.push_back(Queued { id, before, line });
        Ok(id)
    }

    /// Returns the first transaction that the next command goes before, if there is a command.
    pub(super) fn goes_before(&self) -> Option<TransactionId> {
        self.queue.front().map(|first| first.before)
    }

    /// Returns the line that is to be sent next.
    pub(super) fn line(&self) -> &[u8] {
        self.queue.front().map_or(&[], |first| &first.line)
    }

    /// Takes note that the line was rendered.
    pub(super) fn sent(&mut self) {
        self.asked = self.queue.pop_front().map(|first| first.id);
    }

    /// Makes the event of a reply.
    pub(super) fn answer<'i>(&mut self, reply: Reply<'i>) -> Option<Event<'i>> {
        let command = self.asked.take()?;
        Some(Event::Answered { command, reply })
    }

    /// Takes a command that will not be answered any more.
    pub(super) fn next_unanswered(&mut self) -> Option<Event<'static>> {
        let queue = &mut self.queue;
        let command = self
            .asked
            .take()
            .or_else(|| queue.pop_front().map(|first| first.id))?;
        Some(Event::Unanswered { command })
    }

    pub(super) fn shrink(&mut self) {
        self.queue.shrink_to_fit();
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
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
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
