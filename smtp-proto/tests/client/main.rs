//! The client machine through its public API: exact bytes out, exact events back.

#[cfg(feature = "auth")]
mod auth;
#[cfg(feature = "auth")]
mod auth_choice;
mod bodies;
mod commands;
mod contents;
mod contract;
mod dialogue;
mod early;
mod endings;
mod errors;
mod first_page;
mod hostile;
mod ledger;
mod limits;
mod lines;
mod lmtp;
mod messages;
mod out_of_step;
mod policies;
mod put_off;
mod queue;
mod refusals;
mod replies;
mod session;
mod streams;
mod timers;
mod tls;
mod trace;
mod xclient;
mod xforward;
