//! Whole contents.

use alloc::vec::Vec;

use super::*;

/// 5321-2.3.8-b: the first bare CR or LF of every string, at its end, too.
#[test]
fn finds_the_first_bare_line_break() {
    every_string(6, |content| {
        let expected = model_breaks(content, LineBreaks::Refuse).err();
        let found = Inspection::of(content).bare_line_break;
        assert_eq!(found.map(|found| (found.at, found.byte)), expected);
    });
}

/// 5321-2.4-e
#[test]
fn tells_eight_bits_from_seven() {
    for (content, expected) in [
        (&b""[..], false),
        (b"\x00\x7f\r\n", false),
        (b"caf\xc3\xa9\r\n", true),
    ] {
        assert_eq!(Inspection::of(content).is_eight_bit, expected);
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
                assert!(!Inspection::of(&content(998)).has_long_line);
                assert!(Inspection::of(&content(999)).has_long_line);
            }
        }
    }
}
