//! TLS by native-tls for both adapters, in the place of rustls: an example of their trait
//! `tls::Handshake`, to be copied.
//!
//! native-tls tells neither the version of TLS nor why a certificate is not verified, and has no channel
//! binding that TLS 1.3 knows: [`TlsInfo`] says so by leaving them out.

mod blocking;
mod tokio;

use native_tls::{Certificate, TlsAcceptor, TlsConnector};
use smtp_proto_tokio::{
    TlsInfo,
    smtp_proto::machine::{UnverifiedReason, Verification, VerifiedBy},
};

/// Begins TLS as a client, with a server of one name.
#[derive(Clone, Debug)]
pub struct Connector {
    library: TlsConnector,
    name: String,
    verification: Verification,
}

impl Connector {
    /// Lets those servers pass that `library` verifies for `name`.
    pub fn new(library: TlsConnector, name: &str) -> Self {
        Self {
            library,
            name: name.to_owned(),
            verification: Verification::Verified(VerifiedBy::Authority),
        }
    }

    /// Says that `library` was told to let others pass, too: all count as unverified then, and get no
    /// credentials.
    #[must_use]
    pub fn unverified(mut self) -> Self {
        self.verification = Verification::Unverified(UnverifiedReason::NotChecked);
        self
    }
}

/// Begins TLS as a server. native-tls asks clients for no certificates.
#[derive(Clone)]
pub struct Acceptor(TlsAcceptor);

impl Acceptor {
    /// Shows the identity that `library` has.
    pub fn new(library: TlsAcceptor) -> Self {
        Self(library)
    }
}

/// Returns what a client's handshake came to.
fn info(
    certificate: native_tls::Result<Option<Certificate>>,
    verification: Verification,
) -> TlsInfo {
    let mut info = TlsInfo::default();
    if let Ok(Some(certificate)) = certificate {
        info.verification = verification;
        info.peer_certificates = certificate.to_der().into_iter().collect();
    }
    info
}
