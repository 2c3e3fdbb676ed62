//! Testing a program that sends mail, or one that drives the machines.
//!
//! # A server that records
//!
//! [`TestServer`] listens on a port of this machine, in threads of its own. It takes every message, tells
//! what it got, and ends when it is dropped. Whatever sends mail can be pointed at it, in any language and
//! by any library. Needs the feature `testing`, of this crate or of an adapter.
//!
//! ```
//! use smtp_proto::testing::TestServer;
//! # use std::{io::{self, Read, Write}, net::TcpStream};
//! # /// The program under test.
//! # fn run(url: &str) -> io::Result<Vec<String>> {
//! #     let mut socket = TcpStream::connect(url.trim_start_matches("smtp://"))?;
//! #     let mut heard = Vec::new();
//! #     for said in ["EHLO c.example\r\n", "MAIL FROM:<alice@example.org>\r\n", "RCPT TO:<bob@example.org>\r\n",
//! #         "DATA\r\n", "Subject: hello\r\n\r\nHello.\r\n.\r\n", "QUIT\r\n", ""] {
//! #         let mut buffer = [0; 4096];
//! #         let length = socket.read(&mut buffer)?;
//! #         heard.push(String::from_utf8_lossy(&buffer[..length]).trim_end().to_owned());
//! #         socket.write_all(said.as_bytes())?;
//! #     }
//! #     Ok(heard)
//! # }
//! let server = TestServer::start()?;
//! run(&server.url())?;
//! let message = &server.messages()[0];
//! assert_eq!(message.sender, "alice@example.org");
//! assert_eq!(message.recipients, ["bob@example.org"]);
//! assert_eq!(message.text(), "Subject: hello\r\n\r\nHello.\r\n");
//! # server.wait(std::time::Duration::from_secs(9));
//! // All that was said, line by line, to be asserted or to be read when a test fails.
//! assert!(server.dialogues()[0].contains("C: RCPT TO:<bob@example.org>\nS: 250 2.1.5 Recipient OK\n"));
//! # Ok::<(), io::Error>(())
//! ```
//!
//! It is made of the [`server`](crate::server) that a program would use in earnest, so it is strict: who
//! sends on without waiting where it must wait is turned away. What it offers, its limits, LMTP and whether
//! clients have to authenticate themselves are its [configuration](crate::server::Config):
//!
//! ```
//! use smtp_proto::server::Config;
//! use smtp_proto::syntax::{Capabilities, Extension, Host};
//! use smtp_proto::testing::TestServer;
//!
//! // No PIPELINING, and two recipients at once.
//! let offer = Capabilities::new().with(Extension::Size).with_keyword("LIMITS", "RCPTMAX=2")?;
//! let server = TestServer::with(Config::new(Host::parse("mx.example.net")?).offer(offer))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! TLS is whatever does the handshake over a socket: [`TestServer::with_tls`] takes a function that does.
//! With rustls that is `TlsAcceptor::accept` of `smtp-engine-rustls`, whose documentation has a whole
//! program: the crate `rcgen` makes a certificate, which the program under test is told to trust.
//!
//! # What goes wrong
//!
//! A [`Reaction`] takes the place of one reply: at a [step](crate::machine::Step), if need be only for one
//! address, or only so many times.
//!
//! | what a server does | the reaction, or the call |
//! |---|---|
//! | refuses a client, a sender, a recipient, a message | `Reaction::to(step).reply("550 5.1.1 Unknown")` |
//! | puts off, once | `Reaction::to(Step::Recipient).times(1).reply("451 4.7.1 Later")` |
//! | cannot take AUTH, or EHLO | `Reaction::to(Step::Auth).reply("535 5.7.8 No")` |
//! | talks nonsense, or says two things | `.reply("25")`, `.reply("250 one\r\n250 two")` |
//! | answers late, or never | `.late(delay)`, `.no_reply()` |
//! | is gone before it takes a message | `Reaction::to(Step::Content).cut()` |
//! | is gone after it took one | `Reaction::to(Step::Content).take_and_cut()` |
//! | is gone at any byte | [`TestServer::cut_after`] |
//! | says something that nobody asked for | [`TestServer::say`] |
//!
//! So this is how to see that a program sends again what a server has lost, and not what it may have:
//!
//! ```
//! use std::time::Duration;
//! use smtp_proto::testing::{Reaction, Step, TestServer};
//!
//! let server = TestServer::start()?;
//! server.react(Reaction::to(Step::Greeting).times(1).late(Duration::from_millis(10)).reply("421 4.3.2 Busy"));
//! server.react(Reaction::to(Step::Content).times(1).cut());
//! server.react(Reaction::to(Step::Content).times(1).take_and_cut());
//! server.react(Reaction::to(Step::Quit).no_reply());
//! // ... the program runs, and connects four times ...
//! assert!(server.messages().len() < 2, "nobody gets it twice");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Machines without a network
//!
//! Whoever drives the machines can test without sockets, threads or time: an [`End`] is a machine whose
//! transport is memory, and a [`Pair`] is a client and a server between which bytes pass in pieces of any
//! size, up to the byte at which the connection fails. What is above them, [`Sides`], is the test's:
//!
//! ```
//! use smtp_proto::client::{self, Body, BodyRequest, Client, Envelope, Event, Outcome};
//! use smtp_proto::machine::Fault;
//! use smtp_proto::server::{self, Server};
//! use smtp_proto::syntax::Host;
//! use smtp_proto::testing::{Failure, Pair, Sides};
//!
//! /// One message, and what became of it.
//! #[derive(Default)]
//! struct One(Option<Outcome<'static>>);
//!
//! impl Sides for One {
//!     fn body(&mut self, request: BodyRequest) -> Option<Body<'_>> {
//!         Some(Body::Last(&b"Subject: hello\r\n\r\nHello.\r\n"[request.offset as usize..]))
//!     }
//!
//!     fn told(&mut self, _: &mut Client, event: Event<'_>) {
//!         if let Event::Finished { outcome, .. } = event {
//!             self.0 = Some(outcome.into_owned());
//!         }
//!     }
//! }
//!
//! // Cut at every byte: the message is delivered, in doubt or not sent, and never lost in silence.
//! let mut outcomes = [0; 3];
//! for byte in 0..1000 {
//!     let name = Host::parse("test.example")?;
//!     let mut client = Client::new(client::Config::new(name.clone()), Default::default());
//!     client.submit(&Envelope::new("a@example.org")?.to("b@example.net")?)?;
//!     client.quit();
//!     let server = Server::new(server::Config::new(name), Default::default());
//!     let mut pair = Pair::new(client, server).in_pieces(7).failing(Failure::Cut, byte);
//!     let mut one = One::default();
//!     pair.run(&mut one);
//!     let lost = pair.client_error().is_some_and(|error| error.fault() == Fault::ConnectionLost);
//!     match one.0.expect("an outcome, whatever happens") {
//!         Outcome::Delivered(_) => outcomes[0] += 1,
//!         Outcome::InDoubt => outcomes[1] += usize::from(lost && pair.server_error().is_some()),
//!         Outcome::NotSent(_) => outcomes[2] += usize::from(lost),
//!         refused => panic!("{refused:?}"),
//!     }
//! }
//! assert!(outcomes.iter().all(|count| *count > 0), "{outcomes:?}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`TestServer`]: crate::testing::TestServer
//! [`TestServer::with_tls`]: crate::testing::TestServer::with_tls
//! [`TestServer::cut_after`]: crate::testing::TestServer::cut_after
//! [`TestServer::say`]: crate::testing::TestServer::say
//! [`Reaction`]: crate::testing::Reaction
//! [`End`]: crate::testing::End
//! [`Pair`]: crate::testing::Pair
//! [`Sides`]: crate::testing::Sides
