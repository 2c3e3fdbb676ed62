//! One session: what is submitted to it, and what it comes to.

use std::time::Instant;

use super::{body::Body, drive::Driver};
use crate::Socket;

smtp_proto::client! {
    /// One SMTP session over one connection.
}
