//! What a stream rests on.
//!
//! [`Pipelining::Stream`](crate::client::Pipelining::Stream) sends transactions back to back, content
//! by BDAT, without waiting: a thousand messages in the time of one round trip. Nothing else here
//! relies so much on what the *server* does, so a client streams only after it has seen that the
//! server does it, and stops where that becomes doubtful. Until then, and where the server cannot, it
//! looks ahead instead: one message a round trip, and at most one in doubt.
//!
//! ```
//! use smtp_proto::client::{Config, Pipelining};
//! use smtp_proto::syntax::Host;
//!
//! let config = Config::new(Host::parse("client.example")?)
//!     .pipelining(Pipelining::Stream { window: 100 });
//! # Ok::<(), smtp_proto::syntax::SyntaxError>(())
//! ```
//!
//! # The proof
//!
//! RFC 3030 2 has a server swallow the bytes of a chunk that it refuses. Some read them as commands:
//! go-smtp 0.21 does, where MAIL or all recipients were refused (its public issue 315). The content
//! of a message is a stranger's, and it would command the server: a content of `RSET`, `MAIL`, `RCPT`
//! and `BDAT 36 LAST` leaves a message that nobody sent, and its replies are taken for the verdicts on
//! the next messages, which are lost and count as delivered.
//!
//! So each connection has its proof, which costs no round trip, since it leaves together with the
//! first message, which goes by DATA:
//!
//! ```text
//! > MAIL FROM:<a@example.org>
//! > BDAT 3 LAST
//! > xyz                                         three bytes, and no CR LF
//! > RSET
//! > RSET
//! < 250   503   250   250                       swallowed: the stream may begin
//! < 250   503   500   250                       `xyzRSET` was a line: no stream
//! ```
//!
//! There are four replies either way, and both leave the server in a clean state. Any others, in number
//! or in class, mean no stream. To the server it is one error and one idle command.
//!
//! # The size
//!
//! Other servers swallow a chunk up to their limit of size, and take what is left of it for commands.
//! So a stream goes only to a server whose SIZE has a number above 0, sizes that are known are
//! declared, and bytes are counted: before they pass the number, RSET ends the transaction, and that
//! message is not sent, as [too large](crate::client::NotSentReason::TooLarge).
//!
//! # Suspicion
//!
//! What was right once may be wrong later: a refused MAIL, or a chunk that is refused although its
//! transaction has a recipient, stops the stream. Nothing new leaves, the verdicts from there on are
//! held back, and the proof is made again once all is answered. Only if it comes out right are they
//! told; else those messages are [in doubt](crate::client::Outcome::InDoubt). 500, 501 or 502 to such
//! a chunk ends the connection at once.
//!
//! # The count
//!
//! A reply does not say what it answers: it is matched to its command by count. `Delivered` in a
//! stream means that the server's reply to this message's last chunk was positive *if* it answers
//! each command once, in order. A reply that cannot be the answer to its command is found out, and
//! ends the connection. What cannot be found out, by anybody, is a server that loses one reply and
//! makes up another in its place, both of the right class; or a content that is taken for commands
//! after the proof and forges as many replies as it swallows.
//!
//! # The price
//!
//! When the connection dies, up to `window` messages are in doubt ([`outcomes`](super::outcomes)); look-ahead
//! has one. And a stream departs from RFC 3030 2 in one word: BDAT leaves before the replies to MAIL
//! and RCPT have come, not "after all MAIL and RCPT responses are collected". So a message whose
//! recipients are all refused has its content sent in vain, and costs the server an error more:
//! Postfix ends a session after 20. For lists with many dead addresses, look ahead.
//!
//! Whether a server bears a stream, the program `probe` tells, without sending a message.
