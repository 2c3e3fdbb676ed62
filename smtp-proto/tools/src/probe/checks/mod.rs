//! What is tested: a file for each check, with the type of what it comes to.

pub(super) mod auth;
pub(super) mod bare_lf;
pub(super) mod batch;
pub(super) mod chunks;
pub(super) mod end_of_content;
pub(super) mod errors;
pub(super) mod greeting;
pub(super) mod group_end;
pub(super) mod half_close;
pub(super) mod hello;
pub(super) mod injection;
pub(super) mod limits;
pub(super) mod line_length;
pub(super) mod login;
pub(super) mod look_ahead;
mod message;
pub(super) mod one_by_one;
pub(super) mod size;
pub(super) mod split;
pub(super) mod split_chunk;
pub(super) mod stream_proof;
pub(super) mod tls;

pub use self::{
    auth::Auth,
    bare_lf::BareLf,
    batch::Batch,
    chunks::Chunks,
    end_of_content::{EndOfContent, Terminator},
    errors::Errors,
    greeting::Greeting,
    group_end::GroupEnd,
    half_close::HalfClose,
    hello::Hello,
    injection::Injection,
    limits::Limits,
    line_length::{LineLength, LongLine},
    login::Login,
    look_ahead::LookAhead,
    one_by_one::OneByOne,
    size::Size,
    split::Split,
    split_chunk::SplitChunk,
    stream_proof::StreamProof,
    tls::Tls,
};

use smtp_proto::syntax::Code;

use super::dialogue::{Dialogue, Silence};

/// Why the replies to a flight were no match: how many came, and what came then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// How many replies came.
    pub answered: usize,
    /// How many were to come.
    pub expected: usize,
    /// Why there were no more.
    pub silence: Silence,
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            answered,
            expected,
            silence,
        } = self;
        write!(f, "{answered} of {expected} replies came, then {silence}")
    }
}

/// Reads the codes of as many replies as a flight has to get.
fn codes<const N: usize>(dialogue: &mut Dialogue) -> Result<[Code; N], Lost> {
    let mut codes = [Code::OK; N];
    for (answered, code) in codes.iter_mut().enumerate() {
        *code = match dialogue.reply() {
            Ok(reply) => reply.code(),
            Err(silence) => {
                return Err(Lost {
                    answered,
                    expected: N,
                    silence,
                });
            }
        };
    }
    Ok(codes)
}

/// Writes codes in a row.
fn row(codes: &[Code]) -> String {
    let codes: Vec<_> = codes.iter().map(Code::to_string).collect();
    codes.join(" ")
}
