//! The replies with which connections are ended for no fault of theirs; each names the server
//! (5321-4.2-j).

use alloc::format;

use crate::server::replies::local_error;
use crate::syntax::{Code, Host, Reply};

/// Returns the reply with which to end a session as the server ends: 421 (RFC 5321 3.8).
pub(super) fn shutting_down(hostname: &Host<'_>) -> Reply<'static> {
    farewell(
        hostname,
        "4.3.2",
        "Service shutting down and closing transmission channel",
    )
}

/// Returns the reply to a client that cannot be served as there are too many others: 421 (Postfix's
/// `smtpd_client_connection_count_limit`).
pub(super) fn too_many_connections(hostname: &Host<'_>) -> Reply<'static> {
    farewell(hostname, "4.7.0", "Too many connections, try again later")
}

/// Returns the reply to a client that cannot be served for a fault of the server's own: 421.
pub(super) fn unavailable(hostname: &Host<'_>) -> Reply<'static> {
    farewell(
        hostname,
        "4.3.0",
        "Local error in processing, closing connection",
    )
}

fn farewell(hostname: &Host<'_>, enhanced: &str, text: &str) -> Reply<'static> {
    let text = format!("{enhanced} {hostname} {text}");
    // A host is one line of text, and far shorter than a reply may be.
    Reply::new(Code::NOT_AVAILABLE, &text).unwrap_or_else(|_| local_error())
}
