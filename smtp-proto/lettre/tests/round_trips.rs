//! Round trips of the same program on the wire, with lettre's transport and with this one.

mod support;

use std::time::Duration;

use lettre::{Message, Transport};
use smtp_proto::testing::TestServer;
use support::Wire;

const MESSAGES: usize = 20;

/// Returns how many round trips it takes a program to send some messages, each to so many recipients.
fn round_trips<T>(recipients: usize, transport: impl FnOnce(u16) -> T) -> usize
where
    T: Transport<Error: std::fmt::Debug>,
{
    let server = TestServer::start().unwrap();
    let wire = Wire::to(server.address());
    let mailer = transport(wire.address.port());
    for n in 0..MESSAGES {
        let begun = Message::builder()
            .from("NoBody <nobody@domain.tld>".parse().unwrap())
            .subject(format!("Happy new year {n}"));
        let to = (0..recipients).map(|n| format!("hei{n}@domain.tld").parse().unwrap());
        let addressed = to.fold(begun, |message, to| message.to(to));
        mailer
            .send(&addressed.body(String::from("Be happy!")).unwrap())
            .unwrap();
    }
    mailer.shutdown();
    assert!(server.wait(Duration::from_secs(10)));
    let taken = server.messages();
    assert_eq!(taken.len(), MESSAGES);
    assert!(
        taken
            .iter()
            .all(|message| message.recipients.len() == recipients)
    );
    let (round_trips, connections) = wire.round_trips();
    assert_eq!(connections, 1);
    round_trips
}

#[test]
fn a_program_takes_fewer_once_it_has_changed_its_one_line() {
    for recipients in [1, 5] {
        let before = round_trips(recipients, |port| {
            lettre::SmtpTransport::builder_dangerous("127.0.0.1")
                .port(port)
                .build()
        });
        let after = round_trips(recipients, |port| {
            smtp_proto_lettre::SmtpTransport::builder_dangerous("127.0.0.1")
                .port(port)
                .build()
        });
        println!("{MESSAGES} messages to {recipients} each: {before} round trips, now {after}");
        // The greeting, the messages, QUIT. To several, DATA waits for every answer.
        let each = if recipients == 1 { 2 } else { 3 };
        assert_eq!(after, 1 + each * MESSAGES + 1);
        assert!(before >= (3 + recipients) * MESSAGES, "{before}");
    }
}
