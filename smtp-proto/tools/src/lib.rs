//! Programs of [`smtp_proto`], as far as they can be tested without being run.
//!
//! `probe HOST` answers "does that server do pipelining right?": see [`probe`].

pub mod probe;
