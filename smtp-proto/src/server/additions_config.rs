//! What a server is told about extensions that only its application knows.

use super::additions::OwnParameter;
use super::config::Config;
use crate::syntax::{Capabilities, SyntaxError};

impl Config {
    /// Takes a parameter of MAIL that an extension of the application's brings, where that extension
    /// is [offered](Self::offer).
    ///
    /// [`Event::Mail`](super::Event::Mail) hands it out among the others, unexamined; parameters that
    /// neither the library nor the application knows are answered 555. One that the library knows
    /// keeps its meaning. An extension whose keyword begins with X is taken to bring a parameter of
    /// its own name without this (RFC 5321 2.2.2).
    ///
    /// ```
    /// use smtp_proto::server::Config;
    /// use smtp_proto::syntax::{Capabilities, Host};
    ///
    /// let config = Config::new(Host::parse("mx.example.net")?)
    ///     .offer(Capabilities::new().with_keyword("LANES", "3")?)
    ///     .mail_parameter("LANE", "LANES")?;
    /// # Ok::<(), smtp_proto::syntax::SyntaxError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails unless both are letters, digits and hyphens, not beginning with a hyphen (RFC 5321
    /// 4.1.1.1, 4.1.2).
    pub fn mail_parameter(self, parameter: &str, extension: &str) -> Result<Self, SyntaxError> {
        let own = OwnParameter::new(parameter, extension)?;
        Ok(self.set(|settings| settings.additions.mail.push(own)))
    }

    /// Takes a parameter of RCPT that an extension of the application's brings, as
    /// [`mail_parameter`](Self::mail_parameter) does.
    ///
    /// # Errors
    ///
    /// Fails like it.
    pub fn rcpt_parameter(self, parameter: &str, extension: &str) -> Result<Self, SyntaxError> {
        let own = OwnParameter::new(parameter, extension)?;
        Ok(self.set(|settings| settings.additions.rcpt.push(own)))
    }

    /// Hands commands of that verb, in any case, to the application, as
    /// [`Event::Command`](super::Event::Command): after EHLO, in or out of a transaction, and each
    /// the last of its group. Announce the extension that brings it by [`offer`](Self::offer).
    ///
    /// Verbs that the library knows keep their meaning. All others are answered 500.
    ///
    /// # Errors
    ///
    /// Fails unless `verb` is letters, digits and hyphens, not beginning with a hyphen.
    pub fn command(self, verb: &str) -> Result<Self, SyntaxError> {
        Capabilities::new().with_keyword(verb, "")?;
        Ok(self.set(|settings| settings.additions.commands.push(verb.into())))
    }
}
