//! Where a session stands: the state, the only place that assigns it, and what may come in it.

use super::config::Tls;
use super::event::Reason;
use super::footing::Footing;
use super::intake::Intake;
use super::security::Security;
use super::table::{Admission, Brought, Needs, Next, Rule, Spoils, State, Verb, rule};
use crate::machine::Dialect;

/// Where a session stands. Nothing else assigns the state.
#[derive(Debug)]
pub(super) struct Progress {
    state: State,
}

/// What counts besides the state when it is decided whether a command is taken: looked at only as far
/// as it decides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing<'a> {
    pub(super) footing: &'a Footing,
    pub(super) security: &'a Security,
    pub(super) intake: &'a Intake,
}

/// Why a command is not taken, and what is spoilt by that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Misplaced {
    pub(super) reason: Reason,
    pub(super) spoils: Spoils,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            state: State::Connected,
        }
    }

    /// Goes on to the state that follows on a yes or a no to `verb`.
    pub(super) fn apply(&mut self, verb: Verb, is_positive: bool) {
        let [yes, no] = rule(verb).next;
        self.state = after(self.state, if is_positive { yes } else { no });
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// Returns whether the command is taken, or why not.
    #[inline]
    pub(super) fn admit(&self, verb: Verb, standing: &Standing<'_>) -> Result<(), Misplaced> {
        let rule = rule(verb);
        let admission = self.admission(rule);
        let refused = |reason, spoils| Err(Misplaced { reason, spoils });
        if self.state == State::TurnedAway {
            return match admission {
                Admission::Take => Ok(()),
                _ => refused(Reason::TurnedAway, Spoils::Nothing),
            };
        }
        if let Some(reason) = standing.lack_of(rule.brought) {
            return refused(reason, Spoils::Nothing);
        }
        if let Some(reason) = standing.lack_before(rule.needs) {
            return refused(reason, rule.spoils);
        }
        let (is_taken, reason) = match admission {
            Admission::Take => (!standing.has_done(rule.brought), Reason::OutOfPlace),
            Admission::TakeUngreeted => (!standing.demands_hello(), Reason::OutOfPlace),
            Admission::TakeLines => (!standing.is_binary(), Reason::OutOfPlace),
            Admission::NoRecipients => (false, standing.without_recipients()),
            Admission::OutOfPlace | Admission::Breaks => (false, Reason::OutOfPlace),
        };
        match (admission, rule.spoils) {
            _ if is_taken => Ok(()),
            (Admission::Breaks | Admission::TakeLines, _) | (_, Spoils::Transaction) => {
                refused(reason, Spoils::Transaction)
            }
            // The transaction goes on without it, and so does what was sent along.
            (_, Spoils::Nothing | Spoils::Followers) => refused(reason, Spoils::Nothing),
        }
    }

    fn admission(&self, rule: &Rule) -> Admission {
        let [
            turned_away,
            greeted,
            ready,
            mail,
            recipients,
            chunks,
            failed,
        ] = rule.admissions;
        match self.state {
            State::Connected | State::Content => Admission::OutOfPlace,
            State::TurnedAway => turned_away,
            State::Greeted => greeted,
            State::Ready => ready,
            State::Mail => mail,
            State::Recipients => recipients,
            State::Chunks => chunks,
            State::Failed => failed,
        }
    }
}

impl Standing<'_> {
    /// Returns why a command is not at the client's disposal at all, if it is not.
    fn lack_of(&self, brought: Brought) -> Option<Reason> {
        let is_there = match brought {
            Brought::Always => true,
            Brought::By(dialect) if dialect != self.footing.dialect() => {
                return Some(Reason::WrongDialect);
            }
            Brought::By(_) => true,
            Brought::With(extension) => self.footing.offered().has(extension),
            Brought::WithTls => self.footing.settings().tls != Tls::Off,
            Brought::WithMechanisms => self.footing.settings().offering.has_mechanisms(),
            Brought::Never => false,
        };
        (!is_there).then_some(Reason::NotImplemented)
    }

    /// Returns what has to come before a command, if it has not (3207-4-d, 4954-6-c, X-26).
    fn lack_before(&self, needs: Needs) -> Option<Reason> {
        let settings = self.footing.settings();
        let is_tls_missing = || settings.tls == Tls::Required && !self.security.is_encrypted();
        let is_login_missing = || settings.requires_auth && !self.security.is_authenticated();
        if needs >= Needs::Tls && is_tls_missing() {
            Some(Reason::TlsRequired)
        } else if needs == Needs::All && is_login_missing() {
            Some(Reason::AuthenticationRequired)
        } else {
            None
        }
    }

    /// Returns whether the client has done already what can be done but once (3207-4.2-d, 4954-4-a).
    fn has_done(&self, brought: Brought) -> bool {
        match brought {
            Brought::WithTls => self.security.is_encrypted(),
            Brought::WithMechanisms => self.security.is_authenticated(),
            _ => false,
        }
    }

    fn demands_hello(&self) -> bool {
        self.footing.settings().requires_hello
    }

    /// Returns whether only BDAT can carry the content of the transaction.
    fn is_binary(&self) -> bool {
        self.intake.terms().is_some_and(|terms| terms.binary)
    }

    /// Returns why content may not come without an accepted recipient. In LMTP it is one reply in any
    /// case (2033-4.2-a).
    fn without_recipients(&self) -> Reason {
        match self.footing.dialect() {
            Dialect::Smtp if self.intake.names_recipients() => Reason::NoRecipients,
            _ => Reason::OutOfPlace,
        }
    }
}

impl Misplaced {
    /// Returns whether it is the verb that is not taken, whatever stands after it.
    pub(super) fn is_about_verb(self) -> bool {
        matches!(
            self.reason,
            Reason::TurnedAway | Reason::NotImplemented | Reason::WrongDialect
        )
    }
}

/// Returns the state that follows on another.
fn after(state: State, next: Next) -> State {
    use State::{Chunks, Connected, Content, Failed, Greeted, Mail, Ready, Recipients};
    match (next, state) {
        (Next::To(state), _) => state,
        (Next::Outside, Mail | Recipients | Chunks | Content | Failed) => Ready,
        (Next::Broken, Mail | Recipients | Chunks | Content) => Failed,
        (Next::Afresh, Connected) => Connected,
        (Next::Afresh, _) => Greeted,
        (Next::Same | Next::Outside | Next::Broken, _) => state,
    }
}

#[cfg(test)]
mod tests;
