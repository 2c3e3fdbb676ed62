//! Our clients to a real server: every message that is easy to get wrong, under every policy, in clear,
//! under TLS and authenticated.

use anyhow::Result;
use smtp_proto::{client::Duplex, syntax::Extension};

use super::policy_name;
use crate::{
    Run,
    exchange::{Offer, exchange},
    matrix::Matrix,
    messages::{self, Message},
    ours::{Adapter, Authentication, Session},
    proxy::Link,
    servers::Running,
    stored,
};

const TRICKY: &str =
    "Our clients to real servers: messages that are easy to get wrong / copies compared";
const MANY: &str = "Our clients to real servers: messages on one connection / copies compared";

/// How a session is protected: whether by STARTTLS, and how the client authenticates.
type Protection = (&'static str, bool, Option<Authentication>);

const PROTECTIONS: [Protection; 5] = [
    ("in clear", false, None),
    ("STARTTLS", true, None),
    ("AUTH PLAIN", false, Some(Authentication::Plain)),
    ("STARTTLS, AUTH PLAIN", true, Some(Authentication::Plain)),
    ("STARTTLS, AUTH LOGIN", true, Some(Authentication::Login)),
];

pub(super) fn run(run: &Run, matrix: &mut Matrix, running: &Running, offer: &Offer) {
    let offered = &offer.capabilities;
    let mut messages = messages::tricky();
    messages.push(messages::many_recipients());
    messages.push(messages::large(if run.quick { 1 << 20 } else { 10 << 20 }));
    for (protection, starts_tls, authentication) in PROTECTIONS {
        if (starts_tls && !offered.has(Extension::StartTls))
            || (authentication.is_some() && !offered.has(Extension::Auth))
        {
            continue;
        }
        for adapter in Adapter::ALL {
            let row = format!(
                "{}, {protection}, {}",
                running.server.name(),
                adapter.name()
            );
            for &policy in &offer.policies {
                let session = Session {
                    ca: starts_tls.then(|| run.pki.ca.clone()),
                    authentication,
                    duplex: Duplex::HALF,
                    ..Session::new(running.server.dialect(), policy)
                };
                matrix.cell(TRICKY, &row, &policy_name(policy), || {
                    send(running, adapter, &session, &messages)
                });
            }
        }
    }
    let many = messages::numbered(if run.quick { 100 } else { 1000 });
    for adapter in Adapter::ALL {
        let row = format!("{}, {}", running.server.name(), adapter.name());
        for &policy in &offer.policies {
            let session = Session::new(running.server.dialect(), policy);
            matrix.cell(MANY, &row, &policy_name(policy), || {
                send(running, adapter, &session, &many)
            });
        }
    }
}

fn send(
    running: &Running,
    adapter: Adapter,
    session: &Session,
    messages: &[Message],
) -> Result<String> {
    exchange(running, adapter, session, Link::default(), messages)?;
    let copies = stored::expected(running.server, messages);
    Ok(format!("{} / {copies}", messages.len()))
}
