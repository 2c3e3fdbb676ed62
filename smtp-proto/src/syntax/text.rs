//! Checked pieces of a command line: what can be written without harm to the line. And what all
//! values have that keep the text they were parsed from.

use alloc::borrow::Cow;
use core::fmt;
use core::ops::Deref;

use super::{
    error::{SyntaxError, SyntaxErrorKind},
    grammar::{self, Grammar},
};

/// One word: printable ASCII without white space, at least one character.
///
/// Dereferences to [`str`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Word<'a>(&'a str);

impl<'a> Word<'a> {
    /// Checks that `text` is one word.
    ///
    /// # Errors
    ///
    /// Fails if `text` is empty or has anything but the bytes 33 to 126.
    pub fn parse(text: &'a str) -> Result<Self, SyntaxError> {
        let length = text.bytes().take_while(u8::is_ascii_graphic).count();
        if text.is_empty() || length < text.len() {
            return Err(SyntaxError::unexpected(text.as_bytes(), length));
        }
        Ok(Self(text))
    }

    /// Returns the text.
    pub const fn as_str(&self) -> &'a str {
        self.0
    }
}

impl Deref for Word<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        self.0
    }
}

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}

/// Free text after a verb: no control characters, no white space at either end, not empty.
///
/// May have non-ASCII characters (RFC 6531 3.7.4). Dereferences to [`str`].
///
/// ```
/// use smtp_proto::syntax::Argument;
///
/// assert_eq!(Argument::parse("\"Jon Postel\"")?.unquoted(), "Jon Postel");
/// # Ok::<(), smtp_proto::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Argument<'a>(&'a str);

impl<'a> Argument<'a> {
    /// Checks that `text` can stand after a verb.
    ///
    /// # Errors
    ///
    /// Fails if `text` is empty, begins or ends with a space or has a control character.
    pub fn parse(text: &'a str) -> Result<Self, SyntaxError> {
        if text.is_empty() || text.starts_with(' ') {
            return Err(SyntaxError::unexpected(text.as_bytes(), 0));
        }
        if text.ends_with(' ') {
            let last = text.len().saturating_sub(1);
            return Err(SyntaxError::new(SyntaxErrorKind::UnexpectedByte, last));
        }
        grammar::check_text(text)?;
        Ok(Self(text))
    }

    /// Returns the text as it was written.
    pub const fn as_str(&self) -> &'a str {
        self.0
    }

    /// Returns the text without its quoting, if it is a quoted string (RFC 5321 4.1.2).
    pub fn unquoted(&self) -> Cow<'a, str> {
        match grammar::local_part_end(self.0.as_bytes(), 0, Grammar::Strict) {
            Ok(end) if end == self.0.len() => grammar::unquote(self.0),
            _ => Cow::Borrowed(self.0),
        }
    }
}

impl Deref for Argument<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        self.0
    }
}

impl fmt::Display for Argument<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Argument<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}

/// The initial response of AUTH, in base64 or `=` (RFC 4954 4).
///
/// It is a credential: [`Debug`](fmt::Debug) shows its length only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InitialResponse<'a>(Word<'a>);

impl<'a> InitialResponse<'a> {
    /// Checks that `text` is one word; whether it is base64 is for the decoder to say.
    ///
    /// # Errors
    ///
    /// Fails like [`Word::parse`].
    pub fn parse(text: &'a str) -> Result<Self, SyntaxError> {
        Word::parse(text).map(Self)
    }

    /// Returns the text; `=` stands for a response that is there but empty.
    pub const fn as_str(&self) -> &'a str {
        self.0.as_str()
    }
}

impl fmt::Debug for InitialResponse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.0.len())
    }
}

/// Gives a tuple struct around a checked `Cow<'a, str>` its text, its copy and its display.
macro_rules! kept_text {
    ($name:ident) => {
        impl $name<'_> {
            /// Returns the value as it was written.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Copies the text, so that the value outlives the line it came from.
            pub fn into_owned(self) -> $name<'static> {
                $name(alloc::borrow::Cow::Owned(self.0.into_owned()))
            }
        }

        impl core::fmt::Display for $name<'_> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl core::fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

pub(super) use kept_text;

/// Gives a type whose `parse` borrows from the text what strings are converted by.
macro_rules! from_text {
    ($name:ident) => {
        impl<'a> TryFrom<&'a str> for $name<'a> {
            type Error = AddressError;

            fn try_from(text: &'a str) -> Result<Self, AddressError> {
                Self::parse(text)
            }
        }

        impl<'a> TryFrom<&'a alloc::string::String> for $name<'a> {
            type Error = AddressError;

            fn try_from(text: &'a alloc::string::String) -> Result<Self, AddressError> {
                Self::parse(text)
            }
        }

        impl core::str::FromStr for $name<'static> {
            type Err = AddressError;

            fn from_str(text: &str) -> Result<Self, AddressError> {
                $name::parse(text).map($name::into_owned)
            }
        }
    };
}

pub(super) use from_text;
