//! One line or value, and the typed value it stands for: pure functions, no state.
//!
//! Whatever can be constructed here can be written to the wire: no value, however it came about,
//! holds an octet that ends its line or leaves its place in it.

#[cfg(feature = "auth")]
pub(crate) mod base64;
mod capabilities;
mod code;
mod command;
mod command_error;
mod enhanced;
mod error;
mod host;
mod mailbox;
mod octets;
mod parameters;
mod path;
mod reply;
mod text;
mod verb;
pub mod xtext;

pub use capabilities::{Capabilities, Extension, MAX_CAPABILITIES};
pub use code::{Class, Code};
pub use command::Command;
pub use command_error::{CommandError, CommandErrorKind};
pub use enhanced::EnhancedCode;
pub use error::{SyntaxError, SyntaxErrorKind};
pub use host::{AddressLiteral, Host, MAX_DOMAIN};
pub use mailbox::{MAX_MAILBOX, Mailbox};
pub use parameters::{BodyType, MAX_PARAMETERS, Parameter, Parameters, parse_size};
pub use path::{ForwardPath, MAX_PATH, ReversePath};
pub use reply::{MAX_REPLY_LINE, Reply, ReplyLine, parse_reply_line};
pub use text::{Argument, InitialResponse, Word};
pub use verb::Verb;
