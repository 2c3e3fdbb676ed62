//! How long a client waits: for each step, for a message, and for a server that takes its content a byte
//! at a time.

use std::time::Duration;

use smtp_proto::{
    client::{Config, NotSentReason, Outcome},
    machine::{Fault, Timer},
    syntax::Host,
};
use smtp_proto_test_support::{DELIVERS, MESSAGE, OFFER, Script, Scripted, envelope};
use smtp_proto_tokio::{Body, Client, Report, client::Options};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex},
    time::{Instant, sleep, timeout},
};

fn options() -> Options {
    Options::new(Config::new(Host::parse("client.example").unwrap()))
}

/// Answers as a server does. Takes a byte of the content each `pause`, or all at once.
async fn serve(stream: DuplexStream, pause: Duration) {
    let mut lines = BufReader::with_capacity(1, stream);
    lines.write_all(b"220 x\r\n").await.unwrap();
    let mut line = String::new();
    while lines
        .read_line(&mut line)
        .await
        .is_ok_and(|bytes| bytes > 0)
    {
        let reply = match line.get(..4) {
            Some("EHLO") => OFFER,
            Some("DATA") => "250 x\r\n250 x\r\n354 x\r\n",
            None if line == ".\r\n" => "250 taken\r\n",
            _ => "",
        };
        lines.write_all(reply.as_bytes()).await.unwrap();
        if reply.contains("354") && !pause.is_zero() {
            while lines.read_u8().await.is_ok() {
                sleep(pause).await;
            }
            return;
        }
        line.clear();
    }
}

/// The message was given up, with its account, since it took too long.
async fn assert_given_up(client: &mut Client, report: &Report) {
    let unsent = |it: &Outcome<'_>| matches!(it, Outcome::NotSent(why) if why.reason == NotSentReason::ConnectionEnded);
    assert!(unsent(&report.outcome), "{report:?}");
    let error = client.next_report().await.unwrap_err();
    assert_eq!(
        error.machine().unwrap().fault(),
        Fault::TimedOut(Timer::Message)
    );
    assert!(error.is_transient());
}

/// A byte each 50 ms expires none of RFC 5321's timers.
#[tokio::test(start_paused = true)]
async fn a_server_that_takes_a_byte_now_and_then_is_given_up() {
    let large = || Body::shared(b"0123456789abcde\r\n".repeat(10_000));
    let limit = Duration::from_secs(20);
    for (options, is_limited, least) in [
        (options().message_timeout(limit), false, limit),
        (options(), true, limit),
        (
            options().lowest_rate(100_000),
            false,
            Duration::from_secs(10),
        ),
    ] {
        let (ours, theirs) = duplex(64);
        let server = tokio::spawn(serve(theirs, Duration::from_millis(50)));
        let mut client = Client::with_stream(ours, options).unwrap();
        let begin = Instant::now();
        let report = match is_limited {
            true => client.send_within(limit, envelope(), large()).await,
            false => client.send(envelope(), large()).await,
        };
        let took = begin.elapsed();
        assert!(
            took >= least && took < least + Duration::from_secs(5),
            "{least:?}: {took:?}"
        );
        assert_given_up(&mut client, &report.unwrap()).await;
        drop(client);
        server.await.unwrap();
    }
}

/// What our own content is late by is not the server's fault.
#[tokio::test(start_paused = true)]
async fn a_content_that_comes_slowly_is_not_the_servers_fault() {
    let (ours, theirs) = duplex(64);
    let server = tokio::spawn(serve(theirs, Duration::ZERO));
    let mut client = Client::with_stream(ours, options().lowest_rate(1000)).unwrap();
    let (mut sender, body) = Body::channel();
    tokio::spawn(async move {
        for _ in 0..60 {
            sender.send("A line.\r\n").await.unwrap();
            sleep(Duration::from_secs(1)).await;
        }
        sender.finish().await.unwrap();
    });
    assert!(client.send(envelope(), body).await.unwrap().is_delivered());
    drop(client);
    server.await.unwrap();
}

/// A future that is dropped in the middle takes nothing with it: the account is still there.
#[tokio::test]
async fn a_dropped_future_loses_no_outcome() {
    let silent: Script = &[("", "220 x\r\n"), ("EHLO", OFFER), ("MAIL", "stay")];
    let server = Scripted::new([silent]);
    let mut client = Client::connect(server.url()).await.unwrap();
    let first = client.submit(envelope(), MESSAGE).unwrap();
    let sending = timeout(Duration::from_millis(50), client.send(envelope(), MESSAGE));
    assert!(sending.await.is_err());
    let reports = client.abort();
    assert_eq!(reports.len(), 2);
    assert_eq!(reports[0].message, first);
}

/// Giving one message up at its time keeps the account of the others.
#[tokio::test]
async fn a_send_that_is_given_up_loses_no_other_outcome() {
    let silent: Script = &[("", "220 x\r\n"), ("EHLO", OFFER), ("MAIL", "stay")];
    let server = Scripted::new([silent]);
    let mut client = Client::connect(server.url()).await.unwrap();
    let first = client.submit(envelope(), MESSAGE).unwrap();
    let limit = Duration::from_millis(100);
    let report = client
        .send_within(limit, envelope(), MESSAGE)
        .await
        .unwrap();
    assert!(matches!(report.outcome, Outcome::NotSent(_)), "{report:?}");
    let other = client.next_report().await.unwrap().unwrap();
    assert_eq!(other.message, first);
    assert!(matches!(other.outcome, Outcome::NotSent(_)), "{other:?}");
    assert!(client.next_report().await.is_err());

    // One that is finished in time leaves the connection as it is.
    let script = [DELIVERS, &[("QUIT", "221 x\r\n")]].concat();
    let server = Scripted::new([&*script.leak()]);
    let mut client = Client::connect(server.url()).await.unwrap();
    let report = client.send_within(Duration::from_secs(60), envelope(), MESSAGE);
    assert!(report.await.unwrap().is_delivered());
    client.quit().await.unwrap();
}
