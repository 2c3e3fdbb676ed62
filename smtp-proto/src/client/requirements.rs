//! What a message needs of the server, and what is left out where the server does not offer it.

use super::{event::NotSentReason, session::Session, transaction::TransactionId};
use crate::syntax::{
    BodyType, ByMode, Capabilities, Extension, MailParameters, ParameterName, RcptParameters,
    RrvsAction,
};

impl Session {
    /// Fails a message that needs what the server does not offer, and leaves out of the others what
    /// may be left out.
    pub(super) fn check_requirements(&mut self, id: TransactionId) {
        let offered = &self.capabilities;
        let Some(transaction) = self.transactions.get_mut(id) else {
            return;
        };
        let too_large = offered.max_size().and_then(|maximum| {
            (transaction.size? > maximum).then_some(NotSentReason::TooLarge { maximum }) // RFC 1870 7
        });
        let body = match transaction.body {
            // 6152-3-f, 3030-3-e: none of these may be sent unasked.
            Some(BodyType::EightBitMime) => Some(Extension::EightBitMime),
            Some(BodyType::BinaryMime) => Some(Extension::BinaryMime),
            Some(BodyType::SevenBit) | None => None,
        };
        let utf8 = transaction.internationalized.then_some(Extension::SmtpUtf8); // 6531-3.2-d
        let mail = transaction.parameters.as_mut();
        let mail = mail.map(|given| {
            let needed = (vital(given), exceeded(given, offered));
            fit(given, offered);
            needed
        });
        let (mail, exceeded) = mail.unwrap_or_default();
        let recipients = transaction.recipient_parameters.iter_mut();
        let recipients = recipients.map(|(_, given)| (vital_of(given), fit_of(given, offered)).0);
        let needed = mail.into_iter().chain(recipients).chain([body, utf8]);
        let missing = needed.flatten().find(|&extension| !offered.has(extension));
        let missing = missing.or(exceeded);
        // 8689-2-b: only under TLS.
        let clear = !self.encrypted
            && transaction
                .parameters
                .as_ref()
                .is_some_and(|given| given.require_tls);
        let clear = clear.then_some(NotSentReason::ExtensionMissing(Extension::RequireTls));
        let reason = too_large
            .or(missing.map(NotSentReason::ExtensionMissing))
            .or(clear);
        if let Some(reason) = reason {
            self.abandon(id, reason);
        }
    }
}

/// Returns the extensions without which the message must not be sent (X-42 of the requirements).
fn vital(given: &MailParameters<'_>) -> [Option<Extension>; 4] {
    let strict = given
        .deliver_by
        .is_some_and(|by| by.mode() == ByMode::Return);
    [
        given.require_tls.then_some(Extension::RequireTls),
        strict.then_some(Extension::DeliverBy),
        given.conperm.then_some(Extension::Conperm),
        given.hold.is_some().then_some(Extension::FutureRelease),
    ]
}

/// Returns an extension that is offered, but not as far as the message needs it.
fn exceeded(given: &MailParameters<'_>, offered: &Capabilities) -> Option<Extension> {
    // 2852-4.1.4-b
    let early = given.deliver_by.is_some_and(|by| {
        let minimum = offered.deliver_by().map(i64::from);
        by.mode() == ByMode::Return
            && minimum.is_some_and(|minimum| i64::from(by.seconds()) < minimum)
    });
    // 4865-4.1-a
    let late = given.hold.as_ref().is_some_and(|hold| {
        let offer = offered.future_release();
        offer.is_none_or(|offer| !offer.allows(hold))
    });
    early
        .then_some(Extension::DeliverBy)
        .or(late.then_some(Extension::FutureRelease))
}

/// Leaves out what is not offered.
fn fit(given: &mut MailParameters<'static>, offered: &Capabilities) {
    for name in given.names() {
        let is_of_envelope = matches!(
            name,
            // Written from the envelope.
            ParameterName::Size
                | ParameterName::Body
                | ParameterName::BinaryBody
                | ParameterName::SmtpUtf8
        );
        if is_of_envelope || !offered.takes(name) {
            given.remove(name);
        }
    }
}

/// Returns the extensions without which a recipient must not be sent.
fn vital_of(given: &RcptParameters<'_>) -> Option<Extension> {
    let strict = given.valid_since.as_ref().is_some_and(|since| {
        since.action() != Some(RrvsAction::Continue) // 7293-5.1.1-a
    });
    strict.then_some(Extension::Rrvs)
}

/// Leaves out what is not offered.
fn fit_of(given: &mut RcptParameters<'static>, offered: &Capabilities) {
    for name in given.names().filter(|name| !offered.takes(*name)) {
        given.remove(name);
    }
}
