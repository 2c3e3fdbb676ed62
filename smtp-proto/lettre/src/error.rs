//! Why a message was not sent, or not to everybody.

use std::{error, fmt, io};

use lettre::transport::smtp::response::Code;
use smtp_proto::{
    client::{NotSentReason, Outcome},
    delivery::{self, Report, UrlError},
    machine::Fault,
    syntax::{AddressError, Class, Reply},
};

use crate::response::in_lettres_words;

/// Tells why a message was not sent, or not to everybody. It answers lettre's questions, and never shows
/// credentials.
///
/// As with lettre, nobody has got a message of which a recipient was refused. With LMTP, and where the
/// connection is lost between the messages into which a server's limits have divided one, some may have got
/// it: such an error does not say [`is_transient`](Self::is_transient), since to send the whole again would
/// deliver it twice. See [`remaining`](Self::remaining).
#[derive(Clone, Debug)]
pub struct Error(Kind);

#[derive(Clone, Debug)]
enum Kind {
    /// The URL or the settings are of no use, or no session was to be had.
    Client(delivery::Error),
    /// A name or an address is none.
    Address(AddressError),
    /// It was submitted, and not taken for everybody.
    Undelivered(Box<Report>),
}

impl Error {
    pub(crate) fn undelivered(report: Report) -> Self {
        Self(Kind::Undelivered(Box::new(report)))
    }

    /// Returns what became of each recipient, if the message was submitted at all. If it was not, nobody
    /// has got it.
    pub fn report(&self) -> Option<&Report> {
        match &self.0 {
            Kind::Undelivered(report) => Some(report),
            Kind::Client(_) | Kind::Address(_) => None,
        }
    }

    /// Returns the part of the message's envelope to send it to again: whoever was not refused for good and
    /// has not got it. Those in doubt are left out, who may have got it. `None` if nobody is left.
    pub fn remaining(
        &self,
        envelope: &lettre::address::Envelope,
    ) -> Option<lettre::address::Envelope> {
        let left = match &self.0 {
            Kind::Undelivered(report) => {
                let known = envelope.to().iter().zip(&report.recipients);
                let left = known.filter(|(_, outcome)| may_be_tried_again(outcome));
                left.map(|(address, _)| address.clone()).collect()
            }
            Kind::Client(error) if error.is_transient() => envelope.to().to_vec(),
            Kind::Client(_) | Kind::Address(_) => return None,
        };
        lettre::address::Envelope::new(envelope.from().cloned(), left).ok()
    }

    /// Returns whether the message may be sent again as it is: nobody has got it, or may have got it, and
    /// the server may take it later.
    pub fn is_transient(&self) -> bool {
        match &self.0 {
            Kind::Client(error) => error.is_transient(),
            Kind::Address(_) => false,
            Kind::Undelivered(report) => report.recipients.iter().all(may_be_tried_again),
        }
    }

    /// Returns whether the server has refused a recipient, or all of them, for good.
    pub fn is_permanent(&self) -> bool {
        match &self.0 {
            Kind::Client(error) => {
                let answer = error.answer();
                answer.is_some_and(|answer| answer.reply.class() == Class::Permanent)
            }
            Kind::Address(_) => false,
            Kind::Undelivered(report) => report.recipients.iter().any(is_permanent),
        }
    }

    /// Returns whether the message was not sent for what it or its envelope is, or how the transport was
    /// set up: nothing was asked of the server, or what it lacks was needed.
    pub fn is_client(&self) -> bool {
        match &self.0 {
            Kind::Client(error) => error.machine().is_none() && !error.is_transient(),
            Kind::Address(_) => true,
            Kind::Undelivered(report) => matches!(
                &report.outcome,
                Outcome::NotSent(not_sent) if not_sent.answer.is_none() && not_sent.is_permanent()
            ),
        }
    }

    /// Returns whether the server sent what is no reply, or answers nothing.
    pub fn is_response(&self) -> bool {
        matches!(
            self.fault(),
            Some(
                Fault::MalformedReply
                    | Fault::ReplyTooLong
                    | Fault::SurplusReply
                    | Fault::ImpossibleReply
            )
        )
    }

    /// Returns whether the server, or the network, took too long.
    pub fn is_timeout(&self) -> bool {
        match &self.0 {
            Kind::Client(delivery::Error::Connect(error)) => {
                error.kind() == io::ErrorKind::TimedOut
            }
            _ => matches!(self.fault(), Some(Fault::TimedOut(_))),
        }
    }

    /// Returns whether TLS failed, or could not be had where it is required.
    pub fn is_tls(&self) -> bool {
        let by_message = matches!(
            self.failure(),
            Some(Outcome::NotSent(not_sent)) if matches!(
                not_sent.reason,
                NotSentReason::TlsUnavailable | NotSentReason::ServerUnverified
            )
        );
        by_message || self.fault().and_then(Fault::tls_result_type).is_some()
    }

    /// Returns the code of the server's reply, if it was one that failed the message: of the first recipient
    /// that failed.
    pub fn status(&self) -> Option<Code> {
        in_lettres_words(self.reply()?).map(|response| response.code())
    }

    fn reply(&self) -> Option<&Reply<'static>> {
        match &self.0 {
            Kind::Client(error) => error.answer().map(|answer| &answer.reply),
            Kind::Address(_) => None,
            Kind::Undelivered(_) => match self.failure()? {
                Outcome::Refused(answer) => Some(&answer.reply),
                Outcome::NotSent(not_sent) => Some(&not_sent.answer.as_ref()?.reply),
                Outcome::Delivered(_) | Outcome::InDoubt => None,
            },
        }
    }

    /// Returns what became of the first recipient that was refused, or else has not got the message.
    fn failure(&self) -> Option<&Outcome<'static>> {
        let recipients = &self.report()?.recipients;
        let is_refused = |outcome: &&Outcome<'_>| matches!(outcome, Outcome::Refused(_));
        let refused = recipients.iter().find(is_refused);
        let has_it = |outcome: &&Outcome<'_>| matches!(outcome, Outcome::Delivered(_));
        refused.or_else(|| recipients.iter().find(|it| !has_it(it)))
    }

    fn fault(&self) -> Option<Fault> {
        match &self.0 {
            Kind::Client(error) => error.machine().map(|error| error.fault()),
            Kind::Address(_) | Kind::Undelivered(_) => None,
        }
    }
}

fn may_be_tried_again(outcome: &Outcome<'_>) -> bool {
    match outcome {
        Outcome::Delivered(_) | Outcome::InDoubt => false,
        // It is others who were refused.
        Outcome::NotSent(why) if why.reason == NotSentReason::NotForAll => true,
        Outcome::Refused(_) | Outcome::NotSent(_) => !is_permanent(outcome),
    }
}

fn is_permanent(outcome: &Outcome<'_>) -> bool {
    match outcome {
        Outcome::Delivered(_) | Outcome::InDoubt => false,
        Outcome::Refused(answer) => answer.reply.class() == Class::Permanent,
        Outcome::NotSent(not_sent) => not_sent.is_permanent(),
    }
}

impl From<delivery::Error> for Error {
    fn from(error: delivery::Error) -> Self {
        Self(Kind::Client(error))
    }
}

impl From<UrlError> for Error {
    fn from(error: UrlError) -> Self {
        Self(Kind::Client(error.into()))
    }
}

impl From<AddressError> for Error {
    fn from(error: AddressError) -> Self {
        Self(Kind::Address(error))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = match &self.0 {
            Kind::Client(error) => return error.fmt(f),
            Kind::Address(error) => return error.fmt(f),
            Kind::Undelivered(report) => report,
        };
        let has_it = |outcome: &&Outcome<'_>| matches!(outcome, Outcome::Delivered(_));
        let delivered = report.recipients.iter().filter(has_it).count();
        if delivered > 0 {
            let all = report.recipients.len();
            write!(f, "delivered to {delivered} of {all} recipients only: ")?;
        }
        match self.failure() {
            Some(Outcome::Refused(answer)) => answer.fmt(f),
            Some(Outcome::NotSent(not_sent)) => not_sent.fmt(f),
            Some(Outcome::InDoubt) => f.write_str(
                "the connection was lost before the server said whether it took the message",
            ),
            Some(Outcome::Delivered(_)) | None => f.write_str("the message has no recipient"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        // `Display` has said already what an inner error says.
        match &self.0 {
            Kind::Client(error) => error.source(),
            Kind::Address(error) => error.source(),
            Kind::Undelivered(_) => None,
        }
    }
}
