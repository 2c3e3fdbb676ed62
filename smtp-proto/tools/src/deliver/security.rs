//! How `deliver` keeps its session from others.

use std::io;

use clap::{Args, ValueEnum};
use smtp_proto::{
    client::Tls,
    sasl::{self, External, Mechanism, OAuthBearer, Plain, Scram, ScramHash, XOAuth2},
};
use smtp_proto_blocking::client::{Options, nonce};
use smtp_proto_rustls::TlsConnector;

use crate::{
    arguments::Endpoint,
    security::{Credentials, Trust, tls_mode, usual_tls},
};

/// What the command line says of TLS and authentication.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Security {
    /// off, opportunistic, required (both STARTTLS; the first may be anyone's unless --ca is there) or
    /// implicit; without it implicit at port 465, else off
    #[arg(long, value_name = "MODE", requires = "to", value_parser = tls_mode(),
          hide_possible_values = true)]
    pub tls: Option<Tls>,
    /// Whom to trust.
    #[command(flatten)]
    pub trust: Trust,
    /// Who authenticates.
    #[command(flatten)]
    pub credentials: Credentials,
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

impl Security {
    pub(super) fn check(&self, server: &Endpoint) -> Result<(), String> {
        let is_local = matches!(server, Endpoint::Unix(_));
        let in_clear = self.tls(server) == Tls::Off;
        let contradiction = if in_clear && self.trust != Trust::default() {
            "--ca and --server-name need --tls"
        } else if !in_clear && is_local && self.trust.server_name.is_none() {
            "--tls needs --server-name with a Unix socket"
        } else if self.auth == Some(Login::External) {
            return Ok(()); // there is no secret
        } else if self.auth.is_some() && self.credentials.user.is_none() {
            "--auth needs --user and --password-file"
        } else if self.credentials.user.is_some() && in_clear && !is_local {
            "--user needs --tls, or a Unix socket"
        } else {
            return Ok(());
        };
        Err(contradiction.to_owned())
    }

    /// Returns how to do TLS with a server.
    pub(super) fn tls(&self, server: &Endpoint) -> Tls {
        self.tls.unwrap_or_else(|| usual_tls(server))
    }

    /// Tells whom to trust and how to authenticate.
    pub(super) fn apply(&self, options: Options, server: &Endpoint) -> io::Result<Options> {
        let options = match self.connector(server)? {
            Some(connector) => options.tls(connector),
            None => options,
        };
        self.authenticate(options, server)
    }

    /// Returns what does TLS with such a server, if there is to be any.
    fn connector(&self, server: &Endpoint) -> io::Result<Option<TlsConnector>> {
        let connector = match self.tls(server) {
            Tls::Off => return Ok(None),
            // Nobody need vouch (RFC 7435), but who is known all the same may have credentials.
            Tls::Opportunistic if self.trust.ca.is_none() => match self.trust.connector(server) {
                Ok(connector) => connector.opportunistic(),
                Err(_) => self.trust.any_certificate(server),
            },
            _ => self.trust.connector(server),
        };
        connector.map(Some)
    }

    fn authenticate(&self, options: Options, server: &Endpoint) -> io::Result<Options> {
        let Some(secret) = self.credentials.read()? else {
            let user = self.credentials.user.clone().unwrap_or_default();
            return Ok(match self.auth {
                Some(_) => options.authenticate(move || External::new().acting_for(user.as_str())),
                None => options,
            });
        };
        let (host, port) = (
            server.host().unwrap_or("localhost").to_owned(),
            server.port(),
        );
        let (u, s) = (secret.user, secret.secret);
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
