//! Security: what is safe as it comes, and what is left to you.
//!
//! The threat model, and how to report a fault, stand in SECURITY.md at the top of the repository.
//! In short: whatever the peer sends, a machine neither panics nor grows without bound, spends time
//! only in proportion to what was sent, and never takes one message, command or reply for another
//! without saying so. There is no `unsafe`.
//!
//! # Safe as it comes
//!
//! - **Smuggling.** CR LF `.` CR LF ends a content, and nothing else. Bare CR and LF are refused in
//!   both directions ([`LineBreaks`](crate::framing::LineBreaks) says what else may be done), so nothing
//!   that was one message here is two at a laxer server. A bare LF ends no command line.
//! - **Injection.** No value of [`syntax`](crate::syntax), however it came about, holds a byte that ends
//!   its line or leaves its place in it: addresses, parameters, host names, replies.
//! - **STARTTLS.** Bytes that come in clear where TLS begins end the connection. Everything learned in
//!   clear is forgotten.
//! - **Credentials** go to a server that was *verified*, and SCRAM's proofs count as credentials:
//!   neither in clear nor over TLS with any certificate, unless
//!   `Config::credentials_over` says otherwise, whatever `Config::choose_mechanisms` chooses. A server
//!   that offers less than it should gets nothing, unless `Config::authentication` leaves it to the offer.
//! - **Secrets** are in no `Debug`, no error and no [trace](crate::machine::TraceEntry).
//! - **What a peer says** is escaped in `Display` and `Debug`, so that it does nothing to a terminal.
//! - **Limits**: every one is a constant of [`limits`](crate::machine::limits), with the clause or the
//!   precedent that it comes from.
//!
//! ```
//! use smtp_proto::syntax::{ForwardPath, Reply};
//!
//! assert!(ForwardPath::parse("<a@example.org>\r\nRCPT TO:<b@example.org>").is_err());
//! let reply = Reply::parse(b"550 \x1b[2Jno\r\n")?;
//! assert_eq!(reply.to_string(), r"550 \x1b[2Jno");
//! # Ok::<(), smtp_proto::syntax::SyntaxError>(())
//! ```
//!
//! # TLS between relays
//!
//! A relay looks up, before it connects, whether a domain has a policy: MTA-STS (RFC 8461) or TLSA records
//! that DNSSEC has proven (DANE, RFC 7672). The look-ups are yours; the adapters' `TlsConnector` has
//! the trust: `with_platform_roots` for MTA-STS, `with_tlsa` for DANE, and `opportunistic` for all others, which
//! lets anyone pass and tells by [`TlsInfo`](crate::machine::TlsInfo) whom it has.
//!
//! Where there is no policy, TLS with anyone is better than none, and none is better than no mail (RFC 7435).
//! A server that offers no TLS, or declines it
//! ([`TlsDeclined`](crate::client::Event::TlsDeclined)), gets the mail in clear on the same connection. A
//! handshake that fails ends the connection; to connect again in clear is yours to decide. It is forbidden
//! where a policy demands TLS (RFC 8461 5, RFC 7672 2.2), for a message with REQUIRETLS (RFC 8689 4.2.1), and
//! wherever there are credentials: an attacker who breaks handshakes would have his way.
//!
//! ```
//! use smtp_proto::{client::Tls, machine::Error};
//!
//! /// What was found out of a domain.
//! enum Policy {
//!     Nothing,
//!     /// MTA-STS in mode `enforce`, or TLSA records.
//!     Demanded,
//! }
//!
//! fn first(policy: &Policy) -> Tls {
//!     match policy {
//!         Policy::Nothing => Tls::Opportunistic,
//!         Policy::Demanded => Tls::Required,
//!     }
//! }
//!
//! /// Decides whether to connect to the same server again at once, and how.
//! fn again(policy: &Policy, error: &Error) -> Option<Tls> {
//!     let failure = error.fault().tls_result_type()?; // for the report (RFC 8460)
//!     println!("{failure}: {error}");
//!     match policy {
//!         Policy::Nothing => Some(Tls::Off),
//!         Policy::Demanded => None, // its next host, or later
//!     }
//! }
//! ```
//!
//! # Left to you, as a client
//!
//! - Choose [`Tls::Required`](crate::client::Tls::Required) or
//!   [`Implicit`](crate::client::Tls::Implicit) wherever the server is known to have it.
//!   [`Opportunistic`](crate::client::Tls::Opportunistic) keeps listeners out and no attacker, who takes
//!   the offer away.
//! - `tls_established` believes what it is told: a driver that says "verified" must have
//!   checked the certificate, and its name.
//! - A reused connection is as good as the settings it was opened with: key a pool by server, TLS and
//!   identity.
//! - A stream trusts the server's count: [`streams`](super::streams).
//!
//! # Left to you, as a server
//!
//! - Whom to take mail for: accept recipients of your own, or after authentication, and nobody else.
//! - A content is hostile. Write it to a file, and interpret it elsewhere.
//! - Accept a message once it is safe on the disk, not before.
//! - How many connections there are, in all and from one address: the adapters have settings for it.
//!   The machine bounds one connection: its lines, errors, idle commands, output, and time.
//! - Passwords are better never learned: keep SCRAM's keys.
