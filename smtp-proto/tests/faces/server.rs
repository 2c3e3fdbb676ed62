//! What both adapters' servers have to show: one text, in two spellings.
//!
//! Whoever includes it has `face`, the adapter; `bind` and `run`, which run a server; and two macros,
//! `spelled` for methods and `pause` for what takes time in them.

mod arrivals;
mod headers;
mod proxy;
mod running;
mod shutdowns;
mod tallies;

use std::{
    io::Write,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use smtp_proto::server::{Review, Tls};

use super::{
    bind,
    face::{
        self, Error,
        server::{
            Accept, Envelope, Handler, Notice, Reason, Recipient, Refusal, Reply, Sender, Session,
            Shutdown, Sink, Tally, TraceEntry, Transaction, Verdict, accept, refuse,
        },
    },
    run,
};
use running::{Client, PATIENCE, Running, config};

/// Is counted as long as it is there.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What the handler remembers: who came, which stay it is, and the rooms.
type Remembered = (Option<Counted>, Option<Counted>, (String, Counted));

/// Does as it is told by names, and keeps account.
#[derive(Default)]
struct Hotel {
    notes: Mutex<Vec<String>>,
    connections: Arc<AtomicUsize>,
    transactions: Arc<AtomicUsize>,
    recipients: Arc<AtomicUsize>,
    connected: Mutex<Connected>,
    notices_panic: bool,
}

/// What becomes of connections.
#[derive(Clone, Copy, Default)]
enum Connected {
    #[default]
    Accepted,
    Greeted,
    Panic,
    RefusedBy220,
    Refused,
}

impl Hotel {
    fn note(&self, note: String) {
        self.notes.lock().unwrap().push(note);
    }

    /// Waits for so many notes that begin so, and returns them.
    fn notes(&self, begin: &str, count: usize) -> Vec<String> {
        let start = Instant::now();
        loop {
            let notes = self.notes.lock().unwrap().clone();
            let found: Vec<_> = notes
                .into_iter()
                .filter(|it| it.starts_with(begin))
                .collect();
            if found.len() >= count || start.elapsed() > PATIENCE {
                assert_eq!(found.len(), count, "{found:?}");
                return found;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn panics_at(name: &str, step: &str) {
    assert!(!name.contains(&format!("panic-{step}")), "as it was told");
}

impl Handler<Remembered> for Hotel {
    type Sink = Room;

    spelled! {
        fn connected(&self, session: &Session<Remembered>) -> Verdict<Option<Counted>> {
            assert!(session.state().is_none());
            let connected = *self.connected.lock().unwrap();
            let guest = Accept::with(Some(Counted::new(&self.connections)));
            match connected {
                Connected::Accepted => Ok(guest),
                Connected::Greeted => Ok(guest.reply(Reply::parse(b"220 hotel.example Welcome\r\n").unwrap())),
                Connected::Panic => panic!("as it was told"),
                Connected::RefusedBy220 => Err(Reply::parse(b"220 Go on\r\n").unwrap().into()),
                Connected::Refused => Err(refuse!("554 5.7.1 Not you")),
            }
        }

        fn mail(&self, session: &Session<Remembered>, sender: &Sender) -> Verdict<Option<Counted>> {
            let hello = session.hello().unwrap();
            self.note(format!("mail of {} by {}", hello.name, if hello.is_esmtp { "EHLO" } else { "HELO" }));
            assert!(session.state().is_some());
            panics_at(&sender.path.to_string(), "mail");
            Ok(Some(Counted::new(&self.transactions)).into())
        }

        fn recipient(
            &self,
            _: &Session<Remembered>,
            transaction: &Transaction<Remembered>,
            recipient: &Recipient
        ) -> Verdict<(String, Counted)> {
            assert!(transaction.state.is_some());
            let name = recipient.path.to_string();
            panics_at(&name, "rcpt");
            if name.starts_with("<no") {
                return Err(refuse!("550 5.1.1 No such guest"));
            }
            Ok((name, Counted::new(&self.recipients)).into())
        }

        fn content(
            &self,
            _: &Session<Remembered>,
            envelope: Envelope<Remembered>
        ) -> Result<Room, Refusal> {
            panics_at(&envelope.sender.path.to_string(), "content");
            let mut names = Vec::new();
            for accepted in &envelope.recipients {
                assert_eq!(accepted.recipient.path.to_string(), accepted.state.0);
                names.push(accepted.state.0.clone());
            }
            self.note(format!("content for {}", names.join(" ")));
            let sender = envelope.sender.path.to_string();
            Ok(Room { sender, _envelope: envelope })
        }

        fn review(
            &self,
            _: &Session<Remembered>,
            reply: &Reply<'static>,
            reason: Reason
        ) -> Option<Reply<'static>> {
            assert_eq!(reply.code().value(), 500);
            (reason == Reason::Unrecognised).then(|| Reply::parse(b"500 5.5.2 Pardon?\r\n").unwrap())
        }
    }

    fn notice(&self, _: &Session<Remembered>, notice: &Notice<'_>) {
        assert!(!self.notices_panic, "as it was told");
        if let Notice::Rejected {
            reply,
            reason,
            line,
            ..
        } = notice
        {
            let text = reply.as_bytes().trim_ascii_end().escape_ascii();
            let line = line.escape_ascii();
            self.note(format!("rejected: {reason:?} of {line} by {text}"));
        }
    }

    fn trace(&self, session: &Session<Remembered>, entry: &TraceEntry) {
        self.note(format!("said in {}: {}", session.id(), entry.what));
    }

    fn closed(&self, session: &Session<Remembered>, result: Result<(), &Error>, tally: &Tally) {
        let result = result.map_err(ToString::to_string);
        assert!(session.peer().is_some() && session.local().is_some());
        self.note(format!(
            "closed {}: {} begun, {} messages, {} quit, {result:?}",
            session.id(),
            tally.begun,
            tally.messages,
            tally.quit
        ));
        assert!(!self.notices_panic, "as it was told");
    }
}

struct Room {
    sender: String,
    _envelope: Envelope<Remembered>,
}

impl Sink for Room {
    spelled! {
        fn write(&mut self, _: &[u8]) -> Result<(), Refusal> {
            panics_at(&self.sender, "write");
            Ok(())
        }

        fn finish(self) -> Verdict {
            panics_at(&self.sender, "finish");
            if self.sender.contains("slow") {
                pause!(Duration::from_millis(100));
            }
            if self.sender.contains("hanging") {
                pause!(Duration::from_secs(3600));
            }
            accept()
        }
    }
}

/// Takes all for everybody, by the methods that must be written.
struct Simple;

impl Handler for Simple {
    type Sink = super::face::server::InMemory;

    spelled! {
        fn recipient(&self, _: &Session, _: &Transaction, _: &Recipient) -> Verdict {
            accept()
        }

        fn content(&self, _: &Session, _: Envelope) -> Result<Self::Sink, Refusal> {
            Ok(in_memory())
        }
    }
}

fn in_memory() -> super::face::server::InMemory {
    super::kept(|content| {
        assert_eq!(content, b"x\r\n");
        accept()
    })
}

const LOCAL_ERROR: &str = "451 4.3.0 Local error in processing\r\n";

#[test]
fn two_methods_make_a_server() {
    let running = Running::start(&Arc::new(Simple), config());
    let mut client = running.client();
    client.hello();
    assert_eq!(&client.send("a@x", "b@x")[..3], "250");
    assert_eq!(&client.ask("AUTH PLAIN")[..3], "502");
    assert_eq!(&client.ask("VRFY b")[..3], "252");
    assert_eq!(&client.ask("QUIT")[..3], "221");
    running.end();
}

#[test]
fn a_panic_is_answered_and_the_session_goes_on() {
    let hotel = Arc::new(Hotel::default());
    let running = Running::start(&hotel, config());
    for step in ["mail", "content", "write", "finish"] {
        let mut client = running.client();
        client.hello();
        assert_eq!(
            client.send(&format!("panic-{step}@x"), "b@x"),
            LOCAL_ERROR,
            "{step}"
        );
        assert_eq!(&client.send("a@x", "b@x")[..3], "250", "{step}");
        assert_eq!(&client.ask("QUIT")[..3], "221");
    }
    let mut client = running.client();
    client.hello();
    assert_eq!(client.send("a@x", "panic-rcpt@x"), LOCAL_ERROR);
    assert_eq!(&client.send("a@x", "b@x")[..3], "250");
    drop(client);
    *hotel.connected.lock().unwrap() = Connected::Panic;
    for _ in 0..3 {
        assert_eq!(
            running.client().rest(),
            "421 4.3.0 mx.example.net Local error in processing, closing connection\r\n"
        );
    }
    let closed = hotel.notes("closed", 8);
    assert_eq!(
        closed
            .iter()
            .filter(|it| it.contains("true begun, 1 messages"))
            .count(),
        5
    );
    assert_eq!(
        closed
            .iter()
            .filter(|it| it.contains("false begun"))
            .count(),
        3
    );
    running.end();
    assert_eq!(hotel.connections.load(Ordering::SeqCst), 0);
}

#[test]
fn a_panic_at_a_notice_costs_nothing() {
    let hotel = Arc::new(Hotel {
        notices_panic: true,
        ..Hotel::default()
    });
    let running = Running::start(&hotel, config());
    let mut client = running.client();
    client.hello();
    for command in ["MAIL FROM:<slow@x>", "RCPT TO:<b@x>"] {
        assert_eq!(&client.ask(command)[..3], "250");
    }
    assert_eq!(&client.ask("DATA")[..3], "354");
    // The message is being stored when the notices of a refusal and of the reset come.
    client.say("x\r\n.\r\nMAIL FROM:<a@x>\r\nRSET\r\nNONSENSE\r\n");
    for code in ["250", "250", "250", "500"] {
        assert_eq!(&client.reply()[..3], code);
    }
    assert_eq!(&client.ask("QUIT")[..3], "221");
    running.end();
    hotel.notes("closed", 1);
}

/// L7: who is greeted is served, and who is not served is not greeted.
#[test]
fn a_positive_reply_refuses_nobody() {
    let hotel = Arc::new(Hotel::default());
    *hotel.connected.lock().unwrap() = Connected::RefusedBy220;
    let running = Running::start(&hotel, config());
    assert_eq!(&running.client().rest()[..24], "421 4.3.0 mx.example.net");
    *hotel.connected.lock().unwrap() = Connected::Greeted;
    let mut client = running.client();
    assert_eq!(client.reply(), "220 hotel.example Welcome\r\n");
    assert_eq!(&client.ask("HELO client.example")[..3], "250");
    assert_eq!(&client.send("a@x", "b@x")[..3], "250");
    assert_eq!(hotel.notes("mail", 1), ["mail of client.example by HELO"]);
    running.end();
}

#[test]
fn too_many_connections_are_told_so() {
    let full = "421 4.7.0 mx.example.net Too many connections, try again later\r\n";
    for by_peer in [false, true] {
        let hotel = Arc::new(Hotel::default());
        let server = bind(config().into());
        let server = match by_peer {
            false => server.max_connections(1),
            true => server.max_connections_per_peer(1),
        };
        let running = Running::serve(server, &hotel, Shutdown::new());
        let mut first = running.client();
        first.hello();
        assert_eq!(running.client().rest(), full);
        assert_eq!(running.client().rest(), full);
        assert_eq!(&first.ask("QUIT")[..3], "221");
        let closed = hotel.notes("closed", 3);
        assert_eq!(
            closed
                .iter()
                .filter(|it| it.contains("false begun"))
                .count(),
            2
        );
        drop(first);
        // The place may become free a moment after the handler hears of it.
        let start = Instant::now();
        while running.client().reply().starts_with("421") {
            assert!(start.elapsed() < PATIENCE);
        }
        running.end();
    }
}

#[test]
fn the_end_of_each_connection_is_told_once() {
    let hotel = Arc::new(Hotel::default());
    let running = Running::start(&hotel, config());
    let mut quits = running.client();
    quits.hello();
    assert_eq!(&quits.ask("QUIT")[..3], "221");
    // One goes without a word, one speaks something else.
    drop(running.client());
    let mut foreign = running.client();
    foreign.say("GET / HTTP/1.1\r\n");
    foreign.rest();
    hotel.notes("closed", 3);
    *hotel.connected.lock().unwrap() = Connected::Refused;
    let mut refused = running.client();
    assert_eq!(refused.reply(), "554 5.7.1 Not you\r\n");
    assert_eq!(&refused.ask("QUIT")[..3], "221");
    drop((quits, foreign, refused));
    running.end();
    let closed = hotel.notes("closed", 4);
    let ids: std::collections::BTreeSet<_> = closed.iter().map(|it| it.split(':').next()).collect();
    assert_eq!(ids.len(), 4, "{closed:?}");
    assert_eq!(hotel.connections.load(Ordering::SeqCst), 0);
}

/// Whoever has said QUIT sends nothing more, and is not listened to.
#[test]
fn a_client_that_has_quit_need_not_hang_up() {
    let hotel = Arc::new(Hotel::default());
    let running = Running::start(&hotel, config());
    let mut client = running.client();
    client.hello();
    let start = Instant::now();
    assert_eq!(&client.ask("QUIT")[..3], "221");
    assert_eq!(client.rest(), "");
    hotel.notes("closed", 1);
    assert!(start.elapsed() < Duration::from_millis(900));
    drop(client);
    running.end();
}

/// A session whose handshake fails never begins, and its end is told.
#[test]
fn the_end_of_what_never_began_is_told() {
    let hotel = Arc::new(Hotel::default());
    let running = Running::start(&hotel, config().tls(Tls::Implicit));
    let mut client = running.client();
    client.say("EHLO client.example\r\n");
    assert_eq!(client.rest(), "");
    let closed = hotel.notes("closed", 1).remove(0);
    assert!(closed.contains("false begun, 0 messages, false quit, Err"));
    running.end();
}

#[test]
fn what_is_remembered_lives_as_long_as_what_it_is_about() {
    let hotel = Arc::new(Hotel::default());
    let running = Running::start(&hotel, config());
    let mut client = running.client();
    client.hello();
    let counts = || {
        let counts = [&hotel.connections, &hotel.transactions, &hotel.recipients];
        counts.map(|count| count.load(Ordering::SeqCst))
    };
    for end in ["RSET", "EHLO client.example"] {
        assert_eq!(&client.ask("MAIL FROM:<a@x>")[..3], "250");
        for to in ["b", "c", "no"] {
            client.ask(&format!("RCPT TO:<{to}@x>"));
        }
        assert_eq!(counts(), [1, 1, 2]);
        assert_eq!(&client.ask(end)[..3], "250");
        assert_eq!(counts(), [1, 0, 0], "{end}");
    }
    assert_eq!(&client.ask("MAIL FROM:<a@x>")[..3], "250");
    for to in ["b", "no", "c"] {
        client.ask(&format!("RCPT TO:<{to}@x>"));
    }
    client.say("BDAT 3\r\nx\r\n");
    assert_eq!(&client.reply()[..3], "250");
    assert_eq!(hotel.notes("content", 1), ["content for <b@x> <c@x>"]);
    assert_eq!(counts(), [1, 1, 2]);
    assert_eq!(&client.ask("RSET")[..3], "250");
    assert_eq!(counts(), [1, 0, 0]);
    assert_eq!(&client.ask("QUIT")[..3], "221");
    running.end();
    assert_eq!(counts(), [0, 0, 0]);
}

#[test]
fn what_the_machine_says_can_be_reworded() {
    let hotel = Arc::new(Hotel::default());
    let running = Running::start(&hotel, config().review(Review::Refusals));
    let mut client = running.client();
    client.hello();
    assert_eq!(client.ask("NONSENSE"), "500 5.5.2 Pardon?\r\n");
    assert_eq!(
        hotel.notes("rejected", 1),
        ["rejected: Unrecognised of NONSENSE by 500 5.5.2 Command not recognised"]
    );
    drop(client);
    running.end();
}

/// A message whose size was not declared and that goes on beyond all measure is refused for good.
#[test]
fn what_is_far_too_large_is_refused_for_good() {
    let hotel = Arc::new(Hotel::default());
    let running = Running::start(&hotel, config().max_message_size(64 * 1024));
    let mut client = running.client();
    client.hello();
    for (command, code) in [
        ("MAIL FROM:<a@x>", "250"),
        ("RCPT TO:<b@x>", "250"),
        ("DATA", "354"),
    ] {
        assert_eq!(&client.ask(command)[..3], code);
    }
    let line = format!("{}\r\n", "x".repeat(998));
    for _ in 0..200 {
        if client.0.get_mut().write_all(line.as_bytes()).is_err() {
            break;
        }
    }
    assert_eq!(&client.rest()[..9], "552 5.3.4");
    running.end();
}

/// Nothing of the dialogue is kept: a handler hears it as it goes, both directions, without secrets.
#[test]
fn the_dialogue_is_told_as_it_goes() {
    let hotel = Arc::new(Hotel::default());
    let running = Running::start(&hotel, config().traced());
    let mut client = running.client();
    client.hello();
    assert_eq!(&client.ask("NOOP")[..3], "250");
    drop(client);
    running.end();
    let notes = hotel.notes.lock().unwrap();
    let said: Vec<_> = notes.iter().filter(|it| it.starts_with("said")).collect();
    let place = |text: &str| said.iter().position(|it| it.contains(text));
    let places = [
        "220 mx.example.net",
        "EHLO client.example",
        "NOOP",
        "250 2.0.0 OK",
    ]
    .map(place);
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{said:?}"
    );
}
