//! What borrows for long can be had for a while: all types with lifetimes are covariant, but for the
//! `Transmit` through which a machine is told what was written.

#[cfg(feature = "auth")]
use smtp_proto::sasl;
use smtp_proto::{client, framing, machine, server, syntax};

macro_rules! shorten {
    ($($(#[$condition:meta])* $name:ident: $($type:ident)::+;)*) => {
        $(
            $(#[$condition])*
            fn $name<'a>(value: $($type)::+<'static>) -> $($type)::+<'a> {
                value
            }
        )*

        /// It compiles.
        #[test]
        fn types_with_lifetimes_are_covariant() {
            $(
                $(#[$condition])*
                let _ = $name;
            )*
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
    answer: machine::Answer;
    content: framing::Content;
    line: framing::Line;
    body: client::Body;
    envelope: client::Envelope;
    client_event: client::Event;
    outcome: client::Outcome;
    server_event: server::Event;
    #[cfg(feature = "auth")]
    credential: sasl::Credential;
    #[cfg(feature = "auth")]
    turn: sasl::Turn;
}
