//! What is said in ASCII to clients that take nothing else (RFC 6531 3.7.4.2).
//!
//! A verdict is one in whatever bytes another server put it, so that words go with `?`. A mailbox would be
//! another one so, and is left out.

use crate::syntax::{Class, Reply};

static TAKEN: Reply<'static> = Reply::fixed("250 2.1.5 Recipient OK\r\n");
static MOVED: Reply<'static> = Reply::fixed("550 5.1.6 Mailbox has moved\r\n");
static NOT_SHOWN: Reply<'static> = Reply::fixed("252 2.6.8 The answer needs SMTPUTF8\r\n");
static NOT_TOLD: Reply<'static> = Reply::fixed("550 5.6.8 The answer needs SMTPUTF8\r\n");

/// Returns what is said in place of a reply.
pub(super) fn in_ascii(reply: Reply<'static>) -> Reply<'static> {
    match reply.code().value() {
        _ if reply.is_ascii() => reply,
        // 6531-3.7.4-a
        251 => TAKEN.clone(),
        551 => MOVED.clone(),
        _ => reply.in_ascii(),
    }
}

/// Returns what is said in place of a reply to VRFY or EXPN (6531-3.7.4-d).
pub(super) fn names_in_ascii(reply: Reply<'static>) -> Reply<'static> {
    match (reply.class(), reply.code().value()) {
        _ if reply.is_ascii() => reply,
        (Class::Positive, _) => NOT_SHOWN.clone(),
        (_, 551 | 553) => NOT_TOLD.clone(),
        _ => reply.in_ascii(),
    }
}
