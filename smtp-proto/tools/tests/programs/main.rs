//! `deliver` and `receive`, as programs.
#![cfg(unix)]

mod deliver;
mod receive;
mod redelivery;
mod resume;
mod security;
mod support;
