//! A server that means no good.

use super::{
    model::{Kind, Reader, Said},
    random::Random,
};

/// What is no reply.
const GARBAGE: &[&str] = &[
    "25\r\n",
    "2500 x\r\n",
    "250x\r\n",
    "099 x\r\n",
    "600 x\r\n",
    "\r\n",
    "250 x\n",
    "250-x\r\n251 x\r\n",
    "250-x\r\n.\r\n",
    "MAIL FROM:<s0@example.org>\r\n",
    "\0\u{1b}[2J\r\n",
];

/// What EHLO is answered by, each line by itself: mostly this,
const USUAL: &[&str] = &[
    "PIPELINING",
    "CHUNKING",
    "BINARYMIME",
    "8BITMIME",
    "STARTTLS",
    "AUTH PLAIN LOGIN",
    "PIPECONNECT",
    "SIZE 100000",
    "XCLIENT ADDR",
    "XFORWARD IDENT SOURCE",
];
/// and now and then this.
const ODD: &[&str] = &[
    "SIZE 0",
    "SIZE 7",
    "SIZE 99999999999999999999",
    "LIMITS RCPTMAX=1",
    "LIMITS RCPTMAX=2 MAILMAX=3",
    "LIMITS MAILMAX=0 RCPTMAX=0 RCPTDOMAINMAX=0",
    "LIMITS MAILMAX=99999999999999999999 RCPTMAX=-1",
    "LIMITS RCPTDOMAINMAX=1",
    "AUTH",
    "X \u{7f}",
];

pub(super) struct Server {
    pub(super) reader: Reader,
    /// All that it has said.
    pub(super) stream: Vec<u8>,
    pub(super) said: Vec<Said>,
    /// Where it has said what ends the session of any client.
    broken_at: Option<usize>,
    /// How many units it has answered, or left unanswered.
    answered: usize,
    /// One reply in so many is not what it should be.
    pub(super) malice: usize,
    /// One refusal in so many.
    pub(super) refusals: usize,
}

impl Server {
    pub(super) fn new(is_lmtp: bool, random: &mut Random) -> Self {
        Self {
            reader: Reader::new(is_lmtp),
            stream: Vec::new(),
            said: Vec::new(),
            broken_at: None,
            answered: 0,
            malice: [10_000, 300, 60, 10][random.below(4)],
            refusals: [1000, 40, 8][random.below(3)],
        }
    }

    /// Answers some of what the client has sent, or says something else.
    pub(super) fn speak(&mut self, wire: &[u8], random: &mut Random) {
        self.reader.read(wire, &self.said);
        let unanswered = self.reader.units.len().saturating_sub(self.answered);
        for _ in 0..random.below(unanswered + 1) {
            let kind = self.reader.units[self.answered].kind;
            self.answered += 1;
            if random.one_in(self.malice) {
                self.misbehave(random);
            } else {
                self.answer(kind, random);
            }
        }
        if random.one_in(20) && random.one_in(self.malice) {
            self.misbehave(random);
        }
    }

    /// Forgets what was said in clear and not heard when TLS began.
    pub(super) fn begin_tls(&mut self, heard: usize) {
        self.stream.truncate(heard);
        self.said.retain(|reply| reply.end <= heard);
        self.answered = self.said.len();
        self.broken_at = self.broken_at.filter(|at| *at < heard);
    }

    fn answer(&mut self, kind: Kind, random: &mut Random) {
        let code = match kind {
            Kind::Hello if !random.one_in(self.refusals) => return self.introduce(random),
            Kind::Rcpt if random.one_in(4) && random.one_in(self.refusals) => 452,
            _ if random.one_in(self.refusals) => {
                [450, 451, 452, 454, 501, 503, 504, 550, 554][random.below(9)]
            }
            Kind::Greeting | Kind::StartTls | Kind::XClient => 220,
            Kind::Auth => [235, 235, 334][random.below(3)],
            Kind::Data => 354,
            Kind::Quit => 221,
            Kind::ProofChunk => 503,
            _ => 250,
        };
        self.say(code, 1 + random.below(30) / 29 * random.below(500));
    }

    fn introduce(&mut self, random: &mut Random) {
        let mut lines = String::from("250-x\r\n");
        for keyword in USUAL {
            if !random.one_in(6) {
                lines += &format!("250-{keyword}\r\n");
            }
        }
        if random.one_in(3) {
            let keyword = ODD[random.below(ODD.len())];
            lines += &format!("250-{keyword}\r\n");
        }
        self.stream.extend_from_slice(lines.as_bytes());
        self.say(250, 1);
    }

    fn misbehave(&mut self, random: &mut Random) {
        match random.below(8) {
            // Nothing, where something is awaited.
            0 => {}
            1 => self.say(421, 1),
            2..5 => {
                let codes = [
                    200, 211, 220, 221, 235, 250, 251, 334, 354, 399, 421, 450, 452, 500, 503, 554,
                    599,
                ];
                for _ in 0..1 + random.below(3) {
                    self.say(codes[random.below(codes.len())], 1);
                }
            }
            5 => self.break_off(&format!("250 {}", "x".repeat(5000))),
            _ => self.break_off(GARBAGE[random.below(GARBAGE.len())]),
        }
    }

    fn break_off(&mut self, garbage: &str) {
        self.broken_at.get_or_insert(self.stream.len());
        self.stream.extend_from_slice(garbage.as_bytes());
    }

    /// Says a reply that tells how many there were before it.
    fn say(&mut self, code: u16, lines: usize) {
        let before = self.said.len();
        for line in 1..=lines {
            let mark = if line < lines { '-' } else { ' ' };
            let text = format!("{code}{mark}#{before} and some words\r\n");
            self.stream.extend_from_slice(text.as_bytes());
        }
        if self.broken_at.is_none() {
            let end = self.stream.len();
            self.said.push(Said {
                code,
                end,
                shown_at: None,
            });
        }
    }
}
