//! How a client's session is kept from others.

use std::{io, path::PathBuf};

use smtp_proto::{
    client::Tls,
    sasl::{
        self, External, Mechanism, Nonce, OAuthBearer, Plain, Scram, ScramHash, XOAuth2,
        by_scram_or_password,
    },
};

use smtp_proto_rustls::TlsConnector;

use crate::{
    Endpoint, Stop,
    options::{read_secret, usage},
};

/// How a client proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// PLAIN.
    Plain,
    /// LOGIN.
    Login,
    /// EXTERNAL.
    External,
    /// XOAUTH2.
    XOAuth2,
    /// OAUTHBEARER.
    OAuthBearer,
    /// SCRAM-SHA-1 or SCRAM-SHA-256.
    Scram(ScramHash),
}

/// What the command line says of TLS and authentication.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Security {
    /// Whether there is TLS.
    pub tls: Tls,
    /// The authorities to trust.
    pub ca: Option<PathBuf>,
    /// Whom the certificate has to name.
    pub server_name: Option<String>,
    /// Who authenticates.
    pub user: Option<String>,
    /// Where the password or token is.
    pub password_file: Option<PathBuf>,
    /// By which mechanism.
    pub login: Option<Login>,
}

/// Which servers are to be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// Those of this name,
    pub server_name: String,
    /// vouched for by these.
    pub by: Trusted,
}

/// Who vouches for a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trusted {
    /// The authorities whose certificates are in a file.
    Authorities(PathBuf),
    /// The authorities that the platform trusts.
    Platform,
    /// Nobody need vouch (RFC 7435).
    Anyone,
}

impl Trust {
    /// Returns what does TLS with such a server.
    ///
    /// # Errors
    ///
    /// Those of [`TlsConnector`].
    pub fn connector(&self) -> io::Result<TlsConnector> {
        let name = &self.server_name;
        match &self.by {
            Trusted::Authorities(file) => TlsConnector::with_ca_file(name, file),
            Trusted::Platform => TlsConnector::with_platform_roots(name),
            // Who is known all the same may have credentials.
            Trusted::Anyone => match TlsConnector::with_platform_roots(name) {
                Ok(connector) => connector.opportunistic(),
                Err(_) => TlsConnector::with_any_certificate(name),
            },
        }
    }
}

impl Security {
    pub(crate) fn is_wanted(&self) -> bool {
        self.tls != Tls::Off || self.user.is_some() || self.login.is_some()
    }

    pub(crate) fn check(&self, server: Option<&Endpoint>) -> Result<(), Stop> {
        let is_local = matches!(server, Some(Endpoint::Unix(_)));
        if self.tls == Tls::Off && (self.ca.is_some() || self.server_name.is_some()) {
            return usage("--ca and --server-name need --tls");
        }
        if self.tls != Tls::Off && is_local && self.server_name.is_none() {
            return usage("--tls needs --server-name with a Unix socket");
        }
        if self.login == Some(Login::External) {
            return Ok(()); // there is no secret
        }
        if self.user.is_some() != self.password_file.is_some() {
            return usage("--user and --password-file go together");
        }
        if self.login.is_some() && self.user.is_none() {
            return usage("--auth needs --user and --password-file");
        }
        if self.user.is_some() && self.tls == Tls::Off && !is_local && server.is_some() {
            return usage("--user needs --tls, or a Unix socket");
        }
        Ok(())
    }

    /// Returns which servers are to be believed; `None` without TLS.
    pub(crate) fn trust(&self, server: &Endpoint) -> Option<Trust> {
        if self.tls == Tls::Off {
            return None;
        }
        let named = self.server_name.as_deref();
        let host = || server.host_and_port().map(|(host, _)| host);
        Some(Trust {
            server_name: named.or_else(host).unwrap_or_default().to_owned(),
            by: match &self.ca {
                Some(file) => Trusted::Authorities(file.clone()),
                None if self.tls == Tls::Opportunistic => Trusted::Anyone,
                None => Trusted::Platform,
            },
        })
    }

    /// Reads the secret, and returns what to authenticate by, the best first.
    pub(crate) fn mechanisms(&self, server: &Endpoint) -> io::Result<Vec<Box<dyn Mechanism>>> {
        let user = self.user.clone().unwrap_or_default();
        let Some(file) = &self.password_file else {
            return Ok(match self.login {
                Some(_) => vec![Box::new(External::new().acting_for(user))],
                None => Vec::new(),
            });
        };
        let secret = read_secret(file)?;
        let (host, port) = match server.host_and_port() {
            Some((host, port)) => (host, Some(port)),
            None => ("localhost", None),
        };
        Ok(match self.login {
            None => by_scram_or_password(&user, &secret, nonce()?),
            Some(Login::Plain) => vec![Box::new(Plain::new(user, secret))],
            Some(Login::Login) => vec![Box::new(sasl::Login::new(user, secret))],
            Some(Login::External) => vec![Box::new(External::new().acting_for(user))],
            Some(Login::XOAuth2) => vec![Box::new(XOAuth2::new(user, secret))],
            Some(Login::OAuthBearer) => vec![Box::new(OAuthBearer::new(user, host, port, secret))],
            Some(Login::Scram(hash)) => {
                let scram = Scram::new(hash, &user, &secret, nonce()?);
                vec![Box::new(scram.map_err(io::Error::other)?)]
            }
        })
    }
}

/// Draws a nonce for one session.
fn nonce() -> io::Result<Nonce> {
    let mut bytes = [0; Nonce::ENTROPY];
    getrandom::fill(&mut bytes)?;
    Ok(Nonce::from_entropy(bytes))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::TemporaryDirectory;

    fn server() -> Endpoint {
        Endpoint::Tcp("mx.example.net:465".to_owned())
    }

    #[test]
    fn nobody_is_believed_unproved_but_where_the_alternative_is_clear_text() {
        let trust = |tls, ca: Option<&str>, name: Option<&str>| {
            let security = Security {
                tls,
                ca: ca.map(PathBuf::from),
                server_name: name.map(str::to_owned),
                ..Security::default()
            };
            let trust = security.trust(&server());
            trust.map(|trust| (trust.server_name, trust.by))
        };
        let host = || "mx.example.net".to_owned();
        assert_eq!(trust(Tls::Off, None, None), None);
        for tls in [Tls::Required, Tls::Implicit] {
            assert_eq!(trust(tls, None, None), Some((host(), Trusted::Platform)));
        }
        let opportunistic = Some((host(), Trusted::Anyone));
        assert_eq!(trust(Tls::Opportunistic, None, None), opportunistic);
        let authorities = Trusted::Authorities("ca.pem".into());
        let named = Some(("other".to_owned(), authorities));
        assert_eq!(
            trust(Tls::Opportunistic, Some("ca.pem"), Some("other")),
            named
        );
    }

    #[test]
    fn mechanisms_get_the_secret() {
        let directory = TemporaryDirectory::new().unwrap();
        let file = directory.path().join("secret");
        fs::write(&file, "pw\n").unwrap();
        let responses = |login| {
            let security = Security {
                user: Some("u".to_owned()),
                password_file: Some(file.clone()),
                login,
                ..Security::default()
            };
            let mechanisms = security.mechanisms(&server()).unwrap().into_iter();
            let described = mechanisms.map(|mut mechanism| {
                let response = mechanism.initial_response().unwrap_or_default();
                let response = String::from_utf8(response).unwrap();
                // What is after is drawn by lot.
                let response = match response.split_once(",r=") {
                    Some((user, _)) => user.to_owned(),
                    None => response,
                };
                (mechanism.name().to_owned(), response)
            });
            described.collect::<Vec<_>>()
        };
        let expect = |name: &str, response: &str| (name.to_owned(), response.to_owned());
        let (plain, login) = (expect("PLAIN", "\0u\0pw"), expect("LOGIN", ""));
        let scram = expect("SCRAM-SHA-256", "n,,n=u");
        let all = [scram.clone(), plain.clone(), login.clone()];
        assert_eq!(responses(None), all);
        assert_eq!(responses(Some(Login::Scram(ScramHash::Sha256))), [scram]);
        assert_eq!(responses(Some(Login::Plain)), [plain]);
        assert_eq!(responses(Some(Login::Login)), [login]);
        assert_eq!(responses(Some(Login::External)), [expect("EXTERNAL", "u")]);
        let bearer = expect("XOAUTH2", "user=u\x01auth=Bearer pw\x01\x01");
        assert_eq!(responses(Some(Login::XOAuth2)), [bearer]);
        let bearer = expect(
            "OAUTHBEARER",
            "n,a=u,\x01host=mx.example.net\x01port=465\x01auth=Bearer pw\x01\x01",
        );
        assert_eq!(responses(Some(Login::OAuthBearer)), [bearer]);
        let nobody = Security::default();
        assert!(nobody.mechanisms(&server()).unwrap().is_empty());
    }
}
