//! What mechanisms of the GS2 family begin with (RFC 5801 4).

use alloc::{borrow::Cow, format, string::String};

/// What a client says of channel binding (RFC 5802 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flag {
    /// `n`: it cannot bind one, or does not want to.
    Unable,
    /// `y`: it can, and believes that the server cannot.
    NotOffered,
    /// `p=tls-exporter`: it does (RFC 9266).
    Exporter,
}

/// The header of a client's first message.
pub(super) struct Header<'a> {
    pub(super) flag: Flag,
    pub(super) acting_for: Cow<'a, str>,
}

/// Returns the header with which a client begins.
pub(super) fn header(flag: Flag, acting_for: &str) -> String {
    let flag = flag.as_str();
    match acting_for {
        "" => format!("{flag},,"),
        name => format!("{flag},a={},", escape(name)),
    }
}

/// Reads a header, and returns it and what is after it.
pub(super) fn read(message: &str) -> Option<(Header<'_>, &str)> {
    let (flag, after) = message.split_once(',')?;
    let (name, after) = after.split_once(',')?;
    let acting_for = match name {
        "" => Cow::Borrowed(""),
        name => unescape(name.strip_prefix("a=")?).filter(|name| !name.is_empty())?,
    };
    let header = Header {
        flag: Flag::read(flag)?,
        acting_for,
    };
    Some((header, after))
}

impl Flag {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Unable => "n",
            Self::NotOffered => "y",
            Self::Exporter => "p=tls-exporter",
        }
    }

    /// Reads a flag; other bindings than `tls-exporter` are none that this side knows.
    fn read(text: &str) -> Option<Self> {
        let known = [Self::Unable, Self::NotOffered, Self::Exporter];
        known.into_iter().find(|flag| flag.as_str() == text)
    }
}

/// Writes `=` and `,` in a name as `=3D` and `=2C`.
pub(super) fn escape(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

/// Undoes [`escape`]; a name has neither a bare `,` nor any other `=`.
pub(super) fn unescape(name: &str) -> Option<Cow<'_, str>> {
    if name.contains(',') {
        return None;
    }
    let mut pieces = name.split('=');
    let mut unescaped = Cow::Borrowed(pieces.next()?);
    for piece in pieces {
        let (byte, rest) = match piece.strip_prefix("2C") {
            Some(rest) => (',', rest),
            None => ('=', piece.strip_prefix("3D")?),
        };
        let text = unescaped.to_mut();
        text.push(byte);
        text.push_str(rest);
    }
    Some(unescaped)
}
