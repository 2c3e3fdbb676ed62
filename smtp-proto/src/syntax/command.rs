//! Commands: one line each.

use alloc::vec::Vec;
use core::str;

use super::{
    command_error::CommandError,
    error::{SyntaxError, SyntaxErrorKind},
    forwarding::{Attributes, ForwardingCommand},
    grammar::{self, Grammar, MAX_DIGITS, decimal},
    host::Host,
    mail_parameters::MailParameters,
    path::{ForwardPath, ReversePath},
    rcpt_parameters::RcptParameters,
    remote_queue::AtrnDomains,
    text::{Argument, InitialResponse, Word},
    verb::Verb,
};

/// One command.
///
/// Whatever can be constructed can be written: as one line, however hostile the values.
///
/// ```
/// use smtp_proto::syntax::Command;
///
/// let command = Command::parse(b"rcpt to:<user@example.org>")?;
/// let mut line = Vec::new();
/// command.write_to(&mut line);
/// assert_eq!(line, b"RCPT TO:<user@example.org>\r\n");
/// # Ok::<(), smtp_proto::syntax::CommandError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command<'a> {
    /// `EHLO host`.
    Ehlo(Host<'a>),
    /// `HELO host`.
    Helo(Host<'a>),
    /// `LHLO host`.
    Lhlo(Host<'a>),
    /// `MAIL FROM:<path> parameters`.
    Mail {
        /// The sender.
        from: ReversePath<'a>,
        /// What extensions add.
        parameters: MailParameters<'a>,
    },
    /// `RCPT TO:<path> parameters`.
    Rcpt {
        /// The recipient.
        to: ForwardPath<'a>,
        /// What extensions add.
        parameters: RcptParameters<'a>,
    },
    /// `DATA`.
    Data,
    /// `BDAT size [LAST]`.
    Bdat {
        /// How many bytes of content follow the line.
        size: u64,
        /// Whether they are the last ones of the message.
        last: bool,
    },
    /// `RSET`.
    Rset,
    /// `NOOP`, its argument dropped.
    Noop,
    /// `QUIT`.
    Quit,
    /// `VRFY user`.
    Vrfy(Argument<'a>),
    /// `EXPN list`.
    Expn(Argument<'a>),
    /// `HELP [topic]`.
    Help(Option<Argument<'a>>),
    /// `STARTTLS`.
    StartTls,
    /// `AUTH mechanism [initial-response]`.
    Auth {
        /// The name of the SASL mechanism, in any case.
        mechanism: Word<'a>,
        /// What the client says first.
        initial_response: Option<InitialResponse<'a>>,
    },
    /// `ETRN node`.
    Etrn(Word<'a>),
    /// `ATRN [domain,domain]` (RFC 2645).
    Atrn(Option<AtrnDomains<'a>>),
    /// `BURL url [LAST]` (RFC 4468).
    Burl {
        /// Where the content is, in whatever form.
        url: Word<'a>,
        /// Whether it is the last of the message.
        last: bool,
    },
    /// `XCLIENT attributes` or `XFORWARD attributes`.
    Forwarding(Attributes<'a>),
    /// A command that this library does not know.
    Other {
        /// The first word.
        verb: Word<'a>,
        /// What stands after it.
        argument: Option<Argument<'a>>,
    },
}

impl<'a> Command<'a> {
    /// Parses a line that stands without its CR LF. White space at its end is dropped (RFC 5321
    /// 4.1.1).
    ///
    /// What nearly every server takes against the grammar is taken too, as it can mean but one
    /// thing (5321-3.3-e, 5321-4.1.2-f):
    ///
    /// - spaces around the colon of `FROM:` and `TO:`, several where one is due, and tabs in their place,
    /// - an address without its brackets,
    /// - in RCPT, a [name without a domain](ForwardPath::Local), which a store may know,
    /// - in an address, dots that stand together or at either end of the local part, underscores
    ///   and a final dot in the domain,
    /// - after EHLO, HELO and LHLO any text: clients write names with underscores or blanks, ports,
    ///   IPv6 addresses without their tag.
    ///
    /// The length of the line is the caller's to bound (RFC 5321 4.5.3.1.4).
    ///
    /// # Errors
    ///
    /// Fails if the line is not a command of the form that its verb demands; the error knows
    /// which reply that calls for.
    pub fn parse(line: &'a [u8]) -> Result<Self, CommandError> {
        Self::parse_by(line, Grammar::Tolerant)
    }

    /// Parses a line like [`parse`](Self::parse), but takes nothing against the grammar.
    ///
    /// # Errors
    ///
    /// Fails like it.
    pub fn parse_strictly(line: &'a [u8]) -> Result<Self, CommandError> {
        Self::parse_by(line, Grammar::Strict)
    }

    fn parse_by(line: &'a [u8], grammar: Grammar) -> Result<Self, CommandError> {
        let line = trim_end(line);
        let Some((verb, rest)) = Verb::recognise(line) else {
            return parse_other(line).map_err(|error| CommandError::new(None, error));
        };
        // Returns where a text begins that ends with the line.
        let start = |text: &[u8]| line.len().saturating_sub(text.len());
        // Blames a byte of such a text.
        let fail = |text: &[u8], error: SyntaxError| {
            CommandError::new(Some(verb), error.shifted(start(text)))
        };
        // Each arm makes its command where it stays: to move one costs as much as to parse it.
        match (verb, rest) {
            (Verb::Mail, _) => {
                let path =
                    after_label(rest, b"FROM:", grammar).map_err(|error| fail(rest, error))?;
                let address =
                    |error: SyntaxError| CommandError::address(verb, error.shifted(start(path)));
                let path = utf8(path).map_err(address)?;
                grammar::check_address(path).map_err(address)?;
                let (from, end) = ReversePath::parse_prefix(path, grammar).map_err(address)?;
                let mut given = MailParameters::default();
                if let Some(text) = parameters(path, end, grammar).map_err(address)? {
                    given.read(text, grammar).map_err(|error| {
                        CommandError::parameter(verb, error, start(text.as_bytes()))
                    })?;
                }
                Ok(Self::Mail {
                    from,
                    parameters: given,
                })
            }
            (Verb::Rcpt, _) => {
                let path = after_label(rest, b"TO:", grammar).map_err(|error| fail(rest, error))?;
                let address =
                    |error: SyntaxError| CommandError::address(verb, error.shifted(start(path)));
                let path = utf8(path).map_err(address)?;
                grammar::check_address(path).map_err(address)?;
                let (to, end) = ForwardPath::parse_prefix(path, grammar).map_err(address)?;
                let mut given = RcptParameters::default();
                if let Some(text) = parameters(path, end, grammar).map_err(address)? {
                    given.read(text, grammar).map_err(|error| {
                        CommandError::parameter(verb, error, start(text.as_bytes()))
                    })?;
                }
                Ok(Self::Rcpt {
                    to,
                    parameters: given,
                })
            }
            // RFC 5321 4.1.1: these take no argument.
            (Verb::Data, []) => Ok(Self::Data),
            (Verb::Rset, []) => Ok(Self::Rset),
            (Verb::Quit, []) => Ok(Self::Quit),
            (Verb::StartTls, []) => Ok(Self::StartTls),
            (Verb::Noop, []) => Ok(Self::Noop),
            (Verb::Help, []) => Ok(Self::Help(None)),
            (Verb::Atrn, []) => Ok(Self::Atrn(None)),
            (Verb::Bdat, [space, argument @ ..]) if grammar.parts(*space) => {
                let argument = skip_spaces(argument, grammar);
                let (size, last) =
                    bdat(argument, grammar).map_err(|error| fail(argument, error))?;
                Ok(Self::Bdat { size, last })
            }
            (Verb::Ehlo | Verb::Helo | Verb::Lhlo, [space, argument @ ..])
                if grammar.parts(*space) =>
            {
                let host = host(argument, grammar).map_err(|error| fail(argument, error))?;
                Ok(match verb {
                    Verb::Ehlo => Self::Ehlo(host),
                    Verb::Helo => Self::Helo(host),
                    _ => Self::Lhlo(host),
                })
            }
            (verb, [space, argument @ ..]) if grammar.parts(*space) => {
                let argument = skip_spaces(argument, grammar);
                text(argument)
                    .and_then(|text| parse_text(verb, text, grammar))
                    .map_err(|error| fail(argument, error))
            }
            _ => Err(fail(rest, SyntaxError::unexpected(rest, 0))),
        }
    }

    /// Returns the verb, if it is one that this library knows.
    pub const fn verb(&self) -> Option<Verb> {
        Some(match self {
            Self::Ehlo(_) => Verb::Ehlo,
            Self::Helo(_) => Verb::Helo,
            Self::Lhlo(_) => Verb::Lhlo,
            Self::Mail { .. } => Verb::Mail,
            Self::Rcpt { .. } => Verb::Rcpt,
            Self::Data => Verb::Data,
            Self::Bdat { .. } => Verb::Bdat,
            Self::Rset => Verb::Rset,
            Self::Noop => Verb::Noop,
            Self::Quit => Verb::Quit,
            Self::Vrfy(_) => Verb::Vrfy,
            Self::Expn(_) => Verb::Expn,
            Self::Help(_) => Verb::Help,
            Self::StartTls => Verb::StartTls,
            Self::Auth { .. } => Verb::Auth,
            Self::Etrn(_) => Verb::Etrn,
            Self::Atrn(_) => Verb::Atrn,
            Self::Burl { .. } => Verb::Burl,
            Self::Forwarding(attributes) => match attributes.command() {
                ForwardingCommand::XClient => Verb::XClient,
                ForwardingCommand::XForward => Verb::XForward,
            },
            Self::Other { .. } => return None,
        })
    }

    /// Appends the command as a line, with CR LF.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let verb = match (self.verb(), self) {
            (Some(verb), _) => verb.as_str(),
            (None, Self::Other { verb, .. }) => verb.as_str(),
            (None, _) => "",
        };
        out.extend_from_slice(verb.as_bytes());
        let mut word = |word: &str| {
            out.push(b' ');
            out.extend_from_slice(word.as_bytes());
        };
        match self {
            Self::Ehlo(host) | Self::Helo(host) | Self::Lhlo(host) => word(host.as_str()),
            Self::Mail { from, parameters } => {
                word("FROM:");
                from.write_to(out);
                parameters.write_to(out);
            }
            Self::Rcpt { to, parameters } => {
                word("TO:");
                to.write_to(out);
                parameters.write_to(out);
            }
            Self::Bdat { size, last } => {
                word(decimal(*size, &mut [0; MAX_DIGITS]));
                if *last {
                    word("LAST");
                }
            }
            Self::Vrfy(argument)
            | Self::Expn(argument)
            | Self::Help(Some(argument))
            | Self::Other {
                argument: Some(argument),
                ..
            } => word(argument),
            Self::Auth {
                mechanism,
                initial_response,
            } => {
                word(mechanism);
                if let Some(response) = initial_response {
                    word(response.as_str());
                }
            }
            Self::Etrn(node) => word(node),
            Self::Atrn(Some(domains)) => word(domains.as_str()),
            Self::Burl { url, last } => {
                word(url);
                if *last {
                    word("LAST");
                }
            }
            Self::Forwarding(attributes) => word(attributes.as_str()),
            Self::Help(None)
            | Self::Atrn(None)
            | Self::Other { argument: None, .. }
            | Self::Data
            | Self::Rset
            | Self::Noop
            | Self::Quit
            | Self::StartTls => {}
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// Parses the argument of one of the less frequent verbs.
fn parse_text(verb: Verb, argument: &str, grammar: Grammar) -> Result<Command<'_>, SyntaxError> {
    let trimmed = argument.trim_start_matches(' ');
    match verb {
        Verb::Noop => grammar::check_text(argument).map(|()| Command::Noop),
        Verb::Vrfy => Argument::parse(trimmed).map(Command::Vrfy),
        Verb::Expn => Argument::parse(trimmed).map(Command::Expn),
        Verb::Help => optional(argument).map(Command::Help),
        Verb::Auth => auth(argument, grammar),
        Verb::Etrn => Word::parse(argument).map(Command::Etrn),
        Verb::Atrn => AtrnDomains::parse(argument).map(|domains| Command::Atrn(Some(domains))),
        Verb::Burl => burl(argument),
        Verb::XClient => {
            Attributes::parse(ForwardingCommand::XClient, argument).map(Command::Forwarding)
        }
        Verb::XForward => {
            Attributes::parse(ForwardingCommand::XForward, argument).map(Command::Forwarding)
        }
        // The others have no such argument.
        _ => Err(SyntaxError::unexpected(argument.as_bytes(), 0)),
    }
}

fn parse_other(line: &[u8]) -> Result<Command<'_>, SyntaxError> {
    let line = text(line)?;
    let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
    let verb = Word::parse(verb)?;
    let argument =
        optional(argument).map_err(|error| error.shifted(verb.len().saturating_add(1)))?;
    Ok(Command::Other { verb, argument })
}

/// Takes bytes for text, if they are UTF-8 and hide no control characters after it.
#[inline(always)]
fn text(bytes: &[u8]) -> Result<&str, SyntaxError> {
    let text = utf8(bytes)?;
    grammar::check_non_ascii(text)?;
    Ok(text)
}

#[inline(always)]
fn utf8(bytes: &[u8]) -> Result<&str, SyntaxError> {
    str::from_utf8(bytes)
        .map_err(|error| SyntaxError::new(SyntaxErrorKind::InvalidUtf8, error.valid_up_to()))
}

/// Returns what stands after `label`, written in any case and without any space more (RFC 5321
/// 4.1.1.2). Tolerates white space before it and around its colon.
#[inline(always)]
fn after_label<'l, const N: usize>(
    rest: &'l [u8],
    label: &[u8; N],
    grammar: Grammar,
) -> Result<&'l [u8], SyntaxError> {
    if let [b' ', written @ ..] = rest
        && let Some((first, path)) = written.split_first_chunk::<N>()
        && (first == label || first.eq_ignore_ascii_case(label))
        && (grammar == Grammar::Strict || !path.first().is_some_and(|it| grammar.parts(*it)))
    {
        return Ok(path);
    }
    match grammar {
        Grammar::Tolerant => after_spaced_label(rest, label),
        Grammar::Strict => None,
    }
    .ok_or(SyntaxError::unexpected(
        rest,
        usize::from(rest.starts_with(b" ")),
    ))
}

/// Returns what stands after `label`, wherever there is white space.
#[cold]
fn after_spaced_label<'l>(rest: &'l [u8], label: &[u8]) -> Option<&'l [u8]> {
    let trimmed = trim_start(rest);
    let (word, colon) = label.split_last_chunk::<1>()?;
    let (written, after) = trimmed.split_at_checked(word.len())?;
    let path = trim_start(after).strip_prefix(colon)?;
    let is_one = trimmed.len() < rest.len() && written.eq_ignore_ascii_case(word);
    is_one.then(|| trim_start(path))
}

/// Returns the parameters after the path that ends at `end`, if there are any.
#[inline(always)]
fn parameters(text: &str, end: usize, grammar: Grammar) -> Result<Option<&str>, SyntaxError> {
    match text.as_bytes().get(end) {
        None => Ok(None),
        Some(byte) if grammar.parts(*byte) => Ok(text.get(end.saturating_add(1)..)),
        Some(_) => Err(SyntaxError::unexpected(text.as_bytes(), end)),
    }
}

/// Parses the argument of EHLO, without the words that old clients write after an address
/// literal (RFC 5321 4.1.1.1).
#[inline]
fn host(argument: &[u8], grammar: Grammar) -> Result<Host<'_>, SyntaxError> {
    let argument = utf8(skip_spaces(argument, grammar))?;
    if argument.starts_with('[')
        && let Some((literal, _)) = argument.split_once("] ")
        && let Some(literal) = argument.get(..literal.len().saturating_add(1))
        && let Ok(host) = Host::parse_by(literal, Grammar::Strict)
    {
        return Ok(host);
    }
    Host::parse_by(argument, grammar)
}

fn optional(argument: &str) -> Result<Option<Argument<'_>>, SyntaxError> {
    match argument.trim_start_matches(' ') {
        "" => Ok(None),
        argument => Argument::parse(argument).map(Some),
    }
}

/// Parses `chunk-size [SP "LAST"]` (RFC 3030 2).
#[inline]
fn bdat(argument: &[u8], grammar: Grammar) -> Result<(u64, bool), SyntaxError> {
    let digits = argument
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (number, rest) = argument.split_at_checked(digits).unwrap_or_default();
    let last = match rest {
        _ if digits == 0 => return Err(SyntaxError::unexpected(argument, 0)),
        [] => false,
        [space, last @ ..]
            if grammar.parts(*space)
                && skip_spaces(last, grammar).eq_ignore_ascii_case(b"LAST") =>
        {
            true
        }
        _ => return Err(SyntaxError::unexpected(argument, digits)),
    };
    // Unlike a SIZE, a number that cannot be held cannot be obeyed.
    let size = number.iter().try_fold(0_u64, |size, digit| {
        size.checked_mul(10)?
            .checked_add(u64::from(digit.wrapping_sub(b'0')))
    });
    let size = size.ok_or(SyntaxError::new(SyntaxErrorKind::OutOfRange, 0))?;
    Ok((size, last))
}

fn auth(argument: &str, grammar: Grammar) -> Result<Command<'_>, SyntaxError> {
    let is_space = |it: char| u8::try_from(it).is_ok_and(|it| grammar.parts(it));
    let Some((mechanism, response)) = argument.split_once(is_space) else {
        let mechanism = Word::parse(argument)?;
        return Ok(Command::Auth {
            mechanism,
            initial_response: None,
        });
    };
    let mechanism = Word::parse(mechanism)?;
    let response = match grammar {
        Grammar::Tolerant => response.trim_start_matches(is_space),
        Grammar::Strict => response,
    };
    let start = argument.len().saturating_sub(response.len());
    let response = InitialResponse::parse(response).map_err(|error| error.shifted(start))?;
    Ok(Command::Auth {
        mechanism,
        initial_response: Some(response),
    })
}

/// Parses `absolute-URI [SP "LAST"]` (RFC 4468 3.5); the URI is for whoever fetches it to check.
fn burl(argument: &str) -> Result<Command<'_>, SyntaxError> {
    let (url, last) = match argument.split_once(' ') {
        None => (argument, false),
        Some((url, last)) if last.eq_ignore_ascii_case("LAST") => (url, true),
        Some((url, _)) => {
            let after = url.len().saturating_add(1);
            return Err(SyntaxError::unexpected(argument.as_bytes(), after));
        }
    };
    let url = Word::parse(url)?;
    Ok(Command::Burl { url, last })
}

/// Drops the white space that RFC 5321 4.1.1 tolerates before the CR LF.
#[inline]
fn trim_end(line: &[u8]) -> &[u8] {
    match line {
        [rest @ .., b' ' | b'\t'] => trim_more(rest),
        _ => line,
    }
}

/// Drops all of it: two and more are rare.
#[cold]
fn trim_more(mut line: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t'] = line {
        line = rest;
    }
    line
}

/// Drops more white space, where it is tolerated.
fn skip_spaces(text: &[u8], grammar: Grammar) -> &[u8] {
    match grammar {
        Grammar::Tolerant => trim_start(text),
        Grammar::Strict => text,
    }
}

fn trim_start(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}
