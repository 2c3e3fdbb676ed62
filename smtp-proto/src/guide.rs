//! Pages to read: nothing in here is code.
//!
//! | page | answers |
//! |---|---|
//! | [`send`] | how to send one message, many, or all that a program ever has |
//! | [`receive`] | how to receive and store, and how a public server is run |
//! | [`proxy`] | how to pass mail on while it comes in |
//! | [`streams`] | what the fastest policy rests on, what it costs, and when it is not used |
//! | [`outcomes`] | what became of a message, and whether to send it again |
//! | [`own_loop`] | how to drive a machine over sockets of one's own |
#![cfg_attr(
    feature = "testing",
    doc = "| [`testing`] | how to test a program that sends mail, or one that drives the machines |"
)]
//! | [`security`] | what is safe as it comes, and what is left to the application |
//! | [`interop`] | what mail programs that others wrote were seen to do |
//! | [`conformance`] | which requirements of the RFCs are met and tested, and what ids such as `5321-4.1.4-c` mean |
//! | [`names`] | what things are called here, for who comes from another library |

pub mod names;
pub mod outcomes;
pub mod own_loop;
pub mod proxy;
pub mod security;
pub mod streams;
#[cfg(feature = "testing")]
pub mod testing;

// These show an adapter, which this crate cannot depend on: `smtp-engine-tokio` runs them as its own.
#[cfg(not(doctest))]
#[doc = include_str!("guide/receive.md")]
pub mod receive {}
#[cfg(not(doctest))]
#[doc = include_str!("guide/send.md")]
pub mod send {}

#[doc = include_str!("../docs/interop.md")]
#[doc = include_str!("../docs/interop-clients.md")]
pub mod interop {}

#[doc = include_str!("../CONFORMANCE.md")]
pub mod conformance {}
