//! How many connections there may be at once.

use alloc::{collections::BTreeMap, sync::Arc};
use core::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::options::Options;
use super::turned_away::TurnedAway;
use crate::machine::limits;

/// Counts connections, in all and by the client's address.
///
/// IPv6 addresses count by the 64 bits of their network, all of which one client may have.
#[derive(Debug)]
pub struct Admission {
    max: usize,
    max_per_peer: usize,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_peer: BTreeMap<IpAddr, usize>,
}

/// A connection's place among the others, free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    counts: Arc<Mutex<Counts>>,
    max_per_peer: usize,
    peer: Option<IpAddr>,
}

/// Allows [`limits::CONNECTIONS`] and [`limits::CONNECTIONS_PER_PEER`].
impl Default for Admission {
    fn default() -> Self {
        Self {
            max: limits::CONNECTIONS,
            max_per_peer: limits::CONNECTIONS_PER_PEER,
            counts: Arc::default(),
        }
    }
}

impl Admission {
    /// Sets how many connections there may be, at least one.
    pub fn set_max(&mut self, max: usize) {
        self.max = max.max(1);
    }

    /// Sets how many of them may come from one address, at least one.
    pub fn set_max_per_peer(&mut self, max: usize) {
        self.max_per_peer = max.max(1);
    }

    /// Returns how many connections there are.
    pub fn count(&self) -> usize {
        lock(&self.counts).all
    }

    /// Lets a connection in. Its address is still to be [counted](Place::count) where there is a
    /// preparation, which may find out another.
    ///
    /// # Errors
    ///
    /// Fails if there are too many, in all or from that address.
    pub fn enter<T, P>(
        &self,
        options: &Options<T>,
        preparation: Option<&P>,
    ) -> Result<Place, TurnedAway> {
        let mut place = self.take_place()?;
        if preparation.is_none() {
            place.count(options)?;
        }
        Ok(place)
    }

    fn take_place(&self) -> Result<Place, TurnedAway> {
        let mut counts = lock(&self.counts);
        if counts.all >= self.max {
            return Err(TurnedAway::Full);
        }
        counts.all = counts.all.saturating_add(1);
        Ok(Place {
            counts: Arc::clone(&self.counts),
            max_per_peer: self.max_per_peer,
            peer: None,
        })
    }
}

impl Place {
    /// Counts the connection by its client's address, once, where there is one.
    ///
    /// # Errors
    ///
    /// Fails if there are too many from that address.
    pub fn count<T>(&mut self, options: &Options<T>) -> Result<(), TurnedAway> {
        let Some(peer) = options.peer().filter(|_| self.peer.is_none()) else {
            return Ok(());
        };
        let peer = network(peer.ip());
        let mut counts = lock(&self.counts);
        let from_there = counts.by_peer.entry(peer).or_default();
        if *from_there >= self.max_per_peer {
            return Err(TurnedAway::Full);
        }
        *from_there = from_there.saturating_add(1);
        self.peer = Some(peer);
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = lock(&self.counts);
        counts.all = counts.all.saturating_sub(1);
        if let Some(peer) = self.peer
            && let Some(from_there) = counts.by_peer.get_mut(&peer)
        {
            *from_there = from_there.saturating_sub(1);
            if *from_there == 0 {
                counts.by_peer.remove(&peer);
            }
        }
    }
}

/// Nothing panics while it holds the counts.
fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}
