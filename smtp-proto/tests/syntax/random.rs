//! Random bytes and random mixtures of what commands are made of.

use std::env;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use smtp_proto::syntax::{
    Attribute, Attributes, Code, Command, ForwardingCommand, Limits, MailParameters, Mailbox,
    OriginalRecipient, RcptParameters, Reply, write_attributes, xtext,
};

/// Generates numbers by the xorshift of Marsaglia.
struct Random(u64);

impl Random {
    /// Takes the seed from the variable `SEED`, or else from the clock, and prints it.
    fn new() -> Self {
        let clock = || {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .subsec_nanos()
                .into()
        };
        let seed: u64 = env::var("SEED")
            .ok()
            .and_then(|seed| seed.parse().ok())
            .unwrap_or_else(clock);
        println!("SEED={seed}");
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }

    fn mixture(&mut self, pieces: &[&[u8]]) -> Vec<u8> {
        let count = self.below(12);
        (0..count)
            .flat_map(|_| pieces[self.below(pieces.len())].iter().copied())
            .collect()
    }
}

const PIECES: &[&[u8]] = &[
    b"EHLO",
    b"MAIL FROM:",
    b"RCPT TO:",
    b"BDAT ",
    b"AUTH ",
    b"VRFY ",
    b"XFOO",
    b"NOOP",
    b"STARTTLS",
    b" ",
    b"<",
    b">",
    b"@",
    b":",
    b",",
    b"\"",
    b"\\",
    b".",
    b"-",
    b"=",
    b"+",
    b"[",
    b"]",
    b"a",
    b"Bc",
    b"1",
    b"23",
    b"<a@b>",
    b" SIZE=1",
    b" LAST",
    b"IPv6:",
    b"::1",
    b"1.2.3.4",
    b"\xce\xb4",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"\xff",
    b"\0",
    b"\r",
    b"\n",
    b"\t",
    b"\x7f",
    b"250",
    b"250-",
    b"5.7.1",
    b"\r\n",
];

/// How long each test goes on, and how often at least, however slow the machine is.
const TIME: Duration = Duration::from_millis(500);
const ROUNDS: usize = 40_000;

fn rounds() -> impl Iterator<Item = usize> {
    let end = Instant::now() + TIME;
    (0..).take_while(move |round| *round < ROUNDS || Instant::now() < end)
}

/// INJ-1: what was parsed is written as one line, which means the same.
#[test]
fn commands_are_one_line_that_means_the_same() {
    let mut random = Random::new();
    let mut parsed = 0;
    for _ in rounds() {
        let line = random.mixture(PIECES);
        let Ok(command) = Command::parse(&line) else {
            continue;
        };
        let mut written = Vec::new();
        command.write_to(&mut written);
        let shown = line.escape_ascii();
        let bare = written
            .strip_suffix(b"\r\n")
            .unwrap_or_else(|| panic!("{shown}: no CR LF"));
        assert!(!bare.iter().any(u8::is_ascii_control), "{shown}");
        assert_eq!(Command::parse(bare).as_ref(), Ok(&command), "{shown}");
        parsed += 1;
    }
    assert!(parsed > 100, "only {parsed} were commands");
}

/// INJ-7: what can be composed is one reply, which is parsed as what it was.
#[test]
fn composed_replies_are_one_reply() {
    let mut random = Random::new();
    let mut composed = 0;
    for _ in rounds() {
        let text = random.mixture(PIECES);
        let Ok(text) = str::from_utf8(&text) else {
            continue;
        };
        let Ok(reply) = Reply::new(Code::MAILBOX_UNAVAILABLE, text) else {
            continue;
        };
        assert_eq!(
            Reply::parse(reply.as_bytes()).as_ref(),
            Ok(&reply),
            "{text:?}"
        );
        let lines: Vec<_> = reply
            .lines()
            .map(|line| str::from_utf8(line).unwrap())
            .collect();
        assert_eq!(lines, text.split('\n').collect::<Vec<_>>());
        composed += 1;
    }
    assert!(composed > 100, "only {composed} were replies");
}

#[test]
fn composed_mailboxes_are_what_they_were_composed_of() {
    let mut random = Random::new();
    let mut composed = 0;
    for _ in rounds() {
        let local_part = random.mixture(PIECES);
        let Ok(local_part) = str::from_utf8(&local_part) else {
            continue;
        };
        assert_eq!(
            xtext::decode(&xtext::encode(local_part)).is_ok(),
            !local_part.chars().any(|each| {
                each.is_control() && each != '\t' || matches!(each, '\u{2028}' | '\u{2029}')
            }),
            "{local_part:?}"
        );
        if let Ok(mailbox) = Mailbox::new(local_part, "x.example") {
            assert_eq!(mailbox.unquoted_local_part(), local_part);
            assert_eq!(Mailbox::parse(mailbox.as_str()).as_ref(), Ok(&mailbox));
            composed += 1;
        }
    }
    assert!(composed > 100, "only {composed} were mailboxes");
}

/// What parameters are made of, good and bad.
const PARAMETERS: &[&[u8]] = &[
    b"SIZE=17",
    b"body=8bitMIME",
    b"SMTPUTF8",
    b"AUTH=e+3Dmc2@x.example",
    b"AUTH=<>",
    b"RET=hdrs",
    b"ENVID=a+20b",
    b"BY=-5;nt",
    b"BY=90;R",
    b"HOLDFOR=60",
    b"HOLDUNTIL=2030-01-01T00:00:00.5+01:00",
    b"MT-PRIORITY=-9",
    b"REQUIRETLS",
    b"MTRK=abc:3600",
    b"SOLICIT=org.example:ADV,b",
    b"CONPERM",
    b"NOTIFY=delay,SUCCESS",
    b"ORCPT=rfc822;a+2Bb@x",
    b"ORCPT=utf-8;\xce\xb4\\x{3d}+@x",
    b"RRVS=2014-04-03T23:01:00Z;r",
    b"CONNEG",
    b"X-A=1",
    b"x-b",
    b"\xce\xb4",
    b"+0A",
    b"\\x{7F}",
    b"9",
    b",",
    b";",
];

/// 3461-5.2.1-a, INJ-1: what was parsed is written as parameters that mean the same.
#[test]
fn parameters_are_written_as_what_they_mean() {
    let mut random = Random::new();
    let (mut mail, mut rcpt) = (0, 0);
    for _ in rounds() {
        let count = random.below(6);
        let mut line = Vec::new();
        for _ in 0..count {
            line.extend_from_slice(PARAMETERS[random.below(PARAMETERS.len())]);
            // Sometimes the next one is the tail of this one.
            line.extend_from_slice(if random.below(8) == 0 { b"" } else { b" " });
        }
        let Ok(line) = str::from_utf8(line.trim_ascii_end()) else {
            continue;
        };
        if let Ok(parsed) = MailParameters::parse(line) {
            let written = super::written(|out| parsed.write_to(out));
            let words = |text: &str| text.split_whitespace().count();
            assert_eq!(words(&written), words(line), "{line}");
            assert_eq!(
                MailParameters::parse(written.trim_start()).as_ref(),
                Ok(&parsed),
                "{line}"
            );
            assert_eq!(parsed.clone().into_owned(), parsed);
            mail += 1;
        }
        if let Ok(parsed) = RcptParameters::parse(line) {
            let written = super::written(|out| parsed.write_to(out));
            assert_eq!(
                RcptParameters::parse(written.trim_start()).as_ref(),
                Ok(&parsed),
                "{line}"
            );
            assert_eq!(parsed.clone().into_owned(), parsed);
            rcpt += 1;
        }
    }
    assert!(mail > 100 && rcpt > 100, "only {mail} and {rcpt}");
}

/// Whatever can be composed of any text is parsed as what it was composed of.
#[test]
fn composed_values_are_what_they_were_composed_of() {
    let mut random = Random::new();
    let (mut recipients, mut attributes, mut limits) = (0, 0, 0);
    for _ in rounds() {
        let text = random.mixture(PIECES);
        let Ok(text) = str::from_utf8(&text) else {
            continue;
        };
        for address_type in ["rfc822", "UTF-8"] {
            let Ok(original) = OriginalRecipient::new(address_type, text) else {
                continue;
            };
            assert_eq!(original.address(), text);
            let ascii = original.to_ascii().expect(text);
            assert!(ascii.is_ascii());
            assert_eq!(ascii.address(), text);
            let line = format!("ORCPT={original}");
            let parsed = RcptParameters::parse(&line).expect(text);
            assert_eq!(parsed.original_recipient, Some(original));
            recipients += 1;
        }
        let command = ForwardingCommand::XClient;
        let names = command.attributes();
        let name = names[random.below(names.len())];
        if let Ok(attribute) = Attribute::new(name, text) {
            let line = super::written(|out| {
                write_attributes(command, std::slice::from_ref(&attribute), out);
            });
            let argument = &line["XCLIENT ".len()..line.len() - 2];
            let parsed = Attributes::parse(command, argument).unwrap();
            assert_eq!(parsed.iter().collect::<Vec<_>>(), [attribute]);
            attributes += 1;
        }
        if let Ok(parsed) = Limits::parse(text) {
            let written = parsed.to_string();
            assert!(written.is_empty() || Limits::parse(&written) == Ok(parsed));
            limits += 1;
        }
    }
    assert!(
        recipients > 100 && attributes > 100 && limits > 100,
        "only {recipients}, {attributes} and {limits}"
    );
}
