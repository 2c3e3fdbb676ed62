//! LMTP over loopback and Unix sockets (RFC 2033).

#![cfg(unix)]

mod support;

use std::{
    sync::{Arc, Mutex},
    thread,
};

use smtp_proto::delivery::Report;
use smtp_proto::delivery::Server as Place;
use smtp_proto::{
    client::{Outcome, Pipelining},
    machine::{Answer, Dialect},
    syntax::{Code, Reply},
};
use smtp_proto_blocking::{
    Client, Server,
    client::Options,
    server::{
        Accept, Deliveries, Envelope, Handler, Notice, Recipient, Refusal, Session, Shutdown, Sink,
        Transaction, Verdict, accept, refuse,
    },
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

impl Mailboxes {
    fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap().clone()
    }
}

impl Handler for Mailboxes {
    type Sink = Mail;

    fn recipient(&self, _: &Session, _: &Transaction, recipient: &Recipient) -> Verdict {
        match recipient.path.to_string().as_str() {
            "<no@server.example>" => Err(refuse!("550 5.1.1 No")),
            _ => accept(),
        }
    }

    fn content(&self, _: &Session, envelope: Envelope) -> Result<Mail, Refusal> {
        let recipients = envelope.recipients.iter();
        Ok(Mail {
            recipients: recipients.map(|to| to.recipient.path.to_string()).collect(),
            content: Vec::new(),
        })
    }

    fn notice(&self, _: &Session, notice: &Notice<'_>) {
        if let Notice::Acknowledged {
            transaction,
            recipient: Some(recipient),
            certainty,
        } = notice
        {
            let note = format!("{transaction} for {recipient}: {certainty:?}");
            self.notes.lock().unwrap().push(note);
        }
    }
}

impl Sink for Mail {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.content.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(self) -> Verdict {
        ok("2.0.0 For all")
    }

    fn deliver(self, mut deliveries: Deliveries) {
        assert_eq!(self.recipients.len(), deliveries.count());
        match self.content.as_slice() {
            b"few\r\n" => deliveries.decide(0, accept()),
            b"one\r\n" => deliveries.decide_rest(&self.finish()),
            _ => {
                // Replies leave in their order all the same.
                for (index, to) in self.recipients.iter().enumerate().rev() {
                    deliveries.decide(index, verdict(to));
                }
            }
        }
    }
}

fn verdict(to: &str) -> Verdict {
    match to {
        "<full@server.example>" => Err(refuse!("452 4.2.2 Mailbox full")),
        to => ok(&format!("2.0.0 Kept for {to}")),
    }
}

fn ok(text: &str) -> Verdict {
    Ok(Accept::with(()).reply(Reply::new(Code::OK, text).unwrap()))
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
fn converse(client: &mut Client) {
    let to = ["one", "no", "full"];
    let report = client.send(envelope(&to), "x\r\n").unwrap();
    assert_eq!(
        outcomes(report),
        [
            "250 2.0.0 Kept for <one@server.example>",
            "550 5.1.1 No",
            "452 4.2.2 Mailbox full",
        ]
    );
    let to = ["one", "two", "full"];
    let report = client.send(envelope(&to), "one\r\n").unwrap();
    assert_eq!(outcomes(report), ["250 2.0.0 For all"; 3]);
    let report = client.send(envelope(&to), "few\r\n").unwrap();
    assert_eq!(
        outcomes(report),
        [
            "250 2.0.0 Message accepted",
            "451 4.3.0 Local error in processing",
            "451 4.3.0 Local error in processing",
        ]
    );
    let report = client.send(envelope(&["no"]), "x\r\n").unwrap();
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
        let mailboxes = Arc::new(Mailboxes::default());
        let config = server_config().dialect(Dialect::Lmtp);
        let server = Server::bind("127.0.0.1:0", config).unwrap();
        run_with(server, &mailboxes, |address| {
            let config = client_config()
                .dialect(Dialect::Lmtp)
                .pipelining(pipelining);
            converse(&mut Client::connect(Options::new(config).server(address)).unwrap());
        });
        let notes = mailboxes.notes();
        assert_eq!(notes.len(), 5, "{notes:?}"); // those that were accepted
        assert!(notes[0].ends_with(" for 0: Confirmed"), "{notes:?}");
    }
}

#[test]
fn each_recipient_has_its_outcome_over_a_unix_socket() {
    let name = format!("lmtp-{}", std::process::id());
    // A short path: those of sockets are limited.
    let path = std::env::temp_dir().join(name);
    let mailboxes = Arc::new(Mailboxes::default());
    let config = server_config().dialect(Dialect::Lmtp);
    let server = Server::bind_unix(&path, config).unwrap();
    assert!(server.local_addr().is_err());
    thread::scope(|scope| {
        let shutdown = Shutdown::new();
        let _ends = EndsServer(shutdown.clone());
        let handler = Arc::clone(&mailboxes);
        scope.spawn(move || server.serve_until(handler, shutdown));
        let config = client_config().dialect(Dialect::Lmtp);
        converse(
            &mut Client::connect(Options::new(config).server(Place::unix(path.to_str().unwrap())))
                .unwrap(),
        );
    });
    std::fs::remove_file(&path).unwrap();
    assert_eq!(mailboxes.notes().len(), 5);
}

/// What goes to many goes through the same door: messages one after the other, unlike SMTP's.
#[test]
fn many_messages_keep_their_outcomes_apart() {
    let mailboxes = Arc::new(Mailboxes::default());
    let config = server_config().dialect(Dialect::Lmtp);
    let server = Server::bind("127.0.0.1:0", config).unwrap();
    run_with(server, &mailboxes, |address| {
        let config = client_config().dialect(Dialect::Lmtp);
        let mut client = Client::connect(Options::new(config).server(address)).unwrap();
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
