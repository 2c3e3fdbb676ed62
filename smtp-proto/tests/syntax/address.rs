use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use smtp_proto::syntax::{
    AddressError, AddressLiteral, ForwardPath, Host, Mailbox, ReversePath, SyntaxErrorKind,
};

use super::written;

/// 5321-4.1.2-e, 5321-4.1.2-f
#[test]
fn domains() {
    for text in [
        "a",
        "a-b.c1",
        "1.2",
        "a--b",
        "xn--e1afmkfd.example",
        "192.0.2.1",
    ] {
        let host = Host::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((host.as_str(), host.literal()), (text, None));
    }
    for (text, at) in [
        ("", 0),
        ("-a", 0),
        ("a-", 2),
        ("a..b", 2),
        ("a.", 2),
        (".a", 0),
        ("a_b", 1),
        ("a-.b", 2),
        ("a.-b", 2),
        ("a b", 1),
        ("a\0", 1),
        ("a\r\n", 1),
        ("#1234", 0),     // 5321-4.1.3-e
        ("δ.example", 0), // 6531-3.7.1-a
    ] {
        assert_eq!(
            Host::parse(text).map_err(|error| error.at()).err(),
            Some(at),
            "{text}"
        );
    }
    assert_eq!(
        Host::parse("a-").unwrap_err().kind(),
        SyntaxErrorKind::UnexpectedEnd
    );
    assert_eq!(
        Host::parse("a_b").unwrap_err().kind(),
        SyntaxErrorKind::UnexpectedByte
    );
}

/// 5321-4.5.3-a, 5321-4.5.3-b
#[test]
fn lengths() {
    let longest = "a.".repeat(127) + "a";
    assert_eq!(Host::parse(&longest).unwrap().as_str().len(), 255);
    let error = Host::parse(&format!("{longest}b")).unwrap_err();
    assert_eq!((error.kind(), error.at()), (SyntaxErrorKind::TooLong, 255));

    let path = format!("<{}@{}>", "u".repeat(64), "d".repeat(189));
    assert_eq!(path.len(), 256);
    assert!(ForwardPath::parse(&path).is_ok());
    assert!(ReversePath::parse(&path).is_ok());
    let path = format!("<{}@{}>", "u".repeat(64), "d".repeat(190));
    assert_eq!(
        ForwardPath::parse(&path).unwrap_err().kind(),
        SyntaxErrorKind::TooLong
    );
    // The source route counts.
    let path = format!("<@{}:u@d>", "r".repeat(250));
    assert_eq!(path.len(), 257);
    assert_eq!(
        ReversePath::parse(&path).unwrap_err().kind(),
        SyntaxErrorKind::TooLong
    );
    assert!(ReversePath::parse(&format!("<@{}:u@d>", "r".repeat(249))).is_ok());
    // 6531-3.2-c: bytes count, not characters.
    assert!(Mailbox::parse(&format!("{}@d", "u".repeat(252))).is_ok());
    assert_eq!(
        Mailbox::parse(&format!("{}@d", "δ".repeat(127)))
            .unwrap_err()
            .kind(),
        SyntaxErrorKind::TooLong
    );
}

/// 5321-4.1.3-a, 5321-4.1.3-b, 5321-4.1.3-c, 5321-4.1.3-d
#[test]
fn literals() {
    let parse =
        |text: &'static str| Host::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    for (text, address) in [
        ("[192.0.2.1]", Ipv4Addr::new(192, 0, 2, 1)),
        ("[0.0.0.0]", Ipv4Addr::UNSPECIFIED),
        ("[010.000.002.255]", Ipv4Addr::new(10, 0, 2, 255)),
    ] {
        assert_eq!(
            parse(text).literal(),
            Some(AddressLiteral::Ipv4(address)),
            "{text}"
        );
    }
    for (text, address) in [
        ("[IPv6:::1]", "::1"),
        ("[ipv6:2001:db8::a:b]", "2001:db8::a:b"),
        ("[IPv6:::ffff:192.0.2.1]", "::ffff:192.0.2.1"),
        ("[IPv6:1:2:3:4:5:6:7:8]", "1:2:3:4:5:6:7:8"),
        ("[IPv6:1:2:3:4:5:6:7::]", "1:2:3:4:5:6:7:0"),
    ] {
        let address: Ipv6Addr = address.parse().unwrap();
        assert_eq!(
            parse(text).literal(),
            Some(AddressLiteral::Ipv6(address)),
            "{text}"
        );
    }
    assert_eq!(
        parse("[x-foo:abc]").literal(),
        Some(AddressLiteral::General {
            tag: "x-foo",
            content: "abc"
        })
    );
    for text in [
        "[256.0.0.1]",
        "[1.2.3]",
        "[1.2.3.4",
        "[1.2.3.4.5]",
        "[1.2.3.4]x",
        "[0001.2.3.4]",
        "[+1.2.3.4]",
        "[1..2.3]",
        "[]",
        "[2001:db8::1]",
        "[IPv6:1::2::3]",
        "[IPv6:12345::]",
        "[IPv6:1:2:3:4:5:6:7:8:9]",
        "[IPv6:]",
        "[IPv6:fe80::1%eth0]",
        "[tag:]",
        "[:x]",
        "[-:x]",
        "[a b:c]",
        "[a:b c]",
        "[a:b\\c]",
        "[a:b\r]",
        "[x-foo:δ]",
    ] {
        assert!(Host::parse(text).is_err(), "{text}");
        assert!(Mailbox::parse(&format!("u@{text}")).is_err(), "u@{text}");
    }
    assert_eq!(Host::from(Ipv4Addr::LOCALHOST), parse("[127.0.0.1]"));
    assert_eq!(Host::from(Ipv6Addr::LOCALHOST), parse("[IPv6:::1]"));
}

/// 5321-4.1.2-g, 5321-4.1.2-h, 5321-4.1.2-k, 6531-3.2-a, 6531-3.3-a
#[test]
fn mailboxes() {
    for (text, local_part, unquoted, host) in [
        ("a.b!#$@x.example", "a.b!#$", "a.b!#$", "x.example"),
        ("a+b%c!d@x", "a+b%c!d", "a+b%c!d", "x"), // 5321-2.3.11-a
        ("JoHn@X.example", "JoHn", "JoHn", "X.example"), // 5321-2.4-b
        (r#""a b"@x"#, r#""a b""#, "a b", "x"),
        (r#""a\"b"@x"#, r#""a\"b""#, "a\"b", "x"),
        (r#""a\\"@x"#, r#""a\\""#, r"a\", "x"),
        (r#""\\\"\a"@x"#, r#""\\\"\a""#, r#"\"a"#, "x"),
        (r#""@"@x"#, r#""@""#, "@", "x"),
        (r#"">"@x"#, r#"">""#, ">", "x"),
        (r#"""@x"#, r#""""#, "", "x"),
        ("u@[192.0.2.1]", "u", "u", "[192.0.2.1]"),
        ("δ@x.example", "δ", "δ", "x.example"),
        ("a..b@x", "a..b", "a..b", "x"),
        (".a.@x", ".a.", ".a.", "x"),
        ("a@x_y.example.", "a", "a", "x_y.example."),
        ("a@_dmarc.example", "a", "a", "_dmarc.example"),
        // What needs quotes need not have them.
        (r#""a..b"@x"#, r#""a..b""#, "a..b", "x"),
        ("\"δ b\"@пример.example", "\"δ b\"", "δ b", "пример.example"),
    ] {
        let mailbox = Mailbox::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(mailbox.as_str(), text);
        assert_eq!(mailbox.local_part(), local_part);
        assert_eq!(mailbox.unquoted_local_part(), unquoted);
        assert_eq!(mailbox.host().as_str(), host);
        assert_eq!(mailbox.is_ascii(), text.is_ascii());
        assert_eq!(mailbox.clone().into_owned(), mailbox);
    }
    for (text, at) in [
        ("", 0),
        (".@x", 0),
        ("..@x", 0),
        ("a@x..", 4),
        ("a@.x", 2),
        ("a@x_y..z", 6),
        ("a@-x", 2),
        ("a\u{200b}@x", 1),
        ("a@x\u{feff}", 3),
        ("a b@x", 1),
        ("@x", 0),
        ("a@", 2),
        ("a", 1),
        ("a@b@c", 3),
        (r#""a@x"#, 4),
        (r#""a"b@x"#, 3),
        (r#""a"."b"@x"#, 3),
        ("\"a\tb\"@x", 2),
        ("\"a\\\tb\"@x", 3),
        ("\"a\\δ\"@x", 3),
        ("\"a\\", 3),
        ("a\0@x", 1),
        ("\"a\0\"@x", 2),
        ("a\x7f@x", 1),
        ("a> NOTIFY=NEVER", 1), // INJ-2
        ("a@b> SIZE=1", 3),
        ("a@b\r\nRSET", 3),
        ("\"a\r\nRSET\"@b", 2),
        ("δ b@x", 2),
        ("a\u{85}b@x", 1), // INJ-5
        ("a@x\u{2028}", 3),
        ("\"\u{2029}\"@x", 1),
    ] {
        assert_eq!(
            Mailbox::parse(text).map_err(|error| error.at()).err(),
            Some(at),
            "{text:?}"
        );
    }
}

/// 5321-4.1.2-i, 5321-2.4-c
#[test]
fn mailboxes_compare_unquoted() {
    let parse = |text| Mailbox::parse(text).unwrap();
    let same = [r#""abc"@x"#, "abc@x", r#""\a\b\c"@X"#].map(parse);
    assert_eq!(same.iter().collect::<HashSet<_>>().len(), 1);
    assert_ne!(parse("Abc@x"), parse("abc@x"));
    assert_ne!(parse("abc@y"), parse("abc@x"));
    assert_eq!(
        Host::parse("A.Example").unwrap(),
        Host::parse("a.eXAMPLE").unwrap()
    );
}

/// 5321-4.1.2-j
#[test]
fn composed_mailboxes_have_the_least_quoting() {
    for (local_part, text) in [
        ("abc", "abc@x"),
        ("a.b", "a.b@x"),
        ("a b", r#""a b"@x"#),
        ("a\"b", r#""a\"b"@x"#),
        ("a\\b", r#""a\\b"@x"#),
        ("a..b", r#""a..b"@x"#),
        (".", r#""."@x"#),
        ("", r#"""@x"#),
        ("\"abc\"", r#""\"abc\""@x"#),
        ("a@b", r#""a@b"@x"#),
        ("δ", "δ@x"),
    ] {
        let mailbox = Mailbox::new(local_part, "x").unwrap();
        assert_eq!(mailbox.as_str(), text);
        assert_eq!(mailbox.unquoted_local_part(), local_part);
        assert_eq!(mailbox, Mailbox::parse(text).unwrap());
    }
    for (local_part, host) in [
        ("a\r\nb", "x"),
        ("a\0", "x"),
        ("a\u{85}", "x"),
        ("a", "b@c"),
        ("\"", "x\"@y"),
        ("a", "x> SIZE=1"),
        ("a", ""),
        (&"a".repeat(253), "x"),
    ] {
        assert!(
            Mailbox::new(local_part, host).is_err(),
            "{local_part:?} {host:?}"
        );
    }
}

/// 5321-4.1.2-a, 5321-4.1.2-b, 5321-4.1.1.3-a, 5321-4.1.1.3-c, 5321-4.1.1.3-e, CMD-14, 5321-4.5.1-b
#[test]
fn paths() {
    assert_eq!(ReversePath::parse("<>"), Ok(ReversePath::Null));
    assert!(ReversePath::parse("").is_err());
    for text in ["u@d", "<u@d>", "<@a,@b:u@d>", "<@a.example:u@d>"] {
        let mailbox = Mailbox::parse("u@d").unwrap();
        assert_eq!(
            ReversePath::parse(text),
            Ok(mailbox.clone().into()),
            "{text}"
        );
        assert_eq!(ForwardPath::parse(text), Ok(mailbox.into()), "{text}");
    }
    for text in ["<Postmaster>", "<pOsTmAsTeR>", "postmaster"] {
        assert_eq!(ForwardPath::parse(text), Ok(ForwardPath::Postmaster));
    }
    // 5321-2.4-c, 5321-4.1.1.3-a
    for (path, is_of) in [
        ("<u@D.Example>", true),
        ("<Postmaster>", true),
        ("<u@sub.d.example>", false),
        ("<\"u@d.example\"@x>", false),
    ] {
        let path = ForwardPath::parse(path).unwrap();
        assert_eq!(path.is_of("d.example"), is_of, "{path}");
    }
    let qualified = ForwardPath::parse("<Postmaster@d>").unwrap();
    assert_eq!(qualified.mailbox().unwrap().as_str(), "Postmaster@d");

    for text in [
        "",
        "<",
        "<u@d",
        "u@d>",
        "@a:u@d",
        "u@d SIZE=1",
        "< u@d>",
        "<u@d >",
        "<u@d>>",
        "<@a:@b:u@d>",
        "<@a,b:u@d>",
        "<@a,:u@d>",
        "<@a u@d>",
        "<@:u@d>",
        "<@[1.2.3.4]:u@d>",
        "<u>",
        "<<>>",
        "<u@d>\r\n",
        "<u@d\n>",
    ] {
        assert!(ReversePath::parse(text).is_err(), "{text:?}");
        assert!(ForwardPath::parse(text).is_err(), "{text:?}");
    }
    assert!(ForwardPath::parse("<>").is_err());
    assert!(ReversePath::parse("<Postmaster>").is_err());
    assert!(ForwardPath::parse("Postmaster x").is_err());
    assert!(ReversePath::parse(&format!("<{}:u@d>", ["@a"; 100_000].join(","))).is_err());
}

/// A recipient that only its server knows. None is made of an address that lacks its domain by mistake.
#[test]
fn recipients_without_a_domain() {
    for (text, written_as, unquoted) in [
        ("bob", "<bob>", "bob"),
        ("<Bob.Smith+x>", "<Bob.Smith+x>", "Bob.Smith+x"),
        ("\"john doe\"", "<\"john doe\">", "john doe"),
        ("<\"a@b\">", "<\"a@b\">", "a@b"),
        ("δ", "<δ>", "δ"),
    ] {
        assert!(ForwardPath::parse(text).is_err(), "{text}");
        let path = ForwardPath::local(text).unwrap();
        assert_eq!(written(|out| path.write_to(out)), written_as);
        assert_eq!(path.to_string(), written_as);
        assert_eq!(path.is_ascii(), text.is_ascii());
        assert_eq!(path.mailbox(), None);
        assert!(path.is_of("example.org"), "of the server's own domains");
        assert_eq!(path.clone().into_owned(), path);
        let ForwardPath::Local(name) = path else {
            panic!("{path}");
        };
        assert_eq!(name.as_str(), text.trim_matches(['<', '>']));
        assert_eq!(name.unquoted(), unquoted);
    }
    let names = ["bob", "\"bob\"", "\"b\\ob\""].map(|it| ForwardPath::local(it).unwrap());
    assert_eq!(names[0], names[1]);
    assert_eq!(names[0], names[2]);
    assert_ne!(names[0], ForwardPath::local("Bob").unwrap());
    // 5321-4.5.1-a: that one has its place already.
    for text in ["postmaster", "<POSTMASTER>", "\"Postmaster\""] {
        assert_eq!(ForwardPath::local(text), Ok(ForwardPath::Postmaster));
    }
    let long = "x".repeat(254);
    assert!(ForwardPath::local(&long).is_ok());
    let longer = "x".repeat(255);
    for text in [
        "",
        "<>",
        "<bob",
        "bob>",
        "a b",
        "a@b",
        "@",
        "..",
        "\"a",
        "<@r:bob>",
        "bob\r\n",
        "a\u{200b}",
        &longer,
    ] {
        assert!(ForwardPath::local(text).is_err(), "{text:?}");
    }
    assert_eq!(
        ForwardPath::local("a@b").unwrap_err().to_string(),
        "expected a name without a domain, such as bob, found \"a@b\" (unexpected byte at byte 1)"
    );
}

/// 5321-3.6-b
#[test]
fn paths_are_written_in_brackets() {
    for (path, text) in [
        (ForwardPath::parse("<POSTMASTER>").unwrap(), "<Postmaster>"),
        (ForwardPath::parse("<@r:JoHn@X>").unwrap(), "<JoHn@X>"),
        (ForwardPath::parse("δ@x").unwrap(), "<δ@x>"),
    ] {
        assert_eq!(written(|out| path.write_to(out)), text);
        assert_eq!(path.to_string(), text);
        assert_eq!(path.is_ascii(), text.is_ascii());
        assert_eq!(path.clone().into_owned(), path);
    }
    let null = ReversePath::Null;
    assert_eq!(
        (written(|out| null.write_to(out)), null.to_string()),
        ("<>".into(), "<>".into())
    );
    assert!(null.is_ascii());
    let path = ReversePath::parse("u@d").unwrap();
    assert_eq!(written(|out| path.write_to(out)), "<u@d>");
    assert_eq!(path.to_string(), "<u@d>");
}

/// Strings become addresses, with and without angle brackets; the errors quote them.
#[test]
fn conversions() {
    for text in ["u@d.example", "<u@d.example>"] {
        let mailbox: Mailbox<'static> = text.parse().unwrap();
        assert_eq!(mailbox.as_str(), "u@d.example");
        assert_eq!(Mailbox::try_from(text).unwrap(), mailbox);
        let sender: ReversePath<'static> = text.parse().unwrap();
        assert_eq!(sender, ReversePath::from(mailbox.clone()));
        assert_eq!(ReversePath::try_from(text).unwrap(), sender);
        let recipient: ForwardPath<'static> = text.parse().unwrap();
        assert_eq!(recipient, ForwardPath::from(mailbox));
        assert_eq!(ForwardPath::try_from(text).unwrap(), recipient);
    }
    let host: Host<'static> = "[192.0.2.1]".parse().unwrap();
    assert_eq!(Host::try_from("[192.0.2.1]").unwrap(), host);
    // Strings that are owned, and those of a list.
    let owned = String::from("u@d.example");
    let listed = ForwardPath::try_from(&owned).unwrap();
    assert_eq!(ForwardPath::try_from(owned.clone()).unwrap(), listed);
    let sender: ReversePath<'static> = owned.clone().try_into().unwrap();
    assert_eq!(ReversePath::try_from(&owned).unwrap(), sender);

    let shown = |error: AddressError| error.to_string();
    assert_eq!(
        shown("a b@c".parse::<Mailbox<'_>>().unwrap_err()),
        "expected a mailbox such as user@example.org, found \"a b@c\" (unexpected byte at byte 1)"
    );
    assert_eq!(
        shown("".parse::<ReversePath<'_>>().unwrap_err()),
        "expected a mailbox such as user@example.org, or <>, found \"\" (something is missing at \
         byte 0)"
    );
    assert_eq!(
        shown("<>".parse::<ForwardPath<'_>>().unwrap_err()),
        "expected a mailbox such as user@example.org, or Postmaster, found \"<>\" (unexpected byte \
         at byte 1)"
    );
    assert_eq!(
        shown("mail.example.org.".parse::<Host<'_>>().unwrap_err()),
        "expected a domain such as mail.example.org or an address such as [192.0.2.1], found \
         \"mail.example.org.\" (something is missing at byte 17)"
    );
    assert!(shown("<u@d".parse::<Mailbox<'_>>().unwrap_err()).contains("(something is missing"));
    // What is quoted is safe to show, and bounded.
    let hostile = "a\r\n\u{1b}[2J\u{202e}@x".parse::<Mailbox<'_>>();
    let hostile = shown(hostile.unwrap_err());
    assert!(
        !hostile
            .chars()
            .any(|each| each.is_control() || each == '\u{202e}')
    );
    let long = "δ".repeat(100_000).parse::<Mailbox<'_>>().unwrap_err();
    assert!(shown(long).len() < 1000);
}
