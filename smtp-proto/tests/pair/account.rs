//! What both sides saw of a session, and whether their accounts agree.

use std::{collections::BTreeMap, fmt};

use smtp_proto::{
    client::{CommandId, Event, MessageId, Outcome},
    delivery::{Report, Reports},
    machine,
    server::Certainty,
};

use crate::{
    scenario::{Aim, Message},
    store::Stored,
};

/// What both sides saw.
#[derive(Default, PartialEq)]
pub(crate) struct Seen {
    /// The server takes fewer messages, or recipients, than there may be.
    pub(crate) is_limited: bool,
    pub(crate) is_lmtp: bool,
    pub(crate) to_server: Vec<u8>,
    pub(crate) to_client: Vec<u8>,
    pub(crate) error: Option<machine::Error>,
    pub(crate) client: Vec<Event<'static>>,
    pub(crate) server: Vec<String>,
    pub(crate) submitted: Vec<(MessageId, Message)>,
    pub(crate) commands: Vec<CommandId>,
    pub(crate) accepted: Vec<Stored>,
}

/// Shows the dialogue, and what came of it, to be read.
impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (side, bytes) in [("client", &self.to_server), ("server", &self.to_client)] {
            for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                writeln!(f, "{side}: {}", line.escape_ascii())?;
            }
        }
        for (id, message) in &self.submitted {
            writeln!(f, "{id:?}: {message:?}")?;
        }
        for event in &self.client {
            writeln!(f, "{event:?}")?;
        }
        for event in &self.server {
            writeln!(f, "server saw {event:?}")?;
        }
        for stored in &self.accepted {
            writeln!(f, "{stored:?}")?;
        }
        write!(f, "{:?}", self.error)
    }
}

impl Seen {
    /// Brings the events into an order that does not depend on when they were fetched: what the
    /// machine decides by itself comes whenever it is asked next.
    pub(crate) fn in_order(mut self) -> Self {
        self.client.sort_by_key(|event| match event {
            Event::RecipientAnswered {
                message, recipient, ..
            }
            | Event::RecipientFinished {
                message, recipient, ..
            } => Some((*message, *recipient)),
            Event::Finished { message, .. } => Some((*message, usize::MAX)),
            _ => None,
        });
        self
    }

    /// Returns the one report on each message.
    fn reports(&self) -> BTreeMap<MessageId, Report> {
        let mut reports = Reports::default();
        for (id, message) in &self.submitted {
            reports.expect(*id, message.recipients.len());
        }
        let mut complete = BTreeMap::new();
        for event in &self.client {
            if let Some(report) = reports.observe(event.clone()) {
                let twice = complete.insert(report.message, report);
                assert_eq!(twice, None, "one outcome each");
            }
        }
        assert_eq!(complete.len(), self.submitted.len(), "an outcome for each");
        complete
    }

    /// Counts the outcomes of recipients: delivered, refused, not sent, in doubt; but for messages that
    /// are not sent because of what the server says to other recipients, or at all.
    pub(crate) fn tally(&self) -> [usize; 4] {
        let mut tally = [0; 4];
        let reports = self.reports();
        let submitted = self.submitted.iter();
        let plain = submitted.filter(|(_, message)| message.aim == Aim::Any);
        for outcome in plain.flat_map(|(id, _)| &reports[id].recipients) {
            tally[match outcome {
                Outcome::Delivered(_) => 0,
                Outcome::Refused(_) => 1,
                Outcome::NotSent(_) => 2,
                Outcome::InDoubt => 3,
            }] += 1;
        }
        tally
    }

    /// Compares what the client says became of each recipient with what the server's store holds.
    pub(crate) fn check(&self) {
        let ended = self.client.iter().filter_map(|event| match event {
            Event::Answered { command, .. } | Event::Unanswered { command } => Some(*command),
            _ => None,
        });
        let ended: Vec<_> = ended.collect();
        assert_eq!(ended, self.commands, "an end for each command, in order");
        let reports = self.reports();
        for (id, message) in &self.submitted {
            let of_message = |stored: &&Stored| stored.content == message.content;
            let copies: Vec<_> = self.accepted.iter().filter(of_message).collect();
            for stored in &copies {
                assert_eq!(stored.sender, format!("<{}>", message.sender));
            }
            let taken = copies.iter().flat_map(|stored| &stored.recipients);
            let taken: Vec<_> = taken.collect();
            let paths = message.recipients.iter().map(|name| format!("<{name}>"));
            let recipients: Vec<_> = paths.zip(&reports[id].recipients).collect();
            match message.aim {
                Aim::Any => {}
                // What LMTP's verdicts are comes after it was sent to all.
                Aim::AllOrNone if self.is_lmtp => {}
                Aim::AllOrNone => assert!([0, recipients.len()].contains(&taken.len())),
                Aim::Verify => assert_eq!(taken.len(), 0),
            }
            for (path, _) in &taken {
                assert!(recipients.iter().any(|(known, _)| known == *path), "{path}");
            }
            for (path, outcome) in &recipients {
                let mut of_recipient = taken.iter().filter(|(name, _)| *name == path);
                let known = of_recipient.next().map(|(_, certainty)| **certainty);
                assert_eq!(of_recipient.next(), None, "served once");
                match outcome {
                    Outcome::Delivered(_) => assert!(known.is_some(), "delivered is accepted"),
                    Outcome::Refused(_) | Outcome::NotSent(_) => {
                        assert_eq!(known, None, "{path} of {id:?}: {outcome:?}");
                    }
                    Outcome::InDoubt => {
                        let is_confirmed = known.flatten() >= Some(Certainty::Confirmed);
                        assert!(!is_confirmed, "what is confirmed is known to the client");
                    }
                }
            }
        }
    }
}
