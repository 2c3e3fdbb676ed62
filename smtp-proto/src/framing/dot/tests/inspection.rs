//! Whole contents.

use alloc::vec::Vec;

use super::*;

/// 5321-2.3.8-b: the first bare CR or LF of every string, at its end, too.
#[test]
fn finds_the_first_bare_line_break() {
    every_string(6, |content| {
        let expected = model_breaks(content, LineBreaks::Refuse).err();
        let found = Inspection::of(content).bare_line_break();
        assert_eq!(found.map(|found| (found.at, found.byte)), expected);
    });
}

/// 5321-4.5.2-a: what goes over the wire as it is has no dot at the beginning of a line, either.
#[test]
fn tells_what_goes_as_it_is() {
    every_string(6, |content| {
        let found = Inspection::of(content);
        let has_dot_line =
            content.first() == Some(&b'.') || content.windows(3).any(|three| three == b"\r\n.");
        let is_plain = !has_dot_line && found.bare_line_break().is_none();
        assert_eq!(found.is_plain(), is_plain, "{content:?}");
    });
}

/// What stands anywhere in a content of any length is found, as the search takes it in pieces.
#[test]
fn finds_it_wherever_it_stands() {
    let plain = b"two\r\n".repeat(200);
    for length in [3, 255, 256, 257, 258, 260, 513, 515, 600] {
        let content = &plain[..length];
        let found = Inspection::of(content);
        assert!(found.is_plain() && !found.is_eight_bit());
        for at in 0..length {
            let mut content = content.to_vec();
            let was = content[at];
            content[at] = 0x80;
            let found = Inspection::of(&content);
            assert!(found.is_eight_bit(), "{at} of {length}");
            let is_bare = matches!(was, b'\r' | b'\n');
            assert_eq!(
                found.bare_line_break().is_some(),
                is_bare,
                "{at} of {length}"
            );
            content[at] = b'.';
            let begins = at == 0 || content[..at].ends_with(b"\r\n");
            let found = Inspection::of(&content);
            assert_eq!(found.is_plain(), !begins && !is_bare, "{at} of {length}");
        }
    }
}

/// 5321-2.4-e
#[test]
fn tells_eight_bits_from_seven() {
    for (content, expected) in [
        (&b""[..], false),
        (b"\x00\x7f\r\n", false),
        (b"caf\xc3\xa9\r\n", true),
    ] {
        assert_eq!(Inspection::of(content).is_eight_bit(), expected);
    }
}

/// RFC 5321 4.5.3.1.6: 1000 bytes with CR LF, wherever the line stands, and whether it ends or not.
#[test]
fn tells_long_lines() {
    let lines = |length: usize, end: &[u8]| [&b"x".repeat(length)[..], end].concat();
    let ends: [&[u8]; 2] = [b"\r\n", b""];
    for before in [0, 1, 5, 997, 998] {
        for after in [0, 1, 998] {
            for end in ends {
                let short = lines(before, b"\r\n");
                let content = |length: usize| -> Vec<u8> {
                    let rest = match end {
                        b"" => Vec::new(),
                        _ => lines(after, b"\r\n"),
                    };
                    [short.clone(), lines(length, end), rest].concat()
                };
                assert!(!Inspection::of(&content(998)).has_long_line());
                assert!(Inspection::of(&content(999)).has_long_line());
            }
        }
    }
}
