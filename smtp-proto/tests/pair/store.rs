//! The application after the server: takes or refuses as the addresses and contents say, and
//! remembers what it took.

use std::collections::BTreeMap;

use smtp_proto::{
    server::{Certainty, Event, Server, Ticket, TransactionId},
    syntax::Reply,
};

use crate::random::Random;

/// What the application took of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) sender: String,
    pub(crate) content: Vec<u8>,
    /// For whom it was taken, and how sure it is that the client knows.
    pub(crate) recipients: BTreeMap<String, Option<Certainty>>,
}

/// What an application says that does not want something.
const REFUSALS: [&str; 5] = [
    "421 4.3.2 closing\r\n",
    "451 4.3.0 later\r\n",
    "452 4.5.3 too many\r\n",
    "550 5.7.1 never\r\n",
    "552 5.3.4 too big\r\n",
];

fn reply(refusal: &str) -> Reply<'_> {
    Reply::parse(refusal.as_bytes()).unwrap()
}

/// A transaction that is under way, or whose verdicts are.
#[derive(Clone)]
struct Open {
    sender: String,
    recipients: Vec<String>,
    content: Vec<u8>,
}

/// A verdict that is decided and not given.
struct Verdict {
    ticket: Ticket,
    refusal: Option<&'static str>,
    /// What is stored if the machine takes the verdict: a transaction for some recipients.
    stores: Option<(TransactionId, Vec<usize>)>,
}

pub(crate) struct Store {
    most_recipients: usize,
    /// Some verdicts take their time, some refuse what might be taken, or end the session, and some
    /// contents are refused before their end.
    is_restless: bool,
    open: BTreeMap<TransactionId, Open>,
    pub(crate) accepted: BTreeMap<TransactionId, Stored>,
    verdicts: Vec<Verdict>,
    pub(crate) seen: Vec<String>,
}

impl Store {
    pub(crate) fn new(most_recipients: usize, is_restless: bool) -> Self {
        Self {
            most_recipients,
            is_restless,
            open: BTreeMap::new(),
            accepted: BTreeMap::new(),
            verdicts: Vec::new(),
            seen: Vec::new(),
        }
    }

    pub(crate) fn on_event(&mut self, event: Event<'_>, random: &mut Random) {
        if !matches!(event, Event::Content { .. }) {
            let text = format!("{event:?}");
            // Tickets carry a number that is different in each run.
            self.seen
                .push(text.split("Ticket").next().unwrap_or_default().to_owned());
        }
        match event {
            Event::Connected { ticket } | Event::Hello { ticket, .. } => {
                self.decided(ticket, None, None);
            }
            Event::Data { ticket, .. } => {
                let refusal = self.whim(random);
                self.decided(ticket, refusal, None);
            }
            Event::Mail {
                ticket,
                transaction,
                from,
                ..
            } => {
                let sender = from.to_string();
                let refusal = match sender.contains("bad") {
                    true => Some("550 5.1.8 bad sender\r\n"),
                    false => self.whim(random),
                };
                let open = Open {
                    sender,
                    recipients: vec![],
                    content: vec![],
                };
                self.open.insert(transaction, open);
                self.decided(ticket, refusal, None);
            }
            Event::Rcpt {
                ticket,
                transaction,
                to,
                ..
            } => {
                let whim = self.whim(random);
                let open = self.open.get_mut(&transaction).unwrap();
                let to = to.to_string();
                let refusal = if to.contains("bad") {
                    Some("451 4.2.1 bad recipient\r\n")
                } else if open.recipients.len() >= self.most_recipients {
                    Some("452 4.5.3 too many recipients\r\n")
                } else {
                    whim
                };
                if refusal.is_none() {
                    open.recipients.push(to);
                }
                self.decided(ticket, refusal, None);
            }
            Event::Content { transaction, bytes } => {
                let open = self.open.get_mut(&transaction).unwrap();
                open.content.extend_from_slice(bytes);
            }
            Event::Message {
                ticket,
                transaction,
                bytes,
            } => {
                let recipients = 0..self.open[&transaction].recipients.len();
                let whim = self.whim(random);
                self.on_message(ticket, transaction, bytes, recipients.collect(), whim);
            }
            Event::Delivery {
                ticket,
                transaction,
                recipient,
                bytes,
            } => {
                let whim = self.whim(random);
                self.on_message(ticket, transaction, bytes, vec![recipient], whim);
            }
            Event::Acknowledged {
                transaction,
                certainty,
            } => {
                let stored = self.accepted.get_mut(&transaction).unwrap();
                for known in stored.recipients.values_mut() {
                    assert_eq!(known.replace(certainty), None, "acknowledged once");
                }
            }
            Event::DeliveryAcknowledged {
                transaction,
                recipient,
                certainty,
            } => {
                let name = &self.open[&transaction].recipients[recipient];
                let stored = self.accepted.get_mut(&transaction).unwrap();
                let known = stored.recipients.get_mut(name).unwrap();
                assert_eq!(known.replace(certainty), None, "acknowledged once");
            }
            _ => {}
        }
    }

    fn on_message(
        &mut self,
        ticket: Ticket,
        transaction: TransactionId,
        bytes: u64,
        recipients: Vec<usize>,
        whim: Option<&'static str>,
    ) {
        let open = &self.open[&transaction];
        assert_eq!(open.content.len() as u64, bytes);
        let one = |one: &usize| open.recipients[*one].contains("full");
        let refusal = if open.content.windows(7).any(|seven| seven == b"X-Bad: ") {
            Some("554 5.6.0 bad content\r\n")
        } else if let [recipient] = recipients.as_slice()
            && one(recipient)
        {
            Some("452 4.2.2 mailbox full\r\n")
        } else {
            whim
        };
        let stores = refusal.is_none().then_some((transaction, recipients));
        self.decided(ticket, refusal, stores);
    }

    /// Returns a refusal for no reason.
    fn whim(&self, random: &mut Random) -> Option<&'static str> {
        (self.is_restless && random.one_in(20)).then(|| REFUSALS[random.below(REFUSALS.len())])
    }

    fn decided(
        &mut self,
        ticket: Ticket,
        refusal: Option<&'static str>,
        stores: Option<(TransactionId, Vec<usize>)>,
    ) {
        self.verdicts.push(Verdict {
            ticket,
            refusal,
            stores,
        });
    }

    /// Gives verdicts that are due, in random order; returns whether there were any to give.
    pub(crate) fn decide(&mut self, server: &mut Server, random: &mut Random) -> bool {
        let mut any = false;
        if self.is_restless
            && random.one_in(40)
            && let Some(transaction) = self.open.keys().next_back()
        {
            let refusal = REFUSALS[random.below(REFUSALS.len())];
            // It may be over, or have no content yet.
            let _ = server.refuse_content(*transaction, reply(refusal));
        }
        while !self.verdicts.is_empty() {
            if self.is_restless && random.one_in(4) {
                break;
            }
            any = true;
            let mut verdict = self.verdicts.swap_remove(random.below(self.verdicts.len()));
            if self.is_restless && random.one_in(60) {
                verdict.refusal = Some("421 4.3.2 closing\r\n");
            }
            let is_last = self.is_restless && random.one_in(80);
            let answered = match verdict.refusal {
                refusal if is_last => server.close(verdict.ticket, refusal.map(reply)),
                None => server.accept(verdict.ticket),
                Some(refusal) => server.reply(verdict.ticket, reply(refusal)),
            };
            match answered {
                Ok(()) if verdict.refusal.is_none() && !is_last => self.store(verdict.stores),
                Ok(()) => {}
                // The session ended meanwhile: nothing may be stored.
                Err(refused) => assert!(self.is_restless, "{refused}"),
            }
        }
        any
    }

    fn store(&mut self, stores: Option<(TransactionId, Vec<usize>)>) {
        let Some((transaction, recipients)) = stores else {
            return;
        };
        let open = &self.open[&transaction];
        let stored = self.accepted.entry(transaction).or_insert(Stored {
            sender: open.sender.clone(),
            content: open.content.clone(),
            recipients: BTreeMap::new(),
        });
        for recipient in recipients {
            let name = open.recipients[recipient].clone();
            let twice = stored.recipients.insert(name, None);
            assert_eq!(twice, None, "a message is accepted once");
        }
    }
}
