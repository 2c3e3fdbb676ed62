//! Parsing and writing of single lines, with the crate of Stalwart Labs in the same run.
//!
//! Benchmarks are called `group/ours` and `group/peer` where the peer can do the same; `memchr`
//! and `memcpy` over the same bytes tell what the memory allows.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use smtp_proto::syntax::{Capabilities, Command, Extension, Host, Reply, parse_reply_line};
use stalwart_smtp_proto as peer;

/// What servers see: 100 lines.
fn lines() -> Vec<String> {
    (0..100)
        .map(|number| match number % 10 {
            0 => format!("EHLO mail{number}.example.org"),
            1 => format!("MAIL FROM:<sender{number}@example.com> SIZE=123456 BODY=8BITMIME"),
            2..=4 => format!("RCPT TO:<user{number}@example.org>"),
            5 => String::from("DATA"),
            6 => String::from("RSET"),
            7 => format!("MAIL FROM:<bounce+tag={number}@lists.example.net> SIZE=4321"),
            8 => format!("BDAT {} LAST", number * 997),
            _ => String::from(if number % 20 == 9 { "NOOP" } else { "QUIT" }),
        })
        .collect()
}

/// Adds what finding a byte in `bytes`, and copying them, takes.
fn memory(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    bytes: &[u8],
) {
    let mut copy = vec![0; bytes.len()];
    group.bench_function("memchr", |bencher| {
        bencher.iter(|| memchr::memchr(0, black_box(bytes)));
    });
    group.bench_function("memcpy", |bencher| {
        bencher.iter(|| black_box(&mut copy).copy_from_slice(black_box(bytes)));
    });
}

fn commands(criterion: &mut Criterion) {
    let lines = lines();
    let joined: Vec<u8> = lines
        .iter()
        .flat_map(|line| format!("{line}\r\n").into_bytes())
        .collect();
    let complete: Vec<_> = lines.iter().map(|line| format!("{line}\r\n")).collect();

    let mut group = criterion.benchmark_group("commands_parse");
    group.throughput(Throughput::Elements(lines.len() as u64));
    // Results are looked at where they are: moving them would be measured as well.
    group.bench_function("ours", |bencher| {
        bencher.iter(|| {
            for line in &lines {
                let command = Command::parse(black_box(line.as_bytes()));
                assert!(black_box(&command).is_ok());
            }
        });
    });
    group.bench_function("peer", |bencher| {
        bencher.iter(|| {
            for line in &complete {
                let command = peer::Request::parse(&mut black_box(line.as_bytes()).iter());
                assert!(black_box(&command).is_ok());
            }
        });
    });
    memory(&mut group, &joined);
    group.finish();

    // The most frequent command alone.
    let mut group = criterion.benchmark_group("rcpt_parse");
    let line = "RCPT TO:<user123@example.org>\r\n";
    group.bench_function("ours", |bencher| {
        let line = line.trim_ascii_end().as_bytes();
        bencher.iter(|| {
            let command = Command::parse(black_box(line));
            assert!(black_box(&command).is_ok());
        });
    });
    group.bench_function("peer", |bencher| {
        bencher.iter(|| {
            let command = peer::Request::parse(&mut black_box(line.as_bytes()).iter());
            assert!(black_box(&command).is_ok());
        });
    });
    group.finish();

    // The peer writes no commands.
    let mut group = criterion.benchmark_group("commands_write");
    group.throughput(Throughput::Elements(lines.len() as u64));
    let commands: Vec<_> = lines
        .iter()
        .map(|line| Command::parse(line.as_bytes()).expect("a command"))
        .collect();
    let mut out = Vec::with_capacity(joined.len());
    group.bench_function("ours", |bencher| {
        bencher.iter(|| {
            out.clear();
            for command in &commands {
                black_box(command).write_to(&mut out);
            }
            black_box(&out);
        });
    });
    memory(&mut group, &joined);
    group.finish();
}

fn replies(criterion: &mut Criterion) {
    let reply = b"250 2.1.0 OK\r\n";
    let mut group = criterion.benchmark_group("reply_parse");
    group.bench_function("ours", |bencher| {
        bencher.iter(|| Reply::parse(black_box(reply)).expect("a reply"));
    });
    // The peer reads the enhanced code at once.
    group.bench_function("ours_with_enhanced", |bencher| {
        bencher.iter(|| {
            let reply = Reply::parse(black_box(reply)).expect("a reply");
            (reply.enhanced(), reply)
        });
    });
    group.bench_function("ours_line", |bencher| {
        bencher.iter(|| parse_reply_line(black_box(b"250 2.1.0 OK")).expect("a line"));
    });
    group.bench_function("peer", |bencher| {
        let mut receiver = peer::response::parser::ResponseReceiver::default();
        bencher.iter(|| {
            let reply = receiver
                .parse(&mut black_box(reply).iter())
                .expect("a reply");
            receiver.reset();
            reply
        });
    });
    memory(&mut group, reply);
    group.finish();

    let mut group = criterion.benchmark_group("reply_write");
    let mut out = Vec::with_capacity(reply.len());
    group.bench_function("ours", |bencher| {
        let reply = Reply::parse(reply).expect("a reply");
        bencher.iter(|| {
            out.clear();
            black_box(&reply).write_to(&mut out);
            black_box(&out);
        });
    });
    group.bench_function("peer", |bencher| {
        let reply = peer::Response::new(250, 2, 1, 0, "OK");
        bencher.iter(|| {
            out.clear();
            black_box(&reply).write(&mut out).expect("memory takes it");
            black_box(&out);
        });
    });
    group.finish();
}

const EHLO: &[u8] = b"250-mx.example.org\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-ETRN\r\n\
    250-STARTTLS\r\n250-AUTH PLAIN LOGIN\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-DSN\r\n\
    250 CHUNKING\r\n";

fn ehlo(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ehlo_parse");
    group.throughput(Throughput::Bytes(EHLO.len() as u64));
    group.bench_function("ours", |bencher| {
        bencher.iter(|| Capabilities::parse(&Reply::parse(black_box(EHLO)).expect("a reply")));
    });
    group.bench_function("peer", |bencher| {
        bencher.iter(|| peer::EhloResponse::parse(&mut black_box(EHLO).iter()).expect("an answer"));
    });
    memory(&mut group, EHLO);
    group.finish();

    let mut group = criterion.benchmark_group("ehlo_write");
    group.throughput(Throughput::Bytes(EHLO.len() as u64));
    let mut out = Vec::with_capacity(2 * EHLO.len());
    group.bench_function("ours", |bencher| {
        let host = Host::parse("mx.example.org").expect("a host");
        let capabilities = Capabilities::parse(&Reply::parse(EHLO).expect("a reply"));
        assert!(capabilities.has(Extension::Chunking));
        bencher.iter(|| {
            out.clear();
            black_box(&capabilities).write_reply(black_box(&host), &mut out);
            black_box(&out);
        });
    });
    group.bench_function("peer", |bencher| {
        let answer = peer::EhloResponse::parse(&mut EHLO.iter()).expect("an answer");
        bencher.iter(|| {
            out.clear();
            black_box(&answer).write(&mut out).expect("memory takes it");
            black_box(&out);
        });
    });
    group.finish();
}

criterion_group!(syntax, commands, replies, ehlo);
criterion_main!(syntax);
