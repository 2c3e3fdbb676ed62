//! The server over loopback and local sockets.

#![cfg(unix)]

mod support;

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    sync::Arc,
    thread,
};

use smtp_proto::{
    client::{Outcome, Pipelining},
    machine::Answer,
};
use smtp_proto_blocking::{Client, server::serve_connection};
use support::{Store, client_config, envelope, server_config, with_server};

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
        assert_eq!(store.messages().len(), 1);
    }
}

#[test]
fn a_last_reply_arrives_though_the_client_sent_more_than_was_read() {
    let (stream, mut client) = UnixStream::pair().unwrap();
    let store = Arc::new(Store::default());
    client
        .write_all(b"EHLO client.example\r\nNOOP\r\n")
        .unwrap(); // and does not wait
    client.write_all(&[b'x'; 10_000]).unwrap();
    let server = thread::spawn(move || serve_connection(stream, server_config(), store));
    let mut replies = String::new();
    client.read_to_string(&mut replies).unwrap();
    let last = replies.lines().next_back().unwrap();
    assert_eq!(&last[..4], "554 ", "{replies}");
    assert!(server.join().unwrap().is_err());
}
