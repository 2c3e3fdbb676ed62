//! STARTTLS and implicit TLS: RFC 3207, RFC 8314.

use std::time::Duration;

use smtp_proto::{
    client::{Event, NotSentReason, Observed, Pipelining, Tls},
    machine::{Fault, Misuse, Step, Timer, TlsInfo},
};

use crate::dialogue::{
    Dialogue, ONE, config, connection_ended, envelope, not_sent, not_sent_after, reply,
};

const EHLO: &str = "EHLO client.example\r\n";

fn with(tls: Tls) -> Dialogue {
    Dialogue::with(config(Pipelining::LookAhead).tls(tls))
}

/// Goes as far as the handshake.
fn handshake_due(tls: Tls) -> Dialogue {
    let mut d = with(tls);
    d.says("220 x\r\n");
    d.sends(EHLO);
    d.says("250-x\r\n250-PIPELINING\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n");
    d.sends("STARTTLS\r\n");
    assert!(!d.client.wants_tls());
    d.says("220 go ahead\r\n");
    assert!(d.client.wants_tls());
    d.take_events();
    d
}

/// 3207-4-e, 3207-4-g, 3207-4.2-a, 3207-4.2-b, TLS-10, 2920-3.1-e, 9422-3.6-a: nothing after
/// STARTTLS, nothing until the handshake, then EHLO, and what was learned in clear is forgotten.
#[test]
fn starts_over_after_the_handshake() {
    for tls in [Tls::Opportunistic, Tls::Required] {
        let mut d = handshake_due(tls);
        d.submit("a@example.org", &ONE);
        d.sends("");
        assert!(
            d.client
                .capabilities()
                .has(smtp_proto::syntax::Extension::StartTls)
        );
        d.client.tls_established(TlsInfo::default(), d.now).unwrap();
        assert!(!d.client.wants_tls());
        assert_eq!(d.client.capabilities().iter().count(), 0);
        d.sends(EHLO);
        d.says("250-x\r\n250 SIZE 10\r\n");
        d.reports(&[Event::Ready]);
        // PIPELINING was only offered in clear.
        d.sends("MAIL FROM:<a@example.org>\r\n");
        assert_eq!(
            d.client.tls_established(TlsInfo::default(), d.now),
            Err(Misuse::NoHandshake)
        );
    }
}

/// 3207-4-i, TLS-6, X-14: what comes after the 220 in clear ends the connection, also in later
/// reads.
#[test]
fn bytes_after_the_220_are_fatal() {
    for says in [
        &["220 go\r\n250-h\r\n250 AUTH PLAIN\r\n"][..],
        &["220 go\r\n", "2"],
        &["220 go\r\n", "250 x\r\n"],
    ] {
        let mut d = with(Tls::Required);
        let m = d.submit("a@example.org", &ONE);
        d.says("220 x\r\n");
        d.sends(EHLO);
        d.says("250-x\r\n250 STARTTLS\r\n");
        d.sends("STARTTLS\r\n");
        says.iter().for_each(|says| d.says(says));
        d.finishes(&[(m, connection_ended())]);
        assert_eq!(d.error.as_ref().unwrap().fault(), Fault::BytesBeforeTls);
        assert!(!d.client.wants_tls());
        assert_eq!(
            d.client.tls_established(TlsInfo::default(), d.now),
            Err(Misuse::NoHandshake)
        );
        d.sends("");
    }
}

/// TLS-7, 3207-6-a: without an offer of TLS, nothing is sent where it is required, and all goes
/// where not. HELO can offer none, and is not tried.
#[test]
fn the_offer_is_missing() {
    for (answer, fault, reason) in [
        (
            "250-x\r\n250 PIPELINING\r\n",
            Fault::TlsUnavailable,
            NotSentReason::TlsUnavailable,
        ),
        (
            "502 no\r\n",
            Fault::SessionRefused,
            NotSentReason::SessionRefused,
        ),
    ] {
        // Stars of a firewall would have HELO tried, elsewhere.
        for greeting in ["220 x\r\n", "220 ****2*\r\n"] {
            let mut d = with(Tls::Required);
            let m = d.submit("a@example.org", &ONE);
            d.says(greeting);
            d.sends(EHLO);
            d.says(answer);
            let outcome = not_sent_after(reason.clone(), Step::Hello, answer);
            d.finishes(&[(m, outcome)]);
            d.sends("QUIT\r\n");
            d.says("221 bye\r\n");
            let error = d.error.unwrap();
            assert_eq!(error.fault(), fault);
            assert_eq!(error.answer().unwrap().reply, reply(answer));
        }
    }
    // Once TLS is on, HELO is as good as ever.
    let mut d = handshake_due(Tls::Required);
    d.client.tls_established(TlsInfo::default(), d.now).unwrap();
    d.sends(EHLO);
    d.says("502 no\r\n");
    d.sends("HELO client.example\r\n");
    d.says("250 x\r\n");
    d.reports(&[Event::Ready]);

    let mut d = with(Tls::Opportunistic);
    d.submit("a@example.org", &ONE);
    d.says("220 x\r\n");
    d.sends(EHLO);
    d.says("250 x\r\n");
    d.sends("MAIL FROM:<a@example.org>\r\n");
}

/// TLS-8, 3207-4-b: STARTTLS is refused, or answered by what cannot answer it.
#[test]
fn start_tls_is_refused() {
    let asked = |tls| {
        let mut d = with(tls);
        d.submit("a@example.org", &ONE);
        d.says("220 x\r\n");
        d.sends(EHLO);
        d.says("250-x\r\n250 STARTTLS\r\n");
        d.sends("STARTTLS\r\n");
        d
    };
    for refusal in ["454 not now\r\n", "502 no\r\n"] {
        let mut d = asked(Tls::Required);
        d.says(refusal);
        d.sends("QUIT\r\n");
        let mut d = asked(Tls::Opportunistic);
        d.says(refusal);
        d.sends("MAIL FROM:<a@example.org>\r\n");
    }
    for impossible in ["250 ok\r\n", "354 go\r\n", "221 bye\r\n"] {
        for tls in [Tls::Required, Tls::Opportunistic] {
            let mut d = asked(tls);
            d.says(impossible);
            assert_eq!(d.error.as_ref().unwrap().fault(), Fault::ImpossibleReply);
            d.sends("");
        }
    }
    let mut d = asked(Tls::Opportunistic);
    d.says("421 bye\r\n");
    assert_eq!(d.error.as_ref().unwrap().fault(), Fault::Closing);
}

/// 3207-4-f: a handshake that fails ends the connection; so does one that never ends.
#[test]
fn the_handshake_fails() {
    let mut d = handshake_due(Tls::Opportunistic);
    let m = d.submit("a@example.org", &ONE);
    d.client.tls_failed();
    d.says("");
    d.finishes(&[(m, connection_ended())]);
    assert_eq!(d.error.unwrap().fault(), Fault::TlsFailed);

    let mut d = handshake_due(Tls::Required);
    let deadline = d.client.poll_timeout().unwrap();
    d.client.handle_timeout(deadline);
    d.says("");
    assert_eq!(d.error.unwrap().fault(), Fault::TimedOut(Timer::Handshake));

    let mut d = handshake_due(Tls::Required);
    d.hangs_up();
    assert_eq!(d.error.unwrap().fault(), Fault::ConnectionLost);
}

/// Whoever watches a session hears what the handshake has come to.
#[test]
fn the_handshake_is_observed() {
    let config = config(Pipelining::LookAhead).tls(Tls::Implicit).watched();
    let mut d = Dialogue::with(config.clone());
    d.now = Duration::from_secs(3);
    d.client.tls_established(TlsInfo::default(), d.now).unwrap();
    let seen = d.client.poll_observation().unwrap();
    assert_eq!((seen.at, seen.step), (d.now, Step::StartTls));
    assert!(matches!(&seen.what, Observed::Tls(info) if !info.is_verified()));

    let mut d = Dialogue::with(config);
    d.client.tls_failed();
    let seen = d.client.poll_observation().unwrap();
    assert!(matches!(seen.what, Observed::TlsFailed));
    assert!(d.client.poll_observation().is_none());
}

/// 8314-3.3-a: TLS first, then the greeting, and no STARTTLS although it is offered.
#[test]
fn implicit_tls_comes_before_the_greeting() {
    let mut d = with(Tls::Implicit);
    assert!(d.client.wants_tls());
    d.sends("");
    d.client.tls_established(TlsInfo::default(), d.now).unwrap();
    d.says("220 x\r\n");
    d.reports(&[Event::Greeting {
        reply: reply("220 x\r\n"),
    }]);
    d.sends(EHLO);
    d.says("250-x\r\n250 STARTTLS\r\n");
    d.reports(&[Event::Ready]);

    let mut d = with(Tls::Implicit);
    d.says("220 in clear\r\n");
    assert_eq!(d.error.unwrap().fault(), Fault::BytesBeforeTls);
}

/// RFC 8446 4.4.2: so ends a connection whose server refuses the client's certificate, by TLS 1.3.
#[test]
fn an_end_before_anything_has_come_through_tls_is_one_of_tls() {
    let established = |tls| {
        let mut d = match tls {
            Tls::Implicit => with(tls),
            _ => handshake_due(tls),
        };
        d.client.tls_established(TlsInfo::default(), d.now).unwrap();
        d
    };
    for tls in [Tls::Required, Tls::Opportunistic, Tls::Implicit] {
        let mut d = established(tls);
        let m = d.submit("a@example.org", &ONE);
        d.written();
        d.hangs_up();
        d.finishes(&[(m, connection_ended())]);
        assert_eq!(d.error.unwrap().fault(), Fault::TlsFailed, "{tls:?}");
    }
    let mut d = established(Tls::Required);
    d.client.write_failed();
    d.hangs_up();
    assert_eq!(d.error.unwrap().fault(), Fault::TlsFailed);

    let mut d = established(Tls::Required);
    d.sends(EHLO);
    d.says("250 x\r\n");
    d.hangs_up();
    assert_eq!(d.error.unwrap().fault(), Fault::ConnectionLost);
    let mut d = established(Tls::Implicit);
    d.says("220 x\r\n");
    d.hangs_up();
    assert_eq!(d.error.unwrap().fault(), Fault::ConnectionLost);
}

/// RFC 7435: who goes on in clear is told that TLS was to be had.
#[test]
fn a_start_tls_that_was_declined_is_told() {
    for answer in ["454 4.7.0 not now\r\n", "502 no\r\n"] {
        let mut d = with(Tls::Opportunistic);
        d.says("220 x\r\n");
        d.sends(EHLO);
        d.says("250-x\r\n250 STARTTLS\r\n");
        d.sends("STARTTLS\r\n");
        d.reports(&[Event::Greeting {
            reply: reply("220 x\r\n"),
        }]);
        d.says(answer);
        let declined = Event::TlsDeclined {
            reply: reply(answer),
        };
        d.reports(&[declined, Event::Ready]);
    }
}

/// 8689-2-b, RFC 8689 4.2.1: REQUIRETLS goes to a server that was verified, and to no other.
#[test]
fn a_message_that_requires_tls_needs_a_verified_server() {
    use smtp_proto::{
        machine::{Verification, VerifiedBy},
        syntax::MailParameters,
    };
    let strict = || {
        let parameters = MailParameters::parse("REQUIRETLS").unwrap();
        envelope("a@example.org", &ONE).parameters(parameters)
    };
    let offer = "250-x\r\n250-PIPELINING\r\n250 REQUIRETLS\r\n";
    let mut d = with(Tls::Off);
    d.says("220 x\r\n");
    d.sends(EHLO);
    d.says(offer);
    let m = d.submit_envelope(&strict(), b"");
    d.says("");
    d.finishes(&[(m, not_sent(NotSentReason::ServerUnverified))]);
    for verification in [
        Verification::default(),
        Verification::Verified(VerifiedBy::Dane),
    ] {
        let mut d = handshake_due(Tls::Required);
        let mut info = TlsInfo::default();
        info.verification = verification;
        d.client.tls_established(info, d.now).unwrap();
        d.sends(EHLO);
        d.says(offer);
        let m = d.submit_envelope(&strict(), b"");
        if verification == Verification::default() {
            d.says("");
            d.finishes(&[(m, not_sent(NotSentReason::ServerUnverified))]);
            d.sends("");
        } else {
            d.sends("MAIL FROM:<a@example.org> REQUIRETLS\r\nRCPT TO:<b@example.net>\r\nDATA\r\n");
        }
    }
}

/// RFC 8460 4.3: every failure of TLS has its word in a report, and nothing else has one.
#[test]
fn failures_have_the_words_of_reports() {
    use smtp_proto::machine::UnverifiedReason as Reason;
    let unverified = Fault::Unverified;
    for (fault, word) in [
        (Fault::TlsUnavailable, Some("starttls-not-supported")),
        (
            unverified(Reason::HostMismatch),
            Some("certificate-host-mismatch"),
        ),
        (unverified(Reason::Expired), Some("certificate-expired")),
        (
            unverified(Reason::NotTrusted),
            Some("certificate-not-trusted"),
        ),
        (unverified(Reason::NoTlsaMatch), Some("tlsa-invalid")),
        (unverified(Reason::NoUsableTlsa), Some("tlsa-invalid")),
        (
            unverified(Reason::NoCertificate),
            Some("validation-failure"),
        ),
        (unverified(Reason::Other), Some("validation-failure")),
        (Fault::TlsFailed, Some("validation-failure")),
        (Fault::BytesBeforeTls, Some("validation-failure")),
        (unverified(Reason::NotChecked), None),
        (Fault::ConnectionLost, None),
        (Fault::AuthenticationFailed, None),
    ] {
        assert_eq!(fault.tls_result_type(), word, "{fault:?}");
    }
    let mut d = handshake_due(Tls::Required);
    d.client.tls_unverified(Reason::Expired);
    d.says("");
    let error = d.error.unwrap();
    assert_eq!(error.fault(), unverified(Reason::Expired));
    assert!(error.is_transient());
    let words = "the TLS handshake failed: the certificate is not valid now";
    assert!(error.to_string().starts_with(words), "{error}");
}
