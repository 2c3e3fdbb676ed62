use smtp_proto::syntax::{
    Command, CommandErrorKind, EnvelopeId, ForwardPath, MailParameters, Notify, OriginalRecipient,
    ParameterName, RcptParameters, Return, SyntaxErrorKind,
};

use super::written;

fn mail(text: &str) -> Result<MailParameters<'static>, ParameterName> {
    match Command::parse(format!("MAIL FROM:<> {text}").as_bytes()) {
        Ok(Command::Mail { parameters, .. }) => Ok(parameters.into_owned()),
        Ok(command) => panic!("{command:?}"),
        Err(error) => match error.kind() {
            CommandErrorKind::Parameter(Some(name)) => Err(name),
            kind => panic!("{kind:?}"),
        },
    }
}

fn rcpt(text: &str) -> Result<RcptParameters<'static>, ParameterName> {
    match Command::parse(format!("RCPT TO:<a@b> {text}").as_bytes()) {
        Ok(Command::Rcpt { parameters, .. }) => Ok(parameters.into_owned()),
        Ok(command) => panic!("{command:?}"),
        Err(error) => match error.kind() {
            CommandErrorKind::Parameter(Some(name)) => Err(name),
            kind => panic!("{kind:?}"),
        },
    }
}

/// 3461-4.1-a, 3461-4.1-b, 3461-4.1-c
#[test]
fn notify() {
    let all = Notify::SUCCESS.and(Notify::FAILURE).and(Notify::DELAY);
    for (value, notify, rewritten) in [
        ("never", Notify::NEVER, "NEVER"),
        ("DELAY,DELAY", Notify::DELAY, "DELAY"),
        ("success", Notify::SUCCESS, "SUCCESS"),
        ("DELAY,Failure,SUCCESS", all, "SUCCESS,FAILURE,DELAY"),
    ] {
        assert_eq!(Notify::parse(value), Ok(notify), "{value}");
        assert_eq!(notify.to_string(), rewritten);
        let line = format!("NOTIFY={value}");
        assert_eq!(rcpt(&line).unwrap().notify, Some(notify));
    }
    for line in [
        "NOTIFY",
        "NOTIFY=",
        "NOTIFY=NEVER,SUCCESS",
        "NOTIFY=SUCCESS,NEVER",
        "NOTIFY=FOO",
        "NOTIFY=SUCCESS,,DELAY",
        "NOTIFY=SUCCESS,",
        "NOTIFY=,DELAY",
    ] {
        assert_eq!(rcpt(line).unwrap_err(), ParameterName::Notify, "{line}");
    }
    assert_eq!(rcpt("").unwrap().notify, None);
    assert!(all.contains(Notify::DELAY) && all.contains(Notify::NEVER));
    assert!(!Notify::DELAY.contains(all));
}

/// 3461-4.3-a, 3461-5.1-b
#[test]
fn ret() {
    assert_eq!(mail("RET=hdrs").unwrap().ret, Some(Return::Headers));
    assert_eq!(mail("RET=FULL").unwrap().ret, Some(Return::Full));
    for line in ["RET", "RET=ALL", "RET=FULL,HDRS"] {
        assert_eq!(mail(line).unwrap_err(), ParameterName::Ret, "{line}");
    }
}

/// 3461-4.4-a, 3461-5.4-a, 3461-4-c
#[test]
fn envelope_id() {
    for (value, decoded) in [
        ("QQ314159", "QQ314159"),
        ("a+20b+09c", "a b\tc"),
        ("(x)", "(x)"),
        ("+3d", "="),
    ] {
        let id = EnvelopeId::parse(value).unwrap();
        assert_eq!((id.as_str(), &*id.decoded()), (value, decoded));
    }
    assert_eq!(EnvelopeId::new("a b=c").unwrap().as_str(), "a+20b+3Dc");
    let longest = "x".repeat(100);
    assert_eq!(EnvelopeId::parse(&longest).unwrap().as_str(), longest);
    for line in [
        "ENVID",
        "ENVID=",
        "ENVID=+00",
        "ENVID=+0D+0A",
        "ENVID=+C3+A9",
        "ENVID=é",
        "ENVID=+G0",
        &format!("ENVID={longest}x"),
    ] {
        assert_eq!(mail(line).unwrap_err(), ParameterName::EnvId, "{line}");
    }
    assert!(EnvelopeId::new("").is_err());
    assert!(EnvelopeId::new("a\r\nb").is_err());
    assert!(EnvelopeId::new(&" ".repeat(34)).is_err());
}

/// 3461-4.2-a, 3461-5.2.1-a, 3461-5.4-a
#[test]
fn original_recipient() {
    let original = OriginalRecipient::parse("rfc822;a+2Bb@x").unwrap();
    assert_eq!(
        (original.address_type(), &*original.address()),
        ("rfc822", "a+b@x")
    );
    // What is not the only way to write it is passed on as it is.
    for value in [
        "rfc822;Bob+2B@X",
        "RFC822;+42ob+2b@X",
        "x400;C=US+3B".replace('=', "+3D").as_str(),
    ] {
        let line = format!("ORCPT={value}");
        let parameters = rcpt(&line).unwrap();
        assert_eq!(
            written(|out| parameters.write_to(out)),
            format!(" ORCPT={value}")
        );
        assert_eq!(
            parameters
                .original_recipient
                .unwrap()
                .to_ascii()
                .unwrap()
                .as_str(),
            value
        );
    }
    let longest = format!("rfc822;{}", "x".repeat(493));
    assert!(OriginalRecipient::parse(&longest).is_ok());
    for value in [
        "",
        "rfc822",
        ";x",
        "rfc822;",
        "rf c;x",
        "a@b;x",
        "δ;x",
        "rfc822;+0A",
        "rfc822;+CE+B4@x",
        "rfc822;δ@x",
        "rfc822;a b",
        "rfc822;a=b",
        "a=b;x",
        &format!("{longest}x"),
    ] {
        assert!(OriginalRecipient::parse(value).is_err(), "{value}");
    }
    assert_eq!(rcpt("ORCPT").unwrap_err(), ParameterName::Orcpt);
    let too_long = OriginalRecipient::parse(&format!("{longest}x")).unwrap_err();
    assert_eq!(
        (too_long.kind(), too_long.at()),
        (SyntaxErrorKind::TooLong, 500)
    );
}

/// 3461-4.2-b, 6533-3-d
#[test]
fn original_recipients_are_composed() {
    for (path, value) in [
        ("<a+b@x.example>", "rfc822;a+2Bb@x.example"),
        ("<\"a b\"@x.example>", "rfc822;\"a+20b\"@x.example"),
        ("<Postmaster>", "rfc822;Postmaster"),
        ("<δ@x.example>", "utf-8;δ@x.example"),
        ("<a=δ@x>", "utf-8;a\\x{3D}δ@x"),
        ("<\"a\\\\δ b\"@x>", "utf-8;\"a\\x{5C}\\x{5C}δ\\x{20}b\"@x"),
    ] {
        let path = ForwardPath::parse(path).unwrap();
        let original = OriginalRecipient::of(&path).unwrap();
        assert_eq!(original.as_str(), value);
        let address = path
            .mailbox()
            .map_or("Postmaster", |mailbox| mailbox.as_str());
        assert_eq!(original.address(), address);
    }
    for (address_type, address) in [
        ("rfc822", ""),
        ("rfc822", "δ@x"),
        ("rfc822", "a\nb"),
        ("utf-8", "a\nδ"),
        ("utf-8", "\u{85}"),
        ("a;b", "x"),
        ("", "x"),
        ("a b", "x"),
    ] {
        assert!(OriginalRecipient::new(address_type, address).is_err());
    }
    let many = format!("\"{}\"@x", "+".repeat(200));
    assert!(OriginalRecipient::new("rfc822", &many).is_err());
}

/// 6533-3-a, 6533-3-c: `utf-8-addr-xtext`, `utf-8-addr-unitext` and the plain address.
#[test]
fn utf8_original_recipients() {
    for (value, address) in [
        ("utf-8;\\x{3B4}@x", "δ@x"),
        ("UTF-8;δ@x", "δ@x"),
        ("utf-8;a\\x{3D}δ@x", "a=δ@x"),
        ("utf-8;a+b@x", "a+b@x"),
        ("utf-8;\"\\x{5C}\\x{5C}\"@x", "\"\\\\\"@x"),
        ("utf-8;\"\\x{20}\"@x", "\" \"@x"),
        ("utf-8;\\x{2B}\\x{3d}@x", "+=@x"),
        ("utf-8;\\x{10FFFF}@x", "\u{10ffff}@x"),
        ("utf-8;\\x{1F600}@x", "😀@x"),
    ] {
        let original = OriginalRecipient::parse(value).unwrap();
        assert_eq!((original.as_str(), &*original.address()), (value, address));
    }
    for (value, at) in [
        ("utf-8;\\x{41}", 6),
        ("utf-8;a\\x{D800}", 7),
        ("utf-8;\\x{3B4}b\\x{00041}", 14),
        ("utf-8;\\x{03B4}", 6),
        ("utf-8;\\x{110000}", 6),
        ("utf-8;\\x{1000000}", 6),
        ("utf-8;\\x{}", 6),
        ("utf-8;\\x{9}", 6),
        ("utf-8;\\x{+9}", 6),
        ("utf-8;\\x{20", 6),
        ("utf-8;\\X{20}", 6),
        ("utf-8;\\", 6),
        ("utf-8;a\\b", 7),
        ("utf-8;\\x{0D}\\x{0A}", 6),
        ("utf-8;\\x{7F}", 6),
        ("utf-8;\\x{85}", 6),
        ("utf-8;\\x{2028}", 6),
    ] {
        assert_eq!(
            OriginalRecipient::parse(value).unwrap_err().at(),
            at,
            "{value}"
        );
    }
    assert!(OriginalRecipient::parse("utf-8;\u{85}").is_err());
}

/// 6533-3-b, X-28
#[test]
fn original_recipients_are_recoded_for_servers_without_smtputf8() {
    for (value, ascii) in [
        ("utf-8;δ@x", "utf-8;\\x{3B4}@x"),
        ("utf-8;a\\x{3D}+δ@x", "utf-8;a\\x{3D}\\x{2B}\\x{3B4}@x"),
        ("utf-8;a+b@x", "utf-8;a+b@x"),
        ("utf-8;\\x{3B4}@x", "utf-8;\\x{3B4}@x"),
        ("rfc822;Bob+2B@X", "rfc822;Bob+2B@X"),
    ] {
        let original = OriginalRecipient::parse(value).unwrap();
        let recoded = original.to_ascii().unwrap();
        assert_eq!(recoded.as_str(), ascii);
        assert_eq!(recoded.address(), original.address());
    }
    let long = format!("utf-8;{}@x", "δ".repeat(100));
    let original = OriginalRecipient::parse(&long).unwrap();
    assert_eq!(
        original.to_ascii().unwrap_err().kind(),
        SyntaxErrorKind::TooLong
    );
}

/// 3461-4.5-a
#[test]
fn dsn_parameters_given_twice() {
    for (line, name) in [
        ("RET=FULL RET=FULL", ParameterName::Ret),
        ("ENVID=a envid=b", ParameterName::EnvId),
    ] {
        assert_eq!(mail(line).unwrap_err(), name, "{line}");
    }
    for (line, name) in [
        ("NOTIFY=NEVER NOTIFY=NEVER", ParameterName::Notify),
        ("ORCPT=a;b orcpt=a;b", ParameterName::Orcpt),
    ] {
        assert_eq!(rcpt(line).unwrap_err(), name, "{line}");
    }
}
