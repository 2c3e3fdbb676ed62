//! The command line of `probe`.

use std::{path::PathBuf, time::Duration};

use clap::Parser;
use smtp_proto::{
    client::Tls,
    syntax::{ForwardPath, Host, ReversePath},
};

use crate::{
    arguments::{CommandLine, Endpoint, host, recipient, seconds, sender},
    security::{Credentials, Trust, tls_mode},
};

/// Tests how a mail server speaks SMTP, and says how to speak to it.
///
/// Delivers nothing: what would deliver a message is tried only with --deliver-to. Makes 6 to 9
/// connections, one after the other, and with consent a few more. Exits with 0 if nothing is wrong,
/// with 1 if something is, with 3 if the server could not be tested.
#[derive(Clone, Debug, Parser)]
#[command(name = "probe", version)]
pub struct Options {
    /// The server; the port is 25 unless named, and TLS comes first at port 465; or unix:PATH
    #[arg(value_name = "HOST[:PORT]")]
    pub target: Endpoint,
    /// What to call oneself; without it the address that the server sees, as [192.0.2.1]
    #[arg(long, value_name = "NAME", value_parser = host)]
    pub helo: Option<Host<'static>>,
    /// Speaks LMTP, whose servers are never at port 25 (RFC 2033 5)
    #[arg(long)]
    pub lmtp: bool,
    /// The sender to name
    #[arg(long, value_name = "ADDRESS", default_value = "<>", value_parser = sender)]
    pub from: ReversePath<'static>,
    /// The recipient to ask for, to whom nothing is delivered
    #[arg(long, value_name = "ADDRESS", default_value = "postmaster", value_parser = recipient)]
    pub rcpt: ForwardPath<'static>,
    /// Consents to the tests that need a delivery: this recipient gets four short messages, or one
    /// more for each wrong end of content that the server takes
    #[arg(long, value_name = "RECIPIENT", value_parser = recipient)]
    pub deliver_to: Option<ForwardPath<'static>>,
    /// Consents to a count of the errors that the server puts up with, which it may log or punish
    #[arg(long)]
    pub count_errors: bool,
    /// Where the commands go: off (in clear), opportunistic (after STARTTLS where it is offered),
    /// required (after STARTTLS) or implicit; without it implicit at port 465, after STARTTLS where the
    /// server demands that by 530 or --user needs it, else in clear
    #[arg(long, value_name = "MODE", value_parser = tls_mode(), hide_possible_values = true)]
    pub tls: Option<Tls>,
    /// Whom to trust.
    #[command(flatten)]
    pub trust: Trust,
    /// Who authenticates, before everything else is tested.
    #[command(flatten)]
    pub credentials: Credentials,
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

impl CommandLine for Options {
    fn check(&self) -> Result<(), String> {
        // RFC 2033 5
        match self.lmtp && self.target.port() == Some(25) {
            true => Err("--lmtp needs a port that is not 25".to_owned()),
            false => Ok(()),
        }
    }
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
