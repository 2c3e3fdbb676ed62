use super::*;

fn password<'a>(user: &'a str, password: &'a str, acting_for: &'a str) -> Credential<'a> {
    Credential::Password {
        user,
        password,
        acting_for,
    }
}

#[test]
fn login_takes_neither_nothing_nor_what_is_no_text() {
    assert_eq!(login(b"tim", b"x"), Some(password("tim", "x", "")));
    for (user, secret) in [
        (&b""[..], &b"x"[..]),
        (b"tim", b""),
        (b"\xff", b"x"),
        (b"tim", b"\xff"),
    ] {
        assert_eq!(login(user, secret), None);
    }
}

/// 4422-A-a.
#[test]
fn external_has_a_name_or_nothing() {
    let name = |acting_for| Some(Credential::External { acting_for });
    assert_eq!(external(b""), name(""));
    assert_eq!(external(b"tim"), name("tim"));
    assert_eq!(external(b"a\0b"), None);
    assert_eq!(external(b"\xff"), None);
}

/// XOAUTH2-a.
#[test]
fn xoauth2_has_a_user_and_a_token() {
    assert_eq!(
        xoauth2(b"user=u@x\x01auth=bearer t\x01\x01"),
        Some(Credential::Token {
            user: "u@x",
            token: "t"
        })
    );
    let malformed: [&[u8]; 6] = [
        b"user=u@x\x01auth=Bearer t\x01",
        b"user=\x01auth=Bearer t\x01\x01",
        b"user=u@x\x01auth=Basic t\x01\x01",
        b"user=u@x\x01auth=Bearer \x01\x01",
        b"user=u@x\x01auth=Bearer t\x01more=1\x01\x01",
        b"user=u@x\x01\x01",
    ];
    for message in malformed {
        assert_eq!(xoauth2(message), None, "{:?}", message.escape_ascii());
    }
}

/// 7628-3.1-a, 7628-3.1-b, RFC 5801 4.
#[test]
fn oauthbearer_has_a_header_and_keys_of_which_one_matters() {
    let message = |header: &str| format!("{header}\x01host=h\x01new=1\x01auth=Bearer t\x01\x01");
    for (header, user) in [
        ("n,,", ""),
        ("n,a=u@x,", "u@x"),
        ("y,a=a=2Cb=3Dc,", "a,b=c"),
    ] {
        assert_eq!(
            oauthbearer(message(header).as_bytes()),
            Some((user.into(), "t"))
        );
    }
    for header in [
        "",
        "n,a=x",
        "p=tls-unique,,",
        "n,x,",
        "n,a=a=b,",
        "n,a=a,b,",
    ] {
        assert_eq!(oauthbearer(message(header).as_bytes()), None, "{header:?}");
    }
    assert_eq!(oauthbearer(b"n,,\x01host=h\x01\x01"), None);
}

#[test]
fn nothing_shown_holds_a_secret() {
    assert_eq!(
        format!("{:?}", password("tim", "secret", "")),
        r#"Password { user: "tim", acting_for: "", .. }"#
    );
    let (user, token) = ("tim", "secret");
    assert_eq!(
        format!("{:?}", Credential::Token { user, token }),
        r#"Token { user: "tim", .. }"#
    );
    assert_eq!(
        format!("{:?}", Step::Challenge(b"secret".to_vec())),
        "Challenge(...)"
    );
}

#[test]
fn the_reply_is_one() {
    assert_eq!(invalid_credentials().code().value(), 535);
}
