//! Sending.

use alloc::vec::Vec;

use super::*;

type Sent = Result<Vec<u8>, (u64, BareByte)>;

/// Sends `content` in chunks of `split` bytes and the rest, with writes of at most `write` bytes.
/// An error comes with its index in `content`.
fn send(mut stuffer: DotStuffer, content: &[u8], split: usize, write: usize) -> Sent {
    let mut wire = Vec::new();
    let mut consumed = 0;
    for end in [split, content.len()] {
        while consumed < end {
            let chunk = &content[consumed..end];
            let (mut scratch, mut slices) = (Vec::new(), Vec::new());
            let stuffed = stuffer
                .stuff(chunk, &mut scratch, &mut slices)
                .map_err(|refused| (refused.at, refused.byte))?;
            assert!((1..=12).contains(&slices.len()));
            assert!(slices.iter().all(|slice| !slice.is_empty()));
            let planned = slices.concat();
            assert_eq!(stuffed.wire_bytes, planned.len());
            assert!((1..=chunk.len()).contains(&stuffed.chunk_bytes));
            let written = write.min(planned.len());
            let taken = stuffer.advance(&slices, written);
            assert!(taken <= written);
            if written == planned.len() {
                assert_eq!(taken, stuffed.chunk_bytes);
            }
            wire.extend_from_slice(&planned[..written]);
            consumed += taken;
        }
    }
    let end = stuffer
        .end_after(b"")
        .map_err(|refused| (refused.at, refused.byte))?;
    wire.extend_from_slice(end);
    Ok(wire)
}

/// An error for a CR that ended the chunk before names the byte after it.
fn assert_sent(sent: &Sent, expected: &Sent, split: usize, write: usize, content: &[u8]) {
    if let (Err((at, byte)), Err((expected, expected_byte))) = (sent, expected) {
        assert_eq!(byte, expected_byte);
        // Once a CR left alone, only what follows can be pointed at.
        let late = *byte == BareByte::Cr && *at == expected + 1;
        assert!(at == expected || late, "{at} for {expected}");
        return;
    }
    assert_eq!(
        sent,
        expected,
        "{:?} split at {split}, writes of {write}",
        content.escape_ascii()
    );
}

/// 5321-4.5.2-a, 5321-4.1.1.4-d, 5321-4.1.1.4-e, 5321-2.3.8-b, EOD-12, EOD-13, X-31: every string
/// in every two chunks, with writes that end at every byte.
#[test]
fn stuffs_the_same_at_every_split_and_short_write() {
    every_string(6, |content| {
        for policy in POLICIES {
            let expected = model_breaks(content, policy).map(|content| model_stuff(&content));
            let stuffer = DotStuffer::new(policy);
            for split in 0..=content.len() {
                for write in [1, 2, 3, usize::MAX] {
                    let sent = send(stuffer.clone(), content, split, write);
                    assert_sent(&sent, &expected, split, write, content);
                }
            }
        }
    });
}

/// BDAT: the same line breaks, no dots, no line added, and a count that holds (3030-2-e).
#[test]
fn plain_content_takes_the_bytes_measured() {
    every_string(6, |content| {
        for policy in POLICIES {
            let expected = model_breaks(content, policy);
            let stuffer = DotStuffer::plain(policy);
            match (stuffer.measure(content), &expected) {
                (Ok(bytes), Ok(expected)) => {
                    let end = stuffer.end_after(content).unwrap();
                    assert_eq!(bytes + end.len(), expected.len());
                }
                // Only what follows tells whether a CR at the end is bare.
                (Ok(bytes), Err(refused)) => {
                    assert_eq!(*refused, (content.len() as u64 - 1, BareByte::Cr));
                    assert_eq!(bytes, content.len());
                    assert!(stuffer.end_after(content).is_err());
                }
                (Err(refused), expected) => {
                    assert_eq!(*expected, Err((refused.at, refused.byte)));
                }
            }
            for split in 0..=content.len() {
                for write in [1, usize::MAX] {
                    let sent = send(stuffer.clone(), content, split, write);
                    assert_sent(&sent, &expected, split, write, content);
                }
            }
        }
    });
}

/// The end is the same whether the last chunk was advanced over or is only planned.
#[test]
fn end_follows_a_planned_chunk() {
    every_string(5, |content| {
        for policy in POLICIES {
            for plain in [false, true] {
                let new = if plain {
                    DotStuffer::plain
                } else {
                    DotStuffer::new
                };
                if model_breaks(content, policy).is_err() {
                    continue;
                }
                for split in 0..=content.len() {
                    let mut stuffer = new(policy);
                    for chunk in [&content[..split], &content[split..]] {
                        let planned = stuffer.end_after(chunk);
                        let (mut scratch, mut slices) = (Vec::new(), Vec::new());
                        stuffer.stuff(chunk, &mut scratch, &mut slices).unwrap();
                        stuffer.advance(&slices, usize::MAX);
                        assert_eq!(planned.is_ok(), stuffer.end_after(b"").is_ok());
                        assert_eq!(planned.ok(), stuffer.end_after(b"").ok());
                    }
                }
            }
        }
    });
}

/// Every short string at the edges of what the search takes at a stride.
#[test]
fn finds_what_straddles_the_strides_of_the_search() {
    every_string(4, |string| {
        for at in [0, 1]
            .into_iter()
            .chain(10..20)
            .chain(122..134)
            .chain(634..646)
        {
            let mut content = [b'a'; 670];
            content[at..at + string.len()].copy_from_slice(string);
            for policy in [LineBreaks::Refuse, LineBreaks::Normalize] {
                let normal = model_breaks(&content, policy);
                let expected = normal.clone().map(|content| model_stuff(&content));
                let sent = send(DotStuffer::new(policy), &content, 0, usize::MAX);
                assert_eq!(sent, expected, "{:?} at {at}", string.escape_ascii());
                if let Ok(wire) = sent {
                    let mut whole = normal.unwrap();
                    whole.extend_from_slice(b"\r\n");
                    let received = receive(DotUnstuffer::new(policy), &[&wire]);
                    assert_eq!(received, (whole, Some(Vec::new()), None));
                }
            }
        }
    });
}

/// Dense dot-lines are copied, and nothing grows with them.
#[test]
fn plans_of_dense_dots_are_bounded() {
    for line in [
        &b".x\r\n"[..],
        b".\r\n",
        b".\n",
        b"..0123456789012345678901234567890\r\n",
    ] {
        let content = line.repeat(20_000);
        let expected = model_stuff(&model_breaks(&content, LineBreaks::Normalize).unwrap());
        for write in [usize::MAX, 10_000, 1_001] {
            let mut stuffer = DotStuffer::new(LineBreaks::Normalize);
            let (mut wire, mut rest) = (Vec::new(), content.as_slice());
            let mut scratch = Vec::new();
            while !rest.is_empty() {
                let mut slices = Vec::new();
                stuffer.stuff(rest, &mut scratch, &mut slices).unwrap();
                assert!(slices.len() <= 12);
                let planned = slices.concat();
                let written = write.min(planned.len());
                let taken = stuffer.advance(&slices, written);
                wire.extend_from_slice(&planned[..written]);
                rest = &rest[taken..];
                assert!(scratch.capacity() <= 16 * 1024);
            }
            wire.extend_from_slice(stuffer.end_after(b"").unwrap());
            assert!(wire == expected, "{:?}", line.escape_ascii());
        }
    }
}

/// What a plan looks at stays in proportion to what gets written.
#[test]
fn looking_ahead_is_linear() {
    let content = b"0123456789\r\n".repeat(2_000);
    let mut stuffer = DotStuffer::new(LineBreaks::Refuse);
    let mut rest = content.as_slice();
    let mut scanned = 0;
    while !rest.is_empty() {
        let (mut scratch, mut slices) = (Vec::new(), Vec::new());
        let stuffed = stuffer.stuff(rest, &mut scratch, &mut slices).unwrap();
        scanned += stuffed.chunk_bytes;
        rest = &rest[stuffer.advance(&slices, 1)..];
    }
    assert!(scanned <= 64 * 1024 + 512 * content.len(), "{scanned}");
}

/// A caller that presents other bytes than before cannot make an end of data of them.
#[test]
fn withdrawn_dot_is_no_end_of_data() {
    for instead in [&b"\r\n"[..], b""] {
        let mut stuffer = DotStuffer::new(LineBreaks::Refuse);
        let (mut scratch, mut slices) = (Vec::new(), Vec::new());
        stuffer.stuff(b".a", &mut scratch, &mut slices).unwrap();
        assert_eq!(stuffer.advance(&slices, 1), 0);
        let mut wire = b".".to_vec();
        let (mut scratch, mut slices) = (Vec::new(), Vec::new());
        stuffer.stuff(instead, &mut scratch, &mut slices).unwrap();
        stuffer.advance(&slices, usize::MAX);
        wire.extend(slices.concat());
        wire.extend_from_slice(stuffer.end_after(b"").unwrap());
        assert!(
            wire.starts_with(b"..\r\n") || wire.starts_with(b"..."),
            "{:?}",
            wire.escape_ascii()
        );
        let received = receive(DotUnstuffer::new(LineBreaks::Refuse), &[&wire]);
        assert_eq!(received, (b".\r\n".to_vec(), Some(Vec::new()), None));
    }
}

/// What precedes a byte that is refused is planned first, whatever the chunks.
#[test]
fn refuses_once_everything_before_is_sent() {
    for (content, byte) in [(b"ab\ncd", BareByte::Lf), (b"ab\rcd", BareByte::Cr)] {
        let mut stuffer = DotStuffer::new(LineBreaks::Refuse);
        let (mut scratch, mut slices) = (Vec::new(), Vec::new());
        let stuffed = stuffer.stuff(content, &mut scratch, &mut slices);
        let expected = Stuffed {
            chunk_bytes: 2,
            wire_bytes: 2,
        };
        assert_eq!(stuffed, Ok(expected));
        assert_eq!(slices, [b"ab"]);
        assert_eq!(stuffer.advance(&slices, 2), 2);
        for _ in 0..2 {
            let (mut scratch, mut slices) = (Vec::new(), Vec::new());
            let stuffed = stuffer.stuff(&content[2..], &mut scratch, &mut slices);
            assert_eq!(stuffed, Err(BareLineBreak { byte, at: 2 }));
            assert!(slices.is_empty());
        }
    }
}

/// Sparse insertions stay slices, and few.
#[test]
fn plans_of_sparse_insertions_copy_nothing() {
    let content = [&[b'a'; 2_000][..], b"\n"].concat().repeat(20);
    let mut stuffer = DotStuffer::new(LineBreaks::Normalize);
    let (mut scratch, mut slices) = (Vec::new(), Vec::new());
    let stuffed = stuffer.stuff(&content, &mut scratch, &mut slices);
    // Five lines, each with a CR to add, and the sixth up to where its own would stand.
    let expected = Stuffed {
        chunk_bytes: 5 * 2_001 + 2_000,
        wire_bytes: 5 * 2_002 + 2_000,
    };
    assert_eq!(stuffed, Ok(expected));
    assert_eq!(slices.len(), 11);
    assert_eq!(scratch.capacity(), 0);
}
