//! Tests a program that sends mail, here a `Sender`: `cargo run --example testing_blocking`

use smtp_proto_blocking::{
    Envelope, Outcome, Sender,
    testing::{Reaction, Step, TestServer},
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = TestServer::start()?;
    let unknown = Reaction::to(Step::Recipient).address("eve@example.org");
    server.react(unknown.reply("550 5.1.1 Unknown"));
    server.react(Reaction::to(Step::Data).times(1).cut());

    let sender = Sender::new(server.url())?;
    let envelope = Envelope::new("alice@example.net")?.to("eve@example.org")?;
    let envelope = envelope.to("bob@example.org")?;
    let report = sender.send(envelope, "Subject: hello\r\n\r\nHello.\r\n")?;
    sender.quit();

    assert!(matches!(
        report.recipients[..],
        [Outcome::Refused(_), Outcome::Delivered(_)]
    ));
    let [message] = &server.messages()[..] else {
        panic!("not sent once: {:?}", server.messages());
    };
    assert_eq!(message.recipients, ["bob@example.org"]);
    assert_eq!(message.text(), "Subject: hello\r\n\r\nHello.\r\n");
    println!("{}", server.dialogues().join("\n"));
    Ok(())
}
