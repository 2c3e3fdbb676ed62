//! What an application decides.

use alloc::string::{String, ToString};
use core::fmt;

use crate::server::{Config, replies::local_error};
use crate::syntax::{Capabilities, Class, MAX_REPLY_LINE, Reply};

/// How much text fits into a line of a reply, with an enhanced code that it may still be given.
const MAX_WORDS: usize = MAX_REPLY_LINE - b"550 5.0.0 \r\n".len();

/// Decides about a command: accepts it, with what is to be remembered, or refuses it.
pub type Verdict<T = ()> = Result<Accept<T>, Refusal>;

/// Accepts a command.
#[derive(Clone, Debug, Default)]
pub struct Accept<T = ()> {
    state: T,
    reply: Option<Reply<'static>>,
    offer: Option<Capabilities>,
    config: Option<Config>,
}

/// Refuses a command.
///
/// Made of a negative reply; one that is none counts as 451. What is not ASCII goes as `?` where it has to
/// be (RFC 6531 3.7.4.2), and a mailbox that 551 names not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    reply: Option<Reply<'static>>,
    closes: bool,
}

/// Accepts a command in the machine's words, where there is nothing to remember.
///
/// # Errors
///
/// Never: it is a verdict.
pub fn accept() -> Verdict {
    Ok(Accept::with(()))
}

/// Decides as another server has, that was asked: accepts a command in its words, or refuses it by them.
///
/// # Errors
///
/// The refusal.
pub fn pass_on(reply: Reply<'static>) -> Verdict {
    match reply.is_positive() {
        true => Ok(Accept::with(()).reply(reply)),
        false => Err(reply.into()),
    }
}

/// Refuses a command by a reply whose code the compiler has checked. Values are put into its words as
/// [`format!`](alloc::format) does, but what is not printable ASCII is a `?`, and what is too long for a
/// line is cut off.
///
/// ```
/// use smtp_proto::{reception::Verdict, refuse};
///
/// fn decide(mailbox: &str) -> Verdict {
///     match mailbox {
///         "postmaster" => smtp_proto::reception::accept(),
///         _ => Err(refuse!("550 5.1.1 No such mailbox as {mailbox}")),
///     }
/// }
/// ```
///
/// ```compile_fail
/// smtp_proto::refuse!("250 2.0.0 Gladly");
/// ```
/// ```compile_fail
/// smtp_proto::refuse!("550 4.1.1 Not now");
/// ```
#[macro_export]
macro_rules! refuse {
    ($reply:literal $(, $($value:tt)*)?) => {{
        const REPLY: $crate::syntax::Reply<'static> =
            $crate::reception::negative_reply(::core::concat!($reply, "\r\n"));
        $crate::reception::in_words(REPLY, ::core::format_args!($reply $(, $($value)*)?))
    }};
    ($($other:tt)*) => {
        ::core::compile_error!("refuse! takes a literal, as in \"550 5.1.1 No mailbox {name}\"")
    };
}

/// Wraps a line for [`refuse!`], for the compiler alone.
#[doc(hidden)]
pub const fn negative_reply(line: &'static str) -> Reply<'static> {
    assert!(
        matches!(line.as_bytes(), [b'4' | b'5', _, _, b' ', ..]),
        "refuse! takes a negative reply, as in \"550 5.1.1 No such mailbox\""
    );
    if let [class, _, _, _, enhanced, b'.', _, b'.', b'0'..=b'9', ..] = line.as_bytes() {
        assert!(
            *class == *enhanced,
            "the enhanced code is of another class than the code"
        );
    }
    Reply::fixed(line)
}

/// Puts values into a reply, if it has places for them, for [`refuse!`].
#[doc(hidden)]
pub fn in_words(reply: Reply<'static>, words: fmt::Arguments<'_>) -> Refusal {
    let fixed = reply.as_bytes().strip_suffix(b"\r\n");
    if words
        .as_str()
        .is_some_and(|it| fixed == Some(it.as_bytes()))
    {
        return reply.into();
    }
    let printable = |each| match each {
        ' '..='~' => each,
        _ => '?',
    };
    let line = words.to_string();
    let text = line.chars().skip("550 ".len()).map(printable);
    let text: String = text.take(MAX_WORDS).collect();
    let code = reply.code();
    let reply = Reply::new(code, &text).or_else(|_| Reply::new(code, ""));
    reply.map_or_else(|_| Refusal::local_error(), Refusal::from)
}

impl<T> Accept<T> {
    /// Accepts a command, and has this remembered.
    pub fn with(state: T) -> Self {
        Self {
            state,
            reply: None,
            offer: None,
            config: None,
        }
    }

    /// Answers so, in place of the machine's own words: 220 for a greeting. A reply that cannot
    /// accept the command counts as 451. What is not ASCII goes as `?` where it has to be (RFC 6531 3.7.4.2),
    /// and mailboxes in answers to VRFY and EXPN, or that 251 names, not at all.
    #[must_use]
    pub fn reply(mut self, reply: Reply<'static>) -> Self {
        self.reply = Some(reply);
        self
    }

    /// Offers these extensions in place of those of the configuration, in answer to EHLO and until
    /// the next one.
    #[must_use]
    pub fn offer(mut self, capabilities: Capabilities) -> Self {
        self.offer = Some(capabilities);
        self
    }

    /// Goes on by another configuration: in answer to a connection, to EHLO, to MAIL or to XCLIENT,
    /// where [`Server::reconfigure`](crate::server::Server::reconfigure) takes it.
    #[must_use]
    pub fn configure(mut self, config: Config) -> Self {
        self.config = Some(config);
        self
    }

    /// Returns the reply if it is none that can accept anything.
    pub(super) fn refusal(&self) -> Option<&Reply<'static>> {
        self.reply.as_ref().filter(|reply| !reply.is_positive())
    }

    pub(super) fn take_offer(&mut self) -> Option<Capabilities> {
        self.offer.take()
    }

    pub(super) fn take_config(&mut self) -> Option<Config> {
        self.config.take()
    }

    pub(super) fn into_parts(self) -> (T, Option<Reply<'static>>) {
        (self.state, self.reply)
    }
}

impl<T> From<T> for Accept<T> {
    fn from(state: T) -> Self {
        Self::with(state)
    }
}

impl Refusal {
    /// Refuses a command, and ends the connection: with this reply, or without a word.
    ///
    /// What the client sent after that command is neither handed out nor answered.
    pub fn closing(reply: impl Into<Option<Reply<'static>>>) -> Self {
        Self {
            reply: reply.into(),
            closes: true,
        }
    }

    /// Refuses for a fault of the server's own (451).
    pub fn local_error() -> Self {
        local_error().into()
    }

    /// Returns the reply, negative; `None` where the connection ends without a word.
    pub fn reply(&self) -> Option<&Reply<'static>> {
        self.reply.as_ref()
    }

    /// Puts it in other words.
    pub(super) fn reworded(self, words: impl FnOnce(Reply<'static>) -> Reply<'static>) -> Self {
        Self {
            reply: self.reply.map(words),
            closes: self.closes,
        }
    }

    /// Returns whether the connection is to end, where the reply does not say so itself.
    pub(super) fn closes(&self) -> bool {
        self.closes
    }

    /// Returns the reply; 451 in place of one that refuses nothing.
    pub(super) fn into_reply(self) -> Option<Reply<'static>> {
        self.reply.map(|reply| match reply.class() {
            Class::Transient | Class::Permanent => reply,
            Class::Positive | Class::Intermediate => local_error(),
        })
    }
}

impl From<Reply<'static>> for Refusal {
    fn from(reply: Reply<'static>) -> Self {
        Self {
            reply: Some(reply),
            closes: false,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reply {
            Some(reply) => write!(
                f,
                "refused: {}",
                reply.as_bytes().trim_ascii_end().escape_ascii()
            ),
            None => f.write_str("refused without a word"),
        }
    }
}

impl core::error::Error for Refusal {}
