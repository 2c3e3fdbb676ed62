//! Envelopes, from lettre's to the engine's.

use smtp_proto::{client::Envelope, syntax::AddressError};

/// Translates an envelope. Nobody as the sender is `<>`.
pub(crate) fn translated(
    envelope: &lettre::address::Envelope,
) -> Result<Envelope<'_>, AddressError> {
    let sender = envelope.from().map_or("<>", AsRef::as_ref);
    let begun = Envelope::new(sender)?;
    let mut recipients = envelope.to().iter();
    recipients.try_fold(begun, |envelope, address| {
        envelope.to::<&str>(address.as_ref())
    })
}
