//! Authentication over loopback, in clear and under TLS.

#![cfg(all(unix, feature = "auth"))]

#[path = "../../smtp-proto/tests/sasl/application.rs"]
mod application;
mod support;

use std::{
    io::Write,
    net::TcpStream,
    sync::{Arc, Mutex},
};

use application::{Own, SECRET, check, mechanisms};
#[cfg(feature = "scram")]
use smtp_proto::sasl::{ScramHash, ScramKeys};
use smtp_proto::{
    client::{
        NotSentReason, Outcome,
        mechanism::{External, Login, Mechanism, OAuthBearer, Plain, Protection},
    },
    machine::Fault,
    server::Config,
    syntax::Reply,
};
use smtp_proto_blocking::{
    Client, Error, Server,
    client::Options as ClientOptions,
    server::{
        Credential, Envelope, Exchange, Handler, Identity, Recipient, Refusal, Sender, Session,
        Sink, Step, Transaction, Verdict, accept, invalid_credentials, refuse,
    },
};
use support::{ask, client_config, envelope, hello, read_line, run_with, server_config, tcp};

const INVALID: &str = "535 5.7.8 Authentication credentials invalid\r\n";
const MECHANISMS: [&str; 8] = [
    "PLAIN",
    "LOGIN",
    "EXTERNAL",
    "XOAUTH2",
    "OAUTHBEARER",
    "SCRAM-SHA-1",
    "SCRAM-SHA-256",
    "X-COUNT",
];

/// Knows one user and its secret, and takes note of who sends and what was shown of credentials.
#[derive(Default)]
struct Users {
    senders: Mutex<Vec<Option<String>>>,
    shown: Mutex<String>,
}

struct Forget;

impl Sink for Forget {
    fn write(&mut self, _: &[u8]) -> Result<(), Refusal> {
        Ok(())
    }

    fn finish(self) -> Verdict {
        accept()
    }
}

/// A mechanism whose server counts down to success.
struct Count(u8);

impl Exchange for Count {
    fn respond(&mut self, response: Option<&[u8]>) -> Step {
        match (response, self.0) {
            (Some(b"s3cr3t-t0k3n"), 0) => Step::Accept("counted".to_owned()),
            // A mistake.
            (Some(b"235"), 0) => Step::Reject(Reply::parse(b"235 2.7.0 OK\r\n").unwrap()),
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
    ) -> Result<Identity, Refusal> {
        let shown = format!("{credential:?}");
        self.shown.lock().unwrap().push_str(&shown);
        match credential {
            Credential::External { .. } => match session.tls() {
                Some(tls) if !tls.peer_certificates.is_empty() => {
                    Ok(Identity::from("certified").with_value(7_u64))
                }
                _ => Err(invalid_credentials().into()),
            },
            credential => Ok(check(credential)?.into()),
        }
    }

    #[cfg(feature = "scram")]
    fn scram_keys(
        &self,
        _: &Session,
        user: &str,
        hash: ScramHash,
    ) -> Result<Option<ScramKeys>, Refusal> {
        match user {
            "later" => Err(refuse!("454 4.7.0 Later")),
            user => Ok(application::keys(user, hash)),
        }
    }

    fn exchange(&self, _: &Session, mechanism: &str) -> Result<Option<Box<dyn Exchange>>, Refusal> {
        match mechanism {
            "X-COUNT" => Ok(Some(Box::new(Count(2)))),
            "X-NEVER" => Err(refuse!("504 5.7.4 Not today")),
            _ => Ok(None),
        }
    }

    fn mail(&self, session: &Session, _: &Sender) -> Verdict {
        let identity = session.identity().map(|identity| {
            let value = identity.value::<u64>().copied();
            assert_eq!(value, (identity.name == "certified").then_some(7));
            assert!(!identity.mechanism.is_empty());
            identity.name.clone()
        });
        self.senders.lock().unwrap().push(identity);
        accept()
    }

    fn recipient(&self, _: &Session, _: &Transaction, _: &Recipient) -> Verdict {
        accept()
    }

    fn content(&self, _: &Session, _: Envelope) -> Result<Forget, Refusal> {
        Ok(Forget)
    }
}

fn config() -> Config {
    let config = server_config().mechanisms(MECHANISMS).unwrap();
    config.require_auth().allow_plain_text_auth()
}

/// Answers challenges one after the other, and then breaks off.
fn own(name: &'static str, says: &[&'static str]) -> Own {
    let says = says.to_vec();
    Own { name, says }
}

/// Sends a message after authentication, in clear, and returns its outcome and who sent it. Nothing
/// that is shown may hold the secret.
fn outcome_by(mechanism: impl Mechanism + 'static) -> (Outcome<'static>, Option<String>) {
    let users = Arc::new(Users::default());
    let mut outcome = None;
    run_with(
        Server::bind("127.0.0.1:0", config()).unwrap(),
        &users,
        |address| {
            let config = client_config()
                .credentials_over(Protection::InClear)
                .traced();
            let mechanism = Mutex::new(Some(mechanism));
            let once = move || mechanism.lock().unwrap().take().unwrap();
            let client_options = ClientOptions::new(config).authenticate(once);
            let mut shown = format!("{client_options:?}");
            let mut client = Client::with_stream(tcp(address), client_options).unwrap();
            let report = client.send(envelope(&["a"]), "x\r\n").unwrap();
            let ended = client.quit();
            if !report.is_delivered() {
                assert!(
                    matches!(&ended, Err(Error::Session { error, .. })
                    if matches!(error.fault(), Fault::AuthenticationFailed | Fault::UnreadableChallenge)),
                    "{ended:?}"
                );
            }
            shown += &format!("{client:?} {ended:?} {report:?}");
            while let Some(entry) = client.poll_trace() {
                shown += &format!("\n{}", entry.what);
            }
            assert!(shown.contains("AUTH "), "{shown}");
            shown += &users.shown.lock().unwrap();
            // The secret, and its base64 at each of the three positions, without the ends.
            for secret in [
                SECRET,
                "czNjcjN0LXQwazNu",
                "MzY3IzdC10MGsz",
                "zM2NyM3QtdDBrM2",
            ] {
                assert!(!shown.contains(secret), "{secret} in {shown}");
            }
            outcome = Some(report.outcome);
        },
    );
    let mut senders = users.senders.lock().unwrap();
    (outcome.unwrap(), senders.pop().flatten())
}

fn name_by(mechanism: impl Mechanism + 'static) -> String {
    let (outcome, sender) = outcome_by(mechanism);
    assert!(matches!(outcome, Outcome::Delivered(_)), "{outcome:?}");
    sender.unwrap()
}

fn refusal_by(mechanism: impl Mechanism + 'static) -> String {
    match outcome_by(mechanism) {
        (Outcome::NotSent(why), None)
            if matches!(
                why.reason,
                NotSentReason::AuthenticationFailed | NotSentReason::UnreadableChallenge
            ) =>
        {
            String::from_utf8(why.answer.unwrap().reply.as_bytes().to_vec()).unwrap()
        }
        other => panic!("{other:?}"),
    }
}

/// 5802-5-a: but for EXTERNAL, which needs a certificate.
#[test]
fn every_mechanism_lets_in_who_has_the_secret() {
    for mechanism in mechanisms("tim", SECRET) {
        match mechanism.name() {
            "EXTERNAL" => assert_eq!(refusal_by(mechanism), INVALID),
            _ => assert_eq!(name_by(mechanism), "tim"),
        }
    }
    for name in ["tim", "ann"] {
        assert_eq!(name_by(Plain::new("tim", SECRET).acting_for(name)), name);
    }
    assert_eq!(name_by(own("PLAIN", &["\0tim\0s3cr3t-t0k3n"])), "tim");
    assert_eq!(name_by(own("X-COUNT", &["2", SECRET])), "counted");
}

/// AUT-6, 7628-3.1-b, 7628-3.2-a, XOAUTH2-b.
#[test]
fn no_mechanism_lets_in_who_has_not() {
    for (user, secret) in [("tim", "wrong"), ("nobody", SECRET)] {
        for mechanism in mechanisms(user, secret) {
            assert_eq!(refusal_by(mechanism), INVALID);
        }
    }
    for acting_for in ["boss", "root"] {
        let acting = Plain::new("tim", SECRET).acting_for(acting_for);
        assert_eq!(refusal_by(acting), INVALID);
    }
    assert_eq!(refusal_by(Plain::new("", SECRET)), INVALID);
    let elsewhere = OAuthBearer::new("tim", "mx.example.org", 587, SECRET);
    assert_eq!(refusal_by(elsewhere), INVALID);
    assert_eq!(refusal_by(own("X-COUNT", &["2", "1"])), INVALID);
    let mistaken = refusal_by(own("X-COUNT", &["2", "235"]));
    assert_eq!(mistaken, "451 4.3.0 Local error in processing\r\n");
    for mechanism in mechanisms("later", "wrong") {
        let expected = match mechanism.name() {
            "EXTERNAL" => INVALID,
            _ => "454 4.7.0 Later\r\n",
        };
        assert_eq!(refusal_by(mechanism), expected);
    }
}

/// A password goes by SCRAM where that is offered.
#[cfg(feature = "scram")]
#[test]
fn a_password_is_used_in_the_best_way() {
    for (offered, used) in [
        (["LOGIN", "PLAIN", "SCRAM-SHA-256"], "Proven"),
        (["LOGIN", "PLAIN", "X-COUNT"], "Password"),
    ] {
        let users = Arc::new(Users::default());
        let config = server_config().mechanisms(offered).unwrap();
        let server = Server::bind("127.0.0.1:0", config.allow_plain_text_auth()).unwrap();
        run_with(server, &users, |address| {
            let client_options =
                ClientOptions::new(client_config().credentials_over(Protection::InClear));
            let client_options = client_options.password("tim", SECRET);
            let mut client = Client::connect(client_options.server(address)).unwrap();
            client.ready().unwrap();
            client.quit().unwrap();
        });
        assert!(users.shown.lock().unwrap().starts_with(used), "{used}");
    }
}

/// 4954-4-g.
#[test]
fn an_exchange_that_is_broken_off_is_over() {
    let cancelled = "501 5.7.0 Authentication cancelled\r\n";
    for name in MECHANISMS {
        assert_eq!(refusal_by(own(name, &[])), cancelled);
    }
    assert_eq!(refusal_by(own("LOGIN", &["tim"])), cancelled);

    let users = Arc::new(Users::default());
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
            assert_eq!(&ask(&mut stream, "czNjcjN0LXQwazNu\r\n")[..9], "235 2.7.0");
        },
    );
}

#[test]
fn a_mechanism_that_is_offered_and_not_written_is_refused() {
    let config = server_config().mechanisms(["CRAM-MD5"]).unwrap();
    let users = Arc::new(Users::default());
    run_with(
        Server::bind("127.0.0.1:0", config).unwrap(),
        &users,
        |address| {
            let mut stream = TcpStream::connect(address).unwrap();
            hello(&mut stream);
            let reply = ask(&mut stream, "AUTH CRAM-MD5 eA==\r\n");
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
    let users = Arc::new(Users::default());
    let server = Server::bind("127.0.0.1:0", config.allow_plain_text_auth()).unwrap();
    run_with(server, &users, |address| {
        let config = client_config().credentials_over(Protection::InClear);
        let client = Client::connect(
            ClientOptions::new(config.clone())
                .authenticate(|| Plain::new("tim", SECRET))
                .authenticate(|| Login::new("tim", SECRET))
                .server(address),
        );
        assert!(client.unwrap().ready().is_ok());
        let mut client = Client::with_stream(
            tcp(address),
            ClientOptions::new(config).authenticate(|| Plain::new("tim", SECRET)),
        )
        .unwrap();
        let report = client.send(envelope(&["a"]), "x\r\n").unwrap();
        let unsent = NotSentReason::NoMechanism.into();
        assert_eq!(report.outcome, Outcome::NotSent(unsent));
    });
}

#[cfg(feature = "rustls")]
mod under_tls {
    use smtp_proto::{client::Tls, server};
    use smtp_proto_blocking::{server::Options, tls::TlsConnector};
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
        let users = Arc::new(Users::default());
        run_with(tls_server(&pki, config), &users, |address| {
            for (tls, is_sent) in [(Tls::Off, false), (Tls::Required, true)] {
                let mut client = Client::with_stream(
                    tcp(address),
                    ClientOptions::new(client_config().tls(tls))
                        .tls(pki.connector())
                        .authenticate(|| Plain::new("tim", SECRET)),
                )
                .unwrap();
                let report = client.send(envelope(&["a"]), "x\r\n").unwrap();
                assert_eq!(report.is_delivered(), is_sent);
            }
        });
        assert_eq!(
            users.senders.lock().unwrap().clone(),
            [Some("tim".to_owned())]
        );
    }

    /// 4954-4-v: a URL with a user means TLS, a server that is verified, and a password for no other.
    #[test]
    fn a_url_with_a_user_demands_a_verified_server() {
        let pki = Pki::new();
        let config = config().tls(server::Tls::Offered);
        let users = Arc::new(Users::default());
        run_with(tls_server(&pki, config), &users, |address| {
            let url = format!("smtp://tim:{SECRET}@{address}");
            let client = ClientOptions::at(&url).unwrap().tls(pki.connector());
            let mut client = Client::connect(client).unwrap();
            let report = client.send(envelope(&["a"]), "x\r\n").unwrap();
            assert!(report.is_delivered());
            let anyone = TlsConnector::with_any_certificate("mx.example.net").unwrap();
            let error = Client::connect(ClientOptions::at(&url).unwrap().tls(anyone)).unwrap_err();
            let fault = error.machine().unwrap().fault();
            assert_eq!(fault, Fault::CredentialUnprotected);
        });
        assert_eq!(*users.senders.lock().unwrap(), [Some("tim".to_owned())]);
    }

    /// 3207-4.2-a: who authenticated in clear did not do so under TLS.
    #[test]
    fn tls_begins_without_an_identity() {
        let pki = Pki::new();
        let config = config().tls(server::Tls::Offered);
        let users = Arc::new(Users::default());
        run_with(tls_server(&pki, config), &users, |address| {
            let mut stream = TcpStream::connect(address).unwrap();
            hello(&mut stream);
            let plain = "AUTH PLAIN AHRpbQBzM2NyM3QtdDBrM24=\r\n";
            assert_eq!(&ask(&mut stream, plain)[..4], "235 ");
            assert_eq!(&ask(&mut stream, "STARTTLS\r\n")[..4], "220 ");
            let mut tls = handshake(&pki, stream);
            tls.write_all(b"EHLO client.example\r\n").unwrap();
            while &read_line(&mut tls)[..4] != "250 " {}
            assert_eq!(&ask(&mut tls, "MAIL FROM:<>\r\n")[..4], "530 ");
        });
        assert_eq!(users.senders.lock().unwrap().clone(), []);
    }

    /// 4422-A-a.
    #[test]
    fn a_certificate_proves_who_the_client_is() {
        let pki = Pki::new();
        let config = server_config()
            .tls(server::Tls::Implicit)
            .mechanisms(["EXTERNAL"])
            .unwrap();
        let users = Arc::new(Users::default());
        let options = Options::new(config).tls(pki.asking_acceptor());
        run_with(
            Server::bind("127.0.0.1:0", options).unwrap(),
            &users,
            |address| {
                for (connector, is_sent) in
                    [(pki.showing_connector(), true), (pki.connector(), false)]
                {
                    let mut client = Client::with_stream(
                        tcp(address),
                        ClientOptions::new(client_config().tls(Tls::Implicit))
                            .tls(connector)
                            .authenticate(External::new),
                    )
                    .unwrap();
                    let report = client.send(envelope(&["a"]), "x\r\n").unwrap();
                    assert_eq!(report.is_delivered(), is_sent);
                }
            },
        );
        let certified = Some("certified".to_owned());
        assert_eq!(users.senders.lock().unwrap().clone(), [certified]);
    }
}
