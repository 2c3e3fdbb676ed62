//! Contents, streams of messages and connections that each adapter spells in its own way, and idle sockets.

use std::{
    error::Error as _,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    thread,
    time::Duration,
};

use smtp_proto::{
    client::{NotSentReason, Outcome},
    delivery::Retry,
    machine::Fault,
};
use smtp_proto_test_support::{DELIVERS, MESSAGE, OFFER, Script, Scripted, envelope};
use smtp_proto_tokio::{Body, Client, Report, Sender, client::Options};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf},
    net::TcpStream,
};

fn is_unsent(report: &Report, reason: NotSentReason) -> bool {
    matches!(&report.outcome, Outcome::NotSent(why) if why.reason == reason)
}

/// Returns what the source of a content that could not be had has said.
fn failure_of(report: &Report) -> Option<&io::Error> {
    match &report.outcome {
        Outcome::NotSent(why) => why.source()?.downcast_ref(),
        _ => None,
    }
}

/// What arrives while nothing is awaited answers nothing that is written after it.
#[tokio::test]
async fn a_reply_that_came_at_idle_is_not_the_next_verdict() {
    for surplus in [
        "421 4.3.2 Bye\r\n",
        "451 4.3.0 What\r\n",
        "250 2.0.0 Ok\r\n",
    ] {
        let script: Script = Box::leak(Box::new([
            DELIVERS[0],
            DELIVERS[1],
            DELIVERS[2],
            DELIVERS[3],
            ("", surplus),
            ("MAIL", "stay"),
        ]));
        let server = Scripted::new([script]);
        let mut client = Client::connect(server.url()).await.unwrap();
        assert!(
            client
                .send(envelope(), MESSAGE)
                .await
                .unwrap()
                .is_delivered()
        );
        // Even a task that keeps the runtime from looking at its sockets must not miss it.
        thread::sleep(Duration::from_millis(80));
        let report = client.send(envelope(), MESSAGE).await;
        // It may have come with the verdict before it.
        let unsent = |report: &Report| is_unsent(report, NotSentReason::ConnectionEnded);
        assert!(report.as_ref().map_or(true, unsent), "{report:?}");
        let error = client.next_report().await.unwrap_err();
        assert!(error.machine().is_some());
        drop(client);
        let heard = &server.heard()[0];
        assert_eq!(heard.matches("MAIL").count(), 1, "{heard}");
    }
}

#[tokio::test]
async fn an_idle_connection_is_checked_without_a_round_trip() {
    let script: Script = &[
        ("", "220 x\r\n"),
        ("EHLO", OFFER),
        ("NOOP", "250 x\r\n"),
        ("", "421 4.3.2 Bye\r\n"),
    ];
    let server = Scripted::new([script]);
    let mut client = Client::connect(server.url()).await.unwrap();
    client.check().await.unwrap();
    let trips = client.round_trips();
    client.check().await.unwrap();
    assert_eq!(client.round_trips(), trips);
    client
        .command(&smtp_proto::syntax::Command::Noop)
        .await
        .unwrap();
    server.heard();
    // Even a task that keeps the runtime from looking at its sockets must not miss it.
    thread::sleep(Duration::from_millis(80));
    let error = client.check().await.unwrap_err();
    assert_eq!(error.machine().unwrap().fault(), Fault::Closing);
}

/// Sends one content, and returns what the server heard of it.
async fn content_of(body: impl Into<Body>) -> (Report, String) {
    let server = Scripted::new([DELIVERS]);
    let mut client = Client::connect(server.url()).await.unwrap();
    let report = client.send(envelope(), body).await.unwrap();
    drop(client);
    (report, server.heard().remove(0))
}

#[tokio::test]
async fn a_channel_has_to_be_finished() {
    let (mut sender, body) = Body::channel();
    tokio::spawn(async move {
        sender.send("Subject: x\r\n\r\n").await.unwrap();
        sender.send("Hello.\r\n").await.unwrap();
        sender.finish().await.unwrap();
    });
    let (report, heard) = content_of(body).await;
    assert!(report.is_delivered());
    assert!(
        heard.ends_with(&format!("DATA\r\n{MESSAGE}.\r\n")),
        "{heard}"
    );

    // A sender that is dropped, by a `?` or a panic.
    let (mut sender, body) = Body::channel();
    tokio::spawn(async move { sender.send("Subject: x\r\n\r\nHel").await });
    let (report, heard) = content_of(body).await;
    assert!(is_unsent(&report, NotSentReason::BodyFailed), "{report:?}");
    let words = "its sender was dropped before it was finished";
    assert_eq!(failure_of(&report).unwrap().to_string(), words);
    assert!(!heard.contains("\r\n.\r\n"), "{heard}");
}

/// Both when nothing of it was sent and when the connection has to be given up.
#[tokio::test]
async fn why_a_content_could_not_be_read_is_told() {
    struct Broken;
    impl AsyncRead for Broken {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Ready(Err(io::ErrorKind::StorageFull.into()))
        }
    }
    for lines in [0, 10_000] {
        let beginning = io::Cursor::new(MESSAGE.repeat(lines));
        let broken = AsyncReadExt::chain(beginning, Broken);
        let (report, heard) = content_of(Body::reader(broken)).await;
        assert_eq!(heard.contains(MESSAGE), lines > 0);
        assert!(is_unsent(&report, NotSentReason::BodyFailed), "{report:?}");
        let error = failure_of(&report).unwrap();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(!heard.contains("\r\n.\r\n"), "{heard}");
    }
}

#[tokio::test]
async fn a_source_that_fails_keeps_no_other_message_from_being_sent() {
    let script: Script = &[
        ("", "220 x\r\n"),
        ("EHLO", OFFER),
        ("DATA", "250 x\r\n250 x\r\n354 x\r\n"),
        (".", "250 taken\r\n"),
        ("DATA", "250 x\r\n250 x\r\n250 x\r\n354 x\r\n"),
        (".", "250 taken\r\n"),
        ("QUIT", "221 x\r\n"),
    ];
    let server = Scripted::new([script]);
    let mut client = Client::connect(server.url()).await.unwrap();
    let messages = [
        Ok((envelope(), MESSAGE)),
        Err(std::io::Error::other("no such file")),
        Ok((envelope(), MESSAGE)),
    ];
    let mut delivered = 0;
    let mut failed = Vec::new();
    let mut sending = client.send_all(messages);
    loop {
        match sending.next().await {
            Ok(Some(report)) => delivered += usize::from(report.is_delivered()),
            Ok(None) => break,
            Err(error) => failed.push(error.to_string()),
        }
    }
    assert_eq!(delivered, 2);
    assert_eq!(failed, ["no message: no such file"]);
    client.quit().await.unwrap();
}

fn sender(server: &Scripted) -> Sender {
    let mut retry = Retry::default();
    retry.first_delay = Duration::from_millis(1);
    Sender::new(server.url()).unwrap().retry(retry)
}

/// A server that takes nothing ahead of its verdict refuses it once, and not on each connection.
#[tokio::test]
async fn a_step_down_is_paid_once() {
    const NO_AHEAD: &str = "503 x\r\n503 x\r\n503 x\r\n503 x\r\n";
    let first: Script = Box::leak(Box::new([
        DELIVERS[0],
        DELIVERS[1],
        DELIVERS[2],
        (".", "250 taken\r\n"),
        ("DATA", NO_AHEAD),
        ("DATA", "250 x\r\n250 x\r\n354 x\r\n"),
        (".", "250 taken\r\n"),
    ]));
    let next: Script = Box::leak(Box::new([
        DELIVERS[0],
        DELIVERS[1],
        DELIVERS[2],
        DELIVERS[3],
        DELIVERS[2],
        DELIVERS[3],
    ]));
    let server = Scripted::new([first, next]);
    let mut client = Client::connect(server.url()).await.unwrap();
    let messages = || [(envelope(), MESSAGE), (envelope(), MESSAGE)];
    let mut sending = client.send_all(messages());
    for _ in 0..2 {
        assert!(sending.next().await.unwrap().unwrap().is_delivered());
    }
    let learned = client.learned().unwrap();
    assert!(learned.refuses_look_ahead());
    assert_eq!(learned.capabilities().max_size(), Some(1_000_000));

    let options = Options::at(server.url()).unwrap();
    let mut client = Client::connect(options.configure(|it| it.learned(&learned)))
        .await
        .unwrap();
    let mut sending = client.send_all(messages());
    for _ in 0..2 {
        assert!(sending.next().await.unwrap().unwrap().is_delivered());
    }
    drop(client);
    let heard = server.heard();
    assert_eq!(heard[0].matches("RSET").count(), 1, "{}", heard[0]);
    assert_eq!(heard[1].matches("RSET").count(), 0, "{}", heard[1]);
}

/// A proxy in front of the server, or a balancer that wants to know who is there.
#[tokio::test]
async fn connections_are_made_as_they_are_told_to_be() {
    let script: Script = Box::leak(Box::new([
        ("PROXY TCP4 ", "220 x\r\n"),
        DELIVERS[1],
        DELIVERS[2],
        DELIVERS[3],
    ]));
    let server = Scripted::new([script]);
    let (proxy, asked) = (server.address, Arc::new(Mutex::new(Vec::new())));
    let asked_for = Arc::clone(&asked);
    // Nobody listens there: the dial alone knows the way.
    let options = Options::at("smtp://127.0.0.9:9").unwrap();
    let sender = Sender::new(options.connect_with(move |address| {
        asked_for.lock().unwrap().push(address.to_string());
        Box::pin(async move {
            let mut stream = TcpStream::connect(proxy).await?;
            stream
                .write_all(b"PROXY TCP4 127.0.0.1 127.0.0.9 1 9\r\n")
                .await?;
            Ok(stream.into())
        })
    }))
    .unwrap();
    assert!(
        sender
            .send(envelope(), MESSAGE)
            .await
            .unwrap()
            .is_delivered()
    );
    assert_eq!(*asked.lock().unwrap(), ["127.0.0.9:9"]);
    assert!(server.heard()[0].starts_with("PROXY TCP4 127.0.0.1 127.0.0.9 1 9\r\nEHLO "));
}

/// A reader that was not touched can still be sent over another connection; one that was cannot.
#[tokio::test]
async fn a_sender_sends_a_reader_again_only_whole() {
    let cut: Script = &[("", "220 x\r\n"), ("EHLO", OFFER)];
    let server = Scripted::new([cut, DELIVERS]);
    let body = Body::reader(MESSAGE.as_bytes());
    assert!(
        sender(&server)
            .send(envelope(), body)
            .await
            .unwrap()
            .is_delivered()
    );
}
