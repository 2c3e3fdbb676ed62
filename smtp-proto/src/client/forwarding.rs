//! What the client says of other clients, by XCLIENT and XFORWARD: as much as the server takes, a line a
//! command.

use alloc::{borrow::Cow, string::String, vec::Vec};

use super::demand::Demand;
use crate::{
    machine::Remark,
    syntax::{
        Attribute, AttributeName, AttributeValue, Capabilities, Code, ForwardingCommand, Reply,
        write_attributes,
    },
};

/// Command lines that are sent one after the other.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<u8>);

impl Lines {
    /// Composes the commands that say these attributes to a server, of those that it takes.
    ///
    /// XFORWARD says of every other one that it is not known, as Postfix's own proxy does.
    fn new(
        command: ForwardingCommand,
        given: &[Attribute<'static>],
        offered: &Capabilities,
    ) -> Self {
        let names = command.attributes().iter().copied();
        let taken = names.filter(|&name| takes(offered, command, name));
        let said = taken.filter_map(|name| {
            let known = given.iter().find(|attribute| attribute.name() == name);
            known.cloned().or_else(|| unknown(command, name))
        });
        let mut lines = Vec::new();
        write_attributes(command, &said.collect::<Vec<_>>(), &mut lines);
        Self(lines)
    }

    /// Returns the line at this place, if there are so many.
    pub(super) fn get(&self, at: usize) -> Option<&[u8]> {
        self.0.split_inclusive(|&byte| byte == b'\n').nth(at)
    }
}

fn takes(offered: &Capabilities, command: ForwardingCommand, name: AttributeName) -> bool {
    let mut names = offered.attributes(command);
    names.any(|taken| taken == name)
}

fn unknown(command: ForwardingCommand, name: AttributeName) -> Option<Attribute<'static>> {
    let is_said = match command {
        // What it does not say stays as it is.
        ForwardingCommand::XClient => false,
        // Postfix takes an unavailable source for a local one, whose mail may be trusted with more.
        ForwardingCommand::XForward => name != AttributeName::Source,
    };
    is_said.then(|| Attribute::unavailable(name))
}

/// The client that a session is for (XCLIENT).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SpokenFor {
    attributes: Vec<Attribute<'static>>,
    demand: Demand,
}

impl SpokenFor {
    pub(super) fn new(demand: Demand, attributes: Vec<Attribute<'static>>) -> Self {
        Self { attributes, demand }
    }

    /// Returns whether the server has to take every attribute.
    pub(super) fn is_required(&self) -> bool {
        self.demand == Demand::Required
    }

    /// Composes the commands, unless the server takes less than it has to.
    pub(super) fn begin(&self, offered: &Capabilities) -> Option<Spoken> {
        let command = ForwardingCommand::XClient;
        let mut names = self.attributes.iter().map(Attribute::name);
        let is_taken = names.all(|name| takes(offered, command, name));
        (is_taken || !self.is_required()).then(|| Spoken {
            lines: Lines::new(command, &self.attributes, offered),
            accepted: 0,
            is_answered_250: false,
        })
    }

    /// Returns what the server takes, and what there is to say.
    pub(super) fn mismatch(&self, offered: &Capabilities) -> Remark {
        let offered = offered.attributes(ForwardingCommand::XClient);
        let own = self.attributes.iter().map(Attribute::name);
        Remark::mismatch(
            offered.map(AttributeName::as_str),
            own.map(AttributeName::as_str),
        )
    }

    /// Returns what the client calls itself in EHLO, if that is known.
    pub(super) fn name(&self) -> Option<String> {
        let mut attributes = self.attributes.iter();
        let given = attributes.find(|attribute| attribute.name() == AttributeName::Helo)?;
        match given.value() {
            AttributeValue::Text(name) => Some(Cow::into_owned(name)),
            AttributeValue::Unavailable | AttributeValue::TemporarilyUnavailable => None,
        }
    }
}

/// What is said of that client, a line after the other.
#[derive(Debug)]
pub(super) struct Spoken {
    lines: Lines,
    accepted: usize,
    /// A line was answered 250, as by Postfix before 2.3, which does not begin anew.
    is_answered_250: bool,
}

impl Spoken {
    /// Returns the line whose turn it is, unless all were accepted.
    pub(super) fn line(&self) -> Option<&[u8]> {
        self.lines.get(self.accepted)
    }

    /// Accounts for a line that the server has accepted, by this reply.
    pub(super) fn accept(&mut self, reply: &Reply<'_>) {
        self.accepted = self.accepted.saturating_add(1);
        self.is_answered_250 |= reply.code() == Code::OK;
    }

    /// Returns whether a line was accepted by 250, which may be the answer to another command.
    pub(super) fn is_answered_250(&self) -> bool {
        self.is_answered_250
    }
}

/// Whom a message is from, for the server's log (XFORWARD).
#[derive(Debug)]
pub(super) struct Origin {
    attributes: Vec<Attribute<'static>>,
    lines: Lines,
}

impl Origin {
    /// Takes over what is known.
    pub(super) fn new(attributes: &[Attribute<'_>]) -> Self {
        let attributes = attributes.iter().cloned();
        Self {
            attributes: attributes.map(Attribute::into_owned).collect(),
            lines: Lines::default(),
        }
    }

    /// Composes the commands.
    pub(super) fn fit(&mut self, offered: &Capabilities) {
        self.lines = Lines::new(ForwardingCommand::XForward, &self.attributes, offered);
    }

    pub(super) fn lines(&self) -> &Lines {
        &self.lines
    }
}
