//! What a session may do: the argument of LIMITS (RFC 9422).

use core::fmt;

use super::error::SyntaxError;
use super::grammar::positive;

/// The greatest limit that can be announced (RFC 9422 4).
const MAX_LIMIT: u32 = 999_999;

/// The limits that a server announces with LIMITS; what is not announced has none.
///
/// Whatever a client sends counts, refused or not (RFC 9422 4).
///
/// ```
/// use smtp_proto::syntax::{Capabilities, Limits};
///
/// let limits = Limits::default()
///     .with_mail_max(5)
///     .with_rcpt_max(20)
///     .with_rcpt_domain_max(1);
/// let capabilities = Capabilities::new().with_keyword("LIMITS", &limits.to_string())?;
/// assert_eq!(capabilities.get("LIMITS"), Some("MAILMAX=5 RCPTMAX=20 RCPTDOMAINMAX=1"));
/// assert_eq!(capabilities.limits(), limits);
/// # Ok::<(), smtp_proto::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Limits {
    mail_max: Option<u32>,
    rcpt_max: Option<u32>,
    rcpt_domain_max: Option<u32>,
}

impl Limits {
    /// Parses the argument of LIMITS. Limits that are not known are ignored, and so are those
    /// whose value is malformed (RFC 9422 3.7); of one that is given twice the lesser counts.
    ///
    /// # Errors
    ///
    /// Fails if the argument is not a list of limits at all; a client then takes LIMITS for not
    /// announced (RFC 9422 3.7), as [`Capabilities::limits`](super::Capabilities::limits) does.
    pub fn parse(argument: &str) -> Result<Self, SyntaxError> {
        let mut limits = Self::default();
        let mut at: usize = 0;
        for limit in argument.split(' ') {
            let (name, value) = limit.split_once('=').unwrap_or((limit, ""));
            let fail = |after: usize| {
                SyntaxError::unexpected(argument.as_bytes(), at.saturating_add(after))
            };
            let letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
            let length = name.bytes().take_while(letter).count();
            if length < name.len() || length == 0 {
                return Err(fail(length));
            }
            if limit.len() > name.len() {
                let visible = |byte: &u8| byte.is_ascii_graphic() && *byte != b';';
                let value_length = value.bytes().take_while(visible).count();
                if value_length < value.len() || value.is_empty() {
                    return Err(fail(length.saturating_add(1).saturating_add(value_length)));
                }
            }
            at = at.saturating_add(limit.len()).saturating_add(1);
            let known = match name {
                _ if name.eq_ignore_ascii_case("MAILMAX") => &mut limits.mail_max,
                _ if name.eq_ignore_ascii_case("RCPTMAX") => &mut limits.rcpt_max,
                _ if name.eq_ignore_ascii_case("RCPTDOMAINMAX") => &mut limits.rcpt_domain_max,
                _ => continue,
            };
            if let Ok(value) = positive(value, MAX_LIMIT) {
                *known = Some(known.map_or(value, |earlier| earlier.min(value)));
            }
        }
        Ok(limits)
    }

    /// Returns how many MAIL a session may have.
    pub const fn mail_max(self) -> Option<u32> {
        self.mail_max
    }

    /// Returns how many RCPT a transaction may have.
    pub const fn rcpt_max(self) -> Option<u32> {
        self.rcpt_max
    }

    /// Returns how many different domains the recipients of a session may have.
    pub const fn rcpt_domain_max(self) -> Option<u32> {
        self.rcpt_domain_max
    }

    /// Sets how many MAIL a session may have: the nearest of 1 to 999999, as no other number can
    /// be announced.
    #[must_use]
    pub fn with_mail_max(mut self, limit: u32) -> Self {
        self.mail_max = Some(limit.clamp(1, MAX_LIMIT));
        self
    }

    /// Sets how many RCPT a transaction may have: the nearest of 1 to 999999.
    #[must_use]
    pub fn with_rcpt_max(mut self, limit: u32) -> Self {
        self.rcpt_max = Some(limit.clamp(1, MAX_LIMIT));
        self
    }

    /// Sets how many different domains the recipients of a session may have: the nearest of 1 to
    /// 999999.
    #[must_use]
    pub fn with_rcpt_domain_max(mut self, limit: u32) -> Self {
        self.rcpt_domain_max = Some(limit.clamp(1, MAX_LIMIT));
        self
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (name, limit) in [
            ("MAILMAX", self.mail_max),
            ("RCPTMAX", self.rcpt_max),
            ("RCPTDOMAINMAX", self.rcpt_domain_max),
        ] {
            if let Some(limit) = limit {
                write!(f, "{separator}{name}={limit}")?;
                separator = " ";
            }
        }
        Ok(())
    }
}
