//! Pages to read: nothing in here is code.

#[doc = include_str!("../docs/interop.md")]
#[doc = include_str!("../docs/interop-clients.md")]
pub mod interop {}
