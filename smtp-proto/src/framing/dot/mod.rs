//! Content that a line of one dot ends (DATA, RFC 5321 section 4.5.2), both directions.
//!
//! A line here begins after CR LF and nowhere else (5321-4.5.2-d): a bare CR or a bare LF neither
//! ends a line nor the content (5321-4.1.1.4-f).

mod inspection;
mod line_breaks;
mod scan;
mod stuff;
mod unstuff;

#[cfg(test)]
mod tests;

pub use inspection::Inspection;
pub use line_breaks::{BareByte, BareLineBreak, LineBreaks};
pub use stuff::{DotStuffer, Stuffed};
pub use unstuff::{Content, DotUnstuffer};
