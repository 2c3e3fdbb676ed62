use alloc::vec::Vec;

use super::*;

/// Feeds `wire` in pieces of `size` bytes through a caller's buffer.
fn read(wire: &[u8], size: usize, limit: usize) -> Vec<Option<Vec<u8>>> {
    let mut lines = LineReader::default();
    let mut buffer: Vec<u8> = Vec::new();
    let mut found = Vec::new();
    for piece in wire.chunks(size) {
        buffer.extend_from_slice(piece);
        let mut input = buffer.as_slice();
        while let Some(line) = lines.next(&mut input, limit) {
            found.push(match line {
                Line::Complete(line) => Some(line.to_vec()),
                Line::TooLong => None,
            });
        }
        let left = input.len();
        assert!(left < limit, "an unfinished line is shorter than the limit");
        buffer.drain(..buffer.len() - left);
    }
    found
}

/// Cuts `wire` at each CR LF; a line beyond `limit` is `None`.
fn model(wire: &[u8], limit: usize) -> Vec<Option<Vec<u8>>> {
    let mut found = Vec::new();
    let mut line = Vec::new();
    for byte in wire {
        line.push(*byte);
        if line.ends_with(b"\r\n") {
            let fits = line.len() <= limit;
            line.truncate(line.len() - 2);
            found.push(fits.then(|| core::mem::take(&mut line)));
            line.clear();
        }
    }
    found
}

/// 5321-2.3.8-a: every string of up to eight bytes, every size of reads, every limit.
#[test]
fn only_cr_lf_ends_a_line() {
    let alphabet = b"\r\na";
    for length in 0..=8_u32 {
        for number in 0..3_usize.pow(length) {
            let wire: Vec<u8> = (0..length)
                .map(|place| alphabet[number / 3_usize.pow(place) % 3])
                .collect();
            for limit in 2..=5 {
                let expected = model(&wire, limit);
                for size in 1..=wire.len() {
                    assert_eq!(
                        read(&wire, size, limit),
                        expected,
                        "{:?}, reads of {size}, limit {limit}",
                        wire.escape_ascii()
                    );
                }
            }
        }
    }
}

/// 5321-2.3.8-c: the limit counts CR LF.
#[test]
fn limit_includes_cr_lf() {
    let mut wire = [b'x'; 514];
    wire[510..512].copy_from_slice(b"\r\n");
    assert_eq!(read(&wire[..512], 512, 512), [Some(wire[..510].to_vec())]);
    wire[510..513].copy_from_slice(b"x\r\n");
    assert_eq!(read(&wire[..513], 513, 512), [None]);
}

#[test]
fn counts_what_it_discards() {
    let mut lines = LineReader::default();
    let mut input: &[u8] = b"abcdef";
    assert_eq!(lines.next(&mut input, 4), None);
    assert_eq!(input, b"");
    assert!(lines.is_discarding());
    assert_eq!(lines.discarded(), 6);
    let mut input: &[u8] = b"gh\r";
    assert_eq!(lines.next(&mut input, 4), None);
    assert_eq!(lines.discarded(), 9);
    let mut input: &[u8] = b"\nA\r\nB";
    assert_eq!(lines.next(&mut input, 4), Some(Line::TooLong));
    assert!(!lines.is_discarding());
    assert_eq!(lines.discarded(), 10);
    assert_eq!(lines.next(&mut input, 4), Some(Line::Complete(b"A")));
    assert_eq!(lines.discarded(), 0);
    assert_eq!(lines.next(&mut input, 4), None);
    assert_eq!(input, b"B");
}

#[test]
fn does_not_search_again() {
    let mut lines = LineReader::default();
    let wire = [b'x'; 1000];
    for length in 1..wire.len() {
        let mut input = &wire[..length];
        assert_eq!(lines.next(&mut input, 2000), None);
        assert_eq!(input.len(), length);
        assert_eq!(lines.scanned, length);
    }
}
