//! What a connection ended with: the words, the reply, and whether to try again.

use std::error::Error as _;

use smtp_proto::{
    client::{NotSent, NotSentReason, Outcome, Pipelining, Tls},
    machine::{Answer, Fault, Step, Timer},
    syntax::{Extension, Reply},
};

use crate::dialogue::{
    Dialogue, ONE, answer, config, envelope, finished, look_ahead, not_sent_after,
};

const EHLO: &str = "EHLO client.example\r\n";
const ENVELOPE: &str = "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n";

/// Goes on from one point of a session to the next: sends this, and is told that.
type Turn<'t> = (&'t str, &'t str);

fn go(d: &mut Dialogue, turns: &[Turn<'_>]) {
    for (sends, says) in turns {
        d.sends(sends);
        d.says(says);
    }
}

/// A session with STARTTLS, as far as these turns go.
fn session(turns: &[Turn<'_>]) -> Dialogue {
    let mut d = Dialogue::with(config(Pipelining::Group).tls(Tls::Required));
    go(&mut d, turns);
    d
}

/// An error says what the machine was doing, whatever that was.
#[test]
fn an_error_says_what_was_going_on() {
    let clear = [("", "220 x\r\n"), (EHLO, "250-x\r\n250 STARTTLS\r\n")];
    let states = |turns: &[Turn<'_>], last: Option<&str>, state: &str| {
        let mut d = session(turns);
        if let Some(sends) = last {
            d.sends(sends);
        }
        d.hangs_up();
        let error = d.error.unwrap();
        assert_eq!(
            (error.fault(), error.state()),
            (Fault::ConnectionLost, state)
        );
    };
    states(&[], None, "waiting for the greeting");
    states(&clear[..1], None, "opening the session");
    states(&clear[..1], Some(EHLO), "waiting for the reply to EHLO");
    states(&clear, None, "opening the session");
    states(
        &clear,
        Some("STARTTLS\r\n"),
        "waiting for the reply to STARTTLS",
    );
    let asked = [clear[0], clear[1], ("STARTTLS\r\n", "220 go\r\n")];
    states(&asked, None, "waiting for the TLS handshake");

    let open = || Dialogue::begin(Pipelining::Group, &["PIPELINING"]);
    let ends = |mut d: Dialogue, state: &str| {
        d.hangs_up();
        assert_eq!(d.error.unwrap().state(), state);
    };
    ends(open(), "between messages");
    let mut d = open();
    d.submit("a@example.org", &ONE);
    go(&mut d, &[(ENVELOPE, "")]);
    ends(d, "waiting for the reply to MAIL");
    let mut d = open();
    let message = d.client.submit(&envelope("a@example.org", &ONE)).unwrap();
    go(&mut d, &[(ENVELOPE, "250 ok\r\n250 ok\r\n354 go\r\n")]);
    assert_eq!(d.client.wants_body().unwrap().message, message);
    ends(d, "waiting for content");
    let mut d = open();
    d.client.begin(&envelope("a@example.org", &[])).unwrap();
    go(&mut d, &[("MAIL FROM:<a@example.org>\r\n", "250 ok\r\n")]);
    ends(d, "waiting for recipients");
    let mut d = open();
    d.client.quit();
    go(&mut d, &[("QUIT\r\n", "")]);
    d.client.abort();
    d.says("");
    let error = d.error.unwrap();
    assert_eq!(error.state(), "waiting for the reply to QUIT");
}

/// A timer names what it waited for, and an error what was being done: once, if that is the same.
#[test]
fn a_time_out_is_said_once() {
    let mut silent = session(&[]);
    silent
        .client
        .handle_timeout(std::time::Duration::from_secs(600));
    silent.says("");
    let error = silent.error.unwrap().to_string();
    assert_eq!(error, "timed out waiting for the greeting");
}

/// Of a reply that becomes none, the line at fault is told, and what stood before it.
#[test]
fn a_reply_that_contradicts_itself_is_told_with_both_codes() {
    for (says, words) in [
        (
            "220-hello\r\n521 no\r\n",
            r#"the server sent a malformed reply (waiting for the greeting): "521 no\r\n", in a reply with the code 220"#,
        ),
        (
            "220-hello\r\n220-and\r\nbye\r\n",
            r#"the server sent a malformed reply (waiting for the greeting): "bye\r\n", in a reply with the code 220"#,
        ),
        (
            "bye\r\n",
            r#"the server sent a malformed reply (waiting for the greeting): "bye\r\n""#,
        ),
    ] {
        let error = session(&[("", says)]).error.unwrap();
        assert_eq!(error.to_string(), words);
    }
}

/// An error that a reply has led to names the command that it answers, not what came next.
#[test]
fn an_error_names_the_command_that_was_answered() {
    let ends = |d: Dialogue, fault: Fault, state: &str, cause: Answer<'_>| {
        let error = d.error.unwrap();
        assert_eq!((error.fault(), error.state()), (fault, state));
        assert_eq!(error.answer(), Some(&cause));
        let words = format!("{fault} ({state}): \"");
        assert!(error.to_string().starts_with(&words), "{error}");
    };
    let closing = "421-4.3.2 shutting down\r\n421 4.3.2 try later\r\n";
    let greeting = session(&[("", closing)]);
    let state = "waiting for the greeting";
    ends(
        greeting,
        Fault::Closing,
        state,
        answer(Step::Greeting, closing),
    );
    let hello = session(&[("", "220 x\r\n"), (EHLO, closing)]);
    let state = "waiting for the reply to EHLO";
    ends(hello, Fault::Closing, state, answer(Step::Hello, closing));

    let mut d = session(&[("", "220 x\r\n"), (EHLO, "250-x\r\n250 STARTTLS\r\n")]);
    go(
        &mut d,
        &[
            ("STARTTLS\r\n", "454 4.7.0 no\r\n"),
            ("QUIT\r\n", "221 bye\r\n"),
        ],
    );
    let cause = answer(Step::StartTls, "454 4.7.0 no\r\n");
    let state = "waiting for the reply to STARTTLS";
    ends(d, Fault::TlsUnavailable, state, cause);

    let mut d = Dialogue::begin(Pipelining::Group, &["PIPELINING"]);
    let m = d.submit("a@example.org", &ONE);
    go(&mut d, &[(ENVELOPE, &format!("250 ok\r\n{closing}"))]);
    // A 421 to the recipient: its words are the message's.
    let reason = NotSentReason::ConnectionEnded;
    let outcome = not_sent_after(reason, Step::Recipient, closing);
    assert_eq!(
        outcome_words(&outcome),
        "the connection ended: 421 4.3.2 shutting down / 4.3.2 try later in reply to RCPT"
    );
    d.reports(&[finished(m, outcome)]);
    let state = "waiting for the reply to RCPT";
    ends(d, Fault::Closing, state, answer(Step::Recipient, closing));
}

fn outcome_words(outcome: &Outcome<'_>) -> String {
    match outcome {
        Outcome::NotSent(not_sent) => not_sent.to_string(),
        other => panic!("{other:?}"),
    }
}

/// Each fault of a client's says whether another connection may do better; a reply that it rests on
/// decides.
#[test]
fn an_error_says_whether_to_try_again() {
    type Case<'c> = (&'c str, Dialogue, Fault, bool);
    let greeted = |says: &str| session(&[("", says)]);
    let introduced = |says: &str| session(&[("", "220 x\r\n"), (EHLO, says)]);
    let left = |mut d: Dialogue| {
        go(&mut d, &[("QUIT\r\n", "221 bye\r\n")]);
        d
    };
    let start_tls = |says: &str| {
        let mut d = introduced("250-x\r\n250 STARTTLS\r\n");
        go(&mut d, &[("STARTTLS\r\n", says)]);
        d
    };
    let asked = |says: &str| {
        let mut d = Dialogue::begin(Pipelining::Group, &["PIPELINING"]);
        d.submit("a@example.org", &ONE);
        go(&mut d, &[(ENVELOPE, says)]);
        d
    };
    let ends = |mut d: Dialogue, end: fn(&mut Dialogue)| {
        end(&mut d);
        d.says("");
        d
    };
    let after_message = |says: &str| {
        let mut d = asked("250 ok\r\n250 ok\r\n354 go\r\n");
        d.written();
        d.says("554 no\r\n");
        d.submit("a@example.org", &ONE);
        d.sends(&format!("RSET\r\n{ENVELOPE}"));
        d.says(says);
        d
    };
    let cases: [Case<'_>; 24] = [
        ("", greeted("554 no\r\n"), Fault::SessionRefused, false),
        ("", greeted("450 later\r\n"), Fault::SessionRefused, true),
        ("", greeted("421 bye\r\n"), Fault::Closing, true),
        ("", introduced("550 no\r\n"), Fault::SessionRefused, false),
        ("", introduced("450 no\r\n"), Fault::SessionRefused, true),
        (
            "not offered",
            introduced("250 x\r\n"),
            Fault::TlsUnavailable,
            true,
        ),
        ("", start_tls("454 no\r\n"), Fault::TlsUnavailable, true),
        ("", start_tls("502 no\r\n"), Fault::TlsUnavailable, false),
        (
            "",
            ends(start_tls("220 go\r\n"), |d| d.client.tls_failed()),
            Fault::TlsFailed,
            true,
        ),
        (
            "",
            start_tls("220 go\r\n250 x\r\n"),
            Fault::BytesBeforeTls,
            false,
        ),
        ("", greeted("250 x\r\n"), Fault::ImpossibleReply, false),
        ("", greeted("hello\r\n"), Fault::MalformedReply, false),
        ("", greeted(&"2".repeat(5_000)), Fault::ReplyTooLong, false),
        (
            "",
            greeted("220 x\r\n220 x\r\n"),
            Fault::SurplusReply,
            false,
        ),
        ("", asked("250 ok\r\n421 bye\r\n"), Fault::Closing, true),
        (
            "",
            asked("550 no\r\n250 ok\r\n354 go\r\n"),
            Fault::RefusedTransactionContinued,
            false,
        ),
        (
            "",
            after_message("503 no\r\n250 ok\r\n"),
            Fault::ResetRefused,
            false,
        ),
        (
            "",
            ends(asked(""), Dialogue::hangs_up),
            Fault::ConnectionLost,
            true,
        ),
        (
            "",
            ends(asked(""), |d| {
                d.client.write_failed();
                d.hangs_up();
            }),
            Fault::WriteFailed,
            true,
        ),
        (
            "",
            ends(asked(""), |d| {
                d.client.handle_timeout(std::time::Duration::from_secs(600));
            }),
            Fault::TimedOut(Timer::Command),
            true,
        ),
        (
            "",
            ends(asked(""), |d| d.client.abort()),
            Fault::ShutDown,
            true,
        ),
        (
            "",
            ends(asked("250 ok\r\n250 ok\r\n354 go\r\n"), |d| {
                let body = d.client.wants_body().unwrap();
                let presented = (body, smtp_proto::client::Body::Chunk(b"some"));
                let transmit = d.client.poll_transmit(Some(presented), d.now).unwrap();
                transmit.wrote(4, d.now);
                d.says("552 5.3.4 too much\r\n");
            }),
            Fault::ContentAbandoned,
            true,
        ),
        ("", known("250 x\r\n"), Fault::CapabilitiesChanged, true),
        (
            "refused as a whole",
            known("550 no\r\n"),
            Fault::CapabilitiesChanged,
            true,
        ),
    ];
    for (what, d, fault, is_transient) in cases {
        let is_refused = matches!(fault, Fault::SessionRefused | Fault::TlsUnavailable);
        let d = if is_refused { left(d) } else { d };
        let error = d.error.unwrap();
        assert_eq!(error.fault(), fault, "{what}");
        assert_eq!(error.is_transient(), is_transient, "{error} {what}");
    }
}

/// A session that begins on the strength of what the server offered before, until EHLO is answered.
fn known(says: &str) -> Dialogue {
    let known = smtp_proto::syntax::Capabilities::new()
        .with(Extension::Pipelining)
        .with_keyword("PIPECONNECT", "")
        .unwrap();
    let mut d = Dialogue::with(config(Pipelining::Group).known_capabilities(known));
    d.submit("a@example.org", &ONE);
    d.written();
    d.says(&format!("220 x\r\n{says}"));
    d
}

/// A reason says whether the message can be sent to this server at all, as it is, and each has words of
/// its own; where a reply is the cause, its class decides.
#[test]
fn a_reason_says_whether_it_is_for_good() {
    use NotSentReason::*;
    let reasons = [
        (ConnectionEnded, false),
        (SessionRefused, false),
        (TlsUnavailable, false),
        (XClientUnavailable, false),
        (AuthenticationFailed, false),
        (NoMechanism, false),
        (CredentialUnprotected, false),
        (UnreadableChallenge, false),
        (ServerUnproven, false),
        (LimitReached, false),
        (NeedsBodyAgain, false),
        (NotForAll, true),
        (OnlyVerified, false),
        (BodyFailed, false),
        (Cancelled, false),
        (ExtensionMissing(Extension::EightBitMime), true),
        (CommandTooLong { limit: 512 }, true),
        (TooLarge { maximum: 512 }, true),
        (BareLineBreak { at: 512 }, true),
        (LongLine, true),
    ];
    let mut words = std::collections::BTreeSet::new();
    for (reason, is_permanent) in reasons {
        assert!(words.insert(reason.to_string()), "{reason}");
        let not_sent = NotSent::from(reason.clone());
        assert_eq!(not_sent.is_permanent(), is_permanent, "{reason}");
        assert_eq!(not_sent.to_string(), reason.to_string());
        for (cause, is_final) in [("450 later\r\n", false), ("550 never\r\n", true)] {
            let is_servers = matches!(
                reason,
                SessionRefused | TlsUnavailable | AuthenticationFailed
            );
            let not_sent = NotSent::answered(reason.clone(), answer(Step::Hello, cause));
            let expected = match reason {
                // The recipient who was refused may be accepted later.
                NotForAll => is_final,
                _ => is_permanent || is_servers && is_final,
            };
            assert_eq!(not_sent.is_permanent(), expected, "{not_sent}");
            let words = format!(
                "{reason}: {} in reply to the client's hello",
                cause.trim_end()
            );
            assert_eq!(not_sent.to_string(), words);
            assert!(not_sent.source().is_none());
        }
    }
}

/// What a first program prints.
#[test]
fn outcomes_are_told_in_words() {
    let reply = |line: &'static str| Reply::parse(line.as_bytes()).unwrap();
    let answer = |line| Answer {
        step: Step::Recipient,
        reply: reply(line),
    };
    let too_large = NotSentReason::TooLarge { maximum: 10 };
    for (outcome, words) in [
        (
            Outcome::Delivered(reply("250 2.0.0 Ok\r\n")),
            "delivered: 250 2.0.0 Ok".to_owned(),
        ),
        (
            Outcome::Refused(answer("550-No\r\n550 user\r\n")),
            format!("refused: {}", answer("550-No\r\n550 user\r\n")),
        ),
        (
            Outcome::NotSent(too_large.clone().into()),
            format!("not sent: {too_large}"),
        ),
        (
            Outcome::InDoubt,
            "in doubt: it may have been delivered".to_owned(),
        ),
    ] {
        assert_eq!(outcome.to_string(), words);
    }
}

/// 6531-3.7.4-e: what a server says of a message is passed on as it may be.
#[test]
fn what_is_relayed_is_ascii() {
    let reply = |line: &'static [u8]| Reply::parse(line).unwrap();
    let taken = Outcome::Delivered(reply(b"250 2.0.0 f\xc3\xbcr x\r\n"));
    assert_eq!(taken.relayed().as_bytes(), b"250 2.0.0 f?r x\r\n");
    let answer = Answer {
        step: Step::Mail,
        reply: reply(b"550-5.7.1 N\xf6\r\n550 5.7.1 No\r\n"),
    };
    let refused = Outcome::Refused(answer.clone());
    assert_eq!(
        refused.relayed().as_bytes(),
        b"550-5.7.1 N?\r\n550 5.7.1 No\r\n"
    );
    let too_large = NotSentReason::TooLarge { maximum: 10 };
    let not_sent = Outcome::NotSent(NotSent::answered(too_large, answer));
    assert!(not_sent.relayed().is_ascii());
}

/// INJ-6: what a peer says reaches no log unescaped.
#[test]
fn errors_quote_the_peer_escaped() {
    let mut d = look_ahead();
    d.feed(b"250 \x1b[2J\x07\r\n");
    let error = d.error.unwrap();
    assert_eq!(
        error.to_string(),
        "the server sent a reply that answers no command (between messages): \"250 \\x1b[2J\\x07\\r\\n\""
    );
    assert_eq!(
        format!("{:?}", error.excerpt()),
        "\"250 \\x1b[2J\\x07\\r\\n\""
    );
}
