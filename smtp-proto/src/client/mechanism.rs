//! SASL mechanisms, as a client uses them (RFC 4422).

use alloc::{format, string::String, vec::Vec};
use core::fmt;

/// Proves who the client is.
///
/// Implement it for mechanisms that are not built in. What is passed and returned is not encoded:
/// the machine does the base64.
pub trait Mechanism: Send {
    /// Returns the registered name, as in `EXTERNAL`: 1 to 20 of `A`-`Z`, `0`-`9`, `-` and `_`.
    fn name(&self) -> &str;

    /// Tells whether whoever reads the exchange learns the password or token. Such a mechanism is
    /// used under TLS only, unless the configuration says otherwise.
    fn is_plain_text(&self) -> bool;

    /// Returns what the client says first, or `None` where the server begins. Called again if the
    /// exchange begins again.
    fn initial_response(&mut self) -> Option<Vec<u8>>;

    /// Returns the answer to a challenge; `None` cancels the exchange.
    fn respond(&mut self, challenge: &[u8]) -> Option<Vec<u8>>;

    /// Tells whether the server may accept now. Mechanisms by which the server proves itself return
    /// false until it has.
    fn is_complete(&self) -> bool {
        true
    }
}

/// Holds what must not be shown, and overwrites it in the end.
struct Secret(String);

impl Drop for Secret {
    fn drop(&mut self) {
        let mut octets = core::mem::take(&mut self.0).into_bytes();
        octets.fill(0);
        core::hint::black_box(&octets);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("...")
    }
}

/// User name and password in one message (RFC 4616).
#[derive(Debug)]
pub struct Plain {
    acting_for: String,
    user: String,
    password: Secret,
}

impl Plain {
    /// Takes a user name and a password. Neither may hold NUL: the server would reject it.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        let password = Secret(password.into());
        Self {
            acting_for: String::new(),
            user: user.into(),
            password,
        }
    }

    /// Acts for another user than the one who proves who he is.
    #[must_use]
    pub fn acting_for(mut self, user: impl Into<String>) -> Self {
        self.acting_for = user.into();
        self
    }
}

impl Mechanism for Plain {
    fn name(&self) -> &str {
        "PLAIN"
    }

    fn is_plain_text(&self) -> bool {
        true
    }

    fn initial_response(&mut self) -> Option<Vec<u8>> {
        let Self {
            acting_for,
            user,
            password,
        } = self;
        Some(format!("{acting_for}\0{user}\0{}", password.0).into_bytes())
    }

    fn respond(&mut self, _: &[u8]) -> Option<Vec<u8>> {
        self.initial_response()
    }
}

/// User name and password, each when the server asks: not registered, but wide-spread.
#[derive(Debug)]
pub struct Login {
    user: String,
    password: Secret,
    answered: u8,
}

impl Login {
    /// Takes a user name and a password.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            password: Secret(password.into()),
            answered: 0,
        }
    }
}

impl Mechanism for Login {
    fn name(&self) -> &str {
        "LOGIN"
    }

    fn is_plain_text(&self) -> bool {
        true
    }

    fn initial_response(&mut self) -> Option<Vec<u8>> {
        self.answered = 0;
        None
    }

    /// What the prompts say is of no account (LOGIN-b).
    fn respond(&mut self, _: &[u8]) -> Option<Vec<u8>> {
        self.answered = self.answered.saturating_add(1);
        match self.answered {
            1 => Some(self.user.clone().into_bytes()),
            2 => Some(self.password.0.clone().into_bytes()),
            _ => None,
        }
    }
}

/// Who the client is, is known by other means, as by its TLS certificate (RFC 4422 A).
#[derive(Debug, Default)]
pub struct External {
    acting_for: String,
}

impl External {
    /// Acts for the user whom the other means show.
    pub fn new() -> Self {
        Self::default()
    }

    /// Acts for another user.
    #[must_use]
    pub fn acting_for(mut self, user: impl Into<String>) -> Self {
        self.acting_for = user.into();
        self
    }
}

impl Mechanism for External {
    fn name(&self) -> &str {
        "EXTERNAL"
    }

    fn is_plain_text(&self) -> bool {
        false
    }

    fn initial_response(&mut self) -> Option<Vec<u8>> {
        Some(self.acting_for.clone().into_bytes())
    }

    fn respond(&mut self, _: &[u8]) -> Option<Vec<u8>> {
        self.initial_response()
    }
}

/// An OAuth 2 bearer token, in the form of Google and Microsoft.
#[derive(Debug)]
pub struct XOAuth2 {
    user: String,
    token: Secret,
}

impl XOAuth2 {
    /// Takes a user name and an access token.
    pub fn new(user: impl Into<String>, token: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            token: Secret(token.into()),
        }
    }
}

impl Mechanism for XOAuth2 {
    fn name(&self) -> &str {
        "XOAUTH2"
    }

    fn is_plain_text(&self) -> bool {
        true
    }

    fn initial_response(&mut self) -> Option<Vec<u8>> {
        let Self { user, token } = self;
        Some(format!("user={user}\x01auth=Bearer {}\x01\x01", token.0).into_bytes())
    }

    /// A challenge tells of a failure; an empty line has the server say so (XOAUTH2-b).
    fn respond(&mut self, challenge: &[u8]) -> Option<Vec<u8>> {
        if challenge.is_empty() {
            self.initial_response()
        } else {
            Some(Vec::new())
        }
    }
}

/// An OAuth 2 bearer token (RFC 7628).
#[derive(Debug)]
pub struct OAuthBearer {
    user: String,
    host: String,
    port: u16,
    token: Secret,
}

impl OAuthBearer {
    /// Takes a user name, the server's name and port as the client knows them, and a token.
    pub fn new(
        user: impl Into<String>,
        host: impl Into<String>,
        port: u16,
        token: impl Into<String>,
    ) -> Self {
        Self {
            user: user.into(),
            host: host.into(),
            port,
            token: Secret(token.into()),
        }
    }
}

impl Mechanism for OAuthBearer {
    fn name(&self) -> &str {
        "OAUTHBEARER"
    }

    fn is_plain_text(&self) -> bool {
        true
    }

    fn initial_response(&mut self) -> Option<Vec<u8>> {
        let Self {
            user,
            host,
            port,
            token,
        } = self;
        // RFC 5801 4: "=" and "," are escaped in the user's name.
        let user = user.replace('=', "=3D").replace(',', "=2C");
        let message = format!(
            "n,a={user},\x01host={host}\x01port={port}\x01auth=Bearer {}\x01\x01",
            token.0
        );
        Some(message.into_bytes())
    }

    /// A challenge tells of a failure; one octet has the server say so (7628-3.2-a).
    fn respond(&mut self, challenge: &[u8]) -> Option<Vec<u8>> {
        if challenge.is_empty() {
            self.initial_response()
        } else {
            Some(b"\x01".to_vec())
        }
    }
}
