//! Parameters that this library does not know, beside those that it does.

use alloc::string::String;

use super::{
    error::{SyntaxError, SyntaxErrorKind},
    parameter_error::{ParameterError, ParameterErrorKind},
    parameters::{MAX_PARAMETERS, Parameter, Parameters},
};

/// Holds copies of checked parameters that are not known, as single spaces separate them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Others(String);

impl Others {
    /// Gives each parameter to `read`, which tells whether it is known, and keeps the others.
    pub(super) fn collect<'a>(
        parameters: &Parameters<'a>,
        mut read: impl FnMut(&Parameter<'a>) -> Result<bool, SyntaxError>,
    ) -> Result<Self, ParameterError> {
        let mut others = Self::default();
        for parameter in parameters.iter() {
            let known = read(&parameter)
                .map_err(|error| ParameterError::malformed(parameter.keyword(), error))?;
            if !known {
                others.keep(parameter);
            }
        }
        Ok(others)
    }

    /// Adds a parameter of which `read` told whether it is known.
    pub(super) fn push(
        &mut self,
        parameter: Parameter<'_>,
        read: Result<bool, SyntaxError>,
    ) -> Result<(), ParameterError> {
        let keyword = parameter.keyword();
        // What is known is a field, or is malformed as one.
        if read != Ok(false) {
            let kind = ParameterErrorKind::Contradiction;
            return Err(ParameterError::new(keyword, kind));
        }
        let kind = if self.as_parameters().get(keyword).is_some() {
            SyntaxErrorKind::Duplicate
        } else if self.as_parameters().iter().count() >= MAX_PARAMETERS {
            SyntaxErrorKind::TooLong
        } else {
            self.keep(parameter);
            return Ok(());
        };
        Err(ParameterError::malformed(
            keyword,
            SyntaxError::new(kind, 0),
        ))
    }

    /// Blames the first parameter, if there is one.
    pub(super) fn refuse(&self) -> Result<(), ParameterError> {
        match self.as_parameters().iter().next() {
            None => Ok(()),
            Some(parameter) => {
                let kind = ParameterErrorKind::Unknown;
                Err(ParameterError::new(parameter.keyword(), kind))
            }
        }
    }

    pub(super) fn as_parameters(&self) -> Parameters<'_> {
        Parameters::trusted(&self.0)
    }

    fn keep(&mut self, parameter: Parameter<'_>) {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        self.0.push_str(parameter.keyword());
        if let Some(value) = parameter.value() {
            self.0.push('=');
            self.0.push_str(value);
        }
    }
}
