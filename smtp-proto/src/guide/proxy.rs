//! A proxy: passing mail on while it comes in.
//!
//! A relay stores a message and takes the duty for it. A proxy does neither: it asks the next server
//! while its own client waits, and answers what that server answers. So nobody is told 250 for a
//! message that is refused later, and nothing has to be stored.
//!
//! For that a client takes *open envelopes*: [`begin`](crate::client::Client::begin) sends MAIL,
//! [`add_recipient`](crate::client::Client::add_recipient) each RCPT as it comes, whose answer is an
//! event at once, and [`end`](crate::client::Client::end) lets the content follow. On the other side
//! a [`Server`](crate::server::Server) hands out a ticket for each command, which may be answered
//! whenever the upstream's reply is there. Both sides pipeline as far as their peers do.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::time::Duration;
//!
//! use smtp_proto::client::{self, Body, Client, Envelope, MessageId};
//! use smtp_proto::server::{self, Server, Ticket, TransactionId, replies::local_error};
//! use smtp_proto::{machine, syntax::{Host, Reply}};
//!
//! struct Proxy {
//!     server: Server,
//!     client: Client,
//!     /// The transaction that is coming in, and the message that it goes out as.
//!     current: Option<MessageId>,
//!     passing: BTreeMap<MessageId, Passing>,
//! }
//!
//! /// A message between the two.
//! struct Passing {
//!     transaction: TransactionId,
//!     /// Rights to answer RCPT, by position.
//!     recipients: Vec<Option<Ticket>>,
//!     /// What has come of the content and not gone out.
//!     content: Vec<u8>,
//!     /// The right to answer its end, once that has come.
//!     end: Option<Ticket>,
//! }
//!
//! impl Proxy {
//!     /// Whether more should be read of the client: not while the upstream is slower than it.
//!     fn wants_content(&self) -> bool {
//!         self.passing.values().all(|message| message.content.len() < 64 * 1024)
//!     }
//!
//!     fn from_client(&mut self, event: server::Event<'_>) {
//!         use server::Event::*;
//!         match event {
//!             Mail { ticket, transaction, from, parameters } => {
//!                 let Ok(envelope) = Envelope::new(from);
//!                 let Ok(message) = self.client.begin(&envelope.parameters(parameters)) else {
//!                     return self.answer(ticket, local_error()); // the upstream is gone
//!                 };
//!                 let (recipients, content, end) = (Vec::new(), Vec::new(), None);
//!                 self.passing.insert(message, Passing { transaction, recipients, content, end });
//!                 self.current = Some(message);
//!                 // If the upstream refuses the sender, it is the recipients that are answered so.
//!                 let _ = self.server.accept(ticket);
//!             }
//!             Rcpt { ticket, to, parameters, .. } => {
//!                 let message = self.current;
//!                 let add = |message| self.client.add_recipient(message, to, Some(&parameters)).ok();
//!                 let is_added = message.and_then(add).is_some();
//!                 match message.and_then(|message| self.passing.get_mut(&message)) {
//!                     Some(passing) if is_added => passing.recipients.push(Some(ticket)),
//!                     _ => self.answer(ticket, local_error()),
//!                 }
//!             }
//!             // It comes when the recipients have been answered, and only if one was accepted.
//!             Data { ticket, .. } => match self.current.map(|message| self.client.end(message)) {
//!                 Some(Ok(())) => _ = self.server.accept(ticket),
//!                 _ => self.answer(ticket, local_error()),
//!             },
//!             Content { bytes, .. } => {
//!                 if let Some(passing) = self.current.and_then(|it| self.passing.get_mut(&it)) {
//!                     passing.content.extend_from_slice(bytes);
//!                 }
//!             }
//!             Message { ticket, .. } => {
//!                 match self.current.take().and_then(|it| self.passing.get_mut(&it)) {
//!                     Some(passing) => passing.end = Some(ticket),
//!                     None => self.answer(ticket, local_error()),
//!                 }
//!             }
//!             // The client has reset it, or vanished: nothing may be left upstream.
//!             Reset { .. } => {
//!                 if let Some(message) = self.current.take() {
//!                     self.passing.remove(&message);
//!                     let _ = self.client.cancel(message);
//!                 }
//!             }
//!             Connected { ticket } | Hello { ticket, .. } => _ = self.server.accept(ticket),
//!             event => self.server.decline(event),
//!         }
//!     }
//!
//!     fn from_upstream(&mut self, event: client::Event<'_>) {
//!         match event {
//!             client::Event::RecipientAnswered { message, recipient, reply } => {
//!                 let passing = self.passing.get_mut(&message);
//!                 if let Some(ticket) = passing.and_then(|it| it.recipients[recipient].take()) {
//!                     self.answer(ticket, reply);
//!                 }
//!             }
//!             client::Event::Finished { message, outcome } => {
//!                 let Some(passing) = self.passing.remove(&message) else { return };
//!                 let reply = outcome.into_owned().relayed();
//!                 for ticket in passing.recipients.into_iter().flatten() {
//!                     self.answer(ticket, reply.clone());
//!                 }
//!                 match passing.end {
//!                     Some(ticket) => self.answer(ticket, reply),
//!                     None => _ = self.server.refuse_content(passing.transaction, reply),
//!                 }
//!             }
//!             _ => {}
//!         }
//!     }
//!
//!     /// Passes a reply on; one that cannot answer this command becomes 451.
//!     fn answer(&mut self, ticket: Ticket, reply: Reply<'_>) {
//!         if let Err(refused) = self.server.reply(ticket, reply.in_ascii()) {
//!             let _ = self.server.reply(refused.ticket, local_error());
//!         }
//!     }
//!
//!     /// Takes what has arrived from both, leaves what has to wait, and returns what is to be written
//!     /// to both.
//!     fn turn(
//!         &mut self,
//!         from_client: &mut Vec<u8>,
//!         from_upstream: &mut Vec<u8>,
//!         now: Duration,
//!     ) -> Result<(Vec<u8>, Vec<u8>), machine::Error> {
//!         let mut input = &from_upstream[..];
//!         while let Some(event) = self.client.poll_event(&mut input, now)? {
//!             self.from_upstream(event);
//!         }
//!         from_upstream.drain(..from_upstream.len() - input.len());
//!         let mut input = &from_client[..];
//!         while let Some(event) = self.server.poll_event(&mut input, now)? {
//!             self.from_client(event);
//!         }
//!         from_client.drain(..from_client.len() - input.len());
//!         let (mut to_client, mut to_upstream) = (Vec::new(), Vec::new());
//!         loop {
//!             let request = self.client.wants_body();
//!             let passing = request.and_then(|it| self.passing.get(&it.message));
//!             let content = passing.map_or(Vec::new(), |passing| passing.content.clone());
//!             let body = match passing.map(|passing| passing.end.is_some()) {
//!                 Some(true) => Body::Last(&content),
//!                 Some(false) => Body::Chunk(&content),
//!                 None => Body::Failed(None),
//!             };
//!             let body = request.map(|request| (request, body));
//!             let Some(transmit) = self.client.poll_transmit(body, now) else { break };
//!             to_upstream.extend(transmit.slices().concat());
//!             let all = transmit.len();
//!             let sent = transmit.wrote(all, now);
//!             if let Some(passing) = request.and_then(|it| self.passing.get_mut(&it.message)) {
//!                 passing.content.drain(..sent);
//!             }
//!         }
//!         while let Some(transmit) = self.server.poll_transmit(now) {
//!             to_client.extend(transmit.slices().concat());
//!             let all = transmit.len();
//!             transmit.wrote(all, now);
//!         }
//!         Ok((to_client, to_upstream))
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let name = Host::parse("proxy.example")?;
//! let now = Duration::ZERO;
//! let mut proxy = Proxy {
//!     server: Server::new(server::Config::new(name.clone()), now),
//!     client: Client::new(client::Config::new(name), now),
//!     current: None,
//!     passing: BTreeMap::new(),
//! };
//! // What each of the two has sent goes in, and what each is to get comes out.
//! let (mut from_client, mut from_upstream) = (Vec::new(), Vec::new());
//! let mut turn = |client: &str, upstream: &str| -> Result<(String, String), Box<dyn std::error::Error>> {
//!     from_client.extend_from_slice(client.as_bytes());
//!     from_upstream.extend_from_slice(upstream.as_bytes());
//!     let (a, b) = proxy.turn(&mut from_client, &mut from_upstream, now)?;
//!     Ok((String::from_utf8(a)?, String::from_utf8(b)?))
//! };
//! turn("", "220 up\r\n")?;
//! turn("", "250-up\r\n250 PIPELINING\r\n")?;
//! turn("EHLO c.example\r\n", "")?;
//! // The client sends a group; the upstream gets it, and its replies are the client's.
//! let group = "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@up.example>\r\nRCPT TO:<x@up.example>\r\nDATA\r\n";
//! let (_, to_upstream) = turn(group, "")?;
//! assert_eq!(to_upstream, group.replace("DATA\r\n", ""));
//! let (to_client, to_upstream) = turn("", "250 ok\r\n250 2.1.5 ok\r\n550 5.1.1 Who?\r\n")?;
//! assert_eq!(to_client, "250 2.1.5 ok\r\n550 5.1.1 Who?\r\n354 End content with <CRLF>.<CRLF>\r\n");
//! assert_eq!(to_upstream, "DATA\r\n");
//! let (_, to_upstream) = turn("Subject: x\r\n\r\nHello.\r\n.\r\n", "354 go\r\n")?;
//! assert_eq!(to_upstream, "Subject: x\r\n\r\nHello.\r\n.\r\n");
//! let (to_client, _) = turn("", "250 2.0.0 Ok: queued as 17\r\n")?;
//! assert_eq!(to_client, "250 2.0.0 Ok: queued as 17\r\n");
//! # // A sender that the upstream refuses is told so at its recipients.
//! # turn("MAIL FROM:<a@c.example>\r\nRCPT TO:<b@up.example>\r\n", "")?;
//! # assert_eq!(turn("", "550 5.7.1 F\u{fc}r Sie nicht\r\n503 no\r\n")?.0, "550 5.7.1 F?r Sie nicht\r\n");
//! # Ok(())
//! # }
//! ```
//!
//! Over sockets the adapters' clients have the same, `begin`, `add_recipient` and `end`, which a server's
//! handler can wait for: their example `proxy` (`examples/proxy.rs`) is such a program. A driver of your own
//! has it from [`Courier::begin`](crate::delivery::Courier::begin).
//!
//! In a loop of your own, each side is a driver of its own, as in [`own_loop`](super::own_loop), and one
//! turn follows whenever either has news. To see to as well:
//!
//! - **Outcomes.** [`Outcome::relayed`](crate::client::Outcome::relayed) turns what became of a message
//!   into the answer to its sender: never a success, nor a refusal for good, where there is doubt.
//! - **Slow upstreams.** `wants_content` keeps what is held small, so that gigabytes pass through the
//!   memory of a few buffers. Read nothing more of the client while it is false: TCP does the rest.
//! - **Offers.** Offer what the upstream offers, less what the proxy does not pass on: hold the answer to
//!   EHLO back until [`Event::Ready`](crate::client::Event::Ready), and give
//!   [`Server::offer`](crate::server::Server::offer) its [`capabilities`](crate::client::Client::capabilities).
//! - **Time.** The upstream may take ten minutes for a message (RFC 5321 4.5.3.2.6); the server's
//!   [`message_verdict_timeout`](crate::server::Config::message_verdict_timeout) must be no shorter, or
//!   the client sends again what was delivered.
//! - **Smuggling.** What goes out is as strict as what came in: no content leaves with a bare CR or LF,
//!   whatever the client sent ([`security`](super::security)).
//! - **Identity.** The upstream sees the proxy's address. If it trusts the proxy, XCLIENT tells it whom a
//!   session is for ([`Config::xclient`](crate::client::Config::xclient)): its policies then are about that
//!   client, so one session serves one client. XFORWARD tells whom a message is from, for the log alone
//!   ([`Envelope::xforward`](crate::client::Envelope::xforward)): the messages of many clients go through
//!   one session. The other side has [`Event::XClient`](crate::server::Event::XClient) and
//!   [`Event::XForward`](crate::server::Event::XForward).
//!
//! ```
//! use std::net::SocketAddr;
//! use smtp_proto::client::{Config, Demand, Envelope};
//! use smtp_proto::syntax::{Attribute, AttributeName, SyntaxError};
//!
//! /// What is said of a client.
//! fn about(peer: SocketAddr, helo: &str) -> Result<[Attribute<'static>; 3], SyntaxError> {
//!     Ok([
//!         Attribute::address(AttributeName::Addr, peer.ip())?,
//!         Attribute::new(AttributeName::Port, &peer.port().to_string())?,
//!         Attribute::new(AttributeName::Helo, helo)?,
//!     ])
//! }
//!
//! // A session for that client, or none at all;
//! fn session(config: Config, peer: SocketAddr, helo: &str) -> Result<Config, SyntaxError> {
//!     Ok(config.xclient(Demand::Required, about(peer, helo)?))
//! }
//!
//! // or a message of that client's.
//! fn message<'a>(
//!     envelope: Envelope<'a>,
//!     peer: SocketAddr,
//!     helo: &str,
//! ) -> Result<Envelope<'a>, SyntaxError> {
//!     Ok(envelope.xforward(about(peer, helo)?))
//! }
//! ```
