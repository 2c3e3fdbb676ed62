//! Which mechanism a client uses where, and what comes after it: RFC 4954 4 and 6.

use std::time::Duration;

use smtp_proto::{
    client::{Client, Config, Tls},
    machine::{Error, Fault, TlsInfo, Verification, VerifiedBy},
    sasl::{External, Login, Mechanism, OAuthBearer, Plain, Protection, XOAuth2, by_password},
    syntax::Host,
    testing::End,
};

use crate::application::{Own, SECRET, mechanisms};

const NOW: Duration = Duration::ZERO;

/// A client and what a server says to it.
struct Dialogue {
    client: End<Client>,
    error: Option<Error>,
}

impl Dialogue {
    /// Begins a session on a connection of some protection, as far as the answer to EHLO.
    fn new(
        protection: Protection,
        allowed: Protection,
        mechanisms: Vec<Box<dyn Mechanism>>,
        offer: &str,
    ) -> Self {
        let mut tls = TlsInfo::default();
        tls.exporter = Some([7; 32]);
        if protection == Protection::VerifiedTls {
            tls.verification = Verification::Verified(VerifiedBy::Fingerprint);
        }
        let mut config = Config::new(Host::parse("client.example").unwrap());
        if allowed != Protection::VerifiedTls {
            config = config.credentials_over(allowed);
        }
        if protection != Protection::InClear {
            config = config.tls(Tls::Implicit);
        }
        let mut client = Client::new(config, NOW);
        client.authenticate(mechanisms).unwrap();
        if protection != Protection::InClear {
            client.tls_established(tls, NOW).unwrap();
        }
        let mut it = Self {
            client: End::new(client),
            error: None,
        };
        it.says("220 x");
        it.sends("EHLO client.example");
        it.says(&format!("250-x\r\n250-AUTH {offer}\r\n250 SIZE"));
        it
    }

    /// The usual one: TLS with a server that is known.
    fn verified(mechanisms: Vec<Box<dyn Mechanism>>, offer: &str) -> Self {
        let protection = Protection::VerifiedTls;
        Self::new(protection, protection, mechanisms, offer)
    }

    fn says(&mut self, lines: &str) {
        self.client.feed(format!("{lines}\r\n").as_bytes());
        if let Err(error) = self.client.hear(NOW, |_, _| {}) {
            self.error = Some(error);
        }
    }

    fn written(&mut self) -> String {
        let mut written = Vec::new();
        self.client.speak(NOW, |_| None, &mut written);
        String::from_utf8(written).unwrap()
    }

    #[track_caller]
    fn sends(&mut self, line: &str) {
        assert_eq!(self.written(), format!("{line}\r\n"));
    }

    /// What each side says in turn, the client first.
    #[track_caller]
    fn exchange(&mut self, lines: &[(&str, &str)]) {
        for (sends, says) in lines {
            self.sends(sends);
            self.says(says);
        }
    }

    /// The client has given up, for this reason.
    #[track_caller]
    fn fails(&mut self, fault: Fault) -> Error {
        self.exchange(&[("QUIT", "221 bye")]);
        let error = self.error.take().unwrap();
        assert_eq!(error.fault(), fault);
        error
    }
}

fn one(mechanism: impl Mechanism + 'static) -> Vec<Box<dyn Mechanism>> {
    vec![Box::new(mechanism)]
}

/// A mechanism that says nothing which others could use.
fn own(says: &[&'static str]) -> Own {
    let (name, says) = ("X-OWN", says.to_vec());
    Own { name, says }
}

/// LOGIN-b: first the user, then the password, whatever the server asks, and in whatever form.
#[test]
fn prompts_of_login_are_not_read() {
    for [first, second] in [
        ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"],
        ["334 UGFzc3dvcmQ6", "334 VXNlcm5hbWU6"],
        ["334 Username:", "334 Password:"],
        ["334 ", "334"],
        ["334 VXNlcm5hbWU6 ", "334 ="],
        ["334 %\u{e4}", "334 A"],
    ] {
        let mut d = Dialogue::verified(one(Login::new("tim", "pw")), "LOGIN");
        d.exchange(&[
            ("AUTH LOGIN", first),
            ("dGlt", second),
            ("cHc=", "235 welcome"),
        ]);
        assert_eq!(d.written(), "", "{first}");
        assert_eq!(d.error, None);
    }
    let mut d = Dialogue::verified(one(Login::new("tim", "pw")), "LOGIN");
    d.exchange(&[
        ("AUTH LOGIN", "334"),
        ("dGlt", "334"),
        ("cHc=", "334 again?"),
        ("*", "501 cancelled"),
    ]);
    d.fails(Fault::UnreadableChallenge);
}

/// 4954-4-n: other mechanisms read what the server says, and the failure tells that they could not.
#[test]
fn an_unreadable_challenge_is_named() {
    type Case = (Vec<Box<dyn Mechanism>>, &'static str, &'static str);
    let cases: [Case; 3] = [
        (one(External::new()), "EXTERNAL", "AUTH EXTERNAL ="),
        (one(own(&["x"])), "X-OWN", "AUTH X-OWN"),
        (
            one(XOAuth2::new("u", "T")),
            "XOAUTH2",
            "AUTH XOAUTH2 dXNlcj11AWF1dGg9QmVhcmVyIFQBAQ==",
        ),
    ];
    for (mechanisms, offer, command) in cases {
        let mut d = Dialogue::verified(mechanisms, offer);
        d.exchange(&[(command, "334 no base64"), ("*", "501 cancelled")]);
        let error = d.fails(Fault::UnreadableChallenge);
        assert!(error.to_string().contains("challenge"), "{error}");
    }
}

/// As at the end of a command, white space at that of a challenge is tolerated (RFC 5321 4.1.1).
#[test]
fn white_space_after_a_challenge_is_dropped() {
    for challenge in ["334 eA== ", "334 eA==\t ", "334  "] {
        let mut d = Dialogue::verified(one(own(&["eQ=="])), "X-OWN");
        d.exchange(&[("AUTH X-OWN", challenge), ("ZVE9PQ==", "235 welcome")]);
    }
}

/// AUT-8: who was not understood, or not believed, is not asked again in another way, and is not
/// taken at its word.
#[test]
fn nothing_comes_after_a_cancel() {
    for verdict in ["504 no", "534 weak", "535 wrong", "235 welcome", "334 more"] {
        for challenge in ["334 no base64", "334 eA=="] {
            let mut mechanisms = one(own(&[]));
            mechanisms.extend(by_password("tim", SECRET));
            let mut d = Dialogue::verified(mechanisms, "X-OWN PLAIN LOGIN");
            d.exchange(&[("AUTH X-OWN", challenge), ("*", verdict)]);
            d.fails(Fault::UnreadableChallenge);
        }
    }
}

/// AUT-11, 4616-5-a: no credential in clear, nor to whoever answers, unless that is allowed; and the
/// failure tells it from a server that offers nothing.
#[test]
fn credentials_go_where_they_are_protected() {
    use Protection::{InClear, Tls, VerifiedTls};
    for protection in [InClear, Tls, VerifiedTls] {
        for allowed in [InClear, Tls, VerifiedTls] {
            for mechanism in mechanisms("tim", SECRET) {
                let name = mechanism.name().to_owned();
                let mut d = Dialogue::new(protection, allowed, vec![mechanism], &name);
                if protection >= allowed || name == "EXTERNAL" {
                    let written = d.written();
                    assert!(written.starts_with(&format!("AUTH {name}")), "{written}");
                } else {
                    d.fails(Fault::CredentialUnprotected);
                }
            }
        }
    }
    let mut d = Dialogue::verified(by_password("tim", SECRET), "CRAM-MD5");
    d.fails(Fault::NoMechanism);
    let mut d = Dialogue::verified(by_password("tim", "pw"), "LOGIN PLAIN");
    d.exchange(&[("AUTH PLAIN AHRpbQBwdw==", "535 5.7.8 wrong")]);
    let error = d.fails(Fault::AuthenticationFailed);
    assert_eq!(error.answer().unwrap().reply.code().value(), 535);
}

/// 4954-6-b, 4954-4-u: too weak or not known, try the next; wrong, do not.
#[test]
fn a_refusal_leads_to_the_next_mechanism_where_that_helps() {
    for refusal in ["504 5.5.4 no", "534 5.7.9 weak", "538 5.7.11 no"] {
        let mut d = Dialogue::verified(by_password("tim", "pw"), "LOGIN PLAIN");
        d.exchange(&[("AUTH PLAIN AHRpbQBwdw==", refusal), ("AUTH LOGIN", "334")]);
        d.sends("dGlt");
    }
    for refusal in ["454 4.7.0 later", "500 what?", "535 5.7.8 wrong"] {
        let mut d = Dialogue::verified(by_password("tim", "pw"), "LOGIN PLAIN");
        d.exchange(&[("AUTH PLAIN AHRpbQBwdw==", refusal)]);
        d.fails(Fault::AuthenticationFailed);
    }
}

/// AUT-12: what is offered in several lines, or as old servers do it.
#[test]
fn every_line_of_an_offer_counts() {
    for offer in [
        "GSSAPI NTLM\r\n250-AUTH=LOGIN PLAIN",
        "\r\n250-AUTH PLAIN",
        "GSSAPI\r\n250-AUTH NTLM\r\n250-auth plain",
    ] {
        let mut d = Dialogue::verified(by_password("tim", "pw"), offer);
        d.sends("AUTH PLAIN AHRpbQBwdw==");
    }
}

/// 7628-3.1-a: a port is named where there is one.
#[test]
fn oauthbearer_names_the_port_that_there_is() {
    for (mut mechanism, port) in [
        (OAuthBearer::new("u", "h", 587, "T"), "\x01port=587"),
        (OAuthBearer::new("u", "h", None, "T"), ""),
    ] {
        let said = String::from_utf8(mechanism.initial_response().unwrap()).unwrap();
        assert_eq!(
            said,
            format!("n,a=u,\x01host=h{port}\x01auth=Bearer T\x01\x01")
        );
    }
}

/// A name that changes with the channel has to be one, too (4422-3.1-a).
#[test]
fn a_name_that_is_none_is_not_sent() {
    struct Odd(&'static str);
    impl Mechanism for Odd {
        fn name(&self) -> &str {
            self.0
        }
        fn prepare(&mut self, _: &smtp_proto::sasl::Channel<'_>) {
            self.0 = "X\r\nQUIT";
        }
        fn initial_response(&mut self) -> Option<Vec<u8>> {
            None
        }
        fn respond(&mut self, _: &[u8]) -> Option<Vec<u8>> {
            None
        }
    }
    let mut both = one(Odd("X"));
    both.extend(one(Plain::new("tim", "pw")));
    let mut d = Dialogue::verified(both, "X PLAIN");
    d.sends("AUTH PLAIN AHRpbQBwdw==");
}

#[cfg(feature = "scram")]
mod scram {
    use super::*;
    use crate::application::nonce;
    use smtp_proto::sasl::{by_scram_or_password, by_scram_then_password};

    const OFFER: &str = "SCRAM-SHA-256 PLAIN LOGIN";
    const FIRST: &str = "AUTH SCRAM-SHA-256 eSwsbj10aW0scj1jbGllbnQ="; // y,,n=tim,r=client
    const PLAIN: &str = "AUTH PLAIN AHRpbQBwdw==";
    /// r=clientserver,s=c2FsdA==,i=4096
    const CHALLENGE: &str = "334 cj1jbGllbnRzZXJ2ZXIscz1jMkZzZEE9PSxpPTQwOTY=";

    fn then_password() -> Vec<Box<dyn Mechanism>> {
        by_scram_then_password("tim", "pw", nonce("client"))
    }

    /// Goes on to the client's proof.
    fn proven(mut d: Dialogue) -> Dialogue {
        d.exchange(&[(FIRST, CHALLENGE)]);
        assert!(d.written().starts_with("Yz1lU3dzLHI9Y2xpZW50c2VydmVyLHA9")); // c=eSws,r=clientserver,p=
        d
    }

    /// 535 to SCRAM is the end, unless it was said otherwise; then PLAIN is tried once, whether the
    /// server knows no such user or does not believe the proof.
    #[test]
    fn a_password_is_tried_once_where_that_is_wanted() {
        let mut d = Dialogue::verified(by_scram_or_password("tim", "pw", nonce("client")), OFFER);
        d.exchange(&[(FIRST, "535 5.7.8 wrong")]);
        d.fails(Fault::AuthenticationFailed);

        for at_once in [true, false] {
            let mut d = Dialogue::verified(then_password(), OFFER);
            if at_once {
                d.sends(FIRST);
            } else {
                d = proven(d);
            }
            d.says("535 5.7.8 wrong");
            d.exchange(&[(PLAIN, "535 5.7.8 wrong")]);
            d.fails(Fault::AuthenticationFailed);
        }
    }

    /// The password goes to nobody but whom it is for.
    #[test]
    fn a_password_is_tried_under_verified_tls_only() {
        for protection in [Protection::InClear, Protection::Tls] {
            let mut d = Dialogue::new(protection, protection, then_password(), OFFER);
            assert!(d.written().starts_with("AUTH SCRAM-SHA-256 "));
            d.says("535 5.7.8 wrong");
            d.fails(Fault::AuthenticationFailed);
        }
    }

    /// AUT-13: a server that does not know the password does not get to know it.
    #[test]
    fn no_password_goes_to_a_server_that_failed_to_prove_itself() {
        for verdict in ["535 5.7.8 wrong", "504 5.5.4 no", "501 cancelled"] {
            let mut d = proven(Dialogue::verified(then_password(), OFFER));
            d.says("334 dj1BQUFB"); // v=AAAA
            d.exchange(&[("*", verdict)]);
            d.fails(Fault::ServerUnproven);
            // Nor to one whose first message is not right.
            let mut d = Dialogue::verified(then_password(), OFFER);
            d.exchange(&[(FIRST, "334 cj14"), ("*", verdict)]); // r=x
            d.fails(Fault::ServerUnproven);
        }
    }

    /// 5802-6-a, 9266-2-a: the machine hands the channel on.
    #[test]
    fn the_channel_is_bound_where_that_is_offered() {
        let mechanisms = by_scram_or_password("tim", "pw", nonce("client"));
        let offer = "SCRAM-SHA-256 SCRAM-SHA-256-PLUS PLAIN";
        let mut d = Dialogue::verified(mechanisms, offer);
        // p=tls-exporter,,n=tim,r=client
        d.sends("AUTH SCRAM-SHA-256-PLUS cD10bHMtZXhwb3J0ZXIsLG49dGltLHI9Y2xpZW50");
    }
}
