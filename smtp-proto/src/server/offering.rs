//! What is configured to be offered, and the offer that comes of it under each kind of protection.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::offer::Offer;
use crate::machine::{Dialect, limits};
use crate::syntax::{Capabilities, Extension};
#[cfg(feature = "auth")]
use crate::syntax::{SyntaxError, Word};

/// What protects what the client says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Protection {
    InClear,
    Tls,
    /// TLS to which an authentication can be bound (RFC 9266).
    Bound,
}

/// What offers are made of besides what is their own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Basis {
    pub(super) dialect: Dialect,
    pub(super) has_starttls: bool,
    pub(super) max_message_size: u64,
}

/// What is configured to be offered, and the offers that were made of it last.
#[derive(Clone, Debug)]
pub(super) struct Offering {
    /// What is offered but for what TLS, AUTH, LMTP and the size make of it.
    capabilities: Capabilities,
    /// What is offered to one client in its place.
    own_capabilities: Option<Capabilities>,
    mechanisms: Vec<Arc<str>>,
    /// Whether all mechanisms may be used in clear.
    plain_text_auth: bool,
    /// What is offered in clear, under TLS, and under TLS that an authentication can be bound to.
    offers: [Arc<Offer>; 3],
}

impl Default for Offering {
    fn default() -> Self {
        Self {
            capabilities: Capabilities::new()
                .with(Extension::Pipelining)
                .with_size(limits::MESSAGE_SIZE)
                .with(Extension::EightBitMime)
                .with(Extension::EnhancedStatusCodes)
                .with(Extension::Chunking)
                .with(Extension::Help),
            own_capabilities: None,
            mechanisms: Vec::new(),
            plain_text_auth: false,
            offers: Default::default(),
        }
    }
}

impl Offering {
    /// Returns the offer to a client whose words are protected so.
    pub(super) fn under(&self, protection: Protection) -> &Arc<Offer> {
        let [in_clear, under_tls, bound] = &self.offers;
        match protection {
            Protection::InClear => in_clear,
            Protection::Tls => under_tls,
            Protection::Bound => bound,
        }
    }

    /// Returns whether AUTH is known at all.
    pub(super) fn has_mechanisms(&self) -> bool {
        !self.mechanisms.is_empty()
    }

    /// Returns whether that is offered in place of what was configured.
    pub(super) fn is_replaced_by(&self, capabilities: Option<&Capabilities>) -> bool {
        self.own_capabilities.as_ref() == capabilities
    }

    /// Offers these extensions; like every change below, from the next [`renew`](Self::renew) on.
    pub(super) fn set_capabilities(&mut self, capabilities: Capabilities) {
        self.capabilities = capabilities;
    }

    /// Offers these extensions to one client, or what was configured.
    pub(super) fn replace(&mut self, capabilities: Option<Capabilities>) {
        self.own_capabilities = capabilities;
    }

    /// Offers these mechanisms.
    #[cfg(feature = "auth")]
    pub(super) fn set_mechanisms<'a>(
        &mut self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), SyntaxError> {
        let mut mechanisms: Vec<Arc<str>> = Vec::new();
        for name in names {
            mechanisms.push(Word::parse(name)?.as_str().into());
        }
        Capabilities::new().with_keyword("AUTH", &mechanisms.join(" "))?;
        self.mechanisms = mechanisms;
        Ok(())
    }

    /// Offers every mechanism in clear, too.
    #[cfg(feature = "auth")]
    pub(super) fn allow_plain_text_auth(&mut self) {
        self.plain_text_auth = true;
    }

    /// Brings the offers up to date.
    pub(super) fn renew(&mut self, basis: Basis) {
        let offers = [Protection::InClear, Protection::Tls, Protection::Bound]
            .map(|protection| Arc::new(self.offer(basis, protection)));
        self.offers = offers;
    }

    fn offer(&self, basis: Basis, protection: Protection) -> Offer {
        let own = self.own_capabilities.as_ref();
        let announced = own.and_then(Capabilities::max_size).filter(|it| *it > 0);
        let max_message_size = announced.unwrap_or(basis.max_message_size);
        let mut offers = own
            .unwrap_or(&self.capabilities)
            .clone()
            // 3207-4.2-d
            .without(Extension::StartTls)
            .without(Extension::Auth);
        if protection == Protection::InClear {
            // 8689-2-c
            offers = offers.without(Extension::RequireTls);
        }
        if basis.dialect == Dialect::Lmtp {
            // 2033-5-b
            offers = offers
                .with(Extension::Pipelining)
                .with(Extension::EnhancedStatusCodes);
        }
        if offers.has(Extension::Size) && offers.max_size() != Some(max_message_size) {
            offers = offers.with_size(max_message_size);
        }
        let is_usable = |mechanism: &&Arc<str>| match protection {
            _ if mechanism.ends_with("-PLUS") => protection == Protection::Bound,
            Protection::InClear => self.plain_text_auth || is_safe_in_clear(mechanism),
            Protection::Tls | Protection::Bound => true,
        };
        let mechanisms: Vec<Arc<str>> = self.mechanisms.iter().filter(is_usable).cloned().collect();
        if !mechanisms.is_empty()
            && let Ok(with_auth) = offers.clone().with_keyword("AUTH", &mechanisms.join(" "))
        {
            offers = with_auth;
        }
        if basis.has_starttls && protection == Protection::InClear {
            offers = offers.with(Extension::StartTls);
        }
        Offer::new(offers, mechanisms, max_message_size)
    }
}

/// Returns whether a mechanism may be used in clear, as whoever listens learns no credential from it.
fn is_safe_in_clear(mechanism: &str) -> bool {
    let begins = |with: &str| {
        let beginning = mechanism.get(..with.len());
        beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(with))
    };
    [
        "SCRAM-",
        "GS2-",
        "GSSAPI",
        "CRAM-MD5",
        "DIGEST-MD5",
        "EXTERNAL",
    ]
    .into_iter()
    .any(begins)
}
