//! Your own loop.
//!
//! A machine moves no byte itself. A driver goes round in a loop: what has arrived becomes events,
//! what can be written is written, and then it waits, for bytes or for a time. Over a blocking socket:
//!
//! ```
//! use std::collections::HashMap;
//! use std::io::{self, ErrorKind, Read, Write};
//! use std::net::TcpStream;
//! use std::time::{Duration, Instant};
//!
//! use smtp_proto::client::{Body, Client, Config, Envelope, MessageId};
//! use smtp_proto::delivery::{Report, Reports};
//! use smtp_proto::syntax::Host;
//!
//! /// Drives a client to its end. What it has to tell stands in `told` even where it fails.
//! fn drive(
//!     client: &mut Client,
//!     mut socket: TcpStream,
//!     start: Instant,
//!     contents: &HashMap<MessageId, Vec<u8>>,
//!     reports: &mut Reports,
//!     told: &mut Vec<Report>,
//! ) -> Result<(), Box<dyn std::error::Error>> {
//!     let mut received = Vec::new();
//!     let mut buffer = [0; 16 * 1024];
//!     while !client.is_closed() {
//!         // 1. What has arrived becomes events; what is unfinished stays in the buffer.
//!         let mut input = received.as_slice();
//!         while let Some(event) = client.poll_event(&mut input, start.elapsed())? {
//!             told.extend(reports.observe(event));
//!         }
//!         let left = input.len();
//!         received.drain(..received.len() - left);
//!         // 2. What can be written is written, as long as the server takes it.
//!         let wait = |client: &Client| {
//!             let until = client.poll_timeout();
//!             until.map(|at| at.saturating_sub(start.elapsed()).max(Duration::from_millis(1)))
//!         };
//!         socket.set_write_timeout(wait(client))?;
//!         loop {
//!             let body = client.wants_body().map(|request| {
//!                 let content = &contents[&request.message];
//!                 (request, Body::Last(&content[request.offset as usize..]))
//!             });
//!             let Some(transmit) = client.poll_transmit(body, start.elapsed()) else { break };
//!             match socket.write(transmit.slices()[0]) {
//!                 Ok(written) => _ = transmit.wrote(written, start.elapsed()),
//!                 Err(error) if is_timeout(&error) => {
//!                     transmit.blocked(start.elapsed());
//!                     client.handle_timeout(start.elapsed());
//!                     break;
//!                 }
//!                 Err(error) if error.kind() == ErrorKind::Interrupted => transmit.blocked(start.elapsed()),
//!                 Err(_) => transmit.failed(), // the client reads on: the reason may be waiting
//!             }
//!         }
//!         // 3. Unless there is something to report, wait: for bytes, the end of them, or a timer.
//!         if client.wants_read() {
//!             socket.set_read_timeout(wait(client))?;
//!             match socket.read(&mut buffer) {
//!                 Ok(0) => client.handle_eof(),
//!                 Ok(length) => received.extend_from_slice(&buffer[..length]),
//!                 Err(error) if is_timeout(&error) => client.handle_timeout(start.elapsed()),
//!                 Err(error) if error.kind() == ErrorKind::Interrupted => {}
//!                 Err(_) => client.handle_eof(),
//!             }
//!         }
//!     }
//!     Ok(())
//! }
//!
//! fn is_timeout(error: &io::Error) -> bool {
//!     matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
//! }
//!
//! # fn serve(listener: std::net::TcpListener, script: &'static [(&'static str, &'static str)]) {
//! #     std::thread::spawn(move || {
//! #         let mut socket = listener.accept().unwrap().0;
//! #         let mut heard = String::new();
//! #         for (until, say) in script {
//! #             while !heard.ends_with(until) {
//! #                 let mut buffer = [0; 1024];
//! #                 let length = socket.read(&mut buffer).unwrap();
//! #                 assert_ne!(length, 0, "{heard}");
//! #                 heard.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
//! #             }
//! #             socket.write_all(say.as_bytes()).unwrap();
//! #         }
//! #     });
//! # }
//! # fn run(script: &'static [(&'static str, &'static str)]) -> (Vec<Report>, bool) {
//! # let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
//! # let address = listener.local_addr().unwrap();
//! # serve(listener, script);
//! # let run = || -> Result<_, Box<dyn std::error::Error>> {
//! let start = Instant::now();
//! let mut client = Client::new(Config::new(Host::parse("client.example")?), start.elapsed());
//! let envelope = Envelope::new("a@example.org")?
//!     .to("b@example.net")?
//!     .to("c@example.net")?;
//! let message = client.submit(&envelope)?;
//! client.quit();
//! let contents = HashMap::from([(message, b"Subject: hello\r\n\r\nHello.\r\n".to_vec())]);
//! let (mut reports, mut told) = (Reports::default(), Vec::new());
//! reports.expect(message, 2);
//! let socket = TcpStream::connect(address)?;
//! socket.set_nodelay(true)?;
//! let result = drive(&mut client, socket, start, &contents, &mut reports, &mut told);
//! # Ok((told, result.is_ok()))
//! # };
//! # run().unwrap()
//! # }
//! # use smtp_proto::client::Outcome;
//! # const OPEN: [(&str, &str); 2] = [("", "220 x\r\n"), ("EHLO client.example\r\n", "250-x\r\n250 PIPELINING\r\n")];
//! # const ONE: &[(&str, &str)] = &[OPEN[0], OPEN[1],
//! #     ("DATA\r\n", "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n"), ("\r\n.\r\nQUIT\r\n", "250 taken\r\n221 bye\r\n")];
//! # let (told, is_ok) = run(ONE);
//! # assert!(is_ok && told.len() == 1 && told[0].is_delivered());
//! # // A recipient that is put off has the content asked for again.
//! # const PUT_OFF: &[(&str, &str)] = &[OPEN[0], OPEN[1],
//! #     ("DATA\r\n", "250 ok\r\n250 ok\r\n452 too many\r\n354 go\r\n"),
//! #     ("\r\n.\r\nRSET\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<c@example.net>\r\nDATA\r\n", "250 taken\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n"),
//! #     ("Hello.\r\n.\r\nQUIT\r\n", "250 taken\r\n221 bye\r\n")];
//! # let (told, is_ok) = run(PUT_OFF);
//! # assert!(is_ok && told.len() == 1 && told[0].is_delivered(), "{told:?}");
//! # // A cut leaves what was sent in doubt, and is an error.
//! # const CUT: &[(&str, &str)] = &[OPEN[0], OPEN[1],
//! #     ("DATA\r\n", "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n"), ("\r\n.\r\nQUIT\r\n", "")];
//! # let (told, is_ok) = run(CUT);
//! # assert!(!is_ok && told.len() == 1 && told[0].outcome == Outcome::InDoubt);
//! ```
//!
//! # What such a loop must keep to
//!
//! - **Poll events to `None`, also with an empty input**: some need none. `is_closed` is true only when
//!   all of them, and the error if there is one, have been read: `while !client.is_closed()` misses
//!   nothing.
//! - **A body belongs to its request.** What answers another request than the one in force counts as
//!   nothing, so a body may be fetched at leisure. `offset` says from where on; a message that takes two
//!   transactions is asked for again from 0. One whose content cannot be had is
//!   [`Body::Failed`](crate::client::Body::Failed), with the reason: the message's outcome has it.
//! - **Each `Transmit` ends by one word**: `wrote` (short writes included), `blocked` if the transport
//!   takes nothing now, `failed` if it never will. Dropped without a word it counts as failed. With
//!   completion I/O say `wrote` when the bytes are handed over, keep them until they have left, and
//!   `write_failed` if they have not.
//! - **`poll_timeout` changes with every call**: ask for it after all others. A timer that fires early
//!   does no harm.
//! - **Read before you write on a connection that was idle**: a 421 may have come meanwhile, and it is
//!   no verdict.
//! - **TLS**: whenever `poll_transmit` returns `None`, look for `wants_tls`. Present what is left in the
//!   buffer before the handshake: it came in clear, and is an error. Then say `tls_established`, with
//!   what came of it; unless that says that the peer was verified, no password leaves.
//! - **The clock** is the time since any origin, and never goes back.
//! - Full duplex pays: a driver that also reads while a write is blocked says so in
//!   [`Config::duplex`](crate::client::Config::duplex), and nothing is held back.
//!
//! # The server's side
//!
//! The loop of a [`Server`](crate::server::Server) is the same, with tickets in the place of bodies:
//! whoever gets one owes a verdict, at once or later, from wherever; `accept`, `reply` and `close`
//! take it. Refuse what your program does not know, or a client that asks for it waits until the
//! verdict is overdue. The [module](crate::server) has the loop.
