//! SASL mechanisms, in both roles (RFC 4422): who a client is, and what proves it.
//!
//! A client has a [`Mechanism`]: [`Plain`], [`Login`], [`External`], [`XOAuth2`], [`OAuthBearer`],
//! `Scram`, or one of its own. A server has a [`ServerExchange`], which knows the same ones.
//! Neither encodes anything: the machines of [`client`](crate::client) and
//! [`server`](crate::server) do the base64.
//!
//! # A server's part
//!
//! ```
//! use smtp_proto::{
//!     machine::TlsInfo,
//!     sasl::{Channel, Credential, ServerExchange, Step, Turn, invalid_credentials},
//! };
//!
//! let tls = TlsInfo::default(); // what the handshake came to
//! let channel = Channel::secured(&tls, ["PLAIN"]);
//! let mut exchange =
//!     ServerExchange::begin("PLAIN", &channel).expect("a mechanism that is built in");
//! let step = match exchange.respond(Some(b"\0tim\0tanstaaftanstaaf")) {
//!     Turn::Check(credential) => {
//!         let verdict = match credential {
//!             Credential::Password { user: "tim", password: "tanstaaftanstaaf", .. } => {
//!                 Ok("tim".to_owned())
//!             }
//!             _ => Err(invalid_credentials()),
//!         };
//!         exchange.decide(verdict)
//!     }
//!     Turn::Step(step) => step,
//!     _ => Step::Reject(invalid_credentials()),
//! };
//! assert_eq!(step, Step::Accept("tim".to_owned()));
//! ```
//!
//! # Secrets
//!
//! What is held of passwords, tokens and keys is overwritten in the end, and shown by no
//! [`Debug`](core::fmt::Debug). That does not reach the buffers of the transport.

mod attempts;
mod channel;
mod choice;
mod credential;
mod exchange;
mod external;
mod gs2;
mod login;
mod mechanism;
mod oauthbearer;
mod password;
mod plain;
#[cfg(feature = "scram")]
mod scram;
mod secret;
mod step;
mod xoauth2;

pub(crate) use self::{
    attempts::{Attempts, Progress},
    choice::Choice,
};
pub use self::{
    channel::{Channel, Protection},
    credential::Credential,
    exchange::{ServerExchange, Turn},
    external::External,
    login::Login,
    mechanism::Mechanism,
    oauthbearer::OAuthBearer,
    password::by_password,
    plain::Plain,
    step::{Step, invalid_credentials},
    xoauth2::XOAuth2,
};
#[cfg(feature = "scram")]
pub use self::{
    password::{by_scram_or_password, by_scram_then_password},
    scram::{Nonce, Scram, ScramError, ScramHash, ScramKeys},
};
