use alloc::string::String;
use alloc::vec::Vec;

use super::*;

const STATES: [State; 9] = [
    State::Connected,
    State::TurnedAway,
    State::Greeted,
    State::Ready,
    State::Mail,
    State::Recipients,
    State::Chunks,
    State::Content,
    State::Failed,
];

const VERBS: [(Verb, &str); 13] = [
    (Verb::Connect, "connection"),
    (Verb::Ehlo, "EHLO"),
    (Verb::Lhlo, "LHLO"),
    (Verb::Helo, "HELO"),
    (Verb::StartTls, "STARTTLS and handshake"),
    (Verb::XClient, "XCLIENT"),
    (Verb::Mail, "MAIL"),
    (Verb::Recipient, "RCPT"),
    (Verb::Data, "DATA"),
    (Verb::Chunk, "BDAT"),
    (Verb::LastChunk, "BDAT LAST"),
    (Verb::Content, "CR LF . CR LF"),
    (Verb::Reset, "RSET"),
];

fn name(state: State) -> &'static str {
    match state {
        State::Connected => "connected",
        State::TurnedAway => "turned away",
        State::Greeted => "greeted",
        State::Ready => "ready",
        State::Mail => "mail",
        State::Recipients => "recipients",
        State::Chunks => "chunks",
        State::Content => "content",
        State::Failed => "failed",
    }
}

/// Returns whether a command, or what stands for one, may come in that state.
fn comes(verb: Verb, state: State) -> bool {
    match verb {
        Verb::Connect => state == State::Connected,
        Verb::Content => state == State::Content,
        _ => {
            let progress = Progress { state };
            let admission = progress.admission(rule(verb));
            use Admission::{Take, TakeLines, TakeUngreeted};
            matches!(admission, Take | TakeLines | TakeUngreeted)
        }
    }
}

/// Draws where each verb leads, by a yes and by a no.
fn diagram() -> String {
    let mut drawn = String::new();
    for state in STATES {
        let mut edges: Vec<(State, State, String)> = Vec::new();
        for (verb, verb_name) in VERBS.into_iter().filter(|(verb, _)| comes(*verb, state)) {
            let applied = match verb {
                Verb::StartTls => Verb::Handshake,
                verb => verb,
            };
            let to = |is_positive| {
                let mut progress = Progress { state };
                progress.apply(applied, is_positive);
                progress.state
            };
            let (yes, no) = (to(true), to(false));
            if (yes, no) == (state, state) {
                continue;
            }
            match edges.iter_mut().find(|edge| (edge.0, edge.1) == (yes, no)) {
                Some(edge) => edge.2 += &alloc::format!(", {verb_name}"),
                None => edges.push((yes, no, verb_name.into())),
            }
        }
        // Out of their place, some break what they come into.
        for (verb, verb_name) in VERBS {
            let mut progress = Progress { state };
            match progress.admission(rule(verb)) {
                Admission::Breaks => progress.apply(Verb::Chunk, false),
                Admission::NoRecipients if rule(verb).spoils == Spoils::Transaction => {
                    progress.apply(Verb::Chunk, false)
                }
                _ => continue,
            }
            edges.push((progress.state, state, alloc::format!("{verb_name}: 503")));
        }
        for (yes, no, verbs) in edges {
            let refused = match no {
                no if no == state || no == yes => String::new(),
                no => alloc::format!("; refused: {}", name(no)),
            };
            let (from, yes) = (name(state), name(yes));
            drawn += &alloc::format!("//! {from:<11} ── {verbs} ──▶ {yes}{refused}\n");
        }
    }
    drawn
}

/// What the docs draw is what the table says.
#[test]
fn the_diagram_is_true() {
    let documentation = include_str!("../mod.rs");
    let diagram = diagram();
    assert!(
        documentation.contains(&diagram),
        "the docs of the server should have this:\n{diagram}"
    );
}
