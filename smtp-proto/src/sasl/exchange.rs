//! A server's part in an exchange of the built-in mechanisms.

use alloc::{string::String, vec::Vec};
use core::{fmt, mem, str};

#[cfg(feature = "scram")]
use super::scram::{Nonce, Opening, ScramHash, ScramKeys, WithKeys, WithoutKeys};
use super::{
    channel::Channel,
    credential::Credential,
    external, login, oauthbearer, plain,
    step::{Step, invalid_credentials},
    xoauth2,
};
#[cfg(feature = "scram")]
use crate::machine::limits;
use crate::syntax::{Class, Reply};

/// Takes a server's part in one exchange: PLAIN, LOGIN, EXTERNAL, XOAUTH2, OAUTHBEARER, and with
/// the feature `scram` SCRAM-SHA-256 and SCRAM-SHA-1, with and without `-PLUS`.
///
/// It knows how an exchange goes; who is let in, is the application's to say. Give it what the
/// client says by [`respond`](Self::respond), do what the [`Turn`] asks for, and hand the outcome
/// of that back. Any call in any order is safe: what was not asked for lets nobody in.
///
/// [`Debug`](fmt::Debug) shows nothing of what was said.
pub struct ServerExchange {
    state: State,
    /// Whom the client named, where the last message does not hold the name as it is.
    user: String,
    #[cfg(feature = "scram")]
    acting_for: String,
    /// Whom the client wants to act for, while the application is to decide.
    undecided: Option<String>,
}

/// What is to come next.
enum State {
    Plain,
    Login,
    LoginPassword,
    External,
    XOAuth2,
    OAuthBearer,
    /// The client was told why, and has to say that it has heard it.
    Refused(Reply<'static>),
    #[cfg(feature = "scram")]
    Scram(Opening),
    #[cfg(feature = "scram")]
    ScramKeys(WithoutKeys),
    #[cfg(feature = "scram")]
    ScramProof(WithKeys),
    /// The server has to prove itself once the client is let in.
    #[cfg(feature = "scram")]
    ScramVerified(Vec<u8>),
    /// The client has to say that it believes the server.
    #[cfg(feature = "scram")]
    Accepted(String),
    Over,
}

/// Says what a [`ServerExchange`] wants done next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Turn<'a> {
    /// Does this, and gives the client's answer to [`respond`](ServerExchange::respond).
    Step(Step),
    /// Asks the application whether this is right. Its verdict goes to
    /// [`decide`](ServerExchange::decide).
    Check(Credential<'a>),
    /// Asks the application for a user's keys, which go to [`keys`](ServerExchange::keys).
    #[cfg(feature = "scram")]
    Keys {
        /// The user, prepared by SASLprep.
        user: &'a str,
        /// For which hash.
        hash: ScramHash,
    },
}

impl ServerExchange {
    /// Begins an exchange by the mechanism of this name, in any case; `None` if it is not built in,
    /// or not offered on this channel.
    pub fn begin(mechanism: &str, channel: &Channel<'_>) -> Option<Self> {
        if !channel.offers(mechanism) {
            return None;
        }
        let is = |name: &str| mechanism.eq_ignore_ascii_case(name);
        let state = match () {
            () if is("PLAIN") => State::Plain,
            () if is("LOGIN") => State::Login,
            () if is("EXTERNAL") => State::External,
            () if is("XOAUTH2") => State::XOAuth2,
            () if is("OAUTHBEARER") => State::OAuthBearer,
            #[cfg(feature = "scram")]
            () => State::Scram(Opening::new(mechanism, channel)?),
            #[cfg(not(feature = "scram"))]
            () => return None,
        };
        Some(Self {
            state,
            user: String::new(),
            #[cfg(feature = "scram")]
            acting_for: String::new(),
            undecided: None,
        })
    }

    /// Goes on with what the client says, decoded: first with its initial response, or `None` if it
    /// sent none, then with its answer to each challenge.
    pub fn respond<'a>(&'a mut self, response: Option<&'a [u8]>) -> Turn<'a> {
        self.undecided = None;
        let Some(response) = response else {
            return Turn::Step(Step::Challenge(match self.state {
                State::Login => login::USER.into(), // LOGIN-a
                _ => Vec::new(),                    // 4422-5-a
            }));
        };
        let credential = match mem::replace(&mut self.state, State::Over) {
            State::Plain => plain::read(response),
            State::Login => {
                // LOGIN-b: an initial response is the user. One that is no text fails in the end.
                self.user = str::from_utf8(response).unwrap_or_default().into();
                self.state = State::LoginPassword;
                return Turn::Step(Step::Challenge(login::PASSWORD.into()));
            }
            State::LoginPassword => login::read(&self.user, response),
            State::External => external::read(response),
            State::XOAuth2 => {
                self.state = State::XOAuth2;
                xoauth2::read(response)
            }
            State::OAuthBearer => {
                self.state = State::OAuthBearer;
                match oauthbearer::read(response) {
                    Some(message) => {
                        self.user = message.user.into_owned();
                        Some(Credential::Token {
                            user: &self.user,
                            token: message.token,
                            host: message.host,
                            port: message.port,
                        })
                    }
                    None => None,
                }
            }
            State::Refused(reply) => return Turn::Step(Step::Reject(reply)),
            #[cfg(feature = "scram")]
            State::Scram(opening) => match opening.read(response) {
                Some((user, acting_for, exchange)) => {
                    let hash = exchange.hash();
                    (self.user, self.acting_for) = (user, acting_for);
                    self.state = State::ScramKeys(exchange);
                    return Turn::Keys {
                        user: &self.user,
                        hash,
                    };
                }
                None => None,
            },
            #[cfg(feature = "scram")]
            State::ScramProof(exchange) => match exchange.verify(response) {
                Some(server_final) => {
                    self.state = State::ScramVerified(server_final);
                    Some(Credential::Proven {
                        user: &self.user,
                        acting_for: &self.acting_for,
                    })
                }
                None => None,
            },
            #[cfg(feature = "scram")]
            State::Accepted(name) if response.is_empty() => {
                return Turn::Step(Step::Accept(name));
            }
            _ => None,
        };
        match credential.filter(|credential| !credential.has_control_characters()) {
            Some(credential) => {
                self.undecided = Some(credential.acting_for().into());
                Turn::Check(credential)
            }
            None => Turn::Step(refuse(&mut self.state, invalid_credentials())),
        }
    }

    /// Takes the application's verdict over what [`Turn::Check`] asked about: the name under which
    /// the client goes from now on, or the reply that turns it down.
    ///
    /// Whoever wants to act for another is accepted under that other's name only: an application
    /// that returns any other has not looked at [`Credential::acting_for`]. A reply that is not
    /// negative turns the client down with [`invalid_credentials`].
    pub fn decide(&mut self, verdict: Result<String, Reply<'static>>) -> Step {
        let name = match (self.undecided.take(), verdict) {
            // AUT-6: who does not look at whom the client acts for cannot mean to allow it.
            (Some(asked), Ok(name)) if asked.is_empty() || asked == name => name,
            (_, Ok(_)) => return refuse(&mut self.state, invalid_credentials()),
            (_, Err(reply)) => return refuse(&mut self.state, reply),
        };
        match mem::replace(&mut self.state, State::Over) {
            #[cfg(feature = "scram")]
            State::ScramVerified(server_final) => {
                self.state = State::Accepted(name);
                Step::Challenge(server_final)
            }
            _ => Step::Accept(name),
        }
    }

    /// Takes the keys that [`Turn::Keys`] asked for, and the server's part of the nonce, which must
    /// be new each time.
    ///
    /// Where there are none, [`ScramKeys::decoy`] makes some up with this secret and
    /// [`limits::SCRAM_ITERATIONS`]. Keys of another hash than was asked for turn the client down.
    #[cfg(feature = "scram")]
    pub fn keys(&mut self, keys: Option<ScramKeys>, nonce: &Nonce, secret: &[u8]) -> Step {
        let State::ScramKeys(exchange) = mem::replace(&mut self.state, State::Over) else {
            return Step::Reject(invalid_credentials());
        };
        let hash = exchange.hash();
        let decoy = || ScramKeys::decoy(hash, &self.user, secret, limits::SCRAM_ITERATIONS);
        let keys = keys.unwrap_or_else(decoy);
        if keys.hash() != hash {
            return Step::Reject(invalid_credentials());
        }
        let (server_first, exchange) = exchange.challenge(keys, nonce);
        self.state = State::ScramProof(exchange);
        Step::Challenge(server_first)
    }
}

/// Turns the client down: at once, or after it was told why.
fn refuse(state: &mut State, reply: Reply<'static>) -> Step {
    let reply = match reply.class() {
        Class::Transient | Class::Permanent => reply,
        Class::Positive | Class::Intermediate => invalid_credentials(),
    };
    let why = match state {
        // 7628-3.2-a, XOAUTH2-b; what is wrong for now is not the token.
        _ if reply.class() == Class::Transient => None,
        State::XOAuth2 => Some(xoauth2::FAILURE),
        State::OAuthBearer => Some(oauthbearer::FAILURE),
        _ => None,
    };
    match why {
        Some(why) => {
            *state = State::Refused(reply);
            Step::Challenge(why.into())
        }
        None => {
            *state = State::Over;
            Step::Reject(reply)
        }
    }
}

impl fmt::Debug for ServerExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerExchange").finish_non_exhaustive()
    }
}
