//! How a client's session is kept from others.

use std::{io, path::PathBuf};

use clap::{
    Args, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use smtp_proto::{
    client::Tls,
    sasl::{self, External, Mechanism, OAuthBearer, Plain, Scram, ScramHash, XOAuth2},
};
use smtp_proto_blocking::client::{Options, nonce};
use smtp_proto_rustls::TlsConnector;

use crate::arguments::{Endpoint, read_secret};

/// What the command line says of TLS and authentication.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Security {
    /// off, opportunistic, required (both STARTTLS) or implicit
    #[arg(long, value_name = "MODE", default_value = "off", requires = "to", value_parser = tls(),
          hide_possible_values = true)]
    pub tls: Tls,
    /// The authorities to trust, in PEM; without it the platform's, or anyone where it is opportunistic
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Whom the server's certificate has to name; without it HOST
    #[arg(long, value_name = "NAME")]
    pub server_name: Option<String>,
    /// Who authenticates, over TLS or a Unix socket
    #[arg(long, value_name = "NAME", requires = "password_file")]
    pub user: Option<String>,
    /// The password or token, in the file's first line
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,
    /// By which mechanism; without it scram-sha-256, else plain, else login
    #[arg(long, value_name = "MECHANISM", ignore_case = true)]
    pub auth: Option<Login>,
}

/// How a client proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Login {
    /// SCRAM with SHA-256.
    #[value(name = "scram-sha-256", help = None)]
    ScramSha256,
    /// SCRAM with SHA-1.
    #[value(name = "scram-sha-1", help = None)]
    ScramSha1,
    /// PLAIN.
    #[value(help = None)]
    Plain,
    /// LOGIN.
    #[value(help = None)]
    Login,
    /// EXTERNAL.
    #[value(help = None)]
    External,
    /// XOAUTH2.
    #[value(name = "xoauth2", help = None)]
    XOAuth2,
    /// OAUTHBEARER.
    #[value(name = "oauthbearer", help = None)]
    OAuthBearer,
}

fn tls() -> impl TypedValueParser<Value = Tls> {
    let modes = ["off", "opportunistic", "required", "implicit"];
    PossibleValuesParser::new(modes).map(|mode| match mode.as_str() {
        "opportunistic" => Tls::Opportunistic,
        "required" => Tls::Required,
        "implicit" => Tls::Implicit,
        _ => Tls::Off,
    })
}

impl Security {
    pub(super) fn check(&self, server: &Endpoint) -> Result<(), String> {
        let is_local = matches!(server, Endpoint::Unix(_));
        let contradiction =
            if self.tls == Tls::Off && (self.ca.is_some() || self.server_name.is_some()) {
                "--ca and --server-name need --tls"
            } else if self.tls != Tls::Off && is_local && self.server_name.is_none() {
                "--tls needs --server-name with a Unix socket"
            } else if self.auth == Some(Login::External) {
                return Ok(()); // there is no secret
            } else if self.auth.is_some() && self.user.is_none() {
                "--auth needs --user and --password-file"
            } else if self.user.is_some() && self.tls == Tls::Off && !is_local {
                "--user needs --tls, or a Unix socket"
            } else {
                return Ok(());
            };
        Err(contradiction.to_owned())
    }

    /// Says whom to trust and how to authenticate.
    pub(super) fn apply(&self, options: Options, server: &Endpoint) -> io::Result<Options> {
        let options = match self.connector(server)? {
            Some(connector) => options.tls(connector),
            None => options,
        };
        self.authenticate(options, server)
    }

    /// Returns what does TLS with such a server, if there is to be any.
    fn connector(&self, server: &Endpoint) -> io::Result<Option<TlsConnector>> {
        if self.tls == Tls::Off {
            return Ok(None);
        }
        let named = self.server_name.as_deref().or(server.host());
        let name = named.unwrap_or("localhost");
        let connector = match &self.ca {
            Some(file) => TlsConnector::with_ca_file(name, file),
            // Nobody need vouch (RFC 7435), but who is known all the same may have credentials.
            None if self.tls == Tls::Opportunistic => match TlsConnector::with_platform_roots(name)
            {
                Ok(connector) => connector.opportunistic(),
                Err(_) => TlsConnector::with_any_certificate(name),
            },
            None => TlsConnector::with_platform_roots(name),
        };
        connector.map(Some)
    }

    fn authenticate(&self, options: Options, server: &Endpoint) -> io::Result<Options> {
        let user = self.user.clone().unwrap_or_default();
        let Some(file) = &self.password_file else {
            return Ok(match self.auth {
                Some(_) => options.authenticate(move || External::new().acting_for(user.as_str())),
                None => options,
            });
        };
        let secret = read_secret(file)?;
        let (host, port) = (
            server.host().unwrap_or("localhost").to_owned(),
            server.port(),
        );
        let (u, s) = (user, secret);
        Ok(match self.auth {
            None => options.password(&u, &s),
            Some(Login::ScramSha256) => options.authenticate(scram(ScramHash::Sha256, u, s)?),
            Some(Login::ScramSha1) => options.authenticate(scram(ScramHash::Sha1, u, s)?),
            Some(Login::Plain) => options.authenticate(move || Plain::new(&*u, &*s)),
            Some(Login::Login) => options.authenticate(move || sasl::Login::new(&*u, &*s)),
            Some(Login::External) => options.authenticate(move || External::new().acting_for(&*u)),
            Some(Login::XOAuth2) => options.authenticate(move || XOAuth2::new(&*u, &*s)),
            Some(Login::OAuthBearer) => {
                options.authenticate(move || OAuthBearer::new(&*u, &*host, port, &*s))
            }
        })
    }
}

/// Returns what makes one exchange of SCRAM for each connection.
fn scram(
    hash: ScramHash,
    user: String,
    secret: String,
) -> io::Result<impl Fn() -> Box<dyn Mechanism> + Send + Sync + 'static> {
    let make = move || {
        let scram = Scram::new(hash, &user, &secret, nonce()?);
        scram.map_err(io::Error::other)
    };
    make()?;
    Ok(move || match make() {
        Ok(scram) => Box::new(scram) as Box<dyn Mechanism>,
        // It could be made before; and this gives nothing away.
        Err(_) => Box::new(External::new()),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::deliver) fn server() -> Endpoint {
        "mx:465".parse().unwrap()
    }

    /// What is in a secret is checked before there is a connection.
    #[test]
    fn what_scram_cannot_have_is_told_at_once() {
        assert!(scram(ScramHash::Sha1, "u".into(), "p".into()).is_ok());
        assert!(scram(ScramHash::Sha256, "u".into(), "\u{7}".into()).is_err());
    }
}
