//! The command lines of the examples.

mod deliver;
mod receive;

use std::{fs, io, path::Path, path::PathBuf, process::ExitCode, str::FromStr};

pub use self::{
    deliver::{DeliverOptions, policy_name},
    receive::{Accepting, ReceiveOptions, Service, Storage},
};

/// Why an example does not run.
#[derive(Debug)]
pub enum Stop {
    /// Help was asked for: this one.
    Help(&'static str),
    /// The command line is wrong: why.
    Usage(String),
}

impl Stop {
    /// Tells the user, and returns what to exit with.
    pub fn report(&self) -> ExitCode {
        match self {
            Self::Help(text) => {
                print!("{text}");
                ExitCode::SUCCESS
            }
            Self::Usage(reason) => {
                eprintln!("{reason}; --help tells more");
                ExitCode::from(64) // EX_USAGE
            }
        }
    }
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// At `HOST:PORT`.
    Tcp(String),
    /// At a Unix socket.
    Unix(PathBuf),
}

impl Endpoint {
    fn parse(text: &str) -> Self {
        match text.strip_prefix("unix:") {
            Some(path) => Self::Unix(path.into()),
            None => Self::Tcp(text.to_owned()),
        }
    }

    /// Returns host and port, as far as they can be told.
    pub(crate) fn host_and_port(&self) -> Option<(&str, u16)> {
        let Self::Tcp(text) = self else {
            return None;
        };
        let (host, port) = text.rsplit_once(':')?;
        Some((host.trim_matches(['[', ']']), port.parse().ok()?))
    }
}

/// Reads a secret: the first line of a file.
pub(crate) fn read_secret(file: &Path) -> io::Result<String> {
    let text = fs::read_to_string(file)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

pub(crate) fn usage<T>(reason: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Usage(reason.into()))
}

fn unknown(option: &str) -> Stop {
    Stop::Usage(format!("{option} is not an option"))
}

fn number<N: FromStr>(option: &str, text: &str) -> Result<N, Stop> {
    let wrong = |_| Stop::Usage(format!("{option} {text:?} is no number"));
    text.parse().map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TemporaryDirectory;

    #[test]
    fn a_secret_is_the_first_line() {
        let directory = TemporaryDirectory::new().unwrap();
        let file = directory.path().join("password");
        fs::write(&file, "a secret \r\nmore\n").unwrap();
        assert_eq!(read_secret(&file).unwrap(), "a secret ");
        let missing = read_secret(&directory.path().join("none")).unwrap_err();
        assert!(missing.to_string().contains("none: "), "{missing}");
    }

    #[test]
    fn endpoints_are_told_apart() {
        assert_eq!(Endpoint::parse("unix:/s"), Endpoint::Unix("/s".into()));
        assert_eq!(Endpoint::parse("unix:/s").host_and_port(), None);
        let host_and_port = |text: &'static str| {
            let it = Endpoint::parse(text);
            it.host_and_port()
                .map(|(host, port)| (host.to_owned(), port))
        };
        assert_eq!(host_and_port("[::1]:25"), Some(("::1".to_owned(), 25)));
        assert_eq!(
            host_and_port("mx.example.net:465"),
            Some(("mx.example.net".to_owned(), 465))
        );
        assert_eq!(host_and_port("mx.example.net"), None);
    }
}
