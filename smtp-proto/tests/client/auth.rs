//! AUTH: RFC 4954 and the mechanisms.

use smtp_proto::{
    client::{
        Event, NotSentReason, Outcome, Pipelining, Tls,
        mechanism::{External, Login, Mechanism, OAuthBearer, Plain, Protection, XOAuth2},
    },
    machine::{Fault, Misuse, Step, TlsInfo, Verification, VerifiedBy},
};

use crate::dialogue::{Dialogue, ONE, answer, config, not_sent, not_sent_after};

const MAIL: &str = "MAIL FROM:<a@example.org>\r\n";
const SECRET: &str = "tanstaaftanstaaf";

fn plain() -> Box<dyn Mechanism> {
    Box::new(Plain::new("tim", SECRET))
}

#[cfg(feature = "scram")]
fn scram(hash: smtp_proto::sasl::ScramHash) -> smtp_proto::sasl::Scram {
    smtp_proto::sasl::Scram::new(
        hash,
        "tim",
        SECRET,
        smtp_proto::sasl::Nonce::parse("abc").unwrap(),
    )
    .unwrap()
}

/// Goes through EHLO over TLS, with these mechanisms on both sides.
fn offered(mechanisms: Vec<Box<dyn Mechanism>>, offer: &str) -> Dialogue {
    let config = config(Pipelining::LookAhead).tls(Tls::Implicit).traced();
    let mut d = Dialogue::with(config);
    d.client.authenticate(mechanisms).unwrap();
    d.submit("a@example.org", &ONE);
    let mut tls = TlsInfo::default();
    tls.verification = Verification::Verified(VerifiedBy::Authority);
    d.client.tls_established(tls, d.now).unwrap();
    d.says("220 x\r\n");
    d.sends("EHLO client.example\r\n");
    d.says(&format!("250-x\r\n250 AUTH {offer}\r\n"));
    d
}

/// Runs an exchange: what the client sends, what the server says to it.
#[track_caller]
fn exchange(d: &mut Dialogue, lines: &[(&str, &str)]) {
    for (sends, says) in lines {
        d.sends(&format!("{sends}\r\n"));
        d.says(&format!("{says}\r\n"));
    }
}

/// 4616-2-a, 4954-4-j, 4422-A-a, LOGIN-a, LOGIN-b, XOAUTH2-a, 7628-3.1-a: each mechanism's exchange.
#[test]
fn each_mechanism_has_its_exchange() {
    type Case<'c> = (Box<dyn Mechanism>, &'c [(&'c str, &'c str)]);
    let cases: [Case<'_>; 6] = [
        (
            plain(),
            &[("AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm", "235 2.7.0 ok")],
        ),
        (
            Box::new(Plain::new("tim", SECRET).acting_for("ann")),
            &[("AUTH PLAIN YW5uAHRpbQB0YW5zdGFhZnRhbnN0YWFm", "235 ok")],
        ),
        (
            Box::new(Login::new("tim", SECRET)),
            &[
                ("AUTH LOGIN", "334 VXNlcm5hbWU6"),
                ("dGlt", "334 UGFzc3dvcmQ6"),
                ("dGFuc3RhYWZ0YW5zdGFhZg==", "235 ok"),
            ],
        ),
        (Box::new(External::new()), &[("AUTH EXTERNAL =", "235 ok")]),
        (
            Box::new(XOAuth2::new("u", "T")),
            &[("AUTH XOAUTH2 dXNlcj11AWF1dGg9QmVhcmVyIFQBAQ==", "235 ok")],
        ),
        (
            Box::new(OAuthBearer::new(
                "user@example.com",
                "server.example.com",
                587,
                "T",
            )),
            &[(
                "AUTH OAUTHBEARER bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9NTg3\
                 AWF1dGg9QmVhcmVyIFQBAQ==",
                "235 ok",
            )],
        ),
    ];
    for (mechanism, lines) in cases {
        let name = mechanism.name().to_owned();
        // 3.1: names in any case.
        let mut d = offered(
            vec![mechanism],
            &format!("DIGEST-MD5 {}", name.to_lowercase()),
        );
        exchange(&mut d, lines);
        d.sends(MAIL);
        assert_eq!(d.error, None, "{name}");
    }
}

/// 7628-3.2-a, XOAUTH2-b: a challenge tells of the failure, and is answered before the server fails.
#[test]
fn tokens_are_refused_in_two_steps() {
    let cases: [(Box<dyn Mechanism>, &str); 2] = [
        (Box::new(OAuthBearer::new("u", "h", 1, "T")), "AQ=="),
        (Box::new(XOAuth2::new("u", "T")), ""),
    ];
    for (mechanism, answer) in cases {
        let name = mechanism.name().to_owned();
        let mut d = offered(vec![mechanism], &name);
        assert!(d.written().starts_with(&format!("AUTH {name} ")));
        d.says("334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\r\n");
        exchange(&mut d, &[(answer, "535 5.7.8 no")]);
        d.sends("QUIT\r\n");
    }
}

/// 4954-4-i, AUT-9: what does not fit into 512 bytes is sent after the 334, whatever stands there: the
/// server has nothing to say yet, and some say it in plain text.
#[test]
fn a_long_initial_response_waits() {
    let token = "t".repeat(600);
    for invitation in [
        "334 ",
        "334",
        "334 XOAUTH2 supported",
        "334 go on",
        "334 eA==",
    ] {
        let mut d = offered(vec![Box::new(XOAuth2::new("u", token.as_str()))], "XOAUTH2");
        exchange(&mut d, &[("AUTH XOAUTH2", invitation)]);
        let line = d.written();
        assert!(line.len() > 800 && line.starts_with("dXNlcj11AWF1dGg9QmVhcmVyIHR0dHR0"));
        d.says("235 ok\r\n");
        d.sends(MAIL);
    }
}

/// 4954-4-n, AUT-8: challenges that are no base64, or have no end, are cancelled.
#[test]
fn bad_challenges_are_cancelled() {
    for challenge in ["%%%", "A", "AAA", "=AAA", "AAA=BBB", "AA A"] {
        let mut d = offered(vec![Box::new(External::new())], "EXTERNAL");
        exchange(
            &mut d,
            &[
                ("AUTH EXTERNAL =", &format!("334 {challenge}")),
                ("*", "501 cancelled"),
            ],
        );
        d.sends("QUIT\r\n");
    }
    let mut d = offered(vec![Box::new(External::new())], "EXTERNAL");
    d.sends("AUTH EXTERNAL =\r\n");
    for _ in 0..20 {
        d.says("334 \r\n");
        d.sends("\r\n");
    }
    d.says("334 \r\n");
    d.sends("*\r\n");
}

/// 4954-6-b, 4954-4-u: too weak, try the next; wrong, do not.
#[test]
fn failures_lead_to_the_next_mechanism_or_to_none() {
    let both = || {
        vec![
            plain(),
            Box::new(Login::new("tim", SECRET)) as Box<dyn Mechanism>,
        ]
    };
    let mut d = offered(both(), "LOGIN PLAIN");
    assert!(d.written().starts_with("AUTH PLAIN "));
    d.says("534 5.7.9 too weak\r\n");
    d.sends("AUTH LOGIN\r\n");

    let mut d = offered(both(), "LOGIN PLAIN");
    assert!(d.written().starts_with("AUTH PLAIN "));
    d.says("535 5.7.8 no\r\n");
    let events = d.take_events();
    let outcome = not_sent_after(
        NotSentReason::AuthenticationFailed,
        Step::Auth,
        "535 5.7.8 no\r\n",
    );
    assert!(format!("{events:?}").contains(&format!("{outcome:?}")));
    d.sends("QUIT\r\n");
    d.says("221 bye\r\n");
    assert_eq!(d.error.unwrap().fault(), Fault::AuthenticationFailed);
}

/// 4954-3-b: servers name their mechanisms, and their limits, in several lines; all count, in whatever
/// spelling, the empty ones too.
#[test]
fn all_lines_of_an_offer_count() {
    for lines in [
        "250-AUTH GSSAPI NTLM\r\n250-AUTH=LOGIN PLAIN\r\n",
        "250-AUTH GSSAPI\r\n250-AUTH NTLM\r\n250-AUTH PLAIN\r\n250-AUTH LOGIN\r\n",
        "250-AUTH\r\n250-AUTH PLAIN\r\n250-AUTH=\r\n",
    ] {
        let config = config(Pipelining::LookAhead).credentials_over(Protection::InClear);
        let mut d = Dialogue::with(config);
        d.client.authenticate(vec![plain()]).unwrap();
        d.submit("a@example.org", &["b@example.net", "c@example.net"]);
        d.says("220 x\r\n");
        d.sends("EHLO client.example\r\n");
        let limits = "250-LIMITS MAILMAX=5\r\n250-PIPELINING\r\n250 LIMITS RCPTMAX=1\r\n";
        d.says(&format!("250-x\r\n{lines}{limits}"));
        exchange(
            &mut d,
            &[("AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm", "235 ok")],
        );
        d.sends("MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n");
    }
}

/// 4616-5-a, 4954-14-a: no password in clear, unless told to; no mechanism is no session.
#[test]
fn no_password_goes_in_clear() {
    for allowed in [false, true] {
        let mut config = config(Pipelining::LookAhead);
        if allowed {
            config = config.credentials_over(Protection::InClear);
        }
        let mut d = Dialogue::with(config);
        d.client.authenticate(vec![plain()]).unwrap();
        d.says("220 x\r\n");
        d.sends("EHLO client.example\r\n");
        d.says("250-x\r\n250 AUTH PLAIN\r\n");
        d.sends(if allowed {
            "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n"
        } else {
            "QUIT\r\n"
        });
    }
    let mut d = offered(vec![plain()], "SCRAM-SHA-256");
    d.sends("QUIT\r\n");
}

/// 5321-2.2.1-c: AUTH is only offered in answer to EHLO; HELO is of no use to who needs it.
#[test]
fn helo_is_not_tried_where_auth_is_needed() {
    for greeting in ["220 x\r\n", "220 ****2*\r\n"] {
        let mut d = Dialogue::with(config(Pipelining::LookAhead));
        d.client.authenticate(vec![plain()]).unwrap();
        let m = d.submit("a@example.org", &ONE);
        d.says(greeting);
        d.sends("EHLO client.example\r\n");
        d.says("550 5.7.1 no\r\n");
        let reason = NotSentReason::SessionRefused;
        d.finishes(&[(m, not_sent_after(reason, Step::Hello, "550 5.7.1 no\r\n"))]);
        d.sends("QUIT\r\n");
    }
}

/// AUT-11, TLS-7: a listener who takes STARTTLS out of the offer, or answers it by a refusal, gets
/// neither a password nor a proof to guess one from.
#[test]
fn nothing_secret_goes_where_tls_was_stripped() {
    let stripped = |mechanism: Box<dyn Mechanism>, is_offered: bool| {
        let mut d = Dialogue::with(config(Pipelining::LookAhead).tls(Tls::Opportunistic));
        let offer = format!("250-x\r\n250-AUTH {}\r\n", mechanism.name());
        d.client.authenticate(vec![mechanism]).unwrap();
        let m = d.submit("a@example.org", &ONE);
        d.says("220 x\r\n");
        d.sends("EHLO client.example\r\n");
        if is_offered {
            d.says(&(offer + "250 STARTTLS\r\n"));
            d.sends("STARTTLS\r\n");
            d.says("454 not now\r\n");
        } else {
            d.says(&(offer + "250 HELP\r\n"));
        }
        d.finishes(&[(m, not_sent(NotSentReason::CredentialUnprotected))]);
        d.sends("QUIT\r\n");
        d.says("221 bye\r\n");
        let error = d.error.unwrap();
        assert_eq!(error.fault(), Fault::CredentialUnprotected);
        assert_eq!(error.answer(), None);
    };
    for is_offered in [false, true] {
        stripped(plain(), is_offered);
        stripped(Box::new(Login::new("tim", SECRET)), is_offered);
        #[cfg(feature = "scram")]
        stripped(
            Box::new(scram(smtp_proto::sasl::ScramHash::Sha256)),
            is_offered,
        );
    }
}

/// AUT-8, 4954-6-b: each way to fail has its own words, and the reply that it rests on, if any.
#[test]
fn a_failure_is_told_from_another() {
    let external = || vec![Box::new(External::new()) as Box<dyn Mechanism>];
    let unavailable = || offered(external(), "GSSAPI NTLM");
    let asked = |lines: &[(&str, &str)]| {
        let mut d = offered(external(), "EXTERNAL");
        exchange(&mut d, lines);
        d
    };
    let refused = |says: &str| asked(&[("AUTH EXTERNAL =", says)]);
    let unreadable = || asked(&[("AUTH EXTERNAL =", "334 %%%"), ("*", "501 cancelled")]);
    type Case<'c> = (Dialogue, Fault, NotSentReason, Option<&'c str>, &'c str);
    let cases: [Case<'_>; 4] = [
        (
            unavailable(),
            Fault::NoMechanism,
            NotSentReason::NoMechanism,
            None,
            "the server offers no authentication that the client knows",
        ),
        (
            refused("454 4.7.0 later"),
            Fault::AuthenticationFailed,
            NotSentReason::AuthenticationFailed,
            Some("454 4.7.0 later\r\n"),
            "the server refused the authentication: 454 4.7.0 later in reply to AUTH",
        ),
        (
            refused("535 5.7.8 no"),
            Fault::AuthenticationFailed,
            NotSentReason::AuthenticationFailed,
            Some("535 5.7.8 no\r\n"),
            "the server refused the authentication: 535 5.7.8 no in reply to AUTH",
        ),
        (
            unreadable(),
            Fault::UnreadableChallenge,
            NotSentReason::UnreadableChallenge,
            Some("501 cancelled\r\n"),
            "the server sent a challenge that cannot be answered: 501 cancelled in reply to AUTH",
        ),
    ];
    for (mut d, fault, reason, cause, words) in cases {
        let events = d.take_events();
        let outcomes = events.iter().filter_map(|event| match event {
            Event::Finished { outcome, .. } => Some(outcome),
            _ => None,
        });
        let outcomes: Vec<_> = outcomes.collect();
        let [Outcome::NotSent(not_sent)] = outcomes.as_slice() else {
            panic!("{outcomes:?}");
        };
        let cause = cause.map(|cause| answer(Step::Auth, cause));
        assert_eq!(not_sent.reason, reason);
        assert_eq!(not_sent.answer.as_deref(), cause.as_ref());
        assert_eq!(not_sent.to_string(), words);
        d.sends("QUIT\r\n");
        d.says("221 bye\r\n");
        let error = d.error.unwrap();
        assert_eq!((error.fault(), error.answer()), (fault, cause.as_ref()));
        // Only what the server called temporary.
        let is_transient = cause.is_some_and(|cause| cause.reply.code().value() == 454);
        assert_eq!(error.is_transient(), is_transient, "{error}");
    }
}

/// Why no mechanism fits: what the server offers, bounded, and what the client has.
#[test]
fn both_sides_mechanisms_are_told() {
    let mechanisms = || -> Vec<Box<dyn Mechanism>> { vec![plain(), Box::new(External::new())] };
    let many: String = (0..100).map(|at| format!(" X-{at}")).collect();
    let in_clear = "the connection is not protected as the credentials need it";
    for (offer, words) in [
        ("GSSAPI NTLM", "the server offers GSSAPI NTLM"),
        ("", "the server offers none"),
        // Only what can be a name of one.
        ("NTLM a.b", "the server offers NTLM"),
        (
            &many[1..],
            "the server offers X-0 X-1 X-2 X-3 X-4 X-5 X-6 X-7 X-8 X-9 X-10 X-11 X-12 X-13 X-14 X-15 ...",
        ),
    ] {
        let mut d = offered(mechanisms(), offer);
        d.sends("QUIT\r\n");
        d.says("221 bye\r\n");
        let unknown = "the server offers no authentication that the client knows";
        assert_eq!(
            d.error.unwrap().to_string(),
            format!(
                "{unknown} (waiting for the reply to EHLO): {words}, the client has PLAIN EXTERNAL"
            )
        );
    }
    let mut d = Dialogue::with(config(Pipelining::LockStep));
    d.client.authenticate(vec![plain()]).unwrap();
    d.says("220 x\r\n");
    d.sends("EHLO client.example\r\n");
    d.says("250-x\r\n250 AUTH LOGIN PLAIN\r\n");
    d.sends("QUIT\r\n");
    d.says("221 bye\r\n");
    assert_eq!(
        d.error.unwrap().to_string(),
        format!(
            "{in_clear} (waiting for the reply to EHLO): the server offers LOGIN PLAIN, the client has PLAIN"
        )
    );
}

/// AUT-10: of an exchange a trace shows no more where it cannot be read.
#[test]
fn the_trace_hides_what_cannot_be_read_of_an_exchange() {
    for says in ["334 abc\n", "AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n"] {
        let mut d = offered(vec![plain()], "PLAIN");
        d.written();
        d.says(says);
        assert_eq!(d.error.as_ref().unwrap().fault(), Fault::MalformedReply);
        let last = std::iter::from_fn(|| d.client.poll_trace()).last();
        assert_eq!(last.unwrap().what.to_string(), "[unreadable: ...]");
    }
}

/// AUT-10: no secret in anything that is shown.
#[test]
fn no_secret_is_shown() {
    let mut d = offered(vec![plain()], "PLAIN");
    let wire = d.written();
    let encoded = wire.split_whitespace().last().unwrap().to_owned();
    let shown = format!(
        "{:?} {:?} {:?}",
        d.client,
        plain().name(),
        Plain::new("tim", SECRET)
    );
    d.says("454 what?\r\n");
    let events = d.take_events();
    let shown = format!("{shown} {:?} {events:?}", d.client);
    let trace: Vec<_> = std::iter::from_fn(|| d.client.poll_trace()).collect();
    let shown = format!("{shown} {trace:?}");
    assert!(shown.contains("AUTH ..."));
    let numbers = |text: &str| format!("{:?}", text.as_bytes()).replace(['[', ']'], "");
    for secret in [
        SECRET,
        &encoded,
        &numbers("tanstaaf"),
        &numbers(&encoded[..8]),
    ] {
        assert!(!shown.contains(secret), "{secret}");
    }
}

/// 4422-3.1-a: authentication is asked for before the session is open, and by names that are some.
#[test]
fn misuse_is_told() {
    struct Odd(&'static str);
    impl Mechanism for Odd {
        fn name(&self) -> &str {
            self.0
        }
        fn initial_response(&mut self) -> Option<Vec<u8>> {
            None
        }
        fn respond(&mut self, _: &[u8]) -> Option<Vec<u8>> {
            None
        }
    }
    for name in ["", "A B", "A\r\nQUIT", "lower", "MORE-THAN-TWENTY-BYTES"] {
        let mut d = Dialogue::with(config(Pipelining::LookAhead));
        let refused = d.client.authenticate(vec![Box::new(Odd(name))]);
        assert_eq!(refused, Err(Misuse::InvalidMechanism), "{name}");
    }
    let mut d = Dialogue::begin(Pipelining::LookAhead, &[]);
    assert_eq!(d.client.authenticate(vec![plain()]), Err(Misuse::TooLate));
}
