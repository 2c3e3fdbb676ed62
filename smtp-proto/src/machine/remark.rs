//! What else is to be known of an error than its fault and the reply that has led to it.

use alloc::{boxed::Box, format, string::String};
use core::fmt;

use crate::syntax::{Code, Reply};

/// How many names of one side are told.
const NAMES: usize = 16;

/// Words after those of an error; or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Remark(Option<Box<str>>);

impl Remark {
    /// Tells what the server offers and what the client has, where nothing of that fits.
    pub(crate) fn mismatch<'o, 'n>(
        offered: impl IntoIterator<Item = &'o str>,
        own: impl IntoIterator<Item = &'n str>,
    ) -> Self {
        let mut words = String::from(": the server offers");
        list(offered, &mut words);
        words += ", the client has";
        list(own, &mut words);
        Self(Some(words.into()))
    }

    /// Tells what another command was answered.
    pub(crate) fn answered(command: &str, reply: &Reply<'_>) -> Self {
        Self(Some(format!("; {command} was answered {reply}").into()))
    }

    /// Tells what the lines before have said of a reply that cannot be read on.
    pub(crate) fn within(code: Code) -> Self {
        Self(Some(format!(", in a reply with the code {code}").into()))
    }

    /// Tells why another command was not answered.
    pub(crate) fn unanswered(command: &str, why: impl fmt::Display) -> Self {
        Self(Some(format!("; {command} was not answered: {why}").into()))
    }
}

/// Adds names, none of which can do anything to a log or a terminal.
fn list<'n>(names: impl IntoIterator<Item = &'n str>, words: &mut String) {
    let start = words.len();
    for (at, name) in names.into_iter().enumerate() {
        if at == NAMES {
            *words += " ...";
            return;
        }
        words.push(' ');
        words.extend(name.escape_default());
    }
    if words.len() == start {
        *words += " none";
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_deref().unwrap_or_default())
    }
}
