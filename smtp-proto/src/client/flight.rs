//! One flight: the commands that may be sent now, and what may be written of a content, in the order of
//! the wire.

use alloc::vec::Vec;

use super::{
    action::{Action, Said},
    body_error::BodyError,
    config::Config,
    content::{Piece, Presented},
    event::{MessageId, NotSent, NotSentReason},
    link::{Link, Opened},
    messages::Messages,
    opening::Opening,
    table::{Standing, State, Turn, Verb},
    terms::Terms,
    transaction::TransactionId,
    watch::Observed,
    writer::{Broken, Buffers},
};
use crate::framing::Slices;

const CHANGED: &str = "it is not what it was when its size or its end was announced";

/// Puts together what leaves next. It lasts for one transmission, and owns nothing.
pub(super) struct Flight<'s> {
    config: &'s Config,
    standing: &'s mut Standing,
    opening: &'s mut Opening,
    messages: &'s mut Messages,
    link: &'s mut Link,
}

/// What is rendered next.
#[derive(Clone, Copy, Debug)]
enum Next {
    Opening(Verb),
    Action(Action),
}

impl<'s> Flight<'s> {
    pub(super) fn new(
        config: &'s Config,
        standing: &'s mut Standing,
        opening: &'s mut Opening,
        messages: &'s mut Messages,
        link: &'s mut Link,
    ) -> Self {
        Self {
            config,
            standing,
            opening,
            messages,
            link,
        }
    }

    /// Renders what may be sent, and returns what is offered to the transport. `body` is what was
    /// presented of a transaction's content.
    pub(super) fn fill<'a>(
        &mut self,
        body: Option<(TransactionId, Presented<'a>)>,
        buffers: &'a mut Buffers,
    ) -> Slices<'a> {
        let Buffers { commands, scratch } = buffers;
        let mut slices = Slices::new();
        self.messages.advance();
        self.render(commands);
        // What follows the end of a content leaves with it.
        if self.write_kept(commands) {
            self.render(commands);
        }
        if let Some((id, presented)) = body {
            self.write_body(id, presented, commands, scratch, &mut slices);
            self.render(commands);
        }
        if self.standing.state() == State::Closed || !self.link.is_sound() {
            self.link.withhold();
            return Slices::new();
        }
        self.link.offer(commands, &mut slices);
        slices
    }

    /// Renders every command that may be sent now.
    fn render(&mut self, commands: &mut Vec<u8>) {
        while self.link.takes_commands(commands.len())
            && let Some(next) = self.next()
        {
            let has_room = match next {
                Next::Action(Action::Recipients(id)) => self.render_recipients(id, commands),
                next => self.render_command(next, commands),
            };
            if !has_room {
                return;
            }
        }
    }

    /// Renders a command, unless it is left out. Returns whether there is room for its reply.
    fn render_command(&mut self, next: Next, commands: &mut Vec<u8>) -> bool {
        let start = commands.len();
        let is_ahead = self.link.oldest().is_some();
        let written = match next {
            Next::Opening(verb) => {
                self.opening.write(verb, self.config, commands);
                Some(Said::by_session(verb))
            }
            Next::Action(action) => {
                let offered = self.opening.capabilities();
                self.messages.write(action, offered, commands)
            }
        };
        let Some(said) = written else {
            return true;
        };
        if !self.link.say(said, commands, start, self.config) {
            return false;
        }
        self.observe(said);
        match next {
            Next::Opening(verb) => self.sent_opening(verb),
            Next::Action(action) => self.messages.sent(action, said.verb, is_ahead),
        }
        true
    }

    /// Renders RCPT for the recipients of an envelope, one after the other: nothing else can be due before
    /// they are sent. Returns whether there is room for their replies.
    fn render_recipients(&mut self, id: TransactionId, commands: &mut Vec<u8>) -> bool {
        let level = self.messages.level();
        let offered = self.opening.capabilities();
        let Some((transaction, envelope)) = self.messages.envelope_of(id) else {
            return true;
        };
        while let Some(place) = transaction.next_recipient()
            && self.link.may_send(level)
            && self.link.takes_commands(commands.len())
        {
            let start = commands.len();
            let position = transaction.position_of(place) as usize;
            envelope.write_recipient(position, commands);
            let said = Said::of(Verb::Recipient, id, place);
            if let Some(limit) = said.verb.exceeded(commands.len() - start, offered) {
                commands.truncate(start);
                self.messages.leave_out_recipient(id, limit);
                return true;
            }
            if !self.link.say(said, commands, start, self.config) {
                return false;
            }
            if self.link.is_watched() {
                let whose = (MessageId(transaction.message()), Some(position));
                self.link.observe(said.verb, Some(whose), Observed::Command);
            }
            transaction.sent(said.verb);
        }
        true
    }

    /// Returns what is to be sent next, if it may be sent now.
    fn next(&mut self) -> Option<Next> {
        let state = self.standing.state();
        let may_go_ahead = match state {
            State::Connected => self.opening.may_go_ahead(self.config),
            _ => self.opening.is_ahead(),
        };
        let is_ahead = may_go_ahead && self.link.is_opening();
        if !is_ahead && !self.link.may_send(self.messages.level()) {
            return None;
        }
        match state {
            State::Connected if is_ahead => return Some(Next::Opening(Verb::Ehlo)),
            State::Due(verb) => return Some(Next::Opening(verb)),
            State::Ready => {}
            _ => return None,
        }
        let link = &*self.link;
        let is_quiet = || link.oldest().is_none() && link.content().is_none();
        Some(match self.messages.next_action(is_quiet)? {
            Action::Quit => Next::Opening(Verb::Quit),
            action => Next::Action(action),
        })
    }

    fn sent_opening(&mut self, verb: Verb) {
        let is_ahead = self.standing.state() == State::Connected;
        if let Some(choice) = self.standing.turn(verb, Turn::Sent) {
            match is_ahead {
                true => {
                    self.opening.go_ahead(self.config);
                    self.standing.choose(choice, State::Ready);
                    self.messages.open(Terms::new(self.opening, self.config));
                }
                false => self.standing.choose(choice, State::Asked),
            }
        }
    }

    /// Writes the content that was kept, if the server waits for it. Returns whether it does.
    fn write_kept(&mut self, commands: &mut Vec<u8>) -> bool {
        let dialect = self.config.dialect;
        if !self.link.is_sound() || self.link.content().is_some() {
            return false;
        }
        let Some((id, kept)) = self.messages.contents().take_kept() else {
            return false;
        };
        let mut contents = self.messages.contents();
        if let Some(content) = contents.content(id, dialect) {
            let memory = self.link.write_kept(&content, kept, commands);
            contents.recycle(memory);
        }
        contents.opened(id, Opened::Whole, dialect);
        contents.sent_content(id, Verb::Content, dialect);
        self.observe(Said::of(Verb::Content, id, 0));
        true
    }

    /// Writes of a body what may be written now, and opens and ends contents around it.
    fn write_body<'a>(
        &mut self,
        id: TransactionId,
        presented: Presented<'a>,
        commands: &mut Vec<u8>,
        scratch: &'a mut Vec<u8>,
        slices: &mut Slices<'a>,
    ) {
        let written = self
            .messages
            .contents()
            .present(id, presented)
            .and_then(|piece| {
                let written =
                    piece.map(|piece| self.write_content(id, piece, commands, scratch, slices));
                written.unwrap_or(Ok(())).map_err(|broken| match broken {
                    Broken::LineBreak(at) => NotSentReason::BareLineBreak { at }.into(),
                    Broken::Promise => NotSent::without_body(Some(&BodyError::new(CHANGED))),
                    Broken::TooLarge(maximum) => NotSentReason::TooLarge { maximum }.into(),
                })
            });
        if let Err(reason) = written {
            slices.clear();
            if self
                .messages
                .outcomes()
                .abandon(id, reason, self.link.content())
            {
                self.link.cut();
            }
        }
    }

    /// Opens a content or a chunk, if the time has come, and plans what is written of that which is
    /// open.
    fn write_content<'a>(
        &mut self,
        id: TransactionId,
        piece: Piece<'a>,
        commands: &mut Vec<u8>,
        scratch: &'a mut Vec<u8>,
        slices: &mut Slices<'a>,
    ) -> Result<(), Broken> {
        let Self {
            config,
            messages,
            link,
            opening,
            ..
        } = self;
        let dialect = config.dialect;
        let level = messages.level();
        let mut contents = messages.contents();
        if let Some(content) = contents.unopened(id, dialect) {
            let maximum = opening.capabilities().max_size();
            if let Some(opened) = link.open(&content, piece, level, maximum, commands, config)? {
                contents.opened(id, opened, dialect);
            }
        }
        if let Some(content) = contents.content(id, dialect)
            && link.write_content(&content, piece, commands, scratch, slices)?
        {
            if content.is_by_dot {
                contents.sent_content(id, Verb::Content, dialect);
            }
            self.observe(Said::of(Verb::Content, id, 0));
        }
        Ok(())
    }

    /// Takes note that something leaves, if anybody is to be told.
    fn observe(&mut self, said: Said) {
        if self.link.is_watched() {
            let whose = self.messages.whose(&said);
            self.link.observe(said.verb, whose, Observed::Command);
        }
    }
}
