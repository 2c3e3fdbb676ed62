//! What of MAIL's and RCPT's parameters a server is told, by what it offers.

use crate::syntax::{
    ByMode, Capabilities, Extension, MailParameters, OriginalRecipient, ParameterName,
    RcptParameters, RrvsAction,
};

/// Returns the extensions without which the message must not be sent (X-42 of the requirements).
pub(super) fn vital_of_mail(given: &MailParameters<'_>) -> [Option<Extension>; 4] {
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

/// Returns an extension that is offered, but not as far as the message needs it (2852-4.1.4-b,
/// 4865-4.1-a).
pub(super) fn exceeded_by(given: &MailParameters<'_>, offered: &Capabilities) -> Option<Extension> {
    let has_no_maximum = given.hold.is_some() && offered.future_release().is_none();
    let exceeded = offered.exceeded_by(given);
    exceeded.or(has_no_maximum.then_some(Extension::FutureRelease))
}

/// Leaves out what is not offered.
pub(super) fn fit_mail(given: &mut MailParameters<'static>, offered: &Capabilities) {
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

/// Leaves out of a recipient's what is not offered, and returns the extension without which the
/// recipient must not be sent, if there is one.
pub(super) fn fit_recipient(
    given: &mut RcptParameters<'static>,
    offered: &Capabilities,
) -> Option<Extension> {
    let is_strict = given.valid_since.as_ref().is_some_and(|since| {
        since.action() != Some(RrvsAction::Continue) // 7293-5.1.1-a
    });
    for name in given.names().filter(|name| !offered.takes(*name)) {
        given.remove(name);
    }
    is_strict.then_some(Extension::Rrvs)
}

/// Writes in ASCII what may be in UTF-8 only where SMTPUTF8 is in use, or leaves it out if it is too long
/// for that (6533-3-b, X-28).
pub(super) fn recode(given: &mut RcptParameters<'static>) {
    if let Some(original) = given
        .original_recipient
        .take_if(|original| !original.is_ascii())
    {
        given.original_recipient = original.to_ascii().ok().map(OriginalRecipient::into_owned);
    }
}
