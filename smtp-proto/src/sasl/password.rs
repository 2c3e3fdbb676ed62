//! Which mechanisms a password is good for.

use alloc::{boxed::Box, vec, vec::Vec};

#[cfg(feature = "scram")]
use super::scram::{Nonce, Scram, ScramHash};
use super::{login::Login, mechanism::Mechanism, plain::Plain};

/// Returns the mechanisms that send a password, in the order in which to try them: PLAIN, LOGIN.
pub fn by_password(user: &str, password: &str) -> Vec<Box<dyn Mechanism>> {
    vec![
        Box::new(Plain::new(user, password)),
        Box::new(Login::new(user, password)),
    ]
}

/// Returns the mechanisms that a password is good for, in the order in which to try them: first
/// SCRAM-SHA-256, by which the server does not get to know it, then those of [`by_password`].
///
/// SCRAM is left out if user or password hold what it cannot have ([`ScramError::Characters`]).
///
/// [`ScramError::Characters`]: super::ScramError::Characters
#[cfg(feature = "scram")]
pub fn by_scram_or_password(user: &str, password: &str, nonce: Nonce) -> Vec<Box<dyn Mechanism>> {
    let scram = Scram::new(ScramHash::Sha256, user, password, nonce).ok();
    before_password(scram, user, password)
}

/// Returns the same mechanisms as [`by_scram_or_password`], for servers that offer SCRAM and do not
/// hold every user's password in its form: where such a server calls the credentials wrong, PLAIN or
/// LOGIN is tried once, under verified TLS.
///
/// The server that asks for it gets to know the password. So it is never tried with one that failed
/// to prove itself.
#[cfg(feature = "scram")]
pub fn by_scram_then_password(user: &str, password: &str, nonce: Nonce) -> Vec<Box<dyn Mechanism>> {
    let scram = Scram::new(ScramHash::Sha256, user, password, nonce).ok();
    before_password(scram.map(Scram::or_next), user, password)
}

#[cfg(feature = "scram")]
fn before_password(scram: Option<Scram>, user: &str, password: &str) -> Vec<Box<dyn Mechanism>> {
    let scram = scram.map(|scram| Box::new(scram) as Box<dyn Mechanism>);
    scram
        .into_iter()
        .chain(by_password(user, password))
        .collect()
}
