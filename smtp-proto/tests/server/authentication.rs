//! AUTH (RFC 4954).

use crate::peer::{Decision, Peer, config};
use smtp_proto::machine::{Fault, Misuse, TlsInfo, limits};
use smtp_proto::server::{Config, Event, ImproperPipelining, Tls};

const PLAIN: &str = "AHRpbQB0YW5zdGFhZnRhbnN0YWFm";
const DONE: &str = "235 2.7.0 Authentication successful\r\n";
const BAD: &str = "501 5.5.2 Response is not base64\r\n";
const REFUSED: &str = "535 5.7.8 no";

/// Offers PLAIN and a challenge-response mechanism on a link that cannot be listened to.
fn local() -> Config {
    let config = config().mechanisms(["PLAIN", "CRAM-MD5"]).unwrap();
    config.allow_plain_text_auth()
}

/// Challenges whoever says nothing at first; takes everything else.
fn asking(config: Config) -> Peer {
    Peer::greeted(config).deciding(|event| match event {
        Event::Auth {
            initial_response: None,
            ..
        } => Decision::Challenge(b""),
        _ => Decision::Accept,
    })
}

/// 4954-3-a, 4954-4-d, 4954-4-k, 4954-4-r, 4616-2-a, 2034-4-c, 4954-6-a: with an initial response.
#[test]
fn initial_responses() {
    for (line, event) in [
        (
            format!("AUTH PLAIN {PLAIN}"),
            r#"auth PLAIN Some("\\x00tim\\x00tanstaaftanstaaf")"#,
        ),
        ("auth plain =".into(), r#"auth PLAIN Some("")"#),
    ] {
        let mut peer = Peer::new(local());
        let answer = peer.send("EHLO c.example\r\n");
        assert!(answer.contains("AUTH PLAIN CRAM-MD5\r\n"), "{answer}");
        peer.events();
        assert_eq!(peer.send(&format!("{line}\r\n")), DONE);
        assert_eq!(peer.events(), [event]);
    }
}

/// 4954-4-e, 4954-4-f, 4954-4-h, 4422-5-a, LOGIN-a, X-25: challenges and responses, empty ones too.
#[test]
fn an_exchange() {
    let mut peer = Peer::greeted(local().mechanisms(["LOGIN"]).unwrap());
    peer = peer.deciding(|_| Decision::Hold);
    assert_eq!(peer.send("AUTH LOGIN\r\n"), "");
    let challenge = |peer: &mut Peer, event: &str, bytes: &[u8]| {
        let ticket = peer.ticket(event);
        peer.server.challenge(ticket, bytes).unwrap();
        peer.poll();
        peer.read()
    };
    assert_eq!(
        challenge(&mut peer, "auth LOGIN None", b"Username:"),
        "334 VXNlcm5hbWU6\r\n"
    );
    assert_eq!(peer.send("dGlt\r\n"), "");
    assert_eq!(
        challenge(&mut peer, r#"response "tim""#, b"Password:"),
        "334 UGFzc3dvcmQ6\r\n"
    );
    assert_eq!(peer.trickle("c2VjcmV0\r\n"), "");
    assert_eq!(
        challenge(&mut peer, r#"response "secret""#, b""),
        "334 \r\n"
    );
    assert_eq!(peer.send("\r\n"), "");
    assert_eq!(peer.accept(r#"response """#), DONE);
}

/// X-12: what looks like a command is a response.
#[test]
fn commands_are_responses() {
    let mut peer = asking(local()).deciding(|event| match event {
        Event::Auth { .. } | Event::AuthResponse { .. } => Decision::Challenge(b"?"),
        _ => Decision::Accept,
    });
    peer.send("AUTH CRAM-MD5\r\n");
    peer.events();
    for command in ["QUIT", "RSET", "NOOP", "HELO"] {
        assert_eq!(peer.send(&format!("{command}\r\n")), "334 Pw==\r\n");
    }
    assert_eq!(peer.events().len(), 4);
    assert_eq!(peer.send("*\r\n"), "501 5.7.0 Authentication cancelled\r\n");
    assert_eq!(peer.events(), ["rejected 501 "]);
    assert_eq!(peer.send("NOOP\r\n"), "250 2.0.0 OK\r\n");
}

/// AUT-2, 4954-4-g, 4954-4-m, 4954-4-o
#[test]
fn responses_that_are_not_base64() {
    for response in ["=AAA", "AAA=BBB", "AA A", "AAAAA", "AA", "!!!", "AAB=", "="] {
        let mut peer = asking(local());
        assert_eq!(peer.send("AUTH PLAIN\r\n"), "334 \r\n");
        assert_eq!(peer.send(&format!("{response}\r\n")), BAD, "{response}");
        assert_eq!(peer.events().last().unwrap(), "rejected 501 ");
        assert_eq!(&peer.send("MAIL FROM:<>\r\n")[..3], "250");
        if !["=", "AA A"].contains(&response) {
            let mut peer = asking(local());
            let got = peer.send(&format!("AUTH PLAIN {response}\r\n"));
            assert_eq!(got, BAD, "{response}");
            assert_eq!(peer.events(), ["rejected 501 AUTH PLAIN"]);
        }
    }
    let mut peer = asking(local());
    assert_eq!(&peer.send("AUTH PLAIN AA A\r\n")[..3], "501");
    assert_eq!(peer.events(), ["rejected 501 AUTH PLAIN"]);
}

/// As after a command, white space before the CR LF is tolerated (RFC 5321 4.1.1).
#[test]
fn white_space_after_a_response_is_dropped() {
    for response in ["AAAA  ", "AAAA\t", " "] {
        let mut peer = asking(local());
        peer.send("AUTH PLAIN\r\n");
        assert_eq!(peer.send(&format!("{response}\r\n")), DONE, "{response:?}");
    }
}

/// AUT-3, 4954-4-p, 4954-4-q, 4954-6-a
#[test]
fn long_responses() {
    let mut peer = asking(local());
    peer.send("AUTH PLAIN\r\n");
    assert!(peer.server.max_unconsumed() >= 12_290);
    assert_eq!(peer.send(&"A".repeat(12_288)), "");
    assert_eq!(peer.send("\r\n"), DONE);
    let mut peer = asking(local());
    peer.send("AUTH PLAIN\r\n");
    peer.events();
    assert_eq!(peer.send(&"A".repeat(12_289)), "");
    assert_eq!(
        peer.send("\r\n"),
        "500 5.5.6 Authentication line too long\r\n"
    );
    assert_eq!(peer.events(), ["rejected 500 "]);
    assert_eq!(&peer.send("NOOP\r\n")[..3], "250");
    // And one without an end.
    peer.send("AUTH PLAIN\r\n");
    assert_eq!(&peer.send(&"A".repeat(70_000))[..3], "421");
    assert_eq!(peer.fault(), Some(Fault::TooManyErrors));
}

/// AUT-1, 4954-4-c, 4954-4-v, 4616-5-a, 8314-4.1-a, 3207-4.2-c: passwords go under TLS only.
#[test]
fn passwords_in_clear() {
    let config = config().tls(Tls::Offered);
    let config = config.mechanisms(["PLAIN", "LOGIN", "XOAUTH2", "SCRAM-SHA-256"]);
    let mut peer = Peer::new(config.unwrap());
    let answer = peer.send("EHLO c.example\r\n");
    assert!(answer.contains("-AUTH SCRAM-SHA-256\r\n"), "{answer}");
    peer.events();
    let unknown = "504 5.5.4 Authentication mechanism not available\r\n";
    for mechanism in ["PLAIN", "LOGIN", "XOAUTH2", "FOO"] {
        let got = peer.send(&format!("AUTH {mechanism} {PLAIN}\r\n"));
        assert_eq!(got, unknown, "{mechanism}");
        assert_eq!(peer.events(), [format!("rejected 504 AUTH {mechanism}")]);
    }
    assert_eq!(peer.send("AUTH scram-sha-256 =\r\n"), DONE);
    // X-17, 3207-4.2-a: forgotten under TLS, where more is offered.
    peer.send("STARTTLS\r\n");
    peer.server
        .tls_established(TlsInfo::default(), peer.now)
        .unwrap();
    let answer = peer.send("EHLO c.example\r\n");
    assert!(
        answer.ends_with("250 AUTH PLAIN LOGIN XOAUTH2 SCRAM-SHA-256\r\n"),
        "{answer}"
    );
    assert_eq!(peer.send(&format!("AUTH PLAIN {PLAIN}\r\n")), DONE);
}

/// 8314-4.2-a, 4422-3.1-a: what is offered may depend on the client, and without any mechanism there
/// is no AUTH.
#[test]
fn mechanisms_of_one_session() {
    let external = config().mechanisms(["EXTERNAL"]).unwrap();
    let mut peer = Peer::new(config()).deciding(|event| match event {
        Event::Hello { .. } => Decision::Hold,
        _ => Decision::Accept,
    });
    assert_eq!(
        peer.send("AUTH EXTERNAL =\r\n"),
        "502 5.5.1 Command not implemented\r\n"
    );
    assert_eq!(
        peer.server.reconfigure(external.clone()),
        Err(Misuse::SettingsFixed)
    );
    peer.send("EHLO c.example\r\n");
    peer.server.reconfigure(external).unwrap();
    assert!(peer.accept("ehlo").ends_with("250 AUTH EXTERNAL\r\n"));
    assert_eq!(peer.send("AUTH EXTERNAL =\r\n"), DONE);
    assert!(config().mechanisms(["PLAIN LOGIN"]).is_err());
}

/// AUT-4, 4954-4-a, 4954-4-b, X-18, X-19, X-20
#[test]
fn auth_in_and_out_of_its_place() {
    let refusal = "503 5.5.1 Bad sequence of commands\r\n";
    let auth = format!("AUTH PLAIN {PLAIN}\r\n");
    let mut peer = Peer::new(local());
    assert_eq!(peer.send(&auth), refusal);
    peer.send("EHLO c.example\r\n");
    peer.send("MAIL FROM:<>\r\n");
    assert_eq!(peer.send(&auth), refusal);
    assert_eq!(&peer.send("RCPT TO:<a@b.example>\r\n")[..3], "250");
    peer.send("RSET\r\n");
    assert_eq!(peer.send(&auth), DONE);
    assert_eq!(peer.send(&auth), refusal);
    peer.send("RSET\r\nEHLO c.example\r\n");
    assert_eq!(peer.send(&auth), refusal);
    assert_eq!(&peer.send("MAIL FROM:<>\r\n")[..3], "250");
}

/// 4954-6-c, X-26, 4954-6-a, 6409-3.2-a, 6409-4.3-a
#[test]
fn authentication_required() {
    let mut peer = Peer::new(local().require_auth());
    let refusal = "530 5.7.0 Authentication required\r\n";
    assert_eq!(&peer.send("EHLO c.example\r\n")[..3], "250");
    for command in [
        "MAIL FROM:<>\r\n",
        "RCPT TO:<a@b.example>\r\n",
        "DATA\r\n",
        "BDAT 6 LAST\r\nQUIT\r\n",
        "VRFY x\r\n",
    ] {
        assert_eq!(peer.send(command), refusal, "{command}");
    }
    for command in ["HELO c.example\r\n", "NOOP\r\n", "RSET\r\n", "EHLO c\r\n"] {
        assert_eq!(&peer.send(command)[..3], "250", "{command}");
    }
    assert_eq!(peer.send(&format!("AUTH PLAIN {PLAIN}\r\n")), DONE);
    assert_eq!(&peer.send("MAIL FROM:<>\r\n")[..3], "250");
    // Both demanded: TLS comes first.
    let config = local().require_auth().tls(Tls::Required);
    let mut peer = Peer::greeted(config);
    for command in ["MAIL FROM:<>\r\n", "AUTH PLAIN =\r\n"] {
        assert_eq!(peer.send(command), "530 5.7.0 Issue STARTTLS first\r\n");
    }
    assert_eq!(&peer.send("STARTTLS\r\n")[..3], "220");
    peer.server
        .tls_established(TlsInfo::default(), peer.now)
        .unwrap();
    peer.send("EHLO c.example\r\n");
    assert_eq!(peer.send("MAIL FROM:<>\r\n"), refusal);
}

/// 4954-4-t, X-13: commands after an initial response wait for the verdict over it.
#[test]
fn mail_after_an_initial_response() {
    for (verdict, replies) in [
        (None, format!("{DONE}250 2.1.0 Sender OK\r\n")),
        (
            Some(REFUSED),
            format!("{REFUSED}\r\n530 5.7.0 Authentication required\r\n"),
        ),
    ] {
        let config = local().require_auth();
        let mut peer = Peer::greeted(config).deciding(|_| Decision::Hold);
        let wire = format!("AUTH PLAIN {PLAIN}\r\nMAIL FROM:<>\r\n");
        assert_eq!(peer.send(&wire), "");
        assert_eq!(peer.events().len(), 1);
        match verdict {
            None => {
                peer.accept("auth");
                assert_eq!(peer.accept("mail"), "250 2.1.0 Sender OK\r\n");
            }
            Some(line) => assert_eq!(peer.answer("auth", line), replies),
        }
    }
}

/// 4954-4-t: also where the machine itself refuses it.
#[test]
fn mail_after_a_refused_initial_response() {
    for line in ["AUTH FOO AAAA", "AUTH PLAIN AAA"] {
        let mut peer = asking(local());
        let got = peer.send(&format!("{line}\r\nMAIL FROM:<>\r\n"));
        assert!(got.ends_with("\r\n250 2.1.0 Sender OK\r\n"), "{got}");
    }
}

/// CMD-6, AUT-4: nothing may follow AUTH without an initial response, nor what is answered by a
/// challenge. A secret among it is not quoted.
#[test]
fn bytes_before_a_challenge() {
    for wire in [
        format!("AUTH PLAIN\r\n{PLAIN}\r\n"),
        format!("AUTH CRAM-MD5 =\r\n{PLAIN}\r\n"),
    ] {
        let mut peer = Peer::greeted(local()).deciding(|_| Decision::Challenge(b""));
        peer.send(&wire);
        assert_eq!(peer.fault(), Some(Fault::ImproperPipelining), "{wire}");
        let error = peer.error.unwrap();
        assert!(!format!("{error} {error:?}").contains("AHRp"), "{error}");
    }
}

/// 4954-9-a, AUT-7, 4954-4-u
#[test]
fn three_failures() {
    let mut peer = asking(local()).deciding(|event| match event {
        Event::Auth {
            initial_response: None,
            ..
        } => Decision::Challenge(b""),
        Event::Auth { .. } | Event::AuthResponse { .. } => Decision::Reply(REFUSED),
        _ => Decision::Accept,
    });
    let refused = format!("{REFUSED}\r\n");
    assert_eq!(peer.send("AUTH PLAIN =\r\n"), refused);
    peer.send("AUTH PLAIN\r\n");
    assert_eq!(peer.send("AAAA\r\n"), refused);
    assert_eq!(peer.send("AUTH PLAIN =\r\n"), refused);
    assert_eq!(&peer.send("NOOP\r\n")[..3], "250");
    assert_eq!(
        peer.send("AUTH PLAIN =\r\n"),
        "421 4.7.0 mx.example too many errors, closing connection\r\n"
    );
    assert_eq!(peer.fault(), Some(Fault::TooManyErrors));
}

/// AUT-5: the end in mid-exchange; X-12: QUIT is a response there.
#[test]
fn gone_in_mid_exchange() {
    let mut peer = asking(local());
    peer.send("AUTH PLAIN\r\n");
    peer.unconsumed.extend_from_slice(b"AHRpbQB0YW");
    peer.poll();
    peer.server.handle_eof();
    peer.poll();
    let error = peer.error.unwrap();
    assert_eq!(error.fault(), Fault::ConnectionLost);
    assert_eq!(error.state(), "in an authentication exchange");
    assert_eq!(error.excerpt().as_bytes(), b"");
}

/// Verdicts that are not AUTH's, that come late, or go elsewhere.
#[test]
fn answers_of_the_wrong_kind() {
    let mut peer = Peer::greeted(local()).deciding(|_| Decision::Hold);
    peer.send("AUTH PLAIN =\r\n");
    let mut ticket = peer.ticket("auth");
    for line in ["250 2.0.0 fine", "334 AAAA", "220 ready"] {
        let refused = peer.server.reply(ticket, crate::peer::reply(line));
        let refused = refused.unwrap_err();
        assert_eq!(refused.misuse, Misuse::WrongReplyClass, "{line}");
        ticket = refused.ticket;
    }
    assert_eq!(
        peer.wait(240),
        "454 4.7.0 Authentication not available, try again later\r\n"
    );
    let refused = peer.server.challenge(ticket, b"late").unwrap_err();
    assert_eq!(refused.misuse, Misuse::Expired);
    peer.send("VRFY x\r\n");
    let ticket = peer.ticket("vrfy");
    let refused = peer.server.challenge(ticket, b"").unwrap_err();
    assert_eq!(refused.misuse, Misuse::WrongReplyClass);
    peer.server.accept(refused.ticket).unwrap();
    assert_eq!(&peer.read()[..3], "252");
    peer.send("AUTH PLAIN =\r\n");
    assert_eq!(
        peer.answer("auth", "235 2.7.0 welcome"),
        "235 2.7.0 welcome\r\n"
    );
    assert_eq!(&peer.send("AUTH PLAIN =\r\n")[..3], "503");
}

/// AUT-10: a password is shown by no event, no error and no trace.
#[test]
fn no_secret_is_shown() {
    let mut shown = String::new();
    let config = local()
        .traced()
        .max_auth_failures(99)
        .improper_pipelining(ImproperPipelining::Tolerate);
    let mut peer = Peer::greeted(config);
    for line in [
        format!("AUTH PLAIN {PLAIN}\r\n"),
        format!("auth  PLAIN {PLAIN}\r\n"),
        format!("AUTH PLAIN\t{PLAIN}\r\n"),
        format!("AUTH FOO {PLAIN}\r\n"),
        format!("AUTH PLAIN {PLAIN}!\r\n"),
        "AUTH PLAIN\r\n".into(),
        format!("{PLAIN}\r\n"),
        "AUTH PLAIN\r\n".into(),
        format!("{PLAIN}!\r\n"),
        "AUTH PLAIN\r\n".into(),
        format!("{PLAIN}{}\r\n", "A".repeat(limits::AUTHENTICATION_LINE)),
        "AUTH PLAIN\r\n".into(),
        // The end comes in its midst.
        PLAIN.into(),
    ] {
        if line == PLAIN {
            peer.server.handle_eof();
        }
        let mut input = line.as_bytes();
        while let Ok(Some(event)) = peer.server.poll_event(&mut input, peer.now) {
            shown += &format!("{event:?}\n");
            if let Event::Auth {
                ticket,
                initial_response: None,
                ..
            } = event
            {
                peer.server.challenge(ticket, b"").unwrap();
            } else if let Some(ticket) = event.into_ticket() {
                let refusal = crate::peer::reply(REFUSED);
                peer.server.reply(ticket, refusal).unwrap();
            }
        }
        shown += &format!("{:?}\n", peer.server);
    }
    while let Some(entry) = peer.server.poll_trace() {
        shown += &format!("{}\n", entry.what);
    }
    assert_eq!(shown.matches("[unreadable: ***]").count(), 2, "{shown}");
    assert!(shown.contains("SaslResponse(***)") && shown.contains("AUTH ***"));
    for secret in ["AHRp", "tanstaaf"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// AUT-10: nor is a response that comes before it was asked for.
#[test]
fn what_is_sent_ahead_of_a_challenge_is_not_shown() {
    for end in ["", "\r\n"] {
        let config = local()
            .traced()
            .improper_pipelining(ImproperPipelining::Tolerate);
        let mut peer = Peer::greeted(config).deciding(|event| match event {
            Event::Auth { .. } => Decision::Hold,
            _ => Decision::Accept,
        });
        peer.send(&format!("AUTH PLAIN\r\n{PLAIN}{end}"));
        peer.server.handle_eof();
        peer.poll();
        let trace = std::iter::from_fn(|| peer.server.poll_trace());
        let shown: String = trace.map(|it| it.what.to_string()).collect();
        assert!(
            shown.contains("AUTH ***") && !shown.contains(PLAIN),
            "{shown}"
        );
    }
}

/// 4954-5-a, 4954-5-b: the parameter is taken before any login.
#[test]
fn the_parameter_of_mail() {
    let mut peer = Peer::greeted(local());
    for (value, code) in [
        ("AUTH=<>", "250"),
        ("AUTH=e+3Dmc2@example.com", "250"),
        ("AUTH=", "501"),
        ("AUTH=foo", "501"),
        ("AUTH=a+GG@b.example", "501"),
        ("AUTH", "501"),
    ] {
        let got = peer.send(&format!("MAIL FROM:<a@b.example> {value}\r\n"));
        assert_eq!(&got[..3], code, "{value}");
        peer.send("RSET\r\n");
    }
}
