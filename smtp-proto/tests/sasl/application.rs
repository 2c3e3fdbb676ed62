//! Clients that want in, and what a server's application says to them. The adapters' tests share it.
#![allow(dead_code, reason = "each of them uses its part")]

#[cfg(feature = "scram")]
use smtp_proto::sasl::{Nonce, Scram, ScramHash, ScramKeys};
use smtp_proto::{
    sasl::{
        Channel, Credential, External, Login, Mechanism, OAuthBearer, Plain, ServerExchange, Step,
        Turn, XOAuth2, invalid_credentials,
    },
    syntax::Reply,
};

pub(crate) const SECRET: &str = "s3cr3t-t0k3n";
#[cfg(feature = "scram")]
pub(crate) const ITERATIONS: u32 = 4096;

/// A mechanism that is not built in on the server, or not as the client has it.
pub(crate) struct Own {
    pub(crate) name: &'static str,
    pub(crate) says: Vec<&'static str>,
}

impl Mechanism for Own {
    fn name(&self) -> &str {
        self.name
    }

    fn initial_response(&mut self) -> Option<Vec<u8>> {
        None
    }

    fn respond(&mut self, _: &[u8]) -> Option<Vec<u8>> {
        let has_more = !self.says.is_empty();
        has_more.then(|| self.says.remove(0).into())
    }
}

/// Returns a client's side of each built-in mechanism.
pub(crate) fn mechanisms(user: &str, secret: &str) -> Vec<Box<dyn Mechanism>> {
    vec![
        Box::new(Plain::new(user, secret)),
        Box::new(Login::new(user, secret)),
        Box::new(External::new().acting_for(user)),
        Box::new(XOAuth2::new(user, secret)),
        Box::new(OAuthBearer::new(user, "mx.example.net", 587, secret)),
        #[cfg(feature = "scram")]
        Box::new(scram(ScramHash::Sha1, user, secret)),
        #[cfg(feature = "scram")]
        Box::new(scram(ScramHash::Sha256, user, secret)),
    ]
}

#[cfg(feature = "scram")]
pub(crate) fn scram(hash: ScramHash, user: &str, secret: &str) -> Scram {
    Scram::new(hash, user, secret, nonce("client")).unwrap()
}

#[cfg(feature = "scram")]
pub(crate) fn nonce(text: &str) -> Nonce {
    Nonce::parse(text).unwrap()
}

/// Lets in `tim`, with his password or token, or with a certificate; as himself or as `ann`.
pub(crate) fn check(credential: Credential<'_>) -> Result<String, Reply<'static>> {
    let name = |acting_for: &str| match acting_for {
        "" | "tim" => Ok("tim".to_owned()),
        "ann" => Ok("ann".to_owned()),
        // He forgets whom the client wants to act for.
        "root" => Ok("tim".to_owned()),
        _ => Err(invalid_credentials()),
    };
    match credential {
        Credential::Password {
            user: "tim",
            password: SECRET,
            acting_for,
        }
        | Credential::Proven {
            user: "tim",
            acting_for,
        } => name(acting_for),
        Credential::External { acting_for } => name(acting_for),
        Credential::Token {
            user: "tim",
            token: SECRET,
            host: None | Some("mx.example.net"),
            port: None | Some(587),
        } => Ok("tim".to_owned()),
        Credential::Password { user: "later", .. } | Credential::Token { user: "later", .. } => {
            Err(Reply::parse(b"454 4.7.0 Later\r\n").unwrap())
        }
        _ => Err(invalid_credentials()),
    }
}

/// Returns the keys of `tim`.
#[cfg(feature = "scram")]
pub(crate) fn keys(user: &str, hash: ScramHash) -> Option<ScramKeys> {
    let keys = || ScramKeys::from_password(hash, SECRET, b"salt", ITERATIONS).unwrap();
    (user == "tim").then(keys)
}

/// Begins an exchange in clear, by a mechanism that is offered.
pub(crate) fn begin(mechanism: &str) -> Option<ServerExchange> {
    ServerExchange::begin(mechanism, &Channel::in_clear([mechanism]))
}

/// Has the application answer what an exchange asks for.
pub(crate) fn answer(exchange: &mut ServerExchange, response: Option<&[u8]>) -> Step {
    match exchange.respond(response) {
        Turn::Step(step) => step,
        Turn::Check(credential) => {
            let verdict = check(credential);
            exchange.decide(verdict)
        }
        #[cfg(feature = "scram")]
        Turn::Keys { user, hash } => {
            let keys = keys(user, hash);
            exchange.keys(keys, &nonce("server"), b"a secret")
        }
        turn => panic!("{turn:?}"),
    }
}

/// Runs an exchange in clear to its end; `None` if the client breaks it off, or does not believe its
/// success.
pub(crate) fn attempt(mechanism: &mut dyn Mechanism) -> Option<Step> {
    let exchange = begin(mechanism.name()).unwrap();
    run(mechanism, exchange)
}

/// Runs an exchange to its end.
pub(crate) fn run(mechanism: &mut dyn Mechanism, mut exchange: ServerExchange) -> Option<Step> {
    let mut response = mechanism.initial_response();
    for _ in 0..10 {
        match answer(&mut exchange, response.as_deref()) {
            Step::Challenge(challenge) => response = Some(mechanism.respond(&challenge)?),
            Step::Accept(name) => return mechanism.is_complete().then_some(Step::Accept(name)),
            refusal => return Some(refusal),
        }
    }
    panic!("no end");
}
