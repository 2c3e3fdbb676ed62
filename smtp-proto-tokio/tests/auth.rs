//! Authentication: each mechanism between client and server, and what must not be shown.
#![cfg(all(feature = "auth", feature = "rustls"))]

#[path = "../../smtp-proto/tests/sasl/application.rs"]
mod application;
mod support;

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
};

use application::{Own, SECRET, check, mechanisms};
#[cfg(feature = "scram")]
use smtp_proto::sasl::{ScramHash, ScramKeys};
use smtp_proto::{
    client::{
        self, NotSentReason, Outcome, Pipelining,
        mechanism::{External, Login, Mechanism, OAuthBearer, Plain, Protection},
    },
    machine::{Fault, Misuse},
    server::{Config, Tls},
    syntax::{Code, Reply},
};
use smtp_proto_test_support::{Pki, SERVER};
use smtp_proto_tokio::{
    Client, Error,
    client::Options as ClientOptions,
    server::{
        Credential, Envelope, Exchange, Handler, Identity, Options, Recipient, Refusal, Sender,
        Session, Sink, Step, Transaction, Verdict, accept, invalid_credentials, refuse,
        serve_connection,
    },
};
use support::{
    client_config, content, exchange, greet, is_delivered, one, server_config, tls::handshake,
};
use tokio::{io::DuplexStream, task::JoinHandle};

const REJECTED: &str = "535 5.7.8 Authentication credentials invalid\r\n";

/// Knows one user, and remembers who began transactions and what was shown of credentials.
#[derive(Default)]
struct Users {
    senders: Mutex<Vec<Option<String>>>,
    shown: Mutex<String>,
}

impl Handler for Users {
    type Sink = Nowhere;

    async fn authenticate(
        &self,
        session: &Session,
        credential: Credential<'_>,
    ) -> Result<Identity, Refusal> {
        tokio::task::yield_now().await;
        self.shown
            .lock()
            .unwrap()
            .push_str(&format!("{credential:?}"));
        match credential {
            Credential::Password { user: "panic", .. } => panic!("a user to panic at"),
            Credential::Token {
                user: user @ "a,b=2C",
                token: SECRET,
                host: Some(SERVER),
                port: Some(587),
            } => Ok(user.into()),
            Credential::External { acting_for: "" } => match session.tls() {
                Some(tls) if !tls.peer_certificates.is_empty() => {
                    Ok(Identity::from("certified").with_value(7_u64))
                }
                _ => Err(invalid_credentials().into()),
            },
            Credential::External { .. } => Err(invalid_credentials().into()),
            credential => Ok(check(credential)?.into()),
        }
    }

    #[cfg(feature = "scram")]
    async fn scram_keys(
        &self,
        _: &Session,
        user: &str,
        hash: ScramHash,
    ) -> Result<Option<ScramKeys>, Refusal> {
        tokio::task::yield_now().await;
        match user {
            "later" => Err(refuse!("454 4.7.0 Later")),
            user => Ok(application::keys(user, hash)),
        }
    }

    async fn exchange(
        &self,
        _: &Session,
        mechanism: &str,
    ) -> Result<Option<Box<dyn Exchange>>, Refusal> {
        match mechanism {
            "X-COUNT" => Ok(Some(Box::new(Count(0)))),
            _ => Ok(None),
        }
    }

    async fn mail(&self, session: &Session, _: &Sender) -> Verdict {
        let identity = session.identity().map(|identity| {
            let value = identity.value::<u64>().copied();
            assert_eq!(value, (identity.name == "certified").then_some(7));
            assert!(!identity.mechanism.is_empty());
            identity.name.clone()
        });
        self.senders.lock().unwrap().push(identity);
        accept()
    }

    async fn recipient(&self, _: &Session, _: &Transaction, _: &Recipient) -> Verdict {
        accept()
    }

    async fn content(&self, _: &Session, _: Envelope) -> Result<Nowhere, Refusal> {
        Ok(Nowhere)
    }
}

struct Nowhere;

impl Sink for Nowhere {
    async fn write(&mut self, _: &[u8]) -> Result<(), Refusal> {
        Ok(())
    }

    async fn finish(self) -> Verdict {
        accept()
    }
}

/// Has the client count up to 3.
struct Count(u8);

impl Exchange for Count {
    fn respond<'a>(
        &'a mut self,
        response: Option<&'a [u8]>,
    ) -> Pin<Box<dyn Future<Output = Step> + Send + 'a>> {
        Box::pin(async move {
            match response {
                Some([number]) if *number != self.0 => Step::Reject(invalid_credentials()),
                Some(b"\x03") => Step::Accept("counter".into()),
                _ => {
                    self.0 += 1;
                    Step::Challenge(vec![self.0])
                }
            }
        })
    }
}

/// Repeats each challenge, and gives up at one of them.
struct Echo {
    gives_up_at: u8,
}

impl Mechanism for Echo {
    fn name(&self) -> &str {
        "X-COUNT"
    }

    fn initial_response(&mut self) -> Option<Vec<u8>> {
        None
    }

    fn respond(&mut self, challenge: &[u8]) -> Option<Vec<u8>> {
        (challenge != [self.gives_up_at]).then(|| challenge.to_vec())
    }
}

fn config() -> Config {
    let names = [
        "PLAIN",
        "LOGIN",
        "EXTERNAL",
        "XOAUTH2",
        "OAUTHBEARER",
        "SCRAM-SHA-1",
        "SCRAM-SHA-256",
        "X-COUNT",
        "X-NONE",
    ];
    server_config()
        .mechanisms(names)
        .unwrap()
        .allow_plain_text_auth()
        .require_auth()
}

fn serve(
    users: &Arc<Users>,
    options: impl Into<Options>,
) -> (DuplexStream, JoinHandle<Result<(), Error>>) {
    let (near, far) = tokio::io::duplex(4096);
    let task = serve_connection(far, options, Arc::clone(users));
    (near, tokio::spawn(task))
}

fn in_clear() -> client::Config {
    client_config(Pipelining::LookAhead)
        .credentials_over(Protection::InClear)
        .traced()
}

/// Sends a message with this mechanism, and returns under which name it went; or else the reply that
/// turned the client down.
async fn attempt(mechanism: impl Mechanism + 'static) -> Result<String, Option<Reply<'static>>> {
    let users = Arc::new(Users::default());
    let (stream, server) = serve(&users, config());
    let mechanism = std::sync::Mutex::new(Some(mechanism));
    let once = move || mechanism.lock().unwrap().take().unwrap();
    let client_options = ClientOptions::new(in_clear()).authenticate(once);
    let mut shown = format!("{client_options:?}");
    let mut client = Client::with_stream(stream, client_options).unwrap();
    let report = client.send(&one(), content(0)).await.unwrap();
    shown += &format!("{client:?} {report:?}");
    let result = client.quit().await;
    shown += &format!("{result:?}");
    while let Some(entry) = client.poll_trace() {
        shown += &format!("{entry:?} {}", entry.what);
    }
    drop(client);
    let served = server.await.unwrap();
    shown += &format!("{served:?} {}", users.shown.lock().unwrap());
    for secret in [SECRET, "wrong", "czNjcjN0", "MzY3IzdC10", "d3Jvbmc"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
    let senders = users.senders.lock().unwrap();
    match report.outcome {
        Outcome::NotSent(why)
            if matches!(
                why.reason,
                NotSentReason::AuthenticationFailed | NotSentReason::UnreadableChallenge
            ) =>
        {
            let Err(Error::Session { error, .. }) = result else {
                panic!("{result:?}");
            };
            assert!(matches!(
                error.fault(),
                Fault::AuthenticationFailed | Fault::UnreadableChallenge
            ));
            assert_eq!(*senders, []);
            Err(why.answer.map(|answer| answer.reply))
        }
        _ => {
            assert!(is_delivered(&report), "{report:?}");
            result.unwrap();
            Ok(senders[0].clone().unwrap())
        }
    }
}

fn refusal(bytes: &'static str) -> Result<String, Option<Reply<'static>>> {
    Err(Some(Reply::parse(bytes.as_bytes()).unwrap()))
}

/// 5802-5-a: but for EXTERNAL, which needs a certificate.
#[tokio::test]
async fn every_mechanism_lets_in_whom_it_should() {
    let tim = || Ok(String::from("tim"));
    for mechanism in mechanisms("tim", SECRET) {
        let expected = match mechanism.name() {
            "EXTERNAL" => refusal(REJECTED),
            _ => tim(),
        };
        assert_eq!(attempt(mechanism).await, expected);
    }
    let acting = Plain::new("tim", SECRET).acting_for("ann");
    assert_eq!(attempt(acting).await, Ok("ann".into()));
    // RFC 5801 4
    let escaped = OAuthBearer::new("a,b=2C", SERVER, 587, SECRET);
    assert_eq!(attempt(escaped).await, Ok("a,b=2C".into()));
    let counts = Echo { gives_up_at: 0 };
    assert_eq!(attempt(counts).await, Ok("counter".into()));
}

#[tokio::test]
async fn every_mechanism_keeps_out_whom_it_should() {
    let rejected = || refusal(REJECTED);
    for (user, secret) in [("tim", "wrong"), ("nobody", SECRET)] {
        for mechanism in mechanisms(user, secret) {
            assert_eq!(attempt(mechanism).await, rejected());
        }
    }
    // AUT-6: nobody acts for another by a handler's carelessness.
    for acting_for in ["boss", "root"] {
        let acting = Plain::new("tim", SECRET).acting_for(acting_for);
        assert_eq!(attempt(acting).await, rejected());
    }
    assert_eq!(attempt(Login::new("", SECRET)).await, rejected());
    // 7628-3.1-b: a token for another server.
    let bearer = OAuthBearer::new("tim", "mx.example.org", 587, SECRET);
    assert_eq!(attempt(bearer).await, rejected());
    // Without a certificate.
    assert_eq!(attempt(External::new()).await, rejected());
    for mechanism in mechanisms("later", "wrong") {
        let expected = match mechanism.name() {
            "EXTERNAL" => rejected(),
            _ => refusal("454 4.7.0 Later\r\n"),
        };
        assert_eq!(attempt(mechanism).await, expected);
    }
    assert_eq!(
        attempt(Plain::new("panic", "wrong")).await,
        refusal("451 4.3.0 Local error in processing\r\n")
    );
}

/// 4954-4-g
#[tokio::test]
async fn an_exchange_is_cancelled() {
    let cancelled = || refusal("501 5.7.0 Authentication cancelled\r\n");
    for gives_up_at in 1..=3 {
        assert_eq!(attempt(Echo { gives_up_at }).await, cancelled());
    }
    for mechanism in mechanisms("tim", SECRET) {
        let name = String::from(mechanism.name()).leak();
        let says = Vec::new();
        assert_eq!(attempt(Own { name, says }).await, cancelled());
    }
}

/// A password goes by SCRAM where that is offered.
#[cfg(feature = "scram")]
#[tokio::test]
async fn a_password_is_used_in_the_best_way() {
    for (offered, used) in [
        (["LOGIN", "PLAIN", "SCRAM-SHA-256"], "Proven"),
        (["LOGIN", "PLAIN", "X-COUNT"], "Password"),
    ] {
        let users = Arc::new(Users::default());
        let config = server_config().mechanisms(offered).unwrap();
        let (stream, server) = serve(&users, config.allow_plain_text_auth());
        let client_options = ClientOptions::new(in_clear()).password("tim", SECRET);
        let mut client = Client::with_stream(stream, client_options).unwrap();
        client.ready().await.unwrap();
        client.quit().await.unwrap();
        server.await.unwrap().unwrap();
        assert!(users.shown.lock().unwrap().starts_with(used), "{used}");
    }
}

/// 4616-2-b, LOGIN-a, LOGIN-b, 7628-3.1-b, 7628-3.2-a, XOAUTH2-b: the wire, as other clients use it.
#[tokio::test]
async fn the_dialogue_of_each_mechanism() {
    const ACCEPTED: &str = "235 2.7.0 Authentication successful\r\n";
    const INVALID: &str = "334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\r\n";
    const UNAUTHORIZED: &str = "334 eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIn0=\r\n";
    const LOCAL: &str = "504 5.5.4 Authentication mechanism not available\r\n";
    let dialogues: [&[(&str, &str)]; 14] = [
        // tim, the password
        &[("AUTH PLAIN AHRpbQBzM2NyM3QtdDBrM24=", ACCEPTED)],
        &[
            ("AUTH PLAIN", "334 \r\n"),
            ("AHRpbQBzM2NyM3QtdDBrM24=", ACCEPTED),
        ],
        // No NUL, one, three, no user, no password, bad UTF-8.
        &[("AUTH PLAIN YQ==", REJECTED)],
        &[("AUTH PLAIN AA==", REJECTED)],
        &[("AUTH PLAIN AGEAYgA=", REJECTED)],
        &[("AUTH PLAIN AABi", REJECTED)],
        &[("AUTH PLAIN AGEA", REJECTED)],
        &[("AUTH PLAIN AGEA/w==", REJECTED)],
        &[
            ("AUTH LOGIN", "334 VXNlcm5hbWU6\r\n"),
            ("dGlt", "334 UGFzc3dvcmQ6\r\n"),
            ("czNjcjN0LXQwazNu", ACCEPTED),
        ],
        &[
            ("AUTH LOGIN dGlt", "334 UGFzc3dvcmQ6\r\n"),
            ("czNjcjN0LXQwazNu", ACCEPTED),
        ],
        // "n,a=tim,^Aauth=bearer s3cr3t-t0k3n^A^A"
        &[(
            "AUTH OAUTHBEARER bixhPXRpbSwBYXV0aD1iZWFyZXIgczNjcjN0LXQwazNuAQE=",
            ACCEPTED,
        )],
        // "n,,^A^A" has no token.
        &[("AUTH OAUTHBEARER biwsAQE=", INVALID), ("AQ==", REJECTED)],
        &[("AUTH XOAUTH2 YQ==", UNAUTHORIZED), ("", REJECTED)],
        &[
            ("AUTH X-NONE", LOCAL),
            ("AUTH X-COUNT", "334 AQ==\r\n"),
            ("*", "501 5.7.0 Authentication cancelled\r\n"),
            ("AUTH PLAIN AHRpbQBzM2NyM3QtdDBrM24=", ACCEPTED),
        ],
    ];
    for dialogue in dialogues {
        let (mut stream, server) = serve(&Arc::new(Users::default()), config());
        greet(&mut stream).await;
        for (line, reply) in dialogue {
            exchange(&mut stream, &format!("{line}\r\n"), reply).await;
        }
        drop(stream);
        server.await.unwrap().unwrap_err();
    }
}

/// 8314-4.2-a, 3207-4.2-a: who a client is, is asked anew under TLS, and its certificate may tell.
#[tokio::test]
async fn a_certificate_lets_a_client_in() {
    let pki = Pki::new();
    for certified in [true, false] {
        let users = Arc::new(Users::default());
        let config = config().tls(Tls::Offered);
        let options = Options::new(config).tls(pki.asking_acceptor());
        let (stream, server) = serve(&users, options);
        let connector = if certified {
            pki.showing_connector()
        } else {
            pki.connector()
        };
        let mut client = Client::with_stream(
            stream,
            ClientOptions::new(in_clear().tls(client::Tls::Required))
                .tls(connector)
                .authenticate(External::new),
        )
        .unwrap();
        let report = client.send(&one(), content(0)).await.unwrap();
        assert_eq!(is_delivered(&report), certified, "{report:?}");
        assert_eq!(client.quit().await.is_ok(), certified);
        server.await.unwrap().unwrap();
        let names: Vec<_> = certified
            .then(|| Some("certified".into()))
            .into_iter()
            .collect();
        assert_eq!(*users.senders.lock().unwrap(), names);
    }
}

#[tokio::test]
async fn authentication_is_forgotten_when_tls_begins() {
    let pki = Pki::new();
    let users = Arc::new(Users::default());
    let options = Options::new(config().tls(Tls::Offered)).tls(pki.acceptor());
    let (mut stream, server) = serve(&users, options);
    greet(&mut stream).await;
    let auth = "AUTH PLAIN AHRpbQBzM2NyM3QtdDBrM24=\r\n";
    exchange(&mut stream, auth, "235 2.7.0 Authentication successful\r\n").await;
    exchange(
        &mut stream,
        "STARTTLS\r\n",
        "220 2.0.0 Ready to start TLS\r\n",
    )
    .await;
    let mut stream = handshake(&pki, &[], stream).await.unwrap();
    exchange(&mut stream, "EHLO c.example\r\n", "250-mx.example.net").await;
    drop(stream);
    assert_eq!(*users.senders.lock().unwrap(), []);
    server.await.unwrap().unwrap_err();
}

/// 4954-4-v: a URL with a user means TLS, a server that is verified, and a password for no other.
#[tokio::test]
async fn a_url_with_a_user_demands_a_verified_server() {
    let pki = Pki::new();
    let users = Arc::new(Users::default());
    let url = format!("smtp://tim:{SECRET}@mx.example.net");
    for is_verified in [true, false] {
        let options = Options::new(config().tls(Tls::Offered)).tls(pki.acceptor());
        let (stream, _server) = serve(&users, options);
        let connector = match is_verified {
            true => pki.connector(),
            false => {
                smtp_proto_tokio::tls::TlsConnector::with_any_certificate("mx.example.net").unwrap()
            }
        };
        let client = ClientOptions::at(&url).unwrap().tls(connector);
        let mut client = Client::with_stream(stream, client).unwrap();
        match client.ready().await {
            Ok(_) => assert!(is_verified),
            Err(error) => {
                assert!(!is_verified, "{error}");
                let fault = error.machine().unwrap().fault();
                assert_eq!(fault, Fault::CredentialUnprotected);
            }
        }
    }
}

/// 4616-5-a: no password leaves in clear unless that is allowed.
#[tokio::test]
async fn no_password_leaves_in_clear() {
    let users = Arc::new(Users::default());
    let (stream, _server) = serve(&users, config());
    let mut client = Client::with_stream(
        stream,
        ClientOptions::new(client_config(Pipelining::LookAhead))
            .authenticate(|| Plain::new("tim", SECRET)),
    )
    .unwrap();
    let report = client.send(&one(), content(0)).await.unwrap();
    let failed = Outcome::NotSent(NotSentReason::CredentialUnprotected.into());
    assert_eq!(report.outcome, failed);
    assert_eq!(*users.shown.lock().unwrap(), "");
}

#[tokio::test]
async fn mechanisms_have_names() {
    struct Nameless;
    impl Mechanism for Nameless {
        fn name(&self) -> &str {
            "PLAIN\r\nQUIT"
        }
        fn initial_response(&mut self) -> Option<Vec<u8>> {
            None
        }
        fn respond(&mut self, _: &[u8]) -> Option<Vec<u8>> {
            None
        }
    }
    let (stream, _server) = serve(&Arc::new(Users::default()), config());
    let client_options = ClientOptions::new(in_clear()).authenticate(|| Nameless);
    let error = Client::with_stream(tokio::io::empty(), client_options).unwrap_err();
    assert!(matches!(error, Error::Misuse(Misuse::InvalidMechanism)));

    let options = ClientOptions::new(in_clear()).authenticate(|| Plain::new("tim", SECRET));
    let mut client = Client::with_stream(stream, options).unwrap();
    assert!(is_delivered(
        &client.send(&one(), content(0)).await.unwrap()
    ));
}

/// A handler that does not write `authenticate` lets nobody in.
#[tokio::test]
async fn nobody_is_let_in_unless_a_handler_says_so() {
    let (near, far) = tokio::io::duplex(4096);
    let handler = Arc::new(support::Shared(Arc::default()));
    let server = tokio::spawn(serve_connection(far, config(), handler));
    let mut stream = near;
    greet(&mut stream).await;
    let auth = "AUTH PLAIN AHRpbQBzM2NyM3QtdDBrM24=\r\n";
    exchange(&mut stream, auth, REJECTED).await;
    exchange(
        &mut stream,
        "MAIL FROM:<a@example.org>\r\n",
        "530 5.7.0 Authentication required\r\n",
    )
    .await;
    drop(stream);
    server.await.unwrap().unwrap_err();
    assert_eq!(Code::new(535).unwrap(), invalid_credentials().code());
}
