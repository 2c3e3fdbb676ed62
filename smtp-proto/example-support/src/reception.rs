//! What the examples' servers do with messages: everything but waiting for them.

use std::{
    fmt,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use smtp_proto::{
    reception::{Envelope, Identity, Notice, Refusal},
    refuse,
    sasl::{Credential, ScramHash, ScramKeys, invalid_credentials},
    server::{Certainty, TransactionId},
    syntax::{MailParameters, RcptParameters},
};

use crate::{Account, Delivery, Duplicates, Fingerprinter, Maildir, received_to_json};

/// Names a message among those of all connections.
pub type MessageName = (u64, TransactionId);

/// Takes every message, for everybody, and stores it before it is acknowledged.
#[derive(Debug)]
pub struct Inbox {
    maildir: Option<Arc<Maildir>>,
    tells: Option<Teller>,
    account: Option<Account>,
    duplicates: Option<Arc<Duplicates<MessageName>>>,
}

/// One message on its way to the disk. Dropped unfinished, there is no message.
#[derive(Debug)]
pub struct Arrival {
    delivery: Option<Delivery>,
    envelope: Envelope,
    bytes: u64,
    tells: Option<Teller>,
    recognition: Option<Recognition>,
}

/// Where what is stored is told.
#[derive(Clone)]
struct Teller(Arc<Mutex<dyn Write + Send>>);

impl fmt::Debug for Teller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Teller").finish_non_exhaustive()
    }
}

/// What finds out whether a message is here already.
#[derive(Debug)]
struct Recognition {
    duplicates: Arc<Duplicates<MessageName>>,
    fingerprinter: Fingerprinter,
    name: MessageName,
}

impl Inbox {
    /// Stores into a Maildir, or nowhere.
    pub fn new(maildir: Option<Arc<Maildir>>) -> Self {
        Self {
            maildir,
            tells: None,
            account: None,
            duplicates: None,
        }
    }

    /// Writes a JSON object, a line, for each message that was stored.
    #[must_use]
    pub fn telling(mut self, to: impl Write + Send + 'static) -> Self {
        self.tells = Some(Teller(Arc::new(Mutex::new(to))));
        self
    }

    /// Lets a user authenticate.
    #[must_use]
    pub fn admitting(mut self, account: Account) -> Self {
        self.account = Some(account);
        self
    }

    /// Stores a message only once if its acknowledgement is lost and it comes again.
    #[must_use]
    pub fn recognising(mut self, duplicates: Arc<Duplicates<MessageName>>) -> Self {
        self.duplicates = Some(duplicates);
        self
    }

    /// Returns who a client is that shows this.
    ///
    /// # Errors
    ///
    /// The refusal, if it is nobody who may send.
    pub fn admit(&self, credential: Credential<'_>) -> Result<Identity, Refusal> {
        let name = self
            .account
            .as_ref()
            .and_then(|account| account.admit(credential));
        name.map(Identity::from)
            .ok_or_else(|| invalid_credentials().into())
    }

    /// Returns what SCRAM needs to know of a user, if there is one of that name.
    pub fn scram_keys(&self, user: &str, hash: ScramHash) -> Option<ScramKeys> {
        self.account.as_ref()?.scram_keys(user, hash)
    }

    /// Begins to take a message of a connection. If it asks for anything of notifications, its file
    /// begins with that.
    ///
    /// # Errors
    ///
    /// The refusal of a message that cannot be stored now.
    pub fn begin(&self, connection: u64, envelope: Envelope) -> Result<Arrival, Refusal> {
        let delivery = self.maildir.as_ref().map(Maildir::begin).transpose();
        let mut delivery = delivery.map_err(storage_failed)?;
        if let Some(delivery) = &mut delivery {
            delivery.write(&trace(&envelope)).map_err(storage_failed)?;
        }
        let recognition = self.duplicates.as_ref().map(|duplicates| Recognition {
            duplicates: Arc::clone(duplicates),
            fingerprinter: Fingerprinter::default(),
            name: (connection, envelope.transaction),
        });
        Ok(Arrival {
            delivery,
            envelope,
            bytes: 0,
            tells: self.tells.clone(),
            recognition,
        })
    }

    /// Takes note of what becomes of a connection's messages. One that was accepted too late stays
    /// stored: it is recognised when it comes again.
    pub fn notice(&self, connection: u64, notice: &Notice<'_>) {
        let (transaction, recipient, certainty) = match *notice {
            Notice::Acknowledged {
                transaction,
                recipient,
                certainty,
            } => (transaction, recipient, certainty),
            Notice::Expired {
                transaction,
                recipient,
            } => (transaction, recipient, Certainty::Unsent),
            _ => return,
        };
        let Some(duplicates) = &self.duplicates else {
            return;
        };
        let (name, now) = ((connection, transaction), Instant::now());
        match recipient {
            None => duplicates.acknowledged(&name, certainty, now),
            Some(recipient) => duplicates.delivery_acknowledged(&name, recipient, certainty, now),
        }
    }

    /// Takes note that nothing more will be heard of a connection's messages.
    pub fn closed(&self, connection: u64) {
        if let Some(duplicates) = &self.duplicates {
            duplicates.closed(|(of, _)| *of == connection);
        }
    }
}

impl Arrival {
    /// Takes more of the content.
    ///
    /// # Errors
    ///
    /// The refusal of a message that cannot be stored now.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.bytes += bytes.len() as u64;
        if let Some(recognition) = &mut self.recognition {
            recognition.fingerprinter.update(bytes);
        }
        match &mut self.delivery {
            Some(delivery) => delivery.write(bytes).map_err(storage_failed),
            None => Ok(()),
        }
    }

    /// Returns whether [`finish`](Self::finish) waits for a disk.
    pub fn waits_for_disk(&self) -> bool {
        self.delivery.is_some()
    }

    /// Stores the message, unless it is here already. It takes as long as the disk does.
    ///
    /// # Errors
    ///
    /// The refusal of a message that cannot be stored now.
    pub fn finish(mut self) -> Result<(), Refusal> {
        let Some(Recognition {
            duplicates,
            fingerprinter,
            name,
        }) = self.recognition.take()
        else {
            return self.store();
        };
        let recipients = self.envelope.recipients.iter();
        let recipients = recipients.map(|accepted| &accepted.recipient.path);
        let fingerprints = fingerprinter.finish(&self.envelope.sender.path, recipients);
        if !duplicates.recognise(&fingerprints, Instant::now()) {
            self.store()?;
        }
        duplicates.stored(name, fingerprints);
        Ok(())
    }

    fn store(self) -> Result<(), Refusal> {
        self.delivery
            .map(Delivery::finish)
            .transpose()
            .map_err(storage_failed)?;
        if let Some(Teller(to)) = self.tells {
            let recipients = self.envelope.recipients.iter();
            let recipients = recipients.map(|accepted| &accepted.recipient.path);
            let json = received_to_json(&self.envelope.sender.path, recipients, self.bytes);
            // The message is stored, whether anybody reads of it or not.
            let mut to = to.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = writeln!(to, "{json}") {
                let _ = writeln!(io::stderr(), "a message could not be told of: {error}");
            }
        }
        Ok(())
    }
}

/// Returns the fields that keep what a message asks for of notifications (RFC 3461 4), which whoever
/// delivers it has to know; none if it asks for none.
fn trace(envelope: &Envelope) -> Vec<u8> {
    let sender = &envelope.sender;
    let mut asked = MailParameters::default();
    asked.ret = sender.parameters.ret;
    asked.envelope_id.clone_from(&sender.parameters.envelope_id);
    let mut asks = asked != MailParameters::default();
    let mut fields = field("X-Envelope-From", &sender.path, &asked);
    for accepted in &envelope.recipients {
        let recipient = &accepted.recipient;
        let mut asked = RcptParameters::default();
        asked.notify = recipient.parameters.notify;
        let original = &recipient.parameters.original_recipient;
        asked.original_recipient.clone_from(original);
        asks |= asked != RcptParameters::default();
        fields += &field("X-Envelope-To", &recipient.path, &asked);
    }
    if asks {
        fields.into_bytes()
    } else {
        Vec::new()
    }
}

fn field(name: &str, path: &dyn fmt::Display, parameters: &dyn fmt::Display) -> String {
    let parameters = parameters.to_string();
    let space = if parameters.is_empty() { "" } else { " " };
    format!("{name}: {path}{space}{parameters}\r\n")
}

/// Asks the client to try again later (RFC 5321 4.2.2: 452).
pub fn storage_failed(error: impl fmt::Display) -> Refusal {
    let _ = writeln!(io::stderr(), "a message could not be stored: {error}");
    refuse!("452 4.3.1 The message cannot be stored now")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use smtp_proto::{
        reception::{Answer, Call, Question, Reception, Session, accept},
        server::Config,
        syntax::{Capabilities, Extension, Host},
    };

    use super::*;
    use crate::TemporaryDirectory;

    /// A pipe that nobody reads.
    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Returns the envelope that these parameters of MAIL and RCPT make.
    fn envelope(mail: &str, rcpt: &str) -> Envelope {
        let config = Config::new(Host::parse("mx.example").unwrap());
        let config = config.offer(Capabilities::new().with(Extension::Dsn).with_size(0));
        let mut reception: Reception =
            Reception::new(config, Session::new(0, None, None), Duration::ZERO);
        for line in [
            String::new(),
            "EHLO c.example\r\n".to_owned(),
            format!("MAIL FROM:<a@x>{mail}\r\n"),
            format!("RCPT TO:<b@x>{rcpt}\r\n"),
            "DATA\r\n".to_owned(),
        ] {
            let mut input = line.as_bytes();
            while let Some(call) = reception.poll_call(&mut input, Duration::ZERO).unwrap() {
                match call {
                    Call::Question(asked, question) => {
                        let answer = match question {
                            Question::Connected => Answer::Session(accept()),
                            Question::Mail(_) => Answer::Transaction(accept()),
                            Question::Recipient(..) => Answer::Recipient(accept()),
                            _ => Answer::Plain(accept()),
                        };
                        reception.answer(asked, answer);
                    }
                    Call::Begin { envelope, .. } => return envelope,
                    _ => {}
                }
            }
            while let Some(transmit) = reception.poll_transmit(Duration::ZERO) {
                let bytes = transmit.len();
                transmit.wrote(bytes, Duration::ZERO);
            }
        }
        panic!("no envelope")
    }

    #[test]
    fn what_is_asked_of_notifications_is_kept_beside_the_message() {
        let directory = TemporaryDirectory::new().unwrap();
        let maildir = Maildir::open(directory.path()).unwrap();
        let inbox = Inbox::new(Some(Arc::clone(&maildir)));
        for (mail, rcpt) in [
            (" SIZE=10", ""),
            (" SIZE=10 RET=HDRS ENVID=e1", " NOTIFY=NEVER"),
            ("", " ORCPT=rfc822;c@x"),
        ] {
            let mut arrival = inbox.begin(0, envelope(mail, rcpt)).unwrap();
            arrival.write(b"Subject: x\r\n").unwrap();
            arrival.finish().unwrap();
        }
        let kept = maildir.messages().unwrap();
        let kept: Vec<_> = kept.iter().map(|it| String::from_utf8_lossy(it)).collect();
        assert_eq!(
            kept,
            [
                "Subject: x\r\n",
                "X-Envelope-From: <a@x> RET=HDRS ENVID=e1\r\n\
                 X-Envelope-To: <b@x> NOTIFY=NEVER\r\n\
                 Subject: x\r\n",
                "X-Envelope-From: <a@x>\r\n\
                 X-Envelope-To: <b@x> ORCPT=rfc822;c@x\r\n\
                 Subject: x\r\n",
            ]
        );
    }

    #[test]
    fn what_is_stored_is_accepted_though_nobody_reads_of_it() {
        let directory = TemporaryDirectory::new().unwrap();
        let maildir = Maildir::open(directory.path()).unwrap();
        let inbox = Inbox::new(Some(Arc::clone(&maildir))).telling(Closed);
        let mut arrival = inbox.begin(0, envelope("", "")).unwrap();
        arrival.write(b"x\r\n").unwrap();
        arrival.finish().unwrap();
        assert_eq!(maildir.messages().unwrap(), [b"x\r\n"]);
    }
}
