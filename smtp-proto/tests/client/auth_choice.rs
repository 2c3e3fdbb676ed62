//! How a client comes to its mechanism: by what the server offers, by a choice, or not at all.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use smtp_proto::{
    client::{
        Config, Demand, NotSentReason, Pipelining, Tls,
        mechanism::{External, Login, Mechanism, Plain, Protection},
    },
    machine::{Fault, Step, TlsInfo, Verification, VerifiedBy},
};

use crate::dialogue::{Dialogue, ONE, config, not_sent, not_sent_after};

const EHLO: &str = "EHLO client.example\r\n";
const MAIL: &str = "MAIL FROM:<a@example.org>\r\n";
const PLAIN: &str = "AUTH PLAIN AHRpbQBzZWNyZXQ=\r\n";

fn plain() -> Box<dyn Mechanism> {
    Box::new(Plain::new("tim", "secret"))
}

fn verified() -> TlsInfo {
    let mut tls = TlsInfo::default();
    tls.verification = Verification::Verified(VerifiedBy::Authority);
    tls.server_name = Some("mx.example".into());
    tls
}

/// Goes through EHLO, over TLS if there is to be any, to the answer that offers this; a message waits.
fn offered(config: Config, tls: Option<TlsInfo>, offer: &str) -> Dialogue {
    begun(
        Dialogue::with(match tls {
            Some(_) => config.tls(Tls::Implicit),
            None => config,
        }),
        tls,
        offer,
    )
}

fn begun(mut d: Dialogue, tls: Option<TlsInfo>, offer: &str) -> Dialogue {
    d.submit("a@example.org", &ONE);
    if let Some(tls) = tls {
        d.client.tls_established(tls, d.now).unwrap();
    }
    d.says("220 x\r\n");
    d.sends(EHLO);
    d.says(&format!("250-x\r\n250 {offer}\r\n"));
    d
}

/// Expects the session to be refused for this reason, without a word of AUTH.
#[track_caller]
fn is_refused(mut d: Dialogue, fault: Fault) {
    d.sends("QUIT\r\n");
    d.says("221 bye\r\n");
    assert_eq!(d.error.unwrap().fault(), fault);
}

/// It is asked once, with what is offered and what TLS came to; and what it says is done.
#[test]
fn a_choice_is_asked_when_all_is_known() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let config = config(Pipelining::LockStep)
        .tls(Tls::Required)
        .choose_mechanisms(move |channel| {
            counter.fetch_add(1, Ordering::SeqCst);
            assert_eq!(channel.offered().collect::<Vec<_>>(), ["LOGIN", "PLAIN"]);
            let tls = channel.tls().unwrap();
            assert_eq!(tls.server_name.as_deref(), Some("mx.example"));
            assert_eq!(channel.protection(), Protection::VerifiedTls);
            vec![plain()]
        });
    let mut d = Dialogue::with(config);
    d.submit("a@example.org", &ONE);
    d.says("220 x\r\n");
    d.sends(EHLO);
    d.says("250-x\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n");
    d.sends("STARTTLS\r\n");
    d.says("220 go\r\n");
    d.client.tls_established(verified(), d.now).unwrap();
    d.sends(EHLO);
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    d.says("250-x\r\n250 AUTH LOGIN PLAIN\r\n");
    d.sends(PLAIN);
    d.says("235 ok\r\n");
    d.sends(MAIL);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

/// By none, the session goes on without AUTH.
#[test]
fn a_choice_may_be_to_do_without() {
    let config = || config(Pipelining::LockStep).choose_mechanisms(|_| Vec::new());
    for offer in ["AUTH PLAIN", "HELP"] {
        offered(config(), None, offer).sends(MAIL);
    }
    let mut d = Dialogue::with(config());
    d.submit("a@example.org", &ONE);
    d.says("220 x\r\n");
    d.sends(EHLO);
    d.says("502 what\r\n");
    d.sends("HELO client.example\r\n");
    d.says("250 x\r\n");
    d.sends(MAIL);
}

/// Of several, each is tried as if it had been given.
#[test]
fn what_is_chosen_is_tried_in_order() {
    let config = config(Pipelining::LockStep)
        .choose_mechanisms(|_| vec![plain(), Box::new(Login::new("tim", "secret"))]);
    let mut d = offered(config, Some(verified()), "AUTH LOGIN PLAIN");
    d.sends(PLAIN);
    d.says("534 5.7.9 too weak\r\n");
    d.sends("AUTH LOGIN\r\n");
    d.says("535 5.7.8 no\r\n");
    is_refused(d, Fault::AuthenticationFailed);
}

/// AUT-11, 4616-5-a: whatever is chosen, no credential goes where it may not; what carries none does.
#[test]
fn no_choice_opens_a_credential() {
    let config = || config(Pipelining::LockStep).choose_mechanisms(|_| vec![plain()]);
    for tls in [None, Some(TlsInfo::default())] {
        for demand in [Demand::IfOffered, Demand::Required] {
            let d = offered(config().authentication(demand), tls.clone(), "AUTH PLAIN");
            is_refused(d, Fault::CredentialUnprotected);
        }
    }
    let told = config().credentials_over(Protection::InClear);
    offered(told, None, "AUTH PLAIN").sends(PLAIN);
}

/// What the server does not offer cannot be had, nor what has no name.
#[test]
fn a_choice_that_cannot_be_had_is_no_authentication() {
    struct Nameless;
    impl Mechanism for Nameless {
        fn name(&self) -> &str {
            "no name\r\nMAIL"
        }
        fn initial_response(&mut self) -> Option<Vec<u8>> {
            None
        }
        fn respond(&mut self, _: &[u8]) -> Option<Vec<u8>> {
            None
        }
    }
    let config = || config(Pipelining::LockStep);
    for chosen in [|| plain(), || Box::new(Nameless) as Box<dyn Mechanism>] {
        let choosing = config().choose_mechanisms(move |_| vec![chosen()]);
        let d = offered(choosing.clone(), Some(verified()), "AUTH LOGIN");
        is_refused(d, Fault::NoMechanism);
        let optional = choosing.authentication(Demand::IfOffered);
        offered(optional, Some(verified()), "AUTH LOGIN").sends(MAIL);
    }
}

/// What was given to the client itself goes before what is chosen, and nothing shows a secret.
#[test]
fn a_client_that_was_told_asks_nobody() {
    let secret = String::from("sesame");
    let config = config(Pipelining::LockStep).choose_mechanisms(move |_| {
        panic!("it is not to be asked, not even for {secret}");
    });
    assert!(!format!("{config:?}").contains("sesame"));
    let mut d = Dialogue::with(config);
    let external = Box::new(External::new()) as Box<dyn Mechanism>;
    d.client.authenticate(vec![external]).unwrap();
    begun(d, None, "AUTH EXTERNAL").sends("AUTH EXTERNAL =\r\n");
}

/// Nothing is sent ahead of an offer on which the choice depends.
#[test]
fn a_choice_keeps_the_client_from_going_ahead() {
    let answer = b"250-x\r\n250-PIPELINING\r\n250 PIPECONNECT\r\n";
    let known = smtp_proto::syntax::Reply::parse(answer).unwrap();
    let config = config(Pipelining::LookAhead)
        .known_capabilities(smtp_proto::syntax::Capabilities::parse(&known))
        .choose_mechanisms(|_| Vec::new());
    let mut d = Dialogue::with(config);
    d.submit("a@example.org", &ONE);
    d.sends("");
}

/// AUTH if it is offered: where none of the mechanisms is, the session goes on without.
#[test]
fn authentication_may_be_left_to_the_offer() {
    let begin = |tls: Option<TlsInfo>, offer| {
        let config = config(Pipelining::LockStep).authentication(Demand::IfOffered);
        let mut d = Dialogue::with(match tls {
            Some(_) => config.tls(Tls::Implicit),
            None => config,
        });
        d.client.authenticate(vec![plain()]).unwrap();
        begun(d, tls, offer)
    };
    for offer in ["HELP", "AUTH", "AUTH LOGIN GSSAPI"] {
        begin(Some(verified()), offer).sends(MAIL);
        begin(None, offer).sends(MAIL);
    }
    begin(Some(verified()), "AUTH PLAIN").sends(PLAIN);
    // It is offered, and may not be used so.
    is_refused(begin(None, "AUTH PLAIN"), Fault::CredentialUnprotected);
    is_refused(
        begin(Some(TlsInfo::default()), "AUTH PLAIN"),
        Fault::CredentialUnprotected,
    );
    // It is offered, and refused.
    let mut d = begin(Some(verified()), "AUTH PLAIN");
    d.sends(PLAIN);
    d.take_events();
    d.says("535 no\r\n");
    is_refused(d, Fault::AuthenticationFailed);
}

/// HELO offers nothing, which is as good as EHLO that offers nothing.
#[test]
fn authentication_if_offered_takes_helo() {
    for (demand, then) in [
        (Demand::IfOffered, "HELO client.example\r\n"),
        (Demand::Required, "QUIT\r\n"),
    ] {
        let mut d = Dialogue::with(config(Pipelining::LockStep).authentication(demand));
        d.client.authenticate(vec![plain()]).unwrap();
        let m = d.submit("a@example.org", &ONE);
        d.says("220 x\r\n");
        d.sends(EHLO);
        d.says("502 what\r\n");
        d.sends(then);
        if demand == Demand::IfOffered {
            d.says("250 x\r\n");
            d.sends(MAIL);
        } else {
            let refused = NotSentReason::SessionRefused;
            d.finishes(&[(m, not_sent_after(refused, Step::Hello, "502 what\r\n"))]);
        }
    }
    let mut d = Dialogue::with(config(Pipelining::LockStep));
    d.client.authenticate(vec![plain()]).unwrap();
    let m = d.submit("a@example.org", &ONE);
    d.says("220 x\r\n");
    d.sends(EHLO);
    d.says("250 x\r\n");
    d.finishes(&[(m, not_sent(NotSentReason::NoMechanism))]);
}
