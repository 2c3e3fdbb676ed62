use smtp_proto::syntax::{
    BodyType, ByMode, DeliverBy, EnvelopeId, Extension, Hold, HoldInterval, MailParameters,
    Mailbox, Parameter, ParameterError, ParameterErrorKind, Parameters, RcptParameters,
    ReversePath, SyntaxErrorKind, Tracking,
};

use super::written;

fn mail(text: &str) -> Result<MailParameters<'_>, ParameterError> {
    MailParameters::parse(&Parameters::parse(text).unwrap())
}

fn rcpt(text: &str) -> Result<RcptParameters<'_>, ParameterError> {
    RcptParameters::parse(&Parameters::parse(text).unwrap())
}

#[test]
fn mail_parameters_round_trip() {
    let line = "smtputf8 RequireTLS CONPERM SIZE=5 BODY=8bitmime AUTH=a@b.example RET=FULL ENVID=x+20y \
                BY=+60;rt HOLDFOR=30 MT-PRIORITY=-3 MTRK=abc:3600 SOLICIT=org.example:ADV X-A=δ x-b";
    let parameters = mail(line).unwrap();
    let rewritten = " SMTPUTF8 REQUIRETLS CONPERM SIZE=5 BODY=8BITMIME AUTH=a@b.example RET=FULL \
                     ENVID=x+20y BY=60;RT HOLDFOR=30 MT-PRIORITY=-3 MTRK=abc:3600 \
                     SOLICIT=org.example:ADV X-A=δ x-b";
    assert_eq!(written(|out| parameters.write_to(out)), rewritten);
    assert_eq!(mail(&rewritten[1..]).as_ref(), Ok(&parameters));
    assert_eq!(parameters.clone().into_owned(), parameters);
    let extensions: Vec<_> = parameters.extensions().map(Extension::keyword).collect();
    assert_eq!(
        extensions,
        [
            "SIZE",
            "8BITMIME",
            "SMTPUTF8",
            "AUTH",
            "DSN",
            "DELIVERBY",
            "FUTURERELEASE",
            "MT-PRIORITY",
            "REQUIRETLS",
            "MTRK",
            "NO-SOLICITING",
            "CONPERM"
        ]
    );
    let until = mail("HOLDUNTIL=2030-01-01T00:00:00Z BODY=BINARYMIME").unwrap();
    assert_eq!(
        written(|out| until.write_to(out)),
        " BODY=BINARYMIME HOLDUNTIL=2030-01-01T00:00:00Z"
    );
    assert!(
        until
            .extensions()
            .eq([Extension::BinaryMime, Extension::FutureRelease])
    );
    assert_eq!(written(|out| mail("").unwrap().write_to(out)), "");
    assert_eq!(mail(""), Ok(MailParameters::default()));
}

#[test]
fn rcpt_parameters_round_trip() {
    let line = "NOTIFY=delay,SUCCESS orcpt=rfc822;A+2B@x RRVS=2014-04-03T23:01:00Z;c CONNEG SOLICIT=a X-C=1";
    let parameters = rcpt(line).unwrap();
    let rewritten = " CONNEG NOTIFY=SUCCESS,DELAY ORCPT=rfc822;A+2B@x RRVS=2014-04-03T23:01:00Z;c \
                     SOLICIT=a X-C=1";
    assert_eq!(written(|out| parameters.write_to(out)), rewritten);
    assert_eq!(rcpt(&rewritten[1..]).as_ref(), Ok(&parameters));
    assert_eq!(parameters.clone().into_owned(), parameters);
    let extensions: Vec<_> = parameters.extensions().map(Extension::keyword).collect();
    assert_eq!(extensions, ["DSN", "RRVS", "NO-SOLICITING", "CONNEG"]);
    assert_eq!(rcpt(""), Ok(RcptParameters::default()));
}

/// 4954-5-a, 5321-4.1.2-m
#[test]
fn auth() {
    for (line, sender) in [
        ("AUTH=e+3Dmc2@example.com", Some("e=mc2@example.com")),
        ("AUTH=a@b", Some("a@b")),
        ("AUTH=+CE+B4@x", Some("δ@x")),
        ("AUTH=<>", None),
        ("AUTH=+3C+3E", None),
    ] {
        let parameters = mail(line).unwrap();
        let text = written(|out| parameters.write_to(out));
        match (sender, parameters.auth) {
            (Some(sender), Some(ReversePath::Mailbox(mailbox))) => {
                assert_eq!(mailbox, Mailbox::parse(sender).unwrap());
                assert_eq!(text, format!(" {line}"));
            }
            // Not all who write it write it in the shortest way.
            (None, Some(ReversePath::Null)) => assert_eq!(text, " AUTH=<>"),
            (_, auth) => panic!("{line}: {auth:?}"),
        }
    }
    for line in [
        "AUTH",
        "AUTH=foo",
        "AUTH=<a@b>",
        "AUTH=a@b+0D",
        "AUTH=a@b+20c",
        "AUTH=δ@x",
    ] {
        let error = mail(line).expect_err(line);
        assert_eq!((error.keyword(), error.reply_code().value()), ("AUTH", 501));
    }
}

/// 6531-3.1-c, 8689-2-a, 4141-a
#[test]
fn flags_have_no_value() {
    for (line, keyword) in [
        ("SMTPUTF8=1", "SMTPUTF8"),
        ("SIZE=1 RequireTLS=1", "RequireTLS"),
        ("CONPERM=x", "CONPERM"),
    ] {
        let error = mail(line).expect_err(line);
        assert_eq!(
            (error.keyword(), error.reply_code().value()),
            (keyword, 501)
        );
    }
    assert!(mail("SMTPUTF8 REQUIRETLS CONPERM").is_ok());
    assert_eq!(rcpt("CONNEG=1").unwrap_err().reply_code().value(), 501);
}

/// 1870-3-b, 3030-3-b, 4865-3-b, 6710-4.1-a: named, and where in the value.
#[test]
fn malformed_values_are_named() {
    use SyntaxErrorKind::{OutOfRange, UnexpectedByte, UnexpectedEnd};
    for (line, keyword, at, kind) in [
        ("RET=FULL size=-1", "size", 0, UnexpectedByte),
        ("SIZE", "SIZE", 0, UnexpectedEnd),
        ("BODY=8BIT", "BODY", 0, UnexpectedByte),
        ("HOLDFOR=0", "HOLDFOR", 0, OutOfRange),
        ("HOLDUNTIL=x", "HOLDUNTIL", 0, UnexpectedByte),
        ("MT-PRIORITY=10", "MT-PRIORITY", 1, UnexpectedByte),
        ("BY=0;R", "BY", 0, OutOfRange),
        ("ENVID=x MTRK=abc:y", "MTRK", 4, UnexpectedByte),
        ("SOLICIT=a,", "SOLICIT", 2, UnexpectedEnd),
    ] {
        let error = mail(line).expect_err(line);
        let ParameterErrorKind::Malformed(inner) = error.kind() else {
            panic!("{line}: {error}");
        };
        assert_eq!(
            (error.keyword(), inner.at(), inner.kind()),
            (keyword, at, kind)
        );
        assert_eq!(error.reply_code().value(), 501);
    }
    let error = mail("HOLDFOR=0").unwrap_err();
    assert_eq!(error.to_string(), "HOLDFOR: number out of range at byte 0");
    assert_eq!(rcpt("RRVS=x").unwrap_err().keyword(), "RRVS");
}

/// 4865-4.2-a, 4865-5.2-a, 3885-2-a, X-43
#[test]
fn contradictions() {
    for (line, keyword) in [
        ("HOLDFOR=1 HOLDUNTIL=2030-01-01T00:00:00Z", "HOLDUNTIL"),
        ("HOLDUNTIL=2030-01-01T00:00:00Z HOLDFOR=1", "HOLDFOR"),
        ("BY=60;R HOLDFOR=120", "HOLDFOR"),
        ("HOLDFOR=60 BY=60;N", "HOLDFOR"),
        ("HOLDFOR=1 BY=-5;N", "HOLDFOR"),
        ("MTRK=abc", "MTRK"),
    ] {
        let error = mail(line).expect_err(line);
        assert_eq!(
            (error.keyword(), error.reply_code().value()),
            (keyword, 501),
            "{line}"
        );
    }
    assert!(mail("BY=60;R HOLDFOR=59").is_ok());
    assert!(mail("MTRK=abc:3600 ENVID=x@h").is_ok());

    let mut composed = MailParameters::default();
    composed.tracking = Tracking::new("abc", None).ok();
    assert_eq!(
        composed.check().unwrap_err().kind(),
        ParameterErrorKind::Contradiction
    );
    composed.envelope_id = EnvelopeId::new("x@h").ok();
    composed.deliver_by = DeliverBy::new(60, ByMode::Return).ok();
    composed.hold = HoldInterval::new(59).map(Hold::For);
    composed.size = Some(u64::MAX);
    composed.body = Some(BodyType::SevenBit);
    assert_eq!(composed.check(), Ok(()));
    let text = written(|out| composed.write_to(out));
    assert_eq!(mail(&text[1..]), Ok(composed));
}

/// 5321-4.1.1.11-a, 1845-3-c, 5336-a
#[test]
fn unknown_parameters_are_kept_and_can_be_refused() {
    let parameters = mail("TRANSID=<12345@x> SIZE=1 ALT-ADDRESS=x X-Flag").unwrap();
    let others: Vec<_> = parameters
        .others()
        .map(|each| (each.keyword(), each.value()))
        .collect();
    assert_eq!(
        others,
        [
            ("TRANSID", Some("<12345@x>")),
            ("ALT-ADDRESS", Some("x")),
            ("X-Flag", None)
        ]
    );
    let error = parameters.refuse_others().unwrap_err();
    assert_eq!(
        (error.keyword(), error.reply_code().value()),
        ("TRANSID", 555)
    );
    assert_eq!(mail("SIZE=1").unwrap().refuse_others(), Ok(()));
    // What is known with MAIL is not known with RCPT, and the other way round.
    let error = rcpt("SIZE=1").unwrap().refuse_others().unwrap_err();
    assert_eq!(
        (error.keyword(), error.kind()),
        ("SIZE", ParameterErrorKind::Unknown)
    );
    assert!(mail("NOTIFY=NEVER").unwrap().refuse_others().is_err());
}

#[test]
fn unknown_parameters_are_added() {
    fn new<'a>(keyword: &'a str, value: Option<&'a str>) -> Parameter<'a> {
        Parameter::new(keyword, value).unwrap()
    }
    let mut parameters = mail("X-A=1").unwrap();
    assert_eq!(parameters.push_other(new("X-B", None)), Ok(()));
    let kind = |error: ParameterError| match error.kind() {
        ParameterErrorKind::Malformed(error) => Some(error.kind()),
        _ => None,
    };
    let twice = parameters.push_other(new("x-a", None)).unwrap_err();
    assert_eq!(twice.keyword(), "x-a");
    assert_eq!(kind(twice), Some(SyntaxErrorKind::Duplicate));
    for known in [
        new("SIZE", Some("1")),
        new("size", None),
        new("HoldFor", Some("x")),
    ] {
        let error = parameters.push_other(known).unwrap_err();
        assert_eq!(error.keyword(), known.keyword());
        assert_eq!(error.kind(), ParameterErrorKind::Contradiction);
    }
    assert_eq!(written(|out| parameters.write_to(out)), " X-A=1 X-B");
    let mut parameters = RcptParameters::default();
    assert_eq!(parameters.push_other(new("SIZE", Some("1"))), Ok(()));
    assert!(parameters.push_other(new("ORCPT", Some("a;b"))).is_err());
    for number in 1..32 {
        parameters
            .push_other(new(&format!("X{number}"), None))
            .unwrap();
    }
    let one_more = parameters.push_other(new("X32", None)).unwrap_err();
    assert_eq!(kind(one_more), Some(SyntaxErrorKind::TooLong));
    assert_eq!(parameters.others().count(), 32);
}
