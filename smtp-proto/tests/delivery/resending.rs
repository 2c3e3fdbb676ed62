//! What is sent again, to whom, and when.

use std::{task::Poll, time::Duration};

use smtp_proto::{
    client::{Body, Client, Config, Envelope, Outcome},
    delivery::{Backoff, Courier, Next, Report, Resending, Retry},
    syntax::{Host, Notify, RcptParameters},
    testing::End,
};

const NOW: Duration = Duration::ZERO;

fn envelope() -> Envelope<'static> {
    let mut parameters = RcptParameters::default();
    parameters.notify = Some(Notify::NEVER);
    Envelope::new("a@x.example")
        .unwrap()
        .to("one@y.example")
        .unwrap()
        .to("two@y.example")
        .unwrap()
        .recipient_with("three@y.example".try_into().unwrap(), parameters)
}

fn present(_: &mut (), offset: u64) -> Option<Body<'_>> {
    let rest = b"x\r\n".get(usize::try_from(offset).unwrap()..);
    Some(Body::Last(rest.unwrap_or_default()))
}

/// Sends to a server that says these flights, one for each of ours, and is gone.
fn send(envelope: &Envelope<'_>, flights: &[&str]) -> (Report, String) {
    let config = Config::new(Host::parse("client.example").unwrap());
    let mut courier = End::new(Courier::new(Client::new(config, NOW)));
    let message = courier.submit(envelope.into(), None, ()).unwrap();
    let mut wire = Vec::new();
    let mut flights = flights.iter();
    loop {
        match flights.next() {
            Some(flight) => courier.feed(flight.as_bytes()),
            None => courier.machine_mut().handle_eof(),
        }
        courier.hear(NOW);
        if let Poll::Ready(Some((report, _))) = courier.report(message) {
            return (report, String::from_utf8(wire).unwrap());
        }
        courier.speak(NOW, present, &mut wire);
    }
}

const HELLO: &str = "250-x\r\n250-DSN\r\n250 PIPELINING\r\n";

#[test]
fn exactly_those_to_whom_it_was_not_sent_get_it_again() {
    let mut resending = Resending::new(envelope(), 3);
    // One is refused for good; the connection is cut before DATA is answered.
    let (report, _) = send(
        resending.envelope(),
        &["220 x\r\n", HELLO, "250 x\r\n550 no\r\n250 x\r\n250 x\r\n"],
    );
    assert_eq!(resending.observe(report), Next::Send);
    let left = resending.envelope();
    assert_eq!(left.recipients().len(), 2);
    let (report, wire) = send(
        left,
        &[
            "220 x\r\n",
            HELLO,
            "250 x\r\n250 2\r\n250 3\r\n354 x\r\n",
            "250 taken\r\n",
        ],
    );
    assert!(
        wire.contains(
            "RCPT TO:<two@y.example>\r\nRCPT TO:<three@y.example> NOTIFY=NEVER\r\nDATA\r\n"
        ),
        "{wire}"
    );
    assert_eq!(resending.observe(report), Next::Nothing);
    let report = resending.into_report().unwrap();
    assert!(matches!(
        report.recipients[..],
        [
            Outcome::Refused(_),
            Outcome::Delivered(_),
            Outcome::Delivered(_)
        ]
    ));
    let answers: Vec<_> = report.answers.iter().flatten().collect();
    assert_eq!(answers[0].as_bytes(), b"550 no\r\n");
    assert_eq!(answers[2].as_bytes(), b"250 3\r\n");
}

/// RFC 1047: whoever sends it again may deliver it twice, and has to know.
#[test]
fn somebody_is_asked_about_those_in_doubt() {
    const CUT: &[&str] = &[
        "220 x\r\n",
        HELLO,
        "250 x\r\n250 x\r\n250 x\r\n250 x\r\n354 x\r\n",
    ];
    for (again, expected) in [(false, Next::Nothing), (true, Next::Send)] {
        let mut resending = Resending::new(envelope(), 3);
        let (report, _) = send(resending.envelope(), CUT);
        assert!(matches!(report.outcome, Outcome::InDoubt));
        assert_eq!(resending.observe(report), Next::Ask);
        assert_eq!(resending.resolve(again), expected);
        assert_eq!(resending.envelope().recipients().len(), 3);
    }
}

#[test]
fn a_reason_that_stays_and_a_bound_end_it() {
    // A content that is too large for the server.
    let mut resending = Resending::new(envelope().size(2_000), 3);
    let hello = "250-x\r\n250 SIZE 1000\r\n";
    let (report, wire) = send(resending.envelope(), &["220 x\r\n", hello]);
    assert!(!wire.contains("MAIL"));
    assert_eq!(resending.observe(report), Next::Nothing);

    let mut resending = Resending::new(envelope(), 3);
    assert_eq!(resending.failed(), Next::Send);
    let (report, _) = send(resending.envelope(), &["220 x\r\n"]);
    assert_eq!(resending.observe(report), Next::Send);
    assert_eq!(resending.failed(), Next::Nothing);
    assert!(resending.into_report().is_some());
}

#[test]
fn a_server_that_fails_is_left_alone_for_longer_each_time() {
    let mut retry = Retry::default();
    retry.longest_delay = Duration::from_secs(5);
    let mut backoff = Backoff::default();
    assert_eq!(backoff.wait(NOW), Duration::ZERO);
    let mut now = NOW;
    for seconds in [1, 2, 4, 5, 5] {
        backoff.failed(&retry, now);
        assert_eq!(backoff.wait(now), Duration::from_secs(seconds));
        now += Duration::from_secs(seconds);
        assert_eq!(backoff.wait(now), Duration::ZERO);
    }
    assert_eq!(retry.delay(u32::MAX), Duration::from_secs(5));
    backoff.succeeded();
    backoff.failed(&retry, now);
    assert_eq!(backoff.wait(now), Duration::from_secs(1));
}

/// Connections that were there at once fail together: that is one failure of the server's.
#[test]
fn connections_that_fail_together_are_one_failure() {
    let retry = Retry::default();
    let mut backoff = Backoff::default();
    for millisecond in 0..16 {
        backoff.failed(&retry, NOW + Duration::from_millis(millisecond));
    }
    assert_eq!(backoff.wait(NOW), Duration::from_secs(1));
    backoff.failed(&retry, NOW + Duration::from_secs(1));
    assert_eq!(
        backoff.wait(NOW + Duration::from_secs(1)),
        Duration::from_secs(2)
    );
}

/// 9422-4-c: A server that takes one domain in a session is asked as often as it takes, since each session
/// does what it may.
#[test]
fn a_session_that_did_all_it_may_is_no_failed_try() {
    let to = ["a@1.example", "b@2.example", "c@3.example", "d@4.example"];
    let envelope = Envelope::new("a@x.example").unwrap();
    let add = |envelope: Envelope<'static>, to: &'static str| envelope.to(to).unwrap();
    let mut resending = Resending::new(to.into_iter().fold(envelope, add), 1);
    let hello = "250-x\r\n250-PIPELINING\r\n250 LIMITS RCPTDOMAINMAX=1\r\n";
    for recipient in to {
        let (report, wire) = send(
            resending.envelope(),
            &[
                "220 x\r\n",
                hello,
                "250 x\r\n250 x\r\n354 x\r\n",
                "250 taken\r\n",
            ],
        );
        let rcpt = format!("\r\nRCPT TO:<{recipient}>\r\nDATA\r\n");
        assert!(wire.contains(&rcpt), "{wire}");
        let next = match recipient {
            "d@4.example" => Next::Nothing,
            _ => Next::Send,
        };
        assert_eq!(resending.observe(report), next);
    }
    assert!(resending.into_report().unwrap().is_delivered());
}
