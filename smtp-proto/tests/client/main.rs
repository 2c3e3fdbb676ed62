//! The client machine through its public API: exact octets out, exact events back.

mod dialogue;
mod hazards;
mod ledger;
mod policies;
mod session;
