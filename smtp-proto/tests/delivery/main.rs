//! What stands above the client machine, through its public API.

mod courier;
mod resending;
mod url;
