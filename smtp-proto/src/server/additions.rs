//! What an application adds to the protocol.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::syntax::{Capabilities, Parameter, SyntaxError};

/// The parameters and the commands of extensions that only the application knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Additions {
    pub(super) mail: Vec<OwnParameter>,
    pub(super) rcpt: Vec<OwnParameter>,
    pub(super) commands: Vec<Box<str>>,
}

/// A parameter of the application's.
#[derive(Clone, Debug)]
pub(super) struct OwnParameter {
    pub(super) keyword: Box<str>,
    /// The keyword of the extension that brings it.
    pub(super) extension: Box<str>,
}

impl OwnParameter {
    pub(super) fn new(keyword: &str, extension: &str) -> Result<Self, SyntaxError> {
        Parameter::new(keyword, None)?;
        Capabilities::new().with_keyword(extension, "")?;
        Ok(Self {
            keyword: keyword.into(),
            extension: extension.into(),
        })
    }
}

impl Additions {
    /// Tells whether the application handles commands of that verb, in any case.
    pub(super) fn has_command(&self, verb: &str) -> bool {
        self.commands
            .iter()
            .any(|own| own.eq_ignore_ascii_case(verb))
    }
}
