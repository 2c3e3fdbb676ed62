//! The application behind the server: takes or refuses as the addresses and contents say, and
//! remembers what it took.

use std::collections::BTreeMap;

use smtp_proto::{
    server::{Certainty, Event, Server, Ticket, TransactionId},
    syntax::Reply,
};

/// What the application did with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) recipients: Vec<String>,
    pub(crate) sender: String,
    pub(crate) content: Vec<u8>,
    pub(crate) certainty: Option<Certainty>,
}

#[derive(Default)]
pub(crate) struct Store {
    open: BTreeMap<TransactionId, Stored>,
    pub(crate) accepted: BTreeMap<TransactionId, Stored>,
    /// Verdicts that are decided and not given.
    verdicts: Vec<(Ticket, Option<&'static str>)>,
    pub(crate) seen: Vec<String>,
}

impl Store {
    pub(crate) fn on_event(&mut self, event: Event<'_>) {
        if !matches!(event, Event::Content { .. }) {
            let text = format!("{event:?}");
            // Tickets carry a number that is different in each run.
            self.seen
                .push(text.split("Ticket").next().unwrap_or_default().to_owned());
        }
        let refuse = |bad: bool, reply| if bad { Some(reply) } else { None };
        match event {
            Event::Connected { ticket }
            | Event::Hello { ticket, .. }
            | Event::Data { ticket, .. } => {
                self.verdicts.push((ticket, None));
            }
            Event::Mail {
                ticket,
                transaction,
                from,
                ..
            } => {
                let sender = from.to_string();
                let bad = sender.contains("bad");
                let stored = Stored {
                    recipients: vec![],
                    sender,
                    content: vec![],
                    certainty: None,
                };
                self.open.insert(transaction, stored);
                self.verdicts
                    .push((ticket, refuse(bad, "550 5.1.8 bad sender\r\n")));
            }
            Event::Rcpt {
                ticket,
                transaction,
                to,
                ..
            } => {
                let to = to.to_string();
                let bad = to.contains("bad");
                if !bad && let Some(open) = self.open.get_mut(&transaction) {
                    open.recipients.push(to);
                }
                self.verdicts
                    .push((ticket, refuse(bad, "451 4.2.1 bad recipient\r\n")));
            }
            Event::Content {
                transaction,
                octets,
            } => {
                self.open
                    .get_mut(&transaction)
                    .unwrap()
                    .content
                    .extend_from_slice(octets);
            }
            Event::Message {
                ticket,
                transaction,
                octets,
            } => {
                let stored = self.open.remove(&transaction).unwrap();
                assert_eq!(stored.content.len() as u64, octets);
                let bad = stored.content.windows(7).any(|seven| seven == b"X-Bad: ");
                if !bad {
                    let twice = self.accepted.insert(transaction, stored);
                    assert_eq!(twice, None, "a message is accepted once");
                }
                self.verdicts
                    .push((ticket, refuse(bad, "554 5.6.0 bad content\r\n")));
            }
            Event::Reset { transaction, .. } => {
                self.open.remove(&transaction);
            }
            Event::Acknowledged {
                transaction,
                certainty,
            } => {
                let stored = self.accepted.get_mut(&transaction).unwrap();
                assert_eq!(
                    stored.certainty.replace(certainty),
                    None,
                    "acknowledged once"
                );
            }
            _ => {}
        }
    }

    /// Gives the verdicts that are due, in an order that `pick` chooses.
    pub(crate) fn decide(
        &mut self,
        server: &mut Server,
        mut pick: impl FnMut(usize) -> usize,
    ) -> bool {
        let any = !self.verdicts.is_empty();
        while !self.verdicts.is_empty() {
            let (ticket, refusal) = self.verdicts.swap_remove(pick(self.verdicts.len()));
            let answered = match refusal {
                None => server.accept(ticket),
                Some(reply) => server.reply(ticket, Reply::parse(reply.as_bytes()).unwrap()),
            };
            answered.unwrap();
        }
        any
    }

    /// The server's machine is gone, with all that it had not answered.
    pub(crate) fn forget(&mut self) {
        self.verdicts.clear();
    }
}
