//! What a sender of mail needs above the [client machine](crate::client), still without I/O: which
//! contents belong to which message, how far ahead to submit, reports, and what to send again after a
//! lost connection.
//!
//! Both adapters are a loop around a [`Courier`], and so may yours be: the example `own_loop` of
//! `smtp-proto-blocking` is one over a socket of the standard library, in 40 lines.
//!
//! - [`Courier`] owns a client and the contents of its messages. It says when to submit another message
//!   and when to read before writing, and has one question for everything that may be waited for.
//! - [`Report`] is what became of a message, for each of its recipients.
//! - [`Resending`] takes a message through several connections, [`Backoff`] spares a server that fails.
//! - [`ServerUrl`] is a server as people write it down.

mod courier;
mod own_name;
mod report;
mod resending;
mod url;

pub use self::{
    courier::Courier,
    own_name::own_name,
    report::{Report, Reports},
    resending::{Backoff, Next, Resending, Retry, tries_next_address},
    url::{Server, ServerUrl, UrlError},
};
