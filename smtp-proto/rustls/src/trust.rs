//! Trust that no authority vouches for.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use sha2::{Digest, Sha256};

use crate::dane::Tlsa;

/// Knows a certificate again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pin {
    /// By all of it.
    Certificate(CertificateDer<'static>),
    /// By the SHA-256 of all of it, in DER.
    Sha256([u8; 32]),
}

impl From<CertificateDer<'static>> for Pin {
    fn from(certificate: CertificateDer<'static>) -> Self {
        Self::Certificate(certificate)
    }
}

impl From<[u8; 32]> for Pin {
    fn from(digest: [u8; 32]) -> Self {
        Self::Sha256(digest)
    }
}

#[derive(Debug)]
pub(crate) enum Trust {
    Pinned(Pin),
    Tlsa(Tlsa),
    Anyone,
}

/// Looks at what no authority vouches for, and at whether the peer has the certificate's key.
#[derive(Debug)]
pub(crate) struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    pub(crate) fn new(trust: Trust, provider: Arc<CryptoProvider>) -> Self {
        Self { trust, provider }
    }

    /// Returns whether it is all the same who has the key: anybody may show any certificate, and this
    /// one's key cannot be told.
    fn takes_any_key_of(&self, certificate: &CertificateDer<'_>) -> bool {
        matches!(self.trust, Trust::Anyone) && !has_known_key(certificate)
    }
}

/// Returns whether the key of a certificate can be told, and so who has it. Those of X.509 version 1 are
/// not read by the library.
pub(crate) fn has_known_key(certificate: &CertificateDer<'_>) -> bool {
    ParsedCertificate::try_from(certificate).is_ok()
}

impl Pin {
    fn is_of(&self, certificate: &CertificateDer<'_>) -> bool {
        match self {
            Self::Certificate(pinned) => pinned == certificate,
            Self::Sha256(digest) => *digest == Sha256::digest(certificate)[..],
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        match &self.trust {
            Trust::Anyone => {}
            Trust::Pinned(pin) if pin.is_of(end_entity) => {}
            Trust::Pinned(_) => return Err(CertificateError::ApplicationVerificationFailure.into()),
            Trust::Tlsa(tlsa) => {
                tlsa.verify(end_entity, intermediates, name, now, algorithms)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.takes_any_key_of(certificate) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.takes_any_key_of(certificate) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
