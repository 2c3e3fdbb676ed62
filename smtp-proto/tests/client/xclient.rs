//! XCLIENT: for whom a session is, said after EHLO.

use smtp_proto::{
    client::{Cancellation, Config, Demand, NotSentReason, Pipelining, Tls},
    machine::{Dialect, Fault, Step, TlsInfo},
    syntax::{Attribute, AttributeName, Capabilities, Extension, Reply},
};

use crate::dialogue::{Dialogue, ONE, config, connection_ended, not_sent, not_sent_after};

const EHLO: &str = "EHLO client.example\r\n";
const MAIL: &str = "MAIL FROM:<a@example.org>\r\n";
const DEMANDS: [Demand; 2] = [Demand::IfOffered, Demand::Required];

fn address() -> Attribute<'static> {
    Attribute::address(AttributeName::Addr, "192.0.2.1".parse().unwrap()).unwrap()
}

fn attribute(name: AttributeName, text: &str) -> Attribute<'static> {
    Attribute::new(name, text).unwrap()
}

fn speaking(demand: Demand) -> Config {
    let login = attribute(AttributeName::Login, "jo+1");
    config(Pipelining::LockStep).xclient(demand, [login, address()])
}

/// Goes as far as the answer to the first EHLO.
fn introduced(config: Config, offer: &str) -> Dialogue {
    let mut d = Dialogue::with(config);
    d.says("220 x\r\n");
    d.sends(EHLO);
    d.says(&format!("250-x\r\n250 {offer}\r\n"));
    d
}

/// XCLIENT-a, XCLIENT-c: after 220 the session begins anew, with EHLO and another offer.
#[test]
fn the_session_begins_anew() {
    for demand in DEMANDS {
        let mut d = introduced(speaking(demand), "XCLIENT NAME ADDR login");
        d.submit("a@example.org", &ONE);
        d.sends("XCLIENT LOGIN=jo+2B1 ADDR=192.0.2.1\r\n");
        assert!(d.client.learned().is_none());
        d.says("220 x\r\n");
        assert!(!d.client.capabilities().has(Extension::XClient));
        d.sends(EHLO);
        d.says("250-x\r\n250-XCLIENT ADDR LOGIN\r\n250 SIZE 10\r\n");
        d.sends(MAIL);
        assert!(d.client.capabilities().has(Extension::Size));
        assert_eq!(d.error, None);
    }
}

/// README: the client introduces itself as the one that it speaks for, whether the server takes HELO or not.
#[test]
fn ehlo_says_the_name_of_the_client() {
    for (helo, name) in [
        (
            attribute(AttributeName::Helo, "spike.example"),
            "spike.example",
        ),
        (
            Attribute::unavailable(AttributeName::Helo),
            "client.example",
        ),
    ] {
        let config = config(Pipelining::LockStep).xclient(Demand::IfOffered, [address(), helo]);
        let mut d = introduced(config, "XCLIENT ADDR");
        d.sends("XCLIENT ADDR=192.0.2.1\r\n");
        d.says("220 x\r\n");
        d.sends(&format!("EHLO {name}\r\n"));
        d.says("500 what\r\n");
        d.sends(&format!("HELO {name}\r\n"));
    }
}

/// XCLIENT-e: it is offered to those who may. Where it is not, or not with all that there is to say, a
/// session is of no use to whoever demands it.
#[test]
fn it_goes_only_where_it_is_offered() {
    for offer in [
        "HELP",
        "XCLIENT",
        "XCLIENT NAME",
        "XCLIENT ADDR",
        "XFORWARD ADDR LOGIN",
    ] {
        let mut d = introduced(speaking(Demand::IfOffered), offer);
        d.submit("a@example.org", &ONE);
        if offer == "XCLIENT ADDR" {
            d.sends("XCLIENT ADDR=192.0.2.1\r\n");
        } else {
            d.sends(MAIL);
        }

        let mut d = introduced(speaking(Demand::Required), offer);
        d.sends("QUIT\r\n");
        d.says("221 bye\r\n");
        let error = d.error.unwrap();
        assert_eq!(error.fault(), Fault::XClientUnavailable);
        assert!(!error.is_transient());
        let taken = match offer {
            "XCLIENT NAME" => "NAME",
            "XCLIENT ADDR" => "ADDR",
            _ => "none",
        };
        let told = format!(": the server offers {taken}, the client has LOGIN ADDR");
        assert!(error.to_string().ends_with(&told), "{error}");
    }
    let mut d = Dialogue::with(speaking(Demand::Required));
    let m = d.submit("a@example.org", &ONE);
    d.says("220 x\r\n");
    d.sends(EHLO);
    d.says("250 x\r\n");
    d.finishes(&[(m, not_sent(NotSentReason::XClientUnavailable))]);
}

/// Only the answer to EHLO can offer it.
#[test]
fn helo_is_of_no_use_where_it_is_required() {
    for (demand, then) in [
        (Demand::IfOffered, "HELO client.example\r\n"),
        (Demand::Required, "QUIT\r\n"),
    ] {
        let mut d = Dialogue::with(speaking(demand));
        d.says("220 x\r\n");
        d.sends(EHLO);
        d.says("500 what\r\n");
        d.sends(then);
    }
    let mut d = Dialogue::with(speaking(Demand::Required).helo_only());
    d.says("220 x\r\n");
    d.sends("HELO client.example\r\n");
    d.says("250 x\r\n");
    d.sends("QUIT\r\n");
}

/// XCLIENT-d: as many lines as it takes, NAME and ADDR last, each with its 220.
#[test]
fn long_ones_take_several_lines() {
    let long = "x".repeat(255);
    let [name, helo] =
        [AttributeName::Name, AttributeName::Helo].map(|name| attribute(name, &long));
    let config = config(Pipelining::Group).xclient(Demand::Required, [name, address(), helo]);
    let mut d = introduced(config, "XCLIENT NAME ADDR HELO");
    d.submit("a@example.org", &ONE);
    d.sends(&format!("XCLIENT HELO={long}\r\n"));
    d.says("220 x\r\n");
    d.sends(&format!("XCLIENT NAME={long} ADDR=192.0.2.1\r\n"));
    d.says("220 x\r\n");
    d.sends(&format!("EHLO {long}\r\n"));
    d.says("250 x\r\n");
    d.sends(MAIL);
}

/// XCLIENT-c: whatever the refusal is of, the proxy or its client, the session is refused by it.
#[test]
fn a_refusal_is_the_sessions() {
    for demand in DEMANDS {
        for (no, is_transient) in [
            ("550 5.7.0 not authorised\r\n", false),
            ("554 5.7.1 client rejected\r\n", false),
            ("501 5.5.4 bad\r\n", false),
            ("450 4.7.1 later\r\n", true),
        ] {
            let mut d = introduced(speaking(demand), "XCLIENT ADDR LOGIN");
            let m = d.submit("a@example.org", &ONE);
            d.written();
            d.says(no);
            let reason = NotSentReason::SessionRefused;
            d.finishes(&[(m, not_sent_after(reason, Step::XClient, no))]);
            d.sends("QUIT\r\n");
            d.says("221 bye\r\n");
            let error = d.error.unwrap();
            assert_eq!(error.fault(), Fault::SessionRefused);
            assert_eq!(error.answer().unwrap().step, Step::XClient);
            assert_eq!(error.is_transient(), is_transient);
        }
        let mut d = introduced(speaking(demand), "XCLIENT ADDR LOGIN");
        d.written();
        d.says("421 bye\r\n");
        let error = d.error.unwrap();
        assert_eq!(error.fault(), Fault::Closing);
        assert_eq!(error.answer().unwrap().step, Step::XClient);
    }
}

/// XCLIENT-c: servers as Postfix was before 2.3 answer 250, as its documents said then, and do not begin
/// anew; EHLO does no harm to them.
#[test]
fn older_servers_answer_250() {
    let long = attribute(AttributeName::Helo, "spike.example");
    let name = attribute(AttributeName::Name, &"x".repeat(250));
    let login = attribute(AttributeName::Login, &"y".repeat(250));
    for demand in DEMANDS {
        let attributes = [long.clone(), name.clone(), login.clone()];
        let config = config(Pipelining::LockStep).xclient(demand, attributes);
        let offer = "XCLIENT NAME ADDR PROTO HELO LOGIN";
        let mut d = introduced(config, offer);
        let m = d.submit("a@example.org", &ONE);
        for _ in 0..2 {
            assert!(d.written().starts_with("XCLIENT "));
            d.says("250 Ok\r\n");
        }
        d.sends("EHLO spike.example\r\n");
        d.says(&format!("250-x\r\n250-SIZE 10\r\n250 {offer}\r\n"));
        d.sends(MAIL);
        d.finishes(&[]);
        assert!(d.client.capabilities().has(Extension::Size));
        assert_eq!(d.client.cancel(m), Ok(Cancellation::Withdrawn));
    }
}

/// What may be another command's reply is not believed: nobody is spoken for by it, and a message would go
/// in the proxy's own name.
#[test]
fn a_reply_to_ehlo_too_many_is_no_answer() {
    for demand in DEMANDS {
        let begin = |answer: &str| {
            let mut d = introduced(speaking(demand), "XCLIENT ADDR LOGIN");
            let m = d.submit("a@example.org", &ONE);
            d.written();
            d.says(answer);
            (d, m)
        };
        // EHLO was answered twice: alike, or in few words.
        let (d, _) = begin("250-x\r\n250 XCLIENT ADDR LOGIN\r\n");
        assert_eq!(d.error.unwrap().fault(), Fault::ImpossibleReply);
        for (late, fault) in [
            ("250 Ok\r\n", Fault::ImpossibleReply),
            ("220 x\r\n", Fault::ImpossibleReply),
            ("550 5.7.0 not authorised\r\n", Fault::SessionRefused),
        ] {
            let (mut d, m) = begin("250 hello\r\n");
            d.sends(EHLO);
            d.says(late);
            if fault == Fault::SessionRefused {
                let reason = NotSentReason::SessionRefused;
                d.finishes(&[(m, not_sent_after(reason, Step::Hello, late))]);
                d.sends("QUIT\r\n");
                d.says("221 bye\r\n");
            } else {
                d.finishes(&[(m, connection_ended())]);
            }
            assert_eq!(d.error.unwrap().fault(), fault);
        }
    }
}

/// The client that is spoken for may be refused at EHLO as well; or the server may know no EHLO of it.
#[test]
fn a_refusal_at_ehlo_is_the_sessions() {
    for demand in DEMANDS {
        let mut d = introduced(speaking(demand), "XCLIENT ADDR LOGIN");
        d.written();
        d.says("220 x\r\n");
        d.sends(EHLO);
        d.says("554 no\r\n");
        d.sends("HELO client.example\r\n");
        d.says("554 no\r\n");
        d.sends("QUIT\r\n");
    }
}

/// It goes by TLS, if there is any, which is not asked for again after it.
#[test]
fn it_comes_after_starttls() {
    let offer = "250-x\r\n250-STARTTLS\r\n250 XCLIENT ADDR LOGIN\r\n";
    for tls in [Tls::Opportunistic, Tls::Required] {
        let mut d = Dialogue::with(speaking(Demand::Required).tls(tls));
        d.says("220 x\r\n");
        d.sends(EHLO);
        // What was offered in clear does not count (3207-4.2-b).
        d.says("250-x\r\n250 STARTTLS\r\n");
        d.sends("STARTTLS\r\n");
        d.says("220 go\r\n");
        d.client.tls_established(TlsInfo::default(), d.now).unwrap();
        d.sends(EHLO);
        d.says(offer);
        d.sends("XCLIENT LOGIN=jo+2B1 ADDR=192.0.2.1\r\n");
        d.says("220 x\r\n");
        d.sends(EHLO);
        d.submit("a@example.org", &ONE);
        d.says(offer);
        d.sends(MAIL);
    }
    let mut d = Dialogue::with(speaking(Demand::IfOffered).tls(Tls::Opportunistic));
    d.submit("a@example.org", &ONE);
    d.says("220 x\r\n");
    d.sends(EHLO);
    d.says(offer);
    d.sends("STARTTLS\r\n");
    d.says("454 not now\r\n");
    d.sends("XCLIENT LOGIN=jo+2B1 ADDR=192.0.2.1\r\n");
    d.says("220 x\r\n");
    d.sends(EHLO);
    d.says(offer);
    d.sends(MAIL);
}

/// RFC 2033: LHLO again.
#[test]
fn lmtp_has_it_too() {
    let mut d = Dialogue::with(speaking(Demand::Required).dialect(Dialect::Lmtp));
    d.says("220 x\r\n");
    d.sends("LHLO client.example\r\n");
    d.says("250-x\r\n250-PIPELINING\r\n250 XCLIENT ADDR LOGIN\r\n");
    d.sends("XCLIENT LOGIN=jo+2B1 ADDR=192.0.2.1\r\n");
    d.says("220 x\r\n");
    d.sends("LHLO client.example\r\n");
}

/// A session that has to begin anew has nothing sent ahead of its greeting.
#[test]
fn nothing_goes_ahead() {
    let known = Reply::parse(b"250-x\r\n250-PIPELINING\r\n250 PIPECONNECT\r\n").unwrap();
    let config = speaking(Demand::IfOffered).known_capabilities(Capabilities::parse(&known));
    let mut d = Dialogue::with(config);
    d.submit("a@example.org", &ONE);
    d.sends("");
}

/// AUTH comes last, by what the server offers then.
#[cfg(feature = "auth")]
#[test]
fn authentication_comes_after_it() {
    use smtp_proto::client::mechanism::{External, Mechanism};
    let config = speaking(Demand::Required).choose_mechanisms(|channel| {
        assert_eq!(channel.offered().collect::<Vec<_>>(), ["EXTERNAL"]);
        vec![Box::new(External::new()) as Box<dyn Mechanism>]
    });
    let mut d = Dialogue::with(config);
    d.says("220 x\r\n");
    d.sends(EHLO);
    d.says("250-x\r\n250-AUTH PLAIN\r\n250 XCLIENT ADDR LOGIN\r\n");
    d.written();
    d.says("220 x\r\n");
    d.sends(EHLO);
    d.submit("a@example.org", &ONE);
    d.says("250-x\r\n250 AUTH EXTERNAL\r\n");
    d.sends("AUTH EXTERNAL =\r\n");
    d.says("235 ok\r\n");
    d.sends(MAIL);
}
