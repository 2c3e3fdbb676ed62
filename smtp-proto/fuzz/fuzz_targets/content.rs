//! Content that is stuffed, written in pieces, and unstuffed in pieces is the same content.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smtp_proto::framing::{Content, DotStuffer, DotUnstuffer, LineBreaks};

fuzz_target!(|input: (u8, u8, Vec<u8>)| {
    let (chunk, write, content) = input;
    let (chunk, write) = (usize::from(chunk) + 1, usize::from(write) + 1);
    let mut stuffer = DotStuffer::new(LineBreaks::Refuse);
    let mut wire = Vec::new();
    let mut scratch = Vec::new();
    let mut rest = content.as_slice();
    while !rest.is_empty() {
        let presented = &rest[..rest.len().min(chunk)];
        let mut slices = Vec::new();
        if stuffer.stuff(presented, &mut scratch, &mut slices).is_err() {
            return;
        }
        let mut bytes = slices.concat();
        bytes.truncate(write);
        rest = &rest[stuffer.advance(&slices, bytes.len())..];
        wire.extend(bytes);
    }
    let Ok(end) = stuffer.end_after(b"") else { return };
    wire.extend_from_slice(end);

    let mut unstuffer = DotUnstuffer::new(LineBreaks::Refuse);
    let mut received = Vec::new();
    let mut ended = false;
    for mut piece in wire.chunks(chunk) {
        assert!(!ended, "the end is the end");
        while let Some(content) = unstuffer.next(&mut piece) {
            match content {
                Content::Bytes(bytes) => received.extend_from_slice(bytes),
                Content::End => ended = true,
            }
        }
    }
    assert!(ended);
    assert_eq!(unstuffer.bare_line_break(), None);
    let added: &[u8] = if content.is_empty() || content.ends_with(b"\r\n") { b"" } else { b"\r\n" };
    assert_eq!(received, [&content, added].concat());
});
