//! The attributes of SCRAM's messages (RFC 5802 5.1, 7).

/// Reads attributes one after the other: their order is fixed, and what is after those that are
/// asked for are extensions, which are ignored.
pub(super) struct Attributes<'a>(core::str::Split<'a, char>);

impl<'a> Attributes<'a> {
    /// Begins to read, unless there is an extension that must not be ignored (5802-5.1-b).
    pub(super) fn of(message: &'a str) -> Option<Self> {
        let is_mandatory = |attribute: &str| attribute.starts_with("m=");
        (!message.split(',').any(is_mandatory)).then(|| Self(message.split(',')))
    }

    /// Returns the value of the next attribute, which has this name.
    pub(super) fn next(&mut self, name: char) -> Option<&'a str> {
        self.0.next()?.strip_prefix(name)?.strip_prefix('=')
    }
}
