//! The mechanisms of SASL, in both roles.
#![cfg(feature = "auth")]

mod application;
mod attempts;
#[cfg(feature = "scram")]
mod binding;
mod exchange;
mod machines;
#[cfg(feature = "scram")]
mod scram;
