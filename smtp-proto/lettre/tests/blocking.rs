//! lettre's documented examples on the blocking transport, and what is otherwise than with lettre.

mod support;

use std::{error::Error as _, net::TcpListener, time::Duration};

use lettre::{
    Message, Transport,
    address::Envelope,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        authentication::{Credentials, Mechanism},
        extension::ClientId,
    },
};
use smtp_proto::{
    client::Outcome,
    server::Tls,
    testing::{Reaction, Step, TestServer},
};
use smtp_proto_blocking::{Sender, client::Options, tls::TlsConnector};
use smtp_proto_lettre::SmtpTransport;
use support::{Submission, email};

const MESSAGE: &str = "<nobody@domain.tld> as";

/// Of lettre's README.
#[test]
fn the_first_example_submits_over_tls() {
    let server = Submission::start(Tls::Implicit, ["PLAIN"]);
    let email = Message::builder()
        .from(Mailbox::new(
            Some("NoBody".to_owned()),
            "nobody@domain.tld".parse().unwrap(),
        ))
        .reply_to(Mailbox::new(
            Some("Yuin".to_owned()),
            "yuin@domain.tld".parse().unwrap(),
        ))
        .to(Mailbox::new(
            Some("Hei".to_owned()),
            "hei@domain.tld".parse().unwrap(),
        ))
        .subject("Happy new year")
        .header(ContentType::TEXT_PLAIN)
        .body(String::from("Be happy!"))
        .unwrap();

    let creds = Credentials::new("smtp_username".to_owned(), "smtp_password".to_owned());

    let mailer = SmtpTransport::relay("127.0.0.1")
        .unwrap()
        .credentials(creds)
        .port(server.address.port())
        .tls(server.pki.connector())
        .build();

    match mailer.send(&email) {
        Ok(_) => println!("Email sent successfully!"),
        Err(e) => panic!("Could not send email: {e:?}"),
    }
    let message = format!("{MESSAGE} smtp_username");
    assert_eq!(server.seen(), ["smtp_username by smtp_password", &message]);
}

/// Of `transport::smtp`: a simple example with authentication.
#[test]
fn the_mechanism_is_the_one_that_was_set() {
    for mechanism in [Mechanism::Plain, Mechanism::Login, Mechanism::Xoauth2] {
        let server = Submission::start(Tls::Required, ["XOAUTH2", "LOGIN", "PLAIN"]);
        let sender = SmtpTransport::starttls_relay("127.0.0.1")
            .unwrap()
            .credentials(Credentials::new(
                "username".to_owned(),
                "pass:word".to_owned(),
            ))
            .authentication(vec![mechanism])
            .port(server.address.port())
            .tls(server.pki.connector())
            .build();
        sender.send(&email()).unwrap();
        assert_eq!(server.seen()[0], "username by pass:word", "{mechanism}");
    }
}

/// Of `transport::smtp`: shortening configuration, and custom TLS settings.
#[test]
fn urls_say_how_to_connect_and_as_whom() {
    for (tls, scheme, parameter) in [
        (Tls::Implicit, "smtps", ""),
        (Tls::Required, "smtp", "?tls=required"),
        (Tls::Required, "smtp", ""), // lettre would send the password in clear
    ] {
        let server = Submission::start(tls, ["PLAIN"]);
        let address = server.address;
        let url =
            format!("{scheme}://user%40example.org:pa%3Ass@{address}/client.example{parameter}");
        let cert = server.pki.file("ca.pem");
        let tls = TlsConnector::with_ca_file(smtp_proto_test_support::SERVER, cert).unwrap();
        let sender = SmtpTransport::from_url(&url).unwrap().tls(tls).build();
        sender.send(&email()).unwrap();
        assert_eq!(server.seen()[0], "user@example.org by pa:ss");
    }
}

/// Of `transport::smtp`: connection pooling, in a state that a program shares.
#[test]
fn a_transport_that_is_used_again_keeps_its_connection() {
    struct AppState {
        smtp: SmtpTransport,
    }
    fn handle_request(app_state: &AppState) -> Result<String, Box<dyn std::error::Error>> {
        app_state.smtp.send(&email())?;
        Ok("The email has successfully been sent!".to_owned())
    }
    let server = TestServer::start().unwrap();
    let url = format!("{}?tls=none", server.url());
    let smtp = SmtpTransport::from_url(&url).unwrap().build();
    let app_state = AppState { smtp };
    for _ in 0..3 {
        handle_request(&app_state).unwrap();
    }
    app_state.smtp.clone().shutdown();
    assert!(server.wait(Duration::from_secs(10)));
    let dialogues = server.dialogues();
    assert_eq!(dialogues.len(), 1);
    assert!(dialogues[0].contains("C: QUIT"));
    assert_eq!(server.messages().len(), 3);
    assert!(
        server.messages()[2]
            .text()
            .ends_with("\r\n\r\nBe happy!\r\n")
    );
}

/// Of `examples/smtp.rs`.
#[test]
fn what_the_server_said_can_be_read() {
    let server = TestServer::start().unwrap();
    server.react(Reaction::to(Step::Content).reply("250-2.0.0 Taken\r\n250 2.0.0 as 42"));
    let mailer = SmtpTransport::builder_dangerous("127.0.0.1")
        .port(server.address().port())
        .hello_name(ClientId::Domain("client.example".to_owned()))
        .timeout(Some(Duration::from_secs(10)))
        .build();
    let response = mailer.send(&email()).unwrap();
    assert!(response.is_positive() && response.has_code(250));
    let lines: Vec<&str> = response.message().collect();
    assert_eq!(lines, ["2.0.0 Taken", "2.0.0 as 42"]);
    assert_eq!(response.report().recipients.len(), 1);
    assert!(server.dialogues()[0].contains("C: EHLO client.example"));
}

#[test]
fn raw_messages_are_sent_with_lines_as_smtp_has_them() {
    let server = TestServer::start().unwrap();
    let mailer = SmtpTransport::builder_dangerous("127.0.0.1")
        .port(server.address().port())
        .build();
    let to = vec!["hei@domain.tld".parse().unwrap()];
    let notification = Envelope::new(None, to).unwrap();
    mailer
        .send_raw(&notification, b"Subject: x\n\n.\nline\r\n")
        .unwrap();
    let messages = server.messages();
    assert_eq!(messages[0].sender, "");
    assert_eq!(messages[0].text(), "Subject: x\r\n\r\n.\r\nline\r\n");
}

fn to_three() -> Envelope {
    let address = |name: &str| format!("{name}@domain.tld").parse().unwrap();
    let to = ["one", "two", "three"].map(address).to_vec();
    Envelope::new(Some(address("nobody")), to).unwrap()
}

#[test]
fn a_message_of_which_a_recipient_is_refused_is_nobodys() {
    let server = TestServer::start().unwrap();
    let mailer = SmtpTransport::builder_dangerous("127.0.0.1")
        .port(server.address().port())
        .build();
    // Whoever is refused first is told of, as with lettre.
    for (who, how, is_transient, left) in [
        ("one", "450 4.2.1 Later", true, &["one", "two", "three"][..]),
        ("two", "452 4.5.3 Too many", true, &["one", "two", "three"]),
        ("three", "550 5.1.1 Unknown", false, &["one", "two"]),
    ] {
        let address = format!("{who}@domain.tld");
        let refusal = Reaction::to(Step::Recipient).address(&address).reply(how);
        server.react(refusal.times(1));
        let error = mailer.send_raw(&to_three(), b"x\r\n").unwrap_err();
        assert_eq!(error.is_transient(), is_transient, "{error}");
        assert_eq!(error.is_permanent(), !is_transient, "{error}");
        assert!(
            !error.is_client() && error.to_string().starts_with(how),
            "{error}"
        );
        let status = error.status().map(|code| code.to_string());
        assert_eq!(status.as_deref(), how.get(..3));
        let remaining = error.remaining(&to_three()).unwrap();
        let left: Vec<_> = left.iter().map(|it| format!("{it}@domain.tld")).collect();
        let to = remaining.to().iter().map(ToString::to_string);
        assert_eq!(to.collect::<Vec<_>>(), left);
        assert_eq!(remaining.from(), to_three().from());
        assert_eq!(server.messages().len(), 0);
    }
    // What a program does that knows nothing but lettre: nobody gets it twice.
    mailer.send_raw(&to_three(), b"x\r\n").unwrap();
    let messages = server.messages();
    let recipients: Vec<_> = messages.iter().flat_map(|it| &it.recipients).collect();
    assert_eq!(
        recipients,
        ["one@domain.tld", "two@domain.tld", "three@domain.tld"]
    );
}

#[test]
fn refusals_are_transient_or_permanent() {
    for (reply, is_transient) in [("451 4.3.0 Later", true), ("554 5.7.1 Never", false)] {
        for step in [Step::Mail, Step::Recipient, Step::Content] {
            let server = TestServer::start().unwrap();
            server.react(Reaction::to(step).reply(reply));
            let mailer = SmtpTransport::builder_dangerous("127.0.0.1")
                .port(server.address().port())
                .build();
            let error = mailer.send(&email()).unwrap_err();
            assert_eq!(error.is_transient(), is_transient, "{step} {error}");
            assert_eq!(error.is_permanent(), !is_transient, "{step} {error}");
            assert_eq!(
                error.status().map(|code| code.to_string()).as_deref(),
                reply.get(..3)
            );
            assert_eq!(error.remaining(email().envelope()).is_some(), is_transient);
        }
    }
}

#[test]
fn a_message_in_doubt_is_not_sent_again() {
    let server = TestServer::start().unwrap();
    server.react(Reaction::to(Step::Content).take_and_cut());
    let mailer = SmtpTransport::builder_dangerous("127.0.0.1")
        .port(server.address().port())
        .build();
    let error = mailer.send(&email()).unwrap_err();
    assert!(!error.is_transient() && !error.is_permanent());
    assert_eq!(error.report().unwrap().outcome, Outcome::InDoubt);
    assert!(error.remaining(email().envelope()).is_none());
    assert_eq!(server.messages().len(), 1);
}

#[test]
fn a_server_that_is_not_there_fails_the_message_at_once() {
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mailer = SmtpTransport::builder_dangerous("127.0.0.1")
        .port(address.port())
        .build();
    for _ in 0..20 {
        let error = mailer.send(&email()).unwrap_err();
        assert!(
            error.is_transient() && !error.is_timeout() && !error.is_client(),
            "{error}"
        );
    }
}

#[test]
fn tls_that_cannot_be_had_is_told() {
    let server = TestServer::start().unwrap();
    let url = format!("{}?tls=required", server.url());
    let error = SmtpTransport::from_url(&url)
        .unwrap()
        .build()
        .send(&email())
        .unwrap_err();
    assert!(error.is_tls(), "{error:?}");
    assert!(server.messages().is_empty());
}

#[test]
fn credentials_are_neither_sent_in_clear_nor_shown() {
    let server = Submission::start(Tls::Offered, ["PLAIN"]);
    let builder = SmtpTransport::builder_dangerous("127.0.0.1")
        .port(server.address.port())
        .credentials(Credentials::new("alice".to_owned(), "secret".to_owned()));
    let mailer = builder.clone().build();
    let error = mailer.send(&email()).unwrap_err();
    assert_eq!(server.seen(), [""; 0]);
    let source = error.source().map(ToString::to_string);
    let shown = format!("{builder:?} {mailer:?} {error:?} {error} {source:?}");
    assert!(
        !shown.contains("secret") && !shown.contains("alice"),
        "{shown}"
    );
}

#[test]
fn urls_that_are_none_are_refused_without_being_shown() {
    for url in [
        "http://alice:secret@host",
        "smtp://alice:secret@host?tls=opportunistic",
        "smtp://alice:secret@host?tls=none",
        "smtp://alice:sec/ret@host",
        "smtps://alice:secret@host:0",
        "smtps://alice:secret@ho st",
        "lmtp://alice:secret@host",
        "lmtp+unix:/run/alice:secret",
    ] {
        let error = SmtpTransport::from_url(url).unwrap_err();
        assert!(error.is_client() && !error.is_transient(), "{url}");
        let shown = format!("{error:?} {error}");
        assert!(
            !shown.contains("sec") && !shown.contains("alice"),
            "{shown}"
        );
    }
    assert!(SmtpTransport::relay("no host").unwrap_err().is_client());
    let late = SmtpTransport::builder_dangerous("no host").build();
    assert!(late.send(&email()).unwrap_err().is_client());
}

/// `SmtpTransport::from_url`'s table.
#[test]
fn ports_are_lettres() {
    for (url, port) in [
        ("smtps://host", 465),
        ("smtp://host?tls=required", 587),
        ("smtp://host?tls=opportunistic", 587),
        ("smtp://host:25?tls=opportunistic", 25),
        ("smtp://[::1]?tls=opportunistic", 587),
        ("smtp://[::1]:25/name?tls=opportunistic", 25),
        ("smtp://user:pass@host", 587),
        ("smtp://host?tls=none", 25),
        ("smtp://host", 25),
    ] {
        let builder = SmtpTransport::from_url(url).unwrap();
        assert!(
            format!("{builder:?}").contains(&format!("port: {port},")),
            "{url} {builder:?}"
        );
    }
}

#[test]
fn a_sender_of_the_adapters_is_a_transport() {
    let server = TestServer::start().unwrap();
    let options = Options::at(server.url()).unwrap();
    let sender = Sender::new(options.configure(|config| config.traced())).unwrap();
    let mailer = SmtpTransport::from(sender.max_messages(1));
    mailer.send(&email()).unwrap();
    mailer.send(&email()).unwrap();
    assert_eq!(server.dialogues().len(), 2);
}
