//! Where many messages come from.

use alloc::boxed::Box;
use core::error;

use super::error::Error;
use crate::client::Envelope;

/// A message to be sent: a pair of an envelope and a content, or a [`Result`] of that, of a source that
/// may fail.
pub trait IntoMessage<B> {
    /// Hands it to whoever submits it.
    ///
    /// # Errors
    ///
    /// [`Error::Source`] if there is none.
    fn submit_to<R>(self, submit: impl FnOnce(Envelope<'_>, B) -> R) -> Result<R, Error>;
}

impl<'e, B, E: Into<Envelope<'e>>, C: Into<B>> IntoMessage<B> for (E, C) {
    fn submit_to<R>(self, submit: impl FnOnce(Envelope<'_>, B) -> R) -> Result<R, Error> {
        Ok(submit(self.0.into(), self.1.into()))
    }
}

impl<B, M, X> IntoMessage<B> for Result<M, X>
where
    M: IntoMessage<B>,
    X: Into<Box<dyn error::Error + Send + Sync>>,
{
    fn submit_to<R>(self, submit: impl FnOnce(Envelope<'_>, B) -> R) -> Result<R, Error> {
        match self {
            Ok(message) => message.submit_to(submit),
            Err(error) => Err(Error::Source(error.into().into())),
        }
    }
}
