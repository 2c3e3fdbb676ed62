//! The testing module, by what its users see.

mod end;
mod pair;
mod server;
