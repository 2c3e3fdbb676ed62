//! Both directions against models that go byte by byte.

use alloc::vec::Vec;

use super::*;

mod inspection;
mod stuff;
mod unstuff;

const POLICIES: [LineBreaks; 3] = [LineBreaks::Refuse, LineBreaks::Normalize, LineBreaks::Keep];

/// Calls `check` with every string of up to `longest` bytes out of CR, LF, dot and a letter.
fn every_string(longest: u32, mut check: impl FnMut(&[u8])) {
    for length in 0..=longest {
        for number in 0..4_usize.pow(length) {
            let string: Vec<u8> = (0..length)
                .map(|place| b"\r\n.a"[number / 4_usize.pow(place) % 4])
                .collect();
            check(&string);
        }
    }
}

/// Returns `bytes` with every bare CR and bare LF made CR LF, or the index of the first of them.
fn model_breaks(bytes: &[u8], policy: LineBreaks) -> Result<Vec<u8>, (u64, BareByte)> {
    let mut out = Vec::new();
    for (at, byte) in bytes.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| bytes[before]);
        let bare = match byte {
            b'\r' if bytes.get(at + 1) != Some(&b'\n') => Some(BareByte::Cr),
            b'\n' if before != Some(b'\r') => Some(BareByte::Lf),
            _ => None,
        };
        match (bare, policy) {
            (Some(byte), LineBreaks::Refuse) => return Err((at as u64, byte)),
            (Some(_), LineBreaks::Normalize) => out.extend_from_slice(b"\r\n"),
            _ => out.push(*byte),
        }
    }
    Ok(out)
}

fn model_stuff(content: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    for byte in content {
        if *byte == b'.' && (wire.is_empty() || wire.ends_with(b"\r\n")) {
            wire.push(b'.');
        }
        wire.push(*byte);
    }
    if !wire.is_empty() && !wire.ends_with(b"\r\n") {
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b".\r\n");
    wire
}

type Received = (Vec<u8>, Option<Vec<u8>>, Option<BareByte>);

/// Returns the content in `pieces`, what followed its end, if that came, and the bare byte met.
fn receive(mut unstuffer: DotUnstuffer, pieces: &[&[u8]]) -> Received {
    let (mut content, mut after) = (Vec::new(), None);
    for piece in pieces {
        let mut input = *piece;
        while let Some(found) = unstuffer.next(&mut input) {
            match found {
                Content::Bytes(bytes) => {
                    assert!(!bytes.is_empty());
                    content.extend_from_slice(bytes);
                }
                Content::End => after = Some(Vec::new()),
            }
        }
        match &mut after {
            // Nothing is left to be presented, and so looked at, again.
            None => assert_eq!(input, b""),
            Some(after) => after.extend_from_slice(input),
        }
    }
    (content, after, unstuffer.bare_line_break())
}

/// Cuts lines at CR LF, takes one dot off each, and stops at the line of one dot; then looks for
/// bare bytes. An unfinished last line counts as far as its bytes are decided.
fn model_receive(wire: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
    let (mut content, mut start) = (Vec::new(), 0);
    loop {
        let rest = &wire[start..];
        if let Some(after) = rest.strip_prefix(b".\r\n") {
            return (content, Some(after.to_vec()));
        }
        let line_end = rest.windows(2).position(|two| two == b"\r\n");
        let line = &rest[..line_end.map_or(rest.len(), |at| at + 2)];
        let line = match line {
            // The CR of `.` CR is withheld until it is known for no end.
            b".\r" => b"",
            _ => line.strip_prefix(b".").unwrap_or(line),
        };
        content.extend_from_slice(line);
        match line_end {
            Some(at) => start += at + 2,
            None => return (content, None),
        }
    }
}

/// Long content, where the search remembers marks, in chunks, writes and reads of random sizes.
#[test]
fn random_content_survives_random_sizes() {
    for seed in 1..=300_u64 {
        let mut state = seed;
        let mut random = |below: usize| {
            // Knuth's constants of a linear congruential generator; its high bits are the good ones.
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (state >> 33) as usize % below
        };
        let breaks = 1 + random(120);
        let mut content = Vec::new();
        for _ in 0..random(4_000) {
            content.extend_from_slice(match random(breaks) {
                0 => [&b"\r\n."[..], b"\r\n", b"\n", b"\r", b".", b"\r\n.\r\n"][random(6)],
                _ => b"a",
            });
        }
        let normal = model_breaks(&content, LineBreaks::Normalize).unwrap();
        let expected = model_stuff(&normal);
        let mut stuffer = DotStuffer::new(LineBreaks::Normalize);
        let (mut wire, mut rest) = (Vec::new(), content.as_slice());
        while !rest.is_empty() {
            let chunk = &rest[..rest.len().min(1 + random(3_000))];
            let (mut scratch, mut slices) = (Vec::new(), Vec::new());
            stuffer.stuff(chunk, &mut scratch, &mut slices).unwrap();
            let planned = slices.concat();
            let written = planned.len().min(1 + random(3_000));
            let taken = stuffer.advance(&slices, written);
            wire.extend_from_slice(&planned[..written]);
            rest = &rest[taken..];
        }
        wire.extend_from_slice(stuffer.end_after(b"").unwrap());
        assert!(wire == expected, "seed {seed}");

        // Sound content comes back as it was; what is not, as the model has it.
        let unsound = [content.as_slice(), b"\r\n.\r\n"].concat();
        for stream in [wire, unsound] {
            let (content, after) = model_receive(&stream);
            let mut reads = Vec::new();
            let mut rest = stream.as_slice();
            while !rest.is_empty() {
                let (read, after) = rest.split_at(rest.len().min(1 + random(1_000)));
                reads.push(read);
                rest = after;
            }
            for policy in [LineBreaks::Refuse, LineBreaks::Normalize] {
                let expected = match policy {
                    LineBreaks::Normalize => model_breaks(&content, policy).unwrap(),
                    _ => content.clone(),
                };
                let bare = model_breaks(&content, LineBreaks::Refuse).err();
                let expected = (expected, after.clone(), bare.map(|(_, byte)| byte));
                let received = receive(DotUnstuffer::new(policy), &reads);
                assert!(received == expected, "seed {seed}, {policy:?}");
            }
        }
    }
}
