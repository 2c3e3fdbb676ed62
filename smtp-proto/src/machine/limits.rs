//! Every bound of the machines, with the clause or the precedent that it comes from.
//!
//! All lengths are octets and count the final CR LF unless said otherwise.

/// The longest reply line that a client reads: eight times RFC 5321 4.5.3.1.5.
pub const REPLY_LINE: usize = 4096;
/// The longest reply that a client hands to the application whole; of a longer one it drops lines
/// from the front (Postfix keeps 2,048).
pub const REPLY: usize = 16 * 1024;
/// The longest reply that a client reads at all.
pub const REPLY_TOTAL: u64 = 1024 * 1024;
/// How many octets of an offending line an [`Error`](super::Error) quotes.
pub const EXCERPT: usize = 64;
