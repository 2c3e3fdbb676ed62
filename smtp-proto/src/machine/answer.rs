//! A server's reply, and what it answered.

use core::fmt;

use crate::syntax::Reply;

/// Names what a reply of a server answered.
///
/// Programs that decide where and when to try again decide by it: a refusal of the greeting is the
/// host's, one of a recipient is the recipient's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
#[non_exhaustive]
pub enum Step {
    /// The connection itself.
    Greeting,
    /// EHLO, HELO or LHLO.
    Hello,
    /// STARTTLS.
    #[cfg_attr(feature = "serde", serde(rename = "starttls"))]
    StartTls,
    /// AUTH, or a line of the exchange that follows it.
    Auth,
    /// XCLIENT.
    #[cfg_attr(feature = "serde", serde(rename = "xclient"))]
    XClient,
    /// XFORWARD, before MAIL.
    #[cfg_attr(feature = "serde", serde(rename = "xforward"))]
    XForward,
    /// MAIL.
    Mail,
    /// RCPT.
    Recipient,
    /// DATA.
    Data,
    /// A content or its end, by DATA or by BDAT.
    Content,
    /// RSET.
    Reset,
    /// A command of the application's own.
    Command,
    /// QUIT.
    Quit,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Greeting => "the connection",
            Self::Hello => "the client's hello",
            Self::StartTls => "STARTTLS",
            Self::Auth => "AUTH",
            Self::XClient => "XCLIENT",
            Self::XForward => "XFORWARD",
            Self::Mail => "MAIL",
            Self::Recipient => "RCPT",
            Self::Data => "DATA",
            Self::Content => "the content",
            Self::Reset => "RSET",
            Self::Command => "a command",
            Self::Quit => "QUIT",
        })
    }
}

/// A server's reply, with the step that it answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Answer<'i> {
    /// What it answered.
    pub step: Step,
    /// What the server said, with all its lines.
    pub reply: Reply<'i>,
}

impl Answer<'_> {
    /// Copies what is borrowed, so that the answer can live on.
    pub fn into_owned(self) -> Answer<'static> {
        Answer {
            step: self.step,
            reply: self.reply.into_owned(),
        }
    }
}

impl fmt::Display for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in reply to {}", self.reply, self.step)
    }
}
