use smtp_proto::syntax::{
    BodyType, ByMode, DeliverBy, EnvelopeId, Hold, HoldInterval, MailParameters, Mailbox,
    Parameter, ParameterError, ParameterName, RcptParameters, ReversePath, SyntaxErrorKind,
    Tracking,
};

use super::written;

fn mail(text: &str) -> Result<MailParameters<'_>, ParameterError> {
    MailParameters::parse(text)
}

fn rcpt(text: &str) -> Result<RcptParameters<'_>, ParameterError> {
    RcptParameters::parse(text)
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
    assert_eq!(parameters.to_string(), rewritten[1..]);
    assert_eq!(parameters.clone().into_owned(), parameters);
    let names: Vec<_> = parameters.names().collect();
    use ParameterName::*;
    assert_eq!(
        names,
        [
            Size, Body, SmtpUtf8, Auth, Ret, EnvId, By, HoldFor, MtPriority, RequireTls, Mtrk,
            Solicit, Conperm
        ]
    );
    let mut left = parameters.clone();
    names.into_iter().for_each(|name| left.remove(name));
    assert_eq!(left.to_string(), "X-A=δ x-b");
    let until = mail("HOLDUNTIL=2030-01-01T00:00:00Z BODY=BINARYMIME").unwrap();
    assert_eq!(
        written(|out| until.write_to(out)),
        " BODY=BINARYMIME HOLDUNTIL=2030-01-01T00:00:00Z"
    );
    assert!(until.names().eq([BinaryBody, HoldUntil]));
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
    assert_eq!(parameters.to_string(), rewritten[1..]);
    let names: Vec<_> = parameters.names().collect();
    use ParameterName::*;
    assert_eq!(names, [Notify, Orcpt, Rrvs, RcptSolicit, Conneg]);
    let mut left = parameters.clone();
    names.into_iter().for_each(|name| left.remove(name));
    assert_eq!(left.to_string(), "X-C=1");
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
        match (sender, parameters.auth.as_deref()) {
            (Some(sender), Some(ReversePath::Mailbox(mailbox))) => {
                assert_eq!(*mailbox, Mailbox::parse(sender).unwrap());
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
        assert_eq!(error.parameter(), Some(ParameterName::Auth), "{line}");
    }
}

/// 6531-3.1-c, 8689-2-a, 4141-a
#[test]
fn flags_have_no_value() {
    for (line, name, at) in [
        ("SMTPUTF8=1", ParameterName::SmtpUtf8, 9),
        ("SIZE=1 RequireTLS=1", ParameterName::RequireTls, 18),
        ("CONPERM=x", ParameterName::Conperm, 8),
    ] {
        let error = mail(line).expect_err(line);
        assert_eq!((error.parameter(), error.error().at()), (Some(name), at));
    }
    assert!(mail("SMTPUTF8 REQUIRETLS CONPERM").is_ok());
    let error = rcpt("CONNEG=1").unwrap_err();
    assert_eq!(error.parameter(), Some(ParameterName::Conneg));
}

/// 1870-3-b, 3030-3-b, 4865-3-b, 6710-4.1-a: named, and where in the line.
#[test]
fn malformed_values_are_named() {
    use ParameterName::*;
    use SyntaxErrorKind::{OutOfRange, UnexpectedByte, UnexpectedEnd};
    for (line, name, at, kind) in [
        ("RET=FULL size=-1", Size, 14, UnexpectedByte),
        ("SIZE", Size, 4, UnexpectedEnd),
        ("SIZE RET=FULL", Size, 5, UnexpectedEnd),
        ("BODY=8BIT", Body, 5, UnexpectedByte),
        ("HOLDFOR=0", HoldFor, 8, OutOfRange),
        ("HOLDUNTIL=x", HoldUntil, 10, UnexpectedByte),
        ("MT-PRIORITY=10", MtPriority, 13, UnexpectedByte),
        ("BY=0;R", By, 3, OutOfRange),
        ("ENVID=x MTRK=abc:y", Mtrk, 17, UnexpectedByte),
        ("SOLICIT=a,", Solicit, 10, UnexpectedEnd),
    ] {
        let error = mail(line).expect_err(line);
        assert_eq!(
            (error.parameter(), error.error().at(), error.error().kind()),
            (Some(name), at, kind),
            "{line}"
        );
    }
    let error = mail("HOLDFOR=0").unwrap_err();
    assert_eq!(error.to_string(), "HOLDFOR: number out of range at byte 8");
    assert_eq!(rcpt("RRVS=x").unwrap_err().parameter(), Some(Rrvs));
}

/// 4865-4.2-a, 4865-5.2-a, 3885-2-a, X-43
#[test]
fn contradictions() {
    use ParameterName::{HoldFor, HoldUntil, Mtrk};
    for (line, name) in [
        ("HOLDFOR=1 HOLDUNTIL=2030-01-01T00:00:00Z", HoldUntil),
        ("HOLDUNTIL=2030-01-01T00:00:00Z HOLDFOR=1", HoldFor),
        ("BY=60;R HOLDFOR=120", HoldFor),
        ("HOLDFOR=60 BY=60;N", HoldFor),
        ("HOLDFOR=1 BY=-5;N", HoldFor),
        ("MTRK=abc", Mtrk),
    ] {
        let error = mail(line).expect_err(line);
        assert_eq!(error.parameter(), Some(name), "{line}");
    }
    assert!(mail("BY=60;R HOLDFOR=59").is_ok());
    assert!(mail("MTRK=abc:3600 ENVID=x@h").is_ok());

    let mut composed = MailParameters::default();
    composed.tracking = Tracking::new("abc", None).ok().map(Box::new);
    assert_eq!(
        composed.check().unwrap_err().error().kind(),
        SyntaxErrorKind::Contradiction
    );
    composed.envelope_id = EnvelopeId::new("x@h").ok().map(Box::new);
    composed.deliver_by = DeliverBy::new(60, ByMode::Return).ok();
    composed.hold = HoldInterval::new(59).map(Hold::For).map(Box::new);
    composed.size = Some(u64::MAX);
    composed.body = Some(BodyType::SevenBit);
    assert_eq!(composed.check(), Ok(()));
    let text = written(|out| composed.write_to(out));
    assert_eq!(mail(&text[1..]), Ok(composed));
}

/// 5321-4.1.1.11-a, 1845-3-c, 5336-a
#[test]
fn unknown_parameters_are_kept() {
    let parameters = mail("TRANSID=<12345@x> SIZE=1 ALT-ADDRESS=x X-Flag NOTIFY=NEVER").unwrap();
    let others: Vec<_> = parameters
        .others()
        .map(|each| (each.keyword(), each.value()))
        .collect();
    assert_eq!(
        others,
        [
            ("TRANSID", Some("<12345@x>")),
            ("ALT-ADDRESS", Some("x")),
            ("X-Flag", None),
            // What is known with RCPT is not known with MAIL, and the other way round.
            ("NOTIFY", Some("NEVER"))
        ]
    );
    assert_eq!(mail("SIZE=1").unwrap().others().count(), 0);
    let near = "REQUIRET HOLDUNTI=1 MT-PRIOR=1 MT-PRIORITX=1 SIZ=1 SIZES=1";
    assert_eq!(mail(near).unwrap().others().count(), 6);
    assert_eq!(rcpt("SIZE=1").unwrap().others().count(), 1);
}

#[test]
fn unknown_parameters_are_added() {
    fn new<'a>(keyword: &'a str, value: Option<&'a str>) -> Parameter<'a> {
        Parameter::new(keyword, value).unwrap()
    }
    let mut parameters = mail("X-A=1").unwrap();
    assert_eq!(parameters.push_other(new("X-B", None)), Ok(()));
    let twice = parameters.push_other(new("x-a", None)).unwrap_err();
    assert_eq!(twice.error().kind(), SyntaxErrorKind::Duplicate);
    for (known, name) in [
        (new("SIZE", Some("1")), ParameterName::Size),
        (new("size", None), ParameterName::Size),
        (new("HoldFor", Some("x")), ParameterName::HoldFor),
    ] {
        let error = parameters.push_other(known).unwrap_err();
        assert_eq!(error.parameter(), Some(name));
        assert_eq!(error.error().kind(), SyntaxErrorKind::Contradiction);
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
    assert_eq!(one_more.error().kind(), SyntaxErrorKind::TooLong);
    assert_eq!(parameters.others().count(), 32);
}

/// What every message carries takes little room.
#[test]
fn parameters_are_small() {
    assert!(size_of::<MailParameters<'_>>() <= 80);
    assert!(size_of::<RcptParameters<'_>>() <= 56);
}
