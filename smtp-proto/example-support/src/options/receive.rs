//! The command line of `receive`.

use std::{env, error::Error, io, path::PathBuf, sync::Arc, time::Duration};

use smtp_proto::{
    machine::{Dialect, limits},
    server::{Config, Tls},
    syntax::{Capabilities, Extension, Host, Limits},
};
use smtp_proto_rustls::TlsAcceptor;

use super::{Endpoint, Stop, number, read_secret, unknown, usage};
use crate::{Account, Duplicates, Inbox, Maildir};

const RECEIVE: &str = "\
Receives messages by SMTP or LMTP.

  receive --listen ADDRESS [--maildir DIRECTORY | --discard] [OPTION]...

  --listen ADDRESS        where to listen, as 127.0.0.1:2525; port 0 chooses one
  --listen unix:PATH      the same, at a Unix socket that is not there yet
  --maildir DIRECTORY     where messages are stored, on the disk before they are acknowledged [Maildir]
  --discard               drops every message instead
  --dialect DIALECT       smtp, submission (nothing without authentication) or lmtp [smtp]
  --max-size BYTES        the largest message that is taken, at least 65536 [10240000]
  --max-recipients N      how many recipients one message may have, at least 100, announced by LIMITS
                          [1000, not announced]
  --max-connections N     how many connections there may be at once; further ones are told 421 [1000]
  --pipeconnect           lets known clients send on before the greeting
  --tls-cert FILE         the certificate and those up to its authority, in PEM; offers STARTTLS
  --tls-key FILE          its key, in PEM
  --tls-implicit          begins with TLS in place of STARTTLS
  --user NAME             who can authenticate, over TLS or a Unix socket
  --password-file FILE    the password or token, in the file's first line
  --dedup SECONDS         stores a message only once if it is sent again within that time because
                          the acknowledgement was lost
  --json                  prints one JSON object for each message that is stored

Ends on SIGTERM or SIGINT, once the transactions under way are over, or at once on the second.
";

/// Where `receive` leaves messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In a Maildir.
    Maildir(PathBuf),
    /// Nowhere.
    Discard,
}

/// What `receive` is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Service {
    /// Mail from anywhere.
    #[default]
    Smtp,
    /// Mail from users who prove who they are (RFC 6409).
    Submission,
    /// Mail from a server nearby (RFC 2033).
    Lmtp,
}

/// With what `receive` does TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepting {
    /// The certificates.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// What `receive` is to do.
#[derive(Clone, Debug)]
pub struct ReceiveOptions {
    /// Where to listen.
    pub listen: Endpoint,
    /// Where messages are left.
    pub storage: Storage,
    /// What it is for.
    pub service: Service,
    /// The largest message, if not the default.
    pub max_size: Option<u64>,
    /// How many recipients a message may have, if not the default.
    pub max_recipients: Option<u32>,
    /// How many connections there may be at once, if not the default.
    pub max_connections: Option<usize>,
    /// Clients that know what is offered need not wait for the greeting.
    pub pipe_connect: bool,
    /// With what it does TLS, if it does.
    pub tls: Option<Accepting>,
    /// TLS begins with the connection.
    pub tls_implicit: bool,
    /// Who can authenticate.
    pub user: Option<String>,
    /// Where his password is.
    pub password_file: Option<PathBuf>,
    /// How long a message is remembered whose acknowledgement was lost.
    pub dedup: Option<Duration>,
    /// Messages are told as JSON.
    pub json: bool,
}

impl ReceiveOptions {
    /// Reads the process's command line.
    ///
    /// # Errors
    ///
    /// Why there is nothing to do.
    pub fn from_env() -> Result<Self, Stop> {
        Self::parse(env::args().skip(1))
    }

    /// Reads a command line, without the program's name.
    ///
    /// # Errors
    ///
    /// Why there is nothing to do.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, Stop> {
        let mut arguments = arguments.into_iter();
        let (mut listen, mut storage) = (None, None);
        let (mut certificate, mut key) = (None, None);
        let mut options = Self {
            listen: Endpoint::Tcp(String::new()),
            storage: Storage::Maildir("Maildir".into()),
            service: Service::default(),
            max_size: None,
            max_recipients: None,
            max_connections: None,
            pipe_connect: false,
            tls: None,
            tls_implicit: false,
            user: None,
            password_file: None,
            dedup: None,
            json: false,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || {
                let value = arguments.next();
                value.ok_or_else(|| Stop::Usage(format!("{argument} needs a value")))
            };
            let chosen = match argument.as_str() {
                "--help" | "-h" => return Err(Stop::Help(RECEIVE)),
                "--maildir" => Some(Storage::Maildir(value()?.into())),
                "--discard" => Some(Storage::Discard),
                _ => None,
            };
            if let Some(chosen) = chosen {
                if storage.replace(chosen).is_some() {
                    return usage("only one of --maildir and --discard can be had");
                }
                continue;
            }
            match argument.as_str() {
                "--listen" => listen = Some(Endpoint::parse(&value()?)),
                "--dialect" => options.service = service(&value()?)?,
                "--max-size" => options.max_size = Some(number(&argument, &value()?)?),
                "--max-recipients" => {
                    options.max_recipients = Some(number(&argument, &value()?)?);
                }
                "--max-connections" => {
                    options.max_connections = Some(number(&argument, &value()?)?);
                }
                "--pipeconnect" => options.pipe_connect = true,
                "--tls-cert" => certificate = Some(PathBuf::from(value()?)),
                "--tls-key" => key = Some(PathBuf::from(value()?)),
                "--tls-implicit" => options.tls_implicit = true,
                "--user" => options.user = Some(value()?),
                "--password-file" => options.password_file = Some(value()?.into()),
                "--dedup" => {
                    let seconds = number(&argument, &value()?)?;
                    options.dedup = Some(Duration::from_secs(seconds));
                }
                "--json" => options.json = true,
                option => return Err(unknown(option)),
            }
        }
        options.listen = listen.ok_or_else(|| Stop::Usage("--listen is missing".to_owned()))?;
        options.storage = storage.unwrap_or(options.storage);
        options.tls = match (certificate, key) {
            (Some(certificate), Some(key)) => Some(Accepting { certificate, key }),
            (None, None) => None,
            _ => return usage("--tls-cert and --tls-key go together"),
        };
        options.check()?;
        Ok(options)
    }

    fn check(&self) -> Result<(), Stop> {
        // A server that announces less than it must take would refuse nobody by it.
        if self
            .max_recipients
            .is_some_and(|most| (most as usize) < limits::RECIPIENTS_MINIMUM)
        {
            return usage("--max-recipients is at least 100");
        }
        if self
            .max_size
            .is_some_and(|most| most < limits::MESSAGE_SIZE_MINIMUM)
        {
            return usage("--max-size is at least 65536");
        }
        if self.tls_implicit && self.tls.is_none() {
            return usage("--tls-implicit needs --tls-cert and --tls-key");
        }
        if self.user.is_some() != self.password_file.is_some() {
            return usage("--user and --password-file go together");
        }
        if self.service == Service::Submission && self.user.is_none() {
            return usage("--dialect submission needs --user");
        }
        if self.user.is_some() && self.tls.is_none() && !self.is_local() {
            return usage("--user needs --tls-cert, or a Unix socket");
        }
        Ok(())
    }

    fn is_local(&self) -> bool {
        matches!(self.listen, Endpoint::Unix(_))
    }

    /// Returns what is done with messages.
    ///
    /// # Errors
    ///
    /// Those of the Maildir, and of reading the password.
    pub fn inbox(&self) -> Result<Inbox, Box<dyn Error>> {
        let maildir = match &self.storage {
            Storage::Maildir(directory) => Some(Maildir::open(directory)?),
            Storage::Discard => None,
        };
        let mut inbox = Inbox::new(maildir);
        if self.json {
            inbox = inbox.telling(io::stdout());
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
    pub fn acceptor(&self) -> io::Result<Option<TlsAcceptor>> {
        let acceptor =
            |files: &Accepting| TlsAcceptor::from_pem_files(&files.certificate, &files.key);
        self.tls.as_ref().map(acceptor).transpose()
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
        if self.pipe_connect {
            offer = offer.with_keyword("PIPECONNECT", "")?;
        }
        Ok(offer)
    }

    /// Returns the server's configuration.
    ///
    /// # Errors
    ///
    /// None that the options could cause.
    pub fn config(&self) -> Result<Config, Box<dyn Error>> {
        let mut config = Config::new(Host::parse("localhost.localdomain")?).offer(self.offer()?);
        if let Some(recipients) = self.max_recipients {
            config = config.max_recipients(usize::try_from(recipients)?);
        }
        if let Some(bytes) = self.max_size {
            config = config.max_message_size(bytes);
        }
        config = config.tls(match (&self.tls, self.service) {
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
        Ok(match self.service {
            Service::Smtp => config,
            Service::Submission => config.require_auth(),
            Service::Lmtp => config.dialect(Dialect::Lmtp),
        })
    }
}

fn service(text: &str) -> Result<Service, Stop> {
    match text {
        "smtp" => Ok(Service::Smtp),
        "submission" => Ok(Service::Submission),
        "lmtp" => Ok(Service::Lmtp),
        _ => usage(format!(
            "--dialect {text:?} is none of smtp, submission, lmtp"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<ReceiveOptions, String> {
        let arguments = line.split_whitespace().map(str::to_owned);
        ReceiveOptions::parse(arguments).map_err(|stop| match stop {
            Stop::Help(_) => "help".to_owned(),
            Stop::Usage(reason) => reason,
        })
    }

    #[test]
    fn a_receiver_needs_to_know_where_to_listen() {
        let storage = |line| parse(line).map(|options| options.storage);
        let maildir = Storage::Maildir("m".into());
        assert_eq!(storage("--listen :: --maildir m"), Ok(maildir));
        assert_eq!(
            storage("--listen :: --discard --json"),
            Ok(Storage::Discard)
        );
        let default = Storage::Maildir("Maildir".into());
        assert_eq!(storage("--listen ::"), Ok(default));
    }

    #[test]
    fn a_whole_command_line_is_understood() {
        let options = parse(
            "--listen unix:/s --dialect submission --tls-cert c --tls-key k --tls-implicit \
             --user u --password-file p --dedup 60 --max-size 100000 --max-recipients 200 \
             --pipeconnect --json",
        )
        .unwrap();
        assert_eq!(options.listen, Endpoint::Unix("/s".into()));
        assert_eq!(options.service, Service::Submission);
        let (certificate, key) = ("c".into(), "k".into());
        assert_eq!(options.tls, Some(Accepting { certificate, key }));
        assert_eq!(options.dedup, Some(Duration::from_secs(60)));
        assert_eq!(options.max_size, Some(100_000));
        assert_eq!(options.user.as_deref(), Some("u"));
        assert!(options.tls_implicit && options.json);
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
            ("--help", "help"),
            ("--discard", "--listen is missing"),
            ("--listen", "--listen needs a value"),
            (
                "--listen :: --discard --maildir m",
                "only one of --maildir and --discard can be had",
            ),
            ("--listen :: --nonsense", "--nonsense is not an option"),
            (
                "--listen :: --max-recipients 12",
                "--max-recipients is at least 100",
            ),
            (
                "--listen :: --max-size 1000",
                "--max-size is at least 65536",
            ),
            ("--listen :: --dedup x", "--dedup \"x\" is no number"),
            (
                "--listen :: --dialect uucp",
                "--dialect \"uucp\" is none of smtp, submission, lmtp",
            ),
            (
                "--listen :: --tls-cert c",
                "--tls-cert and --tls-key go together",
            ),
            (
                "--listen :: --tls-implicit",
                "--tls-implicit needs --tls-cert and --tls-key",
            ),
            (
                "--listen :: --user u",
                "--user and --password-file go together",
            ),
            (
                "--listen :: --dialect submission",
                "--dialect submission needs --user",
            ),
            (
                "--listen :: --user u --password-file p",
                "--user needs --tls-cert, or a Unix socket",
            ),
        ] {
            assert_eq!(parse(line).unwrap_err(), reason);
        }
    }
}
