//! Greeting, EHLO, HELO, QUIT, misuse.

use std::time::Duration;

use smtp_proto::{
    client::{Client, Config, Event, NotSentReason, Pipelining, Tls},
    machine::{Dialect, Fault, Misuse, Step, TlsInfo},
    syntax::{Capabilities, Host},
};

use crate::dialogue::{
    Dialogue, ONE, answer, config, connection_ended, delivered, envelope, not_sent_after,
    recipient, reply,
};

/// 5321-2.2.1-c: HELO where EHLO is refused; then nothing extended is used.
#[test]
fn falls_back_to_helo() {
    let mut d = Dialogue::with(config(Pipelining::Stream { window: 9 }));
    d.submit("a@example.org", &ONE);
    d.says("220 x\r\n");
    d.sends("EHLO client.example\r\n");
    d.says("502 what?\r\n");
    d.sends("HELO client.example\r\n");
    d.says("250-x\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
    d.sends("MAIL FROM:<a@example.org>\r\n");
    d.says("250 ok\r\n");
    d.sends("RCPT TO:<b@example.net>\r\n");
}

/// EHLO is never said, also where the server is known to take commands before its greeting.
#[test]
fn says_helo_alone() {
    let offer = reply("250-x\r\n250-PIPELINING\r\n250 PIPECONNECT\r\n");
    let config = config(Pipelining::LookAhead)
        .known_capabilities(Capabilities::parse(&offer))
        .helo_only();
    let mut d = Dialogue::with(config.clone());
    d.submit("a@example.org", &ONE);
    d.sends("");
    d.says("220 x ESMTP\r\n");
    d.sends("HELO client.example\r\n");
    d.says("250-x\r\n250-PIPELINING\r\n250 STARTTLS\r\n");
    d.sends("MAIL FROM:<a@example.org>\r\n");
    d.says("250 ok\r\n");
    d.sends("RCPT TO:<b@example.net>\r\n");
    // Over TLS, too; and not where the server refuses it.
    let mut d = Dialogue::with(config.clone().tls(Tls::Implicit));
    let m = d.submit("a@example.org", &ONE);
    let _ = d.client.tls_established(TlsInfo::default(), d.now);
    d.says("220 x\r\n");
    d.sends("HELO client.example\r\n");
    d.says("550 no\r\n");
    d.sends("QUIT\r\n");
    let refused = not_sent_after(NotSentReason::SessionRefused, Step::Hello, "550 no\r\n");
    d.finishes(&[(m, refused)]);
    // LMTP has no HELO.
    let mut d = Dialogue::with(config.dialect(Dialect::Lmtp));
    d.says("220 x\r\n");
    d.sends("LHLO client.example\r\n");
}

/// Without EHLO there is neither STARTTLS nor AUTH: nothing is sent that needs them.
#[test]
fn helo_alone_offers_nothing() {
    let config = config(Pipelining::LookAhead).helo_only();
    let mut d = Dialogue::with(config.clone().tls(Tls::Required));
    let m = d.submit("a@example.org", &ONE);
    d.says("220 x\r\n");
    d.sends("HELO client.example\r\n");
    d.says("250 STARTTLS\r\n");
    d.sends("QUIT\r\n");
    let unavailable = NotSentReason::TlsUnavailable;
    let unsent = not_sent_after(unavailable, Step::Hello, "250 STARTTLS\r\n");
    d.finishes(&[(m, unsent)]);
    let mut d = Dialogue::with(config.clone().tls(Tls::Opportunistic));
    d.submit("a@example.org", &ONE);
    d.says("220 x\r\n");
    d.sends("HELO client.example\r\n");
    d.says("250 STARTTLS\r\n");
    d.sends("MAIL FROM:<a@example.org>\r\n");
    #[cfg(feature = "auth")]
    {
        use smtp_proto::client::mechanism::Plain;
        let mut d = Dialogue::with(config);
        let plain = Box::new(Plain::new("tim", "tanstaaf"));
        d.client.authenticate(vec![plain]).unwrap();
        let m = d.submit("a@example.org", &ONE);
        d.says("220 x\r\n");
        d.sends("HELO client.example\r\n");
        d.says("250-x\r\n250 AUTH PLAIN\r\n");
        d.sends("QUIT\r\n");
        d.finishes(&[(m, crate::dialogue::not_sent(NotSentReason::NoMechanism))]);
    }
}

/// 5321-4.3.1-c, 7504-3-c: a refused session is left with QUIT, and everything is NotSent.
#[test]
fn a_refused_session_is_left_in_good_order() {
    for greeting in ["554 no\r\n", "521 never\r\n", "450 later\r\n"] {
        let mut d = Dialogue::with(config(Pipelining::LookAhead));
        let m = d.submit("a@example.org", &ONE);
        d.says(greeting);
        d.finishes(&[(
            m,
            not_sent_after(NotSentReason::SessionRefused, Step::Greeting, greeting),
        )]);
        assert_eq!(
            d.client.submit(&envelope("a@example.org", &ONE)),
            Err(Misuse::Ending)
        );
        d.sends("QUIT\r\n");
        assert!(!d.client.is_closed());
        d.says("221 bye\r\n");
        assert_eq!(
            d.error.clone().map(|error| error.fault()),
            Some(Fault::SessionRefused)
        );
        assert!(d.client.is_closed());
    }
    // However it ends then, the refusal is what it has ended for.
    for (writes, ending) in [
        (false, ""),
        (true, ""),
        (false, "421 bye\r\n"),
        (true, "what?"),
    ] {
        let mut d = Dialogue::with(config(Pipelining::LookAhead));
        d.says("554 no\r\n");
        if writes {
            d.sends("QUIT\r\n");
        }
        d.says(ending);
        d.hangs_up();
        let error = d.error.unwrap();
        assert_eq!(error.fault(), Fault::SessionRefused);
        assert_eq!(error.answer(), Some(&answer(Step::Greeting, "554 no\r\n")));
    }
}

/// 5321-2.2.1-c: what the server said to EHLO is told where it takes HELO no better, in
/// whatever way the session ends then.
#[test]
fn the_refusal_of_ehlo_is_kept_while_helo_is_tried() {
    type End<'e> = (fn(&mut Dialogue), &'e str);
    let ends: [End<'_>; 5] = [
        (
            |d| {
                d.says("503 what?\r\n");
                d.sends("QUIT\r\n");
                d.says("221 bye\r\n");
            },
            "HELO was answered \"503 what?\\r\\n\"",
        ),
        (
            |d| d.says("450 later\r\n"),
            "HELO was answered \"450 later\\r\\n\"",
        ),
        (
            Dialogue::hangs_up,
            "HELO was not answered: the connection was closed by the peer",
        ),
        (
            |d| {
                d.now = d.client.poll_timeout().unwrap();
                d.client.handle_timeout(d.now);
                d.says("");
            },
            "HELO was not answered: timed out waiting for the reply to a command",
        ),
        (
            |d| {
                d.client.write_failed();
                d.hangs_up();
            },
            "HELO was not answered: the connection could not be written to",
        ),
    ];
    for (end, helo) in ends {
        let mut d = Dialogue::with(config(Pipelining::LookAhead));
        let m = d.submit("a@example.org", &ONE);
        d.says("220 x\r\n");
        d.sends("EHLO client.example\r\n");
        d.says("554-5.7.1 listed\r\n554 5.7.1 go away\r\n");
        d.sends("HELO client.example\r\n");
        end(&mut d);
        if d.error.is_none() {
            d.written();
            d.says("221 bye\r\n");
        }
        let cause = "554-5.7.1 listed\r\n554 5.7.1 go away\r\n";
        let reason = NotSentReason::SessionRefused;
        d.finishes(&[(m, not_sent_after(reason, Step::Hello, cause))]);
        let error = d.error.unwrap();
        assert_eq!(error.fault(), Fault::SessionRefused);
        assert_eq!(error.answer(), Some(&answer(Step::Hello, cause)));
        assert!(!error.is_transient());
        assert_eq!(error.state(), "waiting for the reply to EHLO");
        assert_eq!(
            error.to_string(),
            format!(
                "the server refused the session (waiting for the reply to EHLO): {}; {helo}",
                r#""554-5.7.1 listed\r\n554 5.7.1 go away\r\n""#
            )
        );
    }
    // Once HELO is accepted, the refusal of EHLO says nothing any more.
    let mut d = Dialogue::with(config(Pipelining::LookAhead));
    d.says("220 x\r\n");
    d.sends("EHLO client.example\r\n");
    d.says("550 no\r\n");
    d.sends("HELO client.example\r\n");
    d.says("250 x\r\n");
    d.hangs_up();
    assert_eq!(d.error.unwrap().fault(), Fault::ConnectionLost);
}

/// 5321-2.2.1-c: who does not know EHLO has refused nobody by that. What is said to HELO counts.
#[test]
fn a_server_without_ehlo_refuses_by_its_answer_to_helo() {
    for (ehlo, helo, is_transient) in [
        ("500 5.5.1 what?\r\n", "450 later\r\n", true),
        ("502 5.5.1 what?\r\n", "554 no\r\n", false),
    ] {
        let begin = || {
            let mut d = Dialogue::with(config(Pipelining::LookAhead));
            let m = d.submit("a@example.org", &ONE);
            d.says("220 x\r\n");
            d.sends("EHLO client.example\r\n");
            d.says(ehlo);
            d.sends("HELO client.example\r\n");
            (d, m)
        };
        let (mut d, m) = begin();
        d.says(helo);
        let reason = NotSentReason::SessionRefused;
        d.finishes(&[(m, not_sent_after(reason, Step::Hello, helo))]);
        d.sends("QUIT\r\n");
        d.says("221 bye\r\n");
        let error = d.error.unwrap();
        assert_eq!(error.fault(), Fault::SessionRefused);
        assert_eq!(error.answer(), Some(&answer(Step::Hello, helo)));
        assert_eq!(error.is_transient(), is_transient);
        assert_eq!(
            error.to_string(),
            format!(
                "the server refused the session (waiting for the reply to HELO): \"{}\"; EHLO was answered \"{}\"",
                helo.escape_debug(),
                ehlo.escape_debug()
            )
        );

        // One that is gone then may be back later.
        let (mut d, m) = begin();
        d.hangs_up();
        d.finishes(&[(m, connection_ended())]);
        let error = d.error.unwrap();
        assert_eq!(error.fault(), Fault::ConnectionLost);
        assert!(error.is_transient());
    }
}

/// TLS-9, REP-8: what is no greeting is not taken for one.
#[test]
fn a_greeting_is_220() {
    for greeting in ["250 x\r\n", "235 x\r\n", "354 x\r\n", "221 x\r\n"] {
        let mut d = Dialogue::with(config(Pipelining::LookAhead));
        d.says(greeting);
        assert_eq!(
            d.error.unwrap().fault(),
            Fault::ImpossibleReply,
            "{greeting}"
        );
    }
}

/// 5321-4.1.1.10-b, 5321-4.1.4-h: QUIT last, its reply awaited, but briefly.
#[test]
fn quits() {
    for end in ["reply", "eof", "timeout", "closing"] {
        let mut d = Dialogue::begin(Pipelining::LookAhead, &["PIPELINING"]);
        d.client.quit();
        d.sends("QUIT\r\n");
        assert!(!d.client.is_closed());
        match end {
            "reply" => d.says("221 bye\r\n"),
            "eof" => d.hangs_up(),
            "closing" => d.says("421 bye\r\n"),
            _ => {
                assert_eq!(d.client.poll_timeout(), Some(Duration::from_secs(2)));
                d.client.handle_timeout(Duration::from_secs(2));
                d.says("");
            }
        }
        d.reports(&[Event::Closed]);
        assert_eq!(d.error, None);
        assert!(d.client.is_closed());
        d.sends("");
    }
}

/// 5321-4.5.5-a: misuse changes nothing.
#[test]
fn misuse_is_told_and_harmless() {
    let mut d = Dialogue::begin_with(config(Pipelining::LookAhead).queue(1), &["PIPELINING"]);
    assert_eq!(
        d.client.submit(&envelope("", &[])),
        Err(Misuse::NoRecipient)
    );
    let m = d.submit("", &ONE);
    assert!(!d.client.can_submit());
    assert_eq!(d.client.submit(&envelope("", &ONE)), Err(Misuse::QueueFull));
    d.sends("MAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n");
    d.says("250 ok\r\n250 ok\r\n354 ok\r\n");
    d.written();
    d.says("250 taken\r\n");
    d.finishes(&[(m, delivered("250 taken\r\n"))]);
    assert_eq!(d.client.cancel(m), Err(Misuse::UnknownMessage));
    d.client.quit();
    assert_eq!(d.client.submit(&envelope("", &ONE)), Err(Misuse::Quit));
    assert_eq!(d.client.begin(&envelope("", &ONE)), Err(Misuse::Quit));
    fn is_send<T: Send + 'static>(_: &T) {}
    is_send(&d.client);
}

/// The calls of any driver on a machine that has not begun, or is over, do no harm.
#[test]
fn any_call_in_any_order_is_safe() {
    let mut client = Client::new(config(Pipelining::LookAhead), Duration::ZERO);
    client.handle_timeout(Duration::from_secs(1));
    client.write_failed();
    client.handle_eof();
    client.shrink();
    client.quit();
    let now = Duration::ZERO;
    assert!(client.poll_transmit(None, now).is_none());
    let error = client.poll_event(&mut &b""[..], now).unwrap_err();
    assert_eq!(client.poll_event(&mut &b"220 x\r\n"[..], now), Err(error));
    assert!(client.is_closed());
}

/// 5321-2.2.1-b: A greeting of stars is a firewall's that knows no EHLO (mta-behaviour C, Postfix
/// `smtp_proto.c`).
#[test]
fn a_veiled_greeting_calls_for_helo() {
    for (greeting, hello) in [
        (
            "220 ********0*2**** **** 2 0**\r\n",
            "HELO client.example\r\n",
        ),
        ("220 *\r\n", "EHLO client.example\r\n"),
        ("220 x ****\r\n", "EHLO client.example\r\n"),
        ("220\r\n", "EHLO client.example\r\n"),
    ] {
        let mut d = Dialogue::with(config(Pipelining::LookAhead));
        d.says(greeting);
        d.sends(hello);
    }
}

/// Keywords in lower case, `AUTH=LOGIN`, `250` without text; and what is configured to be ignored.
#[test]
fn odd_announcements_are_understood() {
    use smtp_proto::syntax::Extension;
    let mut d = Dialogue::with(config(Pipelining::Group).ignore(Extension::Chunking));
    d.says("220\r\n");
    d.written();
    d.says("250-x\r\n250-pipelining\r\n250-AUTH=LOGIN\r\n250-CHUNKING\r\n250\r\n");
    let offered = d.client.capabilities();
    assert!(offered.has(Extension::Pipelining) && !offered.has(Extension::Chunking));
    assert_eq!(offered.auth_mechanisms().collect::<Vec<_>>(), ["LOGIN"]);
    d.submit("a@example.org", &ONE);
    d.sends("MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n");
}

/// REP-4, 5321-2.3.8-a: a bare LF ends no line, unless that is allowed.
#[test]
fn bare_lf_replies_are_taken_if_allowed() {
    for allowed in [false, true] {
        let mut c = config(Pipelining::LookAhead);
        if allowed {
            c = c.accept_bare_lf_replies();
        }
        let mut d = Dialogue::with(c);
        d.says("220-x\n220 x\n");
        assert_eq!(d.error.is_none(), allowed);
        assert_eq!(d.written().is_empty(), !allowed);
        if allowed {
            d.says("250-x\n250 PIPELINING\n");
            assert!(
                d.client
                    .capabilities()
                    .has(smtp_proto::syntax::Extension::Pipelining)
            );
        }
    }
}

/// QUIT need not be awaited.
#[test]
fn quit_may_go_unanswered() {
    use smtp_proto::client::Timeouts;
    let mut timeouts = Timeouts::default();
    timeouts.quit = Duration::ZERO;
    let mut d = Dialogue::begin_with(config(Pipelining::LookAhead).timeouts(timeouts), &[]);
    d.client.quit();
    d.sends("QUIT\r\n");
    assert_eq!(d.client.poll_timeout(), Some(d.now));
    d.client.handle_timeout(d.now);
    d.says("");
    d.reports(&[Event::Closed]);
}

/// 5321-2.3.5-b: a host that has no name gives its address.
#[test]
fn introduces_itself_by_an_address_literal() {
    let address = Host::parse("[192.0.2.1]").unwrap();
    let mut d = Dialogue::with(Config::new(address));
    d.says("220 x\r\n");
    d.sends("EHLO [192.0.2.1]\r\n");
    d.says("502 what?\r\n");
    d.sends("HELO [192.0.2.1]\r\n");
}

/// 5321-3.4-b, 6531-3.7.4-b, 7504-4-b: 251 is as good as 250, 551 and 556 are refusals; what their
/// texts say is the application's to read.
#[test]
fn replies_that_name_another_path() {
    let mut d = Dialogue::begin(Pipelining::Group, &["PIPELINING"]);
    let to = ["b@example.net", "c@example.net", "d@example.net"];
    let m = d.submit("a@example.org", &to);
    d.written();
    let answers = [
        "251 2.1.5 will forward to <δ@x.example>\r\n",
        "551 5.1.6 try <n@x.example>\r\n",
        "556 5.1.10 no mail there\r\n",
    ];
    d.says(&format!("250 ok\r\n{}354 go\r\n", answers.concat()));
    d.reports(&[0, 1, 2].map(|index| recipient(m, index, answers[index])));
    d.sends(crate::dialogue::STUFFED);
    d.says("250 taken\r\n");
    d.finishes(&[(m, delivered("250 taken\r\n"))]);
}
