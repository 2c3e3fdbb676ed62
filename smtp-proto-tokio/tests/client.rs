//! The client against the server, and against servers that misbehave.

mod support;

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use smtp_proto::{
    client::{Cancellation, Envelope, NotSentReason, Outcome, Pipelining},
    machine::{Fault, Misuse},
};
use smtp_proto_tokio::{Body, Client, client::Options};
use support::{
    POLICIES, Store, client_config, content, drain, envelope, is_delivered, one, script, serve,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf},
    time::{sleep, timeout},
};

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn each_policy_delivers_through_buffers_of_every_size() {
    for policy in POLICIES {
        for buffer in [1, 7, 64, 64 * 1024] {
            let store = Arc::new(Store::default());
            let (stream, server) = serve(&store, buffer);
            let mut client = Client::with_stream(stream, client_config(policy)).unwrap();
            let mut sending = client.send_all((0..12).map(|index| (one(), content(index))));
            let mut indices = Vec::new();
            while let Some(report) = sending.next().await.unwrap() {
                assert!(is_delivered(&report), "{report:?}");
                indices.push(report.message.index());
            }
            client.quit().await.unwrap();
            server.await.unwrap().unwrap();
            assert_eq!(indices, (0..12).collect::<Vec<_>>(), "{policy:?} {buffer}");
            let stored = store.messages.lock().unwrap();
            let contents: Vec<_> = stored.iter().map(|it| it.content.clone()).collect();
            assert_eq!(contents, (0..12).map(content).collect::<Vec<_>>());
        }
    }
}

#[tokio::test]
async fn a_thousand_messages_in_a_stream_take_few_round_trips() {
    let store = Arc::new(Store::default());
    let (stream, server) = serve(&store, 16 * 1024);
    let policy = Pipelining::Stream { window: 100 };
    let mut client = Client::with_stream(stream, client_config(policy)).unwrap();
    let mut sending = client.send_all((0..1000).map(|index| (one(), content(index))));
    let mut count = 0;
    while let Some(report) = timeout(PATIENCE, sending.next()).await.unwrap().unwrap() {
        assert!(is_delivered(&report));
        count += 1;
    }
    assert_eq!(count, 1000);
    client.quit().await.unwrap();
    assert!(client.round_trips() < 50, "{}", client.round_trips());
    server.await.unwrap().unwrap();
    assert_eq!(store.messages.lock().unwrap().len(), 1000);
}

#[tokio::test]
async fn bodies_of_all_kinds_and_sizes_arrive() {
    for policy in POLICIES {
        for size in [0, 2, 65_535, 65_536, 65_537, 300_000] {
            let line = b"0123456789.abcdefghijklmnopqrstuvwxyz\r\n";
            let mut bytes: Vec<u8> = line.iter().copied().cycle().take(size).collect();
            if size > 1 {
                bytes[size - 2..].copy_from_slice(b"\r\n");
            }
            if bytes[..size.saturating_sub(2)].ends_with(b"\r") {
                bytes[size - 3] = b'-';
            }
            let store = Arc::new(Store::default());
            let (stream, server) = serve(&store, 5000);
            let mut client = Client::with_stream(stream, client_config(policy)).unwrap();
            let shared: Arc<[u8]> = bytes.clone().into();
            let bodies = [
                Body::from(bytes.clone()),
                Body::from(shared),
                Body::reader(io::Cursor::new(bytes.clone())),
                Body::reader(Dribble(bytes.clone(), 0)),
            ];
            for body in bodies {
                let report = client.send(&one(), body).await.unwrap();
                assert!(is_delivered(&report), "{policy:?} {size} {report:?}");
            }
            client.quit().await.unwrap();
            server.await.unwrap().unwrap();
            for stored in store.messages.lock().unwrap().iter() {
                assert!(stored.content == bytes, "{policy:?} {size}");
            }
            assert_eq!(store.messages.lock().unwrap().len(), 4);
        }
    }
}

/// Yields its bytes in uneven pieces, and is late half of the time.
struct Dribble(Vec<u8>, usize);

impl AsyncRead for Dribble {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.1 += 1;
        if self.1.is_multiple_of(2) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let count = (self.1 * 37 % 4001)
            .min(self.0.len())
            .min(buffer.remaining());
        buffer.put_slice(&self.0[..count]);
        self.0.drain(..count);
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_real_socket_carries_it_too() {
    let store = Arc::new(Store::default());
    let server = smtp_proto_tokio::Server::bind("127.0.0.1:0", support::server_config())
        .await
        .unwrap();
    let address = server.local_addr().unwrap();
    let serving = tokio::spawn(server.serve(support::Shared(Arc::clone(&store))));
    let policy = Pipelining::Stream { window: 10 };
    let mut client = Client::connect(Options::new(client_config(policy)).server(address))
        .await
        .unwrap();
    assert!(client.capabilities().max_size().is_some());
    let report = client.send(&one(), "Hello.\r\n").await.unwrap();
    assert!(report.is_delivered());
    client.quit().await.unwrap();
    serving.abort();
    assert_eq!(store.messages.lock().unwrap()[0].content, b"Hello.\r\n");
}

#[tokio::test]
async fn a_server_that_writes_nothing_before_it_has_read_all_is_no_deadlock() {
    // 2920-3.1: replies beyond the buffers' size wait until the client reads them, and the client
    // goes on reading while the server does not.
    const COUNT: usize = 400;
    let (near, mut far) = tokio::io::duplex(256);
    let server = tokio::spawn(async move {
        far.write_all(b"220 x\r\n").await.unwrap();
        let mut bytes = vec![0; 4096];
        assert_ne!(far.read(&mut bytes).await.unwrap(), 0);
        far.write_all(b"250-x\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250 CHUNKING\r\n")
            .await
            .unwrap();
        // The first message goes by DATA, with the proof that chunks are swallowed.
        let mut received = Vec::new();
        while !received.ends_with(b"DATA\r\n") {
            assert_ne!(far.read_buf(&mut received).await.unwrap(), 0);
        }
        far.write_all(b"250 x\r\n503 x\r\n250 x\r\n250 x\r\n250 x\r\n250 x\r\n354 x\r\n")
            .await
            .unwrap();
        received.clear();
        let is_all = |received: &[u8]| {
            received.windows(4).filter(|it| it == b"BDAT").count() == COUNT - 1
                && received.ends_with(b".\r\n")
        };
        while !is_all(&received) {
            assert_ne!(far.read_buf(&mut received).await.unwrap(), 0);
        }
        let replies = String::from_utf8(received).unwrap();
        let replies = replies.matches("\r\n").count() - COUNT;
        far.write_all(
            "250 a reply that is long enough to fill the buffers\r\n"
                .repeat(replies)
                .as_bytes(),
        )
        .await
        .unwrap();
        assert_ne!(far.read(&mut bytes).await.unwrap(), 0);
        far.write_all(b"221 x\r\n").await.unwrap();
    });
    let policy = Pipelining::Stream { window: COUNT };
    let mut client = Client::with_stream(near, client_config(policy)).unwrap();
    for _ in 0..COUNT {
        client.submit(one(), "Hello.\r\n").unwrap();
    }
    let (reports, result) = timeout(PATIENCE, drain(&mut client)).await.unwrap();
    result.unwrap();
    assert_eq!(reports.iter().filter(|it| is_delivered(it)).count(), COUNT);
    client.quit().await.unwrap();
    server.await.unwrap();
}

#[tokio::test]
async fn a_server_that_reads_nothing_before_its_replies_are_read_is_no_deadlock() {
    // Each side's bytes fill the other's buffers: the client has to read in the middle of a write.
    let store = Arc::new(Store::default());
    let (stream, server) = serve(&store, 3);
    let policy = Pipelining::Stream { window: 1000 };
    let mut client = Client::with_stream(stream, client_config(policy)).unwrap();
    let recipients = ["<b@example.net>"; 50];
    for index in 0..20 {
        client
            .submit(envelope(&recipients), content(index))
            .unwrap();
    }
    let (reports, result) = timeout(PATIENCE, drain(&mut client)).await.unwrap();
    result.unwrap();
    assert_eq!(reports.iter().filter(|it| it.is_delivered()).count(), 20);
    client.quit().await.unwrap();
    server.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_keeps_neither_replies_nor_time_waiting() {
    // 2: the first message's verdict is read while the second's source has nothing; the source may
    // take longer than any timer of the server's.
    let store = Arc::new(Store::default());
    let (stream, server) = serve(&store, 64 * 1024);
    let policy = Pipelining::Stream { window: 10 };
    let mut client = Client::with_stream(stream, client_config(policy)).unwrap();
    let (reader, mut writer) = tokio::io::simplex(100);
    client.submit(one(), "quick\r\n").unwrap();
    client.submit(one(), Body::reader(reader)).unwrap();
    let report = client.next_report().await.unwrap().unwrap();
    assert!(is_delivered(&report));
    assert!(
        timeout(Duration::from_secs(200), client.next_report())
            .await
            .is_err()
    );
    let source = tokio::spawn(async move {
        writer.write_all(b"at last\r\n").await.unwrap();
        sleep(Duration::from_secs(60)).await;
        writer.shutdown().await.unwrap();
    });
    let report = client.next_report().await.unwrap().unwrap();
    assert!(is_delivered(&report), "{report:?}");
    source.await.unwrap();
    client.quit().await.unwrap();
    server.await.unwrap().unwrap();
    let stored = store.messages.lock().unwrap();
    assert_eq!(stored[1].content, b"at last\r\n");
}

#[tokio::test]
async fn refused_recipients_are_reported_each() {
    for policy in POLICIES {
        let store = Arc::new(Store::default());
        let (stream, server) = serve(&store, 4096);
        let mut client = Client::with_stream(stream, client_config(policy)).unwrap();
        let envelope = envelope(&["<b@example.net>", "<x@example.net>", "<b2@example.net>"]);
        let report = client.send(&envelope, content(1)).await.unwrap();
        assert!(!report.is_delivered());
        let of = |index: usize| &report.recipients[index];
        assert!(matches!(of(0), Outcome::Delivered(_)));
        assert!(matches!(of(1), Outcome::Refused(answer) if answer.reply.code().value() == 550));
        assert!(matches!(of(2), Outcome::Delivered(_)));
        client.quit().await.unwrap();
        server.await.unwrap().unwrap();
        assert_eq!(
            store.messages.lock().unwrap()[0].recipients,
            ["<b@example.net>", "<b2@example.net>"]
        );
    }
}

#[tokio::test]
async fn quit_rides_after_the_last_message_if_announced() {
    let store = Arc::new(Store::default());
    let (stream, server) = serve(&store, 4096);
    let mut client = Client::with_stream(
        stream,
        client_config(Pipelining::Stream { window: 9 }).traced(),
    )
    .unwrap();
    client.ready().await.unwrap();
    let before = client.round_trips();
    client.submit(one(), content(1)).unwrap();
    client.announce_quit();
    client.quit().await.unwrap();
    // The first message of a stream goes by DATA: the envelope, and then the content with QUIT.
    assert_eq!(client.round_trips() - before, 2);
    let report = client.next_report().await.unwrap().unwrap();
    assert!(is_delivered(&report));
    assert_eq!(client.next_report().await.unwrap(), None);
    assert!(client.poll_trace().is_some());
    assert_eq!(client.submit(one(), ""), Err(Misuse::Quit));
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn dropped_futures_lose_nothing() {
    let store = Arc::new(Store::default());
    let (stream, server) = serve(&store, 11);
    let mut client = Client::with_stream(stream, client_config(Pipelining::LookAhead)).unwrap();
    for index in 0..20 {
        client.submit(one(), content(index)).unwrap();
    }
    let mut count = 0;
    while count < 20 {
        // Polled once, and dropped.
        tokio::select! {
            biased;
            report = client.next_report() => {
                assert!(is_delivered(&report.unwrap().unwrap()));
                count += 1;
            }
            () = tokio::task::yield_now() => {}
        }
    }
    client.quit().await.unwrap();
    server.await.unwrap().unwrap();
    assert_eq!(store.messages.lock().unwrap().len(), 20);
}

#[tokio::test]
async fn a_stream_of_messages_may_be_late() {
    struct Late {
        left: usize,
        timer: Pin<Box<tokio::time::Sleep>>,
    }
    impl futures_core::Stream for Late {
        type Item = (Envelope<'static>, Vec<u8>);

        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            std::task::ready!(self.timer.as_mut().poll(cx));
            self.timer = Box::pin(sleep(Duration::from_millis(5)));
            Poll::Ready(self.left.checked_sub(1).map(|left| {
                self.left = left;
                (one(), content(left))
            }))
        }
    }
    let store = Arc::new(Store::default());
    let (stream, server) = serve(&store, 4096);
    let mut client = Client::with_stream(stream, client_config(Pipelining::LookAhead)).unwrap();
    let late = Late {
        left: 5,
        timer: Box::pin(sleep(Duration::from_millis(5))),
    };
    let mut sending = client.send_stream(late);
    let mut count = 0;
    while let Some(report) = sending.next().await.unwrap() {
        assert!(is_delivered(&report));
        count += 1;
    }
    assert_eq!(count, 5);
    client.quit().await.unwrap();
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_message_can_be_cancelled_before_its_turn() {
    let store = Arc::new(Store::default());
    let (stream, server) = serve(&store, 4096);
    let mut client = Client::with_stream(stream, client_config(Pipelining::LookAhead)).unwrap();
    client.submit(one(), content(0)).unwrap();
    let second = client.submit(one(), content(1)).unwrap();
    assert_eq!(client.cancel(second), Ok(Cancellation::Unsent));
    let (reports, result) = drain(&mut client).await;
    result.unwrap();
    assert_eq!(reports.len(), 2);
    let cancelled = reports.iter().find(|it| it.message == second).unwrap();
    assert_eq!(
        cancelled.outcome,
        Outcome::NotSent(NotSentReason::Cancelled.into())
    );
    client.quit().await.unwrap();
    server.await.unwrap().unwrap();
    assert_eq!(store.messages.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn the_parts_go_on_by_themselves() {
    let (near, far) = tokio::io::duplex(4096);
    let server = script(far, &[("", "220 x\r\n"), ("EHLO", "250 x\r\n25")]);
    let mut client = Client::with_stream(near, client_config(Pipelining::LookAhead)).unwrap();
    client.ready().await.unwrap();
    server.await.unwrap();
    let parts = client.into_parts();
    assert_eq!(parts.unread, b"25");
    let mut input = &[&parts.unread, &b"0 surplus\r\n"[..]].concat()[..];
    let mut machine = parts.machine;
    let error = machine
        .poll_event(&mut input, parts.origin.elapsed())
        .unwrap_err();
    assert_eq!(error.fault(), Fault::SurplusReply);
}

/// An empty content is sent as soon as its turn comes: it does not wait for a reply to be so.
#[tokio::test]
async fn empty_messages_do_not_hold_a_stream_up() {
    let store = Arc::new(Store::default());
    let (stream, server) = serve(&store, 1 << 20);
    let config = client_config(Pipelining::Stream { window: 100 });
    let mut client = Client::with_stream(stream, config).unwrap();
    client.ready().await.unwrap();
    let before = client.round_trips();
    let mut sending = client.send_all((0..50).map(|_| (one(), Vec::new())));
    let mut count = 0;
    while let Some(report) = sending.next().await.unwrap() {
        assert!(is_delivered(&report));
        count += 1;
    }
    assert_eq!(count, 50);
    let round_trips = client.round_trips() - before;
    assert!(round_trips <= 3, "{round_trips} round trips");
    client.quit().await.unwrap();
    server.await.unwrap().unwrap();
}
