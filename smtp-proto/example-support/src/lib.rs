//! What the examples of both adapters share: everything but the protocol's I/O.

mod deliver;
mod ladder;
mod maildir;
mod message;
mod options;
mod relay;
mod results;
mod svg;

pub use deliver::{Job, Sent, deliver};
pub use ladder::{Ladder, Round};
pub use maildir::{Delivery, Maildir, TemporaryDirectory};
pub use message::{Message, samples};
pub use options::{DeliverOptions, ReceiveOptions, Stop, Storage, policy_name};
pub use relay::Relay;
pub use results::{
    Progress, Row, Tally, dialogue, quote, received_to_json, report_to_json, report_to_text, table,
};
pub use svg::svg;
