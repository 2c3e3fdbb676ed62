//! Lines to commands.

use core::str;

use super::{
    bytes,
    command::Command,
    command_error::CommandError,
    error::{SyntaxError, SyntaxErrorKind},
    forwarding::{Attributes, ForwardingCommand},
    host::Host,
    mail_parameters::MailParameters,
    path::{ForwardPath, ReversePath},
    rcpt_parameters::RcptParameters,
    remote_queue::AtrnDomains,
    text::{Argument, InitialResponse, Word},
    verb::Verb,
};

impl<'a> Command<'a> {
    /// Parses a line that stands without its CR LF. White space at its end is dropped (RFC 5321
    /// 4.1.1).
    ///
    /// The length of the line is the caller's to bound (RFC 5321 4.5.3.1.4).
    ///
    /// # Errors
    ///
    /// Fails if the line is not a command of the form that its verb demands; the error knows
    /// which reply that calls for.
    pub fn parse(line: &'a [u8]) -> Result<Self, CommandError> {
        let line = trim_end(line);
        let Some((verb, rest)) = Verb::recognise(line) else {
            return parse_other(line).map_err(|error| CommandError::new(None, error));
        };
        // Blames a byte of the text that stands `after` bytes after the verb.
        let fail = |error: SyntaxError, after: usize| {
            let at = line.len().saturating_sub(rest.len()).saturating_add(after);
            CommandError::new(Some(verb), error.shifted(at))
        };
        // Returns where a text begins that ends with the line.
        let start = |text: &str| line.len().saturating_sub(text.len());
        // Each arm makes its command where it stays: to move one costs as much as to parse it.
        match (verb, rest) {
            // The labels are written in any case, and without any space more (RFC 5321 4.1.1.2).
            (
                Verb::Mail,
                [
                    b' ',
                    b'F' | b'f',
                    b'R' | b'r',
                    b'O' | b'o',
                    b'M' | b'm',
                    b':',
                    rest @ ..,
                ],
            ) => {
                let rest = text(rest).map_err(|error| fail(error, 6))?;
                let (from, end) = ReversePath::parse_prefix(rest)
                    .map_err(|error| CommandError::address(verb, error.shifted(start(rest))))?;
                let parameters = match parameters(rest, end).map_err(|error| fail(error, 6))? {
                    None => MailParameters::default(),
                    Some(text) => MailParameters::parse_checked(text)
                        .map_err(|error| CommandError::parameter(verb, error, start(text)))?,
                };
                Ok(Self::Mail { from, parameters })
            }
            (Verb::Rcpt, [b' ', b'T' | b't', b'O' | b'o', b':', rest @ ..]) => {
                let rest = text(rest).map_err(|error| fail(error, 4))?;
                let (to, end) = ForwardPath::parse_prefix(rest)
                    .map_err(|error| CommandError::address(verb, error.shifted(start(rest))))?;
                let parameters = match parameters(rest, end).map_err(|error| fail(error, 4))? {
                    None => RcptParameters::default(),
                    Some(text) => RcptParameters::parse_checked(text)
                        .map_err(|error| CommandError::parameter(verb, error, start(text)))?,
                };
                Ok(Self::Rcpt { to, parameters })
            }
            // RFC 5321 4.1.1: these take no argument.
            (Verb::Data, []) => Ok(Self::Data),
            (Verb::Rset, []) => Ok(Self::Rset),
            (Verb::Quit, []) => Ok(Self::Quit),
            (Verb::StartTls, []) => Ok(Self::StartTls),
            (Verb::Noop, []) => Ok(Self::Noop),
            (Verb::Help, []) => Ok(Self::Help(None)),
            (Verb::Atrn, []) => Ok(Self::Atrn(None)),
            (Verb::Bdat, [b' ', argument @ ..]) => {
                let (size, last) = bdat(argument).map_err(|error| fail(error, 1))?;
                Ok(Self::Bdat { size, last })
            }
            (Verb::Ehlo | Verb::Helo | Verb::Lhlo, [b' ', argument @ ..]) => {
                let host = host(argument).map_err(|error| fail(error, 1))?;
                Ok(match verb {
                    Verb::Ehlo => Self::Ehlo(host),
                    Verb::Helo => Self::Helo(host),
                    _ => Self::Lhlo(host),
                })
            }
            (verb, [b' ', argument @ ..]) => text(argument)
                .and_then(|argument| parse_text(verb, argument))
                .map_err(|error| fail(error, 1)),
            _ => Err(fail(SyntaxError::unexpected(rest, 0), 0)),
        }
    }
}

/// Parses the argument of one of the less frequent verbs.
fn parse_text(verb: Verb, argument: &str) -> Result<Command<'_>, SyntaxError> {
    let trimmed = argument.trim_start_matches(' ');
    match verb {
        Verb::Noop => bytes::check_text(argument).map(|()| Command::Noop),
        Verb::Vrfy => Argument::parse(trimmed).map(Command::Vrfy),
        Verb::Expn => Argument::parse(trimmed).map(Command::Expn),
        Verb::Help => optional(argument).map(Command::Help),
        Verb::Auth => auth(argument),
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
pub(super) fn text(bytes: &[u8]) -> Result<&str, SyntaxError> {
    let text = utf8(bytes)?;
    bytes::check_non_ascii(text)?;
    Ok(text)
}

#[inline(always)]
fn utf8(bytes: &[u8]) -> Result<&str, SyntaxError> {
    str::from_utf8(bytes)
        .map_err(|error| SyntaxError::new(SyntaxErrorKind::InvalidUtf8, error.valid_up_to()))
}

/// Returns the parameters after the path that ends at `end`, if there are any.
#[inline(always)]
fn parameters(text: &str, end: usize) -> Result<Option<&str>, SyntaxError> {
    let rest = text.get(end..).unwrap_or_default();
    match rest.split_at_checked(1) {
        None => Ok(None),
        Some((" ", rest)) => Ok(Some(rest)),
        Some(_) => Err(SyntaxError::unexpected(text.as_bytes(), end)),
    }
}

/// Parses the argument of EHLO, without the words that old clients write after an address
/// literal (RFC 5321 4.1.1.1).
#[inline]
fn host(argument: &[u8]) -> Result<Host<'_>, SyntaxError> {
    let argument = utf8(argument)?;
    if argument.starts_with('[')
        && let Some((literal, _)) = argument.split_once("] ")
    {
        let end = literal.len().saturating_add(1);
        return Host::parse(argument.get(..end).unwrap_or(argument));
    }
    Host::parse(argument)
}

fn optional(argument: &str) -> Result<Option<Argument<'_>>, SyntaxError> {
    match argument.trim_start_matches(' ') {
        "" => Ok(None),
        argument => Argument::parse(argument).map(Some),
    }
}

/// Parses `chunk-size [SP "LAST"]` (RFC 3030 2).
#[inline]
fn bdat(argument: &[u8]) -> Result<(u64, bool), SyntaxError> {
    let digits = argument
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (number, rest) = argument.split_at_checked(digits).unwrap_or_default();
    let last = match rest {
        _ if digits == 0 => return Err(SyntaxError::unexpected(argument, 0)),
        [] => false,
        [b' ', last @ ..] if last.eq_ignore_ascii_case(b"LAST") => true,
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

fn auth(argument: &str) -> Result<Command<'_>, SyntaxError> {
    let Some((mechanism, response)) = argument.split_once(' ') else {
        let mechanism = Word::parse(argument)?;
        return Ok(Command::Auth {
            mechanism,
            initial_response: None,
        });
    };
    let mechanism = Word::parse(mechanism)?;
    let response = InitialResponse::parse(response)
        .map_err(|error| error.shifted(mechanism.len().saturating_add(1)))?;
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
pub(super) fn trim_end(mut line: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t'] = line {
        line = rest;
    }
    line
}
