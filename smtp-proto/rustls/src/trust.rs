//! Trust that no authority vouches for.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, hash::HashAlgorithm, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use smtp_proto::machine::UnverifiedReason;

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
    Anyone,
}

/// Looks at nothing but the certificate itself, and at whether the peer has its key.
#[derive(Debug)]
pub(crate) struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    pub(crate) fn new(trust: Trust, provider: Arc<CryptoProvider>) -> Self {
        Self { trust, provider }
    }

    fn is_trusted(&self, certificate: &CertificateDer<'_>) -> bool {
        match &self.trust {
            Trust::Anyone => true,
            Trust::Pinned(Pin::Certificate(pinned)) => pinned == certificate,
            Trust::Pinned(Pin::Sha256(digest)) => self
                .provider
                .cipher_suites
                .iter()
                .filter_map(|suite| suite.tls13())
                .map(|suite| suite.common.hash_provider)
                .find(|hash| hash.algorithm() == HashAlgorithm::SHA256)
                .is_some_and(|hash| hash.hash(certificate).as_ref() == digest),
        }
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
    let now = UnixTime::now();
    match verifier.verify_server_cert(end_entity, intermediates, name, &[], now) {
        Ok(_) => Ok(()),
        Err(Error::InvalidCertificate(error)) => Err(reason(&error)),
        Err(_) => Err(UnverifiedReason::Other),
    }
}

fn reason(error: &CertificateError) -> UnverifiedReason {
    use CertificateError as E;
    match error {
        E::NotValidForName | E::NotValidForNameContext { .. } => UnverifiedReason::HostMismatch,
        E::Expired | E::ExpiredContext { .. } | E::NotValidYet | E::NotValidYetContext { .. } => {
            UnverifiedReason::Expired
        }
        E::UnknownIssuer | E::ApplicationVerificationFailure => UnverifiedReason::NotTrusted,
        _ => UnverifiedReason::Other,
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.is_trusted(end_entity) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(all(test, any(feature = "ring", feature = "aws-lc-rs")))]
mod tests {
    use super::*;
    use crate::crypto_provider;

    /// FIPS 180-2 B.1
    #[test]
    fn pins_by_sha256() {
        let mut digest = [
            0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae,
            0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61,
            0xf2, 0x00, 0x15, 0xad,
        ];
        let trusts = |digest, bytes: &'static [u8]| {
            let trust = Trust::Pinned(Pin::Sha256(digest));
            Verifier::new(trust, crypto_provider().unwrap()).is_trusted(&bytes.into())
        };
        assert!(trusts(digest, b"abc"));
        assert!(!trusts(digest, b"abd"));
        digest[31] ^= 1;
        assert!(!trusts(digest, b"abc"));
    }
}
