//! How a session ends, and how much of that the application has been told.

use super::event::{Event, Reason};
use crate::machine::Error;

/// Knows whether the session is ending, and why.
#[derive(Debug)]
pub(super) struct Ending {
    cause: Option<Cause>,
    is_read_to_end: bool,
}

#[derive(Debug)]
enum Cause {
    Quit { is_told: bool, is_closed: bool },
    Failed(Error),
}

impl Ending {
    pub(super) fn new() -> Self {
        Self {
            cause: None,
            is_read_to_end: false,
        }
    }

    /// Begins to end after QUIT, of which the application is told or has been. What began first stays.
    pub(super) fn quit(&mut self, is_told: bool) {
        self.cause.get_or_insert(Cause::Quit {
            is_told,
            is_closed: false,
        });
    }

    /// Begins to end in error, likewise.
    pub(super) fn fail(&mut self, error: Error) {
        self.cause.get_or_insert(Cause::Failed(error));
    }

    pub(super) fn has_begun(&self) -> bool {
        self.cause.is_some()
    }

    /// Returns why a transaction ends with the session, if that is ending.
    pub(super) fn reason(&self) -> Option<Reason> {
        Some(match self.cause.as_ref()? {
            Cause::Quit { .. } => Reason::Quit,
            Cause::Failed(_) => Reason::Ended,
        })
    }

    /// Returns whether all of it has been read: every event, and the error if there is one.
    pub(super) fn is_read_to_end(&self) -> bool {
        self.is_read_to_end
    }

    /// Takes the news of QUIT, for which the client need not have been answered.
    pub(super) fn take_quit(&mut self) -> Option<Event<'static>> {
        match &mut self.cause {
            Some(Cause::Quit { is_told, .. }) if !*is_told => {
                *is_told = true;
                Some(Event::Quit)
            }
            _ => None,
        }
    }

    /// Takes the last word to the application, for which all has to be answered and written.
    pub(super) fn take_last(&mut self) -> Result<Option<Event<'static>>, Error> {
        self.is_read_to_end = true;
        match &mut self.cause {
            Some(Cause::Failed(error)) => Err(error.clone()),
            Some(Cause::Quit { is_closed, .. }) => {
                let is_news = !core::mem::replace(is_closed, true);
                Ok(is_news.then_some(Event::Closed))
            }
            None => Ok(None),
        }
    }
}
