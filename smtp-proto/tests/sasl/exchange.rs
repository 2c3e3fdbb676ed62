//! The server's part in the mechanisms, and that of a client with it.

use smtp_proto::{
    sasl::{Credential, External, Plain, Step, Turn, by_password, invalid_credentials},
    syntax::Reply,
};

use crate::application::{Own, SECRET, answer, attempt, begin, mechanisms};

fn accepted(name: &str) -> Option<Step> {
    Some(Step::Accept(name.into()))
}

fn rejected() -> Option<Step> {
    Some(Step::Reject(invalid_credentials()))
}

/// Returns what the application is asked about.
#[track_caller]
fn asked(mechanism: &str, message: &[u8], expected: Option<Credential<'_>>) {
    let mut exchange = begin(mechanism).unwrap();
    let turn = exchange.respond(Some(message));
    let shown = message.escape_ascii();
    match expected {
        Some(credential) => assert_eq!(turn, Turn::Check(credential), "{shown}"),
        None => assert!(matches!(turn, Turn::Step(_)), "{shown}: {turn:?}"),
    }
}

fn password<'a>(acting_for: &'a str, user: &'a str, password: &'a str) -> Option<Credential<'a>> {
    Some(Credential::Password {
        user,
        password,
        acting_for,
    })
}

/// 4616-2-a, 4422-A-a, LOGIN-a, XOAUTH2-a, 7628-3.1-a, 5802-5-a: client and server agree.
#[test]
fn each_mechanism_lets_in_who_has_the_secret() {
    for mut mechanism in mechanisms("tim", SECRET) {
        let name = mechanism.name().to_owned();
        assert_eq!(attempt(&mut *mechanism), accepted("tim"), "{name}");
    }
}

/// 7628-3.2-a, XOAUTH2-b
#[test]
fn each_mechanism_keeps_out_who_has_not() {
    for (user, secret) in [("tim", "wrong"), ("nobody", SECRET)] {
        for mut mechanism in mechanisms(user, secret) {
            let name = mechanism.name().to_owned();
            if name != "EXTERNAL" || user != "tim" {
                assert_eq!(attempt(&mut *mechanism), rejected(), "{name}");
            }
        }
    }
}

/// AUT-6: nobody acts for another unless the application means it.
#[test]
fn who_acts_for_another_is_accepted_under_that_name() {
    for (acting_for, outcome) in [
        ("ann", accepted("ann")),
        ("tim", accepted("tim")),
        ("root", rejected()),
        ("boss", rejected()),
    ] {
        let mut plain = Plain::new("tim", SECRET).acting_for(acting_for);
        assert_eq!(attempt(&mut plain), outcome, "{acting_for}");
        let mut external = External::new().acting_for(acting_for);
        assert_eq!(attempt(&mut external), outcome, "{acting_for}");
    }
}

/// 4616-2-a, 4616-2-b
#[test]
fn plain_has_three_parts() {
    let long = "x".repeat(255);
    let all_long = format!("{long}\0{long}\0{long}");
    asked("plain", b"\0tim\0pw", password("", "tim", "pw"));
    asked("PLAIN", b"a\0tim\0pw", password("a", "tim", "pw"));
    asked("PLAIN", all_long.as_bytes(), password(&long, &long, &long));
    let malformed: [&[u8]; 6] = [
        b"tim",
        b"\0",
        b"\0tim\0pw\0",
        b"\0\0pw",
        b"\0tim\0",
        b"\0\xff\0pw",
    ];
    for message in malformed {
        asked("PLAIN", message, None);
    }
}

/// LOGIN-a, LOGIN-b
#[test]
fn login_asks_twice() {
    let challenge = |text: &str| Turn::Step(Step::Challenge(text.into()));
    for has_initial_response in [false, true] {
        let mut exchange = begin("LOGIN").unwrap();
        if !has_initial_response {
            assert_eq!(exchange.respond(None), challenge("Username:"));
        }
        assert_eq!(exchange.respond(Some(b"tim")), challenge("Password:"));
        let credential = password("", "tim", "pw").unwrap();
        assert_eq!(exchange.respond(Some(b"pw")), Turn::Check(credential));
    }
    let malformed: [[&[u8]; 2]; 4] = [
        [b"", b"x"],
        [b"tim", b""],
        [b"\xff", b"x"],
        [b"tim", b"\xff"],
    ];
    for [user, secret] in malformed {
        let mut exchange = begin("LOGIN").unwrap();
        assert_eq!(exchange.respond(Some(user)), challenge("Password:"));
        let rejected = Turn::Step(rejected().unwrap());
        assert_eq!(exchange.respond(Some(secret)), rejected);
    }
}

/// 4422-A-a
#[test]
fn external_has_a_name_or_nothing() {
    for acting_for in ["", "tim"] {
        let credential = Some(Credential::External { acting_for });
        asked("EXTERNAL", acting_for.as_bytes(), credential);
    }
    asked("EXTERNAL", b"a\0b", None);
    asked("EXTERNAL", b"\xff", None);
}

fn token<'a>(user: &'a str, host: Option<&'a str>, port: Option<u16>) -> Option<Credential<'a>> {
    Some(Credential::Token {
        user,
        token: "t",
        host,
        port,
    })
}

/// RFC 4616 2, RFC 4013 2.3: what names somebody or something can be logged, and written into a header.
#[test]
fn names_have_no_control_characters() {
    let bearer = "\x01auth=Bearer t\x01\x01";
    for odd in [
        "tim\r\nReceived: x",
        "tim\x1b[2J",
        "\x7f",
        "tim\u{85}",
        "ti\tm",
    ] {
        for (mechanism, message) in [
            ("PLAIN", format!("\0{odd}\0pw")),
            ("PLAIN", format!("{odd}\0tim\0pw")),
            ("EXTERNAL", odd.into()),
            ("XOAUTH2", format!("user={odd}{bearer}")),
            ("OAUTHBEARER", format!("n,a={odd},{bearer}")),
            ("OAUTHBEARER", format!("n,,\x01host={odd}{bearer}")),
        ] {
            asked(mechanism, message.as_bytes(), None);
        }
        let mut login = begin("LOGIN").unwrap();
        login.respond(Some(odd.as_bytes()));
        assert_eq!(login.respond(Some(b"pw")), Turn::Step(rejected().unwrap()));
    }
    // Who chose such a password has to go on with it.
    asked(
        "PLAIN",
        b"\0t\xc3\xafm \0p\tw",
        password("", "tïm ", "p\tw"),
    );
}

/// XOAUTH2-a
#[test]
fn xoauth2_has_a_user_and_a_token() {
    let message = b"user=u@x\x01auth=bearer t\x01\x01";
    asked("XOAUTH2", message, token("u@x", None, None));
    let malformed: [&[u8]; 6] = [
        b"user=u@x\x01auth=Bearer t\x01",
        b"user=\x01auth=Bearer t\x01\x01",
        b"user=u@x\x01auth=Basic t\x01\x01",
        b"user=u@x\x01auth=Bearer \x01\x01",
        b"user=u@x\x01auth=Bearer t\x01more=1\x01\x01",
        b"user=u@x\x01\x01",
    ];
    for message in malformed {
        asked("XOAUTH2", message, None);
    }
}

/// 7628-3.1-a, 7628-3.1-b, RFC 5801 4
#[test]
fn oauthbearer_has_a_header_and_keys() {
    let pairs = "\x01host=h\x01port=587\x01new=1\x01auth=Bearer t\x01\x01";
    for (header, user) in [
        ("n,,", ""),
        ("n,a=u@x,", "u@x"),
        ("y,a=a=2Cb=3Dc,", "a,b=c"),
    ] {
        let message = format!("{header}{pairs}");
        asked(
            "OAUTHBEARER",
            message.as_bytes(),
            token(user, Some("h"), Some(587)),
        );
    }
    asked(
        "OAUTHBEARER",
        b"n,,\x01auth=Bearer t\x01\x01",
        token("", None, None),
    );
    for header in [
        "",
        "n,a=x",
        "p=tls-unique,,",
        "n,x,",
        "n,a=,",
        "n,a=a=b,",
        "n,a=a,b,",
    ] {
        asked("OAUTHBEARER", format!("{header}{pairs}").as_bytes(), None);
    }
    for pairs in [
        "\x01\x01",
        "\x01host=h\x01\x01",
        "\x01auth=Basic t\x01\x01",
        "\x01auth=Bearer t\x01",
        "auth=Bearer t\x01\x01",
        "\x01auth=Bearer t\x01auth=Bearer u\x01\x01",
        "\x01host\x01auth=Bearer t\x01\x01",
        "\x01port=65536\x01auth=Bearer t\x01\x01",
    ] {
        asked("OAUTHBEARER", format!("n,,{pairs}").as_bytes(), None);
    }
}

/// 7628-3.2-a, XOAUTH2-b: the client is told why, and has to say that it has heard it. What is wrong
/// for now is not the token, and is said at once.
#[test]
fn a_wrong_token_is_refused_in_two_steps() {
    for (name, user, why) in [
        (
            "XOAUTH2",
            "user=tim\x01",
            r#"{"status":"401","schemes":"bearer"}"#,
        ),
        (
            "OAUTHBEARER",
            "n,a=tim,\x01",
            r#"{"status":"invalid_token"}"#,
        ),
    ] {
        let message = format!("{user}auth=Bearer wrong\x01\x01");
        let mut exchange = begin(name).unwrap();
        let step = answer(&mut exchange, Some(message.as_bytes()));
        assert_eq!(step, Step::Challenge(why.into()));
        assert_eq!(Some(answer(&mut exchange, Some(b"\x01"))), rejected());
        let message = message.replace("tim", "later");
        let mut exchange = begin(name).unwrap();
        let Step::Reject(reply) = answer(&mut exchange, Some(message.as_bytes())) else {
            panic!("{name}");
        };
        assert_eq!(reply.code().value(), 454);
    }
}

/// Only what was asked for lets anybody in, and only once.
#[test]
fn calls_out_of_order_let_nobody_in() {
    let plain: &[u8] = b"\0tim\0s3cr3t-t0k3n";
    let mut exchange = begin("PLAIN").unwrap();
    assert_eq!(Some(exchange.decide(Ok("tim".into()))), rejected());
    let mut exchange = begin("PLAIN").unwrap();
    assert!(matches!(exchange.respond(Some(plain)), Turn::Check(_)));
    assert_eq!(Some(exchange.decide(Ok("tim".into()))), accepted("tim"));
    assert_eq!(Some(exchange.decide(Ok("tim".into()))), rejected());
    assert_eq!(Some(answer(&mut exchange, Some(plain))), rejected());
    // Nor does a refusal that is none.
    let mut exchange = begin("PLAIN").unwrap();
    assert!(matches!(exchange.respond(Some(plain)), Turn::Check(_)));
    let reply = Reply::parse(b"235 2.7.0 OK\r\n").unwrap();
    assert_eq!(Some(exchange.decide(Err(reply))), rejected());
    // A verdict that is not waited for is void.
    let mut exchange = begin("EXTERNAL").unwrap();
    assert!(matches!(exchange.respond(Some(b"tim")), Turn::Check(_)));
    assert!(matches!(
        exchange.respond(None),
        Turn::Step(Step::Challenge(_))
    ));
    assert_eq!(Some(exchange.decide(Ok("tim".into()))), rejected());
    assert!(begin("CRAM-MD5").is_none());
    let says = vec!["tim"];
    assert_eq!(
        attempt(&mut Own {
            name: "LOGIN",
            says
        }),
        None
    );
}

/// A password is sent by PLAIN rather than LOGIN, where both are offered.
#[test]
fn a_password_is_tried_in_order() {
    let names = |mechanisms: Vec<Box<dyn smtp_proto::sasl::Mechanism>>| {
        let names = mechanisms
            .iter()
            .map(|mechanism| mechanism.name().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(by_password("tim", SECRET)), ["PLAIN", "LOGIN"]);
    #[cfg(feature = "scram")]
    {
        use crate::application::nonce;
        use smtp_proto::sasl::by_scram_or_password;

        let mechanisms = by_scram_or_password("tim", SECRET, nonce("n"));
        assert_eq!(names(mechanisms), ["SCRAM-SHA-256", "PLAIN", "LOGIN"]);
        let mechanisms = by_scram_or_password("tim", "\u{7}", nonce("n"));
        assert_eq!(names(mechanisms), ["PLAIN", "LOGIN"]);
    }
}

/// AUT-10
#[test]
fn no_secret_is_shown() {
    let mut shown = String::new();
    for mut mechanism in mechanisms("tim", SECRET) {
        let mut exchange = begin(mechanism.name()).unwrap();
        let mut response = mechanism.initial_response();
        for _ in 0..3 {
            shown += &format!("{:?}", exchange.respond(response.as_deref()));
            let step = answer(&mut exchange, response.as_deref());
            shown += &format!("{step:?} {exchange:?}");
            if let Step::Challenge(challenge) = step {
                response = mechanism.respond(&challenge);
            }
        }
    }
    shown += &format!("{:?}", Plain::new("tim", SECRET));
    shown += &format!(
        "{:?}",
        smtp_proto::sasl::OAuthBearer::new("tim", "h", 1, SECRET)
    );
    assert!(shown.contains("Password { user: \"tim\", acting_for: \"\", .. }"));
    assert!(shown.contains("Token { user: \"tim\", host: None, port: None, .. }"));
    let bytes = format!("{:?}", SECRET.as_bytes());
    for secret in [SECRET, bytes.trim_matches(['[', ']'])] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
