//! What is sent next, and its words.

use alloc::vec::Vec;

use super::{envelope::Written, proof::Proof, table::Verb, transaction::TransactionId};
use crate::syntax::Capabilities;

/// What is to be sent next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    /// A command of the application's.
    Own,
    Reset,
    /// XFORWARD, the line at this place.
    XForward(TransactionId, u32),
    Mail(TransactionId),
    /// RCPT for each recipient that is left, written from the envelope.
    Recipients(TransactionId),
    Data(TransactionId),
    LoneDot(TransactionId),
    Quit,
    /// A command of a proof.
    Proof(Verb),
    /// Nothing yet: the transaction has more recipients than the server takes.
    Split(TransactionId),
}

/// A command that was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    pub(super) verb: Verb,
    /// Whose command it is; meaningless for the session's own.
    pub(super) transaction: TransactionId,
    /// Which of the transaction's recipients it is for.
    pub(super) recipient: u32,
}

impl Said {
    pub(super) fn of(verb: Verb, transaction: TransactionId, recipient: u32) -> Self {
        Self {
            verb,
            transaction,
            recipient,
        }
    }

    /// Names a command of the session's own.
    pub(super) fn by_session(verb: Verb) -> Self {
        Self {
            verb,
            transaction: 0,
            recipient: 0,
        }
    }
}

impl Action {
    /// Returns the transaction that it is a command of.
    pub(super) fn transaction(self) -> Option<TransactionId> {
        match self {
            Self::XForward(id, _)
            | Self::Mail(id)
            | Self::Recipients(id)
            | Self::Data(id)
            | Self::LoneDot(id) => Some(id),
            Self::Own | Self::Reset | Self::Quit | Self::Proof(_) | Self::Split(_) => None,
        }
    }

    /// Writes the command, of this envelope or of the application's own line.
    pub(super) fn write(
        self,
        envelope: Option<&Written>,
        own: &[u8],
        offered: &Capabilities,
        out: &mut Vec<u8>,
    ) -> Said {
        let (verb, transaction, recipient) = match self {
            Self::Own => {
                out.extend_from_slice(own);
                (Verb::Own, 0, 0)
            }
            Self::Reset => {
                out.extend_from_slice(b"RSET\r\n");
                (Verb::Reset, 0, 0)
            }
            Self::Proof(verb) => {
                out.extend_from_slice(Proof::write(verb));
                (verb, 0, 0)
            }
            Self::XForward(id, at) => {
                let line = envelope.and_then(|envelope| envelope.origin_line(at as usize));
                out.extend_from_slice(line.unwrap_or_default());
                (Verb::XForward, id, 0)
            }
            Self::Mail(id) => {
                if let Some(envelope) = envelope {
                    envelope.write_mail(offered, out);
                }
                (Verb::Mail, id, 0)
            }
            Self::Data(id) => {
                out.extend_from_slice(b"DATA\r\n");
                (Verb::Data, id, 0)
            }
            Self::LoneDot(id) => {
                out.extend_from_slice(b".\r\n");
                (Verb::LoneDot, id, 0)
            }
            // The session's own, several, and none.
            Self::Quit | Self::Recipients(_) | Self::Split(_) => (Verb::Quit, 0, 0),
        };
        Said {
            verb,
            transaction,
            recipient,
        }
    }
}
