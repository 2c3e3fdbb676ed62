//! Counts round trips: the longest chain of flights of which each was sent after a reply to the one
//! before it had arrived.
//!
//! Replies are matched to commands, so that the pace of a server does not matter: that it answers a
//! later flight before all of an earlier one is answered makes no chain longer.

use std::collections::VecDeque;

/// The chains of one connection in clear.
#[derive(Debug, Default)]
pub(crate) struct Chains {
    /// The longest chain that has reached the client.
    at_client: u64,
    /// Commands, and ends of contents, that have no reply yet.
    unanswered: VecDeque<Command>,
    /// What the client's bytes are.
    reading: Reading,
    /// The client's unfinished line.
    line: Vec<u8>,
    /// The server's unfinished line.
    reply: Vec<u8>,
    /// The chain that the last reply belongs to.
    answered: u64,
    has_greeted: bool,
    /// The client went on after DATA without waiting for the reply.
    ran_ahead: bool,
}

#[derive(Clone, Copy, Debug)]
struct Command {
    /// How many flights had been answered when it was sent.
    chain: u64,
    is_data: bool,
}

#[derive(Clone, Copy, Debug, Default)]
enum Reading {
    #[default]
    Commands,
    /// Content that a line of one dot ends.
    Lines,
    /// So many bytes of a chunk.
    Chunk(usize),
}

impl Chains {
    /// Returns how many round trips the client has waited for, the greeting's included.
    pub(crate) fn round_trips(&self) -> u64 {
        self.at_client
    }

    /// Tells whether the client ever sent anything after a DATA whose reply was not on its way yet.
    pub(crate) fn ran_ahead(&self) -> bool {
        self.ran_ahead
    }

    /// Takes note of what the client has sent.
    pub(crate) fn client_sent(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            self.ran_ahead |= self.unanswered.back().is_some_and(|last| last.is_data);
            if let Reading::Chunk(left) = self.reading {
                let (chunk, rest) = bytes.split_at(left.min(bytes.len()));
                bytes = rest;
                self.reading = match left - chunk.len() {
                    0 => Reading::Commands,
                    left => Reading::Chunk(left),
                };
                continue;
            }
            let end = bytes.iter().position(|&byte| byte == b'\n');
            let (text, rest) = bytes.split_at(end.map_or(bytes.len(), |at| at + 1));
            bytes = rest;
            self.line.extend_from_slice(text);
            if end.is_some() {
                self.end_line();
                self.line.clear();
            }
        }
    }

    fn end_line(&mut self) {
        let line = self.line.trim_ascii_end().to_ascii_uppercase();
        if matches!(self.reading, Reading::Lines) {
            if line != b"." {
                return;
            }
            self.reading = Reading::Commands;
        }
        self.unanswered.push_back(Command {
            chain: self.at_client,
            is_data: line == b"DATA",
        });
        if let Some(rest) = line.strip_prefix(b"BDAT ") {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
            let size = digits.fold(0, |size, digit| size * 10 + usize::from(digit - b'0'));
            if size > 0 {
                self.reading = Reading::Chunk(size);
            }
        }
    }

    /// Takes note of what the server has sent, and returns the chain that it belongs to.
    pub(crate) fn server_sent(&mut self, bytes: &[u8]) -> u64 {
        for &byte in bytes {
            self.reply.push(byte);
            if byte == b'\n' {
                if self.reply.get(3) != Some(&b'-') {
                    self.end_reply();
                }
                self.reply.clear();
            }
        }
        self.answered
    }

    fn end_reply(&mut self) {
        let command = if self.has_greeted {
            // LMTP has several replies to the end of a content.
            self.unanswered.pop_front()
        } else {
            self.has_greeted = true;
            let (chain, is_data) = (0, false);
            Some(Command { chain, is_data })
        };
        if let Some(command) = command {
            self.answered = self.answered.max(command.chain + 1);
            if command.is_data && self.reply.starts_with(b"354") {
                self.reading = Reading::Lines;
            }
        }
    }

    /// Takes note of what has reached the client.
    pub(crate) fn reached_client(&mut self, chain: u64) {
        self.at_client = self.at_client.max(chain);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Passes flights on, each whole: `C` those of the client, `S` those of the server.
    fn count(flights: &[(char, &str)]) -> u64 {
        let mut chains = Chains::default();
        for (side, bytes) in flights {
            match side {
                'C' => chains.client_sent(bytes.as_bytes()),
                _ => {
                    let chain = chains.server_sent(bytes.as_bytes());
                    chains.reached_client(chain);
                }
            }
        }
        chains.round_trips()
    }

    #[test]
    fn each_flight_that_waits_for_a_reply_is_a_round_trip() {
        let look_ahead = [
            ('S', "220 x\r\n"),
            ('C', "EHLO c\r\n"),
            ('S', "250-x\r\n250 PIPELINING\r\n"),
            ('C', "MAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\n"),
            ('S', "250 a\r\n250 b\r\n354 c\r\n"),
            ('C', "DATA\r\nx\r\n.\r\nRSET\r\nMAIL FROM:<>\r\n"),
            ('S', "250 d\r\n250 e\r\n250 f\r\n"),
        ];
        assert_eq!(count(&look_ahead), 4);
    }

    /// A slow server answers in pieces; the window lets a message more out for each.
    #[test]
    fn a_slow_server_makes_no_chain_longer() {
        let flight = "MAIL FROM:<>\r\nBDAT 6 LAST\r\nDATA\r\n";
        let stream = [
            ('S', "220 x\r\n"),
            ('C', &flight.repeat(3)),
            ('S', "250 1\r\n250 1\r\n"),
            ('C', flight),
            ('S', "250 2\r\n250 2\r\n"),
            ('C', flight),
            (
                'S',
                "250 3\r\n250 3\r\n250 4\r\n250 4\r\n250 5\r\n250 5\r\n",
            ),
        ];
        assert_eq!(count(&stream), 3);
    }

    #[test]
    fn content_before_its_354_is_noticed() {
        for (second, expected) in [("x\r\n.\r\n", true), ("", false)] {
            let mut chains = Chains::default();
            chains.server_sent(b"220 x\r\n");
            chains.client_sent(format!("MAIL FROM:<>\r\nDATA\r\n{second}").as_bytes());
            assert_eq!(chains.ran_ahead(), expected);
            chains.server_sent(b"250 x\r\n354 x\r\n");
            chains.client_sent(b"x\r\n.\r\n");
            assert_eq!(chains.ran_ahead(), expected);
        }
    }

    #[test]
    fn what_leaves_before_the_greeting_waits_for_nothing() {
        let early = [
            ('C', "EHLO c\r\nMAIL FROM:<>\r\n"),
            ('S', "220 x\r\n250 x\r\n250 a\r\n"),
        ];
        assert_eq!(count(&early), 1);
    }
}
