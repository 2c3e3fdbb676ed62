//! The testing module, by what its users see.

mod server;
