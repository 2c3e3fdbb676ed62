//! What both adapters are to their users: written once, as macros, and spelled by each of them, with
//! `async` and `.await` or without. What they refer to without a path is the adapter's.

mod body;
mod client;
mod handler;
mod options;
mod prepare;
mod send_all;
mod sender;
mod server;
mod shutdown;
mod sink;
mod socket;
mod tls;
