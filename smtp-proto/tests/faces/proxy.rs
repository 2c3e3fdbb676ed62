//! What the example `proxy` has to show, between a client and a server that records.

use std::sync::Arc;

use smtp_proto::{
    machine::Step,
    testing::{Reaction, TestServer},
};

use super::super::proxy_example::Proxy;
use super::{Client, PATIENCE, Running, config};

/// Starts the server that mail is passed on to, the proxy, and its client, which has said EHLO.
fn start() -> (TestServer, Running, Client) {
    let next = TestServer::start().unwrap();
    let running = Running::start(&Arc::new(Proxy(next.url())), config());
    let mut client = running.client();
    client.hello();
    (next, running, client)
}

/// Begins a message, and returns the reply to its recipient.
fn begin(client: &mut Client, recipient: &str) -> String {
    assert_eq!(&client.ask("MAIL FROM:<a@example.org>")[..3], "250");
    client.ask(&format!("RCPT TO:<{recipient}>"))
}

#[test]
fn a_proxy_answers_what_the_next_server_answers() {
    let (next, running, mut client) = start();
    let unknown = Reaction::to(Step::Recipient).address("eve@example.net");
    next.react(unknown.reply("550 5.1.1 Who is Eve?"));
    let queued = Reaction::to(Step::Content).reply("250 2.0.0 Queued as 17");
    next.react(queued.times(1));
    client.say("MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\n");
    client.say("RCPT TO:<eve@example.net>\r\nDATA\r\n");
    assert_eq!(&client.reply()[..3], "250");
    assert_eq!(&client.reply()[..3], "250");
    assert_eq!(client.reply(), "550 5.1.1 Who is Eve?\r\n");
    assert_eq!(&client.reply()[..3], "354");
    assert!(next.messages().is_empty());
    let verdict = client.ask("Subject: x\r\n\r\n..\r\n.");
    assert_eq!(verdict, "250 2.0.0 Queued as 17\r\n");
    let messages = next.messages();
    assert_eq!(messages[0].recipients, ["b@example.net"]);
    assert_eq!(messages[0].text(), "Subject: x\r\n\r\n.\r\n");

    next.react(Reaction::to(Step::Content).reply("554 5.6.0 Not wanted"));
    assert_eq!(&begin(&mut client, "b@example.net")[..3], "250");
    assert_eq!(&client.ask("DATA")[..3], "354");
    assert_eq!(client.ask("x\r\n."), "554 5.6.0 Not wanted\r\n");

    next.react(Reaction::to(Step::Mail).reply("550 5.7.1 Not you"));
    let reply = begin(&mut client, "b@example.net");
    assert_eq!(reply, "550 5.7.1 Not you\r\n");
    let reply = client.ask("RCPT TO:<c@example.net>");
    assert_eq!(reply, "550 5.7.1 Not you\r\n", "so is each recipient");
    drop(client);
    running.end();
    assert_eq!(next.messages().len(), 1);
    assert_eq!(next.dialogues().len(), 1, "by one connection");
}

#[test]
fn nothing_is_left_of_a_client_that_vanishes() {
    let (next, running, mut client) = start();
    assert_eq!(&begin(&mut client, "b@example.net")[..3], "250");
    assert_eq!(&client.ask("DATA")[..3], "354");
    // What is on its way, no buffers hold.
    client.say(&"It may look complete.\r\n".repeat(500_000));
    drop(client);
    assert!(next.wait(PATIENCE));
    assert_eq!(next.messages(), []);
    let dialogue = next.dialogues().concat();
    assert!(dialogue.contains("C: DATA"), "{dialogue}");

    // Before its content, and by a RSET.
    let mut client = running.client();
    client.hello();
    assert_eq!(&begin(&mut client, "b@example.net")[..3], "250");
    assert_eq!(&client.ask("RSET")[..3], "250");
    assert_eq!(&client.send("a@example.org", "c@example.net")[..3], "250");
    assert_eq!(&begin(&mut client, "b@example.net")[..3], "250");
    drop(client);
    assert!(next.wait(PATIENCE));
    running.end();
    let messages = next.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].recipients, ["c@example.net"]);
}

/// Doubt is neither a success nor a refusal for good, and what is wrong with the proxy's own session
/// refuses no message.
#[test]
fn what_is_not_certain_is_put_off() {
    let (next, running, mut client) = start();
    next.react(Reaction::to(Step::Content).take_and_cut());
    assert_eq!(&begin(&mut client, "b@example.net")[..3], "250");
    assert_eq!(&client.ask("DATA")[..3], "354");
    assert_eq!(&client.ask("x\r\n.")[..9], "451 4.4.0");
    assert_eq!(next.messages().len(), 1);
    next.react(Reaction::to(Step::Greeting).reply("554 5.7.1 Not you"));
    assert_eq!(&client.ask("MAIL FROM:<a@example.org>")[..9], "451 4.4.0");
    drop(client);
    running.end();
}

#[test]
fn without_a_next_server_mail_is_put_off() {
    let (next, running, mut client) = start();
    drop(next);
    assert_eq!(&client.ask("MAIL FROM:<a@example.org>")[..3], "451");
    assert_eq!(&client.ask("EHLO client.example")[..3], "451");
    drop(client);
    running.end();
}
