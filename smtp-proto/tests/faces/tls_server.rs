//! Servers that have TLS, one for tests among them: one text, in two spellings.
//!
//! Whoever includes it has `face`, the adapter; `bind` and `run`, which run a server; and macros: `spelled`
//! for methods, `wait` for calls.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use smtp_proto::{
    client::Outcome,
    machine::Step,
    server::{Config, Tls},
    syntax::Host,
    testing::{Reaction, TestServer},
};
use smtp_proto_test_support::{Pki, SERVER};

use super::{
    bind,
    face::{
        self, Client, Envelope,
        client::Options,
        server::{
            self, Handler, InMemory, Recipient, Refusal, Session, Shutdown, Transaction, Verdict,
            accept, refuse,
        },
        tls::rustls::{ClientConnection, ServerConnection, StreamOwned},
    },
    run,
};

/// Takes no mail.
struct Closed;

impl Handler for Closed {
    type Sink = InMemory;

    spelled! {
        fn recipient(&self, _: &Session, _: &Transaction, _: &Recipient) -> Verdict {
            accept()
        }

        fn content(&self, _: &Session, _: face::server::Envelope) -> Result<InMemory, Refusal> {
            Err(refuse!("554 5.3.2 Closed"))
        }
    }
}

/// Reads to the end, of which TLS has to tell, and returns the last line.
fn last_line(mut tls: impl Read) -> String {
    let mut rest = String::new();
    tls.read_to_string(&mut rest).unwrap();
    rest.lines().last().unwrap_or_default().into()
}

/// RFC 8446 6.1, TLS-13: whoever ends a session says that nothing more comes, so that nobody can have cut it.
#[test]
fn the_end_of_a_session_is_told_by_tls() {
    let pki = Pki::new();
    for says in ["QUIT\r\n", ""] {
        let config = Config::new(Host::parse(SERVER).unwrap()).tls(Tls::Implicit);
        let server = bind(server::Options::new(config).tls(pki.acceptor()));
        let address = server.local_addr().unwrap();
        let shutdown = Shutdown::new();
        run(server, Arc::new(Closed), shutdown.clone());
        let config = Arc::new(pki.client_config(&[]));
        let connection = ClientConnection::new(config, SERVER.try_into().unwrap()).unwrap();
        let mut tls = StreamOwned::new(connection, TcpStream::connect(address).unwrap());
        let mut greeting = [0; 4];
        tls.read_exact(&mut greeting).unwrap();
        assert_eq!(&greeting, b"220 ");
        tls.write_all(says.as_bytes()).unwrap();
        if says.is_empty() {
            shutdown.begin();
        }
        let code = if says.is_empty() { "421" } else { "221" };
        assert_eq!(&last_line(tls)[..3], code);
    }

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = Arc::new(pki.server_config());
    let server = thread::spawn(move || {
        let connection = ServerConnection::new(config).unwrap();
        let mut tls = StreamOwned::new(connection, listener.accept().unwrap().0);
        tls.write_all(b"220 x\r\n").unwrap();
        for reply in ["250 x\r\n", "221 x\r\n"] {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                let mut byte = [0];
                tls.read_exact(&mut byte).unwrap();
                line.extend(byte);
            }
            tls.write_all(reply.as_bytes()).unwrap();
        }
        last_line(tls)
    });
    let options = Options::at(format!("smtps://{address}")).unwrap();
    let mut client = wait!(Client::connect(options.tls(pki.connector()))).unwrap();
    wait!(client.quit()).unwrap();
    drop(client);
    assert_eq!(server.join().unwrap(), "");
}

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
