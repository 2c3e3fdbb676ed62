//! What mechanisms of the GS2 family begin with (RFC 5801 4).

use alloc::{borrow::Cow, format, string::String};

/// Returns the header that binds no channel.
pub(super) fn header(acting_for: &str) -> String {
    match acting_for {
        "" => "n,,".into(),
        name => format!("n,a={},", escape(name)),
    }
}

/// Reads a header that binds no channel, and returns it, the name in it, and what is after it.
/// `y` says that the client believes that the server cannot bind one, which is right.
pub(super) fn read(message: &str) -> Option<(&str, Cow<'_, str>, &str)> {
    let after_flag = message
        .strip_prefix("n,")
        .or_else(|| message.strip_prefix("y,"))?;
    let (name, after) = after_flag.split_once(',')?;
    let name = match name {
        "" => Cow::Borrowed(""),
        name => unescape(name.strip_prefix("a=")?).filter(|name| !name.is_empty())?,
    };
    let header = message.strip_suffix(after)?;
    Some((header, name, after))
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
