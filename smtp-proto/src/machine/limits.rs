//! Every bound of the machines, with the clause or the precedent that it comes from.
//!
//! All lengths are bytes and count the final CR LF unless said otherwise.

use core::time::Duration;

/// The longest reply line that a client reads: eight times RFC 5321 4.5.3.1.5.
pub const REPLY_LINE: usize = 4096;
/// The longest reply that a client hands to the application whole; of a longer one it drops lines
/// from the front (Postfix keeps 2,048).
pub const REPLY: usize = 16 * 1024;
/// The longest reply that a client reads at all.
pub const REPLY_TOTAL: u64 = 1024 * 1024;
/// How many bytes of an offending line an [`Error`](super::Error) quotes.
pub const EXCERPT: usize = 64;
/// How many bytes of commands a half-duplex client leaves unanswered (Postfix, Exim: 4,096).
pub const UNANSWERED_BYTES: usize = 4096;
/// How many replies a half-duplex client leaves outstanding (Exim: about 100 recipients).
pub const UNANSWERED_REPLIES: usize = 100;
/// How many chunks, last ones apart, a client leaves unanswered, so that a server which answers none
/// does not make it keep account of them without end.
pub const UNANSWERED_CHUNKS: usize = 1000;
/// How many further transactions of a message a client begins for recipients that the server has put
/// off (452): enough for 1,000 recipients at a server that takes 10 at once.
pub const PUT_OFFS: usize = 100;
/// The most different domains that a client counts where a server limits them (RFC 9422 4); a greater
/// limit counts as none.
pub const DOMAINS: usize = 1000;
/// How many messages may be submitted to a client and unfinished.
pub const QUEUED_MESSAGES: usize = 1024;
/// How many commands of the application's may wait in a client.
pub const QUEUED_COMMANDS: usize = 64;
/// The longest command of the application's that a client sends (RFC 5321 4.5.3.1.4).
pub const OWN_COMMAND: usize = 512;
/// About how many routes a sender remembers that it has no connection by.
pub const ROUTES: usize = 1000;
/// How many bytes of commands a client renders ahead of the transport.
pub const RENDERED_BYTES: usize = 8 * 1024;
/// The largest content that a client keeps from the look at it until the server wants it.
pub const KEPT_CONTENT: usize = 16 * 1024;
/// The longest AUTH command that carries an initial response (RFC 4954 4).
pub const AUTH_COMMAND: usize = 512;
/// How many challenges a client answers in one authentication exchange.
pub const AUTH_ROUNDS: usize = 20;
/// The least iterations that SCRAM is done with (RFC 7677 4, RFC 5802 5.1).
pub const SCRAM_ITERATIONS_MINIMUM: u32 = 4096;
/// The iterations for new keys of SCRAM, a tenth of a second's work by RFC 7677 4.
pub const SCRAM_ITERATIONS: u32 = 15_000;
/// The most iterations that SCRAM is done with, as a server can wear out a client by them (RFC 5802
/// 9): the most that is recommended for any password (OWASP, for PBKDF2 with HMAC-SHA-256).
pub const SCRAM_ITERATIONS_MAXIMUM: u32 = 600_000;
/// How many bytes of what cannot be read a trace shows: six lines of a terminal, and less than any line may
/// have, so that it shows when there was more.
pub const TRACED_UNREADABLE: usize = 480;
/// How many entries of a trace are kept until the caller takes them.
pub const TRACE: usize = 4096;

/// The longest command line that a server takes: the 512 bytes of RFC 5321 4.5.3.1.4 and what the
/// extensions add to them (RFC 1869 4.1.2), rounded up to Postfix's `line_length_limit`.
pub const COMMAND_LINE: usize = 2048;
/// The longest line of an authentication exchange: 12,288 bytes and CR LF (RFC 4954 4).
pub const AUTHENTICATION_LINE: usize = 12288 + 2;
/// The least that a server may set as the longest command line (RFC 5321 4.5.3.1.4).
pub const COMMAND_LINE_MINIMUM: usize = 512;
/// How much of one over-long command line a server reads before it closes the connection.
pub const OVERLONG_LINE: u64 = 64 * 1024;
/// How many recipients a server takes in a transaction (Postfix's `smtpd_recipient_limit`).
pub const RECIPIENTS: usize = 1000;
/// The least that a server may set as the number of recipients (RFC 5321 4.5.3.1.8).
pub const RECIPIENTS_MINIMUM: usize = 100;
/// How many RCPT commands beyond the limit of recipients a server answers before it counts each as
/// an error (Postfix's `smtpd_recipient_overshoot_limit`).
pub const RECIPIENT_OVERSHOOT: usize = 1000;
/// The largest message that a server takes, in bytes of content (Postfix's `message_size_limit`).
pub const MESSAGE_SIZE: u64 = 10_240_000;
/// The least that a server may set as the largest message (RFC 5321 4.5.3.1.7).
pub const MESSAGE_SIZE_MINIMUM: u64 = 64 * 1024;
/// How many commands of a client may be unanswered before the server reads no further one. A whole
/// transaction with all its recipients fits in.
pub const UNANSWERED_COMMANDS: usize = 1024;
/// How many messages may wait for their verdicts before the server begins no further one.
pub const UNDECIDED_MESSAGES: usize = 100;
/// How many bytes of replies may wait for a client to read them before the server reads no
/// further command.
pub const OUTPUT: usize = 64 * 1024;
/// How many accepted messages a server watches for a sign that their replies arrived. Of more, it
/// reports the oldest with what is known of it.
pub const UNCONFIRMED_MESSAGES: usize = 1000;
/// How many errors have a server slow a session down (Postfix's `smtpd_soft_error_limit`).
pub const SOFT_ERRORS: usize = 10;
/// How long a server then holds each reply back (Postfix's `smtpd_error_sleep_time`).
pub const ERROR_DELAY: Duration = Duration::from_secs(1);
/// How many errors end a session (Postfix's `smtpd_hard_error_limit`).
pub const ERRORS: usize = 20;
/// How many commands to no purpose end a session (Postfix's `smtpd_junk_command_limit`).
pub const IDLE_COMMANDS: usize = 100;
/// How many bytes of content a client has to send in a second, all in all (Postfix's
/// `smtpd_min_data_rate`).
pub const CONTENT_RATE: u64 = 500;
/// How many authentications may fail before a further one ends the session, the least that
/// RFC 4954 9 advises.
pub const AUTHENTICATION_FAILURES: usize = 3;
/// How many connections a server has at once.
pub const CONNECTIONS: usize = 1000;
/// How many of them may be one client's (Postfix's `smtpd_client_connection_count_limit`).
pub const CONNECTIONS_PER_PEER: usize = 50;
/// How long a connection may take to be prepared, as by a proxy that says for whom it speaks
/// (Postfix's `smtpd_upstream_proxy_timeout`).
pub const PREPARATION: Duration = Duration::from_secs(5);
/// How much of a message's header is gathered to be looked at whole (of the order of Postfix's
/// `header_size_limit`).
pub const HEADER: usize = 64 * 1024;
