//! What both adapters' `Sender` has to show: one text, in two spellings.
//!
//! Whoever includes it has `face`, the adapter, and the macro `wait` for what takes time.

use std::{
    borrow::Cow,
    net::TcpListener,
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
    thread,
    time::{Duration, Instant},
};

use smtp_proto::{
    delivery::Retry,
    machine::Step,
    syntax::Host,
    testing::{Reaction, TestServer},
};
use smtp_proto_test_support::{DELIVERS, MESSAGE, Script, Scripted, envelope};

use super::face::{Error, Outcome, Report, Sender, client::Options};

/// More than anything takes here that does not wait for a server.
const SOON: Duration = Duration::from_secs(5);

fn to(server: &TestServer) -> Options {
    Options::at(server.url()).unwrap()
}

fn send(sender: &Sender) -> Result<Report, Error> {
    wait!(sender.send(envelope(), MESSAGE))
}

fn deliver(sender: &Sender) {
    assert!(send(sender).unwrap().is_delivered());
}

/// Sends in a thread of its own, and tells when that is over.
fn sending(sender: &Sender) -> Receiver<Result<Report, Error>> {
    let (told, over) = channel();
    let sender = sender.clone();
    thread::spawn(move || told.send(send(&sender)));
    over
}

fn servers<const N: usize>() -> [TestServer; N] {
    [(); N].map(|()| TestServer::start().unwrap())
}

/// Returns which connections to a server have ended by QUIT.
fn quits(server: &TestServer) -> Vec<bool> {
    let dialogues = server.dialogues();
    let quit = |it: &String| it.contains("C: QUIT");
    dialogues.iter().map(quit).collect()
}

fn wait_for(mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < SOON);
        thread::sleep(Duration::from_millis(5));
    }
}

/// A message goes in whatever a program has it, and is lent to many.
#[test]
fn messages_in_memory_of_any_kind() {
    let [server] = servers();
    let sender = Sender::new(to(&server)).unwrap();
    let (text, bytes) = (String::from(MESSAGE), MESSAGE.as_bytes().to_vec());
    let shared: Arc<[u8]> = bytes.as_slice().into();
    wait!(sender.send(envelope(), &text)).unwrap();
    wait!(sender.send(envelope(), &bytes)).unwrap();
    wait!(sender.send(envelope(), Cow::Borrowed(MESSAGE))).unwrap();
    wait!(sender.send(envelope(), bytes.clone().into_boxed_slice())).unwrap();
    wait!(sender.send(envelope(), Arc::clone(&shared))).unwrap();
    wait!(sender.send(envelope(), bytes)).unwrap();
    wait!(sender.send(envelope(), text)).unwrap();
    let received = server.messages();
    assert_eq!(received.len(), 7);
    assert!(received.iter().all(|it| it.content == *shared));
}

/// Whichever connection has waited longest makes way, and says so.
#[test]
fn many_servers_are_served_within_one_bound() {
    let [one, two, three] = servers();
    let first = Sender::new(to(&one)).unwrap().max_in_all(2);
    let [second, third] = [&two, &three].map(|server| first.to(to(server)).unwrap());
    for sender in [&first, &second, &first, &second, &third] {
        deliver(sender);
    }
    wait_for(|| quits(&one) == [true]);
    deliver(&second);
    deliver(&first);
    wait_for(|| quits(&three) == [true]);
    assert_eq!([quits(&one), quits(&two)], [vec![true, false], vec![false]]);
    wait!(third.quit());
    wait_for(|| quits(&one) == [true, true] && quits(&two) == [true]);
}

/// Time runs out for connections to servers that get no more mail, too.
#[test]
fn a_connection_ends_that_has_waited_too_long() {
    let [one, two] = servers();
    let first = Sender::new(to(&one))
        .unwrap()
        .idle_timeout(Duration::from_millis(50));
    deliver(&first);
    thread::sleep(Duration::from_millis(60));
    deliver(&first.to(to(&two)).unwrap());
    wait_for(|| quits(&one) == [true]);
}

/// Where no message comes any more, it is for the application to say.
#[test]
fn a_connection_that_waits_is_closed_when_its_time_is_over() {
    let [server] = servers();
    let limit = Duration::from_millis(300);
    let sender = Sender::new(to(&server)).unwrap().idle_timeout(limit);
    assert_eq!(wait!(sender.close_idle()), None);
    deliver(&sender);
    let left = wait!(sender.close_idle()).unwrap();
    assert!(left <= limit);
    assert_eq!(quits(&server), [false]);
    thread::sleep(left);
    assert_eq!(wait!(sender.close_idle()), None);
    wait_for(|| quits(&server) == [true]);
    deliver(&sender);
    assert_eq!(quits(&server), [true, false]);
}

/// The next message goes over another connection, at once and once, whenever it turns out that the one
/// which was kept is no more: its end was there to be read, or comes in answer to what is sent.
#[test]
fn a_connection_that_was_closed_meanwhile_costs_nothing() {
    for end in [
        &[][..],
        &[("", "421 x\r\n")],
        &[("MAIL FROM", "")],
        &[("DATA", "")],
    ] {
        let first: Script = [DELIVERS, end].concat().leak();
        let server = Scripted::new([first, DELIVERS]);
        let mut retry = Retry::default();
        (retry.attempts, retry.first_delay) = (1, Duration::from_secs(3600));
        let sender = Sender::new(server.url()).unwrap().retry(retry);
        deliver(&sender);
        thread::sleep(Duration::from_millis(100));
        let start = Instant::now();
        deliver(&sender);
        assert!(start.elapsed() < SOON);
        drop(sender);
        let heard = server.heard();
        let contents = heard.iter().map(|it| it.matches(MESSAGE).count());
        assert_eq!(contents.collect::<Vec<_>>(), [1, 1], "{heard:?}");
    }
}

/// Where one turns out to be no more the others of its server that have waited are given up, too.
#[test]
fn connections_that_were_closed_meanwhile_are_all_given_up() {
    let [server] = servers();
    server.react(
        Reaction::to(Step::Content)
            .times(2)
            .late(Duration::from_millis(200)),
    );
    let mut retry = Retry::default();
    (retry.attempts, retry.first_delay) = (1, Duration::from_secs(3600));
    let sender = Sender::new(to(&server)).unwrap().retry(retry);
    let sender = sender.max_connections(2);
    for report in [(); 2].map(|()| sending(&sender)) {
        assert!(report.recv_timeout(SOON).unwrap().unwrap().is_delivered());
    }
    assert_eq!(quits(&server), [false, false]);
    server.react(Reaction::to(Step::Mail).times(1).cut());
    deliver(&sender);
    wait_for(|| quits(&server).iter().filter(|it| **it).count() == 1);
    assert_eq!(server.dialogues().len(), 3);
    assert_eq!(server.messages().len(), 3);
}

#[test]
fn a_connection_is_used_again_by_whoever_comes_in_the_same_way_and_by_nobody_else() {
    let [server] = servers();
    let all = Sender::new(to(&server)).unwrap().max_connections(10);
    deliver(&all);
    deliver(&all.to(to(&server)).unwrap());
    assert_eq!(server.dialogues().len(), 1);
    let named = |name| to(&server).name(Host::parse(name).unwrap());
    let others = [
        named("one.example"),
        named("two.example"),
        to(&server).local_address([127, 0, 0, 2].into()),
        to(&server).watch(|_| ()),
    ];
    for (known, other) in others.into_iter().enumerate() {
        let sender = all.to(other).unwrap();
        deliver(&sender);
        deliver(&sender.clone());
        assert_eq!(server.dialogues().len(), known + 2);
    }
    deliver(&all.to(named("two.example")).unwrap());
    assert_eq!(server.dialogues().len(), 5);
    // All of them are to one server.
    let few = all.clone().max_connections(3);
    deliver(&few.to(named("three.example")).unwrap());
    wait_for(|| quits(&server) == [true, true, false, true, false, false]);
}

#[cfg(feature = "auth")]
#[test]
fn a_connection_is_used_again_by_the_same_user_alone() {
    use smtp_proto::{client::mechanism::Protection, server::Config};
    let config = Config::new(Host::parse("mx.example.net").unwrap());
    let server = TestServer::with(
        config
            .mechanisms(["PLAIN"])
            .unwrap()
            .allow_plain_text_auth(),
    )
    .unwrap();
    let clear = |it: smtp_proto::client::Config| it.credentials_over(Protection::InClear);
    let as_user = |user, password| to(&server).configure(clear).password(user, password);
    let all = Sender::new(to(&server)).unwrap().max_connections(10);
    for (user, password, connections) in [
        ("alice", "secret", 1),
        ("alice", "secret", 1),
        ("alice", "other", 2),
        ("bob", "secret", 3),
        ("alice", "secret", 3),
    ] {
        deliver(&all.to(as_user(user, password)).unwrap());
        assert_eq!(server.dialogues().len(), connections);
    }
}

/// A server that says nothing takes the connections that one server may have, and one that cannot be
/// reached takes none while it is left alone.
#[test]
fn a_server_that_does_not_answer_keeps_no_other_waiting() {
    let [fast, slow, dead] = servers();
    slow.react(Reaction::to(Step::Greeting).late(Duration::from_secs(3600)));
    let mut retry = Retry::default();
    retry.first_delay = Duration::from_secs(3600);
    let all = Sender::new(to(&fast)).unwrap().max_in_all(2).retry(retry);
    let to_slow = all.to(to(&slow)).unwrap();
    let to_dead = all.to(to(&dead)).unwrap();
    deliver(&to_dead);
    drop(dead);
    let waiting = [&to_slow, &to_dead].map(|sender| [(); 5].map(|()| sending(sender)));
    wait_for(|| !slow.dialogues().is_empty());
    for _ in 0..3 {
        let report = sending(&all).recv_timeout(SOON);
        assert!(report.unwrap().unwrap().is_delivered());
    }
    assert!(waiting.iter().flatten().all(|it| it.try_recv().is_err()));
    assert_eq!(slow.dialogues().len(), 1);
}

/// Servers that end the session with a refusal have said what they think of the message: the next one need
/// not wait for that.
#[test]
fn a_refusal_for_good_that_ends_the_session_keeps_nobody_waiting() {
    const REFUSES: Script = &[
        DELIVERS[0],
        DELIVERS[1],
        ("RCPT", "250 x\r\n550 5.7.1 Listed\r\n"),
    ];
    let server = Scripted::new([REFUSES; 3]);
    let mut retry = Retry::default();
    retry.first_delay = Duration::from_secs(3600);
    let sender = Sender::new(server.url()).unwrap().retry(retry);
    for _ in 0..3 {
        let report = sending(&sender).recv_timeout(SOON).unwrap().unwrap();
        assert!(matches!(&report.recipients[..], [Outcome::Refused(_)]));
    }
}

/// Many messages to a server that cannot be reached are given up in the time of one.
#[test]
fn a_dead_server_is_found_out_for_all_who_wait() {
    let [dead] = servers();
    let mut retry = Retry::default();
    (retry.attempts, retry.first_delay) = (2, Duration::from_secs(1));
    let sender = Sender::new(to(&dead)).unwrap().retry(retry);
    deliver(&sender);
    drop(dead);
    let start = Instant::now();
    let waiting = [(); 20].map(|()| sending(&sender));
    for over in waiting {
        let result = over.recv_timeout(SOON.saturating_sub(start.elapsed()));
        assert!(matches!(result, Ok(Err(Error::Connect(_)))));
    }
}

/// It may be that its name is wrong: whoever has written it down waits in front of the program.
#[test]
fn a_server_that_was_never_reached_is_told_of_at_once() {
    let dead = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = dead.local_addr().unwrap();
    drop(dead);
    let mut retry = Retry::default();
    (retry.attempts, retry.first_delay) = (u32::MAX, Duration::from_secs(3600));
    let sender = Sender::new(format!("smtp://{gone}")).unwrap().retry(retry);
    for messages in [1, 1, 20] {
        let told: Vec<_> = (0..messages).map(|_| sending(&sender)).collect();
        for over in told {
            let result = over.recv_timeout(SOON);
            assert!(matches!(result, Ok(Err(Error::Connect(_)))), "{result:?}");
        }
    }
}

/// With one connection in all, a busy server gives it up to whoever waits.
#[test]
fn everybody_has_a_turn() {
    let [busy, other] = servers();
    let all = Sender::new(to(&busy)).unwrap().max_in_all(1);
    let (stop, stopped) = channel::<()>();
    let busy_sender = all.clone();
    let senders = thread::spawn(move || {
        while stopped.try_recv().is_err() {
            deliver(&busy_sender);
        }
    });
    wait_for(|| busy.messages().len() > 2);
    for _ in 0..3 {
        let report = sending(&all.to(to(&other)).unwrap()).recv_timeout(SOON);
        assert!(report.unwrap().unwrap().is_delivered());
    }
    stop.send(()).unwrap();
    senders.join().unwrap();
    let is_open = |quits: Vec<bool>| quits.iter().filter(|it| !**it).count();
    wait_for(|| is_open(quits(&busy)) + is_open(quits(&other)) == 1);
}

/// What was learned of a server has a connection begin without waiting for it (PIPECONNECT), though it
/// was learned by the last message of one; if it holds no more, it is learned anew.
#[test]
fn a_server_may_change_what_it_offers() {
    const MORE: &str = "250-x\r\n250-SIZE 1000000\r\n250-PIPECONNECT\r\n250 PIPELINING\r\n";
    const LESS: &str = "250-x\r\n250 PIPELINING\r\n";
    const SCRIPTS: [Script; 4] = [
        &[("", "220 x\r\n"), ("EHLO", MORE), DELIVERS[2], DELIVERS[3]],
        &[("EHLO", "220 x\r\n"), ("", MORE), DELIVERS[2], DELIVERS[3]],
        &[("EHLO", "220 x\r\n"), ("", LESS), ("", "")],
        &[("", "220 x\r\n"), ("EHLO", LESS), DELIVERS[2], DELIVERS[3]],
    ];
    let server = Scripted::new(SCRIPTS);
    let mut retry = Retry::default();
    retry.first_delay = Duration::from_millis(1);
    let sender = Sender::new(server.url() + "?tls=none").unwrap();
    let sender = sender.retry(retry).max_messages(1);
    for _ in 0..3 {
        deliver(&sender);
    }
    let heard = server.heard();
    let begins = heard.iter().map(|it| it.contains("MAIL FROM"));
    assert_eq!(begins.collect::<Vec<_>>(), [true, true, false, true]);
    assert!(heard[0].contains(" SIZE=") && !heard[3].contains(" SIZE="));
}

/// Three messages after each other, over one connection.
const THREE: Script = &[
    DELIVERS[0],
    DELIVERS[1],
    DELIVERS[2],
    DELIVERS[3],
    DELIVERS[2],
    DELIVERS[3],
    DELIVERS[2],
    DELIVERS[3],
    ("QUIT", "221 x\r\n"),
];

#[test]
fn a_sender_keeps_to_its_bounds() {
    // On connections: who comes meanwhile waits, and takes the same.
    let server = Scripted::new([THREE]);
    let one = Sender::new(server.url()).unwrap().max_messages(3);
    for over in [(); 3].map(|()| sending(&one)) {
        assert!(over.recv_timeout(SOON).unwrap().unwrap().is_delivered());
    }
    // On messages: QUIT leaves with the last of them.
    let heard = &server.heard()[0];
    assert_eq!(heard.matches("MAIL FROM:").count(), 3, "{heard}");
    assert!(heard.ends_with("\r\n.\r\nQUIT\r\n"), "{heard}");

    // On the time that a connection waits.
    let server = Scripted::new([DELIVERS, DELIVERS]);
    let hasty = Sender::new(server.url()).unwrap();
    let hasty = hasty.idle_timeout(Duration::ZERO);
    for _ in 0..2 {
        deliver(&hasty);
    }
    assert_eq!(server.heard().len(), 2);
}
