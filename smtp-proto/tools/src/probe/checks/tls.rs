//! Is there TLS, which, and does the certificate name the server?

use smtp_proto::{machine::TlsInfo, syntax::Code};

use crate::probe::{
    finding::{Tells, Verdict},
    session::{Certificates, TlsFailure},
};

/// What TLS comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// STARTTLS is not offered.
    NotOffered,
    /// It is offered, and refused.
    Refused(Code),
    /// The handshake fails: why.
    Failed(String),
    /// The certificate is verified.
    Verified {
        /// As in [`TlsInfo::version`].
        version: u16,
    },
    /// There is TLS with a certificate that is not verified.
    Unverified {
        /// As in [`TlsInfo::version`].
        version: u16,
        /// Why not.
        reason: String,
    },
    /// More than 220 comes before the handshake.
    SaysMore,
}

impl Tls {
    pub(in crate::probe) fn done(info: &TlsInfo, certificates: &Certificates) -> Self {
        let version = info.version;
        match certificates {
            Certificates::Verified(_) => Self::Verified { version },
            Certificates::Anyones(reason) => Self::Unverified {
                version,
                reason: reason.clone(),
            },
        }
    }

    pub(in crate::probe) fn failed(failure: TlsFailure) -> Self {
        match failure {
            TlsFailure::Refused(reply) => Self::Refused(reply.code()),
            TlsFailure::SaysMore => Self::SaysMore,
            TlsFailure::Certificate(why) | TlsFailure::Failed(why) => Self::Failed(why),
        }
    }
}

impl Tells for Tls {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Verified { .. } => Verdict::Right,
            Self::NotOffered => Verdict::Fact,
            Self::Unverified { .. } => Verdict::Weak,
            Self::Refused(_) | Self::Failed(_) | Self::SaysMore => Verdict::Wrong,
        }
    }

    fn meaning(&self) -> String {
        match self {
            Self::NotOffered => {
                "No TLS is offered: whoever is on the way reads and changes.".into()
            }
            Self::Refused(code) => format!("STARTTLS is offered, and refused by {code}."),
            Self::Failed(why) => format!("The handshake of TLS fails: {why}."),
            Self::Verified { version } => {
                format!("{}, with a certificate that verifies.", name(*version))
            }
            Self::Unverified { version, reason } => format!(
                "{}, but not verified: {reason}. Send no password there.",
                name(*version)
            ),
            Self::SaysMore => {
                "Says more than 220 in clear before the handshake: somebody on the way \
                               may add replies."
                    .into()
            }
        }
    }
}

fn name(version: u16) -> String {
    match version {
        0x0303 => "TLS 1.2".into(),
        0x0304 => "TLS 1.3".into(),
        other => format!("TLS {other:#06x}"),
    }
}
