//! Maildirs: what Unix servers make of a message.

use std::{ffi::OsStr, path::Path};

/// Tells whether a file holds a copy that was delivered wholly.
pub(super) fn is_delivered(file: &Path) -> bool {
    file.parent().and_then(Path::file_name) == Some(OsStr::new("new"))
}

/// Takes the trace fields of these names off the beginning, in their order, each once at most.
/// Returns them, folded as they are, and the rest.
pub(super) fn strip(mut content: Vec<u8>, names: &[&str]) -> (Vec<String>, Vec<u8>) {
    let mut fields = Vec::new();
    let mut rest = &content[..];
    for name in names {
        let begins = rest
            .get(..name.len())
            .is_some_and(|it| it.eq_ignore_ascii_case(name.as_bytes()));
        if begins && rest.get(name.len()) == Some(&b':') {
            let (field, after) = rest.split_at(field_length(rest));
            fields.push(String::from_utf8_lossy(field).trim_end().to_owned());
            rest = after;
        }
    }
    let used = content.len() - rest.len();
    content.drain(..used);
    (fields, content)
}

/// Returns the length of a field with its continuation lines.
fn field_length(bytes: &[u8]) -> usize {
    let mut length = 0;
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        if length > 0 && !line.starts_with(b" ") && !line.starts_with(b"\t") {
            break;
        }
        length += line.len();
    }
    length
}

/// Returns the address that a field begins with, without angle brackets.
pub(super) fn address(fields: &[String], name: &str) -> Option<String> {
    let value = fields.iter().find_map(|field| {
        let (found, value) = field.split_once(':')?;
        found.eq_ignore_ascii_case(name).then_some(value)
    })?;
    let address = value.split_whitespace().next()?;
    Some(address.trim_matches(['<', '>']).to_owned())
}

/// Returns a content with lines that end in LF, the last one too.
pub(super) fn with_line_feeds(content: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(content.len() + 2);
    for line in content.split_inclusive(|&byte| byte == b'\n') {
        let text = line.strip_suffix(b"\r\n").unwrap_or(line);
        lines.extend_from_slice(text);
        lines.push(b'\n');
    }
    lines
}

/// Returns it so, after an empty line if it does not begin with a header field: the trace fields
/// above are the whole header then.
pub(super) fn below_trace(content: &[u8]) -> Vec<u8> {
    let mut lines = with_line_feeds(content);
    if !content.is_empty() && !begins_with_field(content) {
        lines.insert(0, b'\n');
    }
    lines
}

fn begins_with_field(content: &[u8]) -> bool {
    let name = content.split(|&byte| byte == b':').next();
    name.is_some_and(|name| {
        name.len() < content.len() && !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_fields_come_off_and_nothing_else() {
        let stored = b"Return-path: <a@x.example>\nReceived: from y\n\tby z\nReceived: mine\n\nb\n";
        let (fields, content) = strip(stored.to_vec(), &["Return-path", "Received"]);
        assert_eq!(content, b"Received: mine\n\nb\n");
        assert_eq!(fields[1], "Received: from y\n\tby z");
        assert_eq!(address(&fields, "Return-Path").unwrap(), "a@x.example");
    }

    #[test]
    fn line_ends_become_line_feeds() {
        assert_eq!(with_line_feeds(b"A: b\r\n\r\n.\r\nc"), b"A: b\n\n.\nc\n");
        assert_eq!(below_trace(b".\r\na: b\r\n"), b"\n.\na: b\n");
        assert_eq!(below_trace(b""), b"");
    }
}
