//! Content: where it ends, what is refused of it, chunks.

use crate::peer::{Decision, Peer, config, reply};
use smtp_proto::framing::LineBreaks;
use smtp_proto::machine::{Dialect, Fault, Misuse};
use smtp_proto::server::{Config, Event};
use smtp_proto::syntax::{Capabilities, Extension};

const ENVELOPE: &str = "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\n";
const GO: &str = "250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n\
                  354 End content with <CRLF>.<CRLF>\r\n";
const TAKEN: &str = "250 2.0.0 Message accepted\r\n";

/// Returns a session in which content is to come by DATA.
fn at_content(config: Config) -> Peer {
    let mut peer = Peer::greeted(config);
    assert_eq!(peer.send(&format!("{ENVELOPE}DATA\r\n")), GO);
    peer.events();
    peer
}

/// Returns a session with an envelope, for BDAT.
fn at_chunks(config: Config) -> Peer {
    let mut peer = Peer::greeted(config);
    peer.send(ENVELOPE);
    peer.events();
    peer
}

/// EOD-1..EOD-6, EOD-8, 5321-4.1.1.4-f, 5321-4.1.1.4-g: none of these ends content, whole or byte
/// by byte; those with a bare CR or LF are refused at the true end.
#[test]
fn false_ends() {
    for (fake, is_bare) in [
        ("\n.\n", true),
        ("\n.\r\n", true),
        ("\r\n.\n", true),
        ("\r.\r", true),
        ("\r.\n", true),
        ("\n.\r", true),
        ("\r.\r\n", true),
        ("\r\n.\r", true),
        ("\r\n.\rx", true),
        ("\r\n\0.\r\n", false),
        ("\r\n.\0\r\n", false),
        ("\r\n.\r\r\n", true),
        ("\r\r\n.\r\r\n", true),
        ("\r\n. \r\n", false),
        ("\r\n .\r\n", false),
        ("\r\n..\r\n", false),
        ("\r\n.x\r\n", false),
    ] {
        let smuggled =
            format!("a{fake}MAIL FROM:<evil@x.example>\r\nRCPT TO:<e@x.example>\r\nDATA\r\n");
        for bytewise in [false, true] {
            let mut peer = at_content(config());
            let got = match bytewise {
                false => peer.send(&smuggled),
                true => peer.trickle(&smuggled),
            };
            assert_eq!(got, "", "{fake:?}");
            let expected = match is_bare {
                true => "550 5.6.0 Content has a bare CR or LF\r\n",
                false => TAKEN,
            };
            assert_eq!(peer.send(".\r\n"), expected, "{fake:?}");
            assert_eq!(peer.send("NOOP\r\n"), "250 2.0.0 OK\r\n", "{fake:?}");
            let events = peer.events();
            assert!(!events.iter().any(|it| it.starts_with("mail")), "{fake:?}");
            let refused = events.contains(&"reset 1 BareLineBreak".to_owned());
            assert_eq!(refused, is_bare, "{fake:?}");
            let message = events.iter().any(|it| it.starts_with("message"));
            assert_eq!(message, !is_bare, "{fake:?}");
        }
    }
}

/// EOD-7: a bare CR before the true end; the message is refused, and the session in step.
#[test]
fn a_bare_cr_before_the_end() {
    let mut peer = at_content(config());
    assert_eq!(
        peer.send("a\r\r\n.\r\nNOOP\r\n"),
        "550 5.6.0 Content has a bare CR or LF\r\n250 2.0.0 OK\r\n"
    );
}

/// EOD-9, 5321-4.1.1.4-c
#[test]
fn empty_content() {
    let mut peer = at_content(config());
    assert_eq!(peer.send(".\r\n"), TAKEN);
    assert_eq!(peer.events(), ["message 1 0"]);
}

/// EOD-10, 5321-4.5.2-b, 5321-4.5.2-c, X-1, 1870-5-a
#[test]
fn the_end_at_every_split() {
    let wire = "..a\r\n.b\r\n...\r\n.\r\nRSET\r\nMAIL FROM:<c@x.example>\r\n";
    for split in 0..=wire.len() {
        let mut peer = at_content(config());
        let mut got = peer.send(&wire[..split]);
        got += &peer.send(&wire[split..]);
        assert_eq!(
            got,
            format!("{TAKEN}250 2.0.0 OK\r\n250 2.1.0 Sender OK\r\n"),
            "split at {split}"
        );
        assert_eq!(peer.content, b".a\r\nb\r\n..\r\n", "split at {split}");
        assert_eq!(
            peer.events(),
            ["content 1", "message 1 11", "mail 2 <c@x.example>"],
            "split at {split}"
        );
    }
}

/// EOD-11, 3030-2-o: smuggled BDAT is content.
#[test]
fn smuggled_chunks() {
    let mut peer = at_content(config());
    assert_eq!(
        peer.send("x\n.\nRSET\r\nMAIL FROM:<e@x.example>\r\nRCPT TO:<e@x.example>\r\nBDAT 4 LAST\r\nevil\r\n.\r\n"),
        "550 5.6.0 Content has a bare CR or LF\r\n"
    );
    assert!(!peer.events().iter().any(|it| it.starts_with("mail")));
}

/// 5321-4.1.1.4-g: normalised, on demand; still no end.
#[test]
fn normalised_line_breaks() {
    let mut peer = at_content(config().line_breaks(LineBreaks::Normalize));
    assert_eq!(peer.send("a\n.\nb\rc\r\n.\r\n"), TAKEN);
    assert_eq!(peer.content, b"a\r\n.\r\nb\r\nc\r\n");
}

/// 5321-4.1.1.4-a, 6152-3-b, 5321-2.4-f, 5321-3.3-j, 5321-3.7.2-a, 5321-6.4-a, 3030-3-f, 6152-3-e:
/// every other byte stays as it is.
#[test]
fn any_bytes() {
    let mut peer = at_content(config());
    let bytes: Vec<u8> = (0..=255).filter(|it| !b"\r\n".contains(it)).collect();
    let mut wire = bytes.clone();
    wire.extend_from_slice(b"\r\n.\r\n");
    assert_eq!(peer.send_bytes(&wire), TAKEN);
    assert_eq!(peer.content, [&bytes[..], b"\r\n"].concat());
}

/// 5321-3.3-f, X-11
#[test]
fn commands_in_content_are_content() {
    let mut peer = at_content(config());
    assert_eq!(peer.send("QUIT\r\nRSET\r\n.\r\n"), TAKEN);
    assert_eq!(peer.events(), ["content 1", "message 1 12"]);
}

/// 1870-4-a, 1870-6-b, CMD-12, 1870-6.3-a: swallowed to the end, then 552.
#[test]
fn too_large_by_data() {
    let mut peer = at_content(config().max_message_size(65_536));
    peer.send(&"x".repeat(65_536));
    assert_eq!(peer.events(), ["content 1"]);
    peer.send("x");
    assert_eq!(peer.events(), ["reset 1 TooLarge"]);
    assert_eq!(peer.send("\r\n.\r\n"), "552 5.3.4 Message too large\r\n");
    assert_eq!(peer.events(), [""; 0]);
    assert_eq!(peer.content.len(), 65_536);
    assert_eq!(
        peer.send("DATA\r\n"),
        "503 5.5.1 Bad sequence of commands\r\n"
    );
}

/// BDT-7: beyond half as much again the connection is closed.
#[test]
fn far_too_large() {
    let mut peer = at_content(config().max_message_size(65_536));
    assert_eq!(peer.send(&"x".repeat(98_304)), "");
    assert_eq!(
        peer.send("x"),
        "552 5.3.4 Too much of what is refused, closing connection\r\n"
    );
    peer.poll();
    assert_eq!(
        peer.error.as_ref().map(|it| it.fault()),
        Some(Fault::TooMuchRefused)
    );
}

/// The application refuses before the end; the verdict comes at the end (RFC 5321 4.1.1.4).
#[test]
fn refused_early_by_data() {
    let mut peer = at_content(config());
    peer.send("x\r\n");
    let id = peer.transaction.unwrap();
    peer.server
        .refuse_content(id, reply("554 5.7.1 spam"))
        .unwrap();
    assert_eq!(
        peer.server.refuse_content(id, reply("554 5.7.1 spam")),
        Err(Misuse::UnknownMessage)
    );
    assert_eq!(peer.send("y\r\n"), "");
    assert_eq!(
        peer.send(".\r\nNOOP\r\n"),
        "554 5.7.1 spam\r\n250 2.0.0 OK\r\n"
    );
    assert_eq!(peer.content, b"x\r\n");
    assert_eq!(peer.events(), ["content 1"]);
}

/// X-6, 5321-3.8-b: 421 ends the session in mid-content, after what is owed; nothing more is taken,
/// which the client could not account for.
#[test]
fn closed_in_mid_content() {
    for dialect in [Dialect::Smtp, Dialect::Lmtp] {
        let hello = if dialect == Dialect::Smtp {
            "EHLO"
        } else {
            "LHLO"
        };
        for (begin, rest) in [
            ("DATA\r\n;x\r\n", "y\r\n.\r\n"),
            ("BDAT 4\r\nab", "cdBDAT 1 LAST\r\nx"),
            ("BDAT 1\r\na", "BDAT 1 LAST\r\nx"),
            ("BDAT 4 LAST\r\nab", "cd"),
        ] {
            let mut peer = Peer::silent(config().dialect(dialect));
            peer.send("");
            peer.send(&format!("{hello} c.example\r\n"));
            peer.send("MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nRCPT TO:<b@b.example>\r\n");
            begin.split(';').for_each(|flight| drop(peer.send(flight)));
            let id = peer.transaction.unwrap();
            peer.events();
            let bye = "421 4.3.2 mx.example going down";
            peer.server.refuse_content(id, reply(bye)).unwrap();
            let again = peer.server.refuse_content(id, reply(bye));
            assert_eq!(again, Err(Misuse::UnknownMessage));
            let next = format!("{rest}MAIL FROM:<>\r\n");
            assert_eq!(peer.send(&next), format!("{bye}\r\n"), "{begin:?}");
            peer.poll();
            assert_eq!(peer.events(), [""; 0], "{begin:?}");
            assert!(peer.server.is_closed());
            assert_eq!(peer.error.unwrap().fault(), Fault::ShutDown);
        }
    }
}

/// 5321-3.8-a: 421 alone closes. Whatever else a reply says of the connection, it is given as it is, where
/// one is due, and the session goes on.
#[test]
fn other_replies_do_not_close() {
    for bye in [
        "521 5.3.2 not here, closing",
        "554 5.7.1 closing connection",
    ] {
        let mut peer = at_content(config());
        peer.send("x\r\n");
        let id = peer.transaction.unwrap();
        peer.server.refuse_content(id, reply(bye)).unwrap();
        let got = peer.send("y\r\n.\r\nNOOP\r\n");
        assert_eq!(got, format!("{bye}\r\n250 2.0.0 OK\r\n"));

        // So at the end of the content.
        let mut peer = at_content(config()).deciding(move |_| Decision::Reply(bye));
        let got = peer.send("x\r\n.\r\nNOOP\r\n");
        assert_eq!(got, format!("{bye}\r\n250 2.0.0 OK\r\n"));
    }
}

/// The application ends the session in mid-content, in words that are no 421: for good, where a 421 would
/// have the client send it all again.
#[test]
fn shut_down_in_mid_content() {
    let bye = "554 5.7.1 mx.example takes nothing more from you";
    for begin in ["DATA\r\n;x\r\n", "BDAT 4\r\nab", "BDAT 4 LAST\r\nab"] {
        let mut peer = at_chunks(config());
        begin.split(';').for_each(|flight| drop(peer.send(flight)));
        peer.events();
        peer.server.shut_down(reply(bye)).unwrap();
        assert_eq!(peer.send("cdNOOP\r\n.\r\nNOOP\r\n"), format!("{bye}\r\n"));
        peer.poll();
        assert_eq!(peer.events(), ["reset 1 Ended"]);
        assert!(peer.server.is_closed());
        assert_eq!(peer.error.unwrap().fault(), Fault::ShutDown);
    }
}

/// X-7: the application refuses a chunk; 503 until RSET (3030-2-j, 3030-2-l).
#[test]
fn refused_early_by_chunk() {
    let mut peer = at_chunks(config());
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
    let mut peer = at_chunks(config());
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
    for bytewise in [false, true] {
        let mut peer = Peer::greeted(config());
        let stream = one.repeat(5);
        let got = match bytewise {
            false => peer.send(&stream),
            true => peer.trickle(&stream),
        };
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
        let mut peer = at_chunks(config());
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
    let mut peer = at_chunks(config());
    assert_eq!(
        peer.send("BDAT 1 LAST\r\nxBDAT 4\r\nQUITNOOP\r\n"),
        format!("{TAKEN}503 5.5.1 Bad sequence of commands\r\n250 2.0.0 OK\r\n")
    );
}

/// BDT-7, BDT-10, 3030-2-t, X-32: over the limit the chunk is swallowed and answered 552; those
/// after it 503.
#[test]
fn too_large_by_chunks() {
    let mut peer = at_chunks(config().max_message_size(65_536));
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
        let mut peer = at_chunks(config());
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
    let mut peer = at_chunks(config());
    assert_eq!(peer.send("BDAT 6\r\nstale\r"), CHUNK_OK);
    peer.send("RSET\r\n");
    peer.send(ENVELOPE);
    let reply = peer.send("BDAT 5 LAST\r\n\nnew\r");
    assert_eq!(reply, "550 5.6.0 Content has a bare CR or LF\r\n");
}

/// A last chunk over the limit ends its message.
#[test]
fn too_large_by_the_last_chunk() {
    let mut peer = at_chunks(config().max_message_size(65_536));
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
        for bytewise in [false, true] {
            let mut peer = at_chunks(config());
            let got = match bytewise {
                false => peer.send(wire),
                true => peer.trickle(wire),
            };
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
        for bytewise in [false, true] {
            let mut peer = at_chunks(config().line_breaks(LineBreaks::Normalize));
            let got = match bytewise {
                false => peer.send(wire),
                true => peer.trickle(wire),
            };
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
    let mut peer = at_chunks(normalised.max_message_size(65_536));
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
    let mut peer = at_chunks(config());
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
