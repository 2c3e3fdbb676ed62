//! A courier with a server of few words.

use std::{task::Poll, time::Duration};

use smtp_proto::{
    client::{
        Body, Cancellation, Client, Config, Duplex, Envelope, MessageId, Outcome, Pipelining,
    },
    delivery::{Courier, Report},
    machine::{Fault, Misuse},
    syntax::{Command, ForwardPath, Host},
    testing::End,
};

const NOW: Duration = Duration::ZERO;
const HELLO: &str = "250-x\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 SIZE 1000\r\n";

#[expect(clippy::ptr_arg, reason = "the contents are vectors")]
fn present(body: &mut Vec<u8>, offset: u64) -> Option<Body<'_>> {
    let at = usize::try_from(offset).unwrap();
    Some(Body::Last(&body[at..]))
}

struct Talk {
    courier: End<Courier<Vec<u8>>>,
}

impl Talk {
    fn begin(pipelining: Pipelining) -> Self {
        let config = Config::new(Host::parse("client.example").unwrap())
            .pipelining(pipelining)
            .duplex(Duplex::Full);
        let courier = End::new(Courier::new(Client::new(config, NOW)));
        let mut talk = Self { courier };
        talk.says("220 x\r\n");
        assert_eq!(talk.sends(), "EHLO client.example\r\n");
        assert_eq!(talk.courier.opened(), Poll::Pending);
        talk.says(HELLO);
        assert_eq!(talk.courier.opened(), Poll::Ready(Ok(())));
        talk
    }

    fn says(&mut self, text: &str) {
        self.courier.feed(text.as_bytes());
        self.courier.hear(NOW);
    }

    fn sends(&mut self) -> String {
        let mut wire = Vec::new();
        self.courier.speak(NOW, present, &mut wire);
        String::from_utf8(wire).unwrap()
    }

    fn submit(&mut self, content: &str) -> MessageId {
        let envelope = Envelope::new("a@x.example").unwrap();
        let envelope = envelope.to("b@y.example").unwrap();
        let size = Some(content.len() as u64);
        let body = content.as_bytes().to_vec();
        self.courier.submit(envelope, size, body).unwrap()
    }

    /// Begins a message without recipients.
    fn open(&mut self) -> MessageId {
        let envelope = Envelope::new("a@x.example").unwrap();
        let message = self.courier.begin(&envelope).unwrap();
        self.courier.looked();
        message
    }

    fn add(&mut self, message: MessageId, recipient: &str) -> usize {
        let recipient = ForwardPath::parse(recipient).unwrap();
        let added = self.courier.add_recipient(message, recipient, None);
        self.courier.looked();
        added.unwrap()
    }

    /// Returns what a recipient was answered; nothing, if there is no answer to come.
    fn answer(&mut self, message: MessageId, recipient: usize) -> String {
        match self.courier.recipient_answer(message, recipient) {
            Poll::Ready(Ok(Some(reply))) => String::from_utf8(reply.as_bytes().to_vec()).unwrap(),
            Poll::Ready(Ok(None)) => String::new(),
            other => panic!("{other:?}"),
        }
    }

    fn report(&mut self, message: MessageId) -> Report {
        match self.courier.report(message) {
            Poll::Ready(Some((report, Some(_)))) => report,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn sizes_that_are_known_are_declared() {
    let mut talk = Talk::begin(Pipelining::Group);
    let message = talk.submit("x\r\n");
    talk.courier.looked();
    let group = "MAIL FROM:<a@x.example> SIZE=3\r\nRCPT TO:<b@y.example>\r\nDATA\r\n";
    assert_eq!(talk.sends(), group);
    talk.says("250 x\r\n250 here\r\n354 x\r\n");
    assert!(talk.courier.report(message).is_pending());
    assert_eq!(talk.sends(), "x\r\n.\r\n");
    talk.says("250 taken\r\n");
    let report = talk.report(message);
    assert!(report.is_delivered());
    let answer = report.answers[0].as_ref().unwrap();
    assert_eq!(
        answer.as_bytes(),
        b"250 here\r\n",
        "each RCPT's own answer is kept"
    );
    assert_eq!(talk.courier.report(message), Poll::Ready(None), "once");
    assert_eq!(talk.courier.next_report(), Poll::Ready(Ok(None)));
}

/// A 421 that was there before anything was written is no verdict on what is written after it.
#[test]
fn nothing_is_written_to_an_idle_connection_before_what_has_arrived_is_read() {
    let mut talk = Talk::begin(Pipelining::LookAhead);
    assert!(talk.courier.is_idle());
    let message = talk.submit("x\r\n");
    assert!(talk.courier.wants_look());
    assert_eq!(talk.sends(), "");
    talk.says("421 closing\r\n");
    talk.courier.looked();
    assert_eq!(talk.sends(), "");
    let report = talk.report(message);
    assert!(matches!(report.outcome, Outcome::NotSent(_)), "{report:?}");
    match talk.courier.next_report() {
        Poll::Ready(Err(error)) => assert_eq!(error.fault(), Fault::Closing),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_busy_connection_is_not_looked_at() {
    let mut talk = Talk::begin(Pipelining::LookAhead);
    talk.submit("x\r\n");
    talk.courier.looked();
    talk.submit("y\r\n");
    assert!(!talk.courier.wants_look());
}

#[test]
fn messages_are_wanted_only_as_they_can_be_sent() {
    let mut talk = Talk::begin(Pipelining::LookAhead);
    let mut submitted = 0;
    let mut reported = 0;
    while reported < 20 {
        while talk.courier.wants_message() && submitted < 20 {
            talk.submit("x\r\n");
            talk.courier.looked();
            submitted += 1;
        }
        assert!(submitted - reported <= 5, "{submitted} {reported}");
        let sent = talk.sends();
        let replies: String = sent
            .lines()
            .filter_map(|line| match line {
                "x" => None,
                "DATA" => Some("354 x\r\n"),
                _ => Some("250 x\r\n"),
            })
            .collect();
        talk.says(&replies);
        while let Poll::Ready(Ok(Some(report))) = talk.courier.next_report() {
            assert!(report.is_delivered());
            reported += 1;
        }
    }
    assert_eq!(talk.courier.machine().round_trips(), 2 + 21);
}

#[test]
fn a_command_is_answered_or_the_session_is_over() {
    let mut talk = Talk::begin(Pipelining::LookAhead);
    let first = talk.courier.command(&Command::Noop).unwrap();
    talk.courier.looked();
    assert_eq!(talk.sends(), "NOOP\r\n");
    assert!(talk.courier.answer(first).is_pending());
    talk.says("250 still here\r\n");
    match talk.courier.answer(first) {
        Poll::Ready(Ok(Some(reply))) => assert_eq!(reply.as_bytes(), b"250 still here\r\n"),
        other => panic!("{other:?}"),
    }
    let second = talk.courier.command(&Command::Noop).unwrap();
    talk.courier.looked();
    talk.sends();
    talk.courier.machine_mut().handle_eof();
    talk.says("");
    assert!(matches!(talk.courier.answer(second), Poll::Ready(Err(_))));
    assert!(matches!(talk.courier.ended(), Poll::Ready(Err(_))));
}

#[test]
fn recipients_of_an_open_envelope_are_answered_as_they_come() {
    let mut talk = Talk::begin(Pipelining::LookAhead);
    let message = talk.open();
    let first = talk.add(message, "<b@y.example>");
    assert_eq!(
        talk.sends(),
        "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\n"
    );
    assert!(talk.courier.recipient_answer(message, first).is_pending());
    talk.says("250 x\r\n250 here\r\n");
    assert_eq!(talk.answer(message, first), "250 here\r\n");
    let second = talk.add(message, "<c@y.example>");
    assert_eq!(talk.sends(), "RCPT TO:<c@y.example>\r\n");
    talk.says("550 who?\r\n");
    assert_eq!(talk.answer(message, second), "550 who?\r\n");
    talk.courier.end(message, b"x\r\n".to_vec()).unwrap();
    talk.courier.looked();
    assert_eq!(talk.sends(), "DATA\r\n");
    talk.says("354 x\r\n");
    assert_eq!(talk.sends(), "x\r\n.\r\n");
    talk.says("250 taken\r\n");
    let report = talk.report(message);
    assert!(matches!(report.outcome, Outcome::Delivered(_)));
    assert!(matches!(&report.recipients[1], Outcome::Refused(_)));
    assert_eq!(report.answers.len(), 2);
    assert_eq!(talk.answer(message, first), "", "it was returned");
}

#[test]
fn each_recipient_hears_of_a_sender_that_is_refused() {
    let mut talk = Talk::begin(Pipelining::LookAhead);
    let message = talk.open();
    let first = talk.add(message, "<b@y.example>");
    talk.sends();
    talk.says("550 not you\r\n503 no\r\n");
    assert_eq!(talk.answer(message, first), "550 not you\r\n");
    let second = talk.add(message, "<c@y.example>");
    assert_eq!((second, talk.sends()), (1, String::new()));
    assert_eq!(talk.answer(message, second), "550 not you\r\n");
    talk.courier.end(message, b"x\r\n".to_vec()).unwrap();
    let report = talk.report(message);
    assert_eq!(report.recipients.len(), 2);
    assert!(matches!(report.outcome, Outcome::Refused(_)));
    let again = talk.courier.end(message, Vec::new());
    assert_eq!(again, Err(Misuse::UnknownMessage));
}

#[test]
fn an_open_envelope_that_is_withdrawn_leaves_the_connection_good() {
    let mut talk = Talk::begin(Pipelining::LookAhead);
    let message = talk.open();
    let first = talk.add(message, "<b@y.example>");
    talk.sends();
    talk.says("250 x\r\n250 here\r\n");
    let cost = talk.courier.machine_mut().cancel(message);
    assert_eq!(cost, Ok(Cancellation::Withdrawn));
    talk.says("");
    assert_eq!(talk.answer(message, first), "250 here\r\n");
    let second = talk.add(message, "<c@y.example>");
    assert_eq!(talk.answer(message, second), "", "there is none");
    let report = talk.courier.next_report();
    assert!(matches!(report, Poll::Ready(Ok(Some(_)))), "{report:?}");
    assert!(talk.courier.is_idle());
    talk.submit("y\r\n");
    talk.courier.looked();
    assert!(talk.sends().starts_with("RSET\r\nMAIL FROM:"));
}

/// A 421 that came between two recipients is not the answer to the second.
#[test]
fn an_open_envelope_is_looked_after_while_nothing_is_awaited() {
    let mut talk = Talk::begin(Pipelining::LookAhead);
    let message = talk.open();
    let first = talk.add(message, "<b@y.example>");
    talk.sends();
    talk.says("250 x\r\n250 here\r\n");
    assert_eq!(talk.answer(message, first), "250 here\r\n");
    let recipient = ForwardPath::parse("<c@y.example>").unwrap();
    let second = talk.courier.add_recipient(message, recipient, None);
    assert!(talk.courier.wants_look());
    assert_eq!(talk.sends(), "");
    talk.says("421 closing\r\n");
    talk.courier.looked();
    assert_eq!(talk.sends(), "");
    let answer = talk.courier.recipient_answer(message, second.unwrap());
    match answer {
        Poll::Ready(Err(error)) => assert_eq!(error.fault(), Fault::Closing),
        other => panic!("{other:?}"),
    }
}
