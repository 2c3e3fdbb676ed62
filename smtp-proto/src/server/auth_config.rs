//! What a server is told about authentication.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::config::Config;
use crate::machine::limits;
use crate::syntax::{Capabilities, SyntaxError, Word};

impl Config {
    /// Offers authentication by these mechanisms (RFC 4954), by default by none.
    ///
    /// Those by which whoever listens learns a credential, as PLAIN and LOGIN, are offered and
    /// taken under TLS only (4954-4-v).
    ///
    /// ```
    /// use smtp_proto::server::{Config, Tls};
    /// use smtp_proto::syntax::Host;
    ///
    /// let config = Config::new(Host::parse("submit.example.net")?)
    ///     .tls(Tls::Implicit)
    ///     .mechanisms(["SCRAM-SHA-256", "PLAIN"])?
    ///     .require_auth();
    /// # Ok::<(), smtp_proto::syntax::SyntaxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if a name is not one word, or if they are too many for one line.
    pub fn mechanisms<'a>(
        self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, SyntaxError> {
        let mut mechanisms: Vec<Arc<str>> = Vec::new();
        for name in names {
            mechanisms.push(Word::parse(name)?.as_str().into());
        }
        Capabilities::new().with_keyword("AUTH", &mechanisms.join(" "))?;
        Ok(self.set_offer(|settings| settings.mechanisms = mechanisms))
    }

    /// Offers every mechanism in clear, too: only where the link cannot be listened to.
    #[must_use]
    pub fn allow_plain_text_auth(self) -> Self {
        self.set_offer(|settings| settings.plain_text_auth = true)
    }

    /// Demands authentication before mail (530), as submission does (RFC 6409 4.3).
    #[must_use]
    pub fn require_auth(self) -> Self {
        self.set(|settings| settings.requires_auth = true)
    }

    /// Sets how many authentications may fail, by default and at least
    /// [`limits::AUTHENTICATION_FAILURES`]. A
    /// further AUTH is answered 421 and ends the session.
    #[must_use]
    pub fn max_auth_failures(self, max_auth_failures: usize) -> Self {
        let least = limits::AUTHENTICATION_FAILURES;
        self.set(|settings| settings.max_auth_failures = max_auth_failures.max(least))
    }
}
