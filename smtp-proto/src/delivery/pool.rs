//! Which connections a sender keeps for later messages, and who may open others when.

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use core::{
    mem,
    ops::ControlFlow,
    task::{Poll, Waker, ready},
    time::Duration,
};
use std::collections::{HashMap, hash_map::Entry};

use super::{
    content::Supply, courier::Courier, error::Error, policy::Policy, report::Report,
    resending::Backoff, sending::Sending, turns::Turns, url::Server,
};
use crate::{
    client::{Learned, Outcome},
    machine::{self, Fault, limits},
    syntax::Class,
};

/// Holds connections to any number of servers that wait for a message, and says for whom others may be
/// opened.
///
/// A message goes only over connections of its own *route*, which is a server and a `K`: everything in
/// which connections differ. Each message takes a [`Place`], which waits first for its server's bound and
/// only then for that in all: however many wait for a slow server, they keep no other waiting.
#[derive(Debug)]
pub struct Pool<K, C> {
    sites: HashMap<Server, Site>,
    routes: HashMap<u64, Route<K>>,
    /// The bound in all.
    turns: Turns,
    /// Those that wait for a message, the longest first.
    idle: BTreeMap<u64, Idle<C>>,
    /// All routes, in the order in which they are looked at to be forgotten.
    known: VecDeque<u64>,
    leaving: Vec<C>,
    /// How many numbers were given.
    numbers: u64,
}

/// A server, whichever way it is reached.
#[derive(Debug, Default)]
struct Site {
    turns: Turns,
    routes: Vec<u64>,
}

#[derive(Debug)]
struct Route<K> {
    server: Server,
    key: K,
    /// How many places there are for it, and how many of them have a connection or open one.
    places: usize,
    trying: usize,
    /// It was used since it was looked at.
    is_recent: bool,
    backoff: Backoff,
    /// Why the last connection that could not be had was not, and the number of that failure.
    unreachable: Option<(u64, Error)>,
    /// A session was opened once, or the server has said why not.
    has_answered: bool,
    learned: Option<Learned>,
}

#[derive(Debug)]
struct Idle<C> {
    route: u64,
    connection: C,
    since: Duration,
}

/// The place of a message among those that want a connection. It must be [left](Pool::leave) in the end.
#[derive(Debug)]
pub struct Place {
    route: u64,
    /// Its number where it waits.
    number: u64,
    stage: Stage,
    /// It has a connection, or opens one.
    is_trying: bool,
    needs_verified_tls: bool,
    /// Every failure with a higher number has come since it was taken.
    since: u64,
    /// It could have no connection to a server that has never answered.
    is_in_vain: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It waits for the server's bound.
    Server,
    /// It is within that, and waits for the bound in all.
    All,
    Inside,
}

/// Tells a message what to do now.
#[derive(Debug)]
pub enum Turn<K, C> {
    /// Check this connection and send over it. If it is not good any more, ask again.
    Use(C),
    /// Open a connection as this says, with what an earlier one has found out about the server.
    Open(K, Option<Learned>),
    /// Ask again after this time: the server has failed, and is left alone so long.
    Wait(Duration),
    /// Give up this try: another's connection could not be had, since the place was taken or to a server
    /// that has never answered.
    Failed(Error),
}

impl<K> Route<K> {
    /// Takes note that a place has no connection, or none any more.
    fn gave_up_trying(&mut self, place: &mut Place) {
        let was_trying = mem::take(&mut place.is_trying);
        self.trying = self.trying.saturating_sub(usize::from(was_trying));
    }

    /// Returns the failure to connect that is that of a place, too.
    fn shared_failure(&self, place: &Place, now: Duration) -> Option<&Error> {
        let (number, error) = self.unreachable.as_ref()?;
        let is_known = !self.has_answered && !self.backoff.wait(now).is_zero();
        // Else the last of many would wait for all the others' tries. Where others get through, the server
        // takes no more connections than it has.
        let is_its_own = self.trying == 0 && (*number > place.since || is_known);
        is_its_own.then_some(error)
    }
}

impl Place {
    /// Takes note that a message could have no connection at its place. Breaks off with what became of it,
    /// if it is not to be tried over another.
    ///
    /// A server that has never answered may not be one: who has written its name down hears that at once,
    /// and nobody waits for it.
    pub fn failed<S: Supply>(
        &self,
        sending: Sending<S>,
        error: Error,
    ) -> ControlFlow<Result<Report, Error>, Sending<S>> {
        match self.is_in_vain {
            true => ControlFlow::Break(sending.given_up(error)),
            false => sending.failed(error),
        }
    }
}

impl<K, C> Default for Pool<K, C> {
    fn default() -> Self {
        Self {
            sites: HashMap::new(),
            routes: HashMap::new(),
            turns: Turns::default(),
            idle: BTreeMap::new(),
            known: VecDeque::new(),
            leaving: Vec::new(),
            numbers: 0,
        }
    }
}

impl<K: Clone + PartialEq, C> Pool<K, C> {
    /// Takes a place for a message on the way to a server.
    pub fn enter<S: Supply>(&mut self, server: &Server, key: &K, sending: &Sending<S>) -> Place {
        let number = next(&mut self.numbers);
        let site = self.sites.entry(server.clone()).or_default();
        let is_same = |route: &&u64| self.routes.get(route).is_some_and(|it| it.key == *key);
        let known = site.routes.iter().find(is_same).copied();
        let route = known.unwrap_or(number);
        if known.is_none() {
            site.routes.push(route);
            self.known.push_back(route);
        }
        let entry = self.routes.entry(route).or_insert_with(|| Route {
            server: server.clone(),
            key: key.clone(),
            places: 0,
            trying: 0,
            is_recent: true,
            backoff: Backoff::default(),
            unreachable: None,
            has_answered: false,
            learned: None,
        });
        entry.places += 1;
        entry.is_recent = true;
        if known.is_none() {
            self.forget();
        }
        Place {
            route,
            number,
            stage: Stage::Server,
            is_trying: false,
            needs_verified_tls: sending.needs_verified_tls(),
            since: self.numbers,
            is_in_vain: false,
        }
    }

    /// Waits for the turn of a place, and says what to do then. `is_verified` tells of a
    /// connection whether its server is.
    ///
    /// What has to make way is [leaving](Self::take_leaving) after it.
    pub fn poll_turn(
        &mut self,
        place: &mut Place,
        policy: &Policy,
        is_verified: impl Fn(&C) -> bool,
        now: Duration,
        waker: &Waker,
    ) -> Poll<Turn<K, C>> {
        self.expire(policy, now);
        let id = place.route;
        let Some(route) = self.routes.get_mut(&id) else {
            return Poll::Pending; // it was left
        };
        route.gave_up_trying(place);
        if place.stage == Stage::Server {
            if let Some(site) = self.sites.get_mut(&route.server) {
                let most = policy.max_connections.max(1);
                ready!(site.turns.poll_enter(place.number, most, waker));
            }
            place.stage = Stage::All;
            // Who has waited long for a server comes after those who wait for others.
            place.number = next(&mut self.numbers);
        }
        let fits = |it: &C| !place.needs_verified_tls || is_verified(it);
        let mut own = self.idle.iter().rev();
        let kept = own.find(|(_, it)| it.route == id && fits(&it.connection));
        let kept = kept.map(|(&number, _)| number);
        if kept.is_none()
            && let Some(error) = route.shared_failure(place, now)
        {
            place.is_in_vain = !route.has_answered;
            return Poll::Ready(Turn::Failed(error.clone()));
        }
        let wait = route.backoff.wait(now);
        if kept.is_none() && !wait.is_zero() {
            // Others must not wait for it meanwhile.
            match mem::replace(&mut place.stage, Stage::All) {
                Stage::Inside => self.turns.left(),
                _ => self.turns.gave_up(place.number),
            }
            place.number = next(&mut self.numbers);
            return Poll::Ready(Turn::Wait(wait));
        }
        if place.stage == Stage::All {
            let most = policy.max_in_all.max(1);
            ready!(self.turns.poll_enter(place.number, most, waker));
            place.stage = Stage::Inside;
        }
        place.is_trying = true;
        route.trying += 1;
        Poll::Ready(match kept.and_then(|number| self.idle.remove(&number)) {
            Some(kept) => Turn::Use(kept.connection),
            None => {
                let opening = Turn::Open(route.key.clone(), route.learned.clone());
                self.make_room(id, policy);
                opening
            }
        })
    }

    /// Takes note of why no connection could be had. It is the failure of whoever waits for one, too.
    pub fn failed(&mut self, place: &mut Place, policy: &Policy, error: &Error, now: Duration) {
        let number = next(&mut self.numbers);
        if let Some(route) = self.routes.get_mut(&place.route) {
            route.learned = None; // it may be what has changed
            route.has_answered |= error.answer().is_some();
            place.is_in_vain = !route.has_answered;
            if route.backoff.wait(now).is_zero() {
                route.unreachable = Some((number, error.clone()));
                if !route.has_answered {
                    // Once it does, that is noticed soon.
                    route.backoff = Backoff::default();
                }
            }
            route.backoff.failed(&policy.retry, now);
        }
    }

    /// Takes note of what became of a message on one connection, and returns whether that one is of use
    /// for another, and is to be [kept](Self::keep).
    pub fn observe<B>(
        &mut self,
        place: &Place,
        policy: &Policy,
        courier: &Courier<B>,
        report: &Report,
        now: Duration,
    ) -> bool {
        let Some(route) = self.routes.get_mut(&place.route) else {
            return false;
        };
        route.has_answered = true;
        route.learned = match courier.failure().map(machine::Error::fault) {
            Some(Fault::CapabilitiesChanged) => None,
            _ => courier.machine().learned().or(route.learned.take()),
        };
        let is_settled = |outcome: &Outcome<'_>| match outcome {
            Outcome::Delivered(_) => true,
            Outcome::Refused(answer) => answer.reply.class() == Class::Permanent,
            Outcome::NotSent(_) | Outcome::InDoubt => false,
        };
        match courier.failure() {
            // That says nothing of the server, but that others which have waited may be gone as well.
            Some(_) if courier.had_ended_before(report) => self.dismiss(place.route),
            // A server that takes its leave after each message, by 421 or not, does its work.
            Some(_) if !report.recipients.iter().any(is_settled) => {
                route.backoff.failed(&policy.retry, now);
            }
            _ => {
                route.backoff.succeeded();
                route.unreachable = None;
            }
        }
        let is_unsent = |outcome: &Outcome<'_>| matches!(outcome, Outcome::NotSent(_));
        courier.is_idle() && !policy.retires(courier) && !report.recipients.iter().any(is_unsent)
    }

    /// Keeps the connection of a place for another message of its route.
    pub fn keep(&mut self, place: &Place, connection: C, now: Duration) {
        let number = next(&mut self.numbers);
        let idle = Idle {
            route: place.route,
            connection,
            since: now,
        };
        self.idle.insert(number, idle);
    }

    /// Gives a place up, whatever it has come to.
    pub fn leave(&mut self, place: &mut Place) {
        let Some(route) = self.routes.get_mut(&place.route) else {
            return;
        };
        route.places = route.places.saturating_sub(1);
        route.gave_up_trying(place);
        let site = self.sites.get_mut(&route.server);
        match (place.stage, site) {
            (Stage::Server, Some(site)) => site.turns.gave_up(place.number),
            (_, Some(site)) => site.turns.left(),
            (_, None) => {}
        }
        match place.stage {
            Stage::Server => {}
            Stage::All => self.turns.gave_up(place.number),
            Stage::Inside => self.turns.left(),
        }
    }

    /// Has connections [leave](Self::take_leaving) that have waited too long. Returns after how long the next
    /// will have, if one waits.
    pub fn expire(&mut self, policy: &Policy, now: Duration) -> Option<Duration> {
        while let Some(first) = self.idle.first_entry() {
            let waited = now.saturating_sub(first.get().since);
            match policy.idle_timeout.checked_sub(waited) {
                Some(left) if !left.is_zero() => return Some(left),
                _ => self.leaving.push(first.remove().connection),
            }
        }
        None
    }

    /// Takes out the connections that have to make way, or have waited too long. They are to take leave
    /// of their servers without waiting for an answer.
    pub fn take_leaving(&mut self) -> Vec<C> {
        mem::take(&mut self.leaving)
    }

    /// Takes out all connections that wait.
    pub fn drain(&mut self) -> impl Iterator<Item = C> + use<K, C> {
        let idle = mem::take(&mut self.idle);
        idle.into_values().map(|it| it.connection)
    }

    /// Has the connections of a route leave that wait.
    fn dismiss(&mut self, route: u64) {
        let of_route = self.idle.iter().filter(|(_, it)| it.route == route);
        let leaving: Vec<_> = of_route.map(|(&number, _)| number).collect();
        for number in leaving {
            self.leaving
                .extend(self.idle.remove(&number).map(|it| it.connection));
        }
    }

    /// Has connections leave that wait, as far as another of a route would pass a bound: the longest
    /// first.
    fn make_room(&mut self, route: u64, policy: &Policy) {
        let server = self.routes.get(&route).map(|it| &it.server);
        if let Some(site) = server.and_then(|server| self.sites.get(server)) {
            let of_site = |(_, it): &(&u64, &Idle<C>)| site.routes.contains(&it.route);
            let there: Vec<_> = self.idle.iter().filter(of_site).collect();
            let open = site.turns.inside() + there.len();
            let excess = open.saturating_sub(policy.max_connections.max(1));
            let leaving: Vec<_> = there
                .iter()
                .take(excess)
                .map(|(number, _)| **number)
                .collect();
            for number in leaving {
                self.leaving
                    .extend(self.idle.remove(&number).map(|it| it.connection));
            }
        }
        while self.turns.inside() + self.idle.len() > policy.max_in_all.max(1)
            && let Some((_, idle)) = self.idle.pop_first()
        {
            self.leaving.push(idle.connection);
        }
    }

    /// Forgets routes that were not used for long, if there are too many: of each two that it looks at
    /// for one that is new.
    fn forget(&mut self) {
        for _ in 0..2 {
            if self.routes.len() <= limits::ROUTES {
                return;
            }
            let Some(id) = self.known.pop_front() else {
                return;
            };
            let has_idle = self.idle.values().any(|it| it.route == id);
            let Entry::Occupied(mut route) = self.routes.entry(id) else {
                continue;
            };
            if route.get().places > 0 || has_idle || route.get().is_recent {
                route.get_mut().is_recent = false;
                self.known.push_back(id);
                continue;
            }
            let server = route.remove().server;
            if let Some(site) = self.sites.get_mut(&server) {
                site.routes.retain(|it| *it != id);
                if site.routes.is_empty() {
                    self.sites.remove(&server);
                }
            }
        }
    }
}

/// Returns a number that was not returned before, and is greater than all that were.
fn next(numbers: &mut u64) -> u64 {
    *numbers += 1;
    *numbers
}
