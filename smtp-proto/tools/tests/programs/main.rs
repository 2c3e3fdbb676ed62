//! `deliver`, `probe` and `receive`, as programs.
#![cfg(unix)]

mod deliver;
mod probe;
mod receive;
mod redelivery;
mod resume;
mod security;
mod support;
