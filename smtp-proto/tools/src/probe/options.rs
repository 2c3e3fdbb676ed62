//! The command line of `probe`.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use clap::{Parser, ValueEnum};
use smtp_proto::syntax::{ForwardPath, Host, ReversePath};

/// Tests how a mail server speaks SMTP, and says how to speak to it.
///
/// Delivers nothing: what would deliver a message is tried only with --deliver-to. Makes 5 to 8
/// connections, one after the other, and with consent a few more. Exits with 0 if nothing is wrong,
/// with 1 if something is, with 3 if the server could not be tested.
#[derive(Clone, Debug, Parser)]
#[command(name = "probe", version)]
pub struct Options {
    /// The server; the port is 25 unless named, and TLS comes first at port 465
    #[arg(value_name = "HOST[:PORT]")]
    pub target: Target,
    /// What to call oneself; without it the address that the server sees, as [192.0.2.1]
    #[arg(long, value_name = "NAME", value_parser = host)]
    pub helo: Option<Host<'static>>,
    /// The sender to name
    #[arg(long, value_name = "ADDRESS", default_value = "<>", value_parser = sender)]
    pub from: ReversePath<'static>,
    /// The recipient to ask for, to whom nothing is delivered
    #[arg(long, value_name = "ADDRESS", default_value = "postmaster", value_parser = recipient)]
    pub rcpt: ForwardPath<'static>,
    /// Consents to the tests that need a delivery: this recipient gets three short messages, and one
    /// more for each wrong end of content that the server takes
    #[arg(long, value_name = "RECIPIENT", value_parser = recipient)]
    pub deliver_to: Option<ForwardPath<'static>>,
    /// Consents to a count of the errors that the server puts up with, which it may log or punish
    #[arg(long)]
    pub count_errors: bool,
    /// Where the commands go
    #[arg(long, value_name = "MODE", default_value = "auto")]
    pub tls: TlsMode,
    /// The authorities to trust, in PEM; without it the platform's
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Whom the server's certificate has to name; without it HOST
    #[arg(long, value_name = "NAME")]
    pub server_name: Option<String>,
    /// How long everything may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "180", value_parser = seconds)]
    pub timeout: Duration,
    /// How long to wait for one reply, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = seconds)]
    pub reply_timeout: Duration,
    /// Prints the result as JSON
    #[arg(long)]
    pub json: bool,
    /// Shows for every finding what was said; without it, for those that are not right
    #[arg(long)]
    pub evidence: bool,
    /// Writes what a client may rely on, as `deliver --capabilities` reads it
    #[arg(long, value_name = "FILE")]
    pub capabilities: Option<PathBuf>,
}

/// Where the commands of a test go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TlsMode {
    /// In clear, unless the server demands TLS by 530 or the port is 465
    Auto,
    /// In clear
    Off,
    /// After STARTTLS
    Starttls,
    /// Over TLS from the first byte
    Implicit,
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The name or the address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl FromStr for Target {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const NO_PORT: &str = "the port is a number from 1 to 65535";
        let (host, port) = match text.strip_prefix('[').and_then(|it| it.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or(NO_PORT)?)),
            // More than one colon: an address of IPv6 without brackets.
            None => match text.split_once(':') {
                Some((host, port)) if !port.contains(':') => (host, Some(port)),
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

fn host(text: &str) -> Result<Host<'static>, String> {
    let host = Host::parse(text).map_err(|error| error.to_string())?;
    Ok(host.into_owned())
}

fn sender(text: &str) -> Result<ReversePath<'static>, String> {
    let path = ReversePath::parse(&in_brackets(text)).map(ReversePath::into_owned);
    path.map_err(|error| error.to_string())
}

fn recipient(text: &str) -> Result<ForwardPath<'static>, String> {
    let path = ForwardPath::parse(&in_brackets(text)).map(ForwardPath::into_owned);
    path.map_err(|error| error.to_string())
}

fn in_brackets(address: &str) -> String {
    match address {
        _ if address.starts_with('<') => address.to_owned(),
        _ => format!("<{address}>"),
    }
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().filter(|seconds| *seconds > 0.0);
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or("a number of seconds above 0 is wanted")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
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
        ] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), shown);
        }
        for text in ["", ":25", "mx:", "mx:0", "mx:65536", "mx:smtp", "[::1]25"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_go_with_and_without_brackets() {
        let options = Options::try_parse_from([
            "probe",
            "--from",
            "a@example.org",
            "--deliver-to",
            "<b@example.net>",
            "mx",
        ])
        .unwrap();
        assert_eq!(options.from.to_string(), "<a@example.org>");
        assert_eq!(options.rcpt.to_string(), "<Postmaster>");
        assert_eq!(options.deliver_to.unwrap().to_string(), "<b@example.net>");
    }
}
