//! A server for tests that has TLS: one text, in two spellings.

use smtp_proto::{
    client::Outcome,
    machine::Step,
    server::{Config, Tls},
    syntax::Host,
    testing::{Reaction, TestServer},
};
use smtp_proto_test_support::Pki;

use super::face::{Client, Envelope, client::Options};

#[test]
fn it_records_and_misbehaves_under_tls_as_in_clear() {
    let pki = Pki::new();
    for (tls, scheme, query) in [
        (Tls::Required, "smtp", "?tls=required"),
        (Tls::Implicit, "smtps", ""),
    ] {
        let acceptor = pki.acceptor();
        let config = Config::new(Host::parse("mx.example.net").unwrap()).tls(tls);
        let server = TestServer::with_tls(config, move |stream| acceptor.accept(stream)).unwrap();
        let later = Reaction::to(Step::Content).times(1);
        server.react(later.reply("452 4.3.1 Full"));
        let options = Options::at(format!("{scheme}://{}{query}", server.address())).unwrap();
        let options = options.tls(pki.connector());
        let mut client = wait!(Client::connect(options.clone())).unwrap();
        assert!(client.tls_info().unwrap().is_verified());
        let mut send = || {
            let envelope = Envelope::new("alice@example.net").unwrap();
            wait!(client.send(envelope.to("bob@example.org").unwrap(), "Hello.\r\n")).unwrap()
        };
        assert!(matches!(send().outcome, Outcome::Refused(it) if it.step == Step::Content));
        assert!(send().is_delivered());
        wait!(client.quit()).unwrap();
        let dialogue = &server.dialogues()[0];
        assert_eq!(
            dialogue.contains("C: STARTTLS"),
            tls == Tls::Required,
            "{dialogue}"
        );
        assert!(dialogue.contains("S: 452 4.3.1 Full"), "{dialogue}");
        assert_eq!(server.messages()[0].text(), "Hello.\r\n");

        // Whoever does not trust it says nothing to it.
        let strange = options.tls(Pki::new().connector());
        assert!(wait!(Client::connect(strange)).is_err());
        assert_eq!(server.messages().len(), 1);
    }
}
