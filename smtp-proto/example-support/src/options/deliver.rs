//! The command line of `deliver`.

use std::{env, path::PathBuf, time::Duration};

use smtp_proto::{
    client::{Pipelining, Tls},
    sasl::ScramHash,
    syntax::{ForwardPath, Host, Notify, Return, ReversePath},
};

use super::{Endpoint, Stop, number, unknown, usage};
use crate::security::{Login, Security};

const DELIVER: &str = "\
Delivers message files over one SMTP connection.

  deliver [--to HOST:PORT] [OPTION]... FILE...
  deliver                 shows every policy at work, against a server of its own

  --to HOST:PORT          the server; without it a server of its own, at a link with delay
  --to unix:PATH          a server at a Unix socket
  --lmtp                  speaks LMTP: one verdict for each recipient
  --helo NAME             what to call oneself [localhost.localdomain]
  --from ADDRESS          the sender, \"\" for none [ada@client.example]
  --rcpt ADDRESS          a recipient; may be repeated [grace@server.example]
  --policy POLICY         lockstep, group, lookahead or stream[:WINDOW] [lookahead]
  --tls MODE              off, opportunistic, required (both STARTTLS) or implicit [off]
  --ca FILE               the authorities to trust, in PEM [the platform's; opportunistic: anyone]
  --server-name NAME      whom the server's certificate has to name [HOST]
  --user NAME             authenticates, over TLS or a Unix socket
  --password-file FILE    the password or token, in the file's first line
  --auth MECHANISM        scram-sha-256, scram-sha-1, plain, login, external, xoauth2 or oauthbearer
                          [scram-sha-256, else plain, else login]
  --smtputf8              says that addresses or headers are UTF-8
  --dsn EVENT[,EVENT]...  what to notify the sender of: success, failure, delay; or never
  --ret full|hdrs         how much of the message a notification is to return
  --capabilities FILE     keeps what the server offers, so as not to wait for it the next time
  --repeat N              sends every file N times [1]
  --rtt MS                the round trip that the link is made to have [20 without --to, else 0]
  --trace                 prints the dialogue, flight by flight
  --json                  prints one JSON object for each message and one for all
  --progress              shows on the terminal how far it is
  --svg FILE              draws what went over the link, as time-sequence diagrams

Exits with 0 if everything was delivered, with 1 if something was refused, with 2 if something was
not sent or is in doubt.
";

/// What `deliver` is to do.
#[derive(Clone, Debug)]
pub struct DeliverOptions {
    /// The server.
    pub to: Option<Endpoint>,
    /// It speaks LMTP.
    pub lmtp: bool,
    /// How the session is kept from others.
    pub security: Security,
    /// What the client calls itself.
    pub helo: Host<'static>,
    /// The sender.
    pub from: ReversePath<'static>,
    /// The recipients, at least one.
    pub recipients: Vec<ForwardPath<'static>>,
    /// Addresses or headers are UTF-8.
    pub smtp_utf8: bool,
    /// What to notify the sender of.
    pub notify: Option<Notify>,
    /// How much of the message a notification returns.
    pub ret: Option<Return>,
    /// Where it is kept what the server offers.
    pub capabilities: Option<PathBuf>,
    /// The policy, if one was named.
    pub policy: Option<Pipelining>,
    /// How often every file is sent.
    pub repeat: usize,
    /// The round trip that the link is to have.
    pub round_trip: Option<Duration>,
    /// The dialogue is printed.
    pub trace: bool,
    /// The results are printed as JSON.
    pub json: bool,
    /// It is shown how far it is.
    pub progress: bool,
    /// Where diagrams are drawn to.
    pub svg: Option<PathBuf>,
    /// The messages.
    pub files: Vec<PathBuf>,
}

impl DeliverOptions {
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
        let mut options = Self {
            to: None,
            lmtp: false,
            security: Security::default(),
            helo: host("localhost.localdomain")?,
            from: sender("ada@client.example")?,
            recipients: Vec::new(),
            smtp_utf8: false,
            notify: None,
            ret: None,
            capabilities: None,
            policy: None,
            repeat: 1,
            round_trip: None,
            trace: false,
            json: false,
            progress: false,
            svg: None,
            files: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            let mut value = || {
                let value = arguments.next();
                value.ok_or_else(|| Stop::Usage(format!("{argument} needs a value")))
            };
            match argument.as_str() {
                "--help" | "-h" => return Err(Stop::Help(DELIVER)),
                "--to" => options.to = Some(Endpoint::parse(&value()?)),
                "--lmtp" => options.lmtp = true,
                "--tls" => options.security.tls = tls(&value()?)?,
                "--ca" => options.security.ca = Some(value()?.into()),
                "--server-name" => options.security.server_name = Some(value()?),
                "--user" => options.security.user = Some(value()?),
                "--password-file" => options.security.password_file = Some(value()?.into()),
                "--auth" => options.security.login = Some(login(&value()?)?),
                "--smtputf8" => options.smtp_utf8 = true,
                "--dsn" => options.notify = Some(notify(&value()?)?),
                "--ret" => options.ret = Some(ret(&value()?)?),
                "--capabilities" => options.capabilities = Some(value()?.into()),
                "--helo" => options.helo = host(&value()?)?,
                "--from" => options.from = sender(&value()?)?,
                "--rcpt" => options.recipients.push(recipient(&value()?)?),
                "--policy" => options.policy = Some(policy(&value()?)?),
                "--repeat" => options.repeat = number(&argument, &value()?)?,
                "--rtt" => {
                    let milliseconds = number(&argument, &value()?)?;
                    options.round_trip = Some(Duration::from_millis(milliseconds));
                }
                "--trace" => options.trace = true,
                "--json" => options.json = true,
                "--progress" => options.progress = true,
                "--svg" => options.svg = Some(value()?.into()),
                "--" => options.files.extend(arguments.by_ref().map(PathBuf::from)),
                option if option.starts_with('-') => return Err(unknown(option)),
                file => options.files.push(file.into()),
            }
        }
        if options.recipients.is_empty() {
            options.recipients.push(recipient("grace@server.example")?);
        }
        options.check()?;
        Ok(options)
    }

    fn check(&self) -> Result<(), Stop> {
        self.security.check(self.to.as_ref())?;
        match &self.to {
            Some(_) if self.files.is_empty() => usage("--to needs files to deliver"),
            Some(Endpoint::Unix(_)) if self.round_trip.is_some() => {
                usage("--rtt is not for Unix sockets")
            }
            // The example's own server is there to be measured.
            None if self.lmtp || self.capabilities.is_some() || self.security.is_wanted() => {
                usage("--lmtp, --capabilities, --tls and --user need --to")
            }
            _ => Ok(()),
        }
    }
}

/// Returns what a policy is called.
pub fn policy_name(policy: Pipelining) -> String {
    match policy {
        Pipelining::LockStep => "lock-step".to_owned(),
        Pipelining::Group => "group".to_owned(),
        Pipelining::LookAhead => "look-ahead".to_owned(),
        Pipelining::Stream { window } => format!("stream:{window}"),
        other => format!("{other:?}"),
    }
}

fn policy(text: &str) -> Result<Pipelining, Stop> {
    Ok(match text {
        "lockstep" => Pipelining::LockStep,
        "group" => Pipelining::Group,
        "lookahead" => Pipelining::LookAhead,
        "stream" => Pipelining::Stream { window: 100 },
        _ => match text.strip_prefix("stream:") {
            Some(window) => Pipelining::Stream {
                window: number("--policy stream", window)?,
            },
            None => {
                return Err(Stop::Usage(format!(
                    "--policy {text:?} is none of lockstep, group, lookahead, stream[:WINDOW]"
                )));
            }
        },
    })
}

fn tls(text: &str) -> Result<Tls, Stop> {
    match text {
        "off" => Ok(Tls::Off),
        "opportunistic" => Ok(Tls::Opportunistic),
        "required" => Ok(Tls::Required),
        "implicit" => Ok(Tls::Implicit),
        _ => usage(format!(
            "--tls {text:?} is none of off, opportunistic, required, implicit"
        )),
    }
}

fn login(text: &str) -> Result<Login, Stop> {
    match text.to_ascii_lowercase().as_str() {
        "scram-sha-256" => Ok(Login::Scram(ScramHash::Sha256)),
        "scram-sha-1" => Ok(Login::Scram(ScramHash::Sha1)),
        "plain" => Ok(Login::Plain),
        "login" => Ok(Login::Login),
        "external" => Ok(Login::External),
        "xoauth2" => Ok(Login::XOAuth2),
        "oauthbearer" => Ok(Login::OAuthBearer),
        _ => usage(format!(
            "--auth {text:?} is none of scram-sha-256, scram-sha-1, plain, login, external, \
             xoauth2, oauthbearer"
        )),
    }
}

fn notify(text: &str) -> Result<Notify, Stop> {
    Notify::parse(text).map_err(|error| Stop::Usage(format!("--dsn {text:?}: {error}")))
}

fn ret(text: &str) -> Result<Return, Stop> {
    Return::parse(text).map_err(|error| Stop::Usage(format!("--ret {text:?}: {error}")))
}

fn host(text: &str) -> Result<Host<'static>, Stop> {
    Host::parse(text)
        .map(Host::into_owned)
        .map_err(|error| Stop::Usage(format!("--helo: {error}")))
}

fn sender(text: &str) -> Result<ReversePath<'static>, Stop> {
    let parsed = match text {
        "" => ReversePath::parse("<>"),
        address => ReversePath::parse(address),
    };
    parsed
        .map(ReversePath::into_owned)
        .map_err(|error| Stop::Usage(format!("--from: {error}")))
}

fn recipient(text: &str) -> Result<ForwardPath<'static>, Stop> {
    ForwardPath::parse(text)
        .map(ForwardPath::into_owned)
        .map_err(|error| Stop::Usage(format!("--rcpt: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deliver(line: &str) -> Result<DeliverOptions, String> {
        let arguments = line.split_whitespace().map(str::to_owned);
        DeliverOptions::parse(arguments).map_err(|stop| match stop {
            Stop::Help(_) => "help".to_owned(),
            Stop::Usage(reason) => reason,
        })
    }

    #[test]
    fn a_whole_command_line_is_understood() {
        let options = deliver(
            "--to mx:25 --helo a.example --from a@a.example --rcpt b@b.example --rcpt c@b.example \
             --policy stream:7 --repeat 3 --rtt 20 --trace --json --progress --svg x.svg 1.eml -- -2",
        )
        .unwrap();
        assert_eq!(options.to, Some(Endpoint::Tcp("mx:25".to_owned())));
        assert_eq!(options.recipients.len(), 2);
        assert_eq!(options.policy, Some(Pipelining::Stream { window: 7 }));
        assert_eq!(options.round_trip, Some(Duration::from_millis(20)));
        assert_eq!(options.files, [PathBuf::from("1.eml"), "-2".into()]);
        assert_eq!(options.repeat, 3);
        assert!(options.trace && options.json && options.progress);
    }

    #[test]
    fn a_session_is_secured_as_told() {
        let options = deliver(
            "--to mx:465 --tls implicit --ca ca.pem --server-name mx.example --user u \
             --password-file p --auth SCRAM-SHA-256 1.eml",
        );
        let security = Security {
            tls: Tls::Implicit,
            ca: Some("ca.pem".into()),
            server_name: Some("mx.example".to_owned()),
            user: Some("u".to_owned()),
            password_file: Some("p".into()),
            login: Some(Login::Scram(ScramHash::Sha256)),
        };
        assert_eq!(options.unwrap().security, security);
    }

    #[test]
    fn what_is_asked_of_the_server_is_understood() {
        let options = deliver(
            "--to unix:/lmtp --lmtp --smtputf8 --dsn success,delay --ret hdrs --capabilities c 1.eml",
        )
        .unwrap();
        assert_eq!(options.to, Some(Endpoint::Unix("/lmtp".into())));
        assert!(options.lmtp && options.smtp_utf8);
        assert_eq!(options.notify, Some(Notify::SUCCESS.and(Notify::DELAY)));
        assert_eq!(options.ret, Some(Return::Headers));
        assert_eq!(options.capabilities, Some("c".into()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, reason) in [
            ("--help", "help"),
            ("--to", "--to needs a value"),
            ("--to x:25", "--to needs files to deliver"),
            ("--repeat x", "--repeat \"x\" is no number"),
            ("--nonsense", "--nonsense is not an option"),
            (
                "--lmtp",
                "--lmtp, --capabilities, --tls and --user need --to",
            ),
            (
                "--tls required",
                "--lmtp, --capabilities, --tls and --user need --to",
            ),
            (
                "--to unix:/s --rtt 5 1.eml",
                "--rtt is not for Unix sockets",
            ),
            (
                "--tls on",
                "--tls \"on\" is none of off, opportunistic, required, implicit",
            ),
            (
                "--auth md5",
                "--auth \"md5\" is none of scram-sha-256, scram-sha-1, plain, login, external, \
                 xoauth2, oauthbearer",
            ),
            (
                "--to x:25 --ca c 1.eml",
                "--ca and --server-name need --tls",
            ),
            (
                "--to unix:/s --tls required 1.eml",
                "--tls needs --server-name with a Unix socket",
            ),
            (
                "--to x:25 --tls required --user u 1.eml",
                "--user and --password-file go together",
            ),
            (
                "--to x:25 --tls required --auth plain 1.eml",
                "--auth needs --user and --password-file",
            ),
            (
                "--to x:25 --user u --password-file p 1.eml",
                "--user needs --tls, or a Unix socket",
            ),
            (
                "--policy fast",
                "--policy \"fast\" is none of lockstep, group, lookahead, stream[:WINDOW]",
            ),
        ] {
            assert_eq!(deliver(line).unwrap_err(), reason);
        }
        for option in ["--dsn", "--ret"] {
            let reason = deliver(&format!("{option} @")).unwrap_err();
            assert!(reason.starts_with(&format!("{option} \"@\":")), "{reason}");
        }
        for option in ["--rcpt", "--from", "--helo"] {
            let reason = deliver(&format!("{option} @")).unwrap_err();
            assert!(
                reason.starts_with(&format!("{option}: expected ")),
                "{reason}"
            );
            assert!(reason.contains("found \"@\""), "{reason}");
        }
    }
}
