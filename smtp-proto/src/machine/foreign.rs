//! Protocols that are not SMTP.

use core::fmt;

/// Names what a client speaks to a server in place of SMTP, as far as its first bytes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
#[non_exhaustive]
pub enum ForeignProtocol {
    /// HTTP: a browser that a web page made to speak to a mail server, or a search for proxies.
    Http,
    /// TLS, where the session begins in clear.
    Tls,
    /// The PROXY protocol's header, from a proxy that was not expected.
    Proxy,
    /// Something whose first byte is no letter.
    Unknown,
}

impl fmt::Display for ForeignProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "HTTP",
            Self::Tls => "TLS",
            Self::Proxy => "the PROXY protocol",
            Self::Unknown => "something unknown",
        })
    }
}
