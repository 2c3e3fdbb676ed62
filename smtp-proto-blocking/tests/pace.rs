//! How long a client waits: for each step, for a message, and for a server that takes its content a byte
//! at a time.

#![cfg(unix)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    thread::{self, JoinHandle, sleep},
    time::{Duration, Instant},
};

use smtp_proto::{
    client::{Config, NotSentReason, Outcome},
    machine::{Fault, Timer},
    syntax::Host,
};
use smtp_proto_blocking::{Body, Client, Error, Report, client::Options};
use smtp_proto_test_support::{DELIVERS, MESSAGE, OFFER, Script, Scripted, envelope};

fn options() -> Options {
    Options::new(Config::new(Host::parse("client.example").unwrap()))
}

/// Answers as a server does. Takes a byte of the content each `pause`, or all at once.
fn serve(stream: UnixStream, pause: Duration) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut lines = BufReader::new(stream);
        lines.get_mut().write_all(b"220 x\r\n").unwrap();
        let mut line = String::new();
        while lines.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
            let reply = match line.get(..4) {
                Some("EHLO") => OFFER,
                Some("DATA") => "250 x\r\n250 x\r\n354 x\r\n",
                None if line == ".\r\n" => "250 taken\r\n",
                _ => "",
            };
            lines.get_mut().write_all(reply.as_bytes()).unwrap();
            if reply.contains("354") && !pause.is_zero() {
                while lines.get_mut().read(&mut [0]).is_ok_and(|bytes| bytes > 0) {
                    sleep(pause);
                }
                return;
            }
            line.clear();
        }
    })
}

/// The message was given up, with its account, since it took too long.
fn assert_given_up(client: &mut Client, report: &Report) {
    let unsent = |it: &Outcome<'_>| matches!(it, Outcome::NotSent(why) if why.reason == NotSentReason::ConnectionEnded);
    assert!(unsent(&report.outcome), "{report:?}");
    let error = client.next_report().unwrap_err();
    assert_eq!(
        error.machine().unwrap().fault(),
        Fault::TimedOut(Timer::Message)
    );
    assert!(error.is_transient());
}

/// A byte each 50 ms expires none of RFC 5321's timers.
#[test]
fn a_server_that_takes_a_byte_now_and_then_is_given_up() {
    let large = || Body::shared(b"0123456789abcde\r\n".repeat(50_000));
    let limit = Duration::from_millis(200);
    type Send = fn(&mut Client, Body, Duration) -> Result<Report, Error>;
    let send: Send = |client, body, _| client.send(envelope(), body);
    let within: Send = |client, body, limit| client.send_within(limit, envelope(), body);
    thread::scope(|scope| {
        for (options, least, send) in [
            (options().message_timeout(limit), limit, send),
            (options(), limit, within),
            (
                options().lowest_rate(1_000_000),
                Duration::from_secs(10),
                send,
            ),
        ] {
            scope.spawn(move || {
                let (ours, theirs) = UnixStream::pair().unwrap();
                // It has much to read yet when all is over.
                let _server = serve(theirs, Duration::from_millis(50));
                let mut client = Client::with_stream(ours, options).unwrap();
                let begin = Instant::now();
                let report = send(&mut client, large(), limit).unwrap();
                let took = begin.elapsed();
                assert!(
                    took >= least && took < least + Duration::from_secs(5),
                    "{least:?}: {took:?}"
                );
                assert_given_up(&mut client, &report);
            });
        }
    });
}

/// What our own content is late by is not the server's fault.
#[test]
fn a_content_that_comes_slowly_is_not_the_servers_fault() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = serve(theirs, Duration::ZERO);
    let mut client = Client::with_stream(ours, options().lowest_rate(1_000_000)).unwrap();
    let (mut sender, body) = Body::channel();
    thread::spawn(move || {
        for _ in 0..12 {
            sender.send("A line.\r\n").unwrap();
            sleep(Duration::from_secs(1));
        }
        sender.finish().unwrap();
    });
    assert!(client.send(envelope(), body).unwrap().is_delivered());
    drop(client);
    server.join().unwrap();
}

/// Giving one message up at its time keeps the account of the others.
#[test]
fn a_send_that_is_given_up_loses_no_other_outcome() {
    let silent: Script = &[("", "220 x\r\n"), ("EHLO", OFFER), ("MAIL", "stay")];
    let server = Scripted::new([silent]);
    let mut client = Client::connect(server.url()).unwrap();
    let first = client.submit(envelope(), MESSAGE).unwrap();
    let limit = Duration::from_millis(100);
    let report = client.send_within(limit, envelope(), MESSAGE).unwrap();
    assert!(matches!(report.outcome, Outcome::NotSent(_)), "{report:?}");
    let other = client.next_report().unwrap().unwrap();
    assert_eq!(other.message, first);
    assert!(matches!(other.outcome, Outcome::NotSent(_)), "{other:?}");
    assert!(client.next_report().is_err());

    // One that is finished in time leaves the connection as it is.
    let script = [DELIVERS, &[("QUIT", "221 x\r\n")]].concat();
    let server = Scripted::new([&*script.leak()]);
    let mut client = Client::connect(server.url()).unwrap();
    let report = client.send_within(Duration::from_secs(60), envelope(), MESSAGE);
    assert!(report.unwrap().is_delivered());
    client.quit().unwrap();
}
