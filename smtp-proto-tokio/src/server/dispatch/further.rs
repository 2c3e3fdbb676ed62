//! Commands beside the transactions.

use std::{sync::Arc, task::Context};

use smtp_proto::{
    server::{Event, replies::local_error},
    syntax::{AttributeName, AttributeValue, Attributes, QueueNode},
};

use super::{
    super::{answered::Subject, guard::Guard, handler::Handler},
    Beginning, Dispatch, Session,
};

impl<H: Handler> Dispatch<H> {
    /// Hands out a command that asks for something, or says something of the client.
    pub(super) fn hand_out_further(
        &mut self,
        event: Event<'_>,
        session: Arc<Session<H>>,
        cx: &mut Context<'_>,
    ) {
        match event {
            Event::Vrfy { ticket, name, .. } => {
                let name = String::from(&*name);
                self.ask(cx, ticket, Subject::Command, async move {
                    session.handler.verify(&session.state, &name).await
                });
            }
            Event::Expn { ticket, name, .. } => {
                let name = String::from(&*name);
                self.ask(cx, ticket, Subject::Command, async move {
                    session.handler.expand(&session.state, &name).await
                });
            }
            Event::Help { ticket, topic } => {
                let topic = topic.map(|topic| String::from(&*topic));
                self.ask(cx, ticket, Subject::Command, async move {
                    session.handler.help(&session.state, topic.as_deref()).await
                });
            }
            Event::Etrn { ticket, node } => {
                let node = node.to_string();
                self.ask(cx, ticket, Subject::Command, async move {
                    match QueueNode::parse(&node) {
                        Ok(node) => session.handler.etrn(&session.state, &node).await,
                        Err(_) => local_error().into(),
                    }
                });
            }
            Event::XForward { ticket, attributes } => {
                let (command, text) = (attributes.command(), String::from(attributes.as_str()));
                self.ask(cx, ticket, Subject::Command, async move {
                    match Attributes::parse(command, &text) {
                        Ok(given) => session.handler.xforward(&session.state, given).await,
                        Err(_) => local_error().into(),
                    }
                });
            }
            Event::XClient { ticket, attributes } => {
                let login = attributes.get(AttributeName::Login);
                let login = login.and_then(|login| match login.value() {
                    AttributeValue::Text(name) => Some(Arc::from(&*name)),
                    _ => None,
                });
                let (command, text) = (attributes.command(), String::from(attributes.as_str()));
                let guard = Guard::new(async move {
                    match Attributes::parse(command, &text) {
                        Ok(given) => session.handler.xclient(&session.state, given).await,
                        Err(_) => Err(local_error()),
                    }
                });
                let session = async { guard.await.unwrap_or_else(|| Err(local_error())) };
                self.beginning = Some(Beginning {
                    ticket,
                    session: Box::pin(session),
                    login,
                });
            }
            Event::Command {
                ticket,
                verb,
                argument,
            } => {
                let verb = String::from(&*verb);
                let argument = argument.map(|argument| String::from(&*argument));
                self.ask(cx, ticket, Subject::Command, async move {
                    let Session { handler, state } = &*session;
                    handler.command(state, &verb, argument.as_deref()).await
                });
            }
            _ => {}
        }
    }

    /// Takes note of whom a proxy speaks for.
    pub(super) fn spoken_for(&mut self, login: Option<Arc<str>>) {
        if !self.machine.is_authenticated() {
            self.client.identity = None;
        } else if login.is_some() {
            self.client.identity = login;
        }
    }
}
