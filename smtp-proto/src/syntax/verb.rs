//! The verbs that this library knows.

use super::grammar::{self, KEYWORD};

/// The verb of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verb {
    /// Opens an extended session (RFC 5321 4.1.1.1).
    Ehlo,
    /// Opens a session without extensions (RFC 5321 4.1.1.1).
    Helo,
    /// Opens an LMTP session (RFC 2033 4.1).
    Lhlo,
    /// Begins a transaction (RFC 5321 4.1.1.2).
    Mail,
    /// Names a recipient (RFC 5321 4.1.1.3).
    Rcpt,
    /// Asks to send content (RFC 5321 4.1.1.4).
    Data,
    /// Sends a chunk of content (RFC 3030 2).
    Bdat,
    /// Ends the transaction (RFC 5321 4.1.1.5).
    Rset,
    /// Does nothing (RFC 5321 4.1.1.9).
    Noop,
    /// Ends the session (RFC 5321 4.1.1.10).
    Quit,
    /// Asks about a user (RFC 5321 4.1.1.6).
    Vrfy,
    /// Asks about a list (RFC 5321 4.1.1.7).
    Expn,
    /// Asks for help (RFC 5321 4.1.1.8).
    Help,
    /// Starts TLS (RFC 3207).
    StartTls,
    /// Authenticates (RFC 4954).
    Auth,
    /// Starts a remote queue (RFC 1985).
    Etrn,
    /// Asks for the mail of domains, with the roles reversed (RFC 2645).
    Atrn,
    /// Has the server fetch content (RFC 4468).
    Burl,
    /// Speaks for another client (Postfix).
    XClient,
    /// Tells about another client (Postfix).
    XForward,
}

const EHLO: u32 = u32::from_be_bytes(*b"EHLO");
const HELO: u32 = u32::from_be_bytes(*b"HELO");
const LHLO: u32 = u32::from_be_bytes(*b"LHLO");
const MAIL: u32 = u32::from_be_bytes(*b"MAIL");
const RCPT: u32 = u32::from_be_bytes(*b"RCPT");
const DATA: u32 = u32::from_be_bytes(*b"DATA");
const BDAT: u32 = u32::from_be_bytes(*b"BDAT");
const RSET: u32 = u32::from_be_bytes(*b"RSET");
const NOOP: u32 = u32::from_be_bytes(*b"NOOP");
const QUIT: u32 = u32::from_be_bytes(*b"QUIT");
const VRFY: u32 = u32::from_be_bytes(*b"VRFY");
const EXPN: u32 = u32::from_be_bytes(*b"EXPN");
const HELP: u32 = u32::from_be_bytes(*b"HELP");
const AUTH: u32 = u32::from_be_bytes(*b"AUTH");
const ETRN: u32 = u32::from_be_bytes(*b"ETRN");
const ATRN: u32 = u32::from_be_bytes(*b"ATRN");
const BURL: u32 = u32::from_be_bytes(*b"BURL");
const STAR: u32 = u32::from_be_bytes(*b"STAR");
const XCLI: u32 = u32::from_be_bytes(*b"XCLI");
const XFOR: u32 = u32::from_be_bytes(*b"XFOR");

impl Verb {
    /// Returns the verb as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ehlo => "EHLO",
            Self::Helo => "HELO",
            Self::Lhlo => "LHLO",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::Bdat => "BDAT",
            Self::Rset => "RSET",
            Self::Noop => "NOOP",
            Self::Quit => "QUIT",
            Self::Vrfy => "VRFY",
            Self::Expn => "EXPN",
            Self::Help => "HELP",
            Self::StartTls => "STARTTLS",
            Self::Auth => "AUTH",
            Self::Etrn => "ETRN",
            Self::Atrn => "ATRN",
            Self::Burl => "BURL",
            Self::XClient => "XCLIENT",
            Self::XForward => "XFORWARD",
        }
    }

    /// Recognises the verb at the beginning of `line`, in any case; returns it and what stands
    /// after it. The verb ends where white space begins.
    #[inline]
    pub(super) fn recognise(line: &[u8]) -> Option<(Self, &[u8])> {
        let (first, rest) = line.split_first_chunk::<4>()?;
        // Clearing this bit makes capitals of small letters, and capitals of nothing else.
        let verb = match u32::from_be_bytes(*first) & 0xDFDF_DFDF {
            EHLO => Self::Ehlo,
            HELO => Self::Helo,
            LHLO => Self::Lhlo,
            MAIL => Self::Mail,
            RCPT => Self::Rcpt,
            DATA => Self::Data,
            BDAT => Self::Bdat,
            RSET => Self::Rset,
            NOOP => Self::Noop,
            QUIT => Self::Quit,
            VRFY => Self::Vrfy,
            EXPN => Self::Expn,
            HELP => Self::Help,
            AUTH => Self::Auth,
            ETRN => Self::Etrn,
            ATRN => Self::Atrn,
            BURL => Self::Burl,
            STAR => return longer(Self::StartTls, rest),
            XCLI => return longer(Self::XClient, rest),
            XFOR => return longer(Self::XForward, rest),
            _ => return None,
        };
        let is_whole = match verb {
            // BDT-1: content would be read as commands after a chunk whose size was taken for a part of
            // another verb.
            Self::Bdat => !matches!(rest, [byte, ..] if grammar::class(*byte) & KEYWORD != 0),
            _ => ends(rest),
        };
        is_whole.then_some((verb, rest))
    }
}

/// Returns whether a verb ends before `rest`.
#[inline]
fn ends(rest: &[u8]) -> bool {
    matches!(rest, [] | [b' ' | b'\t', ..])
}

/// Recognises a verb of more than four letters by those after its first four.
#[inline]
fn longer(verb: Verb, rest: &[u8]) -> Option<(Verb, &[u8])> {
    let letters = verb.as_str().as_bytes().get(4..)?;
    let (after, rest) = rest.split_at_checked(letters.len())?;
    (after.eq_ignore_ascii_case(letters) && ends(rest)).then_some((verb, rest))
}
