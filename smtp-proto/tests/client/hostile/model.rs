//! What a session was, told from its bytes alone: which reply answers which command, by count, and
//! which outcomes that allows.

use smtp_proto::{
    client::Outcome,
    machine::Answer,
    syntax::{Class, Reply},
};

/// A reply, as far as the client can read one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    pub(super) code: u16,
    /// Where it ends in what the server says.
    pub(super) end: usize,
    /// How many bytes had been offered to the transport when the client was shown it.
    pub(super) shown_at: Option<usize>,
}

impl Said {
    fn shown(said: &[Self], index: usize) -> Option<u16> {
        let reply = said.get(index)?;
        reply.shown_at.map(|_| reply.code)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Greeting,
    Hello,
    StartTls,
    Auth,
    XClient,
    XForward,
    Own,
    Reset,
    Quit,
    Mail,
    Rcpt,
    Data,
    Chunk,
    /// What a stream begins with.
    ProofMail,
    ProofChunk,
    /// The end of a message; in LMTP one for each accepted recipient, of whom this is the position.
    End(Option<usize>),
}

/// What gets one reply.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit {
    pub(super) kind: Kind,
    /// Where it ends in what the client sends.
    end: usize,
    /// How many transactions had begun.
    transaction: usize,
}

#[derive(Clone, Debug)]
struct Transaction {
    message: u64,
    /// Each recipient's position in the envelope, and the unit of its RCPT.
    recipients: Vec<(usize, usize)>,
    content: Vec<u8>,
}

/// Reads what a client sends, knowing nothing but the protocol.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    is_lmtp: bool,
    at: usize,
    in_content: bool,
    /// Whose origin the server knows by XFORWARD.
    forwarded: Option<u64>,
    pub(super) units: Vec<Unit>,
    transactions: Vec<Transaction>,
}

impl Reader {
    pub(super) fn new(is_lmtp: bool) -> Self {
        let greeting = Unit {
            kind: Kind::Greeting,
            end: 0,
            transaction: 0,
        };
        Self {
            is_lmtp,
            at: 0,
            in_content: false,
            forwarded: None,
            units: vec![greeting],
            transactions: Vec::new(),
        }
    }

    /// Returns the code of the reply that a unit is answered by, if the client was shown it.
    fn answer(&self, unit: usize, said: &[Said]) -> Option<u16> {
        Said::shown(said, unit)
    }

    /// Reads on; `wire` is all that was sent so far.
    pub(super) fn read(&mut self, wire: &[u8], said: &[Said]) {
        while let Some(rest) = wire.get(self.at..).filter(|rest| !rest.is_empty()) {
            let Some(len) = rest.windows(2).position(|pair| pair == b"\r\n") else {
                return;
            };
            let line = &rest[..len];
            let mut end = self.at + len + 2;
            let previous = self.units.len() - 1;
            let answered = self.answer(previous, said);
            if self.units[previous].kind == Kind::Data && !self.in_content {
                // Whatever follows DATA waits for its reply.
                let code = answered.expect("nothing goes out after an unanswered DATA");
                self.in_content = code / 100 == 3 && code != 334;
            }
            if self.in_content {
                self.at = end;
                if line == b"." {
                    self.in_content = false;
                    self.end_message(end, said);
                } else {
                    let content = &mut self.transactions.last_mut().expect("a MAIL").content;
                    content.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
                    content.extend_from_slice(b"\r\n");
                }
                continue;
            }
            let line = str::from_utf8(line).expect("commands are ASCII");
            let kind = match line.split(' ').next().unwrap_or_default() {
                "EHLO" | "HELO" | "LHLO" => Kind::Hello,
                "STARTTLS" => Kind::StartTls,
                "AUTH" => Kind::Auth,
                "XCLIENT" => Kind::XClient,
                "XFORWARD" => {
                    self.forwarded = Some(number(line, "IDENT=m"));
                    Kind::XForward
                }
                "NOOP" => Kind::Own,
                "RSET" => {
                    self.forwarded = None;
                    Kind::Reset
                }
                "QUIT" => Kind::Quit,
                "DATA" => Kind::Data,
                "MAIL" if line == "MAIL FROM:<>" => Kind::ProofMail,
                "BDAT" if self.units[previous].kind == Kind::ProofMail => {
                    let Some(chunk) = wire.get(end..end + 3) else {
                        return;
                    };
                    assert_eq!((line, chunk), ("BDAT 3 LAST", &b"xyz"[..]));
                    end += 3;
                    Kind::ProofChunk
                }
                "MAIL" => {
                    let message = number(line, "<s");
                    let forwarded = self.forwarded.unwrap_or(message);
                    assert_eq!(forwarded, message, "another's origin");
                    self.transactions.push(Transaction {
                        message,
                        recipients: Vec::new(),
                        content: Vec::new(),
                    });
                    Kind::Mail
                }
                "RCPT" => {
                    let position = number(line, "<r") as usize;
                    let transaction = self.transactions.last_mut().expect("a MAIL");
                    assert_eq!(transaction.message, number(line, "@m"));
                    transaction.recipients.push((position, self.units.len()));
                    Kind::Rcpt
                }
                "BDAT" => {
                    let size = number(line, "BDAT ") as usize;
                    let Some(chunk) = wire.get(end..end + size) else {
                        return;
                    };
                    let transaction = self.transactions.last_mut().expect("a MAIL");
                    transaction.content.extend_from_slice(chunk);
                    end += size;
                    if line.ends_with(" LAST") {
                        self.at = end;
                        self.end_message(end, said);
                        continue;
                    }
                    Kind::Chunk
                }
                _ => {
                    let asked = self.units[previous].kind == Kind::Auth && answered == Some(334);
                    assert!(asked, "what is no command leaves as one: {line}");
                    Kind::Auth
                }
            };
            self.at = end;
            self.push(kind, end);
        }
    }

    fn push(&mut self, kind: Kind, end: usize) {
        let transaction = self.transactions.len();
        self.units.push(Unit {
            kind,
            end,
            transaction,
        });
    }

    fn end_message(&mut self, end: usize, said: &[Said]) {
        self.forwarded = None;
        if !self.is_lmtp {
            return self.push(Kind::End(None), end);
        }
        // RFC 2033 4.2
        let recipients = self.transactions.last().expect("a MAIL").recipients.clone();
        let accepted = |unit| self.answer(unit, said).is_some_and(is_positive);
        let accepted: Vec<_> = recipients
            .into_iter()
            .filter(|(_, unit)| accepted(*unit))
            .collect();
        assert!(!accepted.is_empty(), "an end for nobody");
        for (position, _) in accepted {
            self.push(Kind::End(Some(position)), end);
        }
    }

    /// Checks the outcome for one recipient. Of this reader, the bytes are those that may have left.
    pub(super) fn check(
        &self,
        message: u64,
        position: usize,
        outcome: &Outcome<'_>,
        said: &[Said],
        body: &[u8],
    ) {
        // The ends of the message for this recipient, unless it was refused, and their replies.
        let ends: Vec<_> = self
            .units
            .iter()
            .enumerate()
            .filter(|(_, unit)| match unit.kind {
                Kind::End(whose) => {
                    let transaction = &self.transactions[unit.transaction - 1];
                    let mut recipients = transaction.recipients.iter();
                    transaction.message == message
                        && whose.is_none_or(|whose| whose == position)
                        && recipients.any(|&(other, rcpt)| {
                            other == position
                                && self.answer(rcpt, said).is_none_or(|code| code / 100 == 2)
                        })
                }
                _ => false,
            })
            .map(|(index, unit)| (index, unit.end, self.answer(index, said)))
            .collect();
        // What comes after a 421 to a command was not taken. One to the end of a message leaves it open:
        // a server may work ahead.
        let is_closed = |index: usize| {
            let mut before = self.units.iter().take(index).enumerate();
            before.any(|(unit, of)| {
                !matches!(of.kind, Kind::End(_)) && self.answer(unit, said) == Some(421)
            })
        };
        let may_be_taken = |(index, _, code): &(usize, usize, Option<u16>)| {
            code.is_none_or(|code| !matches!(code / 100, 4 | 5)) && !is_closed(*index)
        };
        match outcome {
            Outcome::Delivered(reply) => {
                let index = index_of(reply);
                let (_, end, code) = ends
                    .iter()
                    .find(|(unit, _, _)| *unit == index)
                    .unwrap_or_else(|| {
                        panic!("recipient {position} delivered by {reply:?}: {ends:?}")
                    });
                assert!(code.is_some_and(is_positive), "{reply:?}");
                let shown_at = said[index].shown_at.expect("a reply that was shown");
                assert!(shown_at >= *end, "answered before it was sent");
                let content = &self.transactions[self.units[index].transaction - 1].content;
                let whole = [body, b"\r\n"].concat();
                let bare = body
                    .windows(2)
                    .any(|pair| pair[1] == b'\n' && pair[0] != b'\r');
                assert!(content == body || *content == whole || bare, "cut short");
            }
            Outcome::Refused(Answer { reply, .. }) => {
                assert!(
                    matches!(reply.class(), Class::Transient | Class::Permanent),
                    "{reply:?}"
                );
                assert!(!ends.iter().any(may_be_taken), "{reply:?}");
                let index = index_of(reply);
                if let Some(unit) = self.units.get(index).filter(|_| said[index].code != 421) {
                    let of = &self.transactions[unit.transaction - 1];
                    assert_eq!(of.message, message, "another's refusal: {reply:?}");
                }
            }
            Outcome::NotSent(reason) => {
                assert!(!ends.iter().any(may_be_taken), "{reason}");
            }
            Outcome::InDoubt => {}
        }
    }

    /// Tells whether anything was offered of a message's content, or DATA, in a transaction that was not
    /// accepted for so many recipients.
    pub(super) fn has_content_for_fewer(
        &self,
        message: u64,
        recipients: usize,
        said: &[Said],
    ) -> bool {
        self.units.iter().any(|unit| {
            let is_content = matches!(unit.kind, Kind::Data | Kind::Chunk | Kind::End(_));
            is_content && {
                let of = &self.transactions[unit.transaction - 1];
                let accepted = |rcpt| self.answer(rcpt, said).is_some_and(is_positive);
                let accepted = of.recipients.iter().filter(|(_, rcpt)| accepted(*rcpt));
                of.message == message && accepted.count() < recipients
            }
        })
    }

    /// Tells whether the end of a message was offered.
    pub(super) fn has_end_of(&self, message: u64) -> bool {
        self.units.iter().any(|unit| {
            let is_end = matches!(unit.kind, Kind::End(_));
            is_end && self.transactions[unit.transaction - 1].message == message
        })
    }
}

fn is_positive(code: u16) -> bool {
    code / 100 == 2
}

/// Returns the number after a mark.
fn number(line: &str, mark: &str) -> u64 {
    let (_, rest) = line.split_once(mark).expect("a mark");
    let digits = rest.split(|next: char| !next.is_ascii_digit()).next();
    digits
        .and_then(|digits| digits.parse().ok())
        .expect("a number")
}

/// Returns how many replies had been said before this one, which it says itself.
fn index_of(reply: &Reply<'_>) -> usize {
    let last = reply.lines().last().expect("a line");
    number(&last.escape_ascii().to_string(), "#") as usize
}
