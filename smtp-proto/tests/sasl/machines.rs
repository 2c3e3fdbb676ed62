//! The mechanisms between the two machines.

use std::time::Duration;

use smtp_proto::{
    client::{self, Client, Envelope},
    machine::{Fault, TlsInfo},
    sasl::{Mechanism, Protection, ServerExchange, Step},
    server::{self, Event, SaslResponse, Server, Ticket},
    syntax::Host,
    testing::End,
};

use crate::application::{Own, SECRET, answer, mechanisms};

/// How a session went.
struct Session {
    /// The client went on with mail.
    is_in: bool,
    /// Why the client's session failed.
    fault: Option<Fault>,
    /// What the client wrote.
    wire: String,
    /// Whatever either machine shows.
    shown: String,
}

/// Runs a session in clear as far as MAIL. The server's steps may be tampered with on their way to
/// the client.
fn session(mechanism: Box<dyn Mechanism>, tamper: fn(Step) -> Step) -> Session {
    let offer = mechanism.name().to_owned();
    session_over(None, mechanism, &[&offer], tamper)
}

/// Runs a session as far as MAIL, over TLS of which each side has its view.
fn session_over(
    tls: Option<[TlsInfo; 2]>,
    mechanism: Box<dyn Mechanism>,
    offer: &[&str],
    tamper: fn(Step) -> Step,
) -> Session {
    let now = Duration::ZERO;
    let name = || Host::parse("mx.example.net").unwrap();
    let config = client::Config::new(name())
        .credentials_over(Protection::InClear)
        .tls(match tls {
            Some(_) => client::Tls::Implicit,
            None => client::Tls::Off,
        })
        .traced();
    let mut client = Client::new(config, now);
    let envelope = Envelope::new("<>").unwrap().to("a@example.net").unwrap();
    let config = server::Config::new(name())
        .mechanisms(offer.iter().copied())
        .unwrap()
        .allow_plain_text_auth()
        .tls(match tls {
            Some(_) => server::Tls::Implicit,
            None => server::Tls::Off,
        })
        .require_auth()
        .traced();
    client.authenticate(vec![mechanism]).unwrap();
    client.submit(&envelope).unwrap();
    let mut server = Server::new(config, now);
    if let Some([client_side, server_side]) = tls {
        client.tls_established(client_side, now).unwrap();
        server.tls_established(server_side, now).unwrap();
    }
    let (mut client, mut server) = (End::new(client), End::new(server));
    let mut exchange = None;
    let mut it = Session {
        is_in: false,
        fault: None,
        wire: String::new(),
        shown: String::new(),
    };
    for _ in 0..20 {
        let heard = server.hear(now, |server, event| {
            it.shown += &format!("{event:?} {server:?}\n");
            it.is_in |= take(server, event, &mut exchange, tamper);
        });
        it.shown += &format!("{heard:?} {server:?}\n");
        let mut wire = Vec::new();
        server.speak(now, &mut wire);
        client.feed(&wire);
        let heard = client.hear(now, |_, event| it.shown += &format!("{event:?}\n"));
        it.shown += &format!("{client:?}\n");
        if let Err(error) = heard {
            it.shown += &format!("{error:?} {error}\n");
            it.fault = Some(error.fault());
        }
        wire.clear();
        client.speak(now, |_| None, &mut wire);
        it.shown += &format!("{client:?}\n");
        it.wire += std::str::from_utf8(&wire).unwrap();
        server.feed(&wire);
    }
    let traces = [client.poll_trace(), server.poll_trace()];
    let traces = traces.into_iter().flatten();
    let more = std::iter::from_fn(|| client.poll_trace().or_else(|| server.poll_trace()));
    traces
        .chain(more)
        .for_each(|entry| it.shown += &format!("{entry:?} {}\n", entry.what));
    it
}

/// Answers what a server asks; returns whether the client went on with mail.
fn take(
    server: &mut Server,
    event: Event<'_>,
    exchange: &mut Option<ServerExchange>,
    tamper: fn(Step) -> Step,
) -> bool {
    match event {
        Event::Connected { ticket } | Event::Hello { ticket, .. } => {
            server.accept(ticket).unwrap();
        }
        Event::Auth {
            ticket,
            mechanism,
            initial_response,
        } => {
            let begun = ServerExchange::begin(&mechanism, &server.channel());
            let exchange = exchange.insert(begun.unwrap());
            step(server, exchange, ticket, initial_response, tamper);
        }
        Event::AuthResponse { ticket, response } => {
            let exchange = exchange.as_mut().unwrap();
            step(server, exchange, ticket, Some(response), tamper);
        }
        Event::Mail { ticket, .. } => {
            server.accept(ticket).unwrap();
            return true;
        }
        _ => {}
    }
    false
}

fn step(
    server: &mut Server,
    exchange: &mut ServerExchange,
    ticket: Ticket,
    response: Option<SaslResponse>,
    tamper: fn(Step) -> Step,
) {
    let bytes = response.as_ref().map(SaslResponse::as_bytes);
    match tamper(answer(exchange, bytes)) {
        Step::Challenge(challenge) => server.challenge(ticket, &challenge).unwrap(),
        Step::Accept(_) => server.accept(ticket).unwrap(),
        Step::Reject(reply) => server.reply(ticket, reply).unwrap(),
    }
}

/// AUT-10: neither what proves who a client is, nor any of what it sends to that end, is in anything
/// that either machine shows, be it right or wrong.
#[test]
fn no_machine_shows_a_secret() {
    for secret in [SECRET, "wr0ng-t0k3n"] {
        for mechanism in mechanisms("tim", secret) {
            let name = mechanism.name().to_owned();
            let it = session(mechanism, |step| step);
            assert_eq!(it.is_in, secret == SECRET || name == "EXTERNAL", "{name}");
            assert!(it.shown.contains("AUTH ...") && it.shown.contains("AUTH ***"));
            let (_, said) = it.wire.split_once(&format!("AUTH {name}")).unwrap();
            let (said, _) = said
                .split_once(if it.is_in { "MAIL" } else { "QUIT" })
                .unwrap();
            // What is shorter may be there by chance.
            let said = said.split_whitespace().filter(|line| line.len() > 4);
            for canary in said.chain([secret]) {
                let bytes = format!("{:?}", canary.as_bytes());
                assert!(!it.shown.contains(canary), "{name}: {canary}");
                assert!(!it.shown.contains(bytes.trim_matches(['[', ']'])), "{name}");
            }
        }
    }
}

/// 4954-4-g: `*` ends the exchange, at every point.
#[test]
fn each_mechanism_can_be_broken_off() {
    for (name, says) in [
        ("PLAIN", vec![]),
        ("LOGIN", vec![]),
        ("LOGIN", vec!["tim"]),
        ("EXTERNAL", vec![]),
        ("XOAUTH2", vec![]),
        ("XOAUTH2", vec!["user=tim\x01auth=Bearer wrong\x01\x01"]),
        ("OAUTHBEARER", vec![]),
        ("OAUTHBEARER", vec!["n,,\x01auth=Bearer wrong\x01\x01"]),
        #[cfg(feature = "scram")]
        ("SCRAM-SHA-256", vec![]),
        #[cfg(feature = "scram")]
        ("SCRAM-SHA-256", vec!["n,,n=tim,r=x"]),
    ] {
        let lines = says.len() + 1;
        let it = session(Box::new(Own { name, says }), |step| step);
        let (_, said) = it.wire.split_once(&format!("AUTH {name}\r\n")).unwrap();
        assert!(said.ends_with("*\r\nQUIT\r\n"), "{name}: {said}");
        assert_eq!(said.lines().count(), lines + 1, "{name}: {said}");
        assert_eq!(it.fault, Some(Fault::UnreadableChallenge));
        assert!(!it.is_in);
    }
}

/// AUT-8, 5802-3-b: 235 is no acceptance unless the server has proven itself before.
#[cfg(feature = "scram")]
#[test]
fn a_server_that_proves_nothing_is_not_believed() {
    use crate::application::scram;
    use smtp_proto::sasl::ScramHash;

    fn accept(_: Step) -> Step {
        Step::Accept("tim".into())
    }
    fn skip_proof(step: Step) -> Step {
        match step {
            Step::Challenge(bytes) if bytes.starts_with(b"v=") => accept(Step::Challenge(bytes)),
            step => step,
        }
    }
    fn lie(step: Step) -> Step {
        match step {
            Step::Challenge(mut bytes) if bytes.starts_with(b"v=") => {
                bytes[2] = if bytes[2] == b'A' { b'B' } else { b'A' };
                Step::Challenge(bytes)
            }
            step => step,
        }
    }
    let run = |tamper| session(Box::new(scram(ScramHash::Sha256, "tim", SECRET)), tamper);
    assert!(run(|step| step).is_in);
    for tamper in [accept, skip_proof] {
        let it = run(tamper);
        assert_eq!(it.fault, Some(Fault::ServerUnproven), "{}", it.wire);
        assert!(!it.is_in);
    }
    let it = run(lie);
    assert!(it.wire.ends_with("*\r\nQUIT\r\n"), "{}", it.wire);
    assert_eq!(it.fault, Some(Fault::ServerUnproven));
    assert!(!it.is_in);
}

/// 9266-2-a, AUT-13: the machines hand on what TLS came to, and a man in the middle gets nowhere: not
/// by two connections, and not by an offer without the mechanism that finds him.
#[cfg(feature = "scram")]
#[test]
fn the_channel_is_bound_from_end_to_end() {
    use crate::application::scram;
    use smtp_proto::sasl::ScramHash;

    let tls = |exporter| {
        let mut tls = TlsInfo::default();
        tls.exporter = exporter;
        tls
    };
    let run = |exporters: [Option<[u8; 32]>; 2], offer: &[&str]| {
        let mechanism = Box::new(scram(ScramHash::Sha256, "tim", SECRET));
        session_over(Some(exporters.map(tls)), mechanism, offer, |step| step)
    };
    let both = ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"];
    let it = run([Some([1; 32]); 2], &both);
    assert!(it.is_in && it.wire.contains("AUTH SCRAM-SHA-256-PLUS "));
    assert!(!it.shown.contains("1, 1, 1"));
    let it = run([Some([1; 32]), Some([2; 32])], &both);
    assert!(!it.is_in && it.wire.contains("AUTH SCRAM-SHA-256-PLUS "));
    assert_eq!(it.fault, Some(Fault::AuthenticationFailed));
    // Where the server cannot bind, it does not offer to.
    let it = run([Some([1; 32]), None], &both);
    assert!(it.is_in && it.wire.contains("AUTH SCRAM-SHA-256 eSws"));
    let it = run([Some([1; 32]), Some([1; 32])], &both[..1]);
    assert!(it.is_in && it.wire.contains("AUTH SCRAM-SHA-256 eSws"));
}
