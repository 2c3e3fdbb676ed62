//! Bytes to units and back: content at memory speed, against memcpy, memchr and a peer.
#![allow(missing_docs)] // The macros of criterion document nothing.

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use smtp_proto::framing::{
    ChunkReader, Content, DotStuffer, DotUnstuffer, Line, LineBreaks, LineReader,
};
use stalwart_smtp_proto::request::receiver::DataReceiver;

/// Beyond the caches, and in them.
const SIZES: [(&str, usize); 2] = [("10MiB", 10 << 20), ("256KiB", 256 << 10)];

/// Returns whole lines of `line`, as many as fit into `size`.
fn content(line: &[u8], size: usize) -> Vec<u8> {
    line.repeat(size / line.len())
}

fn kinds() -> [(&'static str, Vec<u8>); 4] {
    let text = b"The quick brown fox jumps over the lazy dog. It does so all day long ...";
    let base64 = b"VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZSBsYXp5IGRvZy4gSXQgZG9lcyBzbyBh";
    [
        ("text", [&text[..], b"\r\n"].concat()),
        ("base64", [&base64[..], b"\r\n"].concat()),
        ("dots", [b".", &text[1..], b"\r\n"].concat()),
        ("tiny", b".x\r\n".to_vec()),
    ]
}

fn group<'c>(c: &'c mut Criterion, name: &str, bytes: usize) -> BenchmarkGroup<'c, WallTime> {
    let mut group = c.benchmark_group(name);
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
        .throughput(Throughput::Bytes(bytes as u64));
    group
}

/// Goes over all of `content` as a client would with a transport that takes everything.
fn stuff(mut stuffer: DotStuffer, content: &[u8], scratch: &mut Vec<u8>) -> usize {
    let mut wire = 0;
    let mut rest = content;
    while !rest.is_empty() {
        let mut slices = Vec::with_capacity(12);
        let stuffed = stuffer
            .stuff(rest, scratch, &mut slices)
            .expect("the content is text");
        wire += stuffed.wire_bytes;
        let taken = stuffer.advance(black_box(&slices), stuffed.wire_bytes);
        rest = &rest[taken..];
    }
    wire
}

fn sending(c: &mut Criterion) {
    for (size_name, size) in SIZES {
        for (kind, line) in kinds() {
            let content = content(&line, size);
            let mut group = group(c, &format!("send/{size_name}/{kind}"), content.len());
            let mut copy = vec![0; content.len()];
            group.bench_function("memcpy", |b| {
                b.iter(|| black_box(&mut copy).copy_from_slice(black_box(&content)));
            });
            group.bench_function("memchr-count", |b| {
                b.iter(|| memchr::memchr_iter(b'\n', black_box(&content)).count());
            });
            let mut scratch = Vec::new();
            group.bench_function("stuff", |b| {
                b.iter(|| {
                    let stuffer = DotStuffer::new(LineBreaks::Refuse);
                    stuff(stuffer, black_box(&content), &mut scratch)
                });
            });
            group.bench_function("bdat", |b| {
                b.iter(|| {
                    let stuffer = DotStuffer::plain(LineBreaks::Refuse);
                    let bytes = stuffer.measure(black_box(&content));
                    bytes.expect("the content is text")
                });
            });
            group.finish();
        }
    }
}

fn unstuff(wire: &[u8], read: usize, mut sink: impl FnMut(&[u8])) -> bool {
    let mut unstuffer = DotUnstuffer::new(LineBreaks::Refuse);
    let mut ended = false;
    for mut input in wire.chunks(read) {
        while let Some(found) = unstuffer.next(&mut input) {
            match found {
                Content::Bytes(bytes) => sink(bytes),
                Content::End => ended = true,
            }
        }
    }
    ended && unstuffer.bare_line_break().is_none()
}

fn peer(wire: &[u8], read: usize, content: &mut Vec<u8>) -> bool {
    let mut receiver = DataReceiver::new();
    wire.chunks(read)
        .any(|input| receiver.ingest(&mut input.iter(), content))
}

fn receiving(c: &mut Criterion) {
    for (size_name, size) in SIZES {
        for (kind, line) in kinds() {
            let stuffed = if line.starts_with(b".") {
                [b".", &line[..]].concat()
            } else {
                line
            };
            let wire = [&content(&stuffed, size)[..], b".\r\n"].concat();
            let mut group = group(c, &format!("receive/{size_name}/{kind}"), wire.len());
            let mut kept = Vec::with_capacity(wire.len());
            group.bench_function("memcpy", |b| {
                b.iter(|| {
                    kept.clear();
                    kept.extend_from_slice(black_box(&wire));
                });
            });
            for read in [1, 64, 1460, 16384] {
                // The small reads say the same at either size.
                if read < 1460 && (size_name != "256KiB" || kind != "text") {
                    continue;
                }
                group.bench_function(format!("unstuff/{read}"), |b| {
                    b.iter(|| {
                        assert!(unstuff(black_box(&wire), read, |bytes| {
                            black_box(bytes);
                        }));
                    });
                });
                group.bench_function(format!("unstuff-keep/{read}"), |b| {
                    b.iter(|| {
                        kept.clear();
                        assert!(unstuff(black_box(&wire), read, |bytes| {
                            kept.extend_from_slice(bytes);
                        }));
                    });
                });
                group.bench_function(format!("stalwart-keep/{read}"), |b| {
                    b.iter(|| {
                        kept.clear();
                        assert!(peer(black_box(&wire), read, &mut kept));
                    });
                });
            }
            group.bench_function("bdat/16384", |b| {
                b.iter(|| {
                    let mut chunk = ChunkReader::new(wire.len() as u64);
                    for mut input in black_box(&wire).chunks(16384) {
                        black_box(chunk.take(&mut input));
                    }
                    assert!(chunk.is_complete());
                });
            });
            group.finish();
        }
    }
}

fn lines(c: &mut Criterion) {
    let commands = b"RCPT TO:<somebody.or.other@example.org> NOTIFY=NEVER\r\n".repeat(100);
    let mut group = group(c, "lines", commands.len());
    group.bench_function("batch", |b| {
        b.iter(|| {
            let mut lines = LineReader::default();
            let mut input = black_box(&commands[..]);
            let mut bytes = 0;
            while let Some(Line::Complete(line)) = lines.next(&mut input, 512) {
                bytes += black_box(line).len();
            }
            bytes
        });
    });
    group.finish();
}

criterion_group!(framing, sending, receiving, lines);
criterion_main!(framing);
