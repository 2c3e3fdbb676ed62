//! One session: what is submitted to it, and what it comes to.

use tokio::time::Instant;

use super::{body::Body, drive::Driver};
use crate::Socket;

smtp_proto::client! {
    async.await
    /// One SMTP session over one connection.
    ///
    /// Futures may be dropped: what was submitted stays submitted, and nothing is lost but the answer.
}
