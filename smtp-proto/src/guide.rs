//! Pages to read: nothing in here is code.

#[doc = include_str!("../docs/interop.md")]
pub mod interop {}
