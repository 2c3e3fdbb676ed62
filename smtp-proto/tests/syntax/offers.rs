use smtp_proto::syntax::{
    AttributeName, Capabilities, DateTime, Extension, ForwardingCommand, FutureRelease, Hold,
    HoldInterval, Limits, Reply,
};

/// Returns the capabilities that lines announce.
fn announced(lines: &[&str]) -> Capabilities {
    let (last, lines) = lines.split_last().unwrap();
    let mut answer = String::from("250-h\r\n");
    for line in lines {
        answer += &format!("250-{line}\r\n");
    }
    answer += &format!("250 {last}\r\n");
    Capabilities::parse(&Reply::parse(answer.as_bytes()).unwrap())
}

/// 9422-3-a, 9422-3.5-a, 9422-3.6-a, 9422-3.7-a, 9422-3.7-b, 9422-4-b
#[test]
fn limits() {
    for (line, mail, rcpt, domain) in [
        ("LIMITS RCPTMAX=20 MAILMAX=5", Some(5), Some(20), None),
        ("limits rcptmax=5 RCPTDOMAINMAX=1", None, Some(5), Some(1)),
        (
            "LIMITS MAILMAX=1 RCPTMAX=999999",
            Some(1),
            Some(999_999),
            None,
        ),
        ("LIMITS RCPTMAX=0 MAILMAX=5", Some(5), None, None),
        ("LIMITS RCPTMAX=x MAILMAX=5", Some(5), None, None),
        ("LIMITS RCPTMAX=1000000 MAILMAX=5", Some(5), None, None),
        ("LIMITS RCPTMAX=01 MAILMAX=5", Some(5), None, None),
        ("LIMITS RCPTMAX=== MAILMAX=5", Some(5), None, None),
        ("LIMITS RCPTMAX MAILMAX=5", Some(5), None, None),
        ("LIMITS OTHER_1=a,b MAILMAX=5 X", Some(5), None, None),
        ("LIMITS MAILMAX=7 MAILMAX=5 MAILMAX=6", Some(5), None, None),
        ("LIMITS a;b=1 MAILMAX=5", None, None, None),
        ("LIMITS MAILMAX=5 a=1;b", None, None, None),
        ("LIMITS =3 MAILMAX=5", None, None, None),
        ("LIMITS MAILMAX=5 RCPTMAX=", None, None, None),
        ("LIMITS", None, None, None),
        ("DSN", None, None, None),
    ] {
        let limits = announced(&[line]).limits();
        assert_eq!(
            (
                limits.mail_max(),
                limits.rcpt_max(),
                limits.rcpt_domain_max()
            ),
            (mail, rcpt, domain),
            "{line}"
        );
    }
    assert_eq!(Limits::parse("a=1 b;c=1").unwrap_err().at(), 5);
    assert_eq!(Limits::parse("a=1 b=c;").unwrap_err().at(), 7);
}

/// 9422-3.1-a
#[test]
fn limits_are_composed() {
    let limits = Limits::default()
        .with_rcpt_domain_max(0)
        .with_rcpt_max(u32::MAX)
        .with_mail_max(5);
    let text = limits.to_string();
    assert_eq!(text, "MAILMAX=5 RCPTMAX=999999 RCPTDOMAINMAX=1");
    assert_eq!(Limits::parse(&text), Ok(limits));
    assert_eq!(Limits::default().to_string(), "");
}

/// 2852-2-a
#[test]
fn deliver_by() {
    for (line, minimum) in [
        ("DELIVERBY 240,x", Some(240)),
        ("DELIVERBY 240", Some(240)),
        ("deliverby", Some(0)),
        ("DELIVERBY ,x", Some(0)),
        ("DELIVERBY 999999999", Some(999_999_999)),
        ("DELIVERBY 1000000000", None),
        ("DELIVERBY -1", None),
        ("DSN", None),
    ] {
        assert_eq!(announced(&[line]).deliver_by(), minimum, "{line}");
    }
}

/// 4865-3-a, 4865-4.1-a
#[test]
fn future_release() {
    let capabilities = announced(&["FUTURERELEASE 3600 2030-01-01T00:00:00Z"]);
    let offer = capabilities.future_release().unwrap();
    assert_eq!(offer.max_interval.seconds(), 3600);
    assert_eq!(offer.max_date.as_str(), "2030-01-01T00:00:00Z");
    let hold = |seconds| Hold::For(HoldInterval::new(seconds).unwrap());
    let until = |date| Hold::Until(DateTime::parse(date).unwrap());
    assert!(offer.allows(&hold(3600)) && !offer.allows(&hold(7200)));
    assert!(offer.allows(&until("2030-01-01T01:00:00+01:00")));
    assert!(!offer.allows(&until("2030-01-01T00:00:01Z")));
    for line in [
        "FUTURERELEASE",
        "FUTURERELEASE 3600",
        "FUTURERELEASE 0 2030-01-01T00:00:00Z",
        "FUTURERELEASE 3600 soon",
        "FUTURERELEASE 3600 2030-01-01T00:00:00Z x",
        "DSN",
    ] {
        assert_eq!(announced(&[line]).future_release(), None, "{line}");
    }
    assert_eq!(FutureRelease::parse("3600 x").unwrap_err().at(), 5);
}

/// 6710-3-a
#[test]
fn mt_priority() {
    for (line, policy) in [
        ("MT-PRIORITY", Some("MIXER")),
        ("MT-PRIORITY STANAG4406", Some("STANAG4406")),
        ("mt-priority a-b_c.d", Some("a-b_c.d")),
        (
            "MT-PRIORITY abcdefghijklmnopqrst",
            Some("abcdefghijklmnopqrst"),
        ),
        ("MT-PRIORITY abcdefghijklmnopqrstu", None),
        ("MT-PRIORITY a b", None),
        ("DSN", None),
    ] {
        assert_eq!(announced(&[line]).mt_priority(), policy, "{line}");
    }
}

/// 4954-3-a, 4954-3-b
#[test]
fn auth_mechanisms() {
    let mechanisms = |lines: &[&str]| {
        let capabilities = announced(lines);
        let names = capabilities.auth_mechanisms();
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(mechanisms(&["AUTH PLAIN LOGIN"]), ["PLAIN", "LOGIN"]);
    assert_eq!(mechanisms(&["AUTH=LOGIN"]), ["LOGIN"]);
    assert_eq!(
        mechanisms(&["DSN", "AUTH SCRAM-SHA-256  plain", "auth=LOGIN"]),
        ["SCRAM-SHA-256", "plain", "LOGIN"]
    );
    assert_eq!(
        mechanisms(&["AUTH A_1 =x abcdefghijklmnopqrstu ABCDEFGHIJKLMNOPQRST"]),
        ["A_1", "ABCDEFGHIJKLMNOPQRST"]
    );
    assert!(mechanisms(&["AUTH"]).is_empty());
    assert!(mechanisms(&["DSN"]).is_empty());
}

/// XCLIENT-a, XFORWARD-a
#[test]
fn forwarding_attributes() {
    use AttributeName::{Addr, Helo, Login, Name, Source};
    let capabilities = announced(&[
        "XCLIENT NAME ADDR login REVERSE_NAME SOURCE",
        "XFORWARD NAME HELO SOURCE LOGIN",
    ]);
    assert!(capabilities.has(Extension::XClient) && capabilities.has(Extension::XForward));
    let names = |command| capabilities.attributes(command).collect::<Vec<_>>();
    assert_eq!(names(ForwardingCommand::XClient), [Name, Addr, Login]);
    assert_eq!(names(ForwardingCommand::XForward), [Name, Helo, Source]);
    let mut none = Capabilities::new();
    assert_eq!(none.attributes(ForwardingCommand::XClient).count(), 0);
    none = none.with(Extension::XClient);
    assert_eq!(none.attributes(ForwardingCommand::XClient).count(), 0);
}

/// L2, X-34
#[test]
fn line_limits() {
    let limits = |capabilities: &Capabilities| {
        (
            capabilities.mail_line_limit(),
            capabilities.rcpt_line_limit(),
        )
    };
    assert_eq!(limits(&Capabilities::new()), (512, 512));
    for (extension, mail, rcpt) in [
        (Extension::Size, 26, 0),
        (Extension::EightBitMime, 0, 0),
        (Extension::Auth, 500, 0),
        (Extension::DeliverBy, 17, 0),
        (Extension::FutureRelease, 34, 0),
        (Extension::MtPriority, 15, 0),
        (Extension::RequireTls, 11, 0),
        (Extension::Rrvs, 0, 33),
        // RFC 3885 2: ENVID and ORCPT come with it.
        (Extension::Mtrk, 40 + 107, 507),
        (Extension::Checkpoint, 88, 0),
        (Extension::NoSoliciting, 1007, 0),
        (Extension::Limits, 0, 0),
        (Extension::Pipelining, 0, 0),
        (Extension::Chunking, 0, 0),
        (Extension::StartTls, 0, 0),
        (Extension::EnhancedStatusCodes, 0, 0),
        (Extension::Etrn, 0, 0),
        (Extension::SmtpUtf8, 10, 0),
        (Extension::BinaryMime, 16, 0),
    ] {
        let capabilities = Capabilities::new().with(extension);
        assert_eq!(
            limits(&capabilities),
            (512 + mail, 512 + rcpt),
            "{extension:?}"
        );
    }
    // 3461-5.4-a: the sums, but 1036 at least.
    let dsn = Capabilities::new().with(Extension::Dsn);
    assert_eq!(limits(&dsn), (1036, 512 + 507 + 29));
    let more = dsn.with(Extension::Auth).with(Extension::Rrvs);
    assert_eq!(limits(&more), (512 + 116 + 500, 512 + 536 + 33));
}

/// L5, 3461-2-a
#[test]
fn all_keywords_are_recognised() {
    let keywords = [
        "8BITMIME",
        "AUTH",
        "BINARYMIME",
        "BURL",
        "CHECKPOINT",
        "CHUNKING",
        "CONPERM",
        "CONNEG",
        "DELIVERBY",
        "DSN",
        "ENHANCEDSTATUSCODES",
        "ETRN",
        "ATRN",
        "EXPN",
        "HELP",
        "VRFY",
        "FUTURERELEASE",
        "LIMITS",
        "MTRK",
        "MT-PRIORITY",
        "NO-SOLICITING",
        "PIPELINING",
        "REQUIRETLS",
        "RRVS",
        "SIZE",
        "SMTPUTF8",
        "STARTTLS",
        "XCLIENT",
        "XFORWARD",
    ];
    assert_eq!(Extension::ALL.len(), keywords.len());
    let small: Vec<_> = keywords.iter().map(|each| each.to_lowercase()).collect();
    let capabilities = announced(&small.iter().map(String::as_str).collect::<Vec<_>>());
    for extension in Extension::ALL {
        assert!(keywords.contains(&extension.keyword()));
        assert!(capabilities.has(*extension), "{extension:?}");
        assert!(!Capabilities::new().has(*extension));
    }
}
