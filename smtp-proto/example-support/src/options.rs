//! The command lines of the examples.

use std::{env, path::PathBuf, process::ExitCode, time::Duration};

use smtp_proto::{
    client::Pipelining,
    syntax::{ForwardPath, Host, ReversePath},
};

const DELIVER: &str = "\
Delivers message files over one SMTP connection.

  deliver [--to HOST:PORT] [OPTION]... FILE...
  deliver                 shows every policy at work, against a server of its own

  --to HOST:PORT          the server; without it a server of its own, at a link with delay
  --helo NAME             what to call oneself [localhost.localdomain]
  --from ADDRESS          the sender, \"\" for none [ada@client.example]
  --rcpt ADDRESS          a recipient; may be repeated [grace@server.example]
  --policy POLICY         lockstep, group, lookahead or stream[:WINDOW] [lookahead]
  --repeat N              sends every file N times [1]
  --rtt MS                the round trip that the link is made to have [20 without --to, else 0]
  --trace                 prints the dialogue, flight by flight
  --json                  prints one JSON object for each message and one for all
  --progress              shows on the terminal how far it is
  --svg FILE              draws what went over the link, as time-sequence diagrams

Exits with 0 if everything was delivered, with 1 if something was refused, with 2 if something was
not sent or is in doubt.
";

const RECEIVE: &str = "\
Receives messages by SMTP.

  receive --listen ADDRESS [--maildir DIRECTORY | --discard] [--max-size OCTETS] [--json]

  --listen ADDRESS        where to listen, as 127.0.0.1:2525; port 0 chooses one
  --maildir DIRECTORY     where messages are stored, on the disk before they are acknowledged [Maildir]
  --discard               drops every message instead
  --max-size OCTETS       the largest message that is taken
  --json                  prints one JSON object for each message

Ends on SIGTERM or SIGINT, once the transactions under way are over.
";

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

/// What `deliver` is to do.
#[derive(Clone, Debug)]
pub struct DeliverOptions {
    /// The server's host and port.
    pub to: Option<String>,
    /// What the client calls itself.
    pub helo: Host<'static>,
    /// The sender.
    pub from: ReversePath<'static>,
    /// The recipients, at least one.
    pub recipients: Vec<ForwardPath<'static>>,
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
            helo: host("localhost.localdomain")?,
            from: sender("ada@client.example")?,
            recipients: Vec::new(),
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
                "--to" => options.to = Some(value()?),
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
        if options.to.is_some() && options.files.is_empty() {
            return Err(Stop::Usage("--to needs files to deliver".to_owned()));
        }
        Ok(options)
    }
}

/// Where `receive` leaves messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In a Maildir.
    Maildir(PathBuf),
    /// Nowhere.
    Discard,
}

/// What `receive` is to do.
#[derive(Clone, Debug)]
pub struct ReceiveOptions {
    /// Where to listen.
    pub listen: String,
    /// Where messages are left.
    pub storage: Storage,
    /// The largest message, if not the default.
    pub max_size: Option<u64>,
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
        let (mut listen, mut storage, mut max_size, mut json) = (None, None, None, false);
        while let Some(argument) = arguments.next() {
            let mut value = || {
                let value = arguments.next();
                value.ok_or_else(|| Stop::Usage(format!("{argument} needs a value")))
            };
            let chosen = match argument.as_str() {
                "--help" | "-h" => return Err(Stop::Help(RECEIVE)),
                "--listen" => {
                    listen = Some(value()?);
                    continue;
                }
                "--max-size" => {
                    max_size = Some(number(&argument, &value()?)?);
                    continue;
                }
                "--json" => {
                    json = true;
                    continue;
                }
                "--maildir" => Storage::Maildir(value()?.into()),
                "--discard" => Storage::Discard,
                option => return Err(unknown(option)),
            };
            if storage.replace(chosen).is_some() {
                let reason = "only one of --maildir and --discard can be had";
                return Err(Stop::Usage(reason.to_owned()));
            }
        }
        Ok(Self {
            listen: listen.ok_or_else(|| Stop::Usage("--listen is missing".to_owned()))?,
            storage: storage.unwrap_or_else(|| Storage::Maildir("Maildir".into())),
            max_size,
            json,
        })
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

fn unknown(option: &str) -> Stop {
    Stop::Usage(format!("{option} is not an option"))
}

fn number<N: std::str::FromStr>(option: &str, text: &str) -> Result<N, Stop> {
    let wrong = |_| Stop::Usage(format!("{option} {text:?} is no number"));
    text.parse().map_err(wrong)
}

fn host(text: &str) -> Result<Host<'static>, Stop> {
    Host::parse(text)
        .map(Host::into_owned)
        .map_err(|error| Stop::Usage(format!("--helo {text:?}: {error}")))
}

fn sender(text: &str) -> Result<ReversePath<'static>, Stop> {
    let parsed = match text {
        "" => ReversePath::parse("<>"),
        address => ReversePath::parse_address(address),
    };
    parsed
        .map(ReversePath::into_owned)
        .map_err(|error| Stop::Usage(format!("--from {text:?}: {error}")))
}

fn recipient(text: &str) -> Result<ForwardPath<'static>, Stop> {
    ForwardPath::parse_address(text)
        .map(ForwardPath::into_owned)
        .map_err(|error| Stop::Usage(format!("--rcpt {text:?}: {error}")))
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
        assert_eq!(options.to.as_deref(), Some("mx:25"));
        assert_eq!(options.recipients.len(), 2);
        assert_eq!(options.policy, Some(Pipelining::Stream { window: 7 }));
        assert_eq!(options.round_trip, Some(Duration::from_millis(20)));
        assert_eq!(options.files, [PathBuf::from("1.eml"), "-2".into()]);
        assert_eq!(options.repeat, 3);
        assert!(options.trace && options.json && options.progress);
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
                "--policy fast",
                "--policy \"fast\" is none of lockstep, group, lookahead, stream[:WINDOW]",
            ),
        ] {
            assert_eq!(deliver(line).unwrap_err(), reason);
        }
        assert!(
            deliver("--rcpt @")
                .unwrap_err()
                .starts_with("--rcpt \"@\":")
        );
    }

    #[test]
    fn a_receiver_needs_to_know_where_to_listen() {
        let parse = |line: &str| {
            ReceiveOptions::parse(line.split_whitespace().map(str::to_owned))
                .map(|options| options.storage)
                .map_err(|stop| format!("{stop:?}"))
        };
        let maildir = Storage::Maildir("m".into());
        assert_eq!(parse("--listen :: --maildir m"), Ok(maildir));
        assert_eq!(parse("--listen :: --discard --json"), Ok(Storage::Discard));
        assert!(
            parse("--discard")
                .unwrap_err()
                .contains("--listen is missing")
        );
        assert!(parse("--listen :: --discard --maildir m").is_err());
    }
}
