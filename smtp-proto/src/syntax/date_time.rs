//! Dates with a time of day (RFC 3339, and RFC 5322 for header fields).

use alloc::borrow::Cow;
use core::fmt;

use super::error::{SyntaxError, SyntaxErrorKind};
use super::text::kept_text;

const DAY: i64 = 86_400;

/// A date and a time of day, `2030-01-01T00:00:00Z`, as it was written.
///
/// Compares as text: compare [`seconds`](Self::seconds) where the moment matters.
///
/// ```
/// use smtp_proto::syntax::DateTime;
///
/// let date = DateTime::parse("2014-04-03T16:01:00-07:00")?;
/// assert_eq!(date.seconds(), 1_396_566_060);
/// assert_eq!(DateTime::from_seconds(1_396_566_060)?.as_str(), "2014-04-03T23:01:00Z");
/// # Ok::<(), smtp_proto::syntax::SyntaxError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DateTime<'a>(Cow<'a, str>);

kept_text!(DateTime);

impl<'a> DateTime<'a> {
    /// Parses a `date-time` (RFC 3339 5.6), with any offset and any fraction.
    ///
    /// # Errors
    ///
    /// Fails if `text` has another form, or names a date or a time that does not exist.
    pub fn parse(text: &'a str) -> Result<Self, SyntaxError> {
        seconds(text)?;
        Ok(Self(Cow::Borrowed(text)))
    }

    /// Wraps a text that was parsed before.
    pub(super) fn trusted(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// Returns the seconds since 1970-01-01T00:00:00Z, leap seconds not counted and a fraction
    /// dropped.
    pub fn seconds(&self) -> i64 {
        // It was checked when it was parsed.
        seconds(&self.0).unwrap_or_default()
    }
}

impl DateTime<'static> {
    /// Composes a date, in UTC, of the seconds since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    ///
    /// Fails before the year 0 and after the year 9999, which have no such form (RFC 3339 1).
    pub fn from_seconds(seconds: i64) -> Result<Self, SyntaxError> {
        let (year, month, day) = civil_of_days(seconds.div_euclid(DAY));
        if !(0..=9999).contains(&year) {
            return Err(SyntaxError::new(SyntaxErrorKind::OutOfRange, 0));
        }
        let time = seconds.rem_euclid(DAY);
        let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
        Ok(Self(Cow::Owned(alloc::format!(
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        ))))
    }
}

/// Writes the seconds since 1970-01-01T00:00:00Z as the `date-time` of a header field, in UTC
/// (RFC 5322 3.3).
pub(crate) fn write_header_date(seconds: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    // The epoch was a Thursday.
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let (days, time) = (seconds / DAY, seconds % DAY);
    let (year, month, day) = civil_of_days(days);
    let name = |names: &[&'static str], number: i64| {
        let number = usize::try_from(number).unwrap_or_default();
        names.get(number).copied().unwrap_or_default()
    };
    let (weekday, month) = (name(&DAYS, days % 7), name(&MONTHS, month - 1));
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    write!(
        f,
        "{weekday}, {day} {month} {year} {hour:02}:{minute:02}:{second:02} +0000"
    )
}

/// Parses `full-date "T" full-time` (RFC 3339 5.6); returns the seconds since 1970.
fn seconds(text: &str) -> Result<i64, SyntaxError> {
    // A digit stands where this has one. RFC 3339 5.6 allows small letters.
    const FORM: &[u8] = b"0000-00-00T00:00:00";
    let bytes = text.as_bytes();
    for (at, form) in FORM.iter().enumerate() {
        let fits = bytes.get(at).is_some_and(|byte| match form {
            b'0' => byte.is_ascii_digit(),
            _ => byte.eq_ignore_ascii_case(form),
        });
        if !fits {
            return Err(SyntaxError::unexpected(bytes, at));
        }
    }
    let two = |at: usize| number(bytes.get(at..).unwrap_or_default(), 2);
    let year = number(bytes, 4);
    let (month, day) = (two(5), two(8));
    let (hour, minute, second) = (two(11), two(14), two(17));
    let days = match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    for (number, least, most, at) in [
        (month, 1, 12, 5),
        (day, 1, days, 8),
        (hour, 0, 23, 11),
        (minute, 0, 59, 14),
        (second, 0, 60, 17),
    ] {
        if number < least || number > most {
            return Err(SyntaxError::new(SyntaxErrorKind::OutOfRange, at));
        }
    }
    let local = days_of_civil(year, month, day) * DAY + hour * 3600 + minute * 60 + second;
    let moment = local - offset(bytes, FORM.len())?;
    // A leap second ends a day of UTC (RFC 3339 5.7).
    if second == 60 && moment.rem_euclid(DAY) != 0 {
        return Err(SyntaxError::new(SyntaxErrorKind::OutOfRange, 17));
    }
    Ok(moment)
}

/// Parses `[time-secfrac] time-offset` at `start`; returns the seconds ahead of UTC.
fn offset(bytes: &[u8], start: usize) -> Result<i64, SyntaxError> {
    let mut at = start;
    if bytes.get(at) == Some(&b'.') {
        let fraction = bytes.iter().skip(at.saturating_add(1));
        let digits = fraction.take_while(|byte| byte.is_ascii_digit()).count();
        at = at.saturating_add(1).saturating_add(digits);
        if digits == 0 {
            return Err(SyntaxError::unexpected(bytes, at));
        }
    }
    let offset = bytes.get(at..).unwrap_or_default();
    let (sign, hours, minutes) = match offset {
        [b'Z' | b'z'] => return Ok(0),
        [b'+', time @ ..] => (1, time, time.get(3..)),
        [b'-', time @ ..] => (-1, time, time.get(3..)),
        _ => return Err(SyntaxError::unexpected(bytes, at)),
    };
    at = at.saturating_add(1);
    let digits = hours.iter().enumerate().all(|(at, byte)| match at {
        2 => *byte == b':',
        _ => byte.is_ascii_digit(),
    });
    if !digits || hours.len() != 5 {
        return Err(SyntaxError::unexpected(bytes, at));
    }
    let (hours, minutes) = (number(hours, 2), number(minutes.unwrap_or_default(), 2));
    if hours > 23 || minutes > 59 {
        return Err(SyntaxError::new(SyntaxErrorKind::OutOfRange, at));
    }
    Ok(sign * (hours * 3600 + minutes * 60))
}

/// Returns the number that the first `length` bytes write, which are digits.
fn number(bytes: &[u8], length: usize) -> i64 {
    let digits = bytes.iter().take(length);
    digits.fold(0, |number, digit| {
        number * 10 + i64::from(digit.wrapping_sub(b'0'))
    })
}

/// Returns the days since 1970-01-01 of a date in the Gregorian calendar.
///
/// Counts years from March on, so that the leap day is the last of its year.
fn days_of_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Returns year, month and day of the day that many days after 1970-01-01.
fn civil_of_days(days: i64) -> (i64, i64, i64) {
    // No number of days that seconds can count overflows.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}
