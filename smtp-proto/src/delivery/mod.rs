//! What a sender of mail needs above the [client machine](crate::client), still without I/O: which
//! contents belong to which message, how far ahead to submit, reports, and what to send again after a
//! lost connection.
//!
//! Both adapters are a loop around a [`Courier`], and so may yours be: the example `own_loop` of
//! `smtp-engine-blocking` is one over a socket of the standard library, in 40 lines.
//!
//! - [`Courier`] owns a client and the contents of its messages. It says when to submit another message
//!   and when to read before writing, and has one question for everything that may be waited for.
//! - [`Report`] is what became of a message, for each of its recipients.
//! - [`Resending`] takes a message through several connections, [`Backoff`] spares a server that fails.
//! - [`Pace`] bounds how long each message may take.
//! - [`ServerUrl`] is a server as people write it down.
//!
//! With the feature `std` there is also what both adapters have in common: their `Error`, the [`Options`]
//! of their clients, and what their `Body` and `Sender` are made of ([`Content`], [`Sending`] and [`Pool`]).

#[cfg(feature = "std")]
mod content;
mod courier;
#[cfg(feature = "std")]
mod error;
#[cfg(feature = "std")]
mod extent;
#[cfg(feature = "std")]
mod options;
mod own_name;
mod pace;
mod parcels;
#[cfg(feature = "std")]
mod policy;
#[cfg(feature = "std")]
mod pool;
mod report;
mod resending;
#[cfg(feature = "std")]
mod sending;
#[cfg(feature = "std")]
mod source;
#[cfg(feature = "std")]
mod turns;
mod url;

#[cfg(feature = "std")]
pub use self::{
    content::{Content, Supply},
    error::Error,
    extent::Extent,
    options::{Entropy, Failures, Options, Surroundings},
    policy::Policy,
    pool::{Place, Pool, Turn},
    sending::Sending,
    source::IntoMessage,
};
pub use self::{
    courier::{Courier, Session},
    own_name::own_name,
    pace::Pace,
    report::{Report, Reports},
    resending::{Backoff, Next, Resending, Retry, tries_next_address},
    url::{Server, ServerUrl, UrlError},
};
