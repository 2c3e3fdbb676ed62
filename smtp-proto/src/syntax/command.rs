//! Commands: one line each.

use alloc::vec::Vec;

use super::{
    forwarding::{Attributes, ForwardingCommand},
    host::Host,
    mail_parameters::MailParameters,
    number::{MAX_DIGITS, decimal},
    path::{ForwardPath, ReversePath},
    rcpt_parameters::RcptParameters,
    remote_queue::AtrnDomains,
    text::{Argument, InitialResponse, Word},
    verb::Verb,
};

/// Holds one command.
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
