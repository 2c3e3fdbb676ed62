//! Envelopes, from lettre's to the engine's.

use smtp_proto::{client::Envelope, syntax::AddressError};

/// Translates an envelope. Nobody as the sender is `<>`. To several it goes to all or to none, as with
/// lettre: a program that sends again what has failed must not send it twice to those who have it.
pub(crate) fn translated(
    envelope: &lettre::address::Envelope,
) -> Result<Envelope<'_>, AddressError> {
    let sender = envelope.from().map_or("<>", AsRef::as_ref);
    let begun = Envelope::new(sender)?;
    let mut recipients = envelope.to().iter();
    let complete = recipients.try_fold(begun, |envelope, address| {
        envelope.to::<&str>(address.as_ref())
    })?;
    // To one, it is the same without, and a round trip less.
    Ok(match envelope.to() {
        [_] => complete,
        _ => complete.all_or_none(),
    })
}
