//! Contents in memory, in parts, and of a supply that is not always ready.

use std::{
    borrow::Cow,
    io,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use smtp_proto::{
    client::Body,
    delivery::{Content, Supply},
};

const TEXT: &[u8] = b"0123456789";

/// Supplies [`TEXT`] in pieces of four bytes, each only when it is asked for again.
struct Pieces {
    can_seek: bool,
    is_late: bool,
}

impl Supply for Pieces {
    fn can_seek(&self) -> bool {
        self.can_seek
    }

    fn poll_read(
        &mut self,
        offset: u64,
        buffer: &mut Vec<u8>,
        _: &mut Context<'_>,
    ) -> Poll<io::Result<bool>> {
        self.is_late ^= true;
        if self.is_late {
            return Poll::Pending;
        }
        let rest = &TEXT[offset as usize..];
        buffer.extend_from_slice(&rest[..rest.len().min(4)]);
        Poll::Ready(Ok(rest.len() <= 4))
    }
}

fn pieces(can_seek: bool) -> Content<Pieces> {
    Content::supplied(Pieces {
        can_seek,
        is_late: false,
    })
}

/// Reads a content from an offset on, as a machine does; tells in which chunks, `None` if it fails.
fn read(content: &mut Content<Pieces>, offset: u64) -> Option<Vec<String>> {
    let mut cx = Context::from_waker(Waker::noop());
    let (mut chunks, mut at) = (Vec::new(), offset);
    for _ in 0..100 {
        let (bytes, is_last) = match content.poll(at, &mut cx) {
            None => continue,
            Some(Body::Chunk(bytes)) => (bytes, false),
            Some(Body::Last(bytes)) => (bytes, true),
            Some(Body::Failed(_)) => return None,
        };
        at += bytes.len() as u64;
        chunks.push(String::from_utf8(bytes.to_vec()).unwrap());
        if is_last {
            return Some(chunks);
        }
    }
    panic!("no end: {chunks:?}");
}

#[test]
fn memory_is_presented_again_from_any_offset() {
    let shared: Arc<[u8]> = TEXT.into();
    let literal = Content::from(b"0123456789");
    let text = Content::from(Cow::Borrowed("0123456789"));
    for mut content in [Content::from(TEXT), Content::shared(shared), literal, text] {
        assert_eq!(content.size(), Some(10));
        for offset in [0, 7, 10, 3] {
            let rest = String::from_utf8(TEXT[offset as usize..].to_vec()).unwrap();
            assert_eq!(read(&mut content, offset), Some(vec![rest]));
        }
        assert_eq!(read(&mut content, 11), None);
        assert!(content.can_begin_again());
    }
}

/// Whatever a program has its message in.
#[test]
fn memory_of_any_kind() {
    let (text, bytes) = (String::from("0123456789"), TEXT.to_vec());
    let text: Arc<str> = text.into();
    for content in [
        Content::from(&bytes),
        Content::from(bytes.clone()),
        Content::from(bytes.clone().into_boxed_slice()),
        Content::from(Arc::<[u8]>::from(TEXT)),
        Content::from(Arc::new(bytes)),
        Content::from(*b"0123456789"),
        Content::from(Cow::<[u8]>::Owned(TEXT.to_vec())),
        Content::from(&String::from(&*text)),
        Content::from(String::from(&*text)),
        Content::from(Box::<str>::from(&*text)),
        Content::from(Arc::new(String::from(&*text))),
        Content::from(Cow::<str>::Owned(String::from(&*text))),
        Content::from(text),
    ] {
        assert_eq!(content.size(), Some(10));
        assert_eq!(read(&mut { content }, 3).unwrap(), ["3456789"]);
    }
}

#[test]
fn parts_are_one_content_and_not_joined() {
    let parts = ["ab", "", "c"].map(Content::from);
    let mut content = Content::from_parts(parts.into_iter().chain([pieces(true)]));
    assert_eq!(content.size(), None, "one part has no size");
    for _ in 0..2 {
        let chunks = read(&mut content, 0).unwrap();
        assert_eq!(chunks, ["ab", "c", "0123", "4567", "89"]);
    }
    assert_eq!(read(&mut content, 4).unwrap(), ["1234", "5678", "9"]);
    assert!(content.can_begin_again());
    let nothing = Content::<Pieces>::from_parts([].into_iter());
    assert_eq!(nothing.size(), Some(0));
    assert_eq!(read(&mut { nothing }, 0).unwrap(), [""]);
}

#[test]
fn what_cannot_be_read_twice_begins_again_only_while_it_is_in_memory() {
    let mut content = pieces(false);
    assert!(content.can_begin_again());
    assert_eq!(read(&mut content, 0).unwrap(), ["0123", "4567", "89"]);
    assert!(!content.can_begin_again());
    assert_eq!(read(&mut content, 0), None);

    let mut content = pieces(true);
    assert_eq!(read(&mut content, 0).unwrap(), ["0123", "4567", "89"]);
    assert!(content.can_begin_again());
    assert_eq!(read(&mut content, 0).unwrap(), ["0123", "4567", "89"]);
}

/// The size was declared: half a message must not pass for a whole one.
#[test]
fn a_content_of_another_size_fails() {
    for size in [0, 9, 11] {
        assert_eq!(read(&mut pieces(true).with_size(size), 0), None, "{size}");
    }
    assert!(read(&mut pieces(true).with_size(10), 0).is_some());
}
