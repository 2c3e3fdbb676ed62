//! Commands that the application has sent between messages.

use smtp_proto::{
    client::{CommandId, Event, Pipelining},
    machine::{Fault, Misuse, Step},
    syntax::{Argument, Attributes, Command, ForwardingCommand, Word},
};

use crate::dialogue::{Dialogue, STUFFED, config, delivered, finished, recipient, refused, reply};

const ENVELOPE: &str = "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n";

fn word(text: &str) -> Word<'_> {
    Word::parse(text).unwrap()
}

fn other<'a>(verb: &'a str, argument: &'a str) -> Command<'a> {
    Command::Other {
        verb: word(verb),
        argument: Argument::parse(argument).ok(),
    }
}

fn answered(command: CommandId, bytes: &str) -> Event<'static> {
    Event::Answered {
        command,
        reply: reply(bytes),
    }
}

/// 1985-5.2-a, 5321-3.5.1-a, 5321-4.1.1.8-a: each kind as it is written, its answer whatever it is.
#[test]
fn each_gets_its_answer() {
    let keywords = ["ETRN", "XFORWARD NAME", "SMTPUTF8", "XFOO"];
    let mut d = Dialogue::begin(Pipelining::LookAhead, &keywords);
    let name = |text| Argument::parse(text).unwrap();
    let attributes = Attributes::parse(ForwardingCommand::XForward, "NAME=x").unwrap();
    for (command, line, answer) in [
        (Command::Noop, "NOOP", "250 ok\r\n"),
        (Command::Help(None), "HELP", "214-one\r\n214 two\r\n"),
        (Command::Help(Some(name("MAIL"))), "HELP MAIL", "211 x\r\n"),
        (
            Command::Vrfy(name("δ SMTPUTF8")),
            "VRFY δ SMTPUTF8",
            "250 <δ@x.example>\r\n",
        ),
        (Command::Expn(name("list")), "EXPN list", "252 x\r\n"),
        (
            Command::Etrn(word("@x.example")),
            "ETRN @x.example",
            "253 3 pending\r\n",
        ),
        (
            Command::Etrn(word("x.example")),
            "ETRN x.example",
            "459 4.7.0 no\r\n",
        ),
        (
            Command::Forwarding(attributes),
            "XFORWARD NAME=x",
            "250 ok\r\n",
        ),
        (other("XFOO", "a = b"), "XFOO a = b", "500 what\r\n"),
    ] {
        let id = d.client.command(&command).unwrap();
        d.sends(&format!("{line}\r\n"));
        for byte in answer.as_bytes() {
            d.reports(&[]);
            d.feed(&[*byte]);
        }
        d.reports(&[answered(id, answer)]);
    }
    assert!(d.error.is_none());
}

/// 2920-3.1-e: it goes after what was submitted before and before what comes after, and nothing
/// follows it unanswered.
#[test]
fn between_two_messages() {
    let mut d = Dialogue::begin(Pipelining::LookAhead, &["PIPELINING", "ETRN"]);
    let first = d.submit("a@example.org", &["b@example.net"]);
    let etrn = d.client.command(&Command::Etrn(word("x"))).unwrap();
    let noop = d.client.command(&Command::Noop).unwrap();
    let second = d.submit("a@example.org", &["b@example.net"]);
    d.client.quit();
    d.sends(ENVELOPE);
    d.says("250 ok\r\n250 ok\r\n354 go\r\n");
    // ETRN must not be in a transaction, which a refused content would leave behind: RSET.
    d.sends(&format!("{STUFFED}RSET\r\nETRN x\r\n"));
    d.says("250 taken\r\n250 reset\r\n");
    d.sends("");
    d.says("250 started\r\n");
    d.sends("NOOP\r\n");
    d.sends("");
    d.says("250 ok\r\n");
    d.sends(ENVELOPE);
    d.reports(&[
        recipient(first, 0, "250 ok\r\n"),
        finished(first, delivered("250 taken\r\n")),
        answered(etrn, "250 started\r\n"),
        answered(noop, "250 ok\r\n"),
    ]);
    d.says("550 no\r\n503 x\r\n503 x\r\n");
    d.reports(&[finished(second, refused(Step::Mail, "550 no\r\n"))]);
    d.sends("QUIT\r\n");
}

/// In lock step, too, and then no RSET is needed after a verdict that was read.
#[test]
fn in_lock_step() {
    let mut d = Dialogue::begin(Pipelining::LockStep, &["ETRN"]);
    d.submit("a@example.org", &["b@example.net"]);
    let etrn = d.client.command(&Command::Etrn(word("x"))).unwrap();
    for (sends, says) in [
        ("MAIL FROM:<a@example.org>\r\n", "250 ok\r\n"),
        ("RCPT TO:<b@example.net>\r\n", "250 ok\r\n"),
        ("DATA\r\n", "354 go\r\n"),
        (STUFFED, "250 taken\r\n"),
        ("ETRN x\r\n", "250 ok\r\n"),
    ] {
        d.sends(sends);
        d.sends("");
        d.says(says);
    }
    assert_eq!(d.take_events().pop(), Some(answered(etrn, "250 ok\r\n")));
    // A refused sender leaves a transaction that may be left over.
    d.submit("a@example.org", &["b@example.net"]);
    d.sends("MAIL FROM:<a@example.org>\r\n");
    d.says("550 no\r\n");
    d.client.command(&Command::Etrn(word("x"))).unwrap();
    d.sends("RSET\r\n");
    d.says("250 ok\r\n");
    d.sends("ETRN x\r\n");
}

/// INJ-1: nothing that is the machine's own to send, by whatever name, nor what no line can hold.
#[test]
fn what_cannot_be_sent() {
    let mut d = Dialogue::with(config(Pipelining::LookAhead));
    assert_eq!(d.client.command(&Command::Noop), Err(Misuse::NotOpen));
    let mut d = Dialogue::begin(Pipelining::LookAhead, &[]);
    let long = "x".repeat(600);
    let attributes = |command| Attributes::parse(command, "NAME=x").unwrap();
    let xclient = Command::Forwarding(attributes(ForwardingCommand::XClient));
    let xforward = Command::Forwarding(attributes(ForwardingCommand::XForward));
    for (command, misuse) in [
        (Command::Data, Misuse::ReservedCommand),
        (Command::Rset, Misuse::ReservedCommand),
        (Command::Quit, Misuse::ReservedCommand),
        (Command::StartTls, Misuse::ReservedCommand),
        (Command::Atrn(None), Misuse::ReservedCommand),
        (xclient, Misuse::ReservedCommand),
        (other("DATA", ""), Misuse::ReservedCommand),
        (other("mail", "FROM:<>"), Misuse::ReservedCommand),
        (other("MAIL:", "FROM:<>"), Misuse::ReservedCommand),
        (other("ETRN", "x"), Misuse::ReservedCommand),
        (other(".", ""), Misuse::ReservedCommand),
        (other("XFOO", &long), Misuse::CommandTooLong),
        (other("XFOO", "δ"), Misuse::NotOffered),
        (xforward, Misuse::NotOffered),
        (Command::Etrn(word("x")), Misuse::NotOffered),
        (
            Command::Vrfy(Argument::parse("x smtputf8").unwrap()),
            Misuse::NotOffered,
        ),
    ] {
        assert_eq!(d.client.command(&command), Err(misuse), "{command:?}");
    }
    d.sends("");
    for _ in 0..64 {
        d.client.command(&Command::Noop).unwrap();
    }
    assert_eq!(d.client.command(&Command::Noop), Err(Misuse::QueueFull));
    d.client.quit();
    assert_eq!(d.client.command(&Command::Noop), Err(Misuse::Quit));
}

/// Each has its end: also when the connection dies, before the error.
#[test]
fn unanswered() {
    let mut d = Dialogue::begin(Pipelining::LookAhead, &[]);
    let sent = d.client.command(&Command::Noop).unwrap();
    let waiting = d.client.command(&Command::Noop).unwrap();
    d.sends("NOOP\r\n");
    d.hangs_up();
    d.reports(&[
        Event::Unanswered { command: sent },
        Event::Unanswered { command: waiting },
    ]);
    let error = d.error.unwrap();
    assert_eq!(error.fault(), Fault::ConnectionLost);
    assert_eq!(
        error.state(),
        "waiting for the reply to a command of the application's"
    );
}

/// 5321-3.8-c: a 421 is the answer, and the end; a reply that answers no such command is a desync.
#[test]
fn answers_that_end_the_session() {
    for (says, event, fault) in [
        ("421 bye\r\n", Some("421 bye\r\n"), Fault::Closing),
        ("354 go\r\n", None, Fault::ImpossibleReply),
        ("220 x\r\n", None, Fault::ImpossibleReply),
        ("250 a\r\n250 b\r\n", Some("250 a\r\n"), Fault::SurplusReply),
    ] {
        let mut d = Dialogue::begin(Pipelining::LookAhead, &[]);
        let command = d.client.command(&Command::Noop).unwrap();
        d.sends("NOOP\r\n");
        d.says(says);
        match event {
            Some(bytes) => d.reports(&[answered(command, bytes)]),
            None => d.reports(&[Event::Unanswered { command }]),
        }
        let error = d.error.unwrap();
        assert_eq!(error.fault(), fault, "{says}");
        // A surplus reply answers nothing.
        let step = error.answer().map(|answer| answer.step);
        let is_answer = fault != Fault::SurplusReply;
        assert_eq!(step, is_answer.then_some(Step::Command), "{says}");
    }
}
