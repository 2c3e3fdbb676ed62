//! What both adapters' clients have to show of a session: one text, in two spellings.
//!
//! Whoever includes it has `face`, the adapter, and the macro `wait` for what takes time.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
};

use smtp_proto::{
    client::{Config, NotSentReason, Observed, Outcome},
    machine::{Fault, Step},
};
use smtp_proto_test_support::{DELIVERS, MESSAGE, OFFER, Script, Scripted, envelope};

use super::face::{Client, Error, Report, client::Options};

fn is_unsent(report: &Report, reason: NotSentReason) -> bool {
    matches!(&report.outcome, Outcome::NotSent(why) if why.reason == reason)
}

#[test]
fn a_first_program() {
    let server = Scripted::new([DELIVERS]);
    let mut client = wait!(Client::connect(server.url())).unwrap();
    let report = wait!(client.send(envelope(), MESSAGE)).unwrap();
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
#[test]
fn a_refused_session_is_an_error_with_the_reply_and_the_trace() {
    for (greeting, fault) in [
        ("421 4.3.2 Busy\r\n", Fault::Closing),
        ("554 5.7.1 Not you\r\n", Fault::SessionRefused),
    ] {
        let script: Script = Box::leak(Box::new([("", greeting), ("QUIT", "221 x\r\n")]));
        let server = Scripted::new([script]);
        let client = Options::at(server.url()).unwrap();
        let error = wait!(Client::connect(client.configure(|it| it.traced()))).unwrap_err();
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
#[test]
fn a_reset_is_a_lost_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let peer = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"220 x\r\n").unwrap();
        // Closing with something unread resets.
        stream.peek(&mut [0]).unwrap();
    });
    let connected = wait!(Client::connect(format!("smtp://{address}")));
    let error = connected.unwrap_err();
    assert_eq!(error.machine().unwrap().fault(), Fault::ConnectionLost);
    peer.join().unwrap();
}

#[cfg(feature = "rustls")]
#[test]
fn a_server_that_does_not_begin_with_tls_is_told_as_such() {
    let server = Scripted::new([DELIVERS]);
    let url = server.url().replace("smtp://", "smtps://");
    let error = wait!(Client::connect(url)).unwrap_err();
    assert_eq!(error.machine().unwrap().fault(), Fault::TlsFailed);
    let text = error.to_string();
    assert!(text.contains("does not answer in TLS"), "{text}");
}

#[test]
fn giving_up_tells_every_outcome() {
    let silent: Script = &[("", "220 x\r\n"), ("EHLO", OFFER), ("MAIL", "stay")];
    let server = Scripted::new([silent]);
    let mut client = wait!(Client::connect(server.url())).unwrap();
    client.submit(envelope(), MESSAGE).unwrap();
    client.submit(envelope(), MESSAGE).unwrap();
    let reports = client.abort();
    assert_eq!(reports.len(), 2);
    let unsent = |report: &Report| is_unsent(report, NotSentReason::ConnectionEnded);
    assert!(reports.iter().all(unsent), "{reports:?}");
    let error = wait!(client.next_report()).unwrap_err();
    assert_eq!(error.machine().unwrap().fault(), Fault::ShutDown);
}

/// Greeting, offer, commands and replies, each with its step, message and recipient.
#[test]
fn a_session_is_watched_as_it_happens() {
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
    let mut client = wait!(Client::connect(options)).unwrap();
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
        wait!(client.send(envelope(), MESSAGE))
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

/// All recipients or none, a trial without content, and recipients that are put off as refused ones.
#[test]
fn a_queue_decides_for_whom_and_whether() {
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
    let mut client = wait!(Client::connect(options)).unwrap();
    let to_two = || envelope().to("no@example.org").unwrap();
    let refused_by = |report: &Report| match &report.recipients[1] {
        Outcome::Refused(answer) => answer.reply.code().value(),
        _ => panic!("{report:?}"),
    };

    let all = to_two().all_or_none();
    let report = wait!(client.send(all, MESSAGE)).unwrap();
    assert!(is_unsent(&report, NotSentReason::NotForAll));
    assert_eq!(refused_by(&report), 550);

    let trial = to_two().verify_only();
    let report = wait!(client.send(trial, MESSAGE)).unwrap();
    assert!(is_unsent(&report, NotSentReason::OnlyVerified));
    assert!(report.answers[0].as_ref().unwrap().is_positive());
    assert_eq!(refused_by(&report), 550);

    let report = wait!(client.send(to_two(), MESSAGE)).unwrap();
    assert!(matches!(report.outcome, Outcome::Delivered(_)));
    assert_eq!(refused_by(&report), 452);
    drop(client);
    let heard = &server.heard()[0];
    assert_eq!(heard.matches("DATA\r\n").count(), 1, "{heard}");
    assert_eq!(heard.matches("Hello.\r\n").count(), 1, "{heard}");
}

#[test]
fn connections_come_from_the_address_that_is_set() {
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
    let error = wait!(Client::connect(options.local_address(own))).unwrap_err();
    assert!(error.answer().is_some(), "{error:?}");
    assert_eq!(peer.join().unwrap(), "127.0.0.3");
    // An address of the other family is of no use from there.
    let options = Options::at("smtp://[::1]:9").unwrap();
    let error = wait!(Client::connect(options.local_address(own))).unwrap_err();
    assert!(matches!(error, Error::Connect(_)), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with("no connection: [::1]:9: "), "{text}");
    // To try it again would be in vain.
    let nowhere = Options::new(Config::new("client.example".parse().unwrap()));
    assert!(!wait!(Client::connect(nowhere)).unwrap_err().is_transient());
}

#[cfg(feature = "auth")]
#[test]
fn nothing_shows_a_password() {
    let options = Options::at("smtps://alice:hunter2@mx.example.net").unwrap();
    let sender = super::face::Sender::new(options.clone()).unwrap();
    for shown in [format!("{options:?}"), format!("{sender:?}")] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let error = wait!(Client::connect("smtps://alice:hunter2@")).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}
