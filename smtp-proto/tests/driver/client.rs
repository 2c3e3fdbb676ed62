//! The client's loop.

use std::{
    cell::RefCell,
    io::ErrorKind,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use smtp_proto::{
    client::{Body, Client, Config, Envelope, Outcome, Tls},
    delivery::{Courier, Error},
    driver::{ClientDriver, Presents},
    machine::{Fault, Step},
    syntax::Host,
};

use crate::wire::{Fake, Far};

/// A content in memory.
struct Content(&'static str);

impl Presents for Content {
    fn size(&self) -> Option<u64> {
        Some(self.0.len() as u64)
    }

    fn present(&mut self, offset: u64, _: &mut Context<'_>) -> Option<Body<'_>> {
        let at = usize::try_from(offset).unwrap();
        Some(Body::Last(&self.0.as_bytes()[at..]))
    }
}

type Driver = ClientDriver<Fake, Content>;

/// Returns a client of a far end that says so, and that end.
fn client(tls: Tls, acceptor: Option<()>, far: Far) -> (Driver, Rc<RefCell<Far>>) {
    let far = Rc::new(RefCell::new(Far {
        may_speak: true,
        ..far
    }));
    let config = Config::new(Host::parse("client.example").unwrap()).tls(tls);
    let courier = Courier::new(Client::new(config, Duration::ZERO));
    let wire = Fake(Rc::clone(&far));
    (ClientDriver::new(wire, acceptor, courier), far)
}

/// Returns the same without TLS.
fn plain(far: Far) -> (Driver, Rc<RefCell<Far>>) {
    client(Tls::Off, None, far)
}

/// Polls until there is an answer; a wire that does nothing more would keep it for ever.
fn wait<R>(driver: &mut Driver, mut answer: impl FnMut(&mut Courier<Content>) -> Poll<R>) -> R {
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..10_000 {
        if let Poll::Ready(answer) = driver.poll_wait(&mut answer, &mut cx) {
            return answer;
        }
    }
    panic!("it hangs");
}

const SENDS: [&str; 6] = [
    "220 x\r\n",
    "250-x\r\n250 PIPELINING\r\n",
    "250 x\r\n250 x\r\n354 x\r\n",
    "250 x\r\n",
    "221 x\r\n",
    "",
];

/// However little is taken at a time, everything leaves once and in order.
#[test]
fn what_is_held_up_leaves_before_more_is_collected() {
    let mut heard = Vec::new();
    for gulp in [0, 1, 7] {
        let (mut driver, far) = plain(Far {
            says: SENDS.into_iter().map(Ok).collect(),
            gulp,
            ..Far::default()
        });
        let envelope = Envelope::new("a@x").unwrap().to("b@y").unwrap();
        let message = driver.submit(envelope, Content("x\r\n.\r\ny\r\n")).unwrap();
        let report = wait(&mut driver, |courier| courier.report(message));
        assert!(report.unwrap().0.is_delivered());
        driver.courier_mut().session_mut().announce_quit();
        wait(&mut driver, |courier| courier.ended()).unwrap();
        heard.push(std::mem::take(&mut far.borrow_mut().heard));
    }
    assert!(
        heard[0].ends_with("DATA\r\nx\r\n..\r\ny\r\n.\r\nQUIT\r\n"),
        "{}",
        heard[0]
    );
    assert_eq!(heard, [heard[0].as_str(); 3]);
}

/// 3207-4-h: whatever keeps TLS from being there, nothing passes in its place.
#[test]
fn a_handshake_that_fails_leaves_nothing_in_clear() {
    for (acceptor, why) in [
        (None, ErrorKind::Unsupported),
        (Some(()), ErrorKind::ConnectionAborted),
    ] {
        let replies = ["220 x\r\n", "250-x\r\n250 STARTTLS\r\n", "220 x\r\n"];
        let (mut driver, far) = client(
            Tls::Required,
            acceptor,
            Far {
                says: replies.into_iter().map(Ok).collect(),
                ..Far::default()
            },
        );
        let error = wait(&mut driver, |courier| courier.opened()).unwrap_err();
        assert_eq!(error.fault(), Fault::TlsFailed);
        let explained = driver.endpoint().explain(error);
        let Error::Session { transport, .. } = explained else {
            panic!("{explained:?}");
        };
        assert_eq!(transport.unwrap().kind(), why);
        assert!(far.borrow().has_hung_up);
        assert!(far.borrow().heard.ends_with("STARTTLS\r\n"));
    }
}

/// An error of the wire is of both directions, and it is told with what the machine makes of it.
#[test]
fn nothing_is_written_after_a_reset() {
    let greeting = [Ok("220 x\r\n"), Err(ErrorKind::ConnectionReset.into())];
    let (mut driver, far) = plain(Far {
        says: greeting.into(),
        ..Far::default()
    });
    let error = wait(&mut driver, |courier| courier.opened()).unwrap_err();
    assert_eq!(error.fault(), Fault::ConnectionLost);
    driver.take_leave(&mut Context::from_waker(Waker::noop()));
    assert_eq!(far.borrow().heard, "EHLO client.example\r\n");
    let explained = driver.endpoint().explain(error).to_string();
    assert!(explained.contains("reset"), "{explained}");
}

/// What has come is told before anything more is written, whether that could be or not: a refusal stops
/// the content that it is about.
#[test]
fn what_has_come_is_told_before_more_is_written() {
    const HEARD: usize = 40_000;
    let content: &str = "x".repeat(98).leak();
    let content: &str = format!("{content}\r\n").repeat(1000).leak();
    for resumes in [true, false] {
        let (mut driver, far) = plain(Far {
            says: SENDS[..3].iter().copied().map(Ok).collect(),
            stays: true,
            interrupts: Some((HEARD, "552 too much\r\n")),
            takes: Some(HEARD),
            resumes,
            ..Far::default()
        });
        let envelope = Envelope::new("a@x").unwrap().to("b@y").unwrap();
        let message = driver.submit(envelope, Content(content)).unwrap();
        let mut report = |courier: &mut Courier<_>| courier.report(message);
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(Some((report, _))) = driver.poll_wait(&mut report, &mut cx) else {
            panic!("nothing more would wake it");
        };
        assert!(matches!(report.outcome, Outcome::Refused(it) if it.step == Step::Content));
        assert_eq!(far.borrow().heard.len(), HEARD);
    }
}

/// What has come is the answer, though the server says nothing more.
#[test]
fn what_has_come_is_told_without_another_read() {
    let (mut driver, _far) = plain(Far {
        says: SENDS[..2].iter().copied().map(Ok).collect(),
        stays: true,
        ..Far::default()
    });
    let mut cx = Context::from_waker(Waker::noop());
    let opened = driver.poll_wait(&mut |courier| courier.opened(), &mut cx);
    assert_eq!(opened, Poll::Ready(Ok(())));
}

/// A server that takes no notice keeps nobody waiting for longer than a second.
#[test]
fn a_farewell_that_is_not_taken_is_given_up() {
    let (mut driver, far) = plain(Far {
        says: SENDS[..2].iter().copied().map(Ok).collect(),
        ignores_shutdown: true,
        ..Far::default()
    });
    wait(&mut driver, |courier| courier.opened()).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    for (now, is_over) in [(700, false), (1699, false), (1700, true)] {
        far.borrow_mut().now = Duration::from_millis(now);
        assert_eq!(driver.poll_close(&mut cx).is_ready(), is_over, "{now}");
    }
}
