//! Content by DATA: where it ends, and what is refused of it.

use crate::peer::{Decision, ENVELOPE, GO, Peer, TAKEN, WAYS, config, reply};
use smtp_proto::framing::LineBreaks;
use smtp_proto::machine::{Dialect, Fault, Misuse};
use smtp_proto::server::Config;

/// Returns a session in which content is to come by DATA.
fn at_content(config: Config) -> Peer {
    let mut peer = Peer::greeted(config);
    assert_eq!(peer.send(&format!("{ENVELOPE}DATA\r\n")), GO);
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
        for send in WAYS {
            let mut peer = at_content(config());
            let got = send(&mut peer, &smuggled);
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
    assert_eq!(peer.fault(), Some(Fault::TooMuchRefused));
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
            assert_eq!(peer.fault(), Some(Fault::ShutDown));
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
        let mut peer = Peer::with_envelope(config());
        begin.split(';').for_each(|flight| drop(peer.send(flight)));
        peer.events();
        peer.server.shut_down(reply(bye)).unwrap();
        assert_eq!(peer.send("cdNOOP\r\n.\r\nNOOP\r\n"), format!("{bye}\r\n"));
        peer.poll();
        assert_eq!(peer.events(), ["reset 1 Ended"]);
        assert!(peer.server.is_closed());
        assert_eq!(peer.fault(), Some(Fault::ShutDown));
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
