//! Commands that are the application's as they are.

use super::event::{Event, Reason, Ticket};
use super::question::Detail;
use crate::syntax::{
    Argument, AttributeName, AttributeValue, Attributes, Command, ForwardingCommand, Host,
    QueueNode, Word,
};

/// What the application is to be asked, but for the right to answer.
#[derive(Debug)]
pub(super) enum Asking<'i> {
    Hello {
        host: Host<'i>,
        esmtp: bool,
    },
    StartTls,
    Vrfy {
        name: Argument<'i>,
        utf8: bool,
    },
    Expn {
        name: Argument<'i>,
        utf8: bool,
    },
    Help(Option<Argument<'i>>),
    Etrn(QueueNode<'i>),
    XClient(Attributes<'i>),
    XForward(Attributes<'i>),
    Own {
        verb: Word<'i>,
        argument: Option<Argument<'i>>,
    },
}

impl<'i> Asking<'i> {
    /// Returns what a command asks, or why it cannot. `utf8` tells whether its answer may have UTF-8.
    pub(super) fn of(command: Command<'i>, utf8: bool, line: &'i [u8]) -> Result<Self, Reason> {
        Ok(match command {
            Command::Ehlo(host) | Command::Lhlo(host) => Self::Hello { host, esmtp: true },
            Command::Helo(host) => Self::Hello { host, esmtp: false },
            Command::StartTls => Self::StartTls,
            Command::Vrfy(name) => Self::Vrfy { name, utf8 },
            Command::Expn(name) => Self::Expn { name, utf8 },
            Command::Help(topic) => Self::Help(topic),
            Command::Etrn(node) => {
                Self::Etrn(QueueNode::parse(node.as_str()).map_err(|_| Reason::BadArgument)?)
            }
            Command::Forwarding(attributes) => match attributes.command() {
                ForwardingCommand::XClient => Self::XClient(attributes),
                ForwardingCommand::XForward => Self::XForward(attributes),
            },
            Command::Other { verb, argument } => Self::Own { verb, argument },
            // NOOP and QUIT, if the application wishes: their arguments are in the line only.
            _ => {
                let text = core::str::from_utf8(line).unwrap_or_default().trim_end();
                let (verb, argument) = text.split_once(' ').unwrap_or((text, ""));
                Self::Own {
                    verb: Word::parse(verb).map_err(|_| Reason::Unrecognised)?,
                    argument: Argument::parse(argument.trim_start()).ok(),
                }
            }
        })
    }

    /// Returns what is to be remembered of it until it is answered.
    pub(super) fn detail(&self) -> Detail {
        match self {
            Self::Vrfy { utf8, .. } | Self::Expn { utf8, .. } => Detail::Utf8(*utf8),
            Self::XClient(attributes) => {
                let login = attributes.get(AttributeName::Login);
                Detail::Login(login.map(|it| matches!(it.value(), AttributeValue::Text(_))))
            }
            _ => Detail::None,
        }
    }

    /// Returns the event that asks it.
    pub(super) fn into_event(self, ticket: Ticket) -> Event<'i> {
        match self {
            Self::Hello { host, esmtp } => Event::Hello {
                ticket,
                host,
                esmtp,
            },
            Self::StartTls => Event::StartTls { ticket },
            Self::Vrfy { name, utf8 } => Event::Vrfy { ticket, name, utf8 },
            Self::Expn { name, utf8 } => Event::Expn { ticket, name, utf8 },
            Self::Help(topic) => Event::Help { ticket, topic },
            Self::Etrn(node) => Event::Etrn { ticket, node },
            Self::XClient(attributes) => Event::XClient { ticket, attributes },
            Self::XForward(attributes) => Event::XForward { ticket, attributes },
            Self::Own { verb, argument } => Event::Command {
                ticket,
                verb,
                argument,
            },
        }
    }
}
