//! The shape of the source: imports go one way down, every type has one file, and nothing is public
//! that nobody uses.

mod imports;
mod owners;
mod source;
mod spellings;
mod surface;
