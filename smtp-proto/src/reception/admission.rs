//! How many connections there may be at once.

use alloc::collections::BTreeMap;
use core::net::{IpAddr, Ipv6Addr};

/// Counts connections, in all and by the client's address.
///
/// IPv6 addresses count by the 64 bits of their network, all of which one client may have.
#[derive(Clone, Debug)]
pub struct Admission {
    max: usize,
    max_per_peer: usize,
    count: usize,
    by_peer: BTreeMap<IpAddr, usize>,
}

/// Tells that there are too many connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Admission {
    /// Allows so many connections in all, and of these so many from one address; at least one of each.
    pub fn new(max: usize, max_per_peer: usize) -> Self {
        Self {
            max: max.max(1),
            max_per_peer: max_per_peer.max(1),
            count: 0,
            by_peer: BTreeMap::new(),
        }
    }

    /// Returns how many connections there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Lets a connection in, which has to [leave](Self::leave).
    ///
    /// # Errors
    ///
    /// Fails if there are too many, in all or from that address.
    pub fn enter(&mut self, peer: Option<IpAddr>) -> Result<(), Full> {
        if self.count >= self.max {
            return Err(Full);
        }
        if let Some(peer) = peer {
            let from_there = self.by_peer.entry(network(peer)).or_default();
            if *from_there >= self.max_per_peer {
                return Err(Full);
            }
            *from_there = from_there.saturating_add(1);
        }
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    /// Takes note that a connection that was let in is over.
    pub fn leave(&mut self, peer: Option<IpAddr>) {
        self.count = self.count.saturating_sub(1);
        if let Some(peer) = peer.map(network)
            && let Some(from_there) = self.by_peer.get_mut(&peer)
        {
            *from_there = from_there.saturating_sub(1);
            if *from_there == 0 {
                self.by_peer.remove(&peer);
            }
        }
    }
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
