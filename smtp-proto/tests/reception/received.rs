//! The Received field, as messages get it from sessions of every kind (RFC 5321 4.4).

use std::{net::SocketAddr, time::Duration};

use smtp_proto::{
    machine::{Dialect, TlsInfo},
    reception::{Answer, Call, Envelope, Question, Received, Reception, Session, accept},
    server::{Config, Tls},
    syntax::{Capabilities, Extension, Host},
};

/// A Friday.
const NOW: u64 = 1_795_794_534;
const DATE: &str = "Fri, 27 Nov 2026 15:48:54 +0000\r\n";
const MAIL: [&str; 3] = ["MAIL FROM:<a@x>", "RCPT TO:<b@mx.example>", "DATA"];

fn config() -> Config {
    let offer = Capabilities::new()
        .with(Extension::SmtpUtf8)
        .with(Extension::EightBitMime);
    Config::new(Host::parse("mx.example").unwrap()).offer(offer)
}

fn peer(address: &str) -> Option<SocketAddr> {
    Some(SocketAddr::new(address.parse().unwrap(), 4711))
}

/// Returns the session and the envelope that a client comes to who says these lines.
fn receive(config: &Config, peer: Option<SocketAddr>, lines: &[&str]) -> (Session, Envelope) {
    let session = Session::new(0, peer, None);
    let mut reception: Reception = Reception::new(config.clone(), session, Duration::ZERO);
    if reception.wants_tls() {
        let mut info = TlsInfo::default();
        info.cipher_suite = 0x1301;
        reception.tls_established(info, Duration::ZERO).unwrap();
    }
    for line in [&[""], lines].concat() {
        let line = if line.is_empty() {
            String::new()
        } else {
            format!("{line}\r\n")
        };
        let mut input = line.as_bytes();
        while let Some(call) = reception.poll_call(&mut input, Duration::ZERO).unwrap() {
            match call {
                Call::Question(asked, question) => {
                    let answer = match question {
                        Question::Connected => Answer::Session(accept()),
                        Question::Mail(_) => Answer::Transaction(accept()),
                        Question::Recipient(..) => Answer::Recipient(accept()),
                        #[cfg(feature = "auth")]
                        Question::Credential(_) => Answer::Identity(Ok("tim".into())),
                        #[cfg(feature = "auth")]
                        Question::Mechanism(_) => Answer::Mechanism(Ok(false)),
                        _ => Answer::Plain(accept()),
                    };
                    reception.answer(asked, answer);
                }
                Call::Begin { envelope, .. } => return (reception.session().clone(), envelope),
                _ => {}
            }
        }
        while let Some(transmit) = reception.poll_transmit(Duration::ZERO) {
            let bytes = transmit.len();
            transmit.wrote(bytes, Duration::ZERO);
        }
    }
    panic!("no envelope")
}

/// Returns the field, without its date.
fn received(config: &Config, peer: Option<SocketAddr>, hello: &str, lines: &[&str]) -> String {
    let (session, envelope) = receive(config, peer, &[&[hello], lines].concat());
    let field = Received::new(config, &session, &envelope, NOW).to_string();
    field.strip_suffix(DATE).unwrap().to_owned()
}

/// 5321-4.4: the name that the client gave and the address that it has, for its only recipient.
#[test]
fn it_says_from_whom_by_whom_and_for_whom() {
    let (config, v4) = (config(), peer("192.0.2.1"));
    assert_eq!(
        received(&config, v4, "EHLO c.example", &MAIL),
        "Received: from c.example ([192.0.2.1])\r\n\tby mx.example with ESMTP\r\n\
         \tfor <b@mx.example>;\r\n\t"
    );
    for (address, literal) in [
        ("2001:db8::1", "[IPv6:2001:db8::1]"),
        // What a socket of IPv6 makes of a client that has IPv4.
        ("::ffff:192.0.2.1", "[192.0.2.1]"),
    ] {
        let field = received(&config, peer(address), "EHLO c.example", &MAIL);
        let from = format!("Received: from c.example ({literal})\r\n");
        assert!(field.starts_with(&from), "{field}");
    }
    let field = received(&config, None, "EHLO c.example", &MAIL);
    assert!(field.starts_with("Received: from c.example\r\n"), "{field}");
}

/// 5321-7.2: no recipient learns of another.
#[test]
fn several_recipients_are_not_named() {
    let lines = [
        "MAIL FROM:<a@x>",
        "RCPT TO:<b@mx.example>",
        "RCPT TO:<c@mx.example>",
        "DATA",
    ];
    assert_eq!(
        received(&config(), peer("192.0.2.1"), "EHLO c.example", &lines),
        "Received: from c.example ([192.0.2.1])\r\n\tby mx.example with ESMTP;\r\n\t"
    );
}

/// What a client calls itself is kept as a comment where it is no name, and can end no field.
#[test]
fn what_is_no_name_is_a_comment() {
    let (config, v4) = (config(), peer("192.0.2.1"));
    for (hello, from) in [
        (
            r"EHLO John's (old) PC\",
            r"[192.0.2.1] ([192.0.2.1]) (John's \(old\) PC\\)",
        ),
        ("EHLO h\u{f6}st", "[192.0.2.1] ([192.0.2.1]) (h?st)"),
        ("EHLO [192.0.2.7]", "[192.0.2.7] ([192.0.2.1])"),
    ] {
        let field = received(&config, v4, hello, &MAIL);
        let expected = format!("Received: from {from}\r\n");
        assert!(field.starts_with(&expected), "{field}");
    }
    let field = received(&config, None, "EHLO my PC", &MAIL);
    assert!(
        field.starts_with("Received: from localhost (my PC)\r\n"),
        "{field}"
    );
    // A message can come without a greeting, too.
    let ungreeted = config.require_hello(false);
    let field = received(&ungreeted, v4, MAIL[0], &MAIL[1..]);
    let from = "Received: from [192.0.2.1] ([192.0.2.1])\r\n\tby mx.example with SMTP\r\n";
    assert!(field.starts_with(from), "{field}");
}

/// RFC 3848, RFC 6531 4.3, RFC 8314 4.3: the protocol has a name for each way in which it is spoken.
#[test]
fn the_keyword_says_how() {
    let utf8 = [
        "MAIL FROM:<a@x> SMTPUTF8",
        "RCPT TO:<\u{f6}@mx.example>",
        "DATA",
    ];
    let secured = config().tls(Tls::Implicit);
    let lmtp = |config: Config| config.dialect(Dialect::Lmtp);
    let for_ascii = "\r\n\tfor <b@mx.example>";
    let for_utf8 = "\r\n\tfor <\u{f6}@mx.example>";
    for (config, hello, lines, expected) in [
        (
            config(),
            "HELO c.example",
            &MAIL,
            format!("SMTP{for_ascii}"),
        ),
        (
            config(),
            "EHLO c.example",
            &MAIL,
            format!("ESMTP{for_ascii}"),
        ),
        (
            config(),
            "EHLO c.example",
            &utf8,
            format!("UTF8SMTP{for_utf8}"),
        ),
        (
            secured.clone(),
            "HELO c.example",
            &MAIL,
            format!("ESMTPS{for_ascii} tls 0x1301"),
        ),
        (
            secured.clone(),
            "EHLO c.example",
            &utf8,
            format!("UTF8SMTPS{for_utf8} tls 0x1301"),
        ),
        (
            lmtp(config()),
            "LHLO c.example",
            &MAIL,
            format!("LMTP{for_ascii}"),
        ),
        (
            lmtp(secured),
            "LHLO c.example",
            &utf8,
            format!("UTF8LMTPS{for_utf8} tls 0x1301"),
        ),
    ] {
        let field = received(&config, None, hello, lines);
        let expected =
            format!("Received: from c.example\r\n\tby mx.example with {expected};\r\n\t");
        assert_eq!(field, expected);
    }
}

#[cfg(feature = "auth")]
#[test]
fn the_keyword_tells_of_authentication() {
    let config = config().tls(Tls::Implicit).mechanisms(["PLAIN"]).unwrap();
    let lines = ["AUTH PLAIN AHRpbQBzZWNyZXQ=", MAIL[0], MAIL[1], MAIL[2]];
    let field = received(&config, None, "EHLO c.example", &lines);
    assert!(
        field.contains("\tby mx.example with ESMTPSA\r\n"),
        "{field}"
    );
}

/// Days of every sort have their names and numbers.
#[test]
fn it_says_when() {
    let config = config();
    let lines = ["EHLO c.example", MAIL[0], MAIL[1], MAIL[2]];
    let (session, envelope) = receive(&config, None, &lines);
    for (seconds, date) in [
        (0, "Thu, 1 Jan 1970 00:00:00 +0000"),
        (951_782_399, "Mon, 28 Feb 2000 23:59:59 +0000"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 +0000"),
        (4_107_542_400, "Mon, 1 Mar 2100 00:00:00 +0000"),
        (1_798_761_599, "Thu, 31 Dec 2026 23:59:59 +0000"),
    ] {
        let field = Received::new(&config, &session, &envelope, seconds).to_string();
        assert!(field.ends_with(&format!(";\r\n\t{date}\r\n")), "{field}");
    }
    let field = Received::new(&config, &session, &envelope, u64::MAX).to_string();
    assert!(field.ends_with(" +0000\r\n"), "{field}");
}

/// The server's own name for a message stands there if it can.
#[test]
fn it_names_the_message() {
    let config = config();
    let lines = ["EHLO c.example", MAIL[0], MAIL[1], MAIL[2]];
    let (session, envelope) = receive(&config, None, &lines);
    let by = |id| {
        let field = Received::new(&config, &session, &envelope, NOW)
            .id(id)
            .to_string();
        field.lines().nth(1).unwrap().to_owned()
    };
    assert_eq!(
        by("1795794534.M12P3Q4"),
        "\tby mx.example with ESMTP id 1795794534.M12P3Q4"
    );
    for id in ["", "a b", "a\r\nb", "a..b", "(a", "\u{e9}"] {
        assert_eq!(by(id), "\tby mx.example with ESMTP", "{id:?}");
    }
}
