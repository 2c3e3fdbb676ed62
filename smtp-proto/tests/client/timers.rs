//! How long a client waits (RFC 5321 4.5.3.2).

use crate::dialogue::{Dialogue, ONE, config, connection_ended, delivered, reply};
use smtp_proto::{
    client::{Event, Outcome, Pipelining},
    machine::{Fault, Timer},
};
use std::time::Duration;

/// 5321-4.3.1-b, 5321-2.2.1-b: nothing before the greeting, then EHLO.
#[test]
fn waits_for_the_greeting() {
    let mut d = Dialogue::with(config(Pipelining::LookAhead));
    d.submit("a@example.org", &ONE);
    d.sends("");
    d.says("220-server.example\r\n220 hello\r\n");
    d.reports(&[Event::Greeting {
        reply: reply("220-server.example\r\n220 hello\r\n"),
    }]);
    d.sends("EHLO client.example\r\n");
    d.says("250 server.example\r\n");
    d.reports(&[Event::Ready]);
    d.sends("MAIL FROM:<a@example.org>\r\n");
}

/// 5321-4.5.3.2-a: each wait has its timer; a slow body source has none.
#[test]
fn timers_follow_the_dialogue() {
    let minutes = |n: u64| Some(Duration::from_secs(60 * n));
    let mut d = Dialogue::with(config(Pipelining::LockStep));
    let m = d.submit("a@example.org", &ONE);
    let expect = |d: &mut Dialogue, sends: &str, wait, says: &str| {
        d.sends(sends);
        assert_eq!(d.client.poll_timeout(), wait, "{sends}");
        d.says(says);
    };
    expect(&mut d, "", minutes(5), "220 x\r\n");
    assert_eq!(d.client.poll_timeout(), None);
    expect(&mut d, "EHLO client.example\r\n", minutes(5), "250 x\r\n");
    expect(
        &mut d,
        "MAIL FROM:<a@example.org>\r\n",
        minutes(5),
        "250 x\r\n",
    );
    expect(
        &mut d,
        "RCPT TO:<b@example.net>\r\n",
        minutes(5),
        "250 x\r\n",
    );
    expect(&mut d, "DATA\r\n", minutes(2), "354 x\r\n");
    assert_eq!(d.client.poll_timeout(), None);
    expect(&mut d, crate::dialogue::STUFFED, minutes(10), "");
    d.now = Duration::from_secs(599);
    d.client.handle_timeout(d.now);
    d.says("");
    assert_eq!(d.error, None);
    d.now = Duration::from_secs(600);
    d.client.handle_timeout(d.now);
    d.says("");
    d.finishes(&[(m, Outcome::InDoubt)]);
    let error = d.error.unwrap();
    assert_eq!(error.fault(), Fault::TimedOut(Timer::DataTermination));
    assert_eq!(
        error.to_string(),
        "timed out waiting for the reply to the end of a message (waiting for the reply to the content)"
    );
}

/// Each step can have a time of its own; commands that leave together have the longest of theirs.
#[test]
fn each_step_has_the_time_that_is_set_for_it() {
    let seconds = |n| Some(Duration::from_secs(n));
    let mut timeouts = smtp_proto::client::Timeouts::default();
    timeouts.greeting = Duration::from_secs(1);
    timeouts.hello = seconds(2);
    timeouts.mail = seconds(3);
    timeouts.recipient = seconds(4);
    timeouts.data_initiation = Duration::from_secs(5);
    timeouts.data_termination = Duration::from_secs(6);
    timeouts.reset = seconds(7);
    for (pipelining, offer, waits) in [
        (Pipelining::LockStep, "250 x\r\n", [3, 4, 5]),
        (Pipelining::Group, "250-x\r\n250 PIPELINING\r\n", [5, 5, 5]),
    ] {
        let mut d = Dialogue::with(config(pipelining).timeouts(timeouts));
        let waits_for = |d: &Dialogue, n| {
            let until = d.client.poll_timeout().unwrap();
            assert_eq!(Some(until - d.now), seconds(n));
        };
        let m = d.submit("a@example.org", &ONE);
        waits_for(&d, 1);
        d.says("220 x\r\n");
        d.written();
        waits_for(&d, 2);
        d.says(offer);
        for (wait, reply) in waits
            .into_iter()
            .zip(["250 x\r\n", "250 x\r\n", "354 x\r\n"])
        {
            d.written();
            waits_for(&d, wait);
            d.says(reply);
        }
        d.written();
        waits_for(&d, 6);
        // Nothing else has changed.
        d.says("250 x\r\n");
        d.finishes(&[(m, delivered("250 x\r\n"))]);
        assert_eq!(d.client.poll_timeout(), None);
    }
}

/// A peer that takes nothing is given up after the write timer.
#[test]
fn a_peer_that_reads_nothing_is_given_up() {
    let mut d = Dialogue::begin(Pipelining::LookAhead, &["PIPELINING"]);
    let m = d.submit("a@example.org", &ONE);
    d.client.poll_transmit(None, d.now).unwrap().blocked(d.now);
    assert_eq!(d.client.poll_timeout(), Some(Duration::from_secs(180)));
    d.client.handle_timeout(Duration::from_secs(180));
    d.says("");
    d.finishes(&[(m, connection_ended())]);
    assert_eq!(d.error.unwrap().fault(), Fault::TimedOut(Timer::Write));
}

/// of the timers of a flight the most patient holds, anew from each reply on.
#[test]
fn the_most_patient_timer_holds() {
    let mut d = Dialogue::begin(Pipelining::LookAhead, &["PIPELINING"]);
    d.submit("a@example.org", &ONE);
    d.submit("a@example.org", &ONE);
    let expect = |d: &mut Dialogue, now, seconds| {
        d.now = Duration::from_secs(now);
        assert!(!d.written().is_empty());
        let due = Duration::from_secs(now + seconds);
        assert_eq!(d.client.poll_timeout(), Some(due));
    };
    expect(&mut d, 0, 300);
    d.now = Duration::from_secs(100);
    d.says("250 ok\r\n");
    assert_eq!(d.client.poll_timeout(), Some(Duration::from_secs(400)));
    d.says("250 ok\r\n354 go\r\n");
    expect(&mut d, 200, 600);
}
