//! Which of the two protocols is spoken.

/// Names the protocol that a connection speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// SMTP (RFC 5321).
    #[default]
    Smtp,
    /// LMTP (RFC 2033): LHLO for EHLO, and one verdict for each accepted recipient.
    Lmtp,
}
