//! Who is told what became of messages: the reader, and the journal.

use std::{
    collections::VecDeque,
    io::{self, Write as _},
    path::Path,
};

use smtp_proto::syntax::ForwardPath;

use crate::arguments::about;

use super::{
    errand::Errand,
    journal::{self, Journal},
    message::Message,
    options::Options,
    outcome::{Fate, Kind, Record, Tally, address},
    progress::Progress,
};

/// Tells what became of messages, and counts it.
pub(super) struct Teller<'o> {
    options: &'o Options,
    tally: Tally,
    progress: Option<Progress>,
    journal: Option<Journal>,
    /// Why the journal could not be written: no message is begun any more.
    broken: Option<io::Error>,
}

impl<'o> Teller<'o> {
    pub(super) fn new(options: &'o Options, total: usize) -> io::Result<Self> {
        Ok(Self {
            options,
            tally: Tally::default(),
            progress: options.progress.then(|| Progress::new(total)),
            journal: options.resume.as_deref().map(Journal::open).transpose()?,
            broken: None,
        })
    }

    /// Returns what there is to do. What the journal has in doubt is told again.
    pub(super) fn errands<'m>(&mut self, messages: &'m [Message]) -> VecDeque<Errand<'m>> {
        let errands = messages.iter().filter_map(|message| {
            let Some(journal) = &self.journal else {
                let recipients = self.options.rcpt.clone();
                return Some(Errand::new(
                    message,
                    String::new(),
                    recipients,
                    self.options,
                ));
            };
            let id = journal::id(message);
            let (mut left, mut in_doubt) = (Vec::new(), Vec::new());
            for recipient in &self.options.rcpt {
                match journal.fate(&id, recipient) {
                    Some(Kind::Delivered | Kind::Refused) => {}
                    Some(Kind::InDoubt) if !self.options.again_in_doubt => {
                        in_doubt.push(recipient.clone());
                    }
                    Some(Kind::InDoubt | Kind::NotSent) | None => left.push(recipient.clone()),
                }
            }
            if !in_doubt.is_empty() {
                let fate = Fate::in_doubt("since an earlier run");
                self.tell(&message.name, &in_doubt, &vec![fate; in_doubt.len()]);
            }
            (!left.is_empty()).then(|| Errand::new(message, id, left, self.options))
        });
        errands.collect()
    }

    /// Takes note that a message is under way, and returns whether it may be.
    pub(super) fn begins(&mut self, errand: &Errand<'_>) -> bool {
        if let Some(journal) = &mut self.journal {
            let recipients = errand.envelope().recipients().iter();
            let recipients: Vec<_> = recipients.map(address).collect();
            let written = journal.begins(errand.id(), &recipients);
            self.note(written);
        }
        self.broken.is_none()
    }

    /// Tells what became of a message; of one that was never submitted, that this is why.
    pub(super) fn ends(&mut self, errand: Errand<'_>, why: &str) {
        let (message, id) = (&errand.message().name, errand.id().to_owned());
        let recipients = errand.recipients().to_vec();
        let fates = errand.into_fates(why);
        if let Some(journal) = &mut self.journal {
            let record = Record {
                message,
                recipients: &recipients,
                fates: &fates,
            };
            let written = journal.ends(&id, &record);
            self.note(written);
        }
        self.tell(message, &recipients, &fates);
    }

    /// Returns the counts, and why the journal could not be written, if it could not.
    pub(super) fn finish(self) -> (Tally, Option<io::Error>) {
        (self.tally, self.broken)
    }

    fn tell(&mut self, message: &str, recipients: &[ForwardPath<'static>], fates: &[Fate]) {
        let record = Record {
            message,
            recipients,
            fates,
        };
        self.tally.count(record.worst());
        // It has become of the message what it has, whether anybody reads of it or not.
        let mut out = io::stdout();
        let _ = match self.options.json {
            true => writeln!(out, "{}", record.json()),
            false if record.worst() != Kind::Delivered => write!(out, "{record}"),
            false => Ok(()),
        };
        if let Some(progress) = &mut self.progress {
            progress.show(self.tally.messages);
        }
    }

    fn note(&mut self, written: io::Result<()>) {
        let file = self.options.resume.as_deref().unwrap_or(Path::new(""));
        if let Err(error) = about(file.display(), written) {
            self.broken.get_or_insert(error);
        }
    }
}
