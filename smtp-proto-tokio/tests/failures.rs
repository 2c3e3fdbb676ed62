//! What the client reports when something fails: transport, server, or body.

mod support;

use std::{
    error::Error as _,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use smtp_proto::{
    client::{NotSentReason, Outcome, Pipelining},
    machine::{Fault, Misuse},
};
use smtp_proto_tokio::{Body, Client, Error};
use support::{
    POLICIES, Store, client_config, content, drain, in_doubt, is_delivered, one, script, serve,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[tokio::test]
async fn what_the_end_of_the_connection_leaves_open_is_reported_before_the_error() {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let server = script(
        far,
        &[
            ("", "220 x\r\n"),
            (
                "EHLO",
                "250-x\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250 CHUNKING\r\n",
            ),
            // The first message goes by DATA, with the proof that chunks are swallowed.
            (
                "DATA\r\n",
                "250 ok\r\n503 no\r\n250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n",
            ),
            (
                "BDAT 4 LAST\r\n12\r\n",
                "250 zeroth\r\n250 ok\r\n250 ok\r\n250 ok\r\n",
            ),
            ("BDAT 4 LAST\r\n2\r\n", "250 first\r\n"),
        ],
    );
    let policy = Pipelining::Stream { window: 2 };
    let mut client = Client::with_stream(near, client_config(policy)).unwrap();
    client.submit(one(), "0\r\n").unwrap();
    client.submit(one(), "12\r\n").unwrap();
    client.submit(one(), "2\r\n.").unwrap();
    client.submit(one(), "3\r\n").unwrap();
    client.submit(one(), "4\r\n").unwrap();
    let (reports, result) = drain(&mut client).await;
    let outcomes: Vec<_> = reports.iter().map(|report| &report.outcome).collect();
    assert_eq!(reports.len(), 5);
    assert!(reports[..2].iter().all(is_delivered), "{outcomes:?}");
    assert_eq!(outcomes[2], &Outcome::InDoubt);
    assert_eq!(
        in_doubt(&reports),
        2,
        "the window bounds the doubt: {outcomes:?}"
    );
    assert_eq!(
        outcomes[4],
        &Outcome::NotSent(NotSentReason::ConnectionEnded.into())
    );
    let Err(Error::Session { error, .. }) = result else {
        panic!("{result:?}");
    };
    let fault = error.fault(); // whether a read or a write hears of it first is the transport's
    assert!(matches!(fault, Fault::ConnectionLost | Fault::WriteFailed));
    // It stays so.
    assert!(matches!(
        client.next_report().await,
        Err(Error::Session { .. })
    ));
    assert!(matches!(
        client.send(&one(), "").await,
        Err(Error::Session { .. })
    ));
    assert!(matches!(client.quit().await, Err(Error::Session { .. })));
    assert_eq!(client.submit(one(), ""), Err(Misuse::Ending));
    server.await.unwrap();
}

/// Takes so many bytes, and then fails every write.
struct Cut {
    inner: tokio::io::DuplexStream,
    left: usize,
    failure: Failure,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Failure {
    /// Nothing is written any more.
    Write,
    /// What was to be written was, as a layer of TLS may have done, and nothing is read any more.
    Read,
    /// It has come to that, and will soon be known.
    Dying,
    Dead,
}

impl AsyncRead for Cut {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.failure {
            Failure::Dying => {
                self.failure = Failure::Dead;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Failure::Dead => return Poll::Ready(Ok(())),
            Failure::Write | Failure::Read => {}
        }
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Cut {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.left == 0 {
            if self.failure == Failure::Read {
                self.failure = Failure::Dying;
                let _ = Pin::new(&mut self.inner).poll_write(cx, bytes);
            }
            return Poll::Ready(Err(io::Error::other("cut")));
        }
        let taken = bytes.len().min(self.left);
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, &bytes[..taken]))?;
        self.left -= written;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_fails_anywhere_leaves_every_message_with_the_right_outcome() {
    // The server took a message or it did not, and the report never says the contrary.
    let failures = [Failure::Write, Failure::Read];
    for (policy, failure) in POLICIES
        .iter()
        .flat_map(|it| failures.map(|failure| (*it, failure)))
    {
        for left in 0..600 {
            let store = Arc::new(Store::default());
            let (inner, server) = serve(&store, 64 * 1024);
            let cut = Cut {
                inner,
                left,
                failure,
            };
            let mut client = Client::with_stream(cut, client_config(policy)).unwrap();
            for index in 0..4 {
                client.submit(one(), content(index)).unwrap();
            }
            client.announce_quit();
            let (reports, result) = drain(&mut client).await;
            drop(client);
            // The server may end in error as well.
            let _ = server.await.unwrap();
            assert_eq!(reports.len(), 4, "{policy:?} {failure:?} {left}");
            let stored = store.messages.lock().unwrap();
            for (index, report) in reports.iter().enumerate() {
                let is_stored = stored.iter().any(|it| it.content == content(index));
                match &report.outcome {
                    Outcome::Delivered(_) => {
                        assert!(is_stored, "{policy:?} {failure:?} {left} {index}")
                    }
                    // Refused is what the server timed out on.
                    Outcome::NotSent(_) | Outcome::Refused(_) => {
                        assert!(!is_stored, "{policy:?} {failure:?} {left} {index}");
                    }
                    Outcome::InDoubt => assert!(result.is_err()),
                }
            }
            if let Err(Error::Session { transport, .. }) = &result {
                assert_eq!(transport.as_ref().unwrap().to_string(), "cut");
            }
        }
    }
}

#[tokio::test]
async fn a_body_that_fails_is_not_sent() {
    struct Broken;
    impl AsyncRead for Broken {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Ready(Err(io::Error::other("broken")))
        }
    }
    for policy in POLICIES {
        let store = Arc::new(Store::default());
        let (stream, server) = serve(&store, 4096);
        let mut client = Client::with_stream(stream, client_config(policy)).unwrap();
        let report = client.send(&one(), Body::reader(Broken)).await.unwrap();
        let Outcome::NotSent(why) = report.outcome else {
            panic!("{report:?}");
        };
        assert_eq!(why.reason, NotSentReason::BodyFailed);
        assert_eq!(why.source().unwrap().to_string(), "broken");
        drop(client);
        let _ = server.await.unwrap();
        assert_eq!(store.messages.lock().unwrap().len(), 0);
    }
}

#[tokio::test]
async fn a_refused_session_fails_with_its_reason() {
    let (near, far) = tokio::io::duplex(4096);
    let server = script(far, &[("", "554 go away\r\n"), ("QUIT", "221 x\r\n")]);
    let mut client = Client::with_stream(near, client_config(Pipelining::LookAhead)).unwrap();
    let Err(Error::Session { error, .. }) = client.ready().await else {
        panic!("it was ready");
    };
    assert_eq!(error.fault(), Fault::SessionRefused);
    assert_eq!(server.await.unwrap(), b"QUIT\r\n");
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_times_out() {
    let (near, _far) = tokio::io::duplex(4096);
    let mut client = Client::with_stream(near, client_config(Pipelining::LookAhead)).unwrap();
    let start = tokio::time::Instant::now();
    let report = client.send(&one(), content(0)).await.unwrap();
    assert_eq!(
        report.outcome,
        Outcome::NotSent(NotSentReason::ConnectionEnded.into())
    );
    assert_eq!(start.elapsed().as_secs(), 300); // 5321-4.5.3.2.1
    let error = client.quit().await.unwrap_err();
    assert_eq!(error.to_string(), "timed out waiting for the greeting");
}
