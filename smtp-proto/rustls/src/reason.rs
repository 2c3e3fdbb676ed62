//! Why a server is not verified, in the words that all libraries share.

use std::{error, fmt, io};

use rustls::{
    CertificateError, Error, InvalidMessage, OtherError,
    client::danger::ServerCertVerifier,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use smtp_proto::machine::UnverifiedReason;

use crate::trust::has_known_key;

/// Adds to what a handshake failed of, if that was the certificate, the [`UnverifiedReason`] as its cause;
/// and says so where what came is not TLS at all.
pub fn explained(error: io::Error) -> io::Error {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    match cause {
        Some(Error::InvalidCertificate(found)) => {
            let refusal = Refusal {
                reason: reason(found),
                error: Error::InvalidCertificate(found.clone()),
            };
            io::Error::new(error.kind(), refusal)
        }
        Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
            io::Error::new(error.kind(), NotTls)
        }
        _ => error,
    }
}

/// What the peer sent where TLS begins is something else.
#[derive(Debug)]
struct NotTls;

impl fmt::Display for NotTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the server does not answer in TLS (smtps:// is for ports that begin with it, as 465)",
        )
    }
}

impl error::Error for NotTls {}

/// What rustls says of a certificate, and what that is among the reasons.
#[derive(Debug)]
struct Refusal {
    error: Error,
    reason: UnverifiedReason,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)?;
        match &self.error {
            Error::InvalidCertificate(found) if is_of_authority(found) => f.write_str(
                " (a certificate that signs itself is trusted by TlsConnector::with_pin)",
            ),
            _ => Ok(()),
        }
    }
}

impl error::Error for Refusal {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.reason)
    }
}

/// Returns why a server that was let pass would not have been otherwise (RFC 8460 4.3.1).
pub(crate) fn look_at(
    certificates: &[CertificateDer<'_>],
    name: &ServerName<'_>,
    verifier: &dyn ServerCertVerifier,
) -> Result<(), UnverifiedReason> {
    let Some((end_entity, intermediates)) = certificates.split_first() else {
        return Err(UnverifiedReason::NoCertificate);
    };
    // Whoever was let pass with it need not have its key.
    if !has_known_key(end_entity) {
        return Err(UnverifiedReason::Other);
    }
    let now = UnixTime::now();
    match verifier.verify_server_cert(end_entity, intermediates, name, &[], now) {
        Ok(_) => Ok(()),
        Err(Error::InvalidCertificate(error)) => Err(reason(&error)),
        Err(_) => Err(UnverifiedReason::Other),
    }
}

/// Returns whether the certificate is an authority's, as those are that openssl makes to sign themselves:
/// no server can have one, be it among the authorities that are trusted.
fn is_of_authority(error: &CertificateError) -> bool {
    // The type of the cause is that of a library which rustls does not show.
    matches!(error, CertificateError::Other(OtherError(cause)) if format!("{cause:?}") == "CaUsedAsEndEntity")
}

fn reason(error: &CertificateError) -> UnverifiedReason {
    use CertificateError as E;
    match error {
        E::NotValidForName | E::NotValidForNameContext { .. } => UnverifiedReason::HostMismatch,
        E::Expired | E::ExpiredContext { .. } | E::NotValidYet | E::NotValidYetContext { .. } => {
            UnverifiedReason::Expired
        }
        E::UnknownIssuer | E::ApplicationVerificationFailure => UnverifiedReason::NotTrusted,
        error if is_of_authority(error) => UnverifiedReason::NotTrusted,
        E::Other(OtherError(error)) => match error.downcast_ref() {
            Some(reason) => *reason,
            None => UnverifiedReason::Other,
        },
        _ => UnverifiedReason::Other,
    }
}
