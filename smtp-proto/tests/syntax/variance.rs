//! What borrows for long can be had for a while: all types with lifetimes are covariant.

use smtp_proto::{client, server, syntax};

macro_rules! shorten {
    ($($name:ident: $($type:ident)::+;)*) => {
        $(
            fn $name<'a>(value: $($type)::+<'static>) -> $($type)::+<'a> {
                value
            }
        )*

        /// It compiles.
        #[test]
        fn types_with_lifetimes_are_covariant() {
            $(let _ = $name;)*
        }
    };
}

shorten! {
    address_literal: syntax::AddressLiteral;
    argument: syntax::Argument;
    atrn_domains: syntax::AtrnDomains;
    attribute: syntax::Attribute;
    attribute_value: syntax::AttributeValue;
    attributes: syntax::Attributes;
    command: syntax::Command;
    date_time: syntax::DateTime;
    envelope_id: syntax::EnvelopeId;
    forward_path: syntax::ForwardPath;
    future_release: syntax::FutureRelease;
    hold: syntax::Hold;
    host: syntax::Host;
    initial_response: syntax::InitialResponse;
    mail_parameters: syntax::MailParameters;
    mailbox: syntax::Mailbox;
    original_recipient: syntax::OriginalRecipient;
    parameter: syntax::Parameter;
    queue_node: syntax::QueueNode;
    rcpt_parameters: syntax::RcptParameters;
    reply: syntax::Reply;
    reply_line: syntax::ReplyLine;
    reverse_path: syntax::ReversePath;
    solicitation: syntax::Solicitation;
    tracking: syntax::Tracking;
    valid_since: syntax::ValidSince;
    word: syntax::Word;
    body: client::Body;
    envelope: client::Envelope;
    client_event: client::Event;
    outcome: client::Outcome;
    server_event: server::Event;
}
