//! ETRN, XCLIENT, XFORWARD, what only the application knows, and what no server is to be asked.

#![cfg(unix)]

mod support;

use std::{
    io::Write,
    net::SocketAddr,
    os::unix::net::UnixStream,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use smtp_proto::{
    machine::{Fault, Misuse},
    server::Config,
    syntax::{
        Argument, AttributeName, Attributes, Capabilities, Code, Command, Extension,
        ForwardingCommand, Reply, Word,
    },
};
use smtp_proto_blocking::{
    Client, Error,
    server::{
        Accept, ClientAttributes, Envelope, Handler, Recipient, Refusal, Sender, Session, Sink,
        Transaction, Verdict, accept, refuse, serve_connection,
    },
};
use support::{ask, client_config, envelope, hello, read_line, server_config};

/// Speaks for others by XCLIENT, and takes note of what it is told.
#[derive(Default)]
struct Gateway {
    notes: Mutex<Vec<String>>,
}

impl Gateway {
    fn note(&self, note: String) {
        self.notes.lock().unwrap().push(note);
    }
}

struct Nowhere;

impl Sink for Nowhere {
    fn write(&mut self, _: &[u8]) -> Result<(), Refusal> {
        Ok(())
    }

    fn finish(self) -> Verdict {
        accept()
    }
}

impl Handler for Gateway {
    type Sink = Nowhere;

    fn hello(&self, session: &Session) -> Verdict {
        // A proxy comes by a local socket, and speaks for clients that have addresses.
        if session.peer().is_some() {
            return accept();
        }
        let offer = Capabilities::new()
            .with(Extension::Pipelining)
            .with(Extension::Etrn)
            .with(Extension::Help)
            .with(Extension::XClient)
            .with(Extension::XForward);
        Ok(Accept::with(()).offer(offer))
    }

    fn mail(&self, session: &Session, _: &Sender) -> Verdict {
        let peer = session.peer();
        let identity = session.identity().map(|identity| &identity.name);
        self.note(format!("mail of {peer:?} as {identity:?}"));
        accept()
    }

    fn recipient(&self, _: &Session, _: &Transaction, _: &Recipient) -> Verdict {
        accept()
    }

    fn content(&self, _: &Session, _: Envelope) -> Result<Nowhere, Refusal> {
        Ok(Nowhere)
    }

    fn verify(&self, _: &Session, name: &str) -> Verdict {
        let reply = Reply::new(Code::OK, &format!("2.1.5 <{name}>")).unwrap();
        Ok(Accept::with(()).reply(reply))
    }

    fn help(&self, _: &Session, topic: Option<&str>) -> Verdict {
        self.note(format!("help {topic:?}"));
        accept()
    }

    fn etrn(&self, _: &Session, node: &str) -> Verdict {
        self.note(format!("etrn {node}"));
        let code = Code::new(253).unwrap();
        let reply = Reply::new(code, "3 pending messages started").unwrap();
        Ok(Accept::with(()).reply(reply))
    }

    fn xclient(&self, _: &Session, attributes: &ClientAttributes) -> Verdict {
        match attributes.get(AttributeName::Addr) {
            Some(_) => accept(),
            None => Err(refuse!("550 5.7.1 Nobody")),
        }
    }

    fn xforward(&self, _: &Session, attributes: &ClientAttributes) -> Verdict {
        let names = attributes.iter().map(|attribute| attribute.name().as_str());
        self.note(format!("XFORWARD {}", names.collect::<Vec<_>>().join(" ")));
        accept()
    }

    fn command(&self, _: &Session, verb: &str, argument: Option<&str>) -> Verdict {
        self.note(format!("{verb} {argument:?}"));
        accept()
    }
}

/// Serves one connection while `dialogue` goes on at its other end. Returns what the handler noted.
fn with_gateway(config: Config, dialogue: impl FnOnce(UnixStream)) -> Vec<String> {
    let (near, far) = UnixStream::pair().unwrap();
    let gateway = Arc::new(Gateway::default());
    thread::scope(|scope| {
        scope.spawn(|| serve_connection(far, config, Arc::clone(&gateway)));
        dialogue(near);
    });
    gateway.notes.lock().unwrap().clone()
}

fn other<'a>(verb: &'a str, argument: &'a str) -> Command<'a> {
    Command::Other {
        verb: Word::parse(verb).unwrap(),
        argument: Argument::parse(argument).ok(),
    }
}

/// 1985-5.1-a, 5321-2.2.2-b: commands of both ends' applications, between messages.
#[test]
fn commands_go_between_messages() {
    let notes = with_gateway(server_config().command("XLANE").unwrap(), |stream| {
        let mut client = Client::with_stream(stream, client_config()).unwrap();
        client.submit(envelope(&["a"]), "x\r\n").unwrap();
        let etrn = Command::Etrn(Word::parse("@example.org").unwrap());
        let reply = client.command(&etrn).unwrap();
        assert_eq!(reply.as_bytes(), b"253 3 pending messages started\r\n");
        client.submit(envelope(&["a"]), "y\r\n").unwrap();
        assert!(
            client
                .command(&other("xlane", "a b"))
                .unwrap()
                .is_positive()
        );
        let given = Attributes::parse(ForwardingCommand::XForward, "NAME=x.example").unwrap();
        let reply = client.command(&Command::Forwarding(given)).unwrap();
        assert!(reply.is_positive());
        let name = Argument::parse("jo").unwrap();
        let reply = client.command(&Command::Vrfy(name)).unwrap();
        assert_eq!(reply.as_bytes(), b"250 2.1.5 <jo>\r\n");
        assert_eq!(
            client.command(&Command::Help(None)).unwrap().code(),
            Code::HELP
        );
        let unknown = client.command(&other("XFOO", "")).unwrap();
        assert_eq!(unknown.code(), Code::SYNTAX_ERROR);
        let reserved = client.command(&Command::Data);
        assert!(matches!(
            reserved,
            Err(Error::Misuse(Misuse::ReservedCommand))
        ));
        client.quit().unwrap();
        while let Some(report) = client.next_report().unwrap() {
            assert!(report.is_delivered());
        }
        let ended = client.command(&Command::Noop);
        assert!(matches!(ended, Err(Error::Misuse(Misuse::Quit))));
    });
    assert_eq!(
        notes,
        [
            "mail of None as None",
            "etrn @example.org",
            "mail of None as None",
            "xlane Some(\"a b\")",
            "XFORWARD NAME",
            "help None",
        ]
    );
}

/// A connection that dies before the answer.
#[test]
fn a_command_that_is_not_answered_fails() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let server = thread::spawn(move || {
        for reply in ["220 x\r\n", "250 x\r\n"] {
            far.write_all(reply.as_bytes()).unwrap();
            read_line(&mut far);
        }
    });
    let mut client = Client::with_stream(near, client_config()).unwrap();
    match client.command(&Command::Noop) {
        Err(Error::Session { error, .. }) => assert_eq!(error.fault(), Fault::ConnectionLost),
        other => panic!("{other:?}"),
    }
    server.join().unwrap();
}

/// XCLIENT-c, XCLIENT-e: the session becomes the client's, which is offered less.
#[test]
fn a_proxy_speaks_for_its_client() {
    let notes = with_gateway(server_config(), |mut stream| {
        hello(&mut stream);
        assert_eq!(
            ask(&mut stream, "XCLIENT NAME=x\r\n"),
            "550 5.7.1 Nobody\r\n"
        );
        assert_eq!(
            ask(&mut stream, "XCLIENT ADDR=192.0.2.1 PORT=77 LOGIN=jo\r\n"),
            "220 server.example ESMTP\r\n"
        );
        assert_eq!(
            ask(&mut stream, "EHLO client.example\r\n"),
            "250-server.example\r\n"
        );
        while &read_line(&mut stream)[..4] != "250 " {}
        assert_eq!(&ask(&mut stream, "XCLIENT ADDR=192.0.2.2\r\n")[..3], "502");
        assert_eq!(&ask(&mut stream, "MAIL FROM:<>\r\n")[..3], "250");
    });
    let peer: SocketAddr = "192.0.2.1:77".parse().unwrap();
    let note = format!("mail of {:?} as Some(\"jo\")", Some(peer));
    assert_eq!(notes, [note]);
}

/// What a handler answers that has not been written.
#[test]
fn what_nobody_handles() {
    let offer = Capabilities::new()
        .with(Extension::Etrn)
        .with(Extension::XClient)
        .with(Extension::XForward);
    let config = server_config().offer(offer).command("XLANE").unwrap();
    let (mut near, far) = UnixStream::pair().unwrap();
    let store = Arc::new(support::Store::default());
    thread::scope(|scope| {
        scope.spawn(|| serve_connection(far, config, Arc::clone(&store)));
        hello(&mut near);
        for (command, answer) in [
            ("ETRN x.example", "458 4.3.0 Unable to queue messages"),
            ("XCLIENT NAME=x", "550 5.7.0 Not authorised"),
            ("XFORWARD NAME=x", "250 2.0.0 OK"),
            ("XLANE", "502 5.5.1 Command not implemented"),
        ] {
            let got = ask(&mut near, &format!("{command}\r\n"));
            assert_eq!(got, format!("{answer}\r\n"));
        }
        drop(near);
    });
}

/// Postfix's `smtpd_soft_error_limit`: the machine's timer holds replies back, not the handler.
#[test]
fn errors_slow_a_client_down() {
    let delay = Duration::from_millis(50);
    with_gateway(server_config().slow_down(1, delay), |mut stream| {
        hello(&mut stream);
        assert_eq!(&ask(&mut stream, "FOO\r\n")[..3], "500");
        let start = Instant::now();
        assert_eq!(&ask(&mut stream, "FOO\r\nFOO\r\n")[..3], "500");
        assert_eq!(&read_line(&mut stream)[..3], "500");
        assert!(start.elapsed() >= 2 * delay);
    });
}

/// CMD-4: a handler hears what it was.
#[test]
fn other_protocols_are_named() {
    let (mut near, far) = UnixStream::pair().unwrap();
    let store = Arc::new(support::Store::default());
    thread::scope(|scope| {
        scope.spawn(|| serve_connection(far, server_config(), Arc::clone(&store)));
        read_line(&mut near);
        assert_eq!(
            ask(&mut near, "GET / HTTP/1.1\r\n"),
            "521 5.5.1 This is SMTP, closing connection\r\n"
        );
        drop(near);
    });
    let notes = store.notes();
    assert!(
        notes[0].starts_with("closed: the client speaks HTTP in place of SMTP"),
        "{notes:?}"
    );
}

/// 6531-3.7.4-d: a mailbox that may not be sent is left out, and costs no verdict.
#[test]
fn names_are_ascii() {
    with_gateway(server_config(), |mut stream| {
        hello(&mut stream);
        let answer = "252 2.6.8 The answer needs SMTPUTF8\r\n";
        assert_eq!(ask(&mut stream, "VRFY δ\r\n"), answer);
    });
}
