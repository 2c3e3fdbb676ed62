//! SCRAM: RFC 5802, RFC 7677.

use smtp_proto::{
    machine::limits,
    sasl::{Credential, Mechanism, Nonce, Scram, ScramError, ScramHash, ScramKeys, Step, Turn},
};

use crate::application::{ITERATIONS, SECRET, attempt, begin, nonce, scram};

/// One exchange to the byte.
struct Vector {
    hash: ScramHash,
    client_nonce: &'static str,
    server_nonce: &'static str,
    salt: &'static [u8],
    messages: [&'static str; 4],
}

const VECTORS: [Vector; 2] = [
    // RFC 7677 3
    Vector {
        hash: ScramHash::Sha256,
        client_nonce: "rOprNGfwEbeRWgbNEkqO",
        server_nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        salt: b"\x5b\x6d\x99\x68\x9d\x12\x35\x8e\xec\xa0\x4b\x14\x12\x36\xfa\x81",
        messages: [
            "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        ],
    },
    // RFC 5802 5
    Vector {
        hash: ScramHash::Sha1,
        client_nonce: "fyko+d2lbbFgONRv9qkxdawL",
        server_nonce: "3rfcNHYJY1ZVvWVs7j",
        salt: b"\x41\x25\xc2\x47\xe4\x3a\xb1\xe9\x3c\x6d\xff\x76",
        messages: [
            "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
            "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,\
             p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        ],
    },
];

impl Vector {
    fn client(&self) -> Scram {
        Scram::new(self.hash, "user", "pencil", nonce(self.client_nonce)).unwrap()
    }

    fn keys(&self) -> ScramKeys {
        ScramKeys::from_password(self.hash, "pencil", self.salt, 4096).unwrap()
    }
}

fn challenge(text: &str) -> Step {
    Step::Challenge(text.into())
}

/// 5802-5-a, 7677-3-a: the client says what the RFCs say.
#[test]
fn the_clients_part_to_the_byte() {
    for vector in VECTORS {
        let [client_first, server_first, client_final, server_final] = vector.messages;
        let mut client = vector.client();
        assert_eq!(client.name(), vector.hash.mechanism());
        assert!(client.exposes_credential());
        assert_eq!(client.initial_response().unwrap(), client_first.as_bytes());
        let proof = client.respond(server_first.as_bytes()).unwrap();
        assert_eq!(proof, client_final.as_bytes());
        assert!(!client.is_complete());
        assert_eq!(client.respond(server_final.as_bytes()), Some(Vec::new()));
        assert!(client.is_complete());
        assert_eq!(client.respond(b""), None);
        assert!(!client.is_complete());
    }
}

/// 5802-5-a, 7677-3-a: the server does so, too.
#[test]
fn the_servers_part_to_the_byte() {
    for vector in VECTORS {
        let [client_first, server_first, client_final, server_final] = vector.messages;
        let hash = vector.hash;
        let mut exchange = begin(hash.mechanism()).unwrap();
        assert_eq!(exchange.respond(None), Turn::Step(challenge("")));
        let turn = exchange.respond(Some(client_first.as_bytes()));
        assert_eq!(turn, Turn::Keys { user: "user", hash });
        let step = exchange.keys(Some(vector.keys()), &nonce(vector.server_nonce), b"");
        assert_eq!(step, challenge(server_first));
        let turn = exchange.respond(Some(client_final.as_bytes()));
        let (user, acting_for) = ("user", "");
        assert_eq!(turn, Turn::Check(Credential::Proven { user, acting_for }));
        assert_eq!(exchange.decide(Ok("user".into())), challenge(server_final));
        let accepted = Turn::Step(Step::Accept("user".into()));
        assert_eq!(exchange.respond(Some(b"")), accepted);
    }
}

/// Keys that were stored are as good as those that were made of the password.
#[test]
fn keys_can_be_stored() {
    let [vector, _] = VECTORS;
    let made = vector.keys();
    let (stored, server) = (made.stored_key(), made.server_key());
    let again = ScramKeys::new(made.hash(), made.salt(), made.iterations(), stored, server);
    let again = again.unwrap();
    assert_eq!(again.stored_key(), made.stored_key());
    let with = |salt: &[u8], iterations, key: &[u8]| {
        ScramKeys::new(ScramHash::Sha256, salt, iterations, key, server).unwrap_err()
    };
    assert_eq!(with(b"", 4096, stored), ScramError::Salt);
    assert_eq!(with(b"s", 4096, b"short"), ScramError::KeyLength);
    for iterations in [0, 4095, limits::SCRAM_ITERATIONS_MAXIMUM + 1] {
        assert_eq!(with(b"s", iterations, stored), ScramError::Iterations);
        let made = ScramKeys::from_password(ScramHash::Sha256, "pw", b"s", iterations);
        assert_eq!(made.unwrap_err(), ScramError::Iterations);
    }
    let shown = format!("{made:?} {:?}", vector.client());
    for secret in [
        format!("{stored:?}"),
        format!("{server:?}"),
        "pencil".into(),
    ] {
        assert!(!shown.contains(secret.trim_matches(['[', ']'])), "{shown}");
    }
}

/// What a server sends first, for the client of the first vector.
fn answered(server_first: &str) -> bool {
    let mut client = VECTORS[0].client();
    client.initial_response();
    client.respond(server_first.as_bytes()).is_some()
}

/// 7677-4-a, RFC 5802 9: so few iterations that anybody can guess, and so many that nobody gets on.
#[test]
fn a_client_iterates_within_bounds() {
    let with = |iterations: &str| {
        answered(&format!(
            "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i={iterations}"
        ))
    };
    assert!(with("4096"));
    for iterations in [
        "",
        "0",
        "1",
        "4095",
        "04096",
        "+4096",
        "-1",
        "4096 ",
        "600001",
        "4294967296",
        "99999999999999999999",
    ] {
        assert!(!with(iterations), "{iterations}");
    }
}

/// 5802-5.1-b, 5802-5.1-c: a nonce that does not go on where the client's ends, an extension that
/// must be understood, attributes that are missing, malformed or in disorder.
#[test]
fn a_client_refuses_a_malformed_beginning() {
    let right = "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    assert!(answered(right));
    assert!(answered(&format!("{right},x=ignored")));
    for end in 0..right.len() - 4 {
        assert!(!answered(&right[..end]), "{}", &right[..end]);
    }
    for wrong in [
        "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "r=rOprNGfwEbeRWgbNEkqPx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "r=xrOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "r=rOprNGfwEbeRWgbNEkqO x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096",
        "r=rOprNGfwEbeRWgbNEkqOx,s=%%%%,i=4096",
        "r=rOprNGfwEbeRWgbNEkqOx,i=4096,s=W22ZaJ0SNY7soEsUEjb6gQ==",
        "s=W22ZaJ0SNY7soEsUEjb6gQ==,r=rOprNGfwEbeRWgbNEkqOx,i=4096",
        "m=x,r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,m=x",
        "e=other-error",
    ] {
        assert!(!answered(wrong), "{wrong}");
    }
}

/// 5802-3-b: nothing but the right signature is the server's proof.
#[test]
fn a_client_refuses_a_wrong_signature() {
    let [client_first, server_first, _, server_final] = VECTORS[0].messages;
    for wrong in [
        "",
        "v=",
        "v=%%%%",
        "v=AAAA",
        "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G8=",
        "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=,m=x",
        "e=invalid-proof",
        client_first,
        server_first,
    ] {
        let mut client = VECTORS[0].client().or_next();
        client.initial_response();
        client.respond(server_first.as_bytes()).unwrap();
        assert!(client.falls_back());
        assert_eq!(client.respond(wrong.as_bytes()), None, "{wrong}");
        assert!(!client.is_complete() && !client.falls_back());
        // And there is no second try.
        assert_eq!(client.respond(server_final.as_bytes()), None);
        assert!(!client.is_complete());
    }
}

/// Tells whether a server goes on with a client's first message.
fn begins(client_first: &str) -> bool {
    let mut exchange = begin("scram-sha-256").unwrap();
    let turn = exchange.respond(Some(client_first.as_bytes()));
    matches!(turn, Turn::Keys { .. })
}

/// 5802-5.1-a, 5802-5.1-b, 5802-6-a
#[test]
fn a_server_refuses_a_malformed_beginning() {
    for right in [
        "n,,n=user,r=x",
        "y,,n=user,r=x",
        "n,a=ann,n=user,r=x",
        "n,,n=user,r=x,x=ignored",
        "n,,n=a=2Cb=3Dc,r=x",
    ] {
        assert!(begins(right), "{right}");
    }
    for wrong in [
        "",
        "n",
        "n,",
        "n,,",
        "n,,n=user",
        "n,,n=user,",
        "n,,n=user,r",
        "n,,n=user,r=",
        "n,,r=x,n=user",
        "n,,n=,r=x",
        "n,,n=a=b,r=x",
        "n,,n=us\u{7}er,r=x",
        "n,,n=user,r=\u{e4}",
        "n,,m=x,n=user,r=x",
        "n,,n=user,r=x,m=x",
        "n,a=,n=user,r=x",
        "n,x=y,n=user,r=x",
        // None is bound under this name.
        "p=tls-unique,,n=user,r=x",
        "p=tls-exporter,,n=user,r=x",
        "x,,n=user,r=x",
    ] {
        assert!(!begins(wrong), "{wrong}");
    }
}

/// Tells whether a server takes a client's last message for a proof.
fn proves(client_final: &[u8]) -> bool {
    let [vector, _] = VECTORS;
    let mut exchange = begin("SCRAM-SHA-256").unwrap();
    exchange.respond(Some(vector.messages[0].as_bytes()));
    exchange.keys(Some(vector.keys()), &nonce(vector.server_nonce), b"");
    matches!(exchange.respond(Some(client_final)), Turn::Check(_))
}

/// 5802-3-a, 5802-5.1-c, 5802-5.1-d
#[test]
fn a_server_refuses_whatever_is_no_proof() {
    let right = VECTORS[0].messages[2];
    assert!(proves(right.as_bytes()));
    for (from, to) in [
        ("c=biws", "c=eSws"),
        ("c=biws,", ""),
        ("k0,p", "k1,p"),
        ("k0,p", "k0x,p"),
        ("r=r", "r=x"),
        ("p=dH", "p=dI"),
        ("dVQ=", "dVQ"),
        ("p=dHzb", "p="),
        ("k0,p", "k0,m=x,p"),
        // It is part of what is proven.
        ("k0,p", "k0,x=y,p"),
        ("dVQ=", "dVQ=,x=y"),
    ] {
        assert!(right.contains(from));
        let wrong = right.replace(from, to);
        assert!(!proves(wrong.as_bytes()), "{wrong}");
    }
    for end in 0..right.len() {
        assert!(!proves(&right.as_bytes()[..end]));
    }
}

/// A server's last word is an empty response.
#[test]
fn a_client_has_to_believe_the_server() {
    let [vector, _] = VECTORS;
    let mut exchange = begin("SCRAM-SHA-256").unwrap();
    exchange.respond(Some(vector.messages[0].as_bytes()));
    exchange.keys(Some(vector.keys()), &nonce(vector.server_nonce), b"");
    exchange.respond(Some(vector.messages[2].as_bytes()));
    exchange.decide(Ok("user".into()));
    assert!(matches!(
        exchange.respond(Some(b"x")),
        Turn::Step(Step::Reject(_))
    ));
    assert!(matches!(
        exchange.respond(Some(b"")),
        Turn::Step(Step::Reject(_))
    ));
}

/// Keys that were not asked for, and those of another hash.
#[test]
fn keys_are_taken_when_they_are_asked_for() {
    let [vector, other] = VECTORS;
    let mut exchange = begin("SCRAM-SHA-256").unwrap();
    let is_rejected = |step| matches!(step, Step::Reject(_));
    assert!(is_rejected(exchange.keys(
        Some(vector.keys()),
        &nonce("x"),
        b""
    )));
    let mut exchange = begin("SCRAM-SHA-256").unwrap();
    exchange.respond(Some(vector.messages[0].as_bytes()));
    assert!(is_rejected(exchange.keys(
        Some(other.keys()),
        &nonce("x"),
        b""
    )));
    let mut exchange = begin("PLAIN").unwrap();
    assert!(is_rejected(exchange.keys(
        Some(vector.keys()),
        &nonce("x"),
        b""
    )));
}

/// SCRAM-a: whether there is such a user cannot be told from the server's first message.
#[test]
fn users_that_do_not_exist_have_salts_too() {
    let first = |user: &str, secret: &[u8]| {
        let mut exchange = begin("SCRAM-SHA-256").unwrap();
        exchange.respond(Some(format!("n,,n={user},r=c").as_bytes()));
        match exchange.keys(None, &nonce("s"), secret) {
            Step::Challenge(challenge) => String::from_utf8(challenge).unwrap(),
            step => panic!("{step:?}"),
        }
    };
    let one = first("nobody", b"secret");
    assert_eq!(first("nobody", b"secret"), one);
    assert_ne!(first("nobody2", b"secret"), one);
    assert_ne!(first("nobody", b"another"), one);
    // As long as a real one.
    let salt = [7; ScramKeys::SALT];
    let (hash, iterations) = (ScramHash::Sha256, limits::SCRAM_ITERATIONS);
    let keys = ScramKeys::from_password(hash, "pw", &salt, iterations).unwrap();
    let mut exchange = begin("SCRAM-SHA-256").unwrap();
    exchange.respond(Some(b"n,,n=nobody,r=c"));
    let Step::Challenge(real) = exchange.keys(Some(keys), &nonce("s"), b"") else {
        panic!("no challenge");
    };
    assert_eq!(real.len(), one.len());
}

/// AUT-6, RFC 5801 4
#[test]
fn who_acts_for_another_is_accepted_under_that_name() {
    let acting_for = |name: &str| {
        let scram = scram(ScramHash::Sha256, "tim", SECRET);
        attempt(&mut scram.acting_for(name).unwrap())
    };
    assert_eq!(acting_for("ann"), Some(Step::Accept("ann".into())));
    for name in ["root", "a,b=2C"] {
        assert!(matches!(acting_for(name), Some(Step::Reject(_))), "{name}");
    }
    let mut scram = Scram::new(ScramHash::Sha256, "a,b=c", "pw", nonce("n")).unwrap();
    let first = scram.initial_response().unwrap();
    assert_eq!(first, b"n,,n=a=2Cb=3Dc,r=n");
    let mut exchange = begin("SCRAM-SHA-256").unwrap();
    let (user, hash) = ("a,b=c", ScramHash::Sha256);
    assert_eq!(exchange.respond(Some(&first)), Turn::Keys { user, hash });
}

/// 5802-5.1-a: what SASLprep prohibits, or cannot be prepared here.
#[test]
fn names_and_passwords_are_prepared() {
    let of = |user: &str, password: &str| {
        let scram = Scram::new(ScramHash::Sha256, user, password, nonce("n"));
        scram.map(|mut scram| String::from_utf8(scram.initial_response().unwrap()).unwrap())
    };
    assert_eq!(of("a b", "~ ").unwrap(), "n,,n=a b,r=n");
    for wrong in ["", "\u{7}", "\u{7f}"] {
        assert_eq!(of(wrong, "pw"), Err(ScramError::Characters));
        assert_eq!(of("user", wrong), Err(ScramError::Characters));
        let keys = ScramKeys::from_password(ScramHash::Sha256, wrong, b"salt", ITERATIONS);
        assert_eq!(keys.unwrap_err(), ScramError::Characters);
    }
    // RFC 4013 3
    #[cfg(feature = "saslprep")]
    {
        assert_eq!(of("I\u{ad}X", "pw").unwrap(), "n,,n=IX,r=n");
        assert_eq!(of("\u{2168}", "pw").unwrap(), "n,,n=IX,r=n");
        assert_eq!(of("\u{627}1", "pw"), Err(ScramError::Characters));
        let keys = |password| {
            ScramKeys::from_password(ScramHash::Sha256, password, b"salt", ITERATIONS).unwrap()
        };
        assert_eq!(keys("\u{2168}").stored_key(), keys("IX").stored_key());
    }
    #[cfg(not(feature = "saslprep"))]
    assert_eq!(of("\u{e4}", "pw"), Err(ScramError::Characters));
}

/// 5802-7-a
#[test]
fn nonces_are_printable() {
    assert_eq!(Nonce::draw(|_| Err("none")), Err("none"));
    let fill = |bytes: &mut [u8]| {
        bytes.copy_from_slice(b"eighteen of these!");
        Ok::<_, ()>(())
    };
    let nonce = Nonce::draw(fill).unwrap();
    let mut scram = Scram::new(ScramHash::Sha256, "u", "p", nonce).unwrap();
    let first = String::from_utf8(scram.initial_response().unwrap()).unwrap();
    assert_eq!(first, "n,,n=u,r=ZWlnaHRlZW4gb2YgdGhlc2Uh");
    for wrong in ["", "a,b", "a b", "\u{e4}", "a\n"] {
        assert_eq!(Nonce::parse(wrong), Err(ScramError::Nonce), "{wrong:?}");
    }
}

/// Whatever either side is told, it does not panic, and takes nothing for a proof that is none.
#[test]
fn changed_messages_prove_nothing() {
    let [vector, _] = VECTORS;
    let [client_first, server_first, client_final, server_final] = vector.messages;
    for (at, byte) in (0..128).flat_map(|at| [0, b',', b'=', b'n', b'A', 0xff].map(|it| (at, it))) {
        let change = |message: &str| {
            let mut message = message.as_bytes().to_vec();
            let original = message
                .get_mut(at)
                .map(|place| std::mem::replace(place, byte));
            original
                .filter(|original| *original != byte)
                .map(|_| message)
        };
        if let Some(message) = change(client_final) {
            assert!(!proves(&message), "{}", message.escape_ascii());
        }
        if let Some(message) = change(server_final) {
            let mut client = vector.client();
            client.respond(server_first.as_bytes()).unwrap();
            assert_eq!(client.respond(&message), None);
            assert!(!client.is_complete());
        }
        // These may be taken; then the proofs do not match.
        if let Some(message) = change(client_first) {
            let mut exchange = begin("SCRAM-SHA-256").unwrap();
            exchange.respond(Some(&message));
            exchange.keys(Some(vector.keys()), &nonce(vector.server_nonce), b"");
            let turn = exchange.respond(Some(client_final.as_bytes()));
            assert!(matches!(turn, Turn::Step(Step::Reject(_))));
        }
        if let Some(message) = change(server_first) {
            let mut client = vector.client();
            if let Some(proof) = client.respond(&message) {
                assert!(!proves(&proof));
            }
        }
    }
}
