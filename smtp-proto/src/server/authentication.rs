//! AUTH and its exchange (RFC 4954).

use core::time::Duration;

use super::event::{Event, Refused, Ticket, TransactionId};
use super::sasl::SaslResponse;
use super::sequence::{Asked, Place};
use super::session::{Authentication, Security, Session, Step};
use super::{replies, sasl};
use crate::machine::{Misuse, Origin};
use crate::syntax::{InitialResponse, Reply};

impl Session {
    pub(super) fn authenticate<'i>(
        &mut self,
        mechanism: &str,
        initial_response: Option<InitialResponse<'_>>,
        line: &'i [u8],
        place: Place,
        now: Duration,
    ) -> Step<'i> {
        let settings = self.settings();
        if self.tally.failed_authentications >= settings.max_auth_failures {
            // 4954-9-a
            self.close_on_errors();
            return Step::Again;
        }
        let is_encrypted = self.security == Security::Encrypted;
        let Some(mechanism) = settings.mechanism(mechanism, is_encrypted).cloned() else {
            // 4954-4-c, 4954-4-v
            return self.reject(&replies::MECHANISM_UNKNOWN, line, place);
        };
        let initial_response = match initial_response.map(|it| it.as_str()) {
            None => None,
            Some(text) => match SaslResponse::decode_initial(text) {
                Some(response) => Some(response),
                None => {
                    self.count_failed_authentication();
                    return self.reject(&replies::NOT_BASE64, line, place);
                }
            },
        };
        Step::Event(Event::Auth {
            ticket: self.ask(Asked::Auth, TransactionId(0), place, now),
            mechanism,
            initial_response,
        })
    }

    /// Handles a line of the exchange, whatever it looks like.
    pub(super) fn response<'i>(&mut self, line: &[u8], now: Duration) -> Step<'i> {
        if let Some(trace) = &mut self.trace {
            trace.lines(Origin::Remote, self.round_trips, b"***");
        }
        if line == b"*" {
            // 4954-4-g
            return self.break_off(&replies::AUTHENTICATION_CANCELLED);
        }
        let Some(response) = SaslResponse::decode(line) else {
            return self.break_off(&replies::NOT_BASE64);
        };
        self.authentication = Authentication::Missing;
        Step::Event(Event::AuthResponse {
            ticket: self.ask(Asked::Auth, TransactionId(0), Place::Last, now),
            response,
        })
    }

    pub(super) fn response_too_long<'i>(&mut self) -> Step<'i> {
        self.break_off(&replies::RESPONSE_TOO_LONG)
    }

    /// Ends an exchange that leads nowhere.
    fn break_off<'i>(&mut self, reply: &'static Reply<'static>) -> Step<'i> {
        self.authentication = Authentication::Missing;
        self.count_failed_authentication();
        self.reject(reply, &[], Place::Last)
    }

    pub(super) fn challenge(&mut self, ticket: Ticket, challenge: &[u8]) -> Result<(), Refused> {
        let question = match self.question(&ticket) {
            Ok(question) if question.asked == Asked::Auth => question,
            Ok(_) => {
                let misuse = Misuse::WrongReplyClass;
                return Err(Refused { ticket, misuse });
            }
            Err(misuse) => return Err(Refused { ticket, misuse }),
        };
        let answer = self.pipeline.compose(|out| {
            // 4954-4-e, 4954-4-f
            out.extend_from_slice(b"334 ");
            sasl::encode(challenge, out);
            out.extend_from_slice(b"\r\n");
        });
        self.authentication = Authentication::Exchange;
        // What came after an initial response was not meant for this.
        self.receipts.expect_wait(question.serial);
        self.pipeline.answer(question, answer, None);
        self.depart();
        Ok(())
    }

    /// Takes the verdict over an exchange.
    pub(super) fn settle_authentication(&mut self, is_positive: bool) {
        if is_positive {
            self.authentication = Authentication::Done;
        } else {
            self.count_failed_authentication();
            self.count_error();
        }
    }

    #[cfg(feature = "auth")]
    pub(super) fn channel(&self) -> crate::sasl::Channel<'_> {
        let is_encrypted = self.security == Security::Encrypted;
        let offered = self.settings().usable_mechanisms(is_encrypted);
        let offered = offered.map(|mechanism| &**mechanism);
        match &self.tls {
            Some(tls) => crate::sasl::Channel::secured(tls, offered),
            None => crate::sasl::Channel::in_clear(offered),
        }
    }

    fn count_failed_authentication(&mut self) {
        let failed = &mut self.tally.failed_authentications;
        *failed = failed.saturating_add(1);
    }
}
