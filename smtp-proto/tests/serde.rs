//! The forms in which replies, outcomes, reasons and capabilities are written and read back: they are
//! kept in queues and logs, and so do not change.

use core::{fmt::Debug, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use smtp_proto::{
    client::{
        BodyError, Client, Config, Event, Learned, MessageId, NotSent, NotSentReason, Outcome,
    },
    delivery::{Report, Reports},
    machine::{Answer, Fault, ForeignProtocol, Step, Timer, UnverifiedReason},
    server::Reason,
    syntax::{Capabilities, Code, EnhancedCode, Extension, Host, MAX_CAPABILITIES, Reply},
};

/// Checks that each value is written as its text, and read back from it, and from a form that is not
/// for people to read.
#[track_caller]
fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(pairs: &[(T, &str)]) {
    for (value, text) in pairs {
        assert_eq!(serde_json::to_string(value).unwrap(), *text);
        assert_eq!(serde_json::from_str::<T>(text).unwrap(), *value);
        let mut compact = Vec::new();
        ciborium::into_writer(value, &mut compact).unwrap();
        assert_eq!(ciborium::from_reader::<T, _>(&compact[..]).unwrap(), *value);
    }
}

/// Checks that none of the texts is read, and what is said about the first.
#[track_caller]
fn check_refused<T: DeserializeOwned + Debug>(texts: &[&str], words: &str) {
    for text in texts {
        let refused = serde_json::from_str::<T>(text);
        assert!(refused.is_err(), "{text} is read as {refused:?}");
    }
    let error = serde_json::from_str::<T>(texts[0]).unwrap_err();
    assert!(error.to_string().starts_with(words), "{error}");
}

fn reply(bytes: &[u8]) -> Reply<'_> {
    Reply::parse(bytes).unwrap()
}

fn refusal() -> Answer<'static> {
    Answer {
        step: Step::Recipient,
        reply: reply(b"550 5.1.1 No such mailbox\r\n"),
    }
}

#[test]
fn replies_are_their_lines() {
    check(&[
        (
            reply(b"550-5.7.1 Not here\r\n550 5.7.1 nor there\r\n"),
            r#""550-5.7.1 Not here\n550 5.7.1 nor there""#,
        ),
        (reply(b"250 \r\n"), r#""250 ""#),
        (reply(b"250\r\n"), r#""250""#),
        (reply("250 Grüße\t\"\r\n".as_bytes()), r#""250 Grüße\t\"""#),
        (
            reply(b"250-\r\n250 \x01\x7f\r\n"),
            "\"250-\\n250 \\u0001\x7f\"",
        ),
        // What is not UTF-8 is bytes, and nothing of it is lost.
        (reply(b"250 \xe9\r\n"), "[50,53,48,32,233]"),
        (
            reply(b"250-\xff\r\n250 b\r\n"),
            "[50,53,48,45,255,10,50,53,48,32,98]",
        ),
    ]);
    // Bytes may be given where text would do.
    let bytes: Reply<'_> = serde_json::from_str("[50,53,48]").unwrap();
    assert_eq!(bytes, reply(b"250\r\n"));
    // Where it is not for people to read, it is bytes anyway.
    let mut compact = Vec::new();
    ciborium::into_writer(&reply(b"250 Ok\r\n"), &mut compact).unwrap();
    assert_eq!(compact, b"\x46250 Ok");
    let long = format!("250 {}\r\n", "a".repeat(100_000));
    ciborium::into_writer(&reply(long.as_bytes()), &mut compact).unwrap();
    let read: Reply<'_> = ciborium::from_reader(&compact[7..]).unwrap();
    assert_eq!(read.as_bytes(), long.as_bytes());
}

/// What a server ended in LF alone is written like any other line, and read back with CR LF.
#[test]
fn replies_with_bare_lf() {
    let name = Host::parse("c.example.org").unwrap();
    let mut client = Client::new(Config::new(name).accept_bare_lf_replies(), Duration::ZERO);
    let mut input = &b"220-a\n220 b\n"[..];
    let event = client.poll_event(&mut input, Duration::ZERO);
    let Ok(Some(Event::Greeting { reply: greeting })) = event else {
        panic!("{event:?}");
    };
    let text = serde_json::to_string(&greeting).unwrap();
    assert_eq!(text, r#""220-a\n220 b""#);
    let read: Reply<'_> = serde_json::from_str(&text).unwrap();
    assert_eq!(read, reply(b"220-a\r\n220 b\r\n"));
}

#[test]
fn what_is_no_reply_is_refused() {
    check_refused::<Reply<'_>>(
        &[
            r#""250-Ok""#,
            r#""""#,
            r#""25""#,
            r#""2500 Ok""#,
            r#""600 Ok""#,
            r#""199 Ok""#,
            r#""250 Ok\n""#,
            r#""250 Ok\r\n""#,
            r#""250 O\rk""#,
            r#""250 O\u0000k""#,
            r#""250 Ok\n250 Ok""#,
            r#""250-Ok\n550 Ok""#,
            r#""250-Ok\r\n250 Ok""#,
            "[]",
            "[50,53]",
            "[50,53,48,32,0]",
            "[50,53,48,32,256]",
            r#"["250 Ok"]"#,
        ],
        "something is missing at byte 8",
    );
    check_refused::<Reply<'_>>(
        &["250", "null", "true", r#"{"code":250}"#],
        "invalid type: integer `250`, expected the lines of a reply",
    );
}

#[test]
fn codes() {
    check(&[
        (Code::OK, "250"),
        (Code::new(200).unwrap(), "200"),
        (Code::new(599).unwrap(), "599"),
    ]);
    check_refused::<Code>(
        &[
            "600", "199", "0", "-250", "65786", "250.0", "\"250\"", "null",
        ],
        "number out of range",
    );
    check(&[
        (EnhancedCode::new(5, 7, 1).unwrap(), r#""5.7.1""#),
        (EnhancedCode::new(2, 999, 0).unwrap(), r#""2.999.0""#),
    ]);
    check_refused::<EnhancedCode>(
        &[
            r#""5.7.1 ""#,
            r#""5.7""#,
            r#""5.07.1""#,
            r#""3.0.0""#,
            r#""5.7.1000""#,
            r#""""#,
            "571",
            "[5,7,1]",
        ],
        "unexpected byte at byte 5",
    );
}

#[test]
fn extensions_are_their_keywords() {
    for extension in Extension::ALL {
        check(&[(*extension, &*format!("\"{}\"", extension.keyword()))]);
    }
    let size: Extension = serde_json::from_str(r#""size""#).unwrap();
    assert_eq!(size, Extension::Size);
    check_refused::<Extension>(
        &[r#""X-OWN""#, r#""""#, r#""SIZE ""#, "20"],
        "not the keyword of a known extension",
    );
}

#[test]
fn capabilities_are_the_lines_of_ehlo() {
    let answer = b"250-mx.example.org\r\n250-pipelining\r\n250-SIZE 1000\r\n250-AUTH PLAIN\r\n\
        250-AUTH=LOGIN\r\n250-LIMITS RCPTMAX=10\r\n250 X-OWN  a=b c\r\n";
    let capabilities = Capabilities::parse(&reply(answer));
    let text = r#"["pipelining","SIZE 1000","AUTH PLAIN LOGIN","LIMITS RCPTMAX=10","X-OWN a=b c"]"#;
    check(&[(Capabilities::new(), "[]"), (capabilities, text)]);
    let read: Capabilities = serde_json::from_str(text).unwrap();
    assert!(read.has(Extension::Pipelining));
    assert_eq!(read.max_size(), Some(1000));
    assert_eq!(
        read.auth_mechanisms().collect::<Vec<_>>(),
        ["PLAIN", "LOGIN"]
    );
    assert_eq!(read.limits().rcpt_max(), Some(10));
    // What only a server composes, and lines that no server of this library writes.
    let composed = Capabilities::new()
        .with_size(0)
        .with_keyword("X-OWN", " a ")
        .unwrap();
    check(&[(composed, r#"["SIZE 0","X-OWN  a "]"#)]);
    let long = format!("250-mx\r\n250-AUTH {}\r\n250 AUTH B\r\n", "A".repeat(600));
    let long = Capabilities::parse(&reply(long.as_bytes()));
    check(&[(long, &*format!("[\"AUTH {}\",\"AUTH B\"]", "A".repeat(600)))]);
}

#[test]
fn what_no_server_announces_is_refused() {
    check_refused::<Capabilities>(
        &[
            r#"["SIZE\n250 X"]"#,
            r#"["SIZE 1\r\n"]"#,
            r#"["SIZE 1\u0000"]"#,
            r#"["X-OWN ü"]"#,
            r#"["X-Ü"]"#,
            r#"[""]"#,
            r#"[" SIZE"]"#,
            r#"["-X"]"#,
            r#"["AUTH=LOGIN"]"#,
            r#""SIZE""#,
            r#"[{"SIZE":1}]"#,
            "[250]",
        ],
        "unexpected byte at byte 4",
    );
    let line = "A".repeat(100);
    let many = |count| format!("{:?}", vec![&line; count]);
    // A line has an LF, and the last one room for arguments.
    let most = (MAX_CAPABILITIES - 102) / 101 + 1;
    assert!(serde_json::from_str::<Capabilities>(&many(most)).is_ok());
    check_refused::<Capabilities>(&[&many(most + 1)], "too long");
}

#[test]
fn what_a_session_has_learned() {
    let text = r#"{"capabilities":["PIPELINING"],"refuses_look_ahead":true}"#;
    let learned: Learned = serde_json::from_str(text).unwrap();
    assert!(learned.capabilities().has(Extension::Pipelining));
    assert!(learned.refuses_look_ahead());
    check(&[(learned, text)]);
    check_refused::<Learned>(
        &[
            r#"{"capabilities":[]}"#,
            r#"{"capabilities":["\n"],"refuses_look_ahead":true}"#,
        ],
        "missing field",
    );
}

#[test]
fn steps() {
    check(&[
        (Step::Greeting, r#""greeting""#),
        (Step::Hello, r#""hello""#),
        (Step::StartTls, r#""starttls""#),
        (Step::Auth, r#""auth""#),
        (Step::XClient, r#""xclient""#),
        (Step::XForward, r#""xforward""#),
        (Step::Mail, r#""mail""#),
        (Step::Recipient, r#""recipient""#),
        (Step::Data, r#""data""#),
        (Step::Content, r#""content""#),
        (Step::Reset, r#""reset""#),
        (Step::Command, r#""command""#),
        (Step::Quit, r#""quit""#),
    ]);
    check_refused::<Step>(
        &[r#""RCPT""#, r#""Recipient""#, "5"],
        "unknown variant `RCPT`",
    );
}

#[test]
fn faults() {
    check(&[
        (Fault::ConnectionLost, r#""connection-lost""#),
        (Fault::WriteFailed, r#""write-failed""#),
        (
            Fault::TimedOut(Timer::Greeting),
            r#"{"timed-out":"greeting"}"#,
        ),
        (Fault::MalformedReply, r#""malformed-reply""#),
        (Fault::ReplyTooLong, r#""reply-too-long""#),
        (Fault::SurplusReply, r#""surplus-reply""#),
        (Fault::ImpossibleReply, r#""impossible-reply""#),
        (Fault::ResetRefused, r#""reset-refused""#),
        (
            Fault::RefusedTransactionContinued,
            r#""refused-transaction-continued""#,
        ),
        (Fault::BytesBeforeTls, r#""bytes-before-tls""#),
        (Fault::ChunkExecuted, r#""chunk-executed""#),
        (Fault::CapabilitiesChanged, r#""capabilities-changed""#),
        (Fault::TlsFailed, r#""tls-failed""#),
        (
            Fault::Unverified(UnverifiedReason::Expired),
            r#"{"unverified":"expired"}"#,
        ),
        (Fault::TlsUnavailable, r#""tls-unavailable""#),
        (Fault::XClientUnavailable, r#""xclient-unavailable""#),
        (Fault::AuthenticationFailed, r#""authentication-failed""#),
        (Fault::NoMechanism, r#""no-mechanism""#),
        (Fault::CredentialUnprotected, r#""credential-unprotected""#),
        (Fault::UnreadableChallenge, r#""unreadable-challenge""#),
        (Fault::ServerUnproven, r#""server-unproven""#),
        (Fault::Closing, r#""closing""#),
        (Fault::SessionRefused, r#""session-refused""#),
        (Fault::ContentAbandoned, r#""content-abandoned""#),
        (Fault::EarlyTalker, r#""early-talker""#),
        (
            Fault::ForeignProtocol(ForeignProtocol::Http),
            r#"{"foreign-protocol":"http"}"#,
        ),
        (Fault::ImproperPipelining, r#""improper-pipelining""#),
        (Fault::TooManyErrors, r#""too-many-errors""#),
        (Fault::TooMuchRefused, r#""too-much-refused""#),
        (Fault::MalformedChunk, r#""malformed-chunk""#),
        (Fault::BareLineFeed, r#""bare-line-feed""#),
        (Fault::SessionLimit, r#""session-limit""#),
        (Fault::ShutDown, r#""shut-down""#),
    ]);
    check(&[
        (Timer::Greeting, r#""greeting""#),
        (Timer::Command, r#""command""#),
        (Timer::DataInitiation, r#""data-initiation""#),
        (Timer::Write, r#""write""#),
        (Timer::DataTermination, r#""data-termination""#),
        (Timer::Handshake, r#""handshake""#),
        (Timer::Message, r#""message""#),
        (Timer::Quit, r#""quit""#),
        (Timer::Idle, r#""idle""#),
        (Timer::Receive, r#""receive""#),
        (Timer::Verdict, r#""verdict""#),
    ]);
    check(&[
        (ForeignProtocol::Http, r#""http""#),
        (ForeignProtocol::Tls, r#""tls""#),
        (ForeignProtocol::Proxy, r#""proxy""#),
        (ForeignProtocol::Unknown, r#""unknown""#),
    ]);
    check(&[
        (UnverifiedReason::NotChecked, r#""not-checked""#),
        (UnverifiedReason::NoCertificate, r#""no-certificate""#),
        (UnverifiedReason::HostMismatch, r#""host-mismatch""#),
        (UnverifiedReason::Expired, r#""expired""#),
        (UnverifiedReason::NotTrusted, r#""not-trusted""#),
        (UnverifiedReason::NoTlsaMatch, r#""no-tlsa-match""#),
        (UnverifiedReason::NoUsableTlsa, r#""no-usable-tlsa""#),
        (UnverifiedReason::Other, r#""other""#),
    ]);
    check_refused::<Fault>(
        &[
            r#""timed-out""#,
            r#"{"timed-out":"never"}"#,
            r#""none""#,
            "{}",
        ],
        "invalid type",
    );
}

#[test]
fn reasons_not_to_send() {
    check(&[
        (NotSentReason::ConnectionEnded, r#""connection-ended""#),
        (NotSentReason::SessionRefused, r#""session-refused""#),
        (NotSentReason::TlsUnavailable, r#""tls-unavailable""#),
        (
            NotSentReason::XClientUnavailable,
            r#""xclient-unavailable""#,
        ),
        (
            NotSentReason::AuthenticationFailed,
            r#""authentication-failed""#,
        ),
        (NotSentReason::NoMechanism, r#""no-mechanism""#),
        (
            NotSentReason::CredentialUnprotected,
            r#""credential-unprotected""#,
        ),
        (
            NotSentReason::UnreadableChallenge,
            r#""unreadable-challenge""#,
        ),
        (NotSentReason::ServerUnproven, r#""server-unproven""#),
        (NotSentReason::ServerUnverified, r#""server-unverified""#),
        (NotSentReason::LimitReached, r#""limit-reached""#),
        (NotSentReason::NeedsBodyAgain, r#""needs-body-again""#),
        (
            NotSentReason::ExtensionMissing(Extension::EightBitMime),
            r#"{"extension-missing":"8BITMIME"}"#,
        ),
        (
            NotSentReason::CommandTooLong { limit: 512 },
            r#"{"command-too-long":{"limit":512}}"#,
        ),
        (
            NotSentReason::TooLarge { maximum: u64::MAX },
            r#"{"too-large":{"maximum":18446744073709551615}}"#,
        ),
        (NotSentReason::BodyFailed, r#""body-failed""#),
        (
            NotSentReason::BareLineBreak { at: 7 },
            r#"{"bare-line-break":{"at":7}}"#,
        ),
        (NotSentReason::LongLine, r#""long-line""#),
        (NotSentReason::Cancelled, r#""cancelled""#),
    ]);
    check_refused::<NotSentReason>(
        &[
            r#"{"extension-missing":"X-OWN"}"#,
            r#"{"too-large":{"maximum":-1}}"#,
            r#"{"too-large":{}}"#,
            r#""too-large""#,
            r#""too-small""#,
        ],
        "not the keyword of a known extension",
    );
}

#[test]
fn reasons_of_a_server() {
    check(&[
        (Reason::Reset, r#""reset""#),
        (Reason::Hello, r#""hello""#),
        (Reason::Quit, r#""quit""#),
        (Reason::Noop, r#""noop""#),
        (Reason::Chunk, r#""chunk""#),
        (Reason::Ended, r#""ended""#),
        (Reason::BareLineBreak, r#""bare-line-break""#),
        (Reason::TooLarge, r#""too-large""#),
        (Reason::ChunkFailed, r#""chunk-failed""#),
        (Reason::Unrecognised, r#""unrecognised""#),
        (Reason::WrongDialect, r#""wrong-dialect""#),
        (Reason::LineTooLong, r#""line-too-long""#),
        (Reason::BareLineFeed, r#""bare-line-feed""#),
        (Reason::ForeignProtocol, r#""foreign-protocol""#),
        (Reason::BadSender, r#""bad-sender""#),
        (Reason::BadRecipient, r#""bad-recipient""#),
        (Reason::BadArgument, r#""bad-argument""#),
        (Reason::BadChunkSize, r#""bad-chunk-size""#),
        (Reason::OutOfPlace, r#""out-of-place""#),
        (Reason::NotImplemented, r#""not-implemented""#),
        (Reason::NotOffered, r#""not-offered""#),
        (Reason::NoRecipients, r#""no-recipients""#),
        (Reason::TurnedAway, r#""turned-away""#),
        (Reason::TlsRequired, r#""tls-required""#),
        (
            Reason::AuthenticationRequired,
            r#""authentication-required""#,
        ),
        (Reason::SenderNotAscii, r#""sender-not-ascii""#),
        (Reason::RecipientNotAscii, r#""recipient-not-ascii""#),
        (Reason::MechanismUnknown, r#""mechanism-unknown""#),
        (Reason::ResponseTooLong, r#""response-too-long""#),
        (Reason::NotBase64, r#""not-base64""#),
        (
            Reason::AuthenticationCancelled,
            r#""authentication-cancelled""#,
        ),
        (Reason::TooManyRecipients, r#""too-many-recipients""#),
        (Reason::TooManyErrors, r#""too-many-errors""#),
        (Reason::TooMuchRefused, r#""too-much-refused""#),
        (Reason::SessionLimit, r#""session-limit""#),
        (Reason::Early, r#""early""#),
        (Reason::TimedOut, r#""timed-out""#),
    ]);
    check_refused::<Reason>(&[r#""none""#], "unknown variant `none`");
}

#[test]
fn outcomes() {
    let because = NotSent::answered(
        NotSentReason::SessionRefused,
        Answer {
            step: Step::Greeting,
            reply: reply(b"421 Busy\r\n"),
        },
    );
    let mut unread = NotSent::from(NotSentReason::BodyFailed);
    unread.body_error = Some(BodyError::new("no such file"));
    check(&[
        (
            Outcome::Delivered(reply(b"250 2.0.0 Ok\r\n")),
            r#"{"delivered":"250 2.0.0 Ok"}"#,
        ),
        (
            Outcome::Refused(refusal()),
            r#"{"refused":{"step":"recipient","reply":"550 5.1.1 No such mailbox"}}"#,
        ),
        (
            Outcome::NotSent(NotSentReason::Cancelled.into()),
            r#"{"not-sent":{"reason":"cancelled","answer":null,"body_error":null}}"#,
        ),
        (
            Outcome::NotSent(because),
            r#"{"not-sent":{"reason":"session-refused","answer":{"step":"greeting","reply":"421 Busy"},"body_error":null}}"#,
        ),
        (
            Outcome::NotSent(unread),
            r#"{"not-sent":{"reason":"body-failed","answer":null,"body_error":"no such file"}}"#,
        ),
        (Outcome::InDoubt, r#""in-doubt""#),
    ]);
    let short: NotSent = serde_json::from_str(r#"{"reason":"cancelled"}"#).unwrap();
    assert_eq!(short, NotSentReason::Cancelled.into());
    check_refused::<Outcome<'_>>(
        &[
            r#"{"delivered":"250-Ok"}"#,
            r#"{"delivered":null}"#,
            r#"{"refused":{"step":"recipient"}}"#,
            r#"{"refused":{"step":"rcpt","reply":"550 No"}}"#,
            r#"{"not-sent":{}}"#,
            r#"{"in-doubt":"250 Ok"}"#,
            r#""delivered""#,
        ],
        "something is missing at byte 8",
    );
}

#[test]
fn reports() {
    let message: MessageId = serde_json::from_str("7").unwrap();
    assert_eq!(message.index(), 7);
    let mut reports = Reports::default();
    reports.expect(message, 2);
    let answered = Event::RecipientAnswered {
        message,
        recipient: 0,
        reply: refusal().reply,
    };
    assert_eq!(reports.observe(answered), None);
    let outcome = Outcome::Refused(refusal());
    assert_eq!(
        reports.observe(Event::RecipientFinished {
            message,
            recipient: 0,
            outcome
        }),
        None
    );
    let outcome = Outcome::Delivered(reply(b"250 Ok\r\n"));
    let report = reports
        .observe(Event::Finished { message, outcome })
        .unwrap();
    check(&[(
        report,
        concat!(
            r#"{"message":7,"#,
            r#""recipients":[{"refused":{"step":"recipient","reply":"550 5.1.1 No such mailbox"}},{"delivered":"250 Ok"}],"#,
            r#""answers":["550 5.1.1 No such mailbox",null],"#,
            r#""outcome":{"delivered":"250 Ok"}}"#,
        ),
    )]);
    check_refused::<Report>(
        &[
            r#"{"message":7,"recipients":[],"answers":[]}"#,
            r#"{"message":-7,"recipients":[],"answers":[],"outcome":"in-doubt"}"#,
        ],
        "missing field `outcome`",
    );
}
