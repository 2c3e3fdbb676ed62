//! ETRN, XCLIENT, XFORWARD, what only the application knows, and what no server is to be asked.

mod support;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use smtp_proto::{
    client::Pipelining,
    machine::{Fault, Misuse},
    server::Config,
    syntax::{
        Argument, AttributeName, AttributeValue, Attributes, Capabilities, Code, Command,
        Extension, ForwardingCommand, Reply, Word,
    },
};
use smtp_proto_tokio::{
    Client, Error,
    server::{
        self as adapter, Accept, ClientAttributes, Envelope, Handler, Recipient, Refusal, Sender,
        Session, Sink, Transaction, Verdict, accept, refuse,
    },
};
use support::{
    client_config, content, exchange, greet, introduce, one, read_to_end, script, server_config,
};
use tokio::{
    io::{AsyncWriteExt, DuplexStream},
    time::Instant,
};

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
    async fn write(&mut self, _: &[u8]) -> Result<(), Refusal> {
        Ok(())
    }

    async fn finish(self) -> Verdict {
        accept()
    }
}

/// Who the client is.
type Who = (String, (), ());

impl Handler<Who> for Gateway {
    type Sink = Nowhere;

    async fn connected(&self, _: &Session<Who>) -> Verdict<String> {
        Ok("proxy".to_owned().into())
    }

    async fn hello(&self, session: &Session<Who>) -> Verdict {
        if session.state() != "proxy" {
            return accept();
        }
        let offer = Capabilities::new()
            .with(Extension::Pipelining)
            .with(Extension::Etrn)
            .with_keyword("XLANES", "3")
            .and_then(|offer| offer.with_keyword("XCLIENT", "NAME ADDR LOGIN"))
            .and_then(|offer| offer.with_keyword("XFORWARD", "NAME"));
        Ok(Accept::with(()).offer(offer.unwrap()))
    }

    async fn mail(&self, session: &Session<Who>, _: &Sender) -> Verdict {
        let identity = session.identity().map(|identity| &*identity.name);
        self.note(format!("mail of {} as {identity:?}", session.state()));
        accept()
    }

    async fn recipient(&self, _: &Session<Who>, _: &Transaction<Who>, _: &Recipient) -> Verdict {
        accept()
    }

    async fn content(&self, _: &Session<Who>, _: Envelope<Who>) -> Result<Nowhere, Refusal> {
        Ok(Nowhere)
    }

    async fn etrn(&self, _: &Session<Who>, node: &str) -> Verdict {
        self.note(format!("etrn {node}"));
        let reply = Reply::new(Code::new(253).unwrap(), "3 pending messages started");
        Ok(Accept::with(()).reply(reply.unwrap()))
    }

    async fn xclient(&self, _: &Session<Who>, attributes: &ClientAttributes) -> Verdict<String> {
        let name = attributes.get(AttributeName::Name);
        match name.map(|name| name.value()) {
            Some(AttributeValue::Text(name)) => Ok(name.into_owned().into()),
            _ => Err(refuse!("550 5.7.1 Nobody")),
        }
    }

    async fn xforward(&self, _: &Session<Who>, attributes: &ClientAttributes) -> Verdict {
        let names = attributes.iter().map(|attribute| attribute.name().as_str());
        self.note(format!("XFORWARD {}", names.collect::<Vec<_>>().join(" ")));
        accept()
    }

    async fn command(&self, _: &Session<Who>, verb: &str, argument: Option<&str>) -> Verdict {
        self.note(format!("{verb} {argument:?}"));
        match argument {
            Some("utf8") => Ok(Accept::with(()).reply(Reply::new(Code::OK, "δ").unwrap())),
            _ => accept(),
        }
    }
}

fn own_config() -> Config {
    server_config().command("XLANE").unwrap()
}

fn serve(
    gateway: &Arc<Gateway>,
    config: Config,
) -> (DuplexStream, tokio::task::JoinHandle<Result<(), Error>>) {
    let (near, far) = tokio::io::duplex(4096);
    let served = adapter::serve_connection(far, config, Arc::clone(gateway));
    (near, tokio::spawn(served))
}

fn other<'a>(verb: &'a str, argument: &'a str) -> Command<'a> {
    Command::Other {
        verb: Word::parse(verb).unwrap(),
        argument: Argument::parse(argument).ok(),
    }
}

/// 1985-5.1-a, 5321-2.2.2-b: commands of both ends' applications, between messages.
#[tokio::test]
async fn commands_go_between_messages() {
    let gateway = Arc::new(Gateway::default());
    let (stream, server) = serve(&gateway, own_config());
    let mut client = Client::with_stream(stream, client_config(Pipelining::LookAhead)).unwrap();
    client.submit(one(), content(0)).unwrap();
    let etrn = Command::Etrn(Word::parse("@example.org").unwrap());
    let reply = client.command(&etrn).await.unwrap();
    assert_eq!(
        reply.as_bytes(),
        b"253 3 pending messages started\r\n",
        "the gateway offers no enhanced codes"
    );
    client.submit(one(), content(1)).unwrap();
    let reply = client.command(&other("xlane", "a b")).await.unwrap();
    assert!(reply.is_positive());
    let attributes = Attributes::parse(ForwardingCommand::XForward, "NAME=x.example").unwrap();
    let reply = client.command(&Command::Forwarding(attributes)).await;
    assert!(reply.unwrap().is_positive());
    let unknown = client.command(&other("XFOO", "")).await.unwrap();
    assert_eq!(unknown.code(), Code::SYNTAX_ERROR);
    let reserved = client.command(&Command::Data).await;
    assert!(matches!(
        reserved,
        Err(Error::Misuse(Misuse::ReservedCommand))
    ));
    client.quit().await.unwrap();
    while let Some(report) = client.next_report().await.unwrap() {
        assert!(report.is_delivered());
    }
    let ended = client.command(&Command::Noop).await;
    assert!(matches!(ended, Err(Error::Misuse(Misuse::Quit))));
    server.await.unwrap().unwrap();
    assert_eq!(
        *gateway.notes.lock().unwrap(),
        [
            "mail of proxy as None",
            "etrn @example.org",
            "mail of proxy as None",
            "xlane Some(\"a b\")",
            "XFORWARD NAME",
        ]
    );
}

/// A connection that dies before the answer.
#[tokio::test]
async fn a_command_that_is_not_answered_fails() {
    let (near, far) = tokio::io::duplex(4096);
    let server = script(
        far,
        &[("", "220 x\r\n"), ("EHLO", "250 x\r\n"), ("NOOP", "")],
    );
    let mut client = Client::with_stream(near, client_config(Pipelining::LookAhead)).unwrap();
    match client.command(&Command::Noop).await {
        Err(Error::Session { error, .. }) => assert_eq!(error.fault(), Fault::ConnectionLost),
        other => panic!("{other:?}"),
    }
    server.await.unwrap();
}

/// XCLIENT-c, XCLIENT-e: the session becomes the client's, which is offered less.
#[tokio::test]
async fn a_proxy_speaks_for_its_client() {
    let gateway = Arc::new(Gateway::default());
    let (mut stream, server) = serve(&gateway, server_config());
    greet(&mut stream).await;
    exchange(
        &mut stream,
        "XCLIENT ADDR=192.0.2.1\r\n",
        "550 5.7.1 Nobody\r\n",
    )
    .await;
    exchange(
        &mut stream,
        "XFORWARD NAME=y\r\nMAIL FROM:<>\r\nRSET\r\n",
        "250 2.0.0 OK\r\n250 2.1.0 Sender OK\r\n250 2.0.0 OK\r\n",
    )
    .await;
    exchange(
        &mut stream,
        "XCLIENT NAME=c.example LOGIN=jo\r\n",
        "220 mx.example.net ESMTP\r\n",
    )
    .await;
    introduce(&mut stream, "EHLO").await;
    exchange(
        &mut stream,
        "XCLIENT NAME=x\r\n",
        "502 5.5.1 Command not implemented\r\n",
    )
    .await;
    exchange(&mut stream, "MAIL FROM:<>\r\n", "250 2.1.0 Sender OK\r\n").await;
    drop(stream);
    assert!(server.await.unwrap().is_err());
    assert_eq!(
        *gateway.notes.lock().unwrap(),
        [
            "XFORWARD NAME",
            "mail of proxy as None",
            "mail of c.example as Some(\"jo\")"
        ]
    );
}

/// What a handler answers that has not been written.
#[tokio::test]
async fn what_nobody_handles() {
    let store = Arc::new(support::Store::default());
    let offer = Capabilities::new()
        .with(Extension::Etrn)
        .with(Extension::XClient)
        .with(Extension::XForward);
    let config = server_config().offer(offer).command("XLANE").unwrap();
    let (mut stream, far) = tokio::io::duplex(4096);
    let handler = Arc::new(support::Shared(store));
    tokio::spawn(adapter::serve_connection(far, config, handler));
    greet(&mut stream).await;
    for (command, answer) in [
        ("ETRN x.example", "458 4.3.0 Unable to queue messages"),
        ("XCLIENT NAME=x", "550 5.7.0 Not authorised"),
        ("XFORWARD NAME=x", "250 2.0.0 OK"),
        ("XLANE", "502 5.5.1 Command not implemented"),
    ] {
        exchange(
            &mut stream,
            &format!("{command}\r\n"),
            &format!("{answer}\r\n"),
        )
        .await;
    }
}

/// Postfix's `smtpd_soft_error_limit`: the machine's timer holds replies back, not the handler.
#[tokio::test(start_paused = true)]
async fn errors_slow_a_client_down() {
    let gateway = Arc::new(Gateway::default());
    let (mut stream, _server) = serve(&gateway, server_config());
    greet(&mut stream).await;
    let unknown = "500 5.5.2 Command not recognised\r\n";
    let start = Instant::now();
    for _ in 0..10 {
        exchange(&mut stream, "FOO\r\n", unknown).await;
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    let twice = unknown.repeat(2);
    exchange(&mut stream, "FOO\r\nFOO\r\n", &twice).await;
    assert_eq!(start.elapsed().as_secs(), 2);
}

/// CMD-4: a handler hears what it was.
#[tokio::test]
async fn other_protocols_are_named() {
    let store = Arc::new(support::Store::default());
    let (mut stream, server) = support::serve(&store, 4096);
    exchange(&mut stream, "", "220 mx.example.net ESMTP\r\n").await;
    stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    assert_eq!(
        read_to_end(&mut stream).await,
        "521 5.5.1 This is SMTP, closing connection\r\n"
    );
    assert!(server.await.unwrap().is_err());
    let closed = store.closed.lock().unwrap();
    let [Err(error)] = closed.as_slice() else {
        panic!("{closed:?}");
    };
    assert!(
        error.starts_with("the client speaks HTTP in place of SMTP"),
        "{error}"
    );
}

/// 6531-3.7.4-e: text that may not be sent costs no verdict.
#[tokio::test]
async fn replies_are_ascii() {
    let gateway = Arc::new(Gateway::default());
    let (mut stream, _server) = serve(&gateway, own_config());
    greet(&mut stream).await;
    exchange(&mut stream, "XLANE utf8\r\n", "250 ?\r\n").await;
}
