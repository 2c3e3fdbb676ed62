//! What the examples of both adapters share: everything but the protocol's I/O.

mod account;
mod capabilities;
mod deliver;
mod duplicates;
mod ladder;
mod maildir;
mod message;
mod options;
mod reception;
mod relay;
mod results;
mod security;
mod svg;

pub use account::Account;
pub use deliver::{Address, Job, Sent, deliver};
pub use duplicates::{Duplicates, Fingerprint, Fingerprinter};
pub use ladder::{Ladder, Round};
pub use maildir::{Delivery, Maildir, TemporaryDirectory};
pub use message::{Message, samples};
pub use options::{
    Accepting, DeliverOptions, Endpoint, ReceiveOptions, Service, Stop, Storage, policy_name,
};
pub use reception::{Arrival, Inbox, MessageName, storage_failed};
pub use relay::Relay;
pub use results::{
    Progress, Row, Tally, dialogue, quote, received_to_json, report_to_json, report_to_text, table,
};
pub use security::{Login, Security, Trust, Trusted};
pub use svg::svg;
