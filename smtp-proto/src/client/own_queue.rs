//! The commands of the application's that are not answered, in order.

use alloc::{collections::VecDeque, vec::Vec};

use super::{
    event::{CommandId, Event},
    transaction::TransactionId,
};
use crate::{machine::limits, syntax::Reply};

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
    pub(super) fn is_full(&self) -> bool {
        self.queue.len() >= limits::QUEUED_COMMANDS
    }

    /// Adds a line that goes before that transaction.
    pub(super) fn push(&mut self, before: TransactionId, line: Vec<u8>) -> CommandId {
        let id = CommandId(self.given);
        self.given += 1;
        self.queue.push_back(Queued { id, before, line });
        id
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
