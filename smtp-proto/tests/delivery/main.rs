//! What stands above the client machine, through its public API.

mod content;
mod courier;
mod extent;
mod pool;
mod resending;
mod url;
