//! Dialogues of the RFCs, both roles, in pieces of every size.

use std::time::Duration;

use smtp_proto::{
    client::{self, Body, BodyRequest, Client, Config, Envelope, Pipelining},
    server::{self, Event, Server},
    syntax::{Capabilities, Extension, ForwardPath, Host, Reply, ReversePath},
    testing::End,
};

/// A dialogue: who says what, flight by flight, the server first.
struct Transcript {
    source: &'static str,
    policy: Pipelining,
    name: &'static str,
    from: &'static str,
    to: &'static [&'static str],
    content: &'static str,
    server: &'static [&'static str],
    client: &'static [&'static str],
}

const TRANSCRIPTS: [Transcript; 3] = [
    Transcript {
        source: "RFC 5321 D.1",
        policy: Pipelining::LookAhead,
        name: "bar.com",
        from: "Smith@bar.com",
        to: &["Jones@foo.com", "Green@foo.com", "Brown@foo.com"],
        content: "Blah blah blah...\r\n...etc. etc. etc.\r\n",
        server: &[
            "220 foo.com Simple Mail Transfer Service Ready\r\n",
            "250-foo.com greets bar.com\r\n250-8BITMIME\r\n250-SIZE\r\n250-DSN\r\n250 HELP\r\n",
            "250 OK\r\n",
            "250 OK\r\n",
            "550 No such user here\r\n",
            "250 OK\r\n",
            "354 Start mail input; end with <CRLF>.<CRLF>\r\n",
            "250 OK\r\n",
            "221 foo.com Service closing transmission channel\r\n",
        ],
        client: &[
            "EHLO bar.com\r\n",
            "MAIL FROM:<Smith@bar.com>\r\n",
            "RCPT TO:<Jones@foo.com>\r\n",
            "RCPT TO:<Green@foo.com>\r\n",
            "RCPT TO:<Brown@foo.com>\r\n",
            "DATA\r\n",
            "Blah blah blah...\r\n....etc. etc. etc.\r\n.\r\n",
            "QUIT\r\n",
        ],
    },
    Transcript {
        source: "RFC 2920 4, first",
        policy: Pipelining::LookAhead,
        name: "dbc.mtview.ca.us",
        from: "mrose@dbc.mtview.ca.us",
        to: &["ned@innosoft.com", "dan@innosoft.com", "kvc@innosoft.com"],
        content: "...\r\n",
        server: &[
            "220 innosoft.com SMTP service ready\r\n",
            "250-innosoft.com\r\n250 PIPELINING\r\n",
            "250 sender <mrose@dbc.mtview.ca.us> OK\r\n250 recipient <ned@innosoft.com> OK\r\n\
             250 recipient <dan@innosoft.com> OK\r\n250 recipient <kvc@innosoft.com> OK\r\n\
             354 enter mail, end with line containing only \".\"\r\n",
            "250 message sent\r\n221 goodbye\r\n",
        ],
        client: &[
            "EHLO dbc.mtview.ca.us\r\n",
            "MAIL FROM:<mrose@dbc.mtview.ca.us>\r\nRCPT TO:<ned@innosoft.com>\r\n\
             RCPT TO:<dan@innosoft.com>\r\nRCPT TO:<kvc@innosoft.com>\r\nDATA\r\n",
            "....\r\n.\r\nQUIT\r\n",
        ],
    },
    Transcript {
        source: "after RFC 3030 4.2, with the proof that a stream begins with",
        policy: Pipelining::Stream { window: 9 },
        name: "ymir.claremont.edu",
        from: "ned@ymir.claremont.edu",
        to: &["mrose@dbc.mtview.ca.us"],
        content: ".\r\n.dot, no stuffing\r\n",
        server: &[
            "220 cnri.reston.va.us SMTP service ready\r\n",
            "250-cnri.reston.va.us says hello\r\n250-PIPELINING\r\n250-BINARYMIME\r\n250-SIZE 100000\r\n\
             250 CHUNKING\r\n",
            "250 <>... Sender OK\r\n503 no recipient\r\n250 reset\r\n250 reset\r\n\
             250 <ned@ymir.claremont.edu>... Sender OK\r\n\
             250 <mrose@dbc.mtview.ca.us>... Recipient OK\r\n354 go\r\n",
            "250 24 bytes received\r\n221 Goodbye\r\n",
        ],
        client: &[
            "EHLO ymir.claremont.edu\r\n",
            "MAIL FROM:<>\r\nBDAT 3 LAST\r\nxyzRSET\r\nRSET\r\n\
             MAIL FROM:<ned@ymir.claremont.edu>\r\nRCPT TO:<mrose@dbc.mtview.ca.us>\r\nDATA\r\n",
            "..\r\n..dot, no stuffing\r\n.\r\nQUIT\r\n",
        ],
    },
];

const NOW: Duration = Duration::ZERO;
const PIECES: [usize; 6] = [1, 2, 3, 5, 17, usize::MAX];

/// The client sends what the transcript says, whatever the pieces in which the server's lines come.
#[test]
fn the_client_keeps_to_the_transcripts() {
    for transcript in &TRANSCRIPTS {
        for piece in PIECES {
            let name = Host::parse(transcript.name).unwrap();
            let mut client = Client::new(Config::new(name).pipelining(transcript.policy), NOW);
            let sender = ReversePath::parse(transcript.from).unwrap();
            let envelope = transcript
                .to
                .iter()
                .fold(Envelope::new(sender).unwrap(), |envelope, to| {
                    envelope.recipient(ForwardPath::parse(to).unwrap())
                });
            client.submit(&envelope).unwrap();
            client.quit();
            let mut client = End::new(client).in_pieces(piece);
            let content = |wanted: BodyRequest| {
                Some(Body::Last(
                    &transcript.content.as_bytes()[wanted.offset as usize..],
                ))
            };
            let mut flights = transcript.client.iter();
            let mut outcomes = Vec::new();
            for says in transcript.server {
                client.feed(says.as_bytes());
                let heard = client.hear(NOW, |_, event| {
                    if let client::Event::Finished { outcome, .. } = event {
                        outcomes.push(outcome.into_owned());
                    }
                });
                heard.unwrap();
                let mut wire = Vec::new();
                client.speak(NOW, content, &mut wire);
                let expected = flights.next().copied().unwrap_or_default();
                assert_eq!(
                    String::from_utf8(wire).unwrap(),
                    expected,
                    "{}",
                    transcript.source
                );
            }
            assert!(matches!(outcomes[..], [client::Outcome::Delivered(_)]));
            assert!(client.is_closed(), "{}", transcript.source);
        }
    }
}

/// The server answers with the transcript's codes, whatever the pieces in which the client's lines
/// come, and gets its content.
#[test]
fn the_server_keeps_to_the_transcripts() {
    for transcript in &TRANSCRIPTS {
        let mut whole: Option<Vec<u8>> = None;
        for piece in PIECES {
            let offer = Capabilities::new()
                .with(Extension::Pipelining)
                .with(Extension::Chunking);
            let config = server::Config::new(Host::parse("foo.com").unwrap()).offer(offer);
            let mut server = End::new(Server::new(config, NOW)).in_pieces(piece);
            let mut replies = Vec::new();
            let mut content = Vec::new();
            for flight in [""].iter().chain(transcript.client) {
                server.feed(flight.as_bytes());
                let heard = server.hear(NOW, |server, event| match event {
                    Event::Rcpt { ticket, to, .. } if to.to_string() == "<Green@foo.com>" => {
                        let refusal = Reply::parse(b"550 No such user here\r\n").unwrap();
                        server.reply(ticket, refusal).unwrap();
                    }
                    Event::Content { bytes, .. } => content.extend_from_slice(bytes),
                    event => {
                        if let Some(ticket) = event.into_ticket() {
                            server.accept(ticket).unwrap();
                        }
                    }
                });
                heard.unwrap();
                server.speak(NOW, &mut replies);
            }
            assert_eq!(
                content,
                transcript.content.as_bytes(),
                "{}",
                transcript.source
            );
            let codes = |text: &str| {
                let lines = text
                    .lines()
                    .filter(|line| line.as_bytes().get(3) == Some(&b' '));
                lines.map(|line| line[..3].to_owned()).collect::<Vec<_>>()
            };
            let expected = codes(&transcript.server.concat());
            assert_eq!(
                codes(std::str::from_utf8(&replies).unwrap()),
                expected,
                "{}",
                transcript.source
            );
            assert_eq!(
                *whole.get_or_insert_with(|| replies.clone()),
                replies,
                "pieces of {piece}"
            );
        }
    }
}
