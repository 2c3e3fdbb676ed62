//! What connections came to, as text: a table, and the dialogue.

use std::{fmt::Write as _, time::Duration};

use smtp_proto::{
    client::Pipelining,
    machine::{Origin, TraceEntry},
};

use super::options::policy_name;

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// The policy.
    pub(super) policy: Pipelining,
    /// How many messages were delivered.
    pub(super) messages: usize,
    /// How many round trips that took, without the session's opening.
    pub(super) round_trips: u64,
    /// How long that took.
    pub(super) elapsed: Duration,
}

/// Returns the table of results.
pub(super) fn table(rows: &[Row]) -> String {
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
pub(super) fn dialogue(entries: &[TraceEntry]) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
