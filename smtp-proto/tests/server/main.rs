//! The server machine through its public API, row by row of the requirements and threats.

mod acknowledgements;
mod content;
mod endings;
mod limits;
mod peer;
mod random;
mod sequence;
mod session;
mod verdicts;
