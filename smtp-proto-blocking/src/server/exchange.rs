//! Mechanisms of authentication that are not built in.

use smtp_proto::sasl::Step;

/// Takes a server's part in one exchange of a mechanism that is not built in.
pub trait Exchange: Send {
    /// Goes on with what the client says: first with the initial response, if it sent one, then
    /// with its answer to each challenge. Neither is encoded.
    fn respond(&mut self, response: Option<&[u8]>) -> Step;
}
