//! What became of the messages, for people and for programs.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal, Write},
    process::ExitCode,
    time::{Duration, Instant},
};

use smtp_proto::{
    client::{Outcome, Pipelining},
    machine::{Origin, TraceEntry},
    syntax::{ForwardPath, Reply, ReversePath},
};

use crate::policy_name;

/// Counts outcomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All messages.
    pub messages: usize,
    /// Those that were delivered to every recipient.
    pub delivered: usize,
    /// Those that the server refused for a recipient or more.
    pub refused: usize,
    /// Those that were not sent.
    pub not_sent: usize,
    /// Those that may have been delivered.
    pub in_doubt: usize,
}

impl Tally {
    /// Counts one more, by the outcomes of its recipients.
    pub fn count(&mut self, outcomes: &[Outcome<'_>]) {
        self.messages += 1;
        *match worst(outcomes) {
            "delivered" => &mut self.delivered,
            "refused" => &mut self.refused,
            "not-sent" => &mut self.not_sent,
            _ => &mut self.in_doubt,
        } += 1;
    }

    /// Adds the counts of others.
    pub fn add(&mut self, other: Self) {
        self.messages += other.messages;
        self.delivered += other.delivered;
        self.refused += other.refused;
        self.not_sent += other.not_sent;
        self.in_doubt += other.in_doubt;
    }

    /// Returns what to exit with.
    pub fn exit_code(&self) -> ExitCode {
        if self.not_sent + self.in_doubt > 0 {
            ExitCode::from(2)
        } else if self.refused > 0 {
            ExitCode::from(1)
        } else {
            ExitCode::SUCCESS
        }
    }

    /// Returns the summary as a JSON object.
    pub fn to_json(&self, round_trips: u64, elapsed: Duration) -> String {
        let Self {
            messages,
            delivered,
            refused,
            not_sent,
            in_doubt,
        } = self;
        let seconds = elapsed.as_secs_f64();
        format!(
            "{{\"messages\":{messages},\"delivered\":{delivered},\"refused\":{refused},\
             \"not_sent\":{not_sent},\"in_doubt\":{in_doubt},\"round_trips\":{round_trips},\
             \"seconds\":{seconds:.6}}}"
        )
    }
}

/// Names the outcome of a message: the one among its recipients' that needs most care.
fn worst(outcomes: &[Outcome<'_>]) -> &'static str {
    let rank = |outcome: &Outcome<'_>| match outcome {
        Outcome::Delivered(_) => 0,
        Outcome::Refused(_) => 1,
        Outcome::NotSent(_) => 2,
        Outcome::InDoubt => 3,
    };
    let worst = outcomes.iter().max_by_key(|outcome| rank(outcome));
    worst.map_or("not-sent", name)
}

fn name(outcome: &Outcome<'_>) -> &'static str {
    match outcome {
        Outcome::Delivered(_) => "delivered",
        Outcome::Refused(_) => "refused",
        Outcome::NotSent(_) => "not-sent",
        Outcome::InDoubt => "in-doubt",
    }
}

fn text_of(reply: &Reply<'_>) -> String {
    let bytes = reply.as_bytes();
    let bytes = bytes.strip_suffix(b"\r\n").unwrap_or(bytes);
    String::from_utf8_lossy(bytes).replace("\r\n", "\n")
}

fn explanation(outcome: &Outcome<'_>) -> String {
    match outcome {
        Outcome::Delivered(reply) => text_of(reply),
        Outcome::Refused(answer) => text_of(&answer.reply),
        Outcome::NotSent(reason) => reason.to_string(),
        Outcome::InDoubt => String::new(),
    }
}

/// Returns what became of a message for each of its recipients, as a JSON object.
pub fn report_to_json(
    file: &str,
    recipients: &[ForwardPath<'_>],
    outcomes: &[Outcome<'_>],
) -> String {
    let mut json = String::from("{\"message\":");
    quote(file, &mut json);
    let _ = write!(
        json,
        ",\"outcome\":\"{}\",\"recipients\":[",
        worst(outcomes)
    );
    for (n, (path, outcome)) in recipients.iter().zip(outcomes).enumerate() {
        if n > 0 {
            json.push(',');
        }
        json.push_str("{\"address\":");
        quote(&address(path), &mut json);
        let _ = write!(json, ",\"outcome\":\"{}\",\"reply\":", name(outcome));
        quote(&explanation(outcome), &mut json);
        json.push('}');
    }
    json.push_str("]}");
    json
}

/// Returns a message that was received, as a JSON object.
pub fn received_to_json<'p>(
    from: &ReversePath<'_>,
    recipients: impl IntoIterator<Item = &'p ForwardPath<'static>>,
    bytes: u64,
) -> String {
    let mut json = String::from("{\"from\":");
    let sender = from.mailbox().map_or("", |mailbox| mailbox.as_str());
    quote(sender, &mut json);
    json.push_str(",\"recipients\":[");
    for (n, path) in recipients.into_iter().enumerate() {
        if n > 0 {
            json.push(',');
        }
        quote(&address(path), &mut json);
    }
    let _ = write!(json, "],\"bytes\":{bytes}}}");
    json
}

/// Returns what became of a message that was not delivered to everybody, as lines.
pub fn report_to_text(
    file: &str,
    recipients: &[ForwardPath<'_>],
    outcomes: &[Outcome<'_>],
) -> String {
    let mut text = format!("{file}: {}\n", worst(outcomes));
    for (path, outcome) in recipients.iter().zip(outcomes) {
        let (address, name) = (address(path), name(outcome));
        let explanation = explanation(outcome).escape_debug().to_string();
        let _ = writeln!(text, "    {address}: {name} {explanation}");
    }
    text
}

fn address(path: &ForwardPath<'_>) -> String {
    let mut bytes = Vec::new();
    path.write_to(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    text.trim_matches(['<', '>']).to_owned()
}

/// Appends a JSON string (RFC 8259 7).
pub fn quote(text: &str, json: &mut String) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            control if control.is_control() => {
                let _ = write!(json, "\\u{:04x}", u32::from(control));
            }
            other => json.push(other),
        }
    }
    json.push('"');
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The policy.
    pub policy: Pipelining,
    /// How many messages were delivered.
    pub messages: usize,
    /// How many round trips that took, without the session's opening.
    pub round_trips: u64,
    /// How long that took.
    pub elapsed: Duration,
}

/// Returns the table of results.
pub fn table(rows: &[Row]) -> String {
    let mut table = String::from(
        "policy       messages   round trips   per message   messages/s   most in doubt\n\
         ----------   --------   -----------   -----------   ----------   -------------\n",
    );
    for row in rows {
        let messages = row.messages.max(1) as f64;
        let in_doubt = match row.policy {
            Pipelining::Stream { window } => window.min(row.messages),
            _ => 1,
        };
        // A session that never began has no rate.
        let rate = match row.elapsed {
            Duration::ZERO => 0.0,
            elapsed => messages / elapsed.as_secs_f64(),
        };
        let _ = writeln!(
            table,
            "{:<10} {:>10} {:>13} {:>13.2} {:>12.0} {:>15}",
            policy_name(row.policy),
            row.messages,
            row.round_trips,
            row.round_trips as f64 / messages,
            rate,
            in_doubt,
        );
    }
    table
}

/// Returns a dialogue, with a blank line between flights.
pub fn dialogue(entries: &[TraceEntry]) -> String {
    let mut text = String::new();
    let mut last: Option<&TraceEntry> = None;
    for entry in entries {
        if last.is_none_or(|last| last.origin != entry.origin) && entry.origin == Origin::Local {
            let _ = writeln!(
                text,
                "{}-- flight {}",
                if last.is_some() { "\n" } else { "" },
                entry.round_trips
            );
        }
        let mark = match entry.origin {
            Origin::Local => "C:",
            Origin::Remote => "S:",
        };
        let _ = writeln!(text, "{mark} {}", entry.what);
        last = Some(entry);
    }
    text
}

/// Shows how far a long run is, on a terminal.
#[derive(Debug)]
pub struct Progress {
    total: usize,
    begin: Instant,
    shown: Option<Duration>,
    terminal: bool,
}

impl Progress {
    /// Begins to show how much of `total` is done, if standard error is a terminal.
    pub fn new(total: usize) -> Self {
        Self {
            total,
            begin: Instant::now(),
            shown: None,
            terminal: io::stderr().is_terminal(),
        }
    }

    /// Shows that so many are done, ten times a second at most.
    pub fn show(&mut self, done: usize) {
        let now = self.begin.elapsed();
        let due = self.shown.unwrap_or_default() + Duration::from_millis(100);
        if !self.terminal || (now < due && done < self.total) {
            return;
        }
        self.shown = Some(now);
        let rate = done as f64 / now.as_secs_f64().max(1e-9);
        let end = if done < self.total { "" } else { "\n" };
        let mut stderr = io::stderr().lock();
        // Nothing depends on it.
        let _ = write!(
            stderr,
            "\r{done}/{} messages, {rate:.0}/s {end}",
            self.total
        );
        let _ = stderr.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_strings_are_escaped() {
        let mut json = String::new();
        quote("a\"b\\c\n\r\t\u{1}é", &mut json);
        assert_eq!(json, r#""a\"b\\c\n\r\t\u0001é""#);
    }

    #[test]
    fn the_table_has_a_line_for_each_policy() {
        let row = |policy| Row {
            policy,
            messages: 60,
            round_trips: 240,
            elapsed: Duration::from_secs(5),
        };
        let table = table(&[
            row(Pipelining::LockStep),
            row(Pipelining::Stream { window: 9 }),
        ]);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(
            lines[2],
            "lock-step          60           240          4.00           12               1"
        );
        assert_eq!(
            lines[3],
            "stream:9           60           240          4.00           12               9"
        );
    }

    #[test]
    fn the_summary_is_one_object() {
        let tally = Tally {
            messages: 3,
            delivered: 1,
            in_doubt: 2,
            ..Tally::default()
        };
        assert_eq!(
            tally.to_json(7, Duration::from_millis(1500)),
            r#"{"messages":3,"delivered":1,"refused":0,"not_sent":0,"in_doubt":2,"round_trips":7,"seconds":1.500000}"#
        );
        assert_eq!(tally.exit_code(), ExitCode::from(2));
    }
}
