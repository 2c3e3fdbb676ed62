//! The command line of `receive`.

use std::{
    convert::Infallible, error::Error, io, path::PathBuf, str::FromStr, sync::Arc, time::Duration,
};

use clap::{Parser, ValueEnum};
use smtp_proto::{
    machine::{Dialect, limits},
    server::{Config, Tls},
    syntax::{Capabilities, Extension, Host, Limits},
};
use smtp_proto_rustls::TlsAcceptor;

use super::{Account, Duplicates, Inbox, Maildir};
use crate::arguments::{CommandLine, about, host, read_secret, seconds};

/// Receives messages by SMTP or LMTP, for everybody.
///
/// Each begins with a Return-Path and a Received field. Ends on SIGTERM or SIGINT, once the
/// transactions under way are over, or at once on the second. Exits with 3 if it cannot listen, or
/// something of this machine's is missing or broken, as a file.
#[derive(Clone, Debug, Parser)]
#[command(name = "receive", version)]
pub struct Options {
    /// Where to listen, as 127.0.0.1:2525, of which port 0 chooses one; or unix:PATH, at a Unix socket
    /// that is not there yet
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Listen,
    /// Where messages are stored, on the disk before they are acknowledged
    #[arg(long, value_name = "DIRECTORY", default_value = "Maildir")]
    pub maildir: PathBuf,
    /// Drops every message instead
    #[arg(long, conflicts_with = "maildir")]
    pub discard: bool,
    /// What to call oneself
    #[arg(long, value_name = "NAME", default_value = "localhost.localdomain", value_parser = host)]
    pub name: Host<'static>,
    /// What it is for
    #[arg(long, value_name = "DIALECT", default_value = "smtp")]
    pub dialect: Service,
    /// Takes only what is written as RFC 5321 has it, and not what most servers put up with
    #[arg(long)]
    pub strict: bool,
    /// Takes recipients without a domain, `RCPT TO:<bob>`; with LMTP it always does
    #[arg(long, conflicts_with = "strict")]
    pub unqualified: bool,
    /// The largest message that is taken, at least 65536
    #[arg(long, value_name = "BYTES", default_value_t = limits::MESSAGE_SIZE, value_parser = max_size())]
    pub max_size: u64,
    /// How many recipients one message may have, at least 100 (RFC 5321 4.5.3.1.8), announced by LIMITS;
    /// without it 1000, not announced
    #[arg(long, value_name = "N", value_parser = max_recipients())]
    pub max_recipients: Option<u32>,
    /// How many connections there may be at once, 50 of them from one address; further ones are told 421
    #[arg(long, value_name = "N", default_value_t = limits::CONNECTIONS)]
    pub max_connections: usize,
    /// Lets known clients send on before the greeting
    #[arg(long)]
    pub pipeconnect: bool,
    /// The certificate and those up to its authority, in PEM; offers STARTTLS
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Its key, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Begins with TLS in place of STARTTLS
    #[arg(long, requires = "tls_cert")]
    pub tls_implicit: bool,
    /// Who can authenticate, over TLS or a Unix socket
    #[arg(long, value_name = "NAME", requires = "password_file")]
    pub user: Option<String>,
    /// The password or token, in the file's first line
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,
    /// Stores a message only once if it is sent again within that time because the acknowledgement was
    /// lost
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub dedup: Option<Duration>,
    /// Prints one JSON object for each message that is stored
    #[arg(long)]
    pub json: bool,
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// At an address and a port.
    Tcp(String),
    /// At a Unix socket.
    Unix(PathBuf),
}

/// What `receive` is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Service {
    /// Mail from anywhere
    Smtp,
    /// Mail from users who prove who they are (RFC 6409)
    Submission,
    /// Mail from a server nearby (RFC 2033)
    Lmtp,
}

impl FromStr for Listen {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.strip_prefix("unix:") {
            Some(path) => Self::Unix(path.into()),
            None => Self::Tcp(text.to_owned()),
        })
    }
}

/// A server that announces less than it must take would refuse nobody by it.
fn max_recipients() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(limits::RECIPIENTS_MINIMUM as i64..)
}

fn max_size() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(limits::MESSAGE_SIZE_MINIMUM..)
}

impl CommandLine for Options {
    fn check(&self) -> Result<(), String> {
        if self.dialect == Service::Submission && self.user.is_none() {
            return Err("--dialect submission needs --user".to_owned());
        }
        if self.user.is_some() && self.tls_cert.is_none() && !self.is_local() {
            return Err("--user needs --tls-cert, or a Unix socket".to_owned());
        }
        Ok(())
    }
}

impl Options {
    fn is_local(&self) -> bool {
        matches!(self.listen, Listen::Unix(_))
    }

    /// Returns what is done with messages.
    ///
    /// # Errors
    ///
    /// Those of the Maildir, and of reading the password.
    pub(super) fn inbox(&self, config: &Config) -> Result<Inbox, Box<dyn Error>> {
        let maildir = match self.discard {
            false => Some(Maildir::open(&self.maildir)?),
            true => None,
        };
        let mut inbox = Inbox::new(config, maildir);
        if self.json {
            inbox = inbox.telling();
        }
        if let (Some(user), Some(file)) = (&self.user, &self.password_file) {
            inbox = inbox.admitting(Account::new(user, &read_secret(file)?)?);
        }
        if let Some(kept_for) = self.dedup {
            inbox = inbox.recognising(Arc::new(Duplicates::new(kept_for)));
        }
        Ok(inbox)
    }

    /// Returns what does TLS, if there is to be any.
    ///
    /// # Errors
    ///
    /// Those of the files.
    pub(super) fn acceptor(&self) -> io::Result<Option<TlsAcceptor>> {
        let files = self.tls_cert.as_ref().zip(self.tls_key.as_ref());
        let acceptor = files.map(|(certificate, key)| {
            let both = format!("{} with {}", certificate.display(), key.display());
            about(both, TlsAcceptor::from_pem_files(certificate, key))
        });
        acceptor.transpose()
    }

    /// Returns all that the handler can honour: it keeps bytes as they are, and what a message asks
    /// for of notifications.
    fn offer(&self) -> Result<Capabilities, Box<dyn Error>> {
        let mut offer = Capabilities::new();
        for extension in [
            Extension::Pipelining,
            Extension::Size,
            Extension::EightBitMime,
            Extension::EnhancedStatusCodes,
            Extension::Chunking,
            Extension::BinaryMime,
            Extension::SmtpUtf8,
            Extension::Dsn,
            Extension::Help,
        ] {
            offer = offer.with(extension);
        }
        if let Some(recipients) = self.max_recipients {
            let limits = Limits::default().with_rcpt_max(recipients);
            offer = offer.with_keyword("LIMITS", &limits.to_string())?;
        }
        if self.pipeconnect {
            offer = offer.with_keyword("PIPECONNECT", "")?;
        }
        Ok(offer)
    }

    /// Returns the server's configuration.
    ///
    /// # Errors
    ///
    /// None that the options could cause.
    pub(super) fn config(&self) -> Result<Config, Box<dyn Error>> {
        let mut config = Config::new(self.name.clone())
            .offer(self.offer()?)
            .max_message_size(self.max_size);
        if let Some(recipients) = self.max_recipients {
            config = config.max_recipients(usize::try_from(recipients)?);
        }
        if self.strict {
            config = config.strict_syntax();
        }
        if self.unqualified {
            config = config.unqualified_recipients(true);
        }
        config = config.tls(match (&self.tls_cert, self.dialect) {
            (None, _) => Tls::Off,
            (Some(_), _) if self.tls_implicit => Tls::Implicit,
            (Some(_), Service::Submission) => Tls::Required,
            (Some(_), _) => Tls::Offered,
        });
        if self.user.is_some() {
            config =
                config.mechanisms(["SCRAM-SHA-256", "PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"])?;
        }
        if self.is_local() {
            config = config.allow_plain_text_auth();
        }
        Ok(match self.dialect {
            Service::Smtp => config,
            Service::Submission => config.require_auth(),
            Service::Lmtp => config.dialect(Dialect::Lmtp),
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        let arguments = line.split_whitespace();
        Options::read([&["receive"], &arguments.collect::<Vec<_>>()[..]].concat())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn a_whole_command_line_is_understood() {
        let options = parse(
            "--listen unix:/s --dialect submission --tls-cert c --tls-key k --tls-implicit \
             --user u --password-file p --dedup 60 --max-size 100000 --max-recipients 200 \
             --pipeconnect --strict --json",
        )
        .unwrap();
        assert_eq!(options.listen, Listen::Unix("/s".into()));
        assert_eq!(options.maildir, PathBuf::from("Maildir"));
        assert_eq!(options.dialect, Service::Submission);
        assert_eq!(options.dedup, Some(Duration::from_secs(60)));
        assert!(options.tls_implicit && options.strict && options.json);
        assert!(options.config().is_ok());
        let offer = options.offer().unwrap();
        assert_eq!(offer.get("LIMITS"), Some("RCPTMAX=200"));
        assert!(offer.get("PIPECONNECT").is_some());
    }

    #[test]
    fn what_can_be_honoured_is_offered() {
        let offer = parse("--listen ::").unwrap().offer().unwrap();
        for extension in [Extension::SmtpUtf8, Extension::Dsn, Extension::BinaryMime] {
            assert!(offer.has(extension), "{extension:?}");
        }
        assert_eq!(offer.get("LIMITS"), None);
        assert_eq!(offer.get("PIPECONNECT"), None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, reason) in [
            ("--discard", "--listen <ADDRESS>"),
            ("--listen :: --discard --maildir m", "cannot be used with"),
            ("--listen :: --max-recipients 12", "12 is not in 100.."),
            ("--listen :: --max-size 1000", "1000 is not in 65536.."),
            ("--listen :: --dialect uucp", "smtp, submission, lmtp"),
            ("--listen :: --tls-cert c", "--tls-key <FILE>"),
            ("--listen :: --tls-implicit", "--tls-cert <FILE>"),
            ("--listen :: --user u", "--password-file <FILE>"),
            (
                "--listen :: --dialect submission",
                "--dialect submission needs --user",
            ),
            (
                "--listen :: --user u --password-file p",
                "--user needs --tls-cert, or a Unix socket",
            ),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
