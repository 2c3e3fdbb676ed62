//! Pages to read: nothing in here is code.
//!
//! | page | answers |
//! |---|---|
//! | [`streams`] | what the fastest policy rests on, what it costs, and when it is not used |
//! | [`outcomes`] | what became of a message, and whether to send it again |
//! | [`own_loop`] | how to drive a machine over sockets of one's own |
#![cfg_attr(
    feature = "testing",
    doc = "| [`testing`] | how to test a program that sends mail, or one that drives the machines |"
)]
//! | [`security`] | what is safe as it comes, and what is left to the application |
//! | [`interop`] | what mail programs that others wrote were seen to do |

pub mod outcomes;
pub mod own_loop;
pub mod security;
pub mod streams;
#[cfg(feature = "testing")]
pub mod testing;

#[doc = include_str!("../docs/interop.md")]
#[doc = include_str!("../docs/interop-clients.md")]
pub mod interop {}
