//! Receiving.

use alloc::vec::Vec;

use super::*;

/// 5321-4.5.2-b, 5321-4.5.2-c, 5321-4.5.2-d, 5321-4.1.1.4-b, 5321-4.1.1.4-c, 5321-4.1.1.4-f,
/// EOD-10: every string in every two and three reads.
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
            let expected = (expected, after.clone(), bare.map(|(_, byte)| byte));
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
            let bytes: Vec<&[u8]> = wire.chunks(1).collect();
            let received = receive(DotUnstuffer::new(policy), &bytes);
            assert_eq!(received, expected, "{:?}", wire.escape_ascii());
        }
    });
}

/// Rows EOD-1 to EOD-9 and 5321-4.1.1.4-f: what is no end of data, then what is one.
#[test]
fn only_cr_lf_dot_cr_lf_ends_content() {
    use BareByte::{Cr, Lf};
    let rows: [(&str, &[u8], Option<BareByte>); 16] = [
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
    type Row = (&'static str, &'static [u8], &'static [u8], Option<BareByte>);
    let rows: [Row; 4] = [
        ("EOD-7", b"a\r\r\n.\r\n", b"a\r\r\n", Some(BareByte::Cr)),
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

/// 3030-2-e, 3030-2-p: content that a count announces, at every split, to its end.
#[test]
fn watches_the_lines_of_chunks() {
    every_string(6, |content| {
        let bare = model_breaks(content, LineBreaks::Refuse).err();
        for policy in POLICIES {
            let expected = match policy {
                LineBreaks::Normalize => model_breaks(content, policy).unwrap(),
                LineBreaks::Refuse | LineBreaks::Keep => content.to_vec(),
            };
            for split in 0..=content.len() {
                let (one, two) = content.split_at(split);
                let mut unstuffer = DotUnstuffer::plain(policy);
                let mut got = Vec::new();
                for mut input in [one, two] {
                    while let Some(Content::Bytes(bytes)) = unstuffer.next(&mut input) {
                        got.extend_from_slice(bytes);
                    }
                    assert!(input.is_empty());
                }
                got.extend_from_slice(unstuffer.finish().unwrap_or_default());
                assert_eq!(unstuffer.finish(), None);
                assert_eq!(got, expected, "{:?}, {policy:?}", content.escape_ascii());
                let met = unstuffer.bare_line_break();
                assert_eq!(met, bare.map(|(_, byte)| byte));
            }
        }
    });
}
