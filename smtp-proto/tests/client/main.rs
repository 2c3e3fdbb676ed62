//! The client machine through its public API: exact bytes out, exact events back.

#[cfg(feature = "auth")]
mod auth;
#[cfg(feature = "auth")]
mod auth_choice;
mod commands;
mod contents;
mod contract;
mod dialogue;
mod early;
mod errors;
mod first_page;
mod hazards;
mod hostile;
mod ledger;
mod limits;
mod lines;
mod lmtp;
mod out_of_step;
mod policies;
mod queue;
mod session;
mod streams;
mod tls;
mod xclient;
mod xforward;
