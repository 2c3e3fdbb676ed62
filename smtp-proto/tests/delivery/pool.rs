//! Whose turn it is for a connection, and which one it gets.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use smtp_proto::{
    client::{Client, Config, Envelope},
    delivery::{Content, Courier, Error, Place, Policy, Pool, Sending, Server, Supply, Turn},
    syntax::{Host, MailParameters},
};

const NOW: Duration = Duration::ZERO;

/// There is none.
enum Never {}

impl Supply for Never {
    fn can_seek(&self) -> bool {
        match *self {}
    }

    fn poll_read(
        &mut self,
        _: u64,
        _: &mut Vec<u8>,
        _: &mut Context<'_>,
    ) -> Poll<io::Result<bool>> {
        match *self {}
    }
}

fn message(needs_verified_tls: bool) -> Sending<Never> {
    let mut parameters = MailParameters::default();
    parameters.require_tls = needs_verified_tls;
    let envelope = Envelope::new("a@x.example").unwrap();
    let envelope = envelope.to("b@y.example").unwrap().parameters(parameters);
    Sending::new(&Policy::default(), envelope, Content::from("x\r\n"))
}

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A pool whose connections are names; those that begin with `v` are to verified servers.
struct Desk {
    pool: Pool<&'static str, &'static str>,
    policy: Policy,
}

impl Desk {
    fn new(max_connections: usize, max_in_all: usize) -> Self {
        let mut policy = Policy::default();
        (policy.max_connections, policy.max_in_all) = (max_connections, max_in_all);
        Self {
            pool: Pool::default(),
            policy,
        }
    }

    fn enter(&mut self, host: &str, key: &'static str, needs_verified_tls: bool) -> Place {
        let server = Server::from((host, 25));
        self.pool.enter(&server, &key, &message(needs_verified_tls))
    }

    /// Returns the connection, or the way to open one.
    fn turn(&mut self, place: &mut Place, waker: &Waker) -> Option<&'static str> {
        let is_verified = |it: &&str| it.starts_with('v');
        let turn = self
            .pool
            .poll_turn(place, &self.policy, is_verified, NOW, waker);
        match turn {
            Poll::Ready(Turn::Use(connection) | Turn::Open(connection, _)) => Some(connection),
            Poll::Ready(Turn::Wait(_) | Turn::Failed(_)) | Poll::Pending => None,
        }
    }

    /// Returns whether a place is told that the server cannot be reached.
    fn is_failed(&mut self, place: &mut Place) -> bool {
        self.is_failed_at(place, NOW)
    }

    fn is_failed_at(&mut self, place: &mut Place, now: Duration) -> bool {
        let turn = self
            .pool
            .poll_turn(place, &self.policy, |_| true, now, Waker::noop());
        matches!(turn, Poll::Ready(Turn::Failed(Error::Connect(_))))
    }

    /// Has a server say once that it is busy, which nobody minds.
    fn hear_of(&mut self, host: &str, key: &'static str) {
        let mut place = self.enter(host, key, false);
        let config = Config::new(Host::parse("client.example").unwrap());
        let mut courier = Courier::<()>::new(Client::new(config, NOW));
        courier.receive(&mut &b"421 4.3.2 Busy\r\n"[..], NOW);
        let error = Error::session(courier.failure().unwrap().clone(), None);
        let mut patient = Policy::default();
        patient.retry.first_delay = Duration::ZERO;
        self.pool.failed(&mut place, &patient, &error, NOW);
        self.pool.leave(&mut place);
    }

    fn give_back(&mut self, mut place: Place, connection: &'static str) {
        self.pool.keep(&place, connection, NOW);
        self.pool.leave(&mut place);
    }
}

/// RFC 8689 4.2.1: what has to travel verified does not go by a connection that is found not to be.
#[test]
fn a_verified_connection_is_used_where_one_is_needed() {
    let mut desk = Desk::new(2, 9);
    let waker = Waker::noop();
    let mut places = [(); 2].map(|()| desk.enter("mx", "open", false));
    for place in &mut places {
        assert_eq!(desk.turn(place, waker), Some("open"));
    }
    for (place, connection) in places.into_iter().zip(["verified", "unverified"]) {
        desk.give_back(place, connection);
    }
    let mut place = desk.enter("mx", "open", true);
    assert_eq!(desk.turn(&mut place, waker), Some("verified"));
    // There is no other, and the one that is there makes way.
    let mut next = desk.enter("mx", "open", true);
    assert_eq!(desk.turn(&mut next, waker), Some("open"));
    assert_eq!(desk.pool.take_leaving(), ["unverified"]);
}

/// Whoever gives up, whether its turn has come or not, keeps nobody waiting.
#[test]
fn a_place_that_is_left_is_the_next_ones() {
    let mut desk = Desk::new(1, 2);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut first = desk.enter("mx", "a", false);
    assert!(desk.turn(&mut first, &waker).is_some());
    let [mut second, mut third] = [(); 2].map(|()| desk.enter("mx", "a", false));
    assert!(desk.turn(&mut second, &waker).is_none() && desk.turn(&mut third, &waker).is_none());
    desk.pool.leave(&mut first);
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    // It was woken, and does not come.
    assert!(desk.turn(&mut third, &waker).is_none(), "not its turn");
    desk.pool.leave(&mut second);
    assert_eq!(woken.0.load(Ordering::Relaxed), 2);
    assert!(desk.turn(&mut third, &waker).is_some());

    // In all there may be one more; it is the first's of two servers that wait.
    let mut places = ["b", "c", "d"].map(|host| desk.enter(host, "a", false));
    let turns = places
        .each_mut()
        .map(|place| desk.turn(place, &waker).is_some());
    assert_eq!(turns, [true, false, false]);
    desk.pool.leave(&mut third);
    assert!(desk.turn(&mut places[2], &waker).is_none());
    desk.pool.leave(&mut places[1]);
    assert!(desk.turn(&mut places[2], &waker).is_some());
}

/// Whoever waits for a server need not find out by itself that there is none: otherwise the last of many
/// would wait for all the others' tries, and the times between them.
#[test]
fn a_failure_to_connect_is_that_of_all_who_wait() {
    let mut desk = Desk::new(1, 9);
    let waker = Waker::noop();
    desk.hear_of("mx", "a");
    let mut first = desk.enter("mx", "a", false);
    assert_eq!(desk.turn(&mut first, waker), Some("a"));
    let mut waiting = [(); 3].map(|()| desk.enter("mx", "a", false));
    let mut others = ["mx", "other"].map(|host| desk.enter(host, "b", false));
    assert!(desk.turn(&mut waiting[0], waker).is_none() && !desk.is_failed(&mut waiting[0]));

    let error = Error::connect(io::ErrorKind::ConnectionRefused.into());
    desk.pool.failed(&mut first, &desk.policy, &error, NOW);
    desk.pool.leave(&mut first);
    for place in &mut waiting {
        assert!(desk.is_failed(place));
        desk.pool.leave(place);
    }
    // Not of those who go another way, nor of those who come after it: they wait their time, and try.
    for place in &mut others {
        assert_eq!(desk.turn(place, waker), Some("b"));
        desk.pool.leave(place);
    }
    let mut late = desk.enter("mx", "a", false);
    assert!(desk.turn(&mut late, waker).is_none() && !desk.is_failed(&mut late));
}

/// A server that takes no more connections than it has does its work: who waits goes on to wait.
#[test]
fn a_server_that_takes_no_more_connections_fails_nobody_who_waits() {
    let mut desk = Desk::new(2, 9);
    let mut places = [(); 4].map(|()| desk.enter("mx", "a", false));
    let turns = places
        .each_mut()
        .map(|place| desk.turn(place, Waker::noop()).is_some());
    assert_eq!(turns, [true, true, false, false]);
    let error = Error::connect(io::ErrorKind::ConnectionReset.into());
    desk.pool.failed(&mut places[1], &desk.policy, &error, NOW);
    desk.pool.leave(&mut places[1]);
    assert!(!desk.is_failed(&mut places[2]));
    let [first, _, _, mut last] = places;
    desk.give_back(first, "open");
    assert_eq!(desk.turn(&mut last, Waker::noop()), Some("open"));
}

/// A server that has never answered may not be one: nobody waits for it, nor tries again. Each time that
/// it is left alone is short, so that it is found soon once it is there.
#[test]
fn nobody_waits_for_a_server_that_has_never_answered() {
    let mut desk = Desk::new(1, 9);
    let error = Error::connect(io::ErrorKind::ConnectionRefused.into());
    let retry = desk.policy.retry;
    let gives_up = |place: &Place| place.failed(message(false), error.clone()).is_break();
    for tries in 0..9 {
        let now = retry.first_delay * tries;
        let mut first = desk.enter("mx", "a", false);
        assert!(!desk.is_failed_at(&mut first, now), "the time is over");
        desk.pool.failed(&mut first, &desk.policy, &error, now);
        assert!(gives_up(&first));
        desk.pool.leave(&mut first);
        let mut late = desk.enter("mx", "a", false);
        assert!(!gives_up(&late));
        assert!(desk.is_failed_at(&mut late, now));
        assert!(gives_up(&late));
        desk.pool.leave(&mut late);
    }
    desk.hear_of("mx", "a");
    let now = retry.first_delay * 9;
    let mut first = desk.enter("mx", "a", false);
    assert!(!desk.is_failed_at(&mut first, now));
    desk.pool.failed(&mut first, &desk.policy, &error, now);
    assert!(!gives_up(&first));
}
