//! What both adapters' clients have to show of for whom they speak, and how they authenticate: one text,
//! in two spellings.
//!
//! Whoever includes it has `face`, the adapter; `bind` and `run`, which run a server; and macros: `spelled`
//! for methods, `wait` for calls.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use smtp_proto::{
    client::{
        Config, Demand,
        mechanism::{Mechanism, Plain, Protection},
    },
    machine::{Fault, Step},
    server,
    syntax::{Attribute, AttributeName, AttributeValue, Capabilities, ForwardPath, Host},
};
use smtp_proto_test_support::{Pki, SERVER};

use super::{
    bind,
    face::{
        self, Client, Envelope, Error, Pipelining,
        client::Options as ClientOptions,
        server::{
            ClientAttributes, Credential, Handler, Identity, InMemory, Options, Recipient, Refusal,
            Sender, Session, Shutdown, Transaction, Verdict, accept, invalid_credentials, refuse,
        },
    },
    kept, run,
};

const CONTENT: &str = "Subject: x\r\n\r\nHello.\r\n";

/// Takes every message, and notes who it is from.
#[derive(Default)]
struct Gate(Mutex<Vec<String>>);

impl Gate {
    fn note(&self, note: String) {
        self.0.lock().unwrap().push(note);
    }

    fn notes(&self) -> Vec<String> {
        core::mem::take(&mut *self.0.lock().unwrap())
    }

    fn note_attributes(&self, command: &str, attributes: &ClientAttributes) {
        let mut note = String::from(command);
        for attribute in attributes.iter() {
            let value = match attribute.value() {
                AttributeValue::Text(text) => text.into_owned(),
                _ => "?".into(),
            };
            note += &format!(" {}={value}", attribute.name().as_str());
        }
        self.note(note);
    }
}

impl Handler for Gate {
    type Sink = InMemory;

    spelled! {
        fn authenticate(&self, _: &Session, shown: Credential<'_>) -> Result<Identity, Refusal> {
            match shown {
                Credential::Password { user, password: "secret", .. } => Ok(user.to_owned().into()),
                _ => Err(invalid_credentials().into()),
            }
        }

        fn xclient(&self, _: &Session, attributes: &ClientAttributes) -> Verdict {
            self.note_attributes("XCLIENT", attributes);
            match attributes.get(AttributeName::Name) {
                Some(_) => Err(refuse!("554 5.7.1 Nobody is served by that name")),
                None => accept(),
            }
        }

        fn xforward(&self, _: &Session, attributes: &ClientAttributes) -> Verdict {
            self.note_attributes("XFORWARD", attributes);
            match attributes.get(AttributeName::Name).map(Attribute::value) {
                Some(AttributeValue::Text(_)) => Err(refuse!("550 5.7.0 Not by name")),
                _ => accept(),
            }
        }

        fn mail(&self, session: &Session, _: &Sender) -> Verdict {
            let name = session.identity().map_or("nobody", |it| it.name.as_str());
            self.note(format!("MAIL as {name}"));
            accept()
        }

        fn recipient(&self, _: &Session, _: &Transaction, _: &Recipient) -> Verdict {
            accept()
        }

        fn content(&self, _: &Session, _: face::server::Envelope) -> Result<InMemory, Refusal> {
            Ok(kept(|_| accept()))
        }
    }
}

/// Starts a server that offers this and that.
fn start(gate: &Arc<Gate>, change: impl FnOnce(Options, server::Config) -> Options) -> SocketAddr {
    let offer = Capabilities::new()
        .with(smtp_proto::syntax::Extension::Pipelining)
        .with_keyword("XCLIENT", "NAME ADDR LOGIN")
        .and_then(|offer| offer.with_keyword("XFORWARD", "NAME ADDR IDENT"))
        .unwrap();
    let config = server::Config::new(Host::parse(SERVER).unwrap()).offer(offer);
    let server = bind(change(Options::new(config.clone()), config));
    let address = server.local_addr().unwrap();
    run(server, Arc::clone(gate), Shutdown::new());
    address
}

fn plain(gate: &Arc<Gate>) -> SocketAddr {
    start(gate, |options, _| options)
}

/// A server over TLS that authenticates.
fn secure(gate: &Arc<Gate>, pki: &Pki) -> SocketAddr {
    start(gate, |_, config| {
        let config = config
            .tls(server::Tls::Implicit)
            .mechanisms(["PLAIN"])
            .unwrap();
        Options::new(config).tls(pki.acceptor())
    })
}

fn client(address: SocketAddr, change: impl FnOnce(Config) -> Config) -> ClientOptions {
    let config = Config::new(Host::parse("client.example").unwrap());
    ClientOptions::new(change(config)).server(("127.0.0.1", address.port()))
}

fn envelope() -> Envelope<'static> {
    let envelope = Envelope::new("a@example.org").unwrap();
    envelope.to("b@example.net").unwrap()
}

/// Delivers a message in a session of its own.
fn deliver(client: ClientOptions) -> Result<(), Error> {
    let mut client = wait!(Client::connect(client))?;
    assert!(wait!(client.send(envelope(), CONTENT))?.is_delivered());
    wait!(client.quit())
}

fn address_of(last: u8) -> Attribute<'static> {
    Attribute::address(AttributeName::Addr, [192, 0, 2, last].into()).unwrap()
}

fn attribute(name: AttributeName, text: &str) -> Attribute<'static> {
    Attribute::new(name, text).unwrap()
}

/// XCLIENT-c: the session is the client's that it speaks for.
#[test]
fn a_client_speaks_for_another() {
    let gate = Arc::new(Gate::default());
    let address = plain(&gate);
    let login = attribute(AttributeName::Login, "jo");
    let whom = [login, address_of(7)];
    for demand in [Demand::IfOffered, Demand::Required] {
        deliver(client(address, |it| it.xclient(demand, whom.clone()))).unwrap();
        let heard = ["XCLIENT LOGIN=jo ADDR=192.0.2.7", "MAIL as jo"];
        assert_eq!(gate.notes(), heard);
    }
}

/// XCLIENT-c, XCLIENT-e: it may be refused, and not be offered; that is told as what it is.
#[test]
fn for_whom_a_client_speaks_may_be_refused() {
    let gate = Arc::new(Gate::default());
    let address = plain(&gate);
    let name = attribute(AttributeName::Name, "eve.example");
    let speaking = client(address, |it| it.xclient(Demand::IfOffered, [name]));
    let error = deliver(speaking).unwrap_err();
    let answer = error.answer().unwrap();
    assert_eq!(answer.step, Step::XClient);
    assert_eq!(answer.reply.code().value(), 554);
    assert_eq!(error.machine().unwrap().fault(), Fault::SessionRefused);

    let port = attribute(AttributeName::Port, "25");
    for (demand, fault) in [
        (Demand::IfOffered, None),
        (Demand::Required, Some(Fault::XClientUnavailable)),
    ] {
        let delivered = deliver(client(address, |it| it.xclient(demand, [port.clone()])));
        let failure = delivered.err().map(|it| it.machine().unwrap().fault());
        assert_eq!(failure, fault);
    }
    assert_eq!(gate.notes(), ["XCLIENT NAME=eve.example", "MAIL as nobody"]);
}

/// XFORWARD-a, XFORWARD-c: each message says whom it is from, whatever goes together; a refusal costs none.
#[test]
fn each_message_says_whom_it_is_from() {
    let gate = Arc::new(Gate::default());
    let address = plain(&gate);
    for policy in [
        Pipelining::LockStep,
        Pipelining::Group,
        Pipelining::LookAhead,
    ] {
        let mut client =
            wait!(Client::connect(client(address, |it| it.pipelining(policy)))).unwrap();
        let origins = [
            vec![address_of(1), attribute(AttributeName::Ident, "1")],
            vec![],
            vec![attribute(AttributeName::Name, "eve.example")],
            vec![address_of(4)],
        ];
        for origin in origins {
            client.submit(envelope().xforward(origin), CONTENT).unwrap();
        }
        while let Some(report) = wait!(client.next_report()).unwrap() {
            assert!(report.is_delivered(), "{report:?}");
        }
        let open = Envelope::new("a@example.org")
            .unwrap()
            .xforward([address_of(5)]);
        let message = client.begin(open).unwrap();
        let to = ForwardPath::parse("b@example.net").unwrap();
        let answer = wait!(client.add_recipient(message, to, None)).unwrap();
        assert!(answer.is_positive());
        assert!(wait!(client.end(message, CONTENT)).unwrap().is_delivered());
        wait!(client.quit()).unwrap();
        let heard = [
            "XFORWARD IDENT=1 NAME=? ADDR=192.0.2.1",
            "MAIL as nobody",
            "MAIL as nobody",
            "XFORWARD IDENT=? NAME=eve.example ADDR=?",
            "MAIL as nobody",
            "XFORWARD IDENT=? NAME=? ADDR=192.0.2.4",
            "MAIL as nobody",
            "XFORWARD IDENT=? NAME=? ADDR=192.0.2.5",
            "MAIL as nobody",
        ];
        assert_eq!(gate.notes(), heard, "{policy:?}");
    }
}

/// A mechanism is chosen by what the server offers and by what TLS came to.
#[test]
fn a_mechanism_is_chosen_when_all_is_known() {
    let pki = Pki::new();
    let gate = Arc::new(Gate::default());
    let address = secure(&gate, &pki);
    for user in ["alice", "nobody"] {
        let shown = pki.certificate.to_vec();
        let choosing = client(address, |it| {
            let it = it.tls(smtp_proto::client::Tls::Implicit);
            it.choose_mechanisms(move |channel| {
                assert_eq!(channel.offered().collect::<Vec<_>>(), ["PLAIN"]);
                assert_eq!(channel.protection(), Protection::VerifiedTls);
                let certificates = &channel.tls().unwrap().peer_certificates;
                assert_eq!(*certificates, [shown.clone()]);
                match user {
                    "nobody" => Vec::new(),
                    user => vec![Box::new(Plain::new(user, "secret")) as Box<dyn Mechanism>],
                }
            })
        });
        deliver(choosing.tls(pki.connector())).unwrap();
        assert_eq!(gate.notes(), [format!("MAIL as {user}")]);
    }
}

/// AUT-11, 4616-5-a: whatever is chosen, no password leaves in clear.
#[test]
fn no_choice_sends_a_password_in_clear() {
    let gate = Arc::new(Gate::default());
    let address = start(&gate, |_, config| {
        let config = config.mechanisms(["PLAIN"]).unwrap();
        Options::new(config.allow_plain_text_auth())
    });
    let choosing = client(address, |it| {
        it.choose_mechanisms(|_| vec![Box::new(Plain::new("alice", "secret"))])
    });
    let error = deliver(choosing).unwrap_err();
    let fault = error.machine().unwrap().fault();
    assert_eq!(fault, Fault::CredentialUnprotected);
    assert!(gate.notes().is_empty());
}

/// AUTH if it is offered: a password that was given goes where it is, and elsewhere the session goes on.
#[test]
fn authentication_may_be_left_to_the_offer() {
    let pki = Pki::new();
    let gate = Arc::new(Gate::default());
    let (with, without) = (secure(&gate, &pki), plain(&gate));
    for demand in [Demand::IfOffered, Demand::Required] {
        let begin = |address| {
            let client = client(address, |it| it.authentication(demand));
            client.tls(pki.connector()).password("alice", "secret")
        };
        let over_tls = |it: Config| it.tls(smtp_proto::client::Tls::Implicit);
        deliver(begin(with).configure(over_tls)).unwrap();
        let delivered = deliver(begin(without));
        match demand {
            Demand::IfOffered => {
                delivered.unwrap();
                assert_eq!(gate.notes(), ["MAIL as alice", "MAIL as nobody"]);
            }
            Demand::Required => {
                let fault = delivered.unwrap_err().machine().unwrap().fault();
                assert_eq!(fault, Fault::NoMechanism);
                assert_eq!(gate.notes(), ["MAIL as alice"]);
            }
        }
    }
}
