//! How a client's session is kept from others, as `deliver` and `probe` are told it alike.

use std::{fmt, io, path::PathBuf};

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use smtp_proto::client::Tls;
use smtp_proto_rustls::{TlsConnector, rustls::pki_types::ServerName};

use crate::arguments::{Endpoint, about, read_secret};

/// Where TLS comes before the greeting (RFC 8314 7.3).
const SUBMISSIONS: u16 = 465;

/// What the command line says of whom to trust.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct Trust {
    /// The authorities to trust, in PEM; without it the platform's
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Whom the server's certificate has to name; without it HOST
    #[arg(long, value_name = "NAME", value_parser = server_name)]
    pub server_name: Option<String>,
}

/// What the command line says of who authenticates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct Credentials {
    /// Who authenticates, but only over TLS with a server that is verified
    #[arg(long, value_name = "NAME", requires = "password_file")]
    pub user: Option<String>,
    /// The password or token, in the file's first line
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,
}

/// A user's name and secret.
pub(crate) struct Secret {
    pub(crate) user: String,
    pub(crate) secret: String,
}

/// Takes the names of all ways to do TLS.
pub(crate) fn tls_mode() -> impl TypedValueParser<Value = Tls> {
    let modes = ["off", "opportunistic", "required", "implicit"];
    PossibleValuesParser::new(modes).map(|mode| match mode.as_str() {
        "opportunistic" => Tls::Opportunistic,
        "required" => Tls::Required,
        "implicit" => Tls::Implicit,
        _ => Tls::Off,
    })
}

/// Returns how to do TLS with a server if nobody says.
pub(crate) fn usual_tls(server: &Endpoint) -> Tls {
    match server.port() {
        Some(SUBMISSIONS) => Tls::Implicit,
        _ => Tls::Off,
    }
}

fn server_name(text: &str) -> Result<String, String> {
    let name = ServerName::try_from(text).map_err(|error| error.to_string())?;
    Ok(name.to_str().into_owned())
}

impl Trust {
    /// Returns what verifies a server.
    pub(crate) fn connector(&self, server: &Endpoint) -> io::Result<TlsConnector> {
        let name = self.name(server);
        match &self.ca {
            Some(file) => TlsConnector::with_ca_file(name, file),
            None => about(name, TlsConnector::with_platform_roots(name)),
        }
    }

    /// Returns what takes whatever certificate a server has.
    pub(crate) fn any_certificate(&self, server: &Endpoint) -> io::Result<TlsConnector> {
        let name = self.name(server);
        about(name, TlsConnector::with_any_certificate(name))
    }

    fn name<'a>(&'a self, server: &'a Endpoint) -> &'a str {
        let name = self.server_name.as_deref().or(server.host());
        name.unwrap_or("localhost")
    }
}

impl Credentials {
    /// Reads the secret, if there is to be a login by one.
    pub(crate) fn read(&self) -> io::Result<Option<Secret>> {
        let (Some(user), Some(file)) = (&self.user, &self.password_file) else {
            return Ok(None);
        };
        Ok(Some(Secret {
            user: user.clone(),
            secret: read_secret(file)?,
        }))
    }
}

/// Shows no secret.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}
