//! Commands beside the transactions become calls of the handler.

use std::net::SocketAddr;

use smtp_proto::{
    server::{self as machine, Event},
    syntax::{Attribute, AttributeName, AttributeValue, Attributes},
};

use super::{
    dialogue::{Dialogue, answer},
    handler::Handler,
    session::Session,
};

impl<H: Handler> Dialogue<'_, H> {
    /// Hands a command to the handler that asks for something, or says something of the client.
    pub(super) fn take_further(&mut self, event: Event<'_>, machine: &mut machine::Server) {
        let (handler, session) = (self.handler, &mut self.session);
        let (ticket, verdict) = match event {
            Event::Vrfy { ticket, name, .. } => (ticket, handler.verify(session, &name)),
            Event::Expn { ticket, name, .. } => (ticket, handler.expand(session, &name)),
            Event::Help { ticket, topic } => (ticket, handler.help(session, topic.as_deref())),
            Event::Etrn { ticket, node } => (ticket, handler.etrn(session, &node)),
            Event::XForward { ticket, attributes } => {
                (ticket, handler.xforward(session, attributes))
            }
            Event::Command {
                ticket,
                verb,
                argument,
            } => (ticket, handler.command(session, &verb, argument.as_deref())),
            Event::XClient { ticket, attributes } => {
                let verdict = handler.xclient(session, attributes);
                if answer(machine, ticket, verdict) {
                    speak_for(session, attributes, machine.is_authenticated());
                }
                return;
            }
            _ => return,
        };
        answer(machine, ticket, verdict);
    }
}

/// Makes the session that of the client that a proxy speaks for. What is not said stays as it was.
fn speak_for(session: &mut Session, attributes: Attributes<'_>, is_authenticated: bool) {
    session.host = None;
    session.esmtp = false;
    let login = attributes.get(AttributeName::Login);
    match login.as_ref().map(Attribute::value) {
        Some(AttributeValue::Text(name)) if is_authenticated => {
            session.identity = Some(name.into_owned());
        }
        _ if !is_authenticated => session.identity = None,
        _ => {}
    }
    let port = attributes.get(AttributeName::Port);
    let port = port.and_then(|port| port.port());
    let port = port.or_else(|| session.peer.map(|peer| peer.port()));
    let address = match attributes.get(AttributeName::Addr) {
        Some(address) => address.ip_address(),
        None => session.peer.map(|peer| peer.ip()),
    };
    session.peer = address.map(|address| SocketAddr::new(address, port.unwrap_or_default()));
}
