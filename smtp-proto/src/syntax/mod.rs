//! One line or value, and the typed value it stands for: pure functions, no state.
//!
//! Whatever can be constructed here can be written to the wire: no value, however it came about,
//! holds a byte that ends its line or leaves its place in it.

#[cfg(feature = "auth")]
pub(crate) mod base64;
mod capabilities;
mod code;
mod command;
mod command_error;
mod date_time;
mod delivery;
mod dsn;
mod error;
mod extension;
mod forwarding;
mod grammar;
mod host;
mod limits;
mod local_part;
mod mail_parameters;
mod mailbox;
mod parameters;
mod path;
mod rcpt_parameters;
mod remote_queue;
mod reply;
mod text;
mod tracking;
mod verb;
pub mod xtext;

pub use capabilities::{Capabilities, MAX_CAPABILITIES};
pub use code::{Class, Code, EnhancedCode};
pub use command::Command;
pub use command_error::{CommandError, CommandErrorKind};
pub use date_time::DateTime;
pub(crate) use date_time::write_header_date;
pub use delivery::{
    ByMode, DeliverBy, FutureRelease, Hold, HoldInterval, Priority, RrvsAction, ValidSince,
};
pub use dsn::{
    EnvelopeId, MAX_ENVELOPE_ID, MAX_ORIGINAL_RECIPIENT, Notify, OriginalRecipient, Return,
};
pub use error::{AddressError, SyntaxError, SyntaxErrorKind};
pub use extension::Extension;
pub use forwarding::{
    Attribute, AttributeName, AttributeValue, Attributes, ForwardingCommand, MAX_ATTRIBUTE,
    write_attributes,
};
pub use host::{AddressLiteral, Host, MAX_DOMAIN};
pub use limits::Limits;
pub use local_part::LocalPart;
pub use mail_parameters::{BodyType, MailParameters};
pub use mailbox::{MAX_MAILBOX, Mailbox};
pub use parameters::{MAX_PARAMETERS, Parameter, ParameterError, ParameterName};
pub use path::{ForwardPath, MAX_PATH, ReversePath};
pub use rcpt_parameters::RcptParameters;
pub use remote_queue::{AtrnDomains, QueueNode};
pub use reply::{MAX_REPLY_LINE, Reply, ReplyLine, parse_reply_line};
pub use text::{Argument, InitialResponse, Word};
pub use tracking::{MAX_SOLICITATION, Solicitation, Tracking};
pub use verb::Verb;
