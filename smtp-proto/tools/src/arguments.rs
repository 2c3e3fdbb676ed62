//! What the command lines of the programs have in common.

use std::{
    env,
    ffi::OsString,
    fmt, fs, io,
    net::{Ipv6Addr, SocketAddr, ToSocketAddrs as _},
    path::{Path, PathBuf},
    process::ExitCode,
    str::FromStr,
    time::Duration,
};

use clap::{Parser, error::ErrorKind};
use smtp_proto::syntax::{ForwardPath, Host, ReversePath};

/// What to exit with if the command line is wrong: EX_USAGE of sysexits.h.
const USAGE: u8 = 64;

/// A command line whose options may contradict each other.
pub trait CommandLine: Parser {
    /// Returns whether they do not.
    ///
    /// # Errors
    ///
    /// The contradiction, in words.
    fn check(&self) -> Result<(), String>;

    /// Reads the command line of a process, which begins with the program's name.
    ///
    /// # Errors
    ///
    /// What is wrong with it, or the help that was asked for.
    fn read<A: Into<OsString> + Clone>(
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Self, clap::Error> {
        let options = Self::try_parse_from(arguments)?;
        let contradiction = |reason| Self::command().error(ErrorKind::ArgumentConflict, reason);
        options.check().map_err(contradiction)?;
        Ok(options)
    }

    /// Reads the command line of this process.
    ///
    /// # Errors
    ///
    /// What to exit with, once the user was told why.
    fn from_env() -> Result<Self, ExitCode> {
        Self::read(env::args_os()).map_err(|error| {
            // Where nobody reads it, nobody is to be told of that either.
            let _ = error.print();
            match error.use_stderr() {
                true => USAGE.into(),
                false => ExitCode::SUCCESS,
            }
        })
    }
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// At a host and a port.
    Tcp(Target),
    /// At a Unix socket.
    Unix(PathBuf),
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The name or the address.
    pub host: String,
    /// The port: 25 unless it is named.
    pub port: u16,
}

impl Target {
    /// Returns all its addresses.
    pub(crate) fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        Ok((self.host.as_str(), self.port).to_socket_addrs()?.collect())
    }
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Self {
        let (host, port) = (address.ip().to_string(), address.port());
        Self { host, port }
    }
}

impl Endpoint {
    /// Returns the host, by which a certificate has to name the server.
    pub(crate) fn host(&self) -> Option<&str> {
        match self {
            Self::Tcp(target) => Some(&target.host),
            Self::Unix(_) => None,
        }
    }

    /// Returns the port.
    pub(crate) fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp(target) => Some(target.port),
            Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(target) => target.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for Endpoint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("unix:") {
            Some(path) => Ok(Self::Unix(path.into())),
            None => text.parse().map(Self::Tcp),
        }
    }
}

impl FromStr for Target {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const NO_PORT: &str = "the port is a number from 1 to 65535";
        if text.contains("://") {
            return Err("a host is wanted, not a URL");
        }
        let (host, port) = match text.strip_prefix('[').and_then(|it| it.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or(NO_PORT)?)),
            None => match text.split_once(':') {
                Some((host, port)) if !port.contains(':') => (host, Some(port)),
                Some(_) if !is_ipv6(text) => {
                    return Err("more than one colon is only in an address of IPv6");
                }
                _ => (text, None),
            },
        };
        if host.is_empty() {
            return Err("the host is missing");
        }
        let port = port.map_or(Ok(25), |port| port.parse().map_err(|_| NO_PORT))?;
        let host = host.to_owned();
        (port != 0).then_some(Self { host, port }).ok_or(NO_PORT)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Tells whether it is an address of IPv6, which may have a zone: `fe80::1%eth0`.
fn is_ipv6(text: &str) -> bool {
    let address = text.split('%').next();
    address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

/// Says of an error what it is about.
pub(crate) fn about<T>(what: impl fmt::Display, result: io::Result<T>) -> io::Result<T> {
    result.map_err(|error| io::Error::new(error.kind(), format!("{what}: {error}")))
}

/// Reads a secret: the first line of a file.
pub(crate) fn read_secret(file: &Path) -> io::Result<String> {
    let text = about(file.display(), fs::read_to_string(file))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

pub(crate) fn host(text: &str) -> Result<Host<'static>, String> {
    let host = Host::parse(text).map_err(|error| error.to_string())?;
    Ok(host.into_owned())
}

pub(crate) fn sender(text: &str) -> Result<ReversePath<'static>, String> {
    let path = if text.is_empty() { "<>" } else { text };
    let path = ReversePath::parse(path).map_err(|error| error.to_string())?;
    Ok(path.into_owned())
}

pub(crate) fn recipient(text: &str) -> Result<ForwardPath<'static>, String> {
    let path = ForwardPath::parse(text).map_err(|error| error.to_string())?;
    Ok(path.into_owned())
}

pub(crate) fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().filter(|seconds| *seconds > 0.0);
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or("a number of seconds above 0 is wanted")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_the_first_line() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("password");
        fs::write(&file, "a secret \r\nmore\n").unwrap();
        assert_eq!(read_secret(&file).unwrap(), "a secret ");
        let missing = read_secret(&directory.path().join("none")).unwrap_err();
        assert!(missing.to_string().contains("none: "), "{missing}");
    }

    #[test]
    fn targets_are_parsed() {
        for (text, shown) in [
            ("mx.example.net", "mx.example.net:25"),
            ("mx.example.net:465", "mx.example.net:465"),
            ("192.0.2.1:587", "192.0.2.1:587"),
            ("[2001:db8::1]:587", "[2001:db8::1]:587"),
            ("[2001:db8::1]", "[2001:db8::1]:25"),
            ("2001:db8::1", "[2001:db8::1]:25"),
            ("fe80::1%eth0", "[fe80::1%eth0]:25"),
        ] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), shown);
        }
        for text in [
            "", ":25", "mx:", "mx:0", "mx:65536", "mx:smtp", "[::1]25", "mx:25:1",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
        assert_eq!("unix:/s".parse(), Ok(Endpoint::Unix("/s".into())));
    }

    #[test]
    fn addresses_go_with_and_without_brackets() {
        assert_eq!(sender("").unwrap().to_string(), "<>");
        assert_eq!(
            sender("a@example.org").unwrap().to_string(),
            "<a@example.org>"
        );
        assert_eq!(recipient("postmaster").unwrap().to_string(), "<Postmaster>");
        assert_eq!(
            recipient("<b@example.net>").unwrap().to_string(),
            "<b@example.net>"
        );
        assert!(recipient("b@").unwrap_err().contains("found \"b@\""));
    }
}
