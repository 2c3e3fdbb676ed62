//! The command line of `deliver`.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::Parser;
use smtp_proto::{
    client::Pipelining,
    syntax::{ForwardPath, Host, Notify, Return, ReversePath},
};

use super::security::Security;
use crate::arguments::{CommandLine, Endpoint, host, recipient, seconds, sender};

/// Delivers message files by SMTP or LMTP.
///
/// Over one connection, or several in turn where the server ends one with messages left. Without
/// arguments it shows every pipelining policy at work, against a server of its own. Exits with 0 if
/// everything was delivered, with 1 if something was refused, with 2 if something was not sent or is in
/// doubt, with 3 if something on this side fails, as a file that cannot be read.
#[derive(Clone, Debug, Parser)]
#[command(name = "deliver", version)]
pub struct Options {
    /// The server, all of whose addresses are tried, at port 25 unless it is named; or unix:PATH;
    /// without it a server of its own, at a link with delay
    #[arg(long, value_name = "HOST[:PORT]", requires_all = ["from", "rcpt", "files"])]
    pub to: Option<Endpoint>,
    /// Speaks LMTP: one verdict for each recipient
    #[arg(long, requires = "to")]
    pub lmtp: bool,
    /// What to call oneself
    #[arg(long, value_name = "NAME", default_value = "localhost.localdomain", value_parser = host)]
    pub helo: Host<'static>,
    /// The sender, "" for none; a server of its own takes any
    #[arg(long, value_name = "ADDRESS", default_value = "ada@client.example", value_parser = sender)]
    pub from: ReversePath<'static>,
    /// A recipient; may be repeated; a server of its own takes any
    #[arg(long, value_name = "ADDRESS", default_value = "grace@server.example", value_parser = recipient)]
    pub rcpt: Vec<ForwardPath<'static>>,
    /// lockstep, group, lookahead or stream[:WINDOW]; without it lookahead
    #[arg(long, value_name = "POLICY", value_parser = policy)]
    pub policy: Option<Pipelining>,
    /// TLS and authentication.
    #[command(flatten)]
    pub security: Security,
    /// Says that addresses or headers are UTF-8
    #[arg(long)]
    pub smtputf8: bool,
    /// What to notify the sender of: success, failure, delay; or never
    #[arg(long, value_name = "EVENT[,EVENT]...", value_parser = notify)]
    pub dsn: Option<Notify>,
    /// How much of the message a notification is to return: full or hdrs
    #[arg(long, value_name = "PART", value_parser = ret)]
    pub ret: Option<Return>,
    /// How long to wait for a connection to an address, and for each reply; without it as long as
    /// RFC 5321 4.5.3.2 has it
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<Duration>,
    /// Keeps a record of what became of each message, and sends none that was delivered, refused, or left in
    /// doubt before; it outlives this program, but not a loss of power
    #[arg(long, value_name = "FILE", requires = "to")]
    pub resume: Option<PathBuf>,
    /// Sends again also what was left in doubt, which may deliver it twice
    #[arg(long, requires = "resume")]
    pub again_in_doubt: bool,
    /// Keeps what the server offers, so as not to wait for it the next time
    #[arg(long, value_name = "FILE", requires = "to")]
    pub capabilities: Option<PathBuf>,
    /// Sends every file so often
    #[arg(long, value_name = "N", default_value = "1")]
    pub repeat: NonZeroUsize,
    /// The round trip that the link is made to have; without it 20 without --to, else none
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    pub rtt: Option<Duration>,
    /// Prints the dialogue, flight by flight
    #[arg(long)]
    pub trace: bool,
    /// Prints one JSON object for each message and one for all
    #[arg(long)]
    pub json: bool,
    /// Shows on the terminal how far it is
    #[arg(long)]
    pub progress: bool,
    /// Draws what went over the link, as time-sequence diagrams
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// The messages, "-" for one from standard input
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

impl CommandLine for Options {
    fn check(&self) -> Result<(), String> {
        if self.rtt.is_some() && matches!(self.to, Some(Endpoint::Unix(_))) {
            return Err("--rtt is not for Unix sockets".to_owned());
        }
        match &self.to {
            Some(server) => self.security.check(server),
            None => Ok(()),
        }
    }
}

/// Returns what a policy is called.
pub(super) fn policy_name(policy: Pipelining) -> String {
    match policy {
        Pipelining::LockStep => "lock-step".to_owned(),
        Pipelining::Group => "group".to_owned(),
        Pipelining::LookAhead => "look-ahead".to_owned(),
        Pipelining::Stream { window } => format!("stream:{window}"),
        other => format!("{other:?}"),
    }
}

fn policy(text: &str) -> Result<Pipelining, &'static str> {
    let window = |number: &str| number.parse().ok();
    Ok(match text {
        "lockstep" => Pipelining::LockStep,
        "group" => Pipelining::Group,
        "lookahead" => Pipelining::LookAhead,
        "stream" => Pipelining::Stream { window: 100 },
        _ => {
            let window = text.strip_prefix("stream:").and_then(window);
            let window =
                window.ok_or("it is none of lockstep, group, lookahead, stream[:WINDOW]")?;
            Pipelining::Stream { window }
        }
    })
}

fn notify(text: &str) -> Result<Notify, String> {
    Notify::parse(text).map_err(|error| error.to_string())
}

fn ret(text: &str) -> Result<Return, String> {
    Return::parse(text).map_err(|error| error.to_string())
}

fn milliseconds(text: &str) -> Result<Duration, std::num::ParseIntError> {
    text.parse().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use smtp_proto::client::Tls;

    use super::*;
    use crate::deliver::security::tests::server;

    fn deliver(line: &str) -> Result<Options, String> {
        let arguments: Vec<_> = line.split_whitespace().collect();
        let options = Options::read([&["deliver"], &arguments[..]].concat());
        options.map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn a_whole_command_line_is_understood() {
        let options = deliver(
            "--to mx:465 --helo a.example --from a@a.example --rcpt b@b.example --rcpt c@b.example \
             --policy stream:7 --repeat 3 --rtt 20 --timeout 1.5 --trace --json --progress --svg x.svg \
             --resume r --again-in-doubt 1.eml -- -2",
        )
        .unwrap();
        assert_eq!(options.to, Some(server()));
        assert_eq!(options.security.tls(&server()), Tls::Implicit);
        assert_eq!(options.rcpt.len(), 2);
        assert_eq!(options.policy, Some(Pipelining::Stream { window: 7 }));
        assert_eq!(options.rtt, Some(Duration::from_millis(20)));
        assert_eq!(options.timeout, Some(Duration::from_millis(1500)));
        assert_eq!(options.files, [PathBuf::from("1.eml"), "-2".into()]);
        assert_eq!(options.repeat.get(), 3);
        assert!(options.trace && options.json && options.progress && options.again_in_doubt);
        assert_eq!(deliver("--from= 1.eml").unwrap().from.to_string(), "<>");
    }

    #[test]
    fn what_is_asked_of_the_server_is_understood() {
        let options = deliver(
            "--to unix:/lmtp --lmtp --from a@a.example --rcpt grace@server.example --smtputf8 \
             --dsn success,delay --ret hdrs --capabilities c 1.eml",
        )
        .unwrap();
        let socket = Endpoint::Unix("/lmtp".into());
        assert_eq!(options.security.tls(&socket), Tls::Off);
        assert_eq!(options.to, Some(socket));
        assert!(options.lmtp && options.smtputf8);
        assert_eq!(options.dsn, Some(Notify::SUCCESS.and(Notify::DELAY)));
        assert_eq!(options.ret, Some(Return::Headers));
        assert_eq!(options.rcpt[0].to_string(), "<grace@server.example>");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, reason) in [
            ("--to x:25", "<FILE>..."),
            ("--to smtp://x 1.eml", "a host is wanted, not a URL"),
            ("--repeat x", "invalid digit"),
            ("--repeat 0", "zero"),
            ("--to a:b:c 1.eml", "more than one colon"),
            (
                "--to x --tls required --server-name / 1.eml",
                "invalid dns name",
            ),
            ("--lmtp 1.eml", "--to <HOST[:PORT]>"),
            ("--tls required 1.eml", "--to <HOST[:PORT]>"),
            ("--resume r 1.eml", "--to <HOST[:PORT]>"),
            ("--to x --again-in-doubt 1.eml", "--resume <FILE>"),
            (
                "--to unix:/s --rtt 5 1.eml",
                "--rtt is not for Unix sockets",
            ),
            ("--timeout 0", "a number of seconds above 0 is wanted"),
            ("--tls on", "off, opportunistic, required, implicit"),
            (
                "--auth md5",
                "scram-sha-256, scram-sha-1, plain, login, external, xoauth2",
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
                "--password-file <FILE>",
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
                "lockstep, group, lookahead, stream[:WINDOW]",
            ),
            (
                "--policy stream:x",
                "lockstep, group, lookahead, stream[:WINDOW]",
            ),
            ("--rcpt @", "found \"@\""),
        ] {
            let error = deliver(&format!("--from a@a --rcpt b@b {line}")).unwrap_err();
            assert!(error.contains(reason), "{line}: {error}");
        }
    }

    /// Nobody writes to whom the examples write.
    #[test]
    fn a_server_of_another_needs_sender_and_recipient() {
        let missing = |line| deliver(line).unwrap_err();
        assert!(missing("--to x --from a@a 1.eml").contains("--rcpt <ADDRESS>"));
        assert!(missing("--to x --rcpt b@b 1.eml").contains("--from <ADDRESS>"));
        assert!(deliver("1.eml").is_ok());
    }
}
