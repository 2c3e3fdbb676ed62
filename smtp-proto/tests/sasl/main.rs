//! The mechanisms of SASL, in both roles.
#![cfg(feature = "auth")]

mod application;
mod exchange;
mod machines;
#[cfg(feature = "scram")]
mod scram;
