//! What is told of each connection at its end: how it went, and the tally.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use super::{
    PATIENCE, Running, bind, config,
    face::{
        Error,
        server::{
            Accept, Config, Envelope, Handler, InMemory, Reason, Recipient, Refusal, Reply,
            Session, Shutdown, Tally, Transaction, Verdict, accept, refuse,
        },
    },
};
use smtp_proto::{
    machine::Fault,
    server::{Review, Tls},
};

/// Takes everything but what names are for, and keeps what it is told at the end.
#[derive(Default)]
struct Accounts {
    /// It takes its time over a greeting.
    is_slow: bool,
    closed: Mutex<Vec<(Option<Fault>, Tally)>>,
}

impl Handler for Accounts {
    type Sink = InMemory;

    spelled! {
        fn connected(&self, _: &Session) -> Verdict {
            if self.is_slow {
                pause!(Duration::from_millis(200));
            }
            accept()
        }

        fn recipient(&self, _: &Session, _: &Transaction, recipient: &Recipient) -> Verdict {
            match recipient.path.to_string().starts_with("<no") {
                true => Err(refuse!("550 5.1.1 No such mailbox")),
                false => Ok(Accept::with(())),
            }
        }

        fn content(&self, _: &Session, _: Envelope) -> Result<InMemory, Refusal> {
            Ok(super::super::kept(|_| accept()))
        }

        fn review(&self, _: &Session, _: &Reply<'static>, why: Reason) -> Option<Reply<'static>> {
            let words = refuse!("550 5.6.0 Mend your lines");
            (why == Reason::BareLineBreak).then(|| words.reply().cloned())?
        }
    }

    fn closed(&self, _: &Session, result: Result<(), &Error>, tally: &Tally) {
        let fault = result.err().and_then(|it| Some(it.machine()?.fault()));
        self.closed.lock().unwrap().push((fault, tally.clone()));
    }
}

impl Accounts {
    /// Waits for the next end.
    fn next(&self) -> (Option<Fault>, Tally) {
        let start = Instant::now();
        loop {
            let mut closed = self.closed.lock().unwrap();
            if !closed.is_empty() {
                return closed.remove(0);
            }
            drop(closed);
            assert!(start.elapsed() < PATIENCE);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn start(config: Config) -> (Arc<Self>, Running) {
        let accounts = Arc::new(Self::default());
        let running = Running::start(&accounts, config);
        (accounts, running)
    }

    /// Ends the server, after which nothing more is told.
    fn end(&self, running: Running) {
        running.end();
        assert!(self.closed.lock().unwrap().is_empty());
    }
}

fn last_refusal(tally: &Tally) -> String {
    let reply = tally.last_refusal.as_ref();
    reply.map(ToString::to_string).unwrap_or_default()
}

#[test]
fn an_early_talker_is_told_of_once() {
    let accounts = Arc::new(Accounts {
        is_slow: true,
        ..Accounts::default()
    });
    let running = Running::start(&accounts, config());
    let mut client = running.client();
    client.say("EHLO client.example\r\n");
    assert_eq!(
        client.rest(),
        "554 5.5.0 Sent on without waiting for the reply, closing connection\r\n"
    );
    let (fault, tally) = accounts.next();
    assert_eq!(fault, Some(Fault::EarlyTalker));
    assert_eq!((tally.messages, tally.refusals, tally.quit), (0, 1, false));
    assert_eq!(&last_refusal(&tally)[..3], "554");
    accounts.end(running);
}

#[test]
fn a_failed_handshake_is_told_of_once() {
    for tls in [Tls::Implicit, Tls::Offered] {
        let (accounts, running) = Accounts::start(config().tls(tls));
        let mut client = running.client();
        if tls == Tls::Offered {
            client.hello();
            assert_eq!(
                &client.ask("STARTTLS")[..3],
                "454",
                "there is nobody to do it"
            );
        }
        client.say("EHLO client.example\r\n");
        drop(client);
        let (fault, tally) = accounts.next();
        assert!(fault.is_some());
        assert_eq!(tally.begun, tls == Tls::Offered);
        accounts.end(running);
    }
}

#[test]
fn whoever_is_over_the_limit_is_told_of_once() {
    let accounts = Arc::new(Accounts::default());
    let server = bind(config().into()).max_connections(1);
    let running = Running::serve(server, &accounts, Shutdown::new());
    let mut first = running.client();
    first.hello();
    assert_eq!(&running.client().rest()[..3], "421");
    let (fault, tally) = accounts.next();
    assert!(fault.is_some());
    assert_eq!((tally.begun, tally.refusals), (false, 1));
    assert_eq!(&last_refusal(&tally)[..9], "421 4.7.0");
    assert_eq!(&first.send("a@x", "b@x")[..3], "250");
    assert_eq!(&first.ask("QUIT")[..3], "221");
    let (fault, tally) = accounts.next();
    assert_eq!(fault, None);
    assert!(tally.begun && tally.quit);
    assert_eq!((tally.messages, tally.recipients, tally.bytes), (1, 1, 3));
    accounts.end(running);
}

/// The application's, the machine's, those that were reworded, and last words.
#[test]
fn the_last_refusal_is_whichever_the_client_was_told_last() {
    let settings = config()
        .max_message_size(0) // as little as may be
        .max_errors(3)
        .review(Review::Refusals);
    let (accounts, running) = Accounts::start(settings);
    let bare = "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n";
    for (said, last, count) in [
        ("RCPT TO:<b@x>", "503 5.5.1 Bad sequence of commands", 1),
        (
            "MAIL FROM:<a@x>\r\nRCPT TO:<no@x>",
            "550 5.1.1 No such mailbox",
            1,
        ),
        ("RCPT TO:<b@x>\r\nPARDON", "500", 2),
        (&format!("{bare}a\nb\r\n."), "550 5.6.0 Mend your lines", 1),
        (
            &format!("{bare}{}\r\n.", "x".repeat(70_000)),
            "552 5.3.4",
            1,
        ),
        ("PARDON\r\nPARDON\r\nPARDON", "421 4.7.0", 4),
    ] {
        let mut client = running.client();
        client.hello();
        for line in said.split("\r\n") {
            // Content is answered at its end.
            let is_content = line.len() > 100 || line.contains('\n');
            match is_content {
                true => client.say(&format!("{line}\r\n")),
                false => drop(client.ask(line)),
            }
        }
        drop(client);
        let (_, tally) = accounts.next();
        assert_eq!(&last_refusal(&tally)[..last.len()], last);
        assert_eq!(tally.refusals, count, "{last}");
    }
    accounts.end(running);
}
