use super::*;

/// Grants whoever knows the secret its own name, `certified` without one.
fn verify(claim: &Claim<'_>) -> Result<String, Refusal> {
    match claim.proof {
        Proof::Password("secret") | Proof::Token("secret") => Ok(claim.user.to_owned()),
        Proof::Password("later") | Proof::Token("later") => Err(Refusal::Temporary),
        Proof::External => Ok("certified".to_owned()),
        _ => Err(Refusal::Credentials),
    }
}

fn run<const N: usize>(mechanism: &str, responses: [Option<&str>; N]) -> [Step; N] {
    let mut exchange = exchange(mechanism, verify).unwrap();
    responses.map(|response| exchange.respond(response.map(str::as_bytes)))
}

fn accept(user: &str) -> Step {
    Step::Accept(user.to_owned())
}

fn challenge(text: &str) -> Step {
    Step::Challenge(text.as_bytes().to_vec())
}

/// 4616-2-a, 4616-2-b, 4422-5-a.
#[test]
fn plain_takes_exactly_three_fields() {
    assert_eq!(run("plain", [Some("\0tim\0secret")]), [accept("tim")]);
    assert_eq!(
        run("PLAIN", [None, Some("\0tim\0secret")]),
        [challenge(""), accept("tim")]
    );
    assert_eq!(
        run("PLAIN", [Some("\0tim\0wrong")]),
        [Step::Reject(Refusal::Credentials)]
    );
    assert_eq!(
        run("PLAIN", [Some("\0tim\0later")]),
        [Step::Reject(Refusal::Temporary)]
    );
    for malformed in [
        "",
        "\0",
        "tim\0secret",
        "\0\0secret",
        "\0tim\0",
        "\0tim\0a\0b",
    ] {
        assert_eq!(
            run("PLAIN", [Some(malformed)]),
            [Step::Reject(Refusal::Malformed)],
            "{malformed:?}"
        );
    }
    let mut exchange = exchange("PLAIN", verify).unwrap();
    assert_eq!(
        exchange.respond(Some(b"\0t\xffm\0secret")),
        Step::Reject(Refusal::Malformed)
    );
}

/// AUT-6.
#[test]
fn acting_for_another_has_to_be_granted() {
    assert_eq!(run("PLAIN", [Some("tim\0tim\0secret")]), [accept("tim")]);
    assert_eq!(
        run("PLAIN", [Some("root\0tim\0secret")]),
        [Step::Reject(Refusal::Credentials)]
    );
    let mut exchange = exchange("PLAIN", |claim| {
        Ok(claim.acting_for.unwrap_or(claim.user).to_owned())
    });
    let step = exchange.as_mut().unwrap().respond(Some(b"root\0tim\0x"));
    assert_eq!(step, accept("root"));
}

/// LOGIN-a, LOGIN-b.
#[test]
fn login_prompts_for_what_it_does_not_know() {
    assert_eq!(
        run("LOGIN", [None, Some("tim"), Some("secret")]),
        [
            challenge("Username:"),
            challenge("Password:"),
            accept("tim")
        ]
    );
    assert_eq!(
        run("LOGIN", [Some("tim"), Some("wrong")]),
        [challenge("Password:"), Step::Reject(Refusal::Credentials)]
    );
    assert_eq!(run("LOGIN", [Some("")]), [Step::Reject(Refusal::Malformed)]);
}

/// 4422-A-a.
#[test]
fn external_takes_an_identity_or_nothing() {
    assert_eq!(run("EXTERNAL", [Some("")]), [accept("certified")]);
    assert_eq!(run("EXTERNAL", [Some("certified")]), [accept("certified")]);
    assert_eq!(
        run("EXTERNAL", [Some("other")]),
        [Step::Reject(Refusal::Credentials)]
    );
    assert_eq!(
        run("EXTERNAL", [Some("a\0b")]),
        [Step::Reject(Refusal::Malformed)]
    );
}

/// XOAUTH2-a, XOAUTH2-b, 7628-3.1-a, 7628-3.1-b, 7628-3.2-a.
#[test]
fn tokens_fail_by_way_of_a_challenge() {
    for (mechanism, prefix, failure) in [
        (
            "XOAUTH2",
            "user=u@x",
            r#"{"status":"401","schemes":"Bearer"}"#,
        ),
        (
            "OAUTHBEARER",
            "n,a=u@x,\x01host=h\x01port=587\x01new=1",
            r#"{"status":"invalid_token"}"#,
        ),
    ] {
        let with = |auth: &str| format!("{prefix}\x01{auth}\x01\x01");
        assert_eq!(
            run(mechanism, [Some(&with("auth=bearer secret"))]),
            [accept("u@x")]
        );
        for (auth, refusal) in [
            ("auth=Bearer wrong", Refusal::Credentials),
            ("auth=Bearer later", Refusal::Temporary),
            ("auth=Basic secret", Refusal::Malformed),
            ("x=y", Refusal::Malformed),
        ] {
            assert_eq!(
                run(mechanism, [Some(&with(auth)), Some("\x01")]),
                [challenge(failure), Step::Reject(refusal)],
                "{mechanism} {auth}"
            );
        }
    }
}

/// RFC 5801 4.
#[test]
fn oauthbearer_reads_the_header() {
    let identity = |header: &str| {
        let message = format!("{header}\x01auth=Bearer secret\x01\x01");
        oauthbearer(&message).map(|message| message.user.into_owned())
    };
    assert_eq!(identity("n,,").as_deref(), Some(""));
    assert_eq!(identity("y,a=a=2Cb=3Dc,").as_deref(), Some("a,b=c"));
    for malformed in [
        "n,a=x",
        "p=tls-unique,,",
        "n,x,",
        "n,a=a=b,",
        "n,a=a,b,",
        "",
    ] {
        assert_eq!(identity(malformed), None, "{malformed:?}");
    }
}

#[test]
fn unknown_mechanisms_are_told_apart() {
    assert!(exchange("SCRAM-SHA-256", verify).is_none());
}

#[test]
fn claims_show_no_secret() {
    let claim = plain("\0tim\0secret").unwrap();
    assert_eq!(
        format!("{claim:?}"),
        r#"Claim { user: "tim", acting_for: None, proof: Password(***) }"#
    );
    assert_eq!(format!("{:?}", Proof::Token("secret")), "Token(***)");
}
