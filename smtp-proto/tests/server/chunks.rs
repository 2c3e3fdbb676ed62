//! Content by BDAT (RFC 3030): where chunks end, what is refused of them, and what follows a refused one.

use crate::peer::{Decision, ENVELOPE, GO, Peer, TAKEN, WAYS, config, reply};
use smtp_proto::framing::LineBreaks;
use smtp_proto::machine::{Fault, Misuse};
use smtp_proto::server::Event;
use smtp_proto::syntax::{Capabilities, Extension};

/// X-7: the application refuses a chunk; 503 until RSET (3030-2-j, 3030-2-l).
#[test]
fn refused_early_by_chunk() {
    let mut peer = Peer::with_envelope(config());
    peer.send("BDAT 3\r\nab");
    let id = peer.transaction.unwrap();
    assert_eq!(
        peer.server.refuse_content(id, reply("250 2.0.0 fine")),
        Err(Misuse::WrongReplyClass)
    );
    peer.server
        .refuse_content(id, reply("452 4.3.1 full"))
        .unwrap();
    assert_eq!(
        peer.send("cBDAT 3 LAST\r\nQUI"),
        "452 4.3.1 full\r\n503 5.5.1 Bad sequence of commands\r\n"
    );
    assert_eq!(peer.content, b"ab");
    assert_eq!(peer.send("RSET\r\n"), "250 2.0.0 OK\r\n");
    assert_eq!(peer.send("MAIL FROM:<>\r\n"), "250 2.1.0 Sender OK\r\n");
}

/// 3030-2-a, 3030-2-e, 3030-2-f, 3030-2-g, BDT-4, BDT-9, 3030-2-b, 3030-2-o, X-9
#[test]
fn chunks() {
    let mut peer = Peer::with_envelope(config());
    assert_eq!(peer.send("bdat 6\r\na\r\n.\r"), "");
    assert_eq!(peer.send("\n"), "250 2.0.0 Chunk OK\r\n");
    assert_eq!(peer.send("BDAT 0\r\n"), "250 2.0.0 Chunk OK\r\n");
    assert_eq!(
        peer.send("BDAT 8\r\nBDAT 5\r\nBDAT 0 LAST\r\n"),
        format!("250 2.0.0 Chunk OK\r\n{TAKEN}")
    );
    assert_eq!(peer.content, b"a\r\n.\r\nBDAT 5\r\n");
    assert_eq!(peer.events(), ["content 1", "message 1 14"]);
    assert_eq!(peer.send(&format!("{ENVELOPE}DATA\r\n")), GO);
    assert_eq!(peer.send(".\r\n"), TAKEN);
}

/// X-8: a whole stream of transactions in one read, and byte by byte.
#[test]
fn streamed_transactions() {
    let one =
        "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nBDAT 5\r\nab\r\ncBDAT 2 LAST\r\n\r\n";
    let answers =
        format!("250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n250 2.0.0 Chunk OK\r\n{TAKEN}");
    for send in WAYS {
        let mut peer = Peer::greeted(config());
        let stream = one.repeat(5);
        let got = send(&mut peer, &stream);
        assert_eq!(got, answers.repeat(5));
        assert_eq!(peer.content, b"ab\r\nc\r\n".repeat(5));
        assert_eq!(
            peer.events().iter().filter(|it| it.ends_with(" 7")).count(),
            5
        );
    }
}

/// BDT-1, 3030-2-s
#[test]
fn chunks_without_a_usable_size() {
    for line in [
        "BDAT",
        "BDAT x",
        "BDAT -1",
        "BDAT +5",
        "BDAT 0x10",
        "BDAT 18446744073709551616",
        "BDAT 99999999999999999999",
        "BDAT 5 LASTX",
        "BDAT 5 FOO",
    ] {
        let mut peer = Peer::with_envelope(config());
        assert_eq!(
            peer.send(&format!("{line}\r\nQUIT\r\n")),
            "501 5.5.4 Chunk size not understood, closing connection\r\n",
            "{line}"
        );
        peer.poll();
        let error = peer.error.unwrap();
        assert_eq!(error.fault(), Fault::MalformedChunk);
        assert_eq!(error.excerpt().as_bytes(), line.as_bytes());
    }
}

/// BDT-2, 3030-2-r, X-6: the bytes are swallowed, exactly.
#[test]
fn chunks_out_of_place() {
    let mut peer = Peer::greeted(config());
    assert_eq!(
        peer.send("BDAT 6\r\nQUIT\r\nNOOP\r\n"),
        "503 5.5.1 Bad sequence of commands\r\n250 2.0.0 OK\r\n"
    );
    peer.decide = Box::new(|event| match event {
        Event::Rcpt { .. } => Decision::Reply("550 5.1.1 no"),
        _ => Decision::Accept,
    });
    assert_eq!(
        peer.send(&format!("{ENVELOPE}BDAT 6 LAST\r\nQUIT\r\nRSET\r\n")),
        "250 2.1.0 Sender OK\r\n550 5.1.1 no\r\n554 5.5.1 No valid recipients\r\n\
         250 2.0.0 OK\r\n"
    );
    assert_eq!(
        peer.events(),
        [
            "rejected 503 BDAT 6",
            "mail 1 <a@x.example>",
            "rcpt 1 <b@x.example>",
            "rejected 554 BDAT 6 LAST",
            "reset 1 ChunkFailed",
        ]
    );
}

/// The misattribution that Exim shows (mta-behaviour 0.3): without RSET, nothing of the next
/// transaction is taken for the one that failed.
#[test]
fn a_failed_stream_taints_nothing() {
    let mut peer = Peer::greeted(config()).deciding(|event| match event {
        Event::Rcpt { transaction, .. } if transaction.to_string() == "1" => {
            Decision::Reply("550 5.1.1 no")
        }
        _ => Decision::Accept,
    });
    let got = peer.send(&format!(
        "{ENVELOPE}BDAT 1 LAST\r\nx{ENVELOPE}BDAT 1 LAST\r\nyRSET\r\n{ENVELOPE}BDAT 1 LAST\r\nz"
    ));
    let codes: Vec<&str> = got.lines().map(|line| &line[..3]).collect();
    assert_eq!(
        codes,
        [
            "250", "550", "554", "503", "503", "503", "250", "250", "250", "250"
        ]
    );
    assert_eq!(peer.content, b"z");
}

/// BDT-6, 3030-2-h, X-8: a chunk after the last one.
#[test]
fn a_chunk_after_the_last() {
    let mut peer = Peer::with_envelope(config());
    assert_eq!(
        peer.send("BDAT 1 LAST\r\nxBDAT 4\r\nQUITNOOP\r\n"),
        format!("{TAKEN}503 5.5.1 Bad sequence of commands\r\n250 2.0.0 OK\r\n")
    );
}

/// BDT-7, BDT-10, 3030-2-t, X-32: over the limit the chunk is swallowed and answered 552; those
/// after it 503.
#[test]
fn too_large_by_chunks() {
    let mut peer = Peer::with_envelope(config().max_message_size(65_536));
    let x = "x".repeat(65_536);
    assert_eq!(
        peer.send(&format!("BDAT 65536\r\n{x}")),
        "250 2.0.0 Chunk OK\r\n"
    );
    assert_eq!(
        peer.send("BDAT 4\r\nQUITBDAT 4 LAST\r\nQUITRSET\r\n"),
        "552 5.3.4 Message too large\r\n503 5.5.1 Bad sequence of commands\r\n\
         250 2.0.0 OK\r\n"
    );
    assert_eq!(
        peer.events(),
        ["content 1", "reset 1 TooLarge", "rejected 503 BDAT 4 LAST"]
    );
    peer.send(ENVELOPE);
    assert_eq!(
        peer.send("BDAT 98305\r\n"),
        "552 5.3.4 Too much of what is refused, closing connection\r\n"
    );
}

/// BDT-11: RSET between chunks leaves nothing behind, neither bytes nor half a line end; a header
/// may cross chunks.
#[test]
fn a_reset_between_chunks() {
    const CHUNK_OK: &str = "250 2.0.0 Chunk OK\r\n";
    for half in ["Subject: stale", "stale\r\n.", "stale\r"] {
        let mut peer = Peer::with_envelope(config());
        let chunk = format!("BDAT {}\r\n{half}", half.len());
        assert_eq!(peer.send(&chunk), CHUNK_OK);
        assert_eq!(peer.send("RSET\r\n"), "250 2.0.0 OK\r\n");
        assert!(peer.messages.is_empty());
        peer.send(ENVELOPE);
        let header = "BDAT 5\r\nSubjeBDAT 8\r\nct: new\rBDAT 1 LAST\r\n\n";
        assert_eq!(peer.send(header), format!("{CHUNK_OK}{CHUNK_OK}{TAKEN}"));
        assert_eq!(peer.messages, [b"Subject: new\r\n"]);
    }
    // The LF that would have ended the line of a CR that is gone.
    let mut peer = Peer::with_envelope(config());
    assert_eq!(peer.send("BDAT 6\r\nstale\r"), CHUNK_OK);
    peer.send("RSET\r\n");
    peer.send(ENVELOPE);
    let reply = peer.send("BDAT 5 LAST\r\n\nnew\r");
    assert_eq!(reply, "550 5.6.0 Content has a bare CR or LF\r\n");
}

/// A last chunk over the limit ends its message.
#[test]
fn too_large_by_the_last_chunk() {
    let mut peer = Peer::with_envelope(config().max_message_size(65_536));
    let x = "x".repeat(65_537);
    assert_eq!(
        peer.send(&format!("BDAT 65537 LAST\r\n{x}MAIL FROM:<>\r\n")),
        "552 5.3.4 Message too large\r\n250 2.1.0 Sender OK\r\n"
    );
}

/// 3030-3-a, 3030-3-c, 3030-3-d, X-10: BINARYMIME by BDAT only, and raw.
#[test]
fn binary_content() {
    let offered = Capabilities::new()
        .with(Extension::Pipelining)
        .with(Extension::EightBitMime)
        .with(Extension::BinaryMime);
    let config = config().offer(offered);
    let envelope = "MAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<b@x.example>\r\n";
    let mut peer = Peer::greeted(config.clone());
    peer.send(envelope);
    assert_eq!(
        peer.send("DATA\r\n"),
        "503 5.5.1 Bad sequence of commands\r\n"
    );
    assert_eq!(
        peer.events()[2..],
        ["rejected 503 DATA", "reset 1 ChunkFailed"]
    );
    assert_eq!(peer.send("RSET\r\n"), "250 2.0.0 OK\r\n");
    peer.send(envelope);
    let bytes: Vec<u8> = (0..=255).collect();
    peer.send("BDAT 256 LAST\r\n");
    assert_eq!(peer.send_bytes(&bytes), TAKEN);
    assert_eq!(peer.content, bytes);
}

/// 3030-2-p: text by BDAT has lines that end in CR LF, across chunks too.
#[test]
fn bare_line_breaks_in_chunks() {
    for (wire, expected) in [
        ("BDAT 3 LAST\r\na\nb", "550"),
        ("BDAT 3 LAST\r\na\rb", "550"),
        ("BDAT 2 LAST\r\na\r", "550"),
        ("BDAT 2\r\na\rBDAT 2 LAST\r\n\nb", "250"),
        ("BDAT 2\r\na\rBDAT 1 LAST\r\nb", "550"),
        ("BDAT 1\r\naBDAT 1 LAST\r\n\n", "550"),
    ] {
        for send in WAYS {
            let mut peer = Peer::with_envelope(config());
            let got = send(&mut peer, wire);
            let last = got.trim_end().rsplit("\r\n").next().unwrap();
            assert_eq!(&last[..3], expected, "{wire:?}: {got}");
            assert_eq!(peer.send("MAIL FROM:<>\r\n"), "250 2.1.0 Sender OK\r\n");
        }
    }
}

/// 5321-4.1.1.4-g, 3030-2-j: normalised over the edges of chunks, whose bytes are counted as they
/// came. What BINARYMIME declares stays as it is.
#[test]
fn normalised_line_breaks_in_chunks() {
    for (wire, content) in [
        ("BDAT 3 LAST\r\na\nb", "a\r\nb"),
        ("BDAT 3 LAST\r\na\rb", "a\r\nb"),
        ("BDAT 2 LAST\r\na\r", "a\r\n"),
        ("BDAT 2\r\na\rBDAT 2 LAST\r\n\nb", "a\r\nb"),
        ("BDAT 2\r\na\rBDAT 1 LAST\r\nb", "a\r\nb"),
        ("BDAT 2\r\na\rBDAT 0 LAST\r\n", "a\r\n"),
        ("BDAT 1\r\naBDAT 1 LAST\r\n\n", "a\r\n"),
        (
            "BDAT 3\r\n\r\r\nBDAT 4 LAST\r\n\n\n.\n",
            "\r\n\r\n\r\n\r\n.\r\n",
        ),
        ("BDAT 7 LAST\r\na\r\n.\r\n\n", "a\r\n.\r\n\r\n"),
    ] {
        for send in WAYS {
            let mut peer = Peer::with_envelope(config().line_breaks(LineBreaks::Normalize));
            let got = send(&mut peer, wire);
            assert!(got.ends_with(TAKEN), "{wire:?}: {got}");
            assert_eq!(peer.content, content.as_bytes(), "{wire:?}");
            let events = peer.events();
            let message = format!("message 1 {}", content.len());
            assert_eq!(events, ["content 1", &message], "{wire:?}");
            assert_eq!(peer.send("MAIL FROM:<>\r\n"), "250 2.1.0 Sender OK\r\n");
        }
    }
    let offer = Capabilities::new()
        .with(Extension::EightBitMime)
        .with(Extension::BinaryMime);
    let config = config().line_breaks(LineBreaks::Normalize).offer(offer);
    let mut peer = Peer::greeted(config);
    peer.send("MAIL FROM:<> BODY=BINARYMIME\r\n");
    peer.send("RCPT TO:<a@x.example>\r\n");
    assert_eq!(peer.send("BDAT 4 LAST\r\n\na\r\r"), TAKEN);
    assert_eq!(peer.content, b"\na\r\r");
}

/// 1870-4-a, X-32: what becomes too large by that is refused, too, and the bytes that follow are
/// still counted.
#[test]
fn too_large_once_normalised() {
    let normalised = config().line_breaks(LineBreaks::Normalize);
    let mut peer = Peer::with_envelope(normalised.max_message_size(65_536));
    let content = "\n".repeat(40_000);
    assert_eq!(
        peer.send(&format!("BDAT 40000 LAST\r\n{content}NOOP\r\n")),
        "552 5.3.4 Message too large\r\n250 2.0.0 OK\r\n"
    );
    // What is announced, and the 25,536 bytes that there is room for.
    assert_eq!(peer.content, b"\r\n".repeat(25_536));
    assert_eq!(peer.events(), ["content 1", "reset 1 TooLarge"]);
}

/// 3030-2-q: bytes beyond the announced size are lines that are no commands.
#[test]
fn chunks_that_are_miscounted() {
    let mut peer = Peer::with_envelope(config());
    assert_eq!(
        peer.send("BDAT 2\r\nabcd\r\nNOOP\r\n"),
        "250 2.0.0 Chunk OK\r\n500 5.5.2 Command not recognised\r\n250 2.0.0 OK\r\n"
    );
    assert_eq!(peer.content, b"ab");
}

/// X-41: without CHUNKING, BDAT is no command.
#[test]
fn chunks_that_are_not_offered() {
    let mut peer = Peer::greeted(config().offer(Capabilities::new().with(Extension::Pipelining)));
    peer.send(ENVELOPE);
    assert_eq!(
        peer.send("BDAT 3\r\nabc\r\n"),
        "502 5.5.1 Command not implemented\r\n500 5.5.2 Command not recognised\r\n"
    );
}
