//! The server over loopback and local sockets.

#![cfg(unix)]

mod support;

use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    sync::Arc,
    thread,
    time::Duration,
};

use smtp_proto::{
    client::{Outcome, Pipelining},
    machine::Answer,
};
use smtp_proto_blocking::{Client, Server, server::serve_connection};
use support::{
    EndsServer, Store, ask, client_config, envelope, hello, read_line, server_config, with_server,
};

#[test]
fn content_that_a_sink_refuses_is_swallowed_and_the_next_message_taken() {
    for pipelining in [Pipelining::LookAhead, Pipelining::Stream { window: 10 }] {
        let store = with_server(server_config(), |address| {
            let config = client_config().pipelining(pipelining);
            let mut client = Client::builder(config).server(address).connect().unwrap();
            let rest = "x\r\n".repeat(20_000);
            let messages = [
                (envelope(&["a"]), format!("poison\r\n{rest}")),
                (envelope(&["a"]), "good\r\n".to_owned()),
                (envelope(&["no"]), "nobody's\r\n".to_owned()),
            ];
            let outcomes: Vec<_> = client
                .send_all(messages)
                .map(|report| match report.unwrap().outcome {
                    Outcome::Delivered(reply) | Outcome::Refused(Answer { reply, .. }) => {
                        reply.code().value()
                    }
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(outcomes[..2], [554, 250], "{outcomes:?}");
        });
        assert_eq!(store.messages.into_inner().unwrap().len(), 1);
    }
}

#[test]
fn a_panic_costs_its_own_connection_only() {
    let store = with_server(server_config(), |address| {
        let mut steady = Client::builder(client_config())
            .server(address)
            .connect()
            .unwrap();
        steady.ready().unwrap();
        let mut client = Client::builder(client_config())
            .server(address)
            .connect()
            .unwrap();
        let report = client.send(envelope(&["panic"]), "x\r\n").unwrap();
        assert!(matches!(report.outcome, Outcome::NotSent(_)), "{report:?}");
        assert!(client.next_report().is_err());
        let report = steady.send(envelope(&["a"]), "x\r\n").unwrap();
        assert!(report.is_delivered());
    });
    assert_eq!(store.messages.into_inner().unwrap().len(), 1);
}

/// 5321-3.8-b: 421 and nothing else, once the transaction is over.
#[test]
fn shutting_down_lets_transactions_end_and_tells_the_others() {
    let store = Store::default();
    let server = Server::bind("127.0.0.1:0", server_config()).unwrap();
    let address = server.local_addr().unwrap();
    let handle = server.shutdown_handle().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| server.serve(&&store));
        let _ends = EndsServer(handle.clone());
        let mut idle = TcpStream::connect(address).unwrap();
        hello(&mut idle);
        let mut busy = TcpStream::connect(address).unwrap();
        hello(&mut busy);
        assert_eq!(&ask(&mut busy, "MAIL FROM:<>\r\n")[..3], "250");
        handle.shut_down();
        assert_eq!(&read_line(&mut idle)[..9], "421 4.3.2");
        assert_eq!(idle.read(&mut [0]).unwrap(), 0);
        assert_eq!(
            &ask(&mut busy, "RCPT TO:<a@server.example>\r\n")[..3],
            "250"
        );
        assert_eq!(&ask(&mut busy, "DATA\r\n")[..3], "354");
        assert_eq!(&ask(&mut busy, "x\r\n.\r\n")[..3], "250");
        assert_eq!(&read_line(&mut busy)[..9], "421 4.3.2");
        assert_eq!(busy.read(&mut [0]).unwrap(), 0);
    });
    assert_eq!(store.messages.into_inner().unwrap()[0].content, b"x\r\n");
    assert!(
        TcpStream::connect(address).is_ok(),
        "the listener is still the caller's"
    );
}

#[test]
fn connections_beyond_the_limit_wait() {
    let store = Store::default();
    let server = Server::bind("127.0.0.1:0", server_config())
        .unwrap()
        .max_connections(1);
    let address = server.local_addr().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| server.serve(&&store));
        let _ends = EndsServer(server.shutdown_handle().unwrap());
        let mut first = TcpStream::connect(address).unwrap();
        hello(&mut first);
        let mut second = TcpStream::connect(address).unwrap();
        let wait = Duration::from_millis(50);
        second.set_read_timeout(Some(wait)).unwrap();
        assert!(second.read(&mut [0]).is_err());
        second.set_read_timeout(None).unwrap();
        assert_eq!(&ask(&mut first, "QUIT\r\n")[..3], "221");
        drop(first);
        hello(&mut second);
    });
}

#[test]
fn a_last_reply_arrives_though_the_client_sent_more_than_was_read() {
    let (stream, mut client) = UnixStream::pair().unwrap();
    let store = Arc::new(Store::default());
    let kept = Arc::clone(&store);
    client
        .write_all(b"EHLO client.example\r\nNOOP\r\n")
        .unwrap(); // and does not wait
    client.write_all(&[b'x'; 10_000]).unwrap();
    let server = thread::spawn(move || serve_connection(stream, None, server_config(), &&*kept));
    let mut replies = String::new();
    client.read_to_string(&mut replies).unwrap();
    let last = replies.lines().next_back().unwrap();
    assert_eq!(&last[..4], "554 ", "{replies}");
    assert!(server.join().unwrap().is_err());
}
