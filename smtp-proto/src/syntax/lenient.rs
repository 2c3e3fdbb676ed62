//! What old clients write against the grammar, and what they mean by it.

use core::str;

use super::{
    bytes,
    command::Command,
    command_error::CommandError,
    command_parser::{text, trim_end},
    error::SyntaxError,
    host::Host,
    mail_parameters::MailParameters,
    path::{ForwardPath, ReversePath},
    rcpt_parameters::RcptParameters,
    verb::Verb,
};

impl<'a> Command<'a> {
    /// Parses a line like [`parse`](Self::parse), and also what clients are known to write against
    /// the grammar where it can mean but one thing:
    ///
    /// - spaces around the colon of `FROM:` and `TO:`, and several before the parameters
    ///   (5321-3.3-e),
    /// - an address without its brackets,
    /// - underscores in the name after EHLO, HELO and LHLO, and hyphens anywhere in it
    ///   (5321-4.1.2-f).
    ///
    /// Postfix takes all of them unless told otherwise (`strict_rfc821_envelopes`).
    ///
    /// # Errors
    ///
    /// Fails as `parse` does.
    pub fn parse_leniently(line: &'a [u8]) -> Result<Self, CommandError> {
        Self::parse(line).or_else(|error| lenient(trim_end(line)).ok_or(error))
    }
}

fn lenient(line: &[u8]) -> Option<Command<'_>> {
    let (verb, rest) = Verb::recognise(line)?;
    let rest = text(rest).ok()?.trim_start_matches(' ');
    match verb {
        Verb::Mail => {
            let argument = after_label(rest, "FROM")?;
            let (from, parameters) = path(
                argument,
                ReversePath::parse_prefix,
                ReversePath::parse_address,
            )?;
            Some(Command::Mail {
                from,
                parameters: MailParameters::parse(parameters).ok()?,
            })
        }
        Verb::Rcpt => {
            let argument = after_label(rest, "TO")?;
            let (to, parameters) = path(
                argument,
                ForwardPath::parse_prefix,
                ForwardPath::parse_address,
            )?;
            Some(Command::Rcpt {
                to,
                parameters: RcptParameters::parse(parameters).ok()?,
            })
        }
        Verb::Ehlo => Host::parse_leniently(rest).map(Command::Ehlo),
        Verb::Helo => Host::parse_leniently(rest).map(Command::Helo),
        Verb::Lhlo => Host::parse_leniently(rest).map(Command::Lhlo),
        _ => None,
    }
}

/// Returns what stands after a label and its colon.
fn after_label<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    let (before, after) = text.split_once(':')?;
    let is_label = before.trim_end_matches(' ').eq_ignore_ascii_case(label);
    is_label.then(|| after.trim_start_matches(' '))
}

/// Parses a path in brackets, or an address without, and the parameters after it.
fn path<'a, P>(
    text: &'a str,
    in_brackets: impl FnOnce(&'a str) -> Result<(P, usize), SyntaxError>,
    bare: impl FnOnce(&'a str) -> Result<P, SyntaxError>,
) -> Option<(P, &'a str)> {
    let (path, end) = if text.starts_with('<') {
        in_brackets(text).ok()?
    } else {
        // A local part in quotes may hold spaces.
        let local_part = bytes::local_part_end(text.as_bytes(), 0).unwrap_or_default();
        let space = text.get(local_part..)?.find(' ');
        let end = space.map_or(text.len(), |space| local_part.saturating_add(space));
        let address = text.get(..end).filter(|address| !address.is_empty())?;
        (bare(address).ok()?, end)
    };
    let rest = text.get(end..)?;
    let parameters = rest.trim_start_matches(' ');
    let is_apart = parameters.is_empty() || parameters.len() < rest.len();
    is_apart.then_some((path, parameters))
}

#[cfg(test)]
mod tests {
    use alloc::{string::String, vec::Vec};

    use super::*;

    fn rewritten(line: &str) -> String {
        let strict = Command::parse(line.as_bytes()).expect_err("against the grammar");
        let mut out = Vec::new();
        match Command::parse_leniently(line.as_bytes()) {
            Ok(command) => command.write_to(&mut out),
            Err(error) => assert_eq!(error, strict),
        }
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn what_can_mean_but_one_thing() {
        for (line, meant) in [
            ("MAIL FROM: <a@b.example>", "MAIL FROM:<a@b.example>\r\n"),
            ("mail  from :<>  SIZE=1", "MAIL FROM:<> SIZE=1\r\n"),
            (
                "MAIL FROM:a@b.example BODY=7BIT",
                "MAIL FROM:<a@b.example> BODY=7BIT\r\n",
            ),
            (
                "RCPT TO:  <a@b.example>   NOTIFY=NEVER ",
                "RCPT TO:<a@b.example> NOTIFY=NEVER\r\n",
            ),
            (
                "MAIL FROM: \"a b\"@c.example SIZE=1",
                "MAIL FROM:<\"a b\"@c.example> SIZE=1\r\n",
            ),
            ("RCPT TO : postmaster", "RCPT TO:<Postmaster>\r\n"),
            ("EHLO DESKTOP_7", "EHLO DESKTOP_7\r\n"),
            ("HELO -a-.b_c", "HELO -a-.b_c\r\n"),
            ("LHLO  c.example", "LHLO c.example\r\n"),
        ] {
            assert_eq!(rewritten(line), meant);
        }
    }

    #[test]
    fn what_can_mean_nothing() {
        for line in [
            "MAIL FROM:",
            "MAIL FROM: ",
            "MAIL TO:<a@b.example>",
            "MAIL FROM:<a@b.example>SIZE=1",
            "MAIL FROM:<a@b.example SIZE=1",
            "MAIL FROM:a b@c.example",
            "MAIL FROM: <a@b.example> SIZE=1  BODY=7BIT",
            "RCPT TO:<>",
            "RCPT TO: a",
            "RCPT <a@b.example>",
            "EHLO a b",
            "EHLO a..b",
            "EHLO _\u{e9}",
            "EHLO",
            "DATA now",
        ] {
            assert_eq!(rewritten(line), "", "{line}");
        }
    }
}
