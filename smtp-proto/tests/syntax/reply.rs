use smtp_proto::syntax::{Class, Code, EnhancedCode, Reply, SyntaxErrorKind, parse_reply_line};

fn parse(bytes: &[u8]) -> Reply<'_> {
    Reply::parse(bytes).unwrap_or_else(|error| panic!("{}: {error}", bytes.escape_ascii()))
}

/// 5321-4.2-f, 5321-4.2.1-a
#[test]
fn codes() {
    for (value, class) in [
        (200, Class::Positive),
        (299, Class::Positive),
        (354, Class::Intermediate),
        (457, Class::Transient),
        (500, Class::Permanent),
        (599, Class::Permanent),
    ] {
        let code = Code::new(value).unwrap();
        assert_eq!(
            (code.value(), code.class(), code.to_string()),
            (value, class, value.to_string())
        );
    }
    for value in [0, 25, 99, 150, 199, 600, 999, 2500, u16::MAX] {
        assert_eq!(
            Code::new(value).unwrap_err().kind(),
            SyntaxErrorKind::OutOfRange
        );
    }
}

/// 5321-4.2-b, 5321-4.2-c, 5321-4.2-d, 5321-4.2-e
#[test]
fn replies() {
    for (bytes, code, lines) in [
        (&b"250 OK\r\n"[..], 250, &[&b"OK"[..]][..]),
        (b"250\r\n", 250, &[b""]),
        (b"250 \r\n", 250, &[b""]),
        (b"250-a\r\n250-\r\n250 b\r\n", 250, &[b"a", b"", b"b"]),
        (b"354-x\r\n354 y\r\n", 354, &[b"x", b"y"]),
        (b"250-a\r\n250\r\n", 250, &[b"a", b""]),
        (b"299 x\r\n", 299, &[b"x"]),
        (
            b"250-h hi\t\xe9\x1b-free\r\n250 -\r\n",
            250,
            &[b"h hi\t\xe9\x1b-free", b"-"],
        ),
    ] {
        let reply = parse(bytes);
        assert_eq!(reply.code().value(), code);
        assert_eq!(reply.lines().collect::<Vec<_>>(), lines);
        assert_eq!(reply.as_bytes(), bytes);
        let mut out = Vec::new();
        reply.write_to(&mut out);
        assert_eq!(out, bytes);
        assert_eq!(reply.clone().into_owned(), reply);
    }
}

/// REP-1, REP-4, REP-5, 5321-4.2-g, 5321-4.2-h
#[test]
fn malformed_replies() {
    for (bytes, at) in [
        (&b""[..], 0),
        (b"\r\n", 0),
        (b"25\r\n", 2),
        (b"2500 x\r\n", 3),
        (b"250x\r\n", 3),
        (b"099 x\r\n", 0),
        (b"150 x\r\n", 0),
        (b"600 x\r\n", 0),
        (b"abc\r\n", 0),
        (b"2 0 x\r\n", 0),
        (b"250 ok\n", 6),
        (b"250 ok\r", 7),
        (b"250 ok", 6),
        (b"250 o\rk\r\n", 5),
        (b"250 o\0k\r\n", 5),
        (b"250 ok\r\r\n", 6),
        (b"250-a\r\n", 7),
        (b"250-a\r\n250 b", 12),
        (b"250-a\r\n25x b\r\n", 7),
        (b"250 ok\r\n250 more\r\n", 8),
    ] {
        let error = Reply::parse(bytes).expect_err("malformed");
        assert_eq!(error.at(), at, "{}", bytes.escape_ascii());
    }
    let error = Reply::parse(b"250-a\r\n251 b\r\n").unwrap_err();
    assert_eq!(
        (error.kind(), error.at()),
        (SyntaxErrorKind::ContradictingCodes, 7)
    );
}

#[test]
fn reply_lines() {
    let line = parse_reply_line(b"250-PIPELINING").unwrap();
    assert_eq!(
        (line.code, line.is_last, line.text),
        (Code::OK, false, &b"PIPELINING"[..])
    );
    let line = parse_reply_line(b"354").unwrap();
    assert_eq!(
        (line.code, line.is_last, line.text),
        (Code::START_CONTENT, true, &b""[..])
    );
    let line = parse_reply_line(b"550  x ").unwrap();
    assert_eq!(
        (line.code, line.is_last, line.text),
        (Code::MAILBOX_UNAVAILABLE, true, &b" x "[..])
    );
    for (bytes, at) in [
        (&b""[..], 0),
        (b"25", 2),
        (b"250x", 3),
        (b"250\t", 3),
        (b"650 ", 0),
        (b"250 a\r", 5),
        (b"250 a\nb", 5),
        (b"250-\0", 4),
    ] {
        assert_eq!(
            parse_reply_line(bytes).unwrap_err().at(),
            at,
            "{}",
            bytes.escape_ascii()
        );
    }
}

/// 2034-4-g
#[test]
fn enhanced_codes_in_replies() {
    for (bytes, enhanced) in [
        (&b"250 2.1.0 ok\r\n"[..], EnhancedCode::new(2, 1, 0)),
        (b"550 5.7.509 x\r\n", EnhancedCode::new(5, 7, 509)),
        (
            b"550-5.7.1 a\r\n550 5.7.1 b\r\n",
            EnhancedCode::new(5, 7, 1),
        ),
        (b"250 2.0.0\r\n", EnhancedCode::new(2, 0, 0)),
        // So Cisco's mail gateways write it.
        (
            b"550 #5.1.0 Address rejected.\r\n",
            EnhancedCode::new(5, 1, 0),
        ),
        (b"550 ##5.1.0 x\r\n", None),
        (b"550 # 5.1.0 x\r\n", None),
        (b"250 Hello\r\n", None),
        (b"250 2.1.0x\r\n", None),
        (b"550 2.0.0 x\r\n", None),
        (b"354 2.0.0 x\r\n", None),
        (b"250\r\n", None),
    ] {
        assert_eq!(
            parse(bytes).enhanced(),
            enhanced,
            "{}",
            bytes.escape_ascii()
        );
    }
}

/// 5321-4.2-h, 5321-4.2-i, 2034-4-e
#[test]
fn composed_replies() {
    for (reply, bytes) in [
        (Reply::new(Code::OK, "ok"), &b"250 ok\r\n"[..]),
        (Reply::new(Code::OK, ""), b"250 \r\n"),
        (Reply::new(Code::OK, "2.1.0 ok"), b"250 2.1.0 ok\r\n"),
        (
            Reply::new(Code::OK, "a\n\nb\tc"),
            b"250-a\r\n250-\r\n250 b\tc\r\n",
        ),
        (
            Reply::new(Code::MAILBOX_UNAVAILABLE, "5.7.1 a\n5.7.1 b"),
            b"550-5.7.1 a\r\n550 5.7.1 b\r\n",
        ),
    ] {
        let reply = reply.unwrap();
        assert_eq!(reply.as_bytes(), bytes);
        assert_eq!(parse(bytes), reply);
    }
    let reply = Reply::new(Code::WILL_FORWARD, "δ").unwrap();
    assert!(!reply.is_ascii());
}

/// INJ-7, 2034-4-b, 2034-4-d
#[test]
fn replies_that_cannot_be_composed() {
    for (text, at, kind) in [
        ("ok\r\n250 x", 2, SyntaxErrorKind::UnexpectedByte),
        ("ok\rn", 2, SyntaxErrorKind::UnexpectedByte),
        ("a\nb\0", 3, SyntaxErrorKind::UnexpectedByte),
        ("\x1b[2J", 0, SyntaxErrorKind::UnexpectedByte),
        ("a\u{85}", 1, SyntaxErrorKind::UnexpectedByte),
        ("a\u{2028}", 1, SyntaxErrorKind::UnexpectedByte),
        ("4.1.1 x", 0, SyntaxErrorKind::ContradictingCodes),
        ("a\n5.1.1 x", 2, SyntaxErrorKind::ContradictingCodes),
    ] {
        let error = Reply::new(Code::OK, text).unwrap_err();
        assert_eq!((error.at(), error.kind()), (at, kind), "{text:?}");
    }
    assert!(Reply::new(Code::OK, &"x".repeat(506)).is_ok());
    assert_eq!(
        Reply::new(Code::OK, &"x".repeat(507)).unwrap_err().kind(),
        SyntaxErrorKind::TooLong
    );
    for code in [Code::OK, Code::START_CONTENT, Code::TRANSACTION_FAILED] {
        assert_eq!(
            Reply::new(code, "4.1.1 x").unwrap_err().kind(),
            SyntaxErrorKind::ContradictingCodes
        );
    }
    assert!(Reply::new(Code::START_CONTENT, "2.0.0 x").is_err());
}

/// INJ-6
#[test]
fn replies_are_shown_escaped() {
    let reply = parse(b"550-\x1b[2J\xff\r\n550 b\r\n");
    assert_eq!(reply.to_string(), r"550 \x1b[2J\xff / b");
    assert_eq!(format!("{reply:?}"), r#""550-\x1b[2J\xff\r\n550 b\r\n""#);
    assert_eq!(parse(b"250\r\n").to_string(), "250");
}
