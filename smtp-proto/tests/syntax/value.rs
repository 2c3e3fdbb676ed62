use smtp_proto::syntax::{
    BodyType, EnhancedCode, MailParameters, Parameter, RcptParameters, SyntaxErrorKind, xtext,
};

use super::written;

/// 5321-4.1.2-c
#[test]
fn parameters() {
    let parameters = MailParameters::parse("SIZE=5 body=8bitmime Y SMTPUTF8 X=δ;").unwrap();
    assert_eq!(parameters.size, Some(5));
    assert_eq!(parameters.body, Some(BodyType::EightBitMime));
    assert!(parameters.smtp_utf8);
    let others: Vec<_> = parameters
        .others()
        .map(|each| (each.keyword(), each.value()))
        .collect();
    assert_eq!(others, [("Y", None), ("X", Some("δ;"))]);
    assert_eq!(
        written(|out| parameters.write_to(out)),
        " SMTPUTF8 SIZE=5 BODY=8BITMIME Y X=δ;"
    );

    let none = MailParameters::parse("").unwrap();
    assert_eq!(none, MailParameters::default());
    assert_eq!(written(|out| none.write_to(out)), "");
}

#[test]
fn malformed_parameters() {
    for (text, at, kind) in [
        ("X=", 2, SyntaxErrorKind::UnexpectedEnd),
        ("X=a=b", 3, SyntaxErrorKind::UnexpectedByte),
        ("=a", 0, SyntaxErrorKind::UnexpectedByte),
        ("-X", 0, SyntaxErrorKind::UnexpectedByte),
        ("X_Y", 1, SyntaxErrorKind::UnexpectedByte),
        ("ключ=1", 0, SyntaxErrorKind::UnexpectedByte),
        ("A  B", 2, SyntaxErrorKind::UnexpectedByte),
        ("A ", 2, SyntaxErrorKind::UnexpectedEnd),
        ("A=1\r\nRSET", 3, SyntaxErrorKind::UnexpectedByte),
        ("A=\u{85}", 2, SyntaxErrorKind::UnexpectedByte),
        ("A B a=1", 4, SyntaxErrorKind::Duplicate),
    ] {
        let error = MailParameters::parse(text).expect_err(text).error();
        assert_eq!((error.at(), error.kind()), (at, kind), "{text:?}");
        let error = RcptParameters::parse(text).expect_err(text).error();
        assert_eq!((error.at(), error.kind()), (at, kind), "{text:?}");
    }
    let many: Vec<_> = (0..33).map(|number| format!("A{number}")).collect();
    assert!(MailParameters::parse(&many[..32].join(" ")).is_ok());
    let error = MailParameters::parse(&many.join(" ")).unwrap_err().error();
    assert_eq!(error.kind(), SyntaxErrorKind::TooLong);

    assert!(Parameter::new("ENVID", Some("a b")).is_err());
    assert!(Parameter::new("ENVID", Some("")).is_err());
    assert!(Parameter::new("ENVID", Some("a\nb")).is_err());
    assert!(Parameter::new("EN VID", None).is_err());
    assert!(Parameter::new("", None).is_err());
    assert_eq!(
        Parameter::new("ENVID", Some("QQ3")).unwrap().value(),
        Some("QQ3")
    );
}

/// 1870-3-b, CMD-12
#[test]
fn sizes() {
    for (text, size) in [
        ("0", 0),
        ("1000", 1000),
        ("00000000000000000001", 1),
        ("18446744073709551615", u64::MAX),
        ("18446744073709551616", u64::MAX),
        ("99999999999999999999", u64::MAX),
    ] {
        let line = format!("SIZE={text}");
        assert_eq!(MailParameters::parse(&line).unwrap().size, Some(size));
    }
    for text in [
        "",
        "-1",
        "+1",
        "1 ",
        "0x1",
        "999999999999999999999",
        "000000000000000000001",
    ] {
        assert!(MailParameters::parse(&format!("SIZE={text}")).is_err());
    }
}

/// 6152-2-a
#[test]
fn body_types() {
    assert_eq!(BodyType::parse("7bit"), Ok(BodyType::SevenBit));
    assert_eq!(BodyType::parse("8bitMIME"), Ok(BodyType::EightBitMime));
    assert_eq!(BodyType::parse("BINARYMIME"), Ok(BodyType::BinaryMime));
    assert!(BodyType::parse("8BIT").is_err());
    assert_eq!(BodyType::EightBitMime.as_str(), "8BITMIME");
}

/// 3463-2-a
#[test]
fn enhanced_codes() {
    for text in ["2.0.0", "4.7.1", "5.7.509", "5.999.999"] {
        assert_eq!(EnhancedCode::parse(text).unwrap().to_string(), text);
    }
    let code = EnhancedCode::parse("5.7.509").unwrap();
    assert_eq!((code.class(), code.subject(), code.detail()), (5, 7, 509));
    assert_eq!(EnhancedCode::new(5, 7, 509), Some(code));
    for text in [
        "", "5", "5.1", "5.1.", "5..1", "5.01.1", "5.1.01", "5.1.1000", "5.1000.1", "3.1.1",
        "1.1.1", "6.1.1", "5.1.1 ", "5.1.1.1", " 5.1.1", "5 .1.1", "5.1.x", "5.-1.1",
    ] {
        assert!(EnhancedCode::parse(text).is_err(), "{text}");
    }
    for (class, subject, detail) in [(3, 0, 0), (0, 0, 0), (5, 1000, 0), (5, 0, 1000)] {
        assert_eq!(EnhancedCode::new(class, subject, detail), None);
    }
}

/// 3461-4-a, 3461-4-b, 3461-4-c, 5321-4.1.2-m
#[test]
fn xtext_encodes() {
    for (text, encoded) in [
        ("a+b=c d", "a+2Bb+3Dc+20d"),
        ("e=mc2@x", "e+3Dmc2@x"),
        ("(x)", "(x)"),
        ("", ""),
        ("δ", "+CE+B4"),
        ("a\tb", "a+09b"),
    ] {
        assert_eq!(xtext::encode(text), encoded);
        assert_eq!(xtext::decode(encoded).as_deref(), Ok(text));
    }
    assert_eq!(xtext::encode("a\r\nb"), "a+0D+0Ab");
    assert_eq!(xtext::decode("+3d+2b").as_deref(), Ok("=+"));
}

/// INJ-3, 3461-4.4-a
#[test]
fn xtext_refuses() {
    for text in [
        "+00",
        "+0A",
        "+0D",
        "a+0D+0Ab",
        "+7F",
        "+1B",
        "+G0",
        "+0G",
        "+3",
        "+",
        "a+",
        "a=b",
        "a b",
        "δ",
        "+ C",
        "+++",
        "+C3",
        "+C0+AF",
        "+C2+85",
        "+E2+80+A8",
    ] {
        assert!(xtext::decode(text).is_err(), "{text}");
    }
    assert_eq!(xtext::decode("ab+G0").unwrap_err().at(), 2);
}
