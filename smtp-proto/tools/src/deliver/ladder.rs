//! Time-sequence diagrams of a dialogue, as text.

use std::{collections::VecDeque, fmt::Write as _, time::Duration};

use smtp_proto::{
    client::Pipelining,
    machine::{Origin, TraceEntry, Traced},
};

use super::options::policy_name;

/// How many columns a side's lines have.
const SIDE: usize = 41;
/// How many columns an arrow has.
const ARROW: usize = 14;

/// What went over the link for some messages, round trip by round trip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ladder {
    /// The policy's name.
    pub(super) name: String,
    /// How many messages there are.
    pub(super) messages: usize,
    /// The round trips, in order.
    pub(super) rounds: Vec<Round>,
}

/// One flight of the client and the server's answer to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Round {
    /// What the client sent together.
    pub(super) client: Vec<String>,
    /// What the server answered.
    pub(super) server: Vec<String>,
}

impl Ladder {
    /// Makes a ladder of a client's trace, from the first MAIL to QUIT.
    ///
    /// Every flight leaves a whole number of round trips after the first; the trace tells which.
    /// Each reply belongs to the oldest command that has none, as in SMTP itself.
    pub(super) fn new(policy: Pipelining, messages: usize, trace: &[TraceEntry]) -> Self {
        let is_command = |entry: &TraceEntry, verb: &str| {
            let begins = |line: &String| line.starts_with(verb);
            entry.origin == Origin::Local
                && matches!(&entry.what, Traced::Line(line) if begins(line))
        };
        let entries: Vec<&TraceEntry> = trace
            .iter()
            .skip_while(|entry| !is_command(entry, "MAIL"))
            .take_while(|entry| !is_command(entry, "QUIT"))
            .collect();
        let base = entries.first().map_or(0, |entry| entry.round_trips);
        let mut rounds: Vec<Round> = Vec::new();
        let mut unanswered: VecDeque<usize> = VecDeque::new();
        for entry in entries {
            let text = entry.what.to_string();
            if entry.origin == Origin::Remote {
                let round = unanswered.front().copied().unwrap_or_default();
                if text.as_bytes().get(3) != Some(&b'-') {
                    unanswered.pop_front();
                }
                if let Some(round) = rounds.get_mut(round) {
                    round.server.push(text);
                }
                continue;
            }
            let number = usize::try_from(entry.round_trips - base).unwrap_or_default();
            if rounds.len() <= number {
                rounds.resize_with(number + 1, Round::default);
            }
            if let Some(round) = rounds.get_mut(number) {
                round.client.push(text);
            }
            if matches!(entry.what, Traced::Line(_)) {
                unanswered.push_back(number);
            }
        }
        Self {
            name: policy_name(policy),
            messages,
            rounds,
        }
    }

    /// Returns a sentence that says what the ladder shows.
    pub(super) fn caption(&self, round_trip: Duration) -> String {
        let (messages, rounds) = (self.messages, self.rounds.len());
        let plural = |count| if count == 1 { "" } else { "s" };
        let total = round_trip.as_millis() * rounds as u128;
        format!(
            "{messages} message{} in {rounds} round trip{}: {total} ms",
            plural(messages),
            plural(rounds)
        )
    }

    /// Draws the ladder as text: the client's lines on the left, the server's on the right, arrows
    /// where a flight crosses the link. Each arrow takes half of `round_trip`.
    pub(super) fn to_text(&self, round_trip: Duration) -> String {
        let mut text = format!("{}, {}\n\n", self.name, self.caption(round_trip));
        let _ = writeln!(text, "{:>8} {:<SIDE$}{:ARROW$} server", "", "client", "");
        for (number, round) in self.rounds.iter().enumerate() {
            let departure = round_trip.as_millis() * number as u128;
            let arrival = departure + round_trip.as_millis() / 2;
            for (row, line) in round.client.iter().enumerate() {
                let time = stamp(departure, row);
                let arrow = arrow(row, round.client.len(), Origin::Local);
                let row = format!("{time} {:<SIDE$}{arrow}", clip(line));
                let _ = writeln!(text, "{}", row.trim_end());
            }
            for (row, line) in round.server.iter().enumerate() {
                let time = stamp(arrival, row);
                let arrow = arrow(row, round.server.len(), Origin::Remote);
                let _ = writeln!(text, "{time} {:<SIDE$}{arrow} {}", "", clip(line));
            }
        }
        let end = round_trip.as_millis() * self.rounds.len() as u128;
        let _ = writeln!(text, "{}", stamp(end, 0));
        text
    }
}

/// Returns the time in front of the first row of a flight.
fn stamp(milliseconds: u128, row: usize) -> String {
    match row {
        0 => format!("{milliseconds:>5} ms"),
        _ => format!("{:>8}", ""),
    }
}

/// Returns a row of the arrow that holds a flight's lines together.
fn arrow(row: usize, rows: usize, origin: Origin) -> String {
    let middle = rows / 2;
    let shaft = ARROW - 3;
    let (top, bottom, side) = match origin {
        Origin::Local => ('┐', '┘', '┤'),
        Origin::Remote => ('┌', '└', '├'),
    };
    let joint = match row {
        _ if rows == 1 => '─',
        _ if row == middle && row + 1 == rows => '┴',
        _ if row == middle => '┼',
        0 => top,
        _ if row + 1 == rows => bottom,
        _ => side,
    };
    let (line, head) = match (origin, row == middle) {
        (Origin::Local, true) => ("─".repeat(shaft), '▶'),
        (Origin::Remote, true) => ("─".repeat(shaft), '◀'),
        (_, false) => (" ".repeat(shaft), ' '),
    };
    match origin {
        Origin::Local => format!("─{joint}{line}{head}"),
        Origin::Remote => format!("{head}{line}{joint}─"),
    }
}

fn clip(line: &str) -> String {
    let room = SIDE - 2;
    if line.chars().count() <= room {
        return line.to_owned();
    }
    line.chars().take(room - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flight_is_one_arrow_that_joins_its_lines() {
        let text = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        let ladder = Ladder {
            name: "group".to_owned(),
            messages: 1,
            rounds: vec![
                Round {
                    client: text(&["MAIL", "RCPT", "DATA"]),
                    server: text(&["250 a", "250 b", "354 c"]),
                },
                Round {
                    client: text(&["[9 bytes of content]", "."]),
                    server: text(&["250 d"]),
                },
            ],
        };
        let drawn = ladder.to_text(Duration::from_millis(20));
        let expected = "\
group, 1 message in 2 round trips: 40 ms

         client                                                  server
    0 ms MAIL                                     ─┐
         RCPT                                     ─┼───────────▶
         DATA                                     ─┘
   10 ms                                                      ┌─ 250 a
                                                  ◀───────────┼─ 250 b
                                                              └─ 354 c
   20 ms [9 bytes of content]                     ─┐
         .                                        ─┴───────────▶
   30 ms                                          ◀───────────── 250 d
   40 ms
";
        assert_eq!(drawn, expected);
    }
}
