//! What a server offers beside what a client has, where nothing of that fits.

use alloc::{boxed::Box, string::String};
use core::fmt;

/// How many names of one side are told.
const NAMES: usize = 16;

/// Tells, in words, what the server offers and what the client has; or nothing, if that is not at fault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mismatch(Option<Box<str>>);

impl Mismatch {
    pub(crate) fn new<'o, 'n>(
        offered: impl IntoIterator<Item = &'o str>,
        own: impl IntoIterator<Item = &'n str>,
    ) -> Self {
        let mut words = String::from("the server offers");
        list(offered, &mut words);
        words += ", the client has";
        list(own, &mut words);
        Self(Some(words.into()))
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

/// Displays it after a colon, and nothing where there is nothing.
impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(words) => write!(f, ": {words}"),
            None => Ok(()),
        }
    }
}
