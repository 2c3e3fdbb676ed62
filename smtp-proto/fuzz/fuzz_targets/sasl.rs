//! Whatever a peer says in an exchange, both roles come to an end, and nobody gets in by it who has not
//! proved who he is.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use smtp_proto::sasl::{
    Channel, Credential, External, Login, Mechanism, Nonce, OAuthBearer, Plain, Scram, ScramHash,
    ScramKeys, ServerExchange, Step, Turn, XOAuth2, invalid_credentials,
};

const SECRET: &str = "tanstaaftanstaaf";
/// The least that a client is content with.
const ITERATIONS: u32 = 4096;

fn nonce(text: &str) -> Nonce {
    Nonce::parse(text).expect("a nonce")
}

fn scram(hash: ScramHash) -> Box<dyn Mechanism> {
    Box::new(Scram::new(hash, "tim", SECRET, nonce("client")).expect("a user"))
}

fn mechanism(number: u8) -> Box<dyn Mechanism> {
    match number % 7 {
        0 => Box::new(Plain::new("tim", SECRET)),
        1 => Box::new(Login::new("tim", SECRET)),
        2 => Box::new(External::new().acting_for("tim")),
        3 => Box::new(XOAuth2::new("tim", SECRET)),
        4 => Box::new(OAuthBearer::new("tim", "mx.example.net", 587, SECRET)),
        5 => scram(ScramHash::Sha1),
        _ => scram(ScramHash::Sha256),
    }
}

/// Returns the keys of a user, which take their time to make.
fn keys(hash: ScramHash) -> ScramKeys {
    static KEYS: OnceLock<[ScramKeys; 2]> = OnceLock::new();
    let [sha1, sha256] = KEYS.get_or_init(|| {
        [ScramHash::Sha1, ScramHash::Sha256].map(|hash| {
            ScramKeys::from_password(hash, SECRET, b"salt", ITERATIONS).expect("a password")
        })
    });
    match hash {
        ScramHash::Sha1 => sha1.clone(),
        _ => sha256.clone(),
    }
}

/// Answers a server, which does not know the password.
fn client<'a>(mut mechanism: Box<dyn Mechanism>, said: impl Iterator<Item = &'a [u8]>) {
    let proves_server = mechanism.name().starts_with("SCRAM");
    let _ = mechanism.initial_response();
    for challenge in said.take(20) {
        if mechanism.respond(challenge).is_none() {
            break;
        }
    }
    assert!(!(proves_server && mechanism.is_complete()), "a server that has proved nothing");
}

/// Answers a client.
fn server<'a>(name: &str, said: impl Iterator<Item = &'a [u8]>) {
    let mut exchange = ServerExchange::begin(name, &Channel::in_clear([name])).expect("a mechanism that is built in");
    let mut is_right = false;
    for response in said.map(Some).chain([None]).take(20) {
        let step = match exchange.respond(response) {
            Turn::Step(step) => step,
            Turn::Check(credential) => {
                is_right = match credential {
                    Credential::Password { user, password, .. } => user == "tim" && password == SECRET,
                    Credential::Token { user, token, .. } => user == "tim" && token == SECRET,
                    Credential::External { .. } => true,
                    // Nobody proves without the password that he knows it.
                    _ => panic!("{name} proved"),
                };
                let verdict = if is_right { Ok("tim".to_owned()) } else { Err(invalid_credentials()) };
                exchange.decide(verdict)
            }
            Turn::Keys { user, hash } => {
                let known = (user == "tim").then(|| keys(hash));
                exchange.keys(known, &nonce("server"), b"a secret")
            }
            _ => return,
        };
        match step {
            Step::Challenge(_) => {}
            Step::Accept(name) => return assert!(is_right && name == "tim"),
            _ => return,
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((&setting, said)) = input.split_first() else { return };
    let mechanism = mechanism(setting >> 1);
    let said = said.split(|&byte| byte == b'\n');
    match setting & 1 {
        0 => client(mechanism, said),
        _ => server(mechanism.name(), said),
    }
});
