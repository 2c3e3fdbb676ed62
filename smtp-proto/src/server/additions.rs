//! What extensions that only the application knows bring: parameters and commands.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::syntax::{Capabilities, Parameter, SyntaxError};

/// The parameters and the commands of extensions that only the application knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Additions {
    mail: OwnParameters,
    rcpt: OwnParameters,
    commands: Vec<Box<str>>,
}

/// Parameters of the application's.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnParameters {
    list: Vec<OwnParameter>,
}

#[derive(Clone, Debug)]
struct OwnParameter {
    keyword: Box<str>,
    /// The keyword of the extension that brings it.
    extension: Box<str>,
}

impl Additions {
    /// Adds a parameter of MAIL, and the extension that brings it.
    pub(super) fn add_mail(&mut self, keyword: &str, extension: &str) -> Result<(), SyntaxError> {
        self.mail.add(keyword, extension)
    }

    /// Adds a parameter of RCPT, and the extension that brings it.
    pub(super) fn add_rcpt(&mut self, keyword: &str, extension: &str) -> Result<(), SyntaxError> {
        self.rcpt.add(keyword, extension)
    }

    /// Adds a command.
    pub(super) fn add_command(&mut self, verb: &str) -> Result<(), SyntaxError> {
        Capabilities::new().with_keyword(verb, "")?;
        self.commands.push(verb.into());
        Ok(())
    }

    /// Returns the parameters of MAIL.
    pub(super) fn mail(&self) -> &OwnParameters {
        &self.mail
    }

    /// Returns the parameters of RCPT.
    pub(super) fn rcpt(&self) -> &OwnParameters {
        &self.rcpt
    }

    /// Returns whether the application handles commands of that verb, in any case.
    pub(super) fn has_command(&self, verb: &str) -> bool {
        self.commands
            .iter()
            .any(|own| own.eq_ignore_ascii_case(verb))
    }
}

impl OwnParameters {
    fn add(&mut self, keyword: &str, extension: &str) -> Result<(), SyntaxError> {
        Parameter::new(keyword, None)?;
        Capabilities::new().with_keyword(extension, "")?;
        self.list.push(OwnParameter {
            keyword: keyword.into(),
            extension: extension.into(),
        });
        Ok(())
    }

    /// Returns the keyword of the extension that brings a parameter, if there may be one.
    pub(super) fn extension_of<'a>(&'a self, keyword: &'a str) -> Option<&'a str> {
        let is = |own: &&OwnParameter| own.keyword.eq_ignore_ascii_case(keyword);
        match self.list.iter().find(is) {
            Some(own) => Some(&own.extension),
            // A private extension is taken to bring a parameter of its own name (RFC 5321 2.2.2).
            None => keyword.starts_with(['X', 'x']).then_some(keyword),
        }
    }
}
