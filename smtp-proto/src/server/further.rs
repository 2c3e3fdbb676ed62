//! Commands of extensions that stand beside the transactions, and those of the application.

use core::time::Duration;

use super::event::Event;
use super::replies;
use super::sequence::{self, Admission, Asked, Place, State};
use super::session::{Authentication, Session, Step};
use crate::syntax::{
    Argument, AttributeName, AttributeValue, Attributes, Command, Extension, ForwardingCommand,
    QueueNode, Word,
};

impl Session {
    /// Tells whether a command is one that the configuration gives to the application.
    pub(super) fn is_of_application(&self, command: &Command<'_>) -> bool {
        match command {
            Command::Other { verb, .. } => self.settings().additions.has_command(verb),
            _ => false,
        }
    }

    /// Parts the argument of VRFY or EXPN from the SMTPUTF8 after it (6531-3.7.4-c).
    pub(super) fn name<'i>(&self, argument: Argument<'i>) -> (Argument<'i>, bool) {
        let flag = Extension::SmtpUtf8.keyword();
        let name = match argument.as_str().rsplit_once(' ') {
            Some((name, last)) if last.eq_ignore_ascii_case(flag) && self.offers_utf8() => name,
            _ => return (argument, false),
        };
        Argument::parse(name.trim_end()).map_or((argument, false), |name| (name, true))
    }

    fn offers_utf8(&self) -> bool {
        self.esmtp && self.capabilities().has(Extension::SmtpUtf8)
    }

    /// Handles a command of the application's.
    pub(super) fn other<'i>(
        &mut self,
        verb: Word<'i>,
        argument: Option<Argument<'i>>,
        line: &'i [u8],
        now: Duration,
    ) -> Step<'i> {
        self.tally.understood = true;
        let rule = sequence::rule_of_others();
        match self.admission(None, &rule) {
            Admission::Take => {
                self.ask_idly(Asked::Other, rule.place, now, |ticket| Event::Command {
                    ticket,
                    verb,
                    argument,
                })
            }
            refused => self.turn_down(None, refused, rule.place, line),
        }
    }

    pub(super) fn etrn<'i>(
        &mut self,
        node: Word<'i>,
        place: Place,
        line: &'i [u8],
        now: Duration,
    ) -> Step<'i> {
        match QueueNode::parse(node.as_str()) {
            Ok(node) => self.ask_idly(Asked::Etrn, place, now, |ticket| Event::Etrn {
                ticket,
                node,
            }),
            Err(_) => self.reject(&replies::BAD_ARGUMENT, line, place),
        }
    }

    pub(super) fn forwarding<'i>(
        &mut self,
        attributes: Attributes<'i>,
        place: Place,
        now: Duration,
    ) -> Step<'i> {
        match attributes.command() {
            ForwardingCommand::XForward => self.ask_idly(Asked::XForward, place, now, |ticket| {
                Event::XForward { ticket, attributes }
            }),
            ForwardingCommand::XClient => {
                let login = attributes.get(AttributeName::Login);
                let login = login.map(|it| matches!(it.value(), AttributeValue::Text(_)));
                self.ask_idly(Asked::XClient { login }, place, now, |ticket| {
                    Event::XClient { ticket, attributes }
                })
            }
        }
    }

    /// Begins the session of the client that a proxy speaks for (XCLIENT-c). TLS stays, and so does
    /// what was counted. That the proxy has authenticated itself is nothing to its client.
    pub(super) fn begin_afresh(&mut self, login: Option<bool>) {
        self.state = State::Ungreeted;
        self.esmtp = false;
        let is_known = self.is_spoken_for && self.authentication == Authentication::Done;
        self.is_spoken_for = true;
        self.authentication = match login.unwrap_or(is_known) {
            true => Authentication::Done,
            false => Authentication::Missing,
        };
    }
}
