//! One machine in memory.

use std::{task::Poll, time::Duration};

use smtp_proto::{
    client::{self, Body, BodyRequest, Client, Envelope},
    delivery::Courier,
    machine::Fault,
    reception::{Answer, Call, Question, Reception, Session, accept},
    server::{self, Server},
    syntax::Host,
    testing::End,
};

const NOW: Duration = Duration::ZERO;
const PIECES: [usize; 5] = [0, 1, 2, 7, usize::MAX];
const CONTENT: &[u8] = b"Subject: x\r\n\r\n.dot\r\n";

fn client() -> Client {
    let config = client::Config::new(Host::parse("c.example").unwrap());
    Client::new(config, NOW)
}

fn envelope() -> Envelope<'static> {
    let envelope = Envelope::new("a@c.example").unwrap();
    envelope.to("b@test.example").unwrap()
}

/// Whatever the pieces, a client writes the same.
#[test]
fn a_client_is_driven() {
    for piece in PIECES {
        let mut client = End::new(client()).in_pieces(piece);
        client.submit(&envelope()).unwrap();
        client.quit();
        let mut events = 0;
        for (says, writes) in [
            ("220 x\r\n", "EHLO c.example\r\n"),
            (
                "250-x\r\n250 PIPELINING\r\n",
                "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@test.example>\r\nDATA\r\n",
            ),
            (
                "250 ok\r\n250 ok\r\n354 go\r\n",
                "Subject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n",
            ),
            ("250 taken\r\n221 bye\r\n", ""),
        ] {
            client.feed(says.as_bytes());
            client.hear(NOW, |_, _| events += 1).unwrap();
            assert_eq!(client.unread(), b"");
            let body = |wanted: BodyRequest| Some(Body::Last(&CONTENT[wanted.offset as usize..]));
            let mut wire = Vec::new();
            client.speak(NOW, body, &mut wire);
            assert_eq!(String::from_utf8(wire).unwrap(), writes, "{piece}");
        }
        assert!(client.is_closed());
        // Greeting, Ready, RecipientAnswered, Finished, Closed.
        assert_eq!(events, 5);
    }
}

/// What is unfinished stays, and an error ends it.
#[test]
fn what_is_not_consumed_stays() {
    for piece in PIECES {
        let mut client = End::new(client()).in_pieces(piece);
        client.feed(b"220-x\r\n220");
        client.hear(NOW, |_, _| panic!("nothing to tell")).unwrap();
        assert!(client.unread().ends_with(b"220"));
        client.feed(b" x\r\n2500 what\r\n250 more");
        let error = client.hear(NOW, |_, _| {}).unwrap_err();
        assert_eq!(error.fault(), Fault::MalformedReply);
        assert!(client.into_machine().is_closed());
    }
}

#[test]
fn a_server_is_driven() {
    for piece in PIECES {
        let config = server::Config::new(Host::parse("test.example").unwrap());
        let mut server = End::new(Server::new(config, NOW)).in_pieces(piece);
        let (mut content, mut wire) = (Vec::new(), Vec::new());
        for says in [
            "",
            "EHLO c.example\r\n",
            "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@test.example>\r\nBDAT 3 LAST\r\nx\r\nQUIT\r\n",
        ] {
            wire.clear();
            server.feed(says.as_bytes());
            let heard = server.hear(NOW, |server, event| {
                if let server::Event::Content { bytes, .. } = event {
                    content.extend_from_slice(bytes);
                } else if let Some(ticket) = event.into_ticket() {
                    server.accept(ticket).unwrap();
                }
            });
            heard.unwrap();
            server.speak(NOW, &mut wire);
        }
        assert_eq!(content, b"x\r\n");
        assert_eq!(
            String::from_utf8_lossy(&wire),
            "250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n250 2.0.0 Message accepted\r\n\
             221 2.0.0 test.example closing connection\r\n"
        );
    }
}

#[test]
fn a_courier_is_driven() {
    let mut courier = End::new(Courier::new(client())).in_pieces(1);
    let message = courier.submit(envelope(), None, ()).unwrap();
    fn present(_: &mut (), offset: u64) -> Option<Body<'_>> {
        Some(Body::Last(&CONTENT[usize::try_from(offset).unwrap()..]))
    }
    let mut wire = Vec::new();
    for says in [
        "220 x\r\n",
        "250-x\r\n250 PIPELINING\r\n",
        "250 ok\r\n250 ok\r\n354 go\r\n",
        "250 taken\r\n",
    ] {
        courier.feed(says.as_bytes());
        courier.hear(NOW);
        courier.speak(NOW, present, &mut wire);
    }
    assert!(wire.ends_with(b"DATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\n"));
    assert!(
        matches!(courier.report(message), Poll::Ready(Some((report, _))) if report.is_delivered())
    );
}

#[test]
fn a_reception_is_driven() {
    let config = server::Config::new(Host::parse("test.example").unwrap());
    let session = Session::new(1, None, None);
    let mut reception: End<Reception> = End::new(Reception::new(config, session, NOW)).in_pieces(1);
    let mut wire = Vec::new();
    for says in ["", "HELO c.example\r\n"] {
        reception.feed(says.as_bytes());
        let heard = reception.hear(NOW, |reception, call| {
            if let Call::Question(asked, question) = call {
                let answer = match question {
                    Question::Connected => Answer::Session(accept()),
                    _ => Answer::Plain(accept()),
                };
                reception.answer(asked, answer);
            }
        });
        heard.unwrap();
        reception.speak(NOW, &mut wire);
    }
    assert_eq!(wire, b"220 test.example ESMTP\r\n250 test.example\r\n");
}
