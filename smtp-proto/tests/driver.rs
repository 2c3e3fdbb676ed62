//! The loops of both adapters, over a wire that does as a test says.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io::{self, ErrorKind, IoSlice},
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use smtp_proto::{
    client::{Body, Client, Config, Envelope, Tls},
    delivery::{Courier, Error},
    driver::{ClientDriver, Presents, Wire},
    machine::{Fault, TlsInfo},
    syntax::Host,
};

/// What a wire leads to.
#[derive(Debug, Default)]
struct Far {
    /// What it says, each once something was written, the first at once.
    replies: VecDeque<io::Result<&'static str>>,
    /// How many bytes it takes at a time, with a pause after each; 0 is all.
    gulp: usize,
    is_paused: bool,
    may_speak: bool,
    heard: String,
    unflushed: usize,
    has_hung_up: bool,
}

/// A wire over which nothing takes time.
#[derive(Debug)]
struct Fake(Rc<RefCell<Far>>);

impl Wire for Fake {
    type Tls = ();

    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn poll_read(
        &mut self,
        _: &mut Context<'_>,
        buffer: &mut [u8],
        _: Duration,
    ) -> Poll<io::Result<usize>> {
        let mut far = self.0.borrow_mut();
        if far.unflushed > 0 || !std::mem::take(&mut far.may_speak) {
            return Poll::Pending;
        }
        Poll::Ready(match far.replies.pop_front() {
            Some(reply) => reply.map(|reply| {
                buffer[..reply.len()].copy_from_slice(reply.as_bytes());
                reply.len()
            }),
            None => Ok(0),
        })
    }

    fn poll_write(
        &mut self,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut far = self.0.borrow_mut();
        assert!(!far.has_hung_up, "nothing passes any more");
        if far.gulp > 0 && !std::mem::replace(&mut far.is_paused, false) {
            far.is_paused = true;
            return Poll::Pending;
        }
        let all: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
        let bytes = if far.gulp > 0 { far.gulp } else { all.len() }.min(all.len());
        far.heard
            .push_str(std::str::from_utf8(&all[..bytes]).unwrap());
        far.unflushed += bytes;
        Poll::Ready(Ok(bytes))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut far = self.0.borrow_mut();
        far.may_speak |= far.unflushed > 0;
        far.unflushed = 0;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_handshake(
        &mut self,
        (): &(),
        _: &mut Context<'_>,
        _: Duration,
    ) -> Poll<io::Result<TlsInfo>> {
        assert_eq!(
            self.0.borrow().unflushed,
            0,
            "all that goes before has left"
        );
        Poll::Ready(Err(ErrorKind::ConnectionAborted.into()))
    }

    fn hang_up(&mut self) {
        self.0.borrow_mut().has_hung_up = true;
    }

    fn poll_until(&mut self, _: &mut Context<'_>, _: Duration) -> Poll<()> {
        Poll::Pending
    }
}

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
        let (mut driver, far) = client(
            Tls::Off,
            None,
            Far {
                replies: SENDS.into_iter().map(Ok).collect(),
                gulp,
                ..Far::default()
            },
        );
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
                replies: replies.into_iter().map(Ok).collect(),
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
    let (mut driver, far) = client(
        Tls::Off,
        None,
        Far {
            replies: greeting.into(),
            ..Far::default()
        },
    );
    let error = wait(&mut driver, |courier| courier.opened()).unwrap_err();
    assert_eq!(error.fault(), Fault::ConnectionLost);
    driver.take_leave(&mut Context::from_waker(Waker::noop()));
    assert_eq!(far.borrow().heard, "EHLO client.example\r\n");
    let explained = driver.endpoint().explain(error).to_string();
    assert!(explained.contains("reset"), "{explained}");
}
