//! A message's header, which a sink sees before the rest has come.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use super::{
    Client, Running, config,
    face::server::{
        Envelope, Handler, Recipient, Refusal, Session, Sink, Transaction, Verdict, accept, limits,
        refuse,
    },
};

/// What a message's sink was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    headers: Vec<String>,
    /// How much was written before the header was told.
    early: usize,
    content: String,
    is_finished: bool,
}

/// Keeps what each message's sink was told.
#[derive(Default)]
struct Archive(Arc<Mutex<Vec<Told>>>);

impl Archive {
    /// Returns what the last message's sink was told.
    fn last(&self) -> Told {
        self.0.lock().unwrap().last().unwrap().clone()
    }
}

struct Folder(Arc<Mutex<Vec<Told>>>);

impl Folder {
    fn note(&self, note: impl FnOnce(&mut Told)) {
        note(self.0.lock().unwrap().last_mut().unwrap());
    }
}

impl Handler for Archive {
    type Sink = Folder;

    spelled! {
        fn recipient(&self, _: &Session, _: &Transaction, _: &Recipient) -> Verdict {
            accept()
        }

        fn content(&self, _: &Session, _: Envelope) -> Result<Folder, Refusal> {
            self.0.lock().unwrap().push(Told::default());
            Ok(Folder(Arc::clone(&self.0)))
        }
    }
}

impl Sink for Folder {
    spelled! {
        fn header(&mut self, header: &[u8]) -> Result<(), Refusal> {
            let header = String::from_utf8(header.to_vec()).unwrap();
            pause!(Duration::from_millis(20));
            let is_unwanted = header.contains("Spam");
            self.note(|told| {
                told.early = told.content.len();
                told.headers.push(header);
            });
            match is_unwanted {
                true => Err(refuse!("554 5.7.1 Not wanted")),
                false => Ok(()),
            }
        }

        fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
            self.note(|told| told.content.push_str(std::str::from_utf8(bytes).unwrap()));
            Ok(())
        }

        fn finish(self) -> Verdict {
            self.note(|told| told.is_finished = true);
            accept()
        }
    }
}

/// Has the content of a message taken by DATA, in pieces, and returns the reply to it.
fn send(client: &mut Client, pieces: &[&str]) -> String {
    for (command, code) in [
        ("MAIL FROM:<a@x>", "250"),
        ("RCPT TO:<b@x>", "250"),
        ("DATA", "354"),
    ] {
        assert_eq!(&client.ask(command)[..3], code);
    }
    for piece in pieces {
        client.say(piece);
        std::thread::sleep(Duration::from_millis(30));
    }
    client.ask(".")
}

#[test]
fn a_header_is_told_once_and_before_the_rest() {
    let archive = Arc::new(Archive::default());
    let running = Running::start(&archive, config());
    let mut client = running.client();
    client.hello();
    let long = "X: y\r\n".repeat(limits::HEADER / 6 + 10);
    for (pieces, header) in [
        (
            &["Subject: a\r\nTo: b\r\n\r\nBody\r\n\r\nmore\r\n"][..],
            "Subject: a\r\nTo: b\r\n",
        ),
        (
            &["Subject: a\r", "\n", "\r", "\nBody\r\n"],
            "Subject: a\r\n",
        ),
        (&["Subject: a\r\n"], "Subject: a\r\n"),
        (&["\r\n", "Body\r\n\r\n"], ""),
        (&[], ""),
        (&[&long, "\r\nBody\r\n"], &long[..limits::HEADER]),
    ] {
        assert_eq!(&send(&mut client, pieces)[..3], "250");
        let told = archive.last();
        assert_eq!(told.headers, [header]);
        assert_eq!(told.early, 0);
        assert!(told.content == pieces.concat() && told.is_finished);
    }
    client.say("MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nBDAT 0 LAST\r\n");
    for _ in 0..3 {
        assert_eq!(&client.reply()[..3], "250");
    }
    assert_eq!(archive.last().headers, [""]);
    running.end();
}

/// What is refused by its header is not handed out, whatever its length, and the session goes on.
#[test]
fn a_refused_header_refuses_the_content() {
    let archive = Arc::new(Archive::default());
    let running = Running::start(&archive, config());
    let mut client = running.client();
    client.hello();
    let body = "Body\r\n".repeat(50_000);
    for pieces in [
        &["Subject: Spam\r\n\r\n", &body][..],
        &["Subject: Spam\r\n"],
    ] {
        let reply = send(&mut client, pieces);
        assert_eq!(reply, "554 5.7.1 Not wanted\r\n");
        let told = archive.last();
        assert_eq!(told.headers, ["Subject: Spam\r\n"]);
        assert!(told.content.is_empty() && !told.is_finished);
    }
    assert_eq!(&send(&mut client, &["Subject: Ham\r\n\r\n"])[..3], "250");
    assert!(archive.last().is_finished);
    running.end();
}
