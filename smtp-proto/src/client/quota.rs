//! What a server permits one session (RFC 9422), and how much of it has been used.

use alloc::{boxed::Box, collections::BTreeSet, vec::Vec};

use crate::{machine::limits, syntax::Limits};

/// How much of a session the server permits; all of it, where it says nothing.
#[derive(Debug, Default)]
pub(super) struct Quota(Option<Box<Used>>);

#[derive(Debug, Default)]
struct Used {
    limits: Limits,
    /// How many MAIL were sent.
    mails: u32,
    /// The domains of the recipients so far.
    domains: BTreeSet<Vec<u8>>,
}

impl Quota {
    /// Begins a session with a server that has announced this.
    pub(super) fn new(limits: Limits) -> Self {
        let is_limited = limits != Limits::default();
        Self(is_limited.then(|| {
            Box::new(Used {
                limits,
                ..Used::default()
            })
        }))
    }

    /// Returns how many recipients a transaction may have.
    pub(super) fn recipients(&self) -> Option<u32> {
        self.0.as_ref()?.limits.rcpt_max()
    }

    /// Counts a MAIL that was sent; failed ones count (9422-4-a).
    pub(super) fn count_mail(&mut self) {
        if let Some(used) = &mut self.0 {
            used.mails = used.mails.saturating_add(1);
        }
    }

    /// Returns whether the server takes no more transactions (9422-4-a).
    pub(super) fn is_exhausted(&self) -> bool {
        self.0.as_ref().is_some_and(|used| {
            let most = used.limits.mail_max();
            most.is_some_and(|most| used.mails >= most)
        })
    }

    /// Counts the domains of recipients, unless that would be too many (9422-4-a).
    pub(super) fn admits<'a>(&mut self, domains: impl Iterator<Item = &'a [u8]>) -> bool {
        let Some(used) = &mut self.0 else {
            return true;
        };
        let most = used.limits.rcpt_domain_max().map(|most| most as usize);
        // Of more than that nothing is kept: the server tells when there are too many.
        let Some(most) = most.filter(|most| *most <= limits::DOMAINS) else {
            return true;
        };
        let mut added = BTreeSet::new();
        for domain in domains {
            let domain = domain.to_ascii_lowercase();
            if !used.domains.contains(&domain) {
                added.insert(domain);
            }
            if used.domains.len().saturating_add(added.len()) > most {
                return false;
            }
        }
        used.domains.append(&mut added);
        true
    }
}
