//! ETRN, XCLIENT, XFORWARD, what only the application knows, and what no server is to be asked.

mod support;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use smtp_proto::{
    client::Pipelining,
    machine::{Fault, Misuse},
    server::Config,
    syntax::{
        Argument, AttributeName, AttributeValue, Attributes, Capabilities, Code, Command,
        Extension, ForwardingCommand, QueueNode, Reply, Word,
    },
};
use smtp_proto_tokio::{
    Client, Error,
    server::{self as adapter, Envelope, Handler, Recipient, Sender, Sink, Verdict},
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
    async fn write(&mut self, _: &[u8]) -> Result<(), Reply<'static>> {
        Ok(())
    }

    async fn finish(self) -> Verdict {
        Verdict::Accept
    }
}

impl Handler for Gateway {
    /// Who the client is.
    type Session = String;
    type Sink = Nowhere;

    async fn connected(&self, _: Option<SocketAddr>) -> Result<String, Reply<'static>> {
        Ok("proxy".into())
    }

    fn offer(&self, session: &String) -> Option<Capabilities> {
        if session != "proxy" {
            return None;
        }
        Capabilities::new()
            .with(Extension::Pipelining)
            .with(Extension::Etrn)
            .with_keyword("XLANES", "3")
            .ok()?
            .with_keyword("XCLIENT", "NAME ADDR LOGIN")
            .ok()?
            .with_keyword("XFORWARD", "NAME")
            .ok()
    }

    async fn mail(&self, session: &String, sender: &Sender) -> Verdict {
        self.note(format!("mail of {session} as {:?}", sender.identity()));
        Verdict::Accept
    }

    async fn recipient(&self, _: &String, _: &Sender, _: &Recipient) -> Verdict {
        Verdict::Accept
    }

    async fn content(&self, _: &String, _: Arc<Envelope>) -> Result<Nowhere, Reply<'static>> {
        Ok(Nowhere)
    }

    async fn etrn(&self, _: &String, node: &QueueNode<'_>) -> Verdict {
        self.note(format!("etrn {node}"));
        Reply::new(Code::new(253).unwrap(), "3 pending messages started").into()
    }

    async fn xclient(
        &self,
        _: &String,
        attributes: Attributes<'_>,
    ) -> Result<String, Reply<'static>> {
        let name = attributes.get(AttributeName::Name);
        match name.as_ref().map(|name| name.value()) {
            Some(AttributeValue::Text(name)) => Ok(name.into_owned()),
            _ => Err(Reply::new(Code::MAILBOX_UNAVAILABLE, "5.7.1 Nobody").unwrap()),
        }
    }

    async fn xforward(&self, _: &String, attributes: Attributes<'_>) -> Verdict {
        self.note(format!("{attributes:?}"));
        Verdict::Accept
    }

    async fn command(&self, _: &String, verb: &str, argument: Option<&str>) -> Verdict {
        self.note(format!("{verb} {argument:?}"));
        match argument {
            Some("utf8") => Reply::new(Code::OK, "δ").into(),
            _ => Verdict::Accept,
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
    let served = adapter::serve_connection(far, None, config, Arc::clone(gateway));
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
    let mut client = Client::with_stream(stream, client_config(Pipelining::LookAhead));
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
    assert!(matches!(ended, Err(Error::Misuse(Misuse::Ending))));
    server.await.unwrap().unwrap();
    assert_eq!(
        *gateway.notes.lock().unwrap(),
        [
            "mail of proxy as None",
            "etrn @example.org",
            "mail of proxy as None",
            "xlane Some(\"a b\")",
            "XFORWARD \"NAME=x.example\"",
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
    let mut client = Client::with_stream(near, client_config(Pipelining::LookAhead));
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
            "XFORWARD \"NAME=y\"",
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
    tokio::spawn(adapter::serve_connection(far, None, config, handler));
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

/// 6531-3.7.4-e: text that may not be sent is the handler's failure.
#[tokio::test]
async fn replies_are_ascii() {
    let gateway = Arc::new(Gateway::default());
    let (mut stream, _server) = serve(&gateway, own_config());
    greet(&mut stream).await;
    exchange(
        &mut stream,
        "XLANE utf8\r\n",
        "451 4.3.0 Local error in processing\r\n",
    )
    .await;
}
