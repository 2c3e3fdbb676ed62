//! SCRAM that binds the TLS connection: RFC 5802 6, RFC 9266.

use smtp_proto::{
    machine::TlsInfo,
    sasl::{
        Channel, Credential, Mechanism, Scram, ScramHash, ScramKeys, ServerExchange, Step, Turn,
        invalid_credentials,
    },
};

use crate::application::{SECRET, nonce, run, scram};

const BOTH: [&str; 2] = ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"];
const NONE: [&str; 1] = ["SCRAM-SHA-256"];
/// The bytes from 0 to 31.
const EXPORTER: [u8; 32] = {
    let mut bytes = [0; 32];
    let mut at = 0;
    while at < 32 {
        bytes[at] = at as u8;
        at += 1;
    }
    bytes
};

fn tls(exporter: Option<[u8; 32]>) -> TlsInfo {
    let mut tls = TlsInfo::default();
    tls.exporter = exporter;
    tls
}

/// What both sides see of a connection, which need not be the same.
struct Ends {
    client: (Option<[u8; 32]>, &'static [&'static str]),
    server: (Option<[u8; 32]>, &'static [&'static str]),
}

impl Ends {
    /// Runs an exchange between them, by the mechanism that the client chooses.
    fn attempt(&self, mut client: Scram) -> (String, Option<Step>) {
        let seen = [tls(self.client.0), tls(self.server.0)];
        client.prepare(&Channel::secured(&seen[0], self.client.1.iter().copied()));
        let name = client.name().to_owned();
        let channel = Channel::secured(&seen[1], self.server.1.iter().copied());
        let exchange = ServerExchange::begin(&name, &channel).unwrap();
        (name, run(&mut client, exchange))
    }
}

fn accepted() -> Option<Step> {
    Some(Step::Accept("tim".into()))
}

fn rejected() -> Option<Step> {
    Some(Step::Reject(invalid_credentials()))
}

/// The hash, both nonces, the salt, and what is said.
type Vector = (
    ScramHash,
    &'static str,
    &'static str,
    &'static [u8],
    [&'static str; 4],
);

/// The exchanges of RFC 7677 3 and RFC 5802 5 with the channel of [`EXPORTER`] bound: computed apart.
const VECTORS: [Vector; 2] = [
    (
        ScramHash::Sha256,
        "rOprNGfwEbeRWgbNEkqO",
        "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        b"\x5b\x6d\x99\x68\x9d\x12\x35\x8e\xec\xa0\x4b\x14\x12\x36\xfa\x81",
        [
            "p=tls-exporter,,n=user,r=rOprNGfwEbeRWgbNEkqO",
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "c=cD10bHMtZXhwb3J0ZXIsLAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f,\
             r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=QC6CS20quADQRb3mT99YUH+n3VJxUvzuK0K0E1Vrs2M=",
            "v=2GiAgapEppLVlUXbxUDksL3VgYHzuqiK5tR4mhJGgvs=",
        ],
    ),
    (
        ScramHash::Sha1,
        "fyko+d2lbbFgONRv9qkxdawL",
        "3rfcNHYJY1ZVvWVs7j",
        b"\x41\x25\xc2\x47\xe4\x3a\xb1\xe9\x3c\x6d\xff\x76",
        [
            "p=tls-exporter,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
            "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            "c=cD10bHMtZXhwb3J0ZXIsLAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f,\
             r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,\
             p=i0z2xFi+ITaJvbLXpcWyruGx26U=",
            "v=YgmPUhdXTCPY9I7+PKzEdnp1cdo=",
        ],
    ),
];

/// 5802-6-a, 9266-2-a
#[test]
fn both_parts_to_the_byte() {
    let tls = tls(Some(EXPORTER));
    for (hash, client_nonce, server_nonce, salt, messages) in VECTORS {
        let channel = Channel::secured(&tls, [hash.mechanism(), hash.binding_mechanism()]);
        let [client_first, server_first, client_final, server_final] = messages;
        let mut client = Scram::new(hash, "user", "pencil", nonce(client_nonce)).unwrap();
        client.prepare(&channel);
        assert_eq!(client.name(), hash.binding_mechanism());
        assert_eq!(client.initial_response().unwrap(), client_first.as_bytes());
        let proof = client.respond(server_first.as_bytes()).unwrap();
        assert_eq!(proof, client_final.as_bytes());
        assert_eq!(client.respond(server_final.as_bytes()), Some(Vec::new()));
        assert!(client.is_complete());

        let mut server = ServerExchange::begin(hash.binding_mechanism(), &channel).unwrap();
        let turn = server.respond(Some(client_first.as_bytes()));
        assert_eq!(turn, Turn::Keys { user: "user", hash });
        let keys = ScramKeys::from_password(hash, "pencil", salt, 4096).unwrap();
        let step = server.keys(Some(keys), &nonce(server_nonce), b"");
        assert_eq!(step, Step::Challenge(server_first.into()));
        let (user, acting_for) = ("user", "");
        assert_eq!(
            server.respond(Some(client_final.as_bytes())),
            Turn::Check(Credential::Proven { user, acting_for })
        );
        let step = server.decide(Ok("user".into()));
        assert_eq!(step, Step::Challenge(server_final.into()));
        let accepted = Turn::Step(Step::Accept("user".into()));
        assert_eq!(server.respond(Some(b"")), accepted);
    }
}

/// 5802-6-a, 5802-6-b: `p` where both can, `y` where only the client can, `n` where it cannot.
#[test]
fn a_client_says_what_it_can_bind() {
    for (exporter, offered, name, begins) in [
        (Some(EXPORTER), &BOTH[..], BOTH[1], "p=tls-exporter,,"),
        (Some(EXPORTER), &BOTH[1..], BOTH[1], "p=tls-exporter,,"),
        (Some(EXPORTER), &NONE, BOTH[0], "y,,"),
        (None, &BOTH, BOTH[0], "n,,"),
        (None, &NONE, BOTH[0], "n,,"),
    ] {
        let tls = tls(exporter);
        let mut client = scram(ScramHash::Sha256, "tim", SECRET);
        client.prepare(&Channel::secured(&tls, offered.iter().copied()));
        assert_eq!(client.name(), name);
        let first = String::from_utf8(client.initial_response().unwrap()).unwrap();
        assert!(first.starts_with(&format!("{begins}n=tim")), "{first}");
    }
    let mut client = scram(ScramHash::Sha256, "tim", SECRET);
    client.prepare(&Channel::in_clear(BOTH));
    assert_eq!(client.initial_response().unwrap(), b"n,,n=tim,r=client");
}

/// 5802-6-a: they agree on each of these, `a=` included.
#[test]
fn both_ends_of_a_connection_agree() {
    let bound = Some(EXPORTER);
    for (client, server, name) in [
        ((bound, &BOTH[..]), (bound, &BOTH[..]), BOTH[1]),
        ((bound, &NONE[..]), (bound, &NONE[..]), BOTH[0]),
        ((bound, &NONE[..]), (None, &NONE[..]), BOTH[0]),
        ((None, &BOTH[..]), (bound, &BOTH[..]), BOTH[0]),
        ((None, &NONE[..]), (None, &NONE[..]), BOTH[0]),
    ] {
        let ends = Ends { client, server };
        let client = || scram(ScramHash::Sha256, "tim", SECRET);
        assert_eq!(ends.attempt(client()), (name.to_owned(), accepted()));
        let (_, outcome) = ends.attempt(client().acting_for("ann").unwrap());
        assert_eq!(outcome, Some(Step::Accept("ann".into())));
    }
    // Servers that offer another binding only.
    let ends = Ends {
        client: (bound, &BOTH),
        server: (bound, &BOTH),
    };
    let client = scram(ScramHash::Sha256, "tim", SECRET).without_binding();
    assert_eq!(ends.attempt(client), (BOTH[0].to_owned(), accepted()));
}

/// AUT-13: a man in the middle has two connections, and each side binds its own.
#[test]
fn nobody_in_between_gets_in() {
    let mut other = EXPORTER;
    other[31] ^= 1;
    let ends = Ends {
        client: (Some(EXPORTER), &BOTH),
        server: (Some(other), &BOTH),
    };
    let (name, outcome) = ends.attempt(scram(ScramHash::Sha256, "tim", SECRET));
    assert_eq!((name.as_str(), outcome), (BOTH[1], rejected()));
}

/// AUT-13, 5802-6-b: who strikes the mechanism from the offer is found out.
#[test]
fn a_downgrade_is_found_by_the_server() {
    let ends = Ends {
        client: (Some(EXPORTER), &NONE),
        server: (Some(EXPORTER), &BOTH),
    };
    let (name, outcome) = ends.attempt(scram(ScramHash::Sha256, "tim", SECRET));
    assert_eq!((name.as_str(), outcome), (BOTH[0], rejected()));
    // He cannot change the flag either: it is proven with the rest.
    let tls = tls(Some(EXPORTER));
    let mut client = scram(ScramHash::Sha256, "tim", SECRET);
    client.prepare(&Channel::secured(&tls, NONE));
    let first = String::from_utf8(client.initial_response().unwrap()).unwrap();
    let first = first.replacen("y,", "n,", 1);
    let mut server = ServerExchange::begin(BOTH[0], &Channel::secured(&tls, BOTH)).unwrap();
    assert!(matches!(
        server.respond(Some(first.as_bytes())),
        Turn::Keys { .. }
    ));
    let keys = crate::application::keys("tim", ScramHash::Sha256);
    let Step::Challenge(challenge) = server.keys(keys, &nonce("server"), b"") else {
        panic!("no challenge");
    };
    let proof = client.respond(&challenge).unwrap();
    let turn = server.respond(Some(&proof));
    assert_eq!(Some(turn), rejected().map(Turn::Step));
}

/// 5802-6-a, 5802-6-c: the flag fits the mechanism, and other bindings are none that are known.
#[test]
fn a_server_wants_the_flag_of_the_mechanism() {
    let tls = tls(Some(EXPORTER));
    for (mechanism, offered, right) in [
        (BOTH[1], &BOTH[..], &["p=tls-exporter"][..]),
        (BOTH[0], &BOTH[..], &["n"]),
        (BOTH[0], &NONE[..], &["n", "y"]),
    ] {
        let channel = Channel::secured(&tls, offered.iter().copied());
        for flag in [
            "n",
            "y",
            "p",
            "p=",
            "p=tls-exporter",
            "p=tls-unique",
            "p=tls-server-end-point",
            "P=tls-exporter",
        ] {
            let mut server = ServerExchange::begin(mechanism, &channel).unwrap();
            let first = format!("{flag},,n=tim,r=x");
            let turn = server.respond(Some(first.as_bytes()));
            let begins = matches!(turn, Turn::Keys { .. });
            assert_eq!(begins, right.contains(&flag), "{mechanism} {flag}");
        }
    }
}

/// 5802-6-a: what is not offered, or cannot be bound, is not begun.
#[test]
fn an_exchange_begins_where_it_is_offered() {
    let bindable = tls(Some(EXPORTER));
    let other = tls(None);
    let begins = |name: &str, channel: Channel<'_>| ServerExchange::begin(name, &channel).is_some();
    assert!(begins(
        "scram-sha-256-plus",
        Channel::secured(&bindable, BOTH)
    ));
    assert!(begins(BOTH[0], Channel::secured(&other, BOTH)));
    assert!(!begins(BOTH[1], Channel::secured(&bindable, NONE)));
    assert!(!begins(BOTH[1], Channel::secured(&other, BOTH)));
    assert!(!begins(BOTH[1], Channel::in_clear(BOTH)));
    assert!(!begins("PLAIN", Channel::in_clear(BOTH)));
}

/// AUT-10
#[test]
fn the_binding_is_not_shown() {
    let tls = tls(Some([0xab; 32]));
    let channel = Channel::secured(&tls, BOTH);
    let mut client = scram(ScramHash::Sha256, "tim", SECRET);
    client.prepare(&channel);
    let server = ServerExchange::begin(client.name(), &channel).unwrap();
    let shown = format!("{client:?} {server:?} {channel:?}");
    assert!(
        !shown.contains("171, 171") && !shown.contains("abab"),
        "{shown}"
    );
}
