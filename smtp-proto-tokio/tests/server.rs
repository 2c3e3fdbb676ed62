//! The server: what its handler may take its time for, and how sessions end.

mod support;

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use smtp_proto::{
    client::{Outcome, Pipelining},
    machine::{Answer, Fault},
    server::{Certainty, Reason},
};
use smtp_proto_tokio::{
    Client, Error, Server,
    client::Options,
    server::{Shutdown, serve_connection},
};
use support::{
    Shared, Store, begin_message, client_config, content, envelope, exchange, greet, is_delivered,
    one, read_to_end, serve, server_config,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::{Instant, sleep, timeout},
};

const QUIT: &str = "221 2.0.0 mx.example.net closing connection\r\n";
const ACCEPTED: &str = "250 2.0.0 Message accepted\r\n";

#[tokio::test(start_paused = true)]
async fn recipients_of_a_group_are_looked_up_side_by_side() {
    let store = Arc::new(Store {
        lookup: Duration::from_secs(1),
        ..Store::default()
    });
    let (stream, server) = serve(&store, 64 * 1024);
    let mut client = Client::with_stream(stream, client_config(Pipelining::LookAhead)).unwrap();
    let start = Instant::now();
    let report = client
        .send(&envelope(&["<b@example.net>"; 30]), content(0))
        .await
        .unwrap();
    assert!(report.is_delivered());
    assert_eq!(start.elapsed().as_secs(), 1);
    client.quit().await.unwrap();
    server.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn messages_are_stored_while_the_next_arrive() {
    let store = Arc::new(Store {
        commit: Duration::from_secs(1),
        ..Store::default()
    });
    let (stream, server) = serve(&store, 64 * 1024);
    let policy = Pipelining::Stream { window: 100 };
    let mut client = Client::with_stream(stream, client_config(policy)).unwrap();
    let start = Instant::now();
    let mut sending = client.send_all((0..50).map(|index| (one(), content(index))));
    while let Some(report) = sending.next().await.unwrap() {
        assert!(is_delivered(&report));
    }
    assert_eq!(start.elapsed().as_secs(), 1);
    client.quit().await.unwrap();
    server.await.unwrap().unwrap();
    assert_eq!(store.messages.lock().unwrap().len(), 50);
}

#[tokio::test]
async fn a_handler_that_fails_answers_451_and_the_session_goes_on() {
    let store = Arc::new(Store::default());
    let (mut stream, server) = serve(&store, 4096);
    greet(&mut stream).await;
    exchange(
        &mut stream,
        "MAIL FROM:<>\r\nRCPT TO:<panic@b>\r\nRCPT TO:<absurd@b>\r\nRCPT TO:<b@b>\r\nDATA\r\n",
        "250 2.1.0 Sender OK\r\n451 4.3.0 Local error in processing\r\n\
         451 4.3.0 Local error in processing\r\n250 2.1.5 Recipient OK\r\n\
         354 End content with <CRLF>.<CRLF>\r\n",
    )
    .await;
    exchange(&mut stream, "x\r\n.\r\n", ACCEPTED).await;
    exchange(&mut stream, "QUIT\r\n", QUIT).await;
    server.await.unwrap().unwrap();
    assert_eq!(store.messages.lock().unwrap()[0].recipients, ["<b@b>"]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_sink_pauses_reading_and_blames_nobody() {
    // Each write takes longer than the timer for the client's next bytes.
    let store = Arc::new(Store {
        write: Duration::from_secs(400),
        ..Store::default()
    });
    let (mut stream, far) = tokio::io::duplex(1024);
    let config = server_config().message_verdict_timeout(Duration::from_secs(3600));
    let handler = Arc::new(Shared(Arc::clone(&store)));
    let server = tokio::spawn(serve_connection(far, config, handler));
    greet(&mut stream).await;
    begin_message(&mut stream).await;
    let line = [b"x".repeat(62), b"\r\n".to_vec()].concat();
    let mut taken = 0;
    // What goes in before the first write is done: two chunks, the buffer, no more.
    while let Ok(written) = timeout(Duration::from_secs(1), stream.write_all(&line)).await {
        written.unwrap();
        taken += line.len();
    }
    let most = 3 * 64 * 1024;
    assert!((most..most + 8 * 1024).contains(&taken), "{taken}");
    // The line that was cut short by the timeout may have gone in by parts: a new one ends it.
    stream.write_all(b"\r\n").await.unwrap();
    for _ in 0..5000 {
        stream.write_all(&line).await.unwrap();
    }
    exchange(&mut stream, ".\r\n", ACCEPTED).await;
    exchange(&mut stream, "QUIT\r\n", QUIT).await;
    server.await.unwrap().unwrap();
    assert!(store.messages.lock().unwrap()[0].content.len() > taken + 5000 * line.len());
}

/// CMD-5: what has arrived by then is seen before anything is said.
#[cfg(unix)]
#[tokio::test]
async fn whoever_speaks_before_the_greeting_is_refused_in_its_place() {
    let (stream, mut client) = tokio::net::UnixStream::pair().unwrap();
    client.write_all(b"EHLO client.example\r\n").await.unwrap();
    let handler = Arc::new(Shared(Arc::default()));
    let server = tokio::spawn(serve_connection(stream, server_config(), handler));
    assert_eq!(
        read_to_end(&mut client).await,
        "554 5.5.0 Sent on without waiting for the reply, closing connection\r\n"
    );
    drop(client);
    let error = server.await.unwrap().unwrap_err();
    assert_eq!(error.machine().unwrap().fault(), Fault::EarlyTalker);
}

#[tokio::test]
async fn a_sink_may_refuse_content_on_its_way() {
    let store = Arc::new(Store::default());
    let (stream, server) = serve(&store, 4096);
    for policy in support::POLICIES {
        let (stream, server) = serve(&store, 4096);
        let mut client = Client::with_stream(stream, client_config(policy)).unwrap();
        let bytes = [b"a virus\r\n".to_vec(), b"more\r\n".repeat(100_000)].concat();
        let report = client.send(&one(), bytes).await.unwrap();
        let Outcome::Refused(Answer { reply, .. }) = &report.outcome else {
            panic!("{policy:?}: {report:?}");
        };
        assert_eq!(reply.as_bytes(), b"554 5.0.0 No viruses here\r\n");
        let report = client.send(&one(), content(1)).await.unwrap();
        assert!(is_delivered(&report), "{policy:?}: {report:?}");
        client.quit().await.unwrap();
        server.await.unwrap().unwrap();
    }
    assert_eq!(store.messages.lock().unwrap().len(), 4);
    drop(stream);
    let result = server.await.unwrap();
    let Err(Error::Session { error, .. }) = result else {
        panic!("{result:?}");
    };
    assert_eq!(error.fault(), Fault::ConnectionLost);
    assert_eq!(store.closed.lock().unwrap().len(), 5);
}

#[tokio::test]
async fn resets_and_acknowledgements_are_told() {
    let store = Arc::new(Store::default());
    let (mut stream, server) = serve(&store, 4096);
    greet(&mut stream).await;
    exchange(
        &mut stream,
        "MAIL FROM:<>\r\nRSET\r\n",
        "250 2.1.0 Sender OK\r\n250 2.0.0 OK\r\n",
    )
    .await;
    begin_message(&mut stream).await;
    exchange(&mut stream, "x\r\n.\r\n", ACCEPTED).await;
    exchange(&mut stream, "QUIT\r\n", QUIT).await;
    server.await.unwrap().unwrap();
    assert_eq!(*store.resets.lock().unwrap(), [Reason::Reset]);
    assert_eq!(*store.acknowledged.lock().unwrap(), [Certainty::Probable]);
    assert_eq!(*store.closed.lock().unwrap(), [Ok(())]);
}

/// Keeps each write.
#[derive(Clone, Default)]
struct Writes(Arc<Mutex<Vec<String>>>);

impl AsyncWrite for Writes {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        self.0.lock().unwrap().push(text);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// 2920-3.2-b: DATA's answer too leaves with those before it, if the handler need not wait.
#[tokio::test(start_paused = true)]
async fn a_group_is_answered_by_one_write() {
    let (mut stream, far) = tokio::io::duplex(4096);
    let writes = Writes::default();
    let _server = tokio::spawn(serve_connection(
        tokio::io::join(far, writes.clone()),
        server_config(),
        Arc::new(Shared(Arc::default())),
    ));
    for flight in [
        "",
        "EHLO client.example\r\n",
        "MAIL FROM:<>\r\nRCPT TO:<b@b>\r\nDATA\r\n",
    ] {
        stream.write_all(flight.as_bytes()).await.unwrap();
        sleep(Duration::from_secs(1)).await;
    }
    let writes = writes.0.lock().unwrap();
    assert_eq!(writes.len(), 3, "{writes:?}");
    assert_eq!(
        writes[2],
        "250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n354 End content with <CRLF>.<CRLF>\r\n"
    );
}

/// A stream whose end is a reset.
struct Resetting<S>(S);

impl<S: AsyncRead + Unpin> AsyncRead for Resetting<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.0).poll_read(cx, buffer))?;
        if buffer.filled().len() == before {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Resetting<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_gone_is_noticed_while_verdicts_are_open() {
    // The look-ups would take an hour; the message's verdict is worth waiting for all the same.
    let store = Arc::new(Store {
        lookup: Duration::from_secs(3600),
        ..Store::default()
    });
    let (mut stream, far) = tokio::io::duplex(4096);
    let handler = Arc::new(Shared(Arc::clone(&store)));
    let server = tokio::spawn(serve_connection(Resetting(far), server_config(), handler));
    greet(&mut stream).await;
    stream
        .write_all(b"MAIL FROM:<>\r\nRCPT TO:<b@b>\r\n")
        .await
        .unwrap();
    sleep(Duration::from_secs(1)).await;
    let start = Instant::now();
    drop(stream);
    let Err(Error::Session { transport, .. }) = server.await.unwrap() else {
        panic!("it ended well");
    };
    assert_eq!(transport.unwrap().kind(), io::ErrorKind::ConnectionReset);
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_message_accepted_for_a_client_that_is_gone_is_expired() {
    let store = Arc::new(Store {
        commit: Duration::from_secs(60),
        ..Store::default()
    });
    let (mut stream, far) = tokio::io::duplex(4096);
    let handler = Arc::new(Shared(Arc::clone(&store)));
    let server = tokio::spawn(serve_connection(Resetting(far), server_config(), handler));
    greet(&mut stream).await;
    begin_message(&mut stream).await;
    stream.write_all(b"x\r\n.\r\n").await.unwrap();
    sleep(Duration::from_secs(1)).await;
    drop(stream);
    server.await.unwrap().unwrap_err();
    assert_eq!(store.messages.lock().unwrap().len(), 1);
    assert_eq!(*store.expired.lock().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_accepted_too_late_is_expired() {
    let store = Arc::new(Store {
        commit: Duration::from_secs(3600),
        ..Store::default()
    });
    let (mut stream, server) = serve(&store, 4096);
    greet(&mut stream).await;
    begin_message(&mut stream).await;
    exchange(
        &mut stream,
        "x\r\n.\r\n",
        "451 4.3.0 No answer in time, try again later\r\n",
    )
    .await;
    exchange(&mut stream, "QUIT\r\n", QUIT).await;
    server.await.unwrap().unwrap();
    assert_eq!(*store.expired.lock().unwrap(), 1);
}

#[tokio::test]
async fn replies_go_on_after_the_clients_end() {
    // Exim half-closes after QUIT; a verdict that is given afterwards still reaches it.
    let store = Arc::new(Store {
        commit: Duration::from_millis(50),
        ..Store::default()
    });
    let (mut stream, server) = serve(&store, 4096);
    greet(&mut stream).await;
    begin_message(&mut stream).await;
    stream.write_all(b"x\r\n.\r\nQUIT\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(read_to_end(&mut stream).await, [ACCEPTED, QUIT].concat());
    server.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_connections_are_served_at_once() {
    // Also: every future can be spawned.
    let store = Arc::new(Store::default());
    let server = Server::bind("127.0.0.1:0", server_config()).await.unwrap();
    let address = server.local_addr().unwrap();
    let (shutdown, handler) = (Shutdown::new(), Shared(Arc::clone(&store)));
    let serving = tokio::spawn(server.serve_until(handler, shutdown.clone()));
    let clients: Vec<_> = (0..40)
        .map(|number: usize| {
            tokio::spawn(async move {
                let policy = support::POLICIES[number % 4];
                let config = client_config(policy);
                let mut client = Client::connect(Options::new(config).server(address))
                    .await
                    .unwrap();
                let mut sending = client.send_all((0..25).map(|index| (one(), content(index))));
                while let Some(report) = sending.next().await.unwrap() {
                    assert!(is_delivered(&report));
                }
                client.quit().await.unwrap();
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    shutdown.begin();
    serving.await.unwrap();
    assert_eq!(store.messages.lock().unwrap().len(), 40 * 25);
}

/// A stream that counts how often something is read from it.
struct Counting<S>(S, Arc<AtomicUsize>);

impl<S: AsyncRead + Unpin> AsyncRead for Counting<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.0).poll_read(cx, buffer))?;
        self.1.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

/// Large content is read in large pieces.
#[tokio::test]
async fn large_content_takes_few_reads() {
    let (near, far) = tokio::io::duplex(1024 * 1024);
    let (read, write) = tokio::io::split(far);
    let reads = Arc::new(AtomicUsize::new(0));
    let counting = tokio::io::join(Counting(read, Arc::clone(&reads)), write);
    let handler = Shared(Arc::default());
    tokio::spawn(serve_connection(counting, server_config(), handler));
    let mut client = Client::with_stream(near, client_config(Pipelining::LookAhead)).unwrap();
    let content = "x\r\n".repeat(1_000_000);
    let report = client.send(one(), content).await.unwrap();
    assert!(report.is_delivered(), "{report:?}");
    let reads = reads.load(Ordering::Relaxed);
    assert!(reads < 100, "{reads} reads");
}
