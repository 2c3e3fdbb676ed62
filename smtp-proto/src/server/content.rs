//! What comes of content: what the application is told of it, what the client is answered, and what it
//! costs.

use super::event::{Event, Reason, TransactionId};
use super::intake::{self, Intake, Message, Portion, Refusal};
use super::link::Link;
use super::question::{Detail, Question};
use super::table::{self, Place, State, Verb};
use crate::machine::{Dialect, Fault, Misuse};
use crate::syntax::{Code, Reply};

/// How far one step of reading got.
#[derive(Debug)]
pub(super) enum Step<'i> {
    Event(Event<'i>),
    /// Something was done that is no event.
    Again,
    /// Nothing can be done with the input as it is.
    Starved,
}

/// Reads content up to the next event.
pub(super) fn next<'i>(link: &mut Link, intake: &mut Intake, input: &mut &'i [u8]) -> Step<'i> {
    let before = input.len();
    let portion = intake.next_content(input);
    link.content_came(before.saturating_sub(input.len()) as u64);
    handle(link, intake, portion)
}

/// Takes the next `size` bytes for content of the transaction.
pub(super) fn begin_chunk<'i>(
    link: &mut Link,
    intake: &mut Intake,
    size: u64,
    last: bool,
) -> Step<'i> {
    chunk_begins(link, size);
    let portion = intake.begin_chunk(size, last);
    handle(link, intake, portion)
}

/// Swallows the next `size` bytes, which no transaction takes: they come whatever is said of them
/// (3030-2-j, X-6). How many are put up with is bounded.
pub(super) fn swallow_chunk(
    link: &mut Link,
    intake: &mut Intake,
    size: u64,
    last: bool,
    reason: Reason,
) {
    let most = intake::ceiling(link.footing().settings().max_message_size);
    if link.patience_mut().swallow(size, most) {
        link.close_for(Reason::TooMuchRefused, Fault::TooMuchRefused, &[]);
    } else {
        chunk_begins(link, size);
        intake.begin_stray_chunk(size, last, reason);
    }
}

/// Refuses the content that is coming, before its end.
pub(super) fn refuse(
    link: &mut Link,
    intake: &mut Intake,
    transaction: TransactionId,
    reply: &Reply<'_>,
) -> Result<(), Misuse> {
    table::check_negative(reply)?;
    let is_between_chunks = link.progress().state() == State::Chunks;
    if link.is_ending() || !intake.can_refuse(transaction, is_between_chunks) {
        return Err(Misuse::UnknownMessage);
    }
    // Of all replies that can refuse, 421 alone says that the connection closes (RFC 5321 3.8). It does
    // at once: what followed would be taken, and the client could not know.
    let closes = reply.code() == Code::NOT_AVAILABLE;
    let refusal = match closes {
        true => Refusal::Machine(Reason::Ended),
        false => Refusal::Application(link.compose(reply)),
    };
    intake.refuse(refusal);
    if closes {
        link.shut_down(reply);
    }
    Ok(())
}

/// Forgets a transaction that a chunk, or a command in its place, failed; returns what its content was
/// refused with. Nothing of it is taken any more until RSET (3030-2-n).
pub(super) fn break_transaction(link: &mut Link, intake: &mut Intake) -> Option<Refusal> {
    link.apply(Verb::Chunk, false);
    intake.transaction()?;
    // What was sent along cannot know (3030-2-l).
    link.pardon();
    intake.fail()
}

fn handle<'i>(link: &mut Link, intake: &mut Intake, portion: Portion<'i>) -> Step<'i> {
    match portion {
        Portion::None => return Step::Starved,
        Portion::Swallowed => {}
        Portion::Bytes { transaction, bytes } => {
            return Step::Event(Event::Content { transaction, bytes });
        }
        Portion::Refused {
            transaction,
            reason,
        } => {
            return Step::Event(Event::Reset {
                transaction,
                reason,
            });
        }
        Portion::Excess => {
            link.close_for(Reason::TooMuchRefused, Fault::TooMuchRefused, &[]);
        }
        Portion::Chunk => {
            link.apply(Verb::Chunk, true);
            link.say(Reason::Chunk, Place::First, intake.transaction());
        }
        Portion::RefusedChunk => {
            let transaction = intake.transaction();
            if let Some(refusal) = break_transaction(link, intake) {
                answer_refused(link, &refusal, 1, transaction);
            }
        }
        Portion::StrayChunk { reason, recipients } => {
            let replies = recipients.map_or(1, |it| replies_to_content(link, it));
            answer_refused(link, &Refusal::Machine(reason), replies, None);
        }
        Portion::Message(message) => {
            end(link, message);
            return ask_for_verdict(link, message);
        }
        Portion::RefusedMessage { message, refusal } => {
            end(link, message);
            let replies = replies_to_content(link, message.recipients);
            answer_refused(link, &refusal, replies, Some(message.transaction));
        }
    }
    Step::Again
}

fn chunk_begins(link: &mut Link, size: u64) {
    link.outbox_mut().trace_content(size);
    link.content_begins();
}

/// Ends a message. The next transaction may begin before the verdict over it.
fn end(link: &mut Link, message: Message) {
    if link.progress().state() == State::Content {
        link.outbox_mut().trace_content(message.bytes);
    }
    link.patience_mut().message_came(message.bytes);
    link.apply(Verb::Content, true);
}

/// Asks for the verdict over a message, for each accepted recipient in LMTP.
fn ask_for_verdict<'i>(link: &mut Link, message: Message) -> Step<'i> {
    let Message {
        transaction, bytes, ..
    } = message;
    if link.footing().dialect() == Dialect::Smtp {
        return Step::Event(Event::Message {
            ticket: link.ask(Question::new(Verb::Content).of(transaction)),
            transaction,
            bytes,
        });
    }
    // All at once, so that nothing comes between their replies. The application is told of one after the
    // other.
    for recipient in 0..u32::try_from(message.recipients).unwrap_or(u32::MAX) {
        let detail = Detail::Recipient { recipient, bytes };
        link.ask_later(Question::new(Verb::Delivery).of(transaction).with(detail));
    }
    Step::Again
}

/// Returns how many replies a content gets: in LMTP one for each accepted recipient, none at all if there
/// are none (2033-4.3-b, X-22, BDT-14).
fn replies_to_content(link: &Link, recipients: usize) -> usize {
    match link.footing().dialect() {
        Dialect::Smtp => 1,
        Dialect::Lmtp => recipients,
    }
}

/// Answers a content that is refused.
fn answer_refused(
    link: &mut Link,
    refusal: &Refusal,
    replies: usize,
    transaction: Option<TransactionId>,
) {
    for _ in 0..replies {
        match refusal {
            Refusal::Machine(reason) => link.say(*reason, Place::First, transaction),
            Refusal::Application(answer) => link.repeat(answer),
        }
    }
}
