//! What the examples' servers do with messages: everything but waiting for them.

use std::{fmt, hash::Hash, sync::Arc, time::Instant};

use smtp_proto::{
    sasl::{Credential, ScramHash, ScramKeys},
    server::Certainty,
    syntax::{Code, ForwardPath, MailParameters, RcptParameters, Reply, ReversePath},
};

use crate::{Account, Delivery, Duplicates, Fingerprinter, Maildir, received_to_json};

/// Takes every message, for everybody, and stores it before it is acknowledged. `M` names a message
/// among those of all sessions.
#[derive(Debug)]
pub struct Reception<M> {
    maildir: Option<Arc<Maildir>>,
    tells: bool,
    account: Option<Account>,
    duplicates: Option<Arc<Duplicates<M>>>,
}

/// Who sends a message, to whom, and with which parameters.
#[derive(Clone, Debug)]
pub struct ReceivedEnvelope {
    /// The sender.
    pub from: ReversePath<'static>,
    /// The parameters of MAIL.
    pub parameters: MailParameters<'static>,
    /// The recipients that were accepted, each with the parameters of its RCPT.
    pub recipients: Vec<(ForwardPath<'static>, RcptParameters<'static>)>,
}

/// One message on its way to the disk. Dropped unfinished, there is no message.
#[derive(Debug)]
pub struct Arrival<M> {
    delivery: Option<Delivery>,
    envelope: ReceivedEnvelope,
    bytes: u64,
    tells: bool,
    recognition: Option<Recognition<M>>,
}

/// What finds out whether a message is here already.
#[derive(Debug)]
struct Recognition<M> {
    duplicates: Arc<Duplicates<M>>,
    fingerprinter: Fingerprinter,
    name: M,
}

impl<M: Eq + Hash> Reception<M> {
    /// Stores into a Maildir, or nowhere.
    pub fn new(maildir: Option<Arc<Maildir>>) -> Self {
        Self {
            maildir,
            tells: false,
            account: None,
            duplicates: None,
        }
    }

    /// Prints a JSON object for each message that was stored.
    #[must_use]
    pub fn telling(mut self) -> Self {
        self.tells = true;
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
    pub fn recognising(mut self, duplicates: Arc<Duplicates<M>>) -> Self {
        self.duplicates = Some(duplicates);
        self
    }

    /// Returns under which name a client goes that shows this, if it may.
    pub fn admit(&self, credential: Credential<'_>) -> Option<String> {
        self.account.as_ref()?.admit(credential)
    }

    /// Returns what SCRAM needs to know of a user, if there is one of that name.
    pub fn scram_keys(&self, user: &str, hash: ScramHash) -> Option<ScramKeys> {
        self.account.as_ref()?.scram_keys(user, hash)
    }

    /// Begins to take a message. If it asks for anything of notifications, its file begins with that.
    ///
    /// # Errors
    ///
    /// The reply to a client whose message cannot be stored now.
    pub fn begin(&self, name: M, envelope: ReceivedEnvelope) -> Result<Arrival<M>, Reply<'static>> {
        let delivery = self.maildir.as_ref().map(Maildir::begin).transpose();
        let mut delivery = delivery.map_err(storage_failed)?;
        if let Some(delivery) = &mut delivery {
            delivery.write(&envelope.trace()).map_err(storage_failed)?;
        }
        let recognition = self.duplicates.as_ref().map(|duplicates| Recognition {
            duplicates: Arc::clone(duplicates),
            fingerprinter: Fingerprinter::default(),
            name,
        });
        Ok(Arrival {
            delivery,
            envelope,
            bytes: 0,
            tells: self.tells,
            recognition,
        })
    }

    /// Takes note of how sure it is that the client knows that its message was accepted.
    pub fn acknowledged(&self, name: &M, certainty: Certainty) {
        if let Some(duplicates) = &self.duplicates {
            duplicates.acknowledged(name, certainty, Instant::now());
        }
    }

    /// Takes note of it for one of the recipients, in LMTP.
    pub fn delivery_acknowledged(&self, name: &M, recipient: usize, certainty: Certainty) {
        if let Some(duplicates) = &self.duplicates {
            duplicates.delivery_acknowledged(name, recipient, certainty, Instant::now());
        }
    }

    /// Takes note that nothing more will be heard of the messages of a session.
    pub fn closed(&self, is_of_session: impl Fn(&M) -> bool) {
        if let Some(duplicates) = &self.duplicates {
            duplicates.closed(is_of_session);
        }
    }
}

impl<M: Eq + Hash> Arrival<M> {
    /// Takes more of the content.
    ///
    /// # Errors
    ///
    /// The reply to a client whose message cannot be stored now.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Reply<'static>> {
        self.bytes += bytes.len() as u64;
        if let Some(recognition) = &mut self.recognition {
            recognition.fingerprinter.update(bytes);
        }
        match &mut self.delivery {
            Some(delivery) => delivery.write(bytes).map_err(storage_failed),
            None => Ok(()),
        }
    }

    /// Stores the message, unless it is here already. It takes as long as the disk does.
    ///
    /// # Errors
    ///
    /// The reply to a client whose message cannot be stored now.
    pub fn finish(mut self) -> Result<(), Reply<'static>> {
        let Some(Recognition {
            duplicates,
            fingerprinter,
            name,
        }) = self.recognition.take()
        else {
            return self.store();
        };
        let recipients = self.envelope.recipients.iter().map(|(path, _)| path);
        let fingerprints = fingerprinter.finish(&self.envelope.from, recipients);
        if !duplicates.recognise(&fingerprints, Instant::now()) {
            self.store()?;
        }
        duplicates.stored(name, fingerprints);
        Ok(())
    }

    fn store(self) -> Result<(), Reply<'static>> {
        self.delivery
            .map(Delivery::finish)
            .transpose()
            .map_err(storage_failed)?;
        if self.tells {
            let recipients = self.envelope.recipients.iter().map(|(path, _)| path);
            let json = received_to_json(&self.envelope.from, recipients, self.bytes);
            println!("{json}");
        }
        Ok(())
    }
}

impl ReceivedEnvelope {
    /// Returns the fields that keep what the message asks for of notifications; none if it asks for
    /// none.
    fn trace(&self) -> Vec<u8> {
        let mut of_message = MailParameters::default();
        of_message.ret = self.parameters.ret;
        of_message.envelope_id = self.parameters.envelope_id.clone();
        let mut fields = format!("X-Envelope-From: {}", self.from).into_bytes();
        of_message.write_to(&mut fields);
        fields.extend_from_slice(b"\r\n");
        let mut asks = of_message != MailParameters::default();
        for (path, parameters) in &self.recipients {
            let mut of_recipient = RcptParameters::default();
            of_recipient.notify = parameters.notify;
            of_recipient.original_recipient = parameters.original_recipient.clone();
            asks |= of_recipient != RcptParameters::default();
            fields.extend_from_slice(format!("X-Envelope-To: {path}").as_bytes());
            of_recipient.write_to(&mut fields);
            fields.extend_from_slice(b"\r\n");
        }
        if asks { fields } else { Vec::new() }
    }
}

/// Asks the client to try again later (RFC 5321 4.2.2: 452).
pub fn storage_failed(error: impl fmt::Display) -> Reply<'static> {
    eprintln!("a message could not be stored: {error}");
    Reply::new(
        Code::INSUFFICIENT_STORAGE,
        "4.3.1 The message cannot be stored now",
    )
    .expect("the text is a reply's")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TemporaryDirectory;

    fn envelope(mail: &str, rcpt: &str) -> ReceivedEnvelope {
        let to = ForwardPath::parse("<b@x>").unwrap();
        ReceivedEnvelope {
            from: ReversePath::parse("<a@x>").unwrap(),
            parameters: MailParameters::parse(mail).unwrap().into_owned(),
            recipients: vec![(to, RcptParameters::parse(rcpt).unwrap().into_owned())],
        }
    }

    #[test]
    fn what_is_asked_of_notifications_is_kept_beside_the_message() {
        let directory = TemporaryDirectory::new().unwrap();
        let maildir = Maildir::open(directory.path()).unwrap();
        let reception = Reception::new(Some(Arc::clone(&maildir)));
        for (mail, rcpt) in [
            ("SIZE=10 BODY=8BITMIME", ""),
            ("SIZE=10 RET=HDRS ENVID=e1", "NOTIFY=NEVER"),
            ("", "ORCPT=rfc822;c@x"),
        ] {
            let mut arrival = reception.begin(0, envelope(mail, rcpt)).unwrap();
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
}
