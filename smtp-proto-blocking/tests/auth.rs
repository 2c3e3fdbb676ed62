//! Authentication over loopback, in clear and under TLS.

#![cfg(all(unix, feature = "auth"))]

mod support;

use std::{io::Write, net::TcpStream, sync::Mutex};

use smtp_proto::{
    client::{
        NotSent, Outcome,
        mechanism::{External, Login, Mechanism, OAuthBearer, Plain, XOAuth2},
    },
    machine::Fault,
    server::Config,
    syntax::{Parameters, Reply, ReversePath},
};
use smtp_proto_blocking::{
    Client, Error, Server,
    server::{
        Credential, Envelope, Exchange, Handler, Session, Sink, Step, Verdict, invalid_credentials,
    },
};
use support::{ask, client_config, envelope, hello, read_line, run_with, server_config};

const MECHANISMS: [&str; 6] = [
    "PLAIN",
    "LOGIN",
    "EXTERNAL",
    "XOAUTH2",
    "OAUTHBEARER",
    "X-COUNT",
];

/// Knows one user and its secret, and takes note of who sends.
#[derive(Default)]
struct Users {
    senders: Mutex<Vec<Option<String>>>,
}

struct Forget;

impl Sink for Forget {
    fn write(&mut self, _: &[u8]) -> Result<(), Reply<'static>> {
        Ok(())
    }

    fn finish(self) -> Verdict {
        Verdict::Accept
    }
}

/// A mechanism whose server counts down to success.
struct Count(u8);

impl Exchange for Count {
    fn respond(&mut self, response: Option<&[u8]>) -> Step {
        match (response, self.0) {
            (Some(b"sesame-42"), 0) => Step::Accept("counted".to_owned()),
            (_, 0) => Step::Reject(invalid_credentials()),
            _ => {
                self.0 -= 1;
                Step::Challenge(vec![b'0' + self.0])
            }
        }
    }
}

impl Handler for Users {
    type Sink = Forget;

    fn authenticate(
        &self,
        session: &Session,
        credential: Credential<'_>,
    ) -> Result<String, Reply<'static>> {
        let shown = format!("{credential:?}");
        assert!(!shown.contains("sesame-42"), "{shown}");
        match credential {
            Credential::Password {
                password: "later", ..
            } => Err(Reply::parse(b"454 4.7.0 Later\r\n").unwrap()),
            Credential::Password {
                user: "tim",
                password: "sesame-42",
                ..
            } => Ok("tim".to_owned()),
            Credential::Token {
                user: "tim",
                token: "sesame-42",
            } => Ok("token's".to_owned()),
            Credential::External { .. } => match &session.tls {
                Some(tls) if !tls.peer_certificates.is_empty() => Ok("certified".to_owned()),
                _ => Err(invalid_credentials()),
            },
            _ => Err(invalid_credentials()),
        }
    }

    fn exchange<'h>(&'h self, _: &Session, mechanism: &str) -> Option<Box<dyn Exchange + 'h>> {
        (mechanism == "X-COUNT").then(|| Box::new(Count(2)) as Box<dyn Exchange>)
    }

    fn mail(&self, session: &Session, _: &ReversePath<'_>, _: &Parameters<'_>) -> Verdict {
        let identity = session.identity.clone();
        self.senders.lock().unwrap().push(identity);
        Verdict::Accept
    }

    fn content(&self, _: &Session, _: &Envelope) -> Result<Forget, Reply<'static>> {
        Ok(Forget)
    }
}

fn config() -> Config {
    let config = server_config().mechanisms(MECHANISMS).unwrap();
    config.require_auth().allow_plain_text_auth()
}

/// Answers challenges one after the other, and then breaks off.
struct Script(&'static str, Vec<&'static [u8]>);

impl Mechanism for Script {
    fn name(&self) -> &str {
        self.0
    }

    fn is_plain_text(&self) -> bool {
        true
    }

    fn initial_response(&mut self) -> Option<Vec<u8>> {
        None
    }

    fn respond(&mut self, _: &[u8]) -> Option<Vec<u8>> {
        match self.1.is_empty() {
            true => None,
            false => Some(self.1.remove(0).to_vec()),
        }
    }
}

/// Sends a message after authentication, in clear, and returns its outcome and who sent it. Nothing
/// that is shown may hold the secret.
fn outcome_by(mechanism: impl Mechanism + 'static) -> (Outcome<'static>, Option<String>) {
    let users = Users::default();
    let mut outcome = None;
    run_with(
        Server::bind("127.0.0.1:0", config()).unwrap(),
        &users,
        |address| {
            let config = client_config().allow_plain_text_auth().traced();
            let builder = Client::builder(config).authenticate(mechanism);
            let mut shown = format!("{builder:?}");
            let mut client = builder.connect(address).unwrap();
            let report = client.send(&envelope(&["a"]), "x\r\n").unwrap();
            let ended = client.quit();
            if !report.is_delivered() {
                assert!(
                    matches!(&ended, Err(Error::Session { error, .. })
                    if error.fault() == Fault::AuthenticationFailed),
                    "{ended:?}"
                );
            }
            shown += &format!("{client:?} {ended:?} {report:?}");
            while let Some(entry) = client.poll_trace() {
                shown += &format!("\n{}", entry.what);
            }
            assert!(shown.contains("AUTH "), "{shown}");
            // The secret, and its base64 at each of the three positions, without the ends.
            for secret in ["sesame-42", "c2VzYW1lLTQy", "Nlc2FtZS00", "zZXNhbWUt"] {
                assert!(!shown.contains(secret), "{secret} in {shown}");
            }
            outcome = Some(report.outcome);
        },
    );
    let mut senders = users.senders.into_inner().unwrap();
    (outcome.unwrap(), senders.pop().flatten())
}

fn name_by(mechanism: impl Mechanism + 'static) -> String {
    let (outcome, sender) = outcome_by(mechanism);
    assert!(matches!(outcome, Outcome::Delivered(_)), "{outcome:?}");
    sender.unwrap()
}

fn refusal_by(mechanism: impl Mechanism + 'static) -> String {
    match outcome_by(mechanism) {
        (Outcome::NotSent(NotSent::AuthenticationFailed(Some(reply))), None) => {
            String::from_utf8(reply.as_bytes().to_vec()).unwrap()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_mechanism_lets_in_who_has_the_secret() {
    assert_eq!(name_by(Plain::new("tim", "sesame-42")), "tim");
    assert_eq!(
        name_by(Plain::new("tim", "sesame-42").acting_for("tim")),
        "tim"
    );
    assert_eq!(name_by(Script("PLAIN", vec![b"\0tim\0sesame-42"])), "tim");
    assert_eq!(name_by(Login::new("tim", "sesame-42")), "tim");
    assert_eq!(name_by(XOAuth2::new("tim", "sesame-42")), "token's");
    assert_eq!(
        name_by(OAuthBearer::new("tim", "server.example", 25, "sesame-42")),
        "token's"
    );
    let counted = Script("X-COUNT", vec![b"2", b"sesame-42"]);
    assert_eq!(name_by(counted), "counted");
}

/// AUT-6, 7628-3.2-a, XOAUTH2-b.
#[test]
fn no_mechanism_lets_in_who_has_not() {
    let invalid = "535 5.7.8 Authentication credentials invalid\r\n";
    assert_eq!(refusal_by(Plain::new("tim", "wrong")), invalid);
    assert_eq!(
        refusal_by(Plain::new("tim", "sesame-42").acting_for("root")),
        invalid
    );
    assert_eq!(refusal_by(Plain::new("", "sesame-42")), invalid);
    assert_eq!(refusal_by(Login::new("tim", "wrong")), invalid);
    assert_eq!(refusal_by(External::new()), invalid);
    assert_eq!(refusal_by(XOAuth2::new("tim", "wrong")), invalid);
    assert_eq!(
        refusal_by(OAuthBearer::new("tim", "h", 25, "wrong")),
        invalid
    );
    assert_eq!(refusal_by(Script("X-COUNT", vec![b"2", b"1"])), invalid);
    assert_eq!(
        refusal_by(Plain::new("tim", "later")),
        "454 4.7.0 Later\r\n"
    );
}

/// 4954-4-g.
#[test]
fn an_exchange_that_is_broken_off_is_over() {
    let cancelled = "501 5.7.0 Authentication cancelled\r\n";
    for mechanism in ["PLAIN", "LOGIN", "X-COUNT"] {
        assert_eq!(refusal_by(Script(mechanism, Vec::new())), cancelled);
    }
    assert_eq!(refusal_by(Script("LOGIN", vec![b"tim"])), cancelled);

    let users = Users::default();
    run_with(
        Server::bind("127.0.0.1:0", config()).unwrap(),
        &users,
        |address| {
            let mut stream = TcpStream::connect(address).unwrap();
            hello(&mut stream);
            // Its state is not another's.
            assert_eq!(
                ask(&mut stream, "AUTH LOGIN dGlt\r\n"),
                "334 UGFzc3dvcmQ6\r\n"
            );
            assert_eq!(ask(&mut stream, "*\r\n"), cancelled);
            assert_eq!(ask(&mut stream, "AUTH LOGIN\r\n"), "334 VXNlcm5hbWU6\r\n");
            assert_eq!(ask(&mut stream, "dGlt\r\n"), "334 UGFzc3dvcmQ6\r\n");
            assert_eq!(&ask(&mut stream, "c2VzYW1lLTQy\r\n")[..9], "235 2.7.0");
        },
    );
}

#[test]
fn a_mechanism_that_is_offered_and_not_written_is_refused() {
    let config = server_config().mechanisms(["SCRAM-SHA-256"]).unwrap();
    let users = Users::default();
    run_with(
        Server::bind("127.0.0.1:0", config).unwrap(),
        &users,
        |address| {
            let mut stream = TcpStream::connect(address).unwrap();
            hello(&mut stream);
            let reply = ask(&mut stream, "AUTH SCRAM-SHA-256 eA==\r\n");
            assert_eq!(
                reply,
                "504 5.5.4 Authentication mechanism not available\r\n"
            );
        },
    );
}

/// The first that the server offers is used, and none that it does not.
#[test]
fn mechanisms_are_tried_by_what_is_offered() {
    let config = server_config().mechanisms(["LOGIN"]).unwrap();
    let users = Users::default();
    let server = Server::bind("127.0.0.1:0", config.allow_plain_text_auth()).unwrap();
    run_with(server, &users, |address| {
        let config = client_config().allow_plain_text_auth();
        let client = Client::builder(config.clone())
            .authenticate(Plain::new("tim", "sesame-42"))
            .authenticate(Login::new("tim", "sesame-42"))
            .connect(address);
        assert!(client.unwrap().ready().is_ok());
        let mut client = Client::builder(config)
            .authenticate(Plain::new("tim", "sesame-42"))
            .connect(address)
            .unwrap();
        let report = client.send(&envelope(&["a"]), "x\r\n").unwrap();
        let unsent = NotSent::AuthenticationFailed(None);
        assert_eq!(report.outcome, Outcome::NotSent(unsent));
    });
}

#[cfg(feature = "rustls")]
mod under_tls {
    use smtp_proto::{client::Tls, server};
    use smtp_proto_blocking::server::Options;
    use smtp_proto_test_support::Pki;

    use super::*;
    use crate::support::tls::{handshake, tls_server};

    /// 4954-4-v, 4616-5-a: a password goes under TLS only.
    #[test]
    fn passwords_wait_for_tls() {
        let pki = Pki::new();
        let config = server_config()
            .tls(server::Tls::Offered)
            .mechanisms(["PLAIN"])
            .unwrap();
        let users = Users::default();
        run_with(tls_server(&pki, config), &users, |address| {
            for (tls, is_sent) in [(Tls::Off, false), (Tls::Required, true)] {
                let mut client = Client::builder(client_config().tls(tls))
                    .tls(pki.connector())
                    .authenticate(Plain::new("tim", "sesame-42"))
                    .connect(address)
                    .unwrap();
                let report = client.send(&envelope(&["a"]), "x\r\n").unwrap();
                assert_eq!(report.is_delivered(), is_sent);
            }
        });
        assert_eq!(
            users.senders.into_inner().unwrap(),
            [Some("tim".to_owned())]
        );
    }

    /// 3207-4.2-a: who authenticated in clear did not do so under TLS.
    #[test]
    fn tls_begins_without_an_identity() {
        let pki = Pki::new();
        let config = config().tls(server::Tls::Offered);
        let users = Users::default();
        run_with(tls_server(&pki, config), &users, |address| {
            let mut stream = TcpStream::connect(address).unwrap();
            hello(&mut stream);
            let plain = "AUTH PLAIN AHRpbQBzZXNhbWUtNDI=\r\n";
            assert_eq!(&ask(&mut stream, plain)[..4], "235 ");
            assert_eq!(&ask(&mut stream, "STARTTLS\r\n")[..4], "220 ");
            let mut tls = handshake(&pki, stream);
            tls.write_all(b"EHLO client.example\r\n").unwrap();
            while &read_line(&mut tls)[..4] != "250 " {}
            assert_eq!(&ask(&mut tls, "MAIL FROM:<>\r\n")[..4], "530 ");
        });
        assert_eq!(users.senders.into_inner().unwrap(), []);
    }

    /// 4422-A-a.
    #[test]
    fn a_certificate_proves_who_the_client_is() {
        let pki = Pki::new();
        let config = server_config()
            .tls(server::Tls::Implicit)
            .mechanisms(["EXTERNAL"])
            .unwrap();
        let users = Users::default();
        let options = Options::new(config).tls(pki.asking_acceptor());
        run_with(
            Server::bind("127.0.0.1:0", options).unwrap(),
            &users,
            |address| {
                for (connector, is_sent) in
                    [(pki.showing_connector(), true), (pki.connector(), false)]
                {
                    let mut client = Client::builder(client_config().tls(Tls::Implicit))
                        .tls(connector)
                        .authenticate(External::new())
                        .connect(address)
                        .unwrap();
                    let report = client.send(&envelope(&["a"]), "x\r\n").unwrap();
                    assert_eq!(report.is_delivered(), is_sent);
                }
            },
        );
        let certified = Some("certified".to_owned());
        assert_eq!(users.senders.into_inner().unwrap(), [certified]);
    }
}
