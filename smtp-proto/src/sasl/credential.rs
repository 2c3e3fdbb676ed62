//! What a client says to prove who it is.

use core::fmt;

/// Holds what a client says to prove who it is, as a built-in mechanism brought it. No name in it
/// has control characters.
///
/// [`Debug`](fmt::Debug) shows neither passwords nor tokens.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credential<'a> {
    /// A user and a password: PLAIN (RFC 4616) and LOGIN. Compare passwords in constant time, or
    /// their hashes.
    Password {
        /// The user.
        user: &'a str,
        /// The password.
        password: &'a str,
        /// Whom the user wants to act for; empty: for himself.
        acting_for: &'a str,
    },
    /// An OAuth 2 bearer token: OAUTHBEARER (RFC 7628) and XOAUTH2.
    Token {
        /// Whom the client names; empty if the token alone tells.
        user: &'a str,
        /// The token.
        token: &'a str,
        /// Which server the client means, if it says so: refuse a token that was meant for another
        /// (7628-3.1-b).
        host: Option<&'a str>,
        /// Which port the client means, if it says so.
        port: Option<u16>,
    },
    /// A user whose password is proven: SCRAM (RFC 5802). What is left to say is whether he is let
    /// in, and under which name.
    Proven {
        /// The user.
        user: &'a str,
        /// Whom the user wants to act for; empty: for himself.
        acting_for: &'a str,
    },
    /// What is known by other means, as by the TLS certificate: EXTERNAL (RFC 4422 A).
    External {
        /// Whom the client wants to act for; empty: for whom the other means show.
        acting_for: &'a str,
    },
}

impl<'a> Credential<'a> {
    /// Returns whom the client wants to act for; empty if it does not say.
    pub fn acting_for(&self) -> &'a str {
        match *self {
            Self::Password { acting_for, .. }
            | Self::Proven { acting_for, .. }
            | Self::External { acting_for } => acting_for,
            Self::Token { .. } => "",
        }
    }

    /// Returns whether a name in it could end a line of a log or of a header: SASLprep prohibits
    /// control characters (RFC 4616 2, RFC 4013 2.3). Passwords have them where users chose them.
    pub(super) fn has_control_characters(&self) -> bool {
        let names = match *self {
            Self::Password {
                user, acting_for, ..
            }
            | Self::Proven { user, acting_for } => [user, acting_for],
            Self::Token { user, host, .. } => [user, host.unwrap_or_default()],
            Self::External { acting_for } => [acting_for, ""],
        };
        names.iter().any(|name| name.contains(char::is_control))
    }
}

impl fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password {
                user, acting_for, ..
            } => f
                .debug_struct("Password")
                .field("user", user)
                .field("acting_for", acting_for)
                .finish_non_exhaustive(),
            Self::Token {
                user, host, port, ..
            } => f
                .debug_struct("Token")
                .field("user", user)
                .field("host", host)
                .field("port", port)
                .finish_non_exhaustive(),
            Self::Proven { user, acting_for } => f
                .debug_struct("Proven")
                .field("user", user)
                .field("acting_for", acting_for)
                .finish(),
            Self::External { acting_for } => f
                .debug_struct("External")
                .field("acting_for", acting_for)
                .finish(),
        }
    }
}
