//! Both directions against models that go octet by octet.

use alloc::vec::Vec;

use super::*;

const POLICIES: [LineBreaks; 3] = [LineBreaks::Refuse, LineBreaks::Normalize, LineBreaks::Keep];

/// Calls `check` with every string of up to `longest` octets out of CR, LF, dot and a letter.
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

/// Returns `octets` with every bare CR and bare LF made CR LF, or the index of the first of them.
fn model_breaks(octets: &[u8], policy: LineBreaks) -> Result<Vec<u8>, (usize, BareOctet)> {
    let mut out = Vec::new();
    for (at, octet) in octets.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| octets[before]);
        let bare = match octet {
            b'\r' if octets.get(at + 1) != Some(&b'\n') => Some(BareOctet::Cr),
            b'\n' if before != Some(b'\r') => Some(BareOctet::Lf),
            _ => None,
        };
        match (bare, policy) {
            (Some(octet), LineBreaks::Refuse) => return Err((at, octet)),
            (Some(_), LineBreaks::Normalize) => out.extend_from_slice(b"\r\n"),
            _ => out.push(*octet),
        }
    }
    Ok(out)
}

fn model_stuff(content: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    for octet in content {
        if *octet == b'.' && (wire.is_empty() || wire.ends_with(b"\r\n")) {
            wire.push(b'.');
        }
        wire.push(*octet);
    }
    if !wire.is_empty() && !wire.ends_with(b"\r\n") {
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b".\r\n");
    wire
}

type Sent = Result<Vec<u8>, (usize, BareOctet)>;

/// Sends `content` in chunks of `split` octets and the rest, with writes of at most `write` octets.
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
                .map_err(|refused| (consumed + refused.at, refused.octet))?;
            assert!((1..=12).contains(&slices.len()));
            assert!(slices.iter().all(|slice| !slice.is_empty()));
            let planned = slices.concat();
            assert_eq!(stuffed.wire_octets, planned.len());
            assert!((1..=chunk.len()).contains(&stuffed.chunk_octets));
            let written = write.min(planned.len());
            let taken = stuffer.advance(&slices, written);
            assert!(taken <= written);
            if written == planned.len() {
                assert_eq!(taken, stuffed.chunk_octets);
            }
            wire.extend_from_slice(&planned[..written]);
            consumed += taken;
        }
    }
    let end = stuffer
        .end_after(b"")
        .map_err(|refused| (content.len() - 1, refused.octet))?;
    wire.extend_from_slice(end);
    Ok(wire)
}

/// An error for a CR that ended the chunk before names the octet behind it.
fn assert_sent(sent: &Sent, expected: &Sent, split: usize, write: usize, content: &[u8]) {
    if let (Err((at, octet)), Err((expected, expected_octet))) = (sent, expected) {
        assert_eq!(octet, expected_octet);
        // Once a CR left alone, only what follows can be pointed at.
        let late = *octet == BareOctet::Cr && *at == expected + 1;
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

/// 5321-4.5.2-a, 5321-4.1.1.4-d, 5321-4.1.1.4-e, 5321-2.3.8-b, EOD-12, EOD-13: every string in
/// every two chunks, with writes that end at every octet.
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
fn plain_content_takes_the_octets_measured() {
    every_string(6, |content| {
        for policy in POLICIES {
            let expected = model_breaks(content, policy);
            let stuffer = DotStuffer::plain(policy);
            match (stuffer.measure(content), &expected) {
                (Ok(octets), Ok(expected)) => {
                    let end = stuffer.end_after(content).unwrap();
                    assert_eq!(octets + end.len(), expected.len());
                }
                // Only what follows tells whether a CR at the end is bare.
                (Ok(octets), Err(refused)) => {
                    assert_eq!(*refused, (content.len() - 1, BareOctet::Cr));
                    assert_eq!(octets, content.len());
                    assert!(stuffer.end_after(content).is_err());
                }
                (Err(refused), expected) => {
                    assert_eq!(*expected, Err((refused.at, refused.octet)));
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
                let (read, behind) = rest.split_at(rest.len().min(1 + random(1_000)));
                reads.push(read);
                rest = behind;
            }
            for policy in [LineBreaks::Refuse, LineBreaks::Normalize] {
                let expected = match policy {
                    LineBreaks::Normalize => model_breaks(&content, policy).unwrap(),
                    _ => content.clone(),
                };
                let bare = model_breaks(&content, LineBreaks::Refuse).err();
                let expected = (expected, after.clone(), bare.map(|(_, octet)| octet));
                let received = receive(DotUnstuffer::new(policy), &reads);
                assert!(received == expected, "seed {seed}, {policy:?}");
            }
        }
    }
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
        scanned += stuffed.chunk_octets;
        rest = &rest[stuffer.advance(&slices, 1)..];
    }
    assert!(scanned <= 64 * 1024 + 512 * content.len(), "{scanned}");
}

/// A caller that presents other octets than before cannot make an end of data of them.
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

type Received = (Vec<u8>, Option<Vec<u8>>, Option<BareOctet>);

/// Returns the content in `pieces`, what followed its end, if that came, and the bare octet met.
fn receive(mut unstuffer: DotUnstuffer, pieces: &[&[u8]]) -> Received {
    let (mut content, mut after) = (Vec::new(), None);
    for piece in pieces {
        let mut input = *piece;
        while let Some(found) = unstuffer.next(&mut input) {
            match found {
                Content::Octets(octets) => {
                    assert!(!octets.is_empty());
                    content.extend_from_slice(octets);
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
/// bare octets. An unfinished last line counts as far as its octets are decided.
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

/// 5321-4.5.2-b, -c, -d, 5321-4.1.1.4-b, -c, -f, EOD-10: every string in every two and three reads.
#[test]
fn unstuffs_the_same_at_every_split() {
    every_string(7, |wire| {
        let (content, after) = model_receive(wire);
        // What may still become CR LF is not bare yet.
        let decided = content.strip_suffix(b"\r").unwrap_or(&content);
        let decided = if after.is_some() { &content } else { decided };
        let bare = model_breaks(decided, LineBreaks::Refuse).err();
        for policy in POLICIES {
            let expected = match (policy, content.strip_suffix(b"\r")) {
                (LineBreaks::Normalize, Some(text)) if after.is_none() => {
                    let mut text = model_breaks(text, policy).unwrap();
                    text.push(b'\r');
                    text
                }
                _ if policy == LineBreaks::Refuse => content.clone(),
                _ => model_breaks(&content, policy).unwrap(),
            };
            let expected = (expected, after.clone(), bare.map(|(_, octet)| octet));
            for split in 0..=wire.len() {
                let (one, two) = wire.split_at(split);
                let received = receive(DotUnstuffer::new(policy), &[one, two]);
                assert_eq!(
                    received,
                    expected,
                    "{:?} split at {split}, {policy:?}",
                    wire.escape_ascii()
                );
            }
            let octets: Vec<&[u8]> = wire.chunks(1).collect();
            let received = receive(DotUnstuffer::new(policy), &octets);
            assert_eq!(received, expected, "{:?}", wire.escape_ascii());
        }
    });
}

/// Rows EOD-1 to EOD-9 and 5321-4.1.1.4-f: what is no end of data, then what is one.
#[test]
fn only_cr_lf_dot_cr_lf_ends_content() {
    use BareOctet::{Cr, Lf};
    let rows: [(&str, &[u8], Option<BareOctet>); 16] = [
        ("EOD-1", b"\n.\n", Some(Lf)),
        ("EOD-2", b"\n.\r\n", Some(Lf)),
        ("EOD-3", b"\r\n.\n", Some(Lf)),
        ("EOD-4", b"\r.\r", Some(Cr)),
        ("EOD-4", b"\r.\n", Some(Cr)),
        ("EOD-4", b"\n.\r", Some(Lf)),
        ("EOD-4", b"\r.\r\n", Some(Cr)),
        ("EOD-4", b"\r\n.\r", Some(Cr)),
        ("EOD-5", b"\r\n\0.\r\n", None),
        ("EOD-5", b"\r\n.\0\r\n", None),
        ("EOD-6", b"\r\n.\r\r\n", Some(Cr)),
        ("EOD-6", b"\r\r\n.\r\r\n", Some(Cr)),
        ("EOD-8", b"\r\n. \r\n", None),
        ("EOD-8", b"\r\n .\r\n", None),
        ("EOD-8", b"\r\n..\r\n", None),
        ("EOD-8", b"\r\n.x\r\n", None),
    ];
    for (id, sequence, bare) in rows {
        for policy in POLICIES {
            let wire = [b"a", sequence, b"MAIL FROM:<>\r\n\r\n.\r\nQUIT\r\n"].concat();
            for split in 0..=wire.len() {
                let (one, two) = wire.split_at(split);
                let (content, after, met) = receive(DotUnstuffer::new(policy), &[one, two]);
                assert_eq!(after.as_deref(), Some(&b"QUIT\r\n"[..]), "{id}");
                assert!(content.ends_with(b"MAIL FROM:<>\r\n\r\n"), "{id}");
                assert_eq!(met, bare, "{id}");
            }
        }
    }
}

#[test]
fn ends_and_leaves_what_follows() {
    let rows: [(&str, &[u8], &[u8], Option<BareOctet>); 4] = [
        ("EOD-7", b"a\r\r\n.\r\n", b"a\r\r\n", Some(BareOctet::Cr)),
        ("EOD-9, 5321-4.1.1.4-c", b".\r\n", b"", None),
        ("5321-4.1.1.4-b", b"a\r\n.\r\n", b"a\r\n", None),
        (
            "5321-4.5.2-b",
            b"..a\r\n.b\r\n...\r\n.\r\n",
            b".a\r\nb\r\n..\r\n",
            None,
        ),
    ];
    for (id, wire, content, bare) in rows {
        let stream = [wire, b"MAIL"].concat();
        let expected = (content.to_vec(), Some(b"MAIL".to_vec()), bare);
        for split in 0..=stream.len() {
            let (one, two) = stream.split_at(split);
            let received = receive(DotUnstuffer::new(LineBreaks::Refuse), &[one, two]);
            assert_eq!(received, expected, "{id} split at {split}");
        }
    }
}
