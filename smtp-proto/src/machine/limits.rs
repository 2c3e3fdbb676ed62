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
/// How many octets of commands a half-duplex client leaves unanswered (Postfix, Exim: 4,096).
pub const UNANSWERED_OCTETS: usize = 4096;
/// How many replies a half-duplex client leaves outstanding (Exim: about 100 recipients).
pub const UNANSWERED_REPLIES: usize = 100;
/// How many messages may be submitted to a client and unfinished.
pub const QUEUED_MESSAGES: usize = 1024;
/// How many octets of commands a client renders ahead of the transport.
pub const RENDERED_OCTETS: usize = 8 * 1024;
/// How many entries of a trace are kept until the caller takes them.
pub const TRACE: usize = 4096;
