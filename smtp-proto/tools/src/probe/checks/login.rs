//! Is a password taken, and what is offered after that (RFC 4954)?

use base64::{Engine as _, prelude::BASE64_STANDARD};
use smtp_proto::{
    machine::TlsInfo,
    sasl::{Channel, Mechanism, by_scram_or_password},
    syntax::{Capabilities, Class, Code, Reply},
};

use smtp_proto_blocking::client::nonce;

use super::auth::mechanisms;
use crate::probe::{
    dialogue::{Dialogue, Silence},
    finding::{Tells, Verdict},
    session::{Server, Session},
};
use crate::security::Secret;

/// What a login comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// It is taken.
    Accepted {
        /// By which mechanism.
        mechanism: String,
        /// What is offered by it and not before, or before it and not then.
        changes: Vec<String>,
        /// What is offered now.
        after: Capabilities,
    },
    /// It is refused.
    Refused(String, Code),
    /// It is taken, but the server did not prove that it knows the password.
    Unproven(String),
    /// What the server asks cannot be answered.
    Unanswerable(String),
    /// There is no TLS with a server that is verified, so the password was not tried.
    Unprotected,
    /// The server offers nothing that a password is good for.
    NoMechanism,
    /// It is not answered, or what comes after it is not.
    Stops(String),
}

pub(in crate::probe) fn check(
    server: &Server<'_>,
    session: &mut Session,
    secret: &Secret,
) -> Login {
    let Some(tls) = session.tls.as_ref().filter(|tls| tls.is_verified()) else {
        return Login::Unprotected;
    };
    let known = match nonce() {
        Ok(nonce) => by_scram_or_password(&secret.user, &secret.secret, nonce),
        Err(error) => return Login::Stops(error.to_string()),
    };
    let before = &session.capabilities;
    let Some(mut mechanism) = choose(known, tls, before) else {
        return Login::NoMechanism;
    };
    let name = mechanism.name().to_owned();
    match exchange(&mut session.dialogue, &mut *mechanism) {
        Err(silence) => return Login::Stops(silence.to_string()),
        Ok(None) => return Login::Unanswerable(name),
        Ok(Some(reply)) if !reply.is_positive() => return Login::Refused(name, reply.code()),
        Ok(Some(_)) if !mechanism.is_complete() => return Login::Unproven(name),
        Ok(Some(_)) => {}
    }
    let after = match server.hello(&mut session.dialogue) {
        Ok(after) => after,
        Err(error) => return Login::Stops(error.to_string()),
    };
    let changes = changes(&session.capabilities, &after);
    session.capabilities = after.clone();
    Login::Accepted {
        mechanism: name,
        changes,
        after,
    }
}

/// Returns the first mechanism that is offered.
fn choose(
    known: Vec<Box<dyn Mechanism>>,
    tls: &TlsInfo,
    capabilities: &Capabilities,
) -> Option<Box<dyn Mechanism>> {
    let offered = mechanisms(capabilities);
    let channel = Channel::secured(tls, offered.iter().map(String::as_str));
    known.into_iter().find_map(|mut mechanism| {
        mechanism.prepare(&channel);
        channel.offers(mechanism.name()).then_some(mechanism)
    })
}

/// Returns the server's verdict; none if it asks what cannot be answered.
fn exchange(
    dialogue: &mut Dialogue,
    mechanism: &mut dyn Mechanism,
) -> Result<Option<Reply<'static>>, Silence> {
    // Without an initial response every mechanism begins by a challenge, if by an empty one (RFC 4954 4).
    let mut reply = dialogue.ask(format!("AUTH {}\r\n", mechanism.name()).as_bytes())?;
    let mut initial = mechanism.initial_response();
    while reply.code().class() == Class::Intermediate {
        let response = match initial.take() {
            Some(initial) => Some(initial),
            None => respond(mechanism, &reply),
        };
        let Some(response) = response else {
            dialogue.ask(b"*\r\n")?;
            return Ok(None);
        };
        reply = dialogue.ask_secretly(&BASE64_STANDARD.encode(response))?;
    }
    Ok(Some(reply))
}

fn respond(mechanism: &mut dyn Mechanism, challenge: &Reply<'_>) -> Option<Vec<u8>> {
    let text = challenge.lines().next()?;
    let challenge = BASE64_STANDARD.decode(text.trim_ascii());
    match mechanism.reads_challenges() {
        true => mechanism.respond(&challenge.ok()?),
        false => mechanism.respond(&challenge.unwrap_or_default()),
    }
}

/// Returns what is offered newly, and what no longer.
fn changes(before: &Capabilities, after: &Capabilities) -> Vec<String> {
    let missing = |from: &Capabilities, sign: char, than: &Capabilities| {
        let lines = from
            .iter()
            .filter(|(keyword, text)| than.get(keyword) != Some(*text));
        let lines = lines.map(|(keyword, text)| format!("{sign}{keyword} {text}"));
        lines
            .map(|line| line.trim_end().to_owned())
            .collect::<Vec<_>>()
    };
    [missing(after, '+', before), missing(before, '-', after)].concat()
}

impl Tells for Login {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Accepted { .. } => Verdict::Right,
            // The password may be wrong.
            Self::Refused(..) => Verdict::Fact,
            Self::Unprotected | Self::NoMechanism => Verdict::Untested,
            Self::Unproven(_) | Self::Unanswerable(_) | Self::Stops(_) => Verdict::Wrong,
        }
    }

    fn meaning(&self) -> String {
        match self {
            Self::Accepted {
                mechanism, changes, ..
            } => match changes.as_slice() {
                [] => format!("{mechanism} is taken; the offer stays as it was."),
                some => format!(
                    "{mechanism} is taken; the offer changes: {}.",
                    some.join(", ")
                ),
            },
            Self::Refused(mechanism, code) => format!("{mechanism} is refused by {code}."),
            Self::Unproven(mechanism) => format!(
                "{mechanism} is taken without a proof that the server knows the password: it may be \
                 another one's."
            ),
            Self::Unanswerable(mechanism) => {
                format!("What the server asks by {mechanism} cannot be answered.")
            }
            Self::Unprotected => {
                "Not tested: no password goes where TLS has not verified the server.".into()
            }
            Self::NoMechanism => {
                "Not tested: nothing is offered that a password is good for.".into()
            }
            Self::Stops(why) => format!("A login leads nowhere: {why}."),
        }
    }
}
