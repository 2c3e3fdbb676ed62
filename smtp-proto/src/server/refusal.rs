//! What the machine refuses by itself: lines that are no commands, and commands that are not in their
//! place.

use super::content::{self, Step};
use super::event::Reason;
use super::intake::Intake;
use super::lines::Lines;
use super::link::Link;
use super::progress::{Misplaced, Standing};
use super::table::{Place, Spoils, State, Verb};
use crate::machine::{Fault, ForeignProtocol};
use crate::syntax::{Command, CommandError, CommandErrorKind};

/// Returns whether a command is in its place, or why not.
#[inline]
pub(super) fn admit(link: &Link, intake: &Intake, verb: Verb) -> Result<(), Misplaced> {
    let standing = Standing {
        footing: link.footing(),
        security: link.security(),
        intake,
    };
    link.progress().admit(verb, &standing)
}

/// Answers a command that is not in its place.
pub(super) fn turn_down<'i>(
    link: &mut Link,
    intake: &mut Intake,
    verb: Verb,
    misplaced: Misplaced,
    command: &Command<'i>,
    line: &'i [u8],
) -> Step<'i> {
    let Misplaced { reason, spoils } = misplaced;
    match spoils {
        Spoils::Nothing => {}
        Spoils::Followers => return refuse(link, intake, verb, reason, line),
        Spoils::Transaction => drop(content::break_transaction(link, intake)),
    }
    let step = match command {
        // Its bytes come, whatever is said of them, and the answer after them.
        Command::Bdat { size, last } if reason != Reason::NotImplemented => {
            content::swallow_chunk(link, intake, *size, *last, reason);
            Step::Event(link.rejection(reason, line))
        }
        _ => decline(link, intake, reason, line, verb.place()),
    };
    link.count_misplaced();
    step
}

/// Answers a line that is no command, or none of the form that its verb demands.
pub(super) fn malformed<'i>(
    link: &mut Link,
    lines: &mut Lines,
    intake: &Intake,
    error: CommandError,
    line: &'i [u8],
) -> Step<'i> {
    let Some(verb) = error.verb().map(Verb::named) else {
        return unrecognised(link, lines, intake, line);
    };
    lines.understood();
    let reason = match admit(link, intake, verb) {
        Err(misplaced) if misplaced.is_about_verb() => misplaced.reason,
        _ => match error.kind() {
            // 5321-4.1.1.11-a
            CommandErrorKind::Parameter(Some(name)) if !link.footing().takes(name) => {
                Reason::NotOffered
            }
            CommandErrorKind::Address if verb == Verb::Mail => Reason::BadSender,
            CommandErrorKind::Address => Reason::BadRecipient,
            CommandErrorKind::ChunkSize => Reason::BadChunkSize,
            _ => Reason::BadArgument,
        },
    };
    let step = refuse(link, intake, verb, reason, line);
    if error.kind() == CommandErrorKind::ChunkSize && reason != Reason::NotImplemented {
        // BDT-1: commands cannot be told from content any more.
        link.fail(Fault::MalformedChunk, line);
    }
    step
}

/// Answers a line whose verb nobody knows.
pub(super) fn unrecognised<'i>(
    link: &mut Link,
    lines: &Lines,
    intake: &Intake,
    line: &'i [u8],
) -> Step<'i> {
    if link.progress().state() == State::TurnedAway {
        return reject(link, intake, Reason::TurnedAway, line, Place::Any);
    }
    if let Some(protocol) = lines.foreign(line) {
        return foreign(link, intake, protocol, line, line);
    }
    let verb = line.split(|byte| *byte == b' ').next();
    let verb = verb.and_then(|verb| core::str::from_utf8(verb).ok());
    match verb.is_some_and(|verb| link.footing().settings().has_command(verb)) {
        true => reject(link, intake, Reason::BadArgument, line, Place::Last),
        false => reject(link, intake, Reason::Unrecognised, line, Place::Any),
    }
}

/// Takes leave of a client that speaks another protocol, of which `bytes` are an example.
pub(super) fn foreign<'i>(
    link: &mut Link,
    intake: &Intake,
    protocol: ForeignProtocol,
    line: &'i [u8],
    bytes: &[u8],
) -> Step<'i> {
    let step = reject(link, intake, Reason::ForeignProtocol, line, Place::Any);
    link.fail(Fault::ForeignProtocol(protocol), bytes);
    step
}

/// Takes leave of a client whose lines end in LF, or whose commands hide others. `line` is what stands
/// before the LF.
pub(super) fn bare_line_feed<'i>(
    link: &mut Link,
    lines: &Lines,
    intake: &Intake,
    line: &'i [u8],
) -> Step<'i> {
    let line = link.security().quotable(line);
    link.outbox_mut().trace_line(line);
    if let Some(protocol) = lines.foreign(line) {
        return foreign(link, intake, protocol, line, line);
    }
    let step = reject(link, intake, Reason::BareLineFeed, line, Place::Any);
    link.fail(Fault::BareLineFeed, line);
    step
}

/// Refuses a command that is in its place.
pub(super) fn refuse<'i>(
    link: &mut Link,
    intake: &Intake,
    verb: Verb,
    reason: Reason,
    line: &'i [u8],
) -> Step<'i> {
    if verb.has_followers() {
        link.pardon();
    }
    reject(link, intake, reason, line, verb.place())
}

/// Refuses a line, and counts that as an error.
pub(super) fn reject<'i>(
    link: &mut Link,
    intake: &Intake,
    reason: Reason,
    line: &'i [u8],
    place: Place,
) -> Step<'i> {
    let step = decline(link, intake, reason, line, place);
    link.count_error();
    step
}

/// Refuses a line.
pub(super) fn decline<'i>(
    link: &mut Link,
    intake: &Intake,
    reason: Reason,
    line: &'i [u8],
    place: Place,
) -> Step<'i> {
    link.say(reason, place, intake.transaction());
    Step::Event(link.rejection(reason, line))
}
