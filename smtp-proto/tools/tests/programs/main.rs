//! `deliver`, `probe` and `receive`, as programs.
#![cfg(unix)]

mod deliver;
mod errors;
mod probe;
mod receive;
mod redelivery;
mod resume;
mod security;
mod support;
