//! Commands that the application has sent between messages: which ones, and when.

use alloc::vec::Vec;

use super::{
    event::CommandId,
    session::{Phase, Session},
    transaction::{Stage, TransactionId},
};
use crate::{
    machine::{Misuse, limits},
    syntax::{Argument, Command, Extension, ForwardingCommand},
};

impl Session {
    pub(super) fn command(&mut self, command: &Command<'_>) -> Result<CommandId, Misuse> {
        if self.is_ending() {
            return Err(Misuse::Ending);
        }
        if self.phase != Phase::Ready || self.early {
            return Err(Misuse::NotOpen);
        }
        if self.own_commands.is_full() {
            return Err(Misuse::QueueFull);
        }
        let mut line = Vec::new();
        command.write_to(&mut line);
        if line.len() > limits::OWN_COMMAND {
            return Err(Misuse::CommandTooLong);
        }
        let missing = |extension: &Extension| !self.capabilities.has(*extension);
        if needs(command, &line)?.iter().flatten().any(missing) {
            return Err(Misuse::NotOffered);
        }
        let before = self.transactions.ids().end;
        Ok(self.own_commands.push(before, line))
    }

    /// Tells whether a command of the application's is to be sent before anything of the transaction
    /// that is next, if there is one.
    pub(super) fn is_own_command_due(&self, next: Option<(TransactionId, Stage)>) -> bool {
        self.own_commands.goes_before().is_some_and(|before| {
            next.is_none_or(|(id, stage)| stage == Stage::Waiting && before <= id)
        })
    }
}

/// Returns which extensions a server has to offer for a command, if it is the application's to send.
fn needs(command: &Command<'_>, line: &[u8]) -> Result<[Option<Extension>; 2], Misuse> {
    // 6531-3.7.4-c
    let is_flagged = |argument: &Argument<'_>| {
        let last = argument.rsplit(' ').next().unwrap_or_default();
        last.eq_ignore_ascii_case(Extension::SmtpUtf8.keyword())
    };
    let utf8 = Some(Extension::SmtpUtf8);
    let text = utf8.filter(|_| !line.is_ascii());
    Ok(match command {
        Command::Noop | Command::Help(_) => [text, None],
        Command::Vrfy(name) | Command::Expn(name) => [text, utf8.filter(|_| is_flagged(name))],
        Command::Etrn(_) => [Some(Extension::Etrn), None],
        Command::Forwarding(attributes) if attributes.command() == ForwardingCommand::XForward => {
            [Some(Extension::XForward), None]
        }
        // Nothing that is the machine's own to send hides behind another's name (INJ-1).
        Command::Other { verb, .. }
            if verb
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && matches!(
                    Command::parse(line.trim_ascii_end()),
                    Ok(Command::Other { .. })
                ) =>
        {
            [text, None]
        }
        _ => return Err(Misuse::ReservedCommand),
    })
}
