//! Streams to units and back, without SMTP meaning.
mod transmit;

pub use transmit::Transmit;
pub(crate) use transmit::{Progress, Slices};
