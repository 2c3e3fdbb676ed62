//! What an exchange runs through, as far as mechanisms and credentials depend on it.

use smallvec::SmallVec;

use crate::machine::TlsInfo;

/// What an exchange runs through: the protection of the connection, and the mechanisms that the
/// server offers on it.
///
/// On both depends whether a mechanism may be used, and what SCRAM says of channel binding.
#[derive(Clone, Debug)]
pub struct Channel<'a> {
    tls: Option<&'a TlsInfo>,
    offered: SmallVec<[&'a str; 8]>,
}

/// Names how well a connection is protected, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protection {
    /// Not at all: whoever is on the way reads along.
    InClear,
    /// By TLS, with a peer that may be anybody: an attacker on the way may be that peer.
    Tls,
    /// By TLS, with a peer that was [verified](TlsInfo::is_verified).
    VerifiedTls,
}

impl<'a> Channel<'a> {
    /// Describes a connection without TLS, and the names of the mechanisms that are offered on it.
    pub fn in_clear(offered: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            tls: None,
            offered: offered.into_iter().collect(),
        }
    }

    /// Describes a connection under TLS.
    pub fn secured(tls: &'a TlsInfo, offered: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            tls: Some(tls),
            ..Self::in_clear(offered)
        }
    }

    /// Returns whether the server offers this mechanism (RFC 4954 3, its name in any case).
    pub fn offers(&self, mechanism: &str) -> bool {
        let mut names = self.offered.iter();
        names.any(|name| name.eq_ignore_ascii_case(mechanism))
    }

    /// Returns the names of the mechanisms that the server offers, in its order and spelling.
    pub fn offered(&self) -> impl Iterator<Item = &'a str> {
        self.offered.iter().copied()
    }

    /// Returns what the TLS handshake came to, if there was one.
    pub fn tls(&self) -> Option<&'a TlsInfo> {
        self.tls
    }

    /// Returns what only the two ends of this connection know, by `tls-exporter` (RFC 9266).
    pub fn binding(&self) -> Option<&'a [u8; 32]> {
        self.tls?.exporter.as_ref()
    }

    /// Returns how well the connection is protected.
    pub fn protection(&self) -> Protection {
        match self.tls {
            None => Protection::InClear,
            Some(tls) if tls.is_verified() => Protection::VerifiedTls,
            Some(_) => Protection::Tls,
        }
    }
}
