//! LMTP over loopback and Unix sockets (RFC 2033).

#![cfg(unix)]

mod support;

use std::{sync::Mutex, thread};

use smtp_proto::{
    client::{Outcome, Pipelining, Report},
    machine::{Answer, Dialect},
    server::{Certainty, TransactionId},
    syntax::{Code, ForwardPath, RcptParameters, Reply},
};
use smtp_proto_blocking::{
    Client, Server, Transport,
    server::{Envelope, Handler, Session, Sink, Verdict},
};
use support::{EndsServer, client_config, envelope, run_with, server_config};

/// Refuses `no`, and takes no message for `full`. The content `few` has too few verdicts, `one` the
/// same for all.
#[derive(Default)]
struct Mailboxes {
    notes: Mutex<Vec<String>>,
}

struct Mail {
    recipients: Vec<String>,
    content: Vec<u8>,
}

impl Handler for Mailboxes {
    type Sink = Mail;

    fn recipient(
        &self,
        _: &Session,
        _: &Envelope,
        to: &ForwardPath<'_>,
        _: &RcptParameters<'_>,
    ) -> Verdict {
        match name(to).as_str() {
            "<no@server.example>" => Verdict::Reply(reply(Code::MAILBOX_UNAVAILABLE, "5.1.1 No")),
            _ => Verdict::Accept,
        }
    }

    fn content(&self, _: &Session, envelope: &Envelope) -> Result<Mail, Reply<'static>> {
        Ok(Mail {
            recipients: envelope.recipients.iter().map(name).collect(),
            content: Vec::new(),
        })
    }

    fn delivery_acknowledged(
        &self,
        _: &Session,
        message: TransactionId,
        recipient: usize,
        certainty: Certainty,
    ) {
        let note = format!("{message} for {recipient}: {certainty:?}");
        self.notes.lock().unwrap().push(note);
    }
}

impl Sink for Mail {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Reply<'static>> {
        self.content.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(self) -> Verdict {
        Verdict::Reply(reply(Code::OK, "2.0.0 For all"))
    }

    fn deliver(self, recipients: usize) -> Vec<Verdict> {
        assert_eq!(self.recipients.len(), recipients);
        match self.content.as_slice() {
            b"few\r\n" => vec![Verdict::Accept],
            b"one\r\n" => vec![self.finish(); recipients],
            _ => self.recipients.iter().map(|to| verdict(to)).collect(),
        }
    }
}

fn verdict(to: &str) -> Verdict {
    match to {
        "<full@server.example>" => {
            Verdict::Reply(reply(Code::INSUFFICIENT_STORAGE, "4.2.2 Mailbox full"))
        }
        to => Verdict::Reply(reply(Code::OK, &format!("2.0.0 Kept for {to}"))),
    }
}

fn reply(code: Code, text: &str) -> Reply<'static> {
    Reply::new(code, text).unwrap().into_owned()
}

fn name(path: &ForwardPath<'_>) -> String {
    let mut text = Vec::new();
    path.write_to(&mut text);
    String::from_utf8(text).unwrap()
}

fn outcomes(report: Report) -> Vec<String> {
    let text = |outcome| match outcome {
        Outcome::Delivered(reply) => format!("delivered: {reply:?}"),
        Outcome::Refused(answer) => format!("refused: {:?}", answer.reply),
        other => format!("{other:?}"),
    };
    let codes = |outcome: Outcome<'static>| match &outcome {
        Outcome::Delivered(reply) | Outcome::Refused(Answer { reply, .. }) => {
            let line = reply.lines().next().unwrap();
            format!("{} {}", reply.code().value(), line.escape_ascii())
        }
        _ => text(outcome),
    };
    report.recipients.into_iter().map(codes).collect()
}

/// 2033-4.2-b, 2033-4.2-d, X-21: three recipients, three outcomes.
fn converse<T: Transport>(client: &mut Client<T>) {
    let to = ["one", "no", "full"];
    let report = client.send(&envelope(&to), "x\r\n").unwrap();
    assert_eq!(
        outcomes(report),
        [
            "250 2.0.0 Kept for <one@server.example>",
            "550 5.1.1 No",
            "452 4.2.2 Mailbox full",
        ]
    );
    let to = ["one", "two", "full"];
    let report = client.send(&envelope(&to), "one\r\n").unwrap();
    assert_eq!(outcomes(report), ["250 2.0.0 For all"; 3]);
    let report = client.send(&envelope(&to), "few\r\n").unwrap();
    assert_eq!(
        outcomes(report),
        [
            "250 2.0.0 Message accepted",
            "451 4.3.0 Local error in processing",
            "451 4.3.0 Local error in processing",
        ]
    );
    let report = client.send(&envelope(&["no"]), "x\r\n").unwrap();
    assert_eq!(outcomes(report), ["550 5.1.1 No"]);
    client.quit().unwrap();
}

#[test]
fn each_recipient_has_its_outcome_over_tcp() {
    for pipelining in [
        Pipelining::LockStep,
        Pipelining::LookAhead,
        Pipelining::Stream { window: 10 },
    ] {
        let mailboxes = Mailboxes::default();
        let config = server_config().dialect(Dialect::Lmtp);
        let server = Server::bind("127.0.0.1:0", config).unwrap();
        run_with(server, &mailboxes, |address| {
            let config = client_config()
                .dialect(Dialect::Lmtp)
                .pipelining(pipelining);
            converse(&mut Client::connect(address, config).unwrap());
        });
        let notes = mailboxes.notes.into_inner().unwrap();
        assert_eq!(notes.len(), 5, "{notes:?}"); // those that were accepted
        assert!(notes[0].ends_with(" for 0: Confirmed"), "{notes:?}");
    }
}

#[test]
fn each_recipient_has_its_outcome_over_a_unix_socket() {
    let name = format!("lmtp-{}", std::process::id());
    // A short path: those of sockets are limited.
    let path = std::env::temp_dir().join(name);
    let mailboxes = Mailboxes::default();
    let config = server_config().dialect(Dialect::Lmtp);
    let server = Server::bind_unix(&path, config).unwrap();
    assert!(server.local_addr().is_err());
    thread::scope(|scope| {
        scope.spawn(|| server.serve(&mailboxes));
        let _ends = EndsServer(server.shutdown_handle().unwrap());
        let config = client_config().dialect(Dialect::Lmtp);
        converse(&mut Client::builder(config).connect_unix(&path).unwrap());
    });
    std::fs::remove_file(&path).unwrap();
    assert_eq!(mailboxes.notes.into_inner().unwrap().len(), 5);
}

/// What goes to many goes through the same door: messages one after the other, unlike SMTP's.
#[test]
fn many_messages_keep_their_outcomes_apart() {
    let mailboxes = Mailboxes::default();
    let config = server_config().dialect(Dialect::Lmtp);
    let server = Server::bind("127.0.0.1:0", config).unwrap();
    run_with(server, &mailboxes, |address| {
        let config = client_config().dialect(Dialect::Lmtp);
        let mut client = Client::connect(address, config).unwrap();
        let messages = (0..50).map(|n| match n % 3 {
            0 => (envelope(&["one", "full"]), "x\r\n"),
            1 => (envelope(&["no", "two"]), "x\r\n"),
            _ => (envelope(&["no"]), "x\r\n"),
        });
        for (n, report) in client.send_all(messages).enumerate() {
            let codes = outcomes(report.unwrap())
                .into_iter()
                .map(|text| text[..3].to_owned());
            let expected: &[&str] = match n % 3 {
                0 => &["250", "452"],
                1 => &["550", "250"],
                _ => &["550"],
            };
            assert_eq!(codes.collect::<Vec<_>>(), expected, "{n}");
        }
        client.quit().unwrap();
    });
}
