//! For tests: a mail server that records and misbehaves as it is told, and machines that are driven in
//! memory (feature `testing`).
//!
//! A [`TestServer`] is for programs that send mail, by whatever library:
//!
//! ```
//! # use std::{io::{Read, Write}, net::{SocketAddr, TcpStream}};
//! use smtp_proto::testing::{Reaction, Step, TestServer};
//!
//! # /// Sends a message to Bob and to Eve, one command after the other.
//! # fn send_greetings(address: SocketAddr) -> std::io::Result<()> {
//! #     let mut socket = TcpStream::connect(address)?;
//! #     for line in ["EHLO c.example", "MAIL FROM:<alice@example.org>", "RCPT TO:<bob@example.org>",
//! #         "RCPT TO:<eve@example.org>", "DATA", "Subject: hello\r\n\r\nHello.\r\n.", "QUIT"] {
//! #         let _ = socket.read(&mut [0; 4096])?;
//! #         socket.write_all(format!("{line}\r\n").as_bytes())?;
//! #     }
//! #     socket.read_to_end(&mut Vec::new()).map(drop)
//! # }
//! let server = TestServer::start()?;
//! server.react(Reaction::to(Step::Recipient).address("eve@example.org").reply("550 5.1.1 Unknown"));
//! send_greetings(server.address())?;
//! assert_eq!(server.messages()[0].recipients, ["bob@example.org"]);
//! assert_eq!(server.messages()[0].text(), "Subject: hello\r\n\r\nHello.\r\n");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! An [`End`] and a [`Pair`] are for those who drive the machines themselves: bytes move in memory, in
//! pieces of any size, at a time that the test sets, up to the byte at which the connection breaks.

mod conversation;
mod end;
mod pair;
mod question;
mod reaction;
mod record;
mod server;

pub use end::End;
pub use pair::{Failure, Pair, Sides};
pub use reaction::Reaction;
pub use record::RecordedMessage;
pub use server::TestServer;

pub use crate::machine::Step;
