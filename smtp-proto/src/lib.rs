//! An SMTP and LMTP engine, client and server, that pipelines: bytes go in, bytes and events come
//! out. It opens no socket, reads no clock, spawns nothing and holds no TLS.
//!
//! Programs that just want to send or receive mail take one of its two adapters,
//! `smtp-engine-tokio` and `smtp-engine-blocking`. This crate is for those who bring their own sockets,
//! runtime or completion queue, for proxies and tests, and for what has neither threads nor `std`.
//!
//! | module | what |
//! |---|---|
//! | [`client`] | sends messages, as few round trips as the server permits, and accounts for each |
//! | [`delivery`] | above the client: contents, reports, what to send again; URLs |
//! | [`server`] | hands out commands and content, and puts verdicts that come in any order into replies that do not |
//! | [`reception`] | a server's events become calls of an application: envelopes, identity, AUTH, LMTP's verdicts |
//! | [`machine`] | what both share: errors, timers, limits, the trace |
//! | `sasl` | what AUTH carries, in both roles (feature `auth`; SCRAM with `scram`) |
//! | [`framing`] | streams to units: lines, dots, chunks, and slices to write |
//! | [`syntax`] | one line or value, and its typed value |
//! | `testing` | a mail server that records and misbehaves as told, machines driven in memory (feature `testing`) |
//! | [`guide`] | pages to read: sending, receiving, proxies, outcomes, streams, your own loop, security, and more |
//!
//! [`client`] and [`server`] begin with the loop that drives them. Both machines keep to this:
//!
//! - Any call in any order is safe: a misuse is an error, and changes nothing.
//! - Whatever the pieces in which bytes arrive or leave, the events and the bytes are the same, and
//!   nothing that was scanned is scanned again.
//! - Content is never copied but where dots are dense: it goes in and comes out as slices of the
//!   caller's memory. What a connection holds does not grow with its messages.
//! - `now` is the time since an origin of the caller's, on a clock that never goes back.
//! - An error ends the session and stays. Before it, every unfinished message has its outcome.
//!
//! Ids such as `5321-4.1.4-c` name [requirements](guide::conformance): the RFC, its section, and a letter.
//!
//! # Features
//!
//! - `std` (default): memchr chooses the fastest instructions of the processor at run time.
//! - `auth`: AUTH, in both roles; `scram`: SCRAM among its mechanisms; `saslprep`: names and passwords
//!   for it that are not ASCII (needs `std`).
//! - `serde`: `Serialize` and `Deserialize` for replies, outcomes, reports, reasons and capabilities, for
//!   queues and logs. What is read back is checked as if it had come from a server.
//! - `testing`: for tests (needs `std`).
//!
//! The forms that `serde` gives them do not change. Variants are named in kebab case; one that holds
//! something is a map of one entry:
//!
//! | what | as JSON |
//! |---|---|
//! | [`Reply`](syntax::Reply): its lines with LF between; what is not UTF-8 as an array of bytes | `"550-5.7.1 Not here\n550 5.7.1 nor there"` |
//! | [`Code`](syntax::Code), [`EnhancedCode`](syntax::EnhancedCode) | `550`, `"5.7.1"` |
//! | [`Capabilities`](syntax::Capabilities), [`Extension`](syntax::Extension) | `["PIPELINING","SIZE 1000"]`, `"SIZE"` |
//! | [`Learned`](client::Learned) | `{"capabilities":["SIZE"],"refuses_look_ahead":false}` |
//! | [`Step`](machine::Step), [`Fault`](machine::Fault), [`Reason`](server::Reason) | `"starttls"`, `{"timed-out":"greeting"}`, `"quit"` |
//! | [`Answer`](machine::Answer) | `{"step":"recipient","reply":"550 No"}` |
//! | [`Outcome`](client::Outcome) | `{"delivered":"250 Ok"}`, `{"refused":{"step":"data","reply":"451 No"}}`, `"in-doubt"` |
//! | [`NotSent`](client::NotSent) in an outcome | `{"not-sent":{"reason":{"too-large":{"maximum":1000}},"answer":null}}` |
//! | [`Report`](delivery::Report) | `{"message":0,"recipients":["in-doubt"],"answers":[null],"outcome":"in-doubt"}` |
#![cfg_attr(docsrs, feature(doc_cfg))]
#![no_std]
#![warn(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::string_slice
)]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

pub mod client;
pub mod delivery;
#[cfg(feature = "std")]
#[doc(hidden)]
pub mod driver;
#[cfg(feature = "std")]
mod faces;
pub mod framing;
pub mod guide;
pub mod machine;
pub mod reception;
#[cfg(feature = "auth")]
pub mod sasl;
pub mod server;
pub mod syntax;
#[cfg(feature = "testing")]
pub mod testing;

#[cfg(test)]
mod tests;
