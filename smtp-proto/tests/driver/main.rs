//! The loops of both adapters, over a wire that does as a test says.

mod client;
mod server;
mod wire;
