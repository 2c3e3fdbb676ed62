//! Messages that come again because their acknowledgement was lost (RFC 1047).

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};
use smtp_proto::{
    server::Certainty,
    syntax::{ForwardPath, ReversePath},
};

/// How many lost acknowledgements are looked through for old ones at the earliest.
const PRUNED_AT_LEAST: usize = 1024;

/// Knows a message again, for one of its recipients: by sender, recipient and content.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint([u8; 32]);

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Takes the fingerprints of a message while its content comes.
#[derive(Clone, Debug, Default)]
pub(super) struct Fingerprinter {
    content: Sha256,
}

impl Fingerprinter {
    /// Takes more of the content.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.content.update(bytes);
    }

    /// Returns the fingerprint for each recipient.
    ///
    /// In LMTP a message may come again for some of its recipients alone.
    pub(super) fn finish<'p>(
        self,
        from: &ReversePath<'_>,
        recipients: impl IntoIterator<Item = &'p ForwardPath<'static>>,
    ) -> Vec<Fingerprint> {
        let content = self.content.finalize();
        let (from, mut line) = (from.to_string(), Vec::new());
        let fingerprint = |recipient: &ForwardPath<'_>| {
            line.clear();
            recipient.write_to(&mut line);
            let mut hash = Sha256::new();
            for part in [from.as_bytes(), line.as_slice()] {
                // The length keeps what is in one part from passing for the other.
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
            Fingerprint(hash.chain_update(content).finalize().into())
        };
        recipients.into_iter().map(fingerprint).collect()
    }
}

/// Remembers the messages that were stored and whose clients may not have heard of it.
///
/// Only these can come again by mistake: what else is the same was sent twice on purpose, and is
/// stored twice. That a connection is lost has to be noticed first; a client that comes back before
/// that is not recognised. `M` names a message among those of all sessions.
#[derive(Debug)]
pub struct Duplicates<M> {
    kept_for: Duration,
    state: Mutex<State<M>>,
}

#[derive(Debug)]
struct State<M> {
    /// What was stored, and it is not known yet whether the client heard of it.
    stored: HashMap<M, Vec<Fingerprint>>,
    /// Until when to remember what the client may not have heard of; as often as it was lost.
    lost: HashMap<Fingerprint, VecDeque<Instant>>,
    prune_at: usize,
}

impl<M: Eq + Hash> Duplicates<M> {
    /// Remembers nothing yet, and each message for that time.
    pub fn new(kept_for: Duration) -> Self {
        Self {
            kept_for,
            state: Mutex::new(State {
                stored: HashMap::new(),
                lost: HashMap::new(),
                prune_at: PRUNED_AT_LEAST,
            }),
        }
    }

    /// Tells whether this is a message that was stored before for each recipient and came again by
    /// mistake. It is not stored then, and is [`stored`](Self::stored) all the same.
    pub(super) fn recognise(&self, fingerprints: &[Fingerprint], now: Instant) -> bool {
        let State { lost, .. } = &mut *self.state();
        let is_lost = |fingerprint: &Fingerprint| {
            let times = lost.get(fingerprint).and_then(VecDeque::back);
            times.is_some_and(|until| *until > now)
        };
        let is_known = !fingerprints.is_empty() && fingerprints.iter().all(is_lost);
        if is_known {
            for fingerprint in fingerprints {
                let Some(times) = lost.get_mut(fingerprint) else {
                    continue;
                };
                times.pop_back();
                if times.is_empty() {
                    lost.remove(fingerprint);
                }
            }
        }
        is_known
    }

    /// Takes note that a message is stored, before it is accepted.
    pub(super) fn stored(&self, message: M, fingerprints: Vec<Fingerprint>) {
        self.state().stored.insert(message, fingerprints);
    }

    /// Takes note of how sure it is that the client knows that its message was accepted.
    pub(super) fn acknowledged(&self, message: &M, certainty: Certainty, now: Instant) {
        let mut state = self.state();
        let fingerprints = state.stored.remove(message);
        if certainty < Certainty::Probable {
            state.lose(fingerprints.unwrap_or_default(), now, self.kept_for);
        }
    }

    /// Takes note, in LMTP, of how sure it is that the client knows that its message was accepted
    /// for a recipient, by the position among them.
    pub(super) fn delivery_acknowledged(
        &self,
        message: &M,
        recipient: usize,
        certainty: Certainty,
        now: Instant,
    ) {
        let mut state = self.state();
        let fingerprints = state.stored.get(message);
        let fingerprint = fingerprints.and_then(|all| all.get(recipient)).copied();
        if certainty < Certainty::Probable {
            state.lose(fingerprint, now, self.kept_for);
        }
    }

    /// Takes note that nothing more will be heard of the messages of a session.
    pub(super) fn closed(&self, is_of_session: impl Fn(&M) -> bool) {
        let mut state = self.state();
        state.stored.retain(|message, _| !is_of_session(message));
    }

    /// Returns how many messages are remembered that may come again, those included whose time is
    /// over and that are not removed yet.
    pub fn lost(&self) -> usize {
        self.state().lost.values().map(VecDeque::len).sum()
    }

    fn state(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M> State<M> {
    fn lose(
        &mut self,
        fingerprints: impl IntoIterator<Item = Fingerprint>,
        now: Instant,
        kept_for: Duration,
    ) {
        for fingerprint in fingerprints {
            let times = self.lost.entry(fingerprint).or_default();
            while times.front().is_some_and(|until| *until <= now) {
                times.pop_front();
            }
            times.push_back(now + kept_for);
        }
        if self.lost.len() >= self.prune_at {
            self.lost
                .retain(|_, times| times.back().is_some_and(|until| *until > now));
            // So each one is looked at no more than about twice.
            self.prune_at = (2 * self.lost.len()).max(PRUNED_AT_LEAST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: Duration = Duration::from_secs(60);

    fn fingerprints(from: &str, recipients: &[&str], content: &[&[u8]]) -> Vec<Fingerprint> {
        let mut fingerprinter = Fingerprinter::default();
        for bytes in content {
            fingerprinter.update(bytes);
        }
        let parse = |path: &&str| ForwardPath::parse(path).unwrap().into_owned();
        let recipients: Vec<_> = recipients.iter().map(parse).collect();
        fingerprinter.finish(&ReversePath::parse(from).unwrap(), &recipients)
    }

    #[test]
    fn a_fingerprint_is_of_sender_recipient_and_content() {
        let one = fingerprints("<a@x>", &["<b@x>", "<c@x>"], &[b"con", b"tent"]);
        assert_eq!(
            one,
            fingerprints("<a@x>", &["<b@x>", "<c@x>"], &[b"content"])
        );
        assert_eq!(one[1..], fingerprints("<a@x>", &["<c@x>"], &[b"content"]));
        assert_ne!(one[0], one[1]);
        assert_ne!(one[..1], fingerprints("<d@x>", &["<b@x>"], &[b"content"]));
        assert_ne!(one[..1], fingerprints("<a@x>", &["<b@x>"], &[b"Content"]));
    }

    #[test]
    fn only_what_was_lost_is_recognised_and_only_as_often() {
        let message = fingerprints("<a@x>", &["<b@x>"], &[b"content"]);
        for (certainty, is_lost) in [
            (Certainty::Unsent, true),
            (Certainty::Sent, true),
            (Certainty::Probable, false),
            (Certainty::Confirmed, false),
        ] {
            let (duplicates, now) = (Duplicates::new(KEPT), Instant::now());
            duplicates.stored(1, message.clone());
            assert!(!duplicates.recognise(&message, now), "not known to be lost");
            duplicates.acknowledged(&1, certainty, now);
            assert_eq!(
                duplicates.recognise(&message, now),
                is_lost,
                "{certainty:?}"
            );
            assert!(!duplicates.recognise(&message, now), "it was lost once");
        }
    }

    #[test]
    fn what_is_lost_again_is_recognised_again() {
        let message = fingerprints("<a@x>", &["<b@x>"], &[b"content"]);
        let (duplicates, now) = (Duplicates::new(KEPT), Instant::now());
        duplicates.stored(1, message.clone());
        duplicates.acknowledged(&1, Certainty::Sent, now);
        assert!(duplicates.recognise(&message, now));
        duplicates.stored(2, message.clone());
        duplicates.acknowledged(&2, Certainty::Unsent, now);
        assert!(duplicates.recognise(&message, now));
    }

    #[test]
    fn it_is_forgotten_when_its_time_is_over() {
        let message = fingerprints("<a@x>", &["<b@x>"], &[b"content"]);
        let (duplicates, now) = (Duplicates::new(KEPT), Instant::now());
        duplicates.stored(1, message.clone());
        duplicates.acknowledged(&1, Certainty::Sent, now);
        assert!(!duplicates.recognise(&message, now + KEPT));
        assert!(duplicates.recognise(&message, now + KEPT - Duration::from_nanos(1)));
    }

    #[test]
    fn in_lmtp_it_is_a_matter_of_each_recipient() {
        let message = fingerprints("<a@x>", &["<b@x>", "<c@x>"], &[b"content"]);
        let (duplicates, now) = (Duplicates::new(KEPT), Instant::now());
        duplicates.stored(1, message.clone());
        duplicates.delivery_acknowledged(&1, 0, Certainty::Confirmed, now);
        duplicates.delivery_acknowledged(&1, 1, Certainty::Sent, now);
        assert!(!duplicates.recognise(&message, now), "one of them is new");
        assert!(duplicates.recognise(&message[1..], now));
    }

    #[test]
    fn memory_is_bounded_by_time() {
        let (duplicates, now) = (Duplicates::new(KEPT), Instant::now());
        let lose = |n: u64, now| {
            duplicates.stored(n, fingerprints("<a@x>", &["<b@x>"], &[&n.to_be_bytes()]));
            duplicates.acknowledged(&n, Certainty::Sent, now);
        };
        let half = PRUNED_AT_LEAST as u64 / 2;
        (0..half).for_each(|n| lose(n, now));
        (half..2 * half).for_each(|n| lose(n, now + KEPT));
        assert_eq!(duplicates.lost(), PRUNED_AT_LEAST / 2);
        duplicates.stored(9999, Vec::new());
        duplicates.closed(|message| *message == 9999);
        assert!(duplicates.state().stored.is_empty());
    }
}
