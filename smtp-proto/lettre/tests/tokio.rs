//! lettre's documented examples on the transport over tokio.

mod support;

use std::time::Duration;

use lettre::{
    AsyncTransport, Tokio1Executor, address::Envelope, transport::smtp::authentication::Credentials,
};
use smtp_proto::{
    server::Tls,
    testing::{Reaction, Step, TestServer},
};
use smtp_proto_lettre::AsyncSmtpTransport;
use smtp_proto_tokio::Sender;
use support::{Submission, email};

/// Of `examples/tokio1_smtp_starttls.rs` and `tokio1_smtp_tls.rs`.
#[tokio::test]
async fn the_examples_submit_over_tls() {
    for tls in [Tls::Required, Tls::Implicit] {
        let server = Submission::start(tls, ["PLAIN"]);
        let creds = Credentials::new("smtp_username".to_owned(), "smtp_password".to_owned());
        let relay = match tls {
            Tls::Implicit => AsyncSmtpTransport::<Tokio1Executor>::relay("127.0.0.1"),
            _ => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay("127.0.0.1"),
        };
        let mailer: AsyncSmtpTransport<Tokio1Executor> = relay
            .unwrap()
            .credentials(creds)
            .port(server.address.port())
            .tls(server.pki.connector())
            .build();
        match mailer.send(email()).await {
            Ok(_) => println!("Email sent successfully!"),
            Err(e) => panic!("Could not send email: {e:?}"),
        }
        assert_eq!(server.seen()[0], "smtp_username by smtp_password");
    }
}

/// Of `AsyncSmtpTransport::from_url`, and of its connection pool.
#[tokio::test]
async fn urls_say_how_to_connect_and_the_connection_is_kept() {
    let server = TestServer::start().unwrap();
    let url = format!("{}/client.example?tls=none", server.url());
    let mailer: AsyncSmtpTransport<Tokio1Executor> =
        AsyncSmtpTransport::<Tokio1Executor>::from_url(&url)
            .unwrap()
            .build();
    let response = mailer.send(email()).await.unwrap();
    assert!(response.is_positive());
    mailer.clone().send(email()).await.unwrap();
    mailer.shutdown().await;
    assert!(server.wait(Duration::from_secs(10)));
    assert_eq!(server.dialogues().len(), 1);
    assert!(server.dialogues()[0].contains("C: EHLO client.example"));
    assert_eq!(server.messages().len(), 2);
    let secret = AsyncSmtpTransport::from_url("smtps://alice:secret@host").unwrap();
    assert!(!format!("{secret:?} {:?}", secret.clone().build()).contains("secret"));
}

#[tokio::test]
async fn a_message_of_which_a_recipient_is_refused_is_nobodys() {
    let server = TestServer::start().unwrap();
    let later = Reaction::to(Step::Recipient).address("one@domain.tld");
    server.react(later.reply("450 Later").times(1));
    let address = |name: &str| format!("{name}@domain.tld").parse().unwrap();
    let envelope = Envelope::new(None, vec![address("one"), address("two")]).unwrap();
    let mailer = AsyncSmtpTransport::from(Sender::new(server.url()).unwrap());
    let error = mailer.send_raw(&envelope, b"x\r\n").await.unwrap_err();
    assert!(error.is_transient() && !error.is_permanent());
    assert_eq!(error.remaining(&envelope).unwrap(), envelope);
    assert_eq!(server.messages().len(), 0);
    mailer.send_raw(&envelope, b"x\r\n").await.unwrap();
    let recipients = server.messages().into_iter().map(|it| it.recipients.len());
    assert_eq!(recipients.collect::<Vec<_>>(), [2]);
}
