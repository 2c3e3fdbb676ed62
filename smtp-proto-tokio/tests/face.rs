//! What a first program does, and what becomes of it when a server misbehaves.

use std::{
    error::Error as _,
    io::{self, Read, Write},
    net::TcpListener,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    thread,
    time::Duration,
};

use smtp_proto::{
    client::{Config, NotSentReason, Observed, Outcome},
    delivery::Retry,
    machine::{Fault, Step},
};
use smtp_proto_test_support::{DELIVERS, OFFER, Script, Scripted};
use smtp_proto_tokio::{Body, Client, Envelope, Error, Report, Sender, client::Options};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf},
    net::TcpStream,
};

const MESSAGE: &str = "Subject: x\r\n\r\nHello.\r\n";

fn envelope() -> Envelope<'static> {
    let envelope = Envelope::new("alice@example.net").unwrap();
    envelope.to("bob@example.org").unwrap()
}

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

#[tokio::test]
async fn a_first_program() {
    let server = Scripted::new([DELIVERS]);
    let mut client = Client::connect(server.url()).await.unwrap();
    let report = client.send(envelope(), MESSAGE).await.unwrap();
    assert!(report.is_delivered());
    assert_eq!(report.answers[0].as_ref().unwrap().as_bytes(), b"250 x\r\n");
    let heard = &server.heard()[0];
    assert!(heard.starts_with("EHLO "), "{heard}");
    let name = heard.lines().next().unwrap().trim_start_matches("EHLO ");
    assert!(name == "[127.0.0.1]" || name.contains('.'), "{name}");
    let sized = "MAIL FROM:<alice@example.net> SIZE=22\r\n";
    assert!(
        heard.contains(sized),
        "sizes that are known are declared: {heard}"
    );
}

/// A server that turns its clients away says why, and the dialogue is there to be read.
#[tokio::test]
async fn a_refused_session_is_an_error_with_the_reply_and_the_trace() {
    for (greeting, fault) in [
        ("421 4.3.2 Busy\r\n", Fault::Closing),
        ("554 5.7.1 Not you\r\n", Fault::SessionRefused),
    ] {
        let script: Script = Box::leak(Box::new([("", greeting), ("QUIT", "221 x\r\n")]));
        let server = Scripted::new([script]);
        let client = Options::at(server.url()).unwrap();
        let error = Client::connect(client.configure(|it| it.traced()))
            .await
            .unwrap_err();
        let answer = error.answer().unwrap();
        assert_eq!(answer.step, Step::Greeting);
        assert_eq!(answer.reply.as_bytes(), greeting.as_bytes());
        assert_eq!(error.is_transient(), greeting.starts_with('4'));
        let Error::Session { error, trace, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(error.fault(), fault);
        assert_eq!(trace[0].what.to_string(), greeting.trim_end());
    }
}

/// What a server sent before, it may have sent in vain: a reset is of both directions.
#[tokio::test]
async fn a_reset_is_a_lost_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let peer = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"220 x\r\n").unwrap();
        // Closing with something unread resets.
        stream.peek(&mut [0]).unwrap();
    });
    let connected = Client::connect(format!("smtp://{address}")).await;
    let error = connected.unwrap_err();
    assert_eq!(error.machine().unwrap().fault(), Fault::ConnectionLost);
    peer.join().unwrap();
}

#[cfg(feature = "rustls")]
#[tokio::test]
async fn a_server_that_does_not_begin_with_tls_is_told_as_such() {
    let server = Scripted::new([DELIVERS]);
    let url = server.url().replace("smtp://", "smtps://");
    let error = Client::connect(url).await.unwrap_err();
    assert_eq!(error.machine().unwrap().fault(), Fault::TlsFailed);
    let text = error.to_string();
    assert!(text.contains("does not answer in TLS"), "{text}");
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

#[tokio::test]
async fn giving_up_tells_every_outcome() {
    let silent: Script = &[("", "220 x\r\n"), ("EHLO", OFFER), ("MAIL", "stay")];
    let server = Scripted::new([silent]);
    let mut client = Client::connect(server.url()).await.unwrap();
    client.submit(envelope(), MESSAGE).unwrap();
    client.submit(envelope(), MESSAGE).unwrap();
    let reports = client.abort();
    assert_eq!(reports.len(), 2);
    let unsent = |report: &Report| is_unsent(report, NotSentReason::ConnectionEnded);
    assert!(reports.iter().all(unsent), "{reports:?}");
    let error = client.next_report().await.unwrap_err();
    assert_eq!(error.machine().unwrap().fault(), Fault::ShutDown);
}

/// Sends one content, and returns what the server heard of it.
async fn content_of(body: impl Into<Body>) -> (Report, String) {
    let server = Scripted::new([DELIVERS]);
    let mut client = Client::connect(server.url()).await.unwrap();
    let report = client.send(envelope(), body).await.unwrap();
    drop(client);
    (report, server.heard().remove(0))
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_without_a_length_is_read_to_its_end() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(MESSAGE.as_bytes()).unwrap();
    drop(writer);
    let pipe = std::fs::File::from(std::os::fd::OwnedFd::from(reader));
    let (report, heard) = content_of(pipe).await;
    assert!(report.is_delivered(), "{report:?}");
    let end = format!("DATA\r\n{MESSAGE}.\r\n");
    assert!(heard.ends_with(&end), "{heard}");
    // It says that it has none, and has.
    if cfg!(target_os = "linux") {
        let (_, heard) = content_of(Body::open("/proc/self/cmdline").await.unwrap()).await;
        assert!(!heard.ends_with("DATA\r\n.\r\n"), "{heard}");
    }
}

#[tokio::test]
async fn a_content_is_whatever_holds_bytes() {
    let path = std::env::temp_dir().join(format!("smtp-proto-face-{}", std::process::id()));
    std::fs::write(&path, MESSAGE).unwrap();
    let bytes: Arc<[u8]> = MESSAGE.as_bytes().into();
    let parts = ["Subject: x\r\n", "", "\r\nHello.\r\n"];
    for (body, is_sized) in [
        (Body::from(MESSAGE), true),
        (Body::from(MESSAGE.to_owned()), true),
        (Body::from(bytes.clone()), true),
        (Body::shared(bytes.clone()), true),
        (Body::open(&path).await.unwrap(), true),
        (Body::from_parts(parts.map(Body::from)), true),
        (
            Body::from_parts([Body::open(&path).await.unwrap().with_size(22)]),
            true,
        ),
        (Body::reader(MESSAGE.as_bytes()), false),
        (Body::reader(MESSAGE.as_bytes()).with_size(22), true),
    ] {
        let (report, heard) = content_of(body).await;
        assert!(report.is_delivered(), "{report:?}");
        assert!(
            heard.ends_with(&format!("DATA\r\n{MESSAGE}.\r\n")),
            "{heard}"
        );
        assert_eq!(heard.contains(" SIZE=22\r\n"), is_sized, "{heard}");
    }
    let _ = std::fs::remove_file(path);
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

/// A content that ends before its time must not pass for a whole one.
#[tokio::test]
async fn a_content_of_another_size_than_declared_is_not_sent() {
    for (size, words) in [
        (10, "it has more than the 10 bytes that were declared"),
        (30, "it has 22 bytes of the 30 that were declared"),
    ] {
        let (report, heard) = content_of(Body::reader(MESSAGE.as_bytes()).with_size(size)).await;
        assert!(is_unsent(&report, NotSentReason::BodyFailed), "{report:?}");
        assert_eq!(failure_of(&report).unwrap().to_string(), words);
        assert!(!heard.contains("\r\n.\r\n"), "{heard}");
    }
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

/// Whoever takes one message a connection, and says so by 421, is not left alone for longer and longer.
#[tokio::test]
async fn a_sender_does_not_wait_for_a_server_that_delivers() {
    const LEAVES: Script = &[
        DELIVERS[0],
        DELIVERS[1],
        DELIVERS[2],
        (".", "250 taken\r\n421 4.4.5 Bye\r\n"),
    ];
    let server = Scripted::new([LEAVES; 3]);
    let mut retry = Retry::default();
    retry.first_delay = Duration::from_secs(5);
    let sender = Sender::new(server.url()).unwrap().retry(retry);
    let begun = std::time::Instant::now();
    for _ in 0..3 {
        let report = sender.send(envelope(), MESSAGE).await.unwrap();
        assert!(report.is_delivered(), "{report:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_sender_sends_again_to_exactly_those_who_are_left() {
    let cut: Script = &[
        ("", "220 x\r\n"),
        ("EHLO", OFFER),
        ("DATA", "250 x\r\n250 x\r\n550 5.1.1 No\r\n250 x\r\n"),
    ];
    let whole: Script = &[
        ("", "220 x\r\n"),
        ("EHLO", OFFER),
        ("DATA", "250 x\r\n250 x\r\n250 x\r\n354 x\r\n"),
        (".", "250 taken\r\n"),
        ("DATA", "250 x\r\n250 x\r\n354 x\r\n"),
        (".", "250 taken\r\n"),
        ("QUIT", "221 x\r\n"),
    ];
    let server = Scripted::new([cut, whole]);
    let sender = sender(&server);
    let envelope = envelope().to("no@example.org").unwrap();
    let envelope = envelope.to("eve@example.org").unwrap();
    let report = sender.send(envelope, MESSAGE).await.unwrap();
    let [
        Outcome::Delivered(_),
        Outcome::Refused(refusal),
        Outcome::Delivered(_),
    ] = &report.recipients[..]
    else {
        panic!("{report:?}");
    };
    assert_eq!(refusal.step, Step::Recipient);
    // The connection is kept for the next message.
    assert!(
        sender
            .send(self::envelope(), MESSAGE)
            .await
            .unwrap()
            .is_delivered()
    );
    sender.quit().await;
    let heard = server.heard();
    assert!(!heard[1].contains("no@example.org"), "{}", heard[1]);
    assert!(heard[1].ends_with("QUIT\r\n"), "{}", heard[1]);
}

#[tokio::test]
async fn a_sender_asks_about_doubt() {
    let cut: Script = &[
        ("", "220 x\r\n"),
        ("EHLO", OFFER),
        ("DATA", "250 x\r\n250 x\r\n354 x\r\n"),
        (".", ""),
    ];
    let server = Scripted::new([cut]);
    let report = sender(&server).send(envelope(), MESSAGE).await.unwrap();
    assert_eq!(
        report.outcome,
        Outcome::InDoubt,
        "nobody was there to decide"
    );

    let server = Scripted::new([cut, DELIVERS]);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let sender = sender(&server).on_doubt(move |envelope| {
        count.fetch_add(envelope.recipients().len(), Ordering::Relaxed);
        true
    });
    assert!(
        sender
            .send(envelope(), MESSAGE)
            .await
            .unwrap()
            .is_delivered()
    );
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_sender_gives_up_after_so_many_attempts() {
    let busy: Script = &[("", "421 4.3.2 Busy\r\n")];
    let server = Scripted::new([busy; 3]);
    let error = sender(&server).send(envelope(), MESSAGE).await.unwrap_err();
    assert_eq!(error.machine().unwrap().fault(), Fault::Closing);
    assert_eq!(server.heard().len(), 3);
    // A refusal for good is not tried again.
    let refuses: Script = &[("", "554 5.7.1 No\r\n"), ("QUIT", "221 x\r\n")];
    let server = Scripted::new([refuses]);
    let error = sender(&server).send(envelope(), MESSAGE).await.unwrap_err();
    assert_eq!(error.machine().unwrap().fault(), Fault::SessionRefused);
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

#[tokio::test]
async fn a_sender_keeps_to_its_bounds() {
    // On connections: who comes meanwhile waits, and takes the same.
    let server = Scripted::new([THREE]);
    let one = sender(&server).max_messages(3);
    let sends = [(); 3].map(|()| {
        let clone = one.clone();
        tokio::spawn(async move { clone.send(envelope(), MESSAGE).await })
    });
    for send in sends {
        assert!(send.await.unwrap().unwrap().is_delivered());
    }
    // On messages: QUIT leaves with the last of them.
    let heard = &server.heard()[0];
    assert_eq!(heard.matches("MAIL FROM:").count(), 3, "{heard}");
    assert!(heard.ends_with("\r\n.\r\nQUIT\r\n"), "{heard}");

    // On the time that a connection waits.
    let server = Scripted::new([DELIVERS, DELIVERS]);
    let hasty = sender(&server).idle_timeout(Duration::ZERO);
    for _ in 0..2 {
        assert!(
            hasty
                .send(envelope(), MESSAGE)
                .await
                .unwrap()
                .is_delivered()
        );
    }
    assert_eq!(server.heard().len(), 2);
}

/// Greeting, offer, commands and replies, each with its step, message and recipient.
#[tokio::test]
async fn a_session_is_watched_as_it_happens() {
    let server = Scripted::new([DELIVERS]);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let options = Options::at(server.url()).unwrap().watch(move |it| {
        let whose = it.message.map(|message| (message.index(), it.recipient));
        let what = match &it.what {
            Observed::Command => "sent".to_owned(),
            Observed::Reply { reply, after } => {
                assert!(*after <= it.at);
                reply.code().to_string()
            }
            other => format!("{other:?}"),
        };
        log.lock().unwrap().push((it.step, whose, what));
    });
    let mut client = Client::connect(options).await.unwrap();
    let opening: Vec<_> = std::mem::take(&mut *seen.lock().unwrap());
    let session = |step, what: &str| (step, None, what.to_owned());
    assert_eq!(
        opening,
        [
            session(Step::Greeting, "220"),
            session(Step::Hello, "sent"),
            session(Step::Hello, "250"),
        ]
    );
    assert!(
        client
            .send(envelope(), MESSAGE)
            .await
            .unwrap()
            .is_delivered()
    );
    let of = |step, recipient, what: &str| (step, Some((0, recipient)), what.to_owned());
    assert_eq!(
        *seen.lock().unwrap(),
        [
            of(Step::Mail, None, "sent"),
            of(Step::Recipient, Some(0), "sent"),
            of(Step::Data, None, "sent"),
            of(Step::Mail, None, "250"),
            of(Step::Recipient, Some(0), "250"),
            of(Step::Data, None, "354"),
            of(Step::Content, None, "sent"),
            of(Step::Content, None, "250"),
        ]
    );
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

/// All recipients or none, a trial without content, and recipients that are put off as refused ones.
#[tokio::test]
async fn a_queue_decides_for_whom_and_whether() {
    let script: Script = Box::leak(Box::new([
        DELIVERS[0],
        DELIVERS[1],
        ("RCPT", ""),
        ("RCPT", "250 x\r\n250 x\r\n550 5.1.1 No\r\n"),
        ("RSET", ""),
        ("RCPT", ""),
        ("RCPT", "250 x\r\n250 x\r\n250 x\r\n550 5.1.1 No\r\n"),
        ("RSET", ""),
        (
            "DATA",
            "250 x\r\n250 x\r\n250 x\r\n452 4.5.3 Too many\r\n354 x\r\n",
        ),
        (".", "250 taken\r\n"),
    ]));
    let server = Scripted::new([script]);
    let options = Options::at(server.url()).unwrap();
    let options = options.configure(Config::report_put_off);
    let mut client = Client::connect(options).await.unwrap();
    let to_two = || envelope().to("no@example.org").unwrap();
    let refused_by = |report: &Report| match &report.recipients[1] {
        Outcome::Refused(answer) => answer.reply.code().value(),
        _ => panic!("{report:?}"),
    };

    let all = to_two().all_or_none();
    let report = client.send(all, MESSAGE).await.unwrap();
    assert!(is_unsent(&report, NotSentReason::NotForAll));
    assert_eq!(refused_by(&report), 550);

    let trial = to_two().verify_only();
    let report = client.send(trial, MESSAGE).await.unwrap();
    assert!(is_unsent(&report, NotSentReason::OnlyVerified));
    assert!(report.answers[0].as_ref().unwrap().is_positive());
    assert_eq!(refused_by(&report), 550);

    let report = client.send(to_two(), MESSAGE).await.unwrap();
    assert!(matches!(report.outcome, Outcome::Delivered(_)));
    assert_eq!(refused_by(&report), 452);
    drop(client);
    let heard = &server.heard()[0];
    assert_eq!(heard.matches("DATA\r\n").count(), 1, "{heard}");
    assert_eq!(heard.matches("Hello.\r\n").count(), 1, "{heard}");
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

#[tokio::test]
async fn connections_come_from_the_address_that_is_set() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let peer = thread::spawn(move || {
        let (mut stream, peer) = listener.accept().unwrap();
        stream.write_all(b"554 No\r\n").unwrap();
        let mut heard = String::new();
        let _ = stream.read_to_string(&mut heard);
        peer.ip().to_string()
    });
    let own = [127, 0, 0, 3].into();
    let options = Options::at(format!("smtp://{address}")).unwrap();
    let error = Client::connect(options.local_address(own))
        .await
        .unwrap_err();
    assert!(error.answer().is_some(), "{error:?}");
    assert_eq!(peer.join().unwrap(), "127.0.0.3");
    // An address of the other family is of no use from there.
    let options = Options::at("smtp://[::1]:9").unwrap();
    let error = Client::connect(options.local_address(own))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Connect(_)), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with("no connection: [::1]:9: "), "{text}");
    // To try it again would be in vain.
    let nowhere = Options::new(Config::new("client.example".parse().unwrap()));
    let error = Client::connect(nowhere).await.unwrap_err();
    assert!(!error.is_transient());
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

#[cfg(feature = "auth")]
#[tokio::test]
async fn nothing_shows_a_password() {
    let options = Options::at("smtps://alice:hunter2@mx.example.net").unwrap();
    let sender = Sender::new(options.clone()).unwrap();
    for shown in [format!("{options:?}"), format!("{sender:?}")] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let error = Client::connect("smtps://alice:hunter2@").await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}
