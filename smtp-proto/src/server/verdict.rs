//! Verdicts: how they are given, by the application or in its stead, and what they do to the session.

use super::event::{Reason, Refused, Ticket};
use super::intake::Intake;
use super::link::Link;
use super::question::{Detail, Question};
use super::replies::Wording;
use super::table::{self, Verb};
use super::tickets::Subject;
use crate::machine::{Fault, Misuse, Timer};
use crate::syntax::Reply;

/// A verdict that was taken, and is to have its effect.
#[derive(Clone, Copy, Debug)]
struct Verdict<'q> {
    question: &'q Question,
    is_positive: bool,
    /// Whether it is the application's, and not the machine's in its stead.
    is_given: bool,
}

/// Accepts what the ticket stands for.
pub(super) fn accept(link: &mut Link, intake: &mut Intake, ticket: Ticket) -> Result<(), Refused> {
    reply_in_words(link, intake, ticket, Verb::accepted)
}

/// Refuses what the ticket stands for, as nobody handles it.
pub(super) fn decline(link: &mut Link, intake: &mut Intake, ticket: Ticket) -> Result<(), Refused> {
    reply_in_words(link, intake, ticket, Verb::declined)
}

/// Answers what the ticket stands for.
pub(super) fn reply(
    link: &mut Link,
    intake: &mut Intake,
    ticket: Ticket,
    reply: &Reply<'_>,
) -> Result<(), Refused> {
    let (serial, question) = find(link, ticket, |subject| subject.check(reply))?;
    let verb = question.map_or(Verb::Content, |it| it.verb);
    let closes = verb.is_closed_by(reply.code());
    match closes {
        true => link.close_after(serial, verb, Some(reply)),
        false => link.answer(serial, verb, reply),
    }
    settle(
        link,
        intake,
        question.as_ref(),
        !closes && reply.is_positive(),
    );
    Ok(())
}

/// Answers what the ticket stands for, if by anything, and ends the session.
pub(super) fn close(
    link: &mut Link,
    intake: &mut Intake,
    ticket: Ticket,
    reply: Option<&Reply<'_>>,
) -> Result<(), Refused> {
    let check = |_: &Subject<'_>| reply.map_or(Ok(()), table::check_negative);
    let (serial, question) = find(link, ticket, check)?;
    let verb = question.map_or(Verb::Content, |it| it.verb);
    link.close_after(serial, verb, reply);
    settle(link, intake, question.as_ref(), false);
    Ok(())
}

/// Challenges a client that authenticates itself.
pub(super) fn challenge(link: &mut Link, ticket: Ticket, challenge: &[u8]) -> Result<(), Refused> {
    let check = |subject: &Subject<'_>| match subject.question() {
        Some(question) if question.verb.is_auth() => Ok(()),
        _ => Err(Misuse::WrongReplyClass),
    };
    let (serial, _) = find(link, ticket, check)?;
    link.challenge(serial, challenge);
    Ok(())
}

/// Answers for an application that took too long, all that is due.
pub(super) fn expire(link: &mut Link, intake: &mut Intake) {
    while let Some((serial, subject)) = link.next_overdue() {
        match subject.question() {
            Some(question) => {
                let verdict = Verdict {
                    question: &question,
                    is_positive: link.answer_in_words(serial, question.verb.overdue()),
                    is_given: false,
                };
                verdict.settle(link, intake);
            }
            None => link.let_go(serial),
        }
    }
}

/// Returns the place of a command, and what is asked about it unless the ticket is for a reply of the
/// machine's own; hands the ticket back where it is no good, or the check fails.
fn find(
    link: &Link,
    ticket: Ticket,
    check: impl FnOnce(&Subject<'_>) -> Result<(), Misuse>,
) -> Result<(u64, Option<Question>), Refused> {
    let found = link.outbox().look_up(&ticket);
    found
        .and_then(|(serial, subject)| {
            check(&subject)?;
            Ok((serial, subject.question()))
        })
        .map_err(|misuse| Refused { ticket, misuse })
}

/// Answers for the application in words of the machine's; in those that it has already, if they are under
/// review.
#[inline]
fn reply_in_words(
    link: &mut Link,
    intake: &mut Intake,
    ticket: Ticket,
    words: impl FnOnce(Verb) -> Wording,
) -> Result<(), Refused> {
    let (serial, question) = find(link, ticket, |_| Ok(()))?;
    let Some(question) = question else {
        link.let_go(serial);
        return Ok(());
    };
    let is_positive = link.answer_in_words(serial, words(question.verb));
    settle(link, intake, Some(&question), is_positive);
    Ok(())
}

/// Does what an answer of the application's means, if it is one to a question.
fn settle(link: &mut Link, intake: &mut Intake, question: Option<&Question>, is_positive: bool) {
    match question {
        Some(question) => {
            let verdict = Verdict {
                question,
                is_positive,
                is_given: true,
            };
            verdict.settle(link, intake);
        }
        None => link.depart(),
    }
}

impl Verdict<'_> {
    /// Does what the verdict means for the session, and lets its reply leave.
    fn settle(self, link: &mut Link, intake: &mut Intake) {
        self.take_effect(link, intake);
        link.depart();
    }

    fn take_effect(self, link: &mut Link, intake: &mut Intake) {
        let Question {
            verb,
            transaction,
            detail,
        } = *self.question;
        let is_positive = self.is_positive;
        // A verdict may come when its transaction is gone: RSET, EHLO and a chunk that fails do not wait
        // for those over recipients. It then changes nothing but the reply.
        let is_current = match (verb, transaction) {
            (Verb::Mail, Some(id)) => intake.sender_decided(id, is_positive),
            (Verb::Recipient, Some(id)) => intake.recipient_decided(id, is_positive),
            (Verb::Data, transaction) => intake.transaction() == transaction,
            // The state went on at the end of the content, lest the next MAIL wait for this.
            _ => !verb.is_of_message(),
        };
        if link.is_ending() {
            return;
        }
        if is_current {
            link.apply(verb, is_positive);
        }
        match (verb, detail) {
            (Verb::Ehlo | Verb::Lhlo | Verb::Helo, _) if is_positive => {
                // 5321-4.1.4-b
                intake.abandon(Reason::Hello);
                link.footing_mut().introduced(verb != Verb::Helo);
            }
            // Its recipients may be on their way (2920-3.1-b).
            (Verb::Mail, _) if is_current && !is_positive => link.pardon(),
            (Verb::Data, _) if is_current && is_positive => {
                intake.begin_data();
                link.content_begins();
            }
            (Verb::StartTls, _) => link.tls_decided(is_positive),
            (Verb::Auth | Verb::AuthAtOnce, _) if is_positive => {
                link.security_mut().authenticated();
            }
            (Verb::Auth | Verb::AuthAtOnce, _) => {
                link.patience_mut().count_failed_authentication();
            }
            (Verb::XClient, Detail::Login(login)) if is_positive => {
                link.security_mut().spoken_for(login);
                link.footing_mut().begun_afresh();
            }
            (Verb::Content | Verb::Delivery, _) if is_positive => {
                link.patience_mut().message_accepted();
            }
            (Verb::Quit, _) if is_positive => link.quit(false),
            // Without a greeting in time there is no session.
            (Verb::Connect, _) if !self.is_given => {
                link.fail(Fault::TimedOut(Timer::Verdict), &[]);
            }
            _ => {}
        }
        // That the application took too long is no fault of the client's.
        if self.is_given && !is_positive && verb.counts_refusals() {
            link.count_error();
        }
    }
}
