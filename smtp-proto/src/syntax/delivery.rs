//! When and how urgently a message is to be delivered: BY, HOLDFOR, HOLDUNTIL, MT-PRIORITY, RRVS.

use alloc::borrow::Cow;
use core::{fmt, time::Duration};

use super::error::{SyntaxError, SyntaxErrorKind};
use super::grammar::{NINE_DIGITS, nine_digits, positive};
use super::{date_time::DateTime, text::kept_text};

/// By when a message is to be delivered: the value of BY (RFC 2852 4).
///
/// ```
/// use core::time::Duration;
/// use smtp_proto::syntax::{DeliverBy, ByMode};
///
/// let by = DeliverBy::parse("120;R")?;
/// assert_eq!((by.seconds(), by.mode()), (120, ByMode::Return));
/// assert!(!by.is_traced() && by.traced().is_traced());
/// let relayed = by.after(Duration::from_secs(22)).unwrap();
/// assert_eq!(relayed.to_string(), "98;R");
/// # Ok::<(), smtp_proto::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeliverBy {
    seconds: i32,
    mode: ByMode,
    trace: bool,
}

/// What becomes of a message that is not delivered in time: the by-mode (RFC 2852 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ByMode {
    /// `N`: its sender is told, and delivery goes on.
    Notify,
    /// `R`: it is returned to its sender.
    Return,
}

impl DeliverBy {
    /// Composes a demand to deliver in so many seconds from now.
    ///
    /// # Errors
    ///
    /// Fails if the seconds have more than nine digits, or if there are none left in which a
    /// message could be delivered rather than [returned](ByMode::Return) (RFC 2852 4).
    pub const fn new(seconds: i32, mode: ByMode) -> Result<Self, SyntaxError> {
        let late = seconds <= 0 && matches!(mode, ByMode::Return);
        if late || seconds.unsigned_abs() > NINE_DIGITS {
            return Err(SyntaxError::new(SyntaxErrorKind::OutOfRange, 0));
        }
        Ok(Self {
            seconds,
            mode,
            trace: false,
        })
    }

    /// Asks to tell the sender of each relay to a server that does not know DELIVERBY (RFC 2852
    /// 4).
    #[must_use]
    pub const fn traced(self) -> Self {
        Self {
            trace: true,
            ..self
        }
    }

    /// Parses the value of BY, in any case.
    ///
    /// # Errors
    ///
    /// Fails if `value` has another form (RFC 2852 4), or like [`new`](Self::new).
    pub fn parse(value: &str) -> Result<Self, SyntaxError> {
        let (time, letters) = value.split_once(';').unwrap_or((value, ""));
        let (sign, digits) = match time.split_at_checked(1) {
            Some(("-", digits)) => (-1, digits),
            Some(("+", digits)) => (1, digits),
            _ => (1, time),
        };
        let seconds = nine_digits(digits)
            .map_err(|error| error.shifted(time.len().saturating_sub(digits.len())))?;
        let (mode, trace) = match letters.as_bytes() {
            [b'N' | b'n', trace @ ..] => (ByMode::Notify, trace),
            [b'R' | b'r', trace @ ..] => (ByMode::Return, trace),
            _ => {
                let at = time.len().saturating_add(1).min(value.len());
                return Err(SyntaxError::unexpected(value.as_bytes(), at));
            }
        };
        let seconds = i32::try_from(seconds).unwrap_or(i32::MAX);
        let by = Self::new(seconds.saturating_mul(sign), mode)?;
        match trace {
            [] => Ok(by),
            [b'T' | b't'] => Ok(by.traced()),
            _ => {
                let at = time.len().saturating_add(2);
                Err(SyntaxError::unexpected(value.as_bytes(), at))
            }
        }
    }

    /// Returns the seconds from the receipt of MAIL to the deadline; none or less than none only
    /// with [`ByMode::Notify`].
    pub const fn seconds(self) -> i32 {
        self.seconds
    }

    /// Returns what becomes of the message after the deadline.
    pub const fn mode(self) -> ByMode {
        self.mode
    }

    /// Returns whether relays are to be traced.
    pub const fn is_traced(self) -> bool {
        self.trace
    }

    /// Returns what a relay demands that received this demand `elapsed` ago (RFC 2852 4.1.4), or
    /// `None` if the message has to be returned by now.
    #[must_use]
    pub fn after(self, elapsed: Duration) -> Option<Self> {
        let elapsed = i32::try_from(elapsed.as_secs()).unwrap_or(i32::MAX);
        let least = 0_i32.saturating_sub_unsigned(NINE_DIGITS);
        let seconds = self.seconds.saturating_sub(elapsed).max(least);
        let by = Self::new(seconds, self.mode).ok()?;
        Some(if self.trace { by.traced() } else { by })
    }
}

impl fmt::Display for DeliverBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.mode {
            ByMode::Notify => "N",
            ByMode::Return => "R",
        };
        let trace = if self.trace { "T" } else { "" };
        write!(f, "{};{mode}{trace}", self.seconds)
    }
}

/// A number of seconds for which a message may be held: 1 to 999999999 (RFC 4865 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldInterval(u32);

impl HoldInterval {
    /// Composes an interval, or returns `None` if it is out of range.
    pub const fn new(seconds: u32) -> Option<Self> {
        match seconds {
            1..=NINE_DIGITS => Some(Self(seconds)),
            _ => None,
        }
    }

    /// Parses the value of HOLDFOR.
    ///
    /// # Errors
    ///
    /// Fails unless `value` is in range and has no leading zero.
    pub fn parse(value: &str) -> Result<Self, SyntaxError> {
        positive(value, NINE_DIGITS).map(Self)
    }

    /// Returns the seconds.
    pub const fn seconds(self) -> u32 {
        self.0
    }
}

/// How long a message is to be held before it is delivered (RFC 4865 3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Hold<'a> {
    /// `HOLDFOR`: so long from now.
    For(HoldInterval),
    /// `HOLDUNTIL`: until that date, which should be in UTC.
    Until(DateTime<'a>),
}

impl Hold<'_> {
    /// Copies the text, so that the value outlives the line it came from.
    pub fn into_owned(self) -> Hold<'static> {
        match self {
            Self::For(interval) => Hold::For(interval),
            Self::Until(date) => Hold::Until(date.into_owned()),
        }
    }
}

/// How long a server holds messages at most (RFC 4865 3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FutureRelease<'a> {
    /// The longest time that it holds one.
    pub max_interval: HoldInterval,
    /// The last date until which it holds one.
    pub max_date: DateTime<'a>,
}

impl<'a> FutureRelease<'a> {
    /// Parses the argument of FUTURERELEASE, an interval and a date.
    ///
    /// # Errors
    ///
    /// Fails if either is missing or malformed.
    pub fn parse(argument: &'a str) -> Result<Self, SyntaxError> {
        let (interval, date) = argument
            .split_once(' ')
            .ok_or(SyntaxError::unexpected(argument.as_bytes(), argument.len()))?;
        let at = interval.len().saturating_add(1);
        Ok(Self {
            max_interval: HoldInterval::parse(interval)?,
            max_date: DateTime::parse(date).map_err(|error| error.shifted(at))?,
        })
    }

    /// Returns whether the server takes a message with this demand (RFC 4865 4.1).
    pub fn allows(&self, hold: &Hold<'_>) -> bool {
        match hold {
            Hold::For(interval) => *interval <= self.max_interval,
            Hold::Until(date) => date.seconds() <= self.max_date.seconds(),
        }
    }
}

/// A priority from -9 to 9: the value of MT-PRIORITY (RFC 6710 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(i8);

impl Priority {
    /// Composes a priority, or returns `None` if it is out of range.
    pub const fn new(value: i8) -> Option<Self> {
        match value {
            -9..=9 => Some(Self(value)),
            _ => None,
        }
    }

    /// Parses the value of MT-PRIORITY.
    ///
    /// # Errors
    ///
    /// Fails on anything but one digit, with a `-` before it if it is not 0 (RFC 6710 7).
    pub fn parse(value: &str) -> Result<Self, SyntaxError> {
        let bytes = value.as_bytes();
        let (sign, least, digits) = match bytes {
            [b'-', digits @ ..] => (-1, b'1', digits),
            digits => (1, b'0', digits),
        };
        let at = bytes.len().saturating_sub(digits.len());
        match digits {
            [digit] if (least..=b'9').contains(digit) => {
                let digit = i8::try_from(digit.wrapping_sub(b'0')).unwrap_or_default();
                Ok(Self(digit.wrapping_mul(sign)))
            }
            [b'0'..=b'9', _, ..] if digits.first() >= Some(&least) => Err(SyntaxError::new(
                SyntaxErrorKind::UnexpectedByte,
                at.saturating_add(1),
            )),
            _ => Err(SyntaxError::unexpected(bytes, at)),
        }
    }

    /// Returns the priority; what nobody prioritised has 0.
    pub const fn value(self) -> i8 {
        self.0
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What a relay does with a message whose demand the next server does not know (RFC 7293
/// 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RrvsAction {
    /// `C`: delivers it nevertheless.
    Continue,
    /// `R`: rejects it.
    Reject,
}

/// Since when a recipient has to be the same: the value of RRVS (RFC 7293 3.1), as it was
/// written.
///
/// ```
/// use smtp_proto::syntax::{RrvsAction, ValidSince};
///
/// let value = ValidSince::parse("2014-04-03T23:01:00Z;C")?;
/// assert_eq!(value.date().seconds(), 1_396_566_060);
/// assert_eq!(value.action(), Some(RrvsAction::Continue));
/// # Ok::<(), smtp_proto::syntax::SyntaxError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ValidSince<'a>(Cow<'a, str>);

kept_text!(ValidSince);

impl<'a> ValidSince<'a> {
    /// Parses the value of RRVS.
    ///
    /// # Errors
    ///
    /// Fails if `value` is not a date without fractions of a second, or names anything but `C` or
    /// `R` after it.
    pub fn parse(value: &'a str) -> Result<Self, SyntaxError> {
        let (date, rest) = match value.split_once(';') {
            Some((date, action)) => (date, Some(action)),
            None => (value, None),
        };
        DateTime::parse(date)?;
        // RFC 7293 3.1 forbids fractions.
        if let Some(at) = date.find('.') {
            return Err(SyntaxError::unexpected(value.as_bytes(), at));
        }
        if rest.is_some_and(|rest| action(rest).is_none()) {
            let at = date.len().saturating_add(1);
            return Err(SyntaxError::unexpected(value.as_bytes(), at));
        }
        Ok(Self(Cow::Borrowed(value)))
    }

    /// Returns since when the recipient has to be the same.
    pub fn date(&self) -> DateTime<'_> {
        let date = self.0.split(';').next().unwrap_or_default();
        DateTime::trusted(date)
    }

    /// Returns what a relay does where the next server does not know RRVS, if that is said;
    /// otherwise it [rejects](RrvsAction::Reject) (RFC 7293 5.1.1).
    pub fn action(&self) -> Option<RrvsAction> {
        self.0.split_once(';').and_then(|(_, rest)| action(rest))
    }
}

impl ValidSince<'static> {
    /// Composes the value.
    ///
    /// # Errors
    ///
    /// Fails if `date` has fractions of a second.
    pub fn new(date: &DateTime<'_>, action: Option<RrvsAction>) -> Result<Self, SyntaxError> {
        let action = match action {
            None => "",
            Some(RrvsAction::Continue) => ";C",
            Some(RrvsAction::Reject) => ";R",
        };
        let value = alloc::format!("{date}{action}");
        ValidSince::parse(&value)?;
        Ok(Self(Cow::Owned(value)))
    }
}

fn action(letter: &str) -> Option<RrvsAction> {
    match letter {
        "C" | "c" => Some(RrvsAction::Continue),
        "R" | "r" => Some(RrvsAction::Reject),
        _ => None,
    }
}
