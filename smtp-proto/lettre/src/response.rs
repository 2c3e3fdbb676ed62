//! What a server said to a message that it took.

use std::ops::Deref;

use lettre::transport::smtp::response::{
    self as lettre_response, Category, Code, Detail, Severity,
};
use smtp_proto::{client::Outcome, delivery::Report, syntax::Reply};

use crate::Error;

/// The reply by which the server took a message for every recipient, and the whole report.
///
/// It can be asked whatever [lettre's](lettre_response::Response) can be.
#[derive(Clone, Debug)]
pub struct Response {
    reply: lettre_response::Response,
    report: Report,
}

impl Response {
    /// Makes of a report what lettre makes of a message.
    pub(crate) fn of(report: Report) -> Result<Self, Error> {
        match report.recipients.first() {
            Some(Outcome::Delivered(reply)) if report.is_delivered() => Ok(Self {
                reply: in_lettres_words(reply).unwrap_or_else(ok),
                report,
            }),
            _ => Err(Error::undelivered(report)),
        }
    }

    /// Returns what became of each recipient.
    pub fn report(&self) -> &Report {
        &self.report
    }
}

impl Deref for Response {
    type Target = lettre_response::Response;

    fn deref(&self) -> &Self::Target {
        &self.reply
    }
}

impl From<Response> for lettre_response::Response {
    fn from(response: Response) -> Self {
        response.reply
    }
}

/// Returns the reply as lettre has it, unless its code is one that lettre does not know.
pub(crate) fn in_lettres_words(reply: &Reply<'_>) -> Option<lettre_response::Response> {
    String::from_utf8_lossy(reply.as_bytes()).parse().ok()
}

/// Returns a plain 250, for a code like 260.
fn ok() -> lettre_response::Response {
    let code = Code::new(
        Severity::PositiveCompletion,
        Category::MailSystem,
        Detail::Zero,
    );
    lettre_response::Response::new(code, Vec::new())
}
