//! Calls of a server's events: what an application need not remember, and what it cannot get wrong.

mod received;

use std::time::Duration;

use smtp_proto::{
    reception::{
        Accept, Answer, Asked, Call, Notice, Question, Reception, Refusal, Session, Verdict,
        accept, pass_on,
    },
    server::{Config, TransactionId},
    syntax::{Capabilities, Extension, Host, MAX_REPLY_LINE, Reply},
    testing::End,
};

/// A transaction's and a recipient's state that can be had once.
type Owned = ((), Box<u8>, Box<u8>);

const LATER: Duration = Duration::from_secs(300);

/// A reception, and what it was asked and not answered.
struct Desk {
    reception: End<Reception<Owned>>,
    now: Duration,
    open: Vec<(Asked, Question<Owned>)>,
    told: Vec<String>,
    /// The last one whose content has begun.
    transaction: Option<TransactionId>,
    /// Whether recipients are answered.
    answers_recipients: bool,
}

impl Desk {
    fn new(config: Config) -> Self {
        let session = Session::new(7, None, None);
        let mut desk = Self {
            reception: End::new(Reception::new(config, session, Duration::ZERO)),
            now: Duration::ZERO,
            open: Vec::new(),
            told: Vec::new(),
            transaction: None,
            answers_recipients: true,
        };
        assert_eq!(desk.send(""), "220 mx.example ESMTP\r\n");
        desk.send("EHLO c.example\r\n");
        desk
    }

    /// Sends this, and returns what comes back.
    fn send(&mut self, text: &str) -> String {
        self.reception.feed(text.as_bytes());
        let (open, answers_recipients) = (&mut self.open, self.answers_recipients);
        let heard = self.reception.hear(self.now, |reception, call| {
            if let Call::Begin { envelope, .. } = &call {
                self.transaction = Some(envelope.transaction);
            }
            self.told
                .extend(take(reception, call, open, answers_recipients));
        });
        if let Err(error) = heard {
            self.told.push(format!("error: {error}"));
        }
        let mut output = Vec::new();
        self.reception.speak(self.now, &mut output);
        String::from_utf8(output).unwrap()
    }

    fn wait(&mut self, time: Duration) -> String {
        self.now += time;
        self.reception.handle_timeout(self.now);
        self.send("")
    }
}

fn take(
    reception: &mut Reception<Owned>,
    call: Call<'_, Owned>,
    open: &mut Vec<(Asked, Question<Owned>)>,
    answers_recipients: bool,
) -> Option<String> {
    match call {
        Call::Question(asked, question) => {
            let answer = match &question {
                Question::Connected => Answer::Session(Ok(Accept::default())),
                Question::Mail(_) => Answer::Transaction(Ok(Box::new(1).into())),
                Question::Recipient(..) if answers_recipients => {
                    Answer::Recipient(Ok(Box::new(2).into()))
                }
                Question::Hello => Answer::Plain(accept()),
                _ => {
                    open.push((asked, question));
                    return None;
                }
            };
            reception.answer(asked, answer);
            None
        }
        Call::Begin {
            asked, envelope, ..
        } => {
            let states = envelope.recipients.iter().map(|it| *it.state);
            let told = format!(
                "begin {} for {:?}",
                envelope.state,
                states.collect::<Vec<_>>()
            );
            reception.answer(asked, Answer::Content(Ok(())));
            Some(told)
        }
        Call::Content { bytes, .. } => Some(format!("content {}", bytes.escape_ascii())),
        Call::Overdue(transaction) => {
            open.retain(|(asked, _)| !asked.is_about(transaction));
            Some(format!("overdue {transaction}"))
        }
        Call::Notice(Notice::Expired { .. }) => Some("expired".to_owned()),
        Call::Notice(notice) => Some(format!("{notice:?}")),
        _ => None,
    }
}

fn config() -> Config {
    Config::new(Host::parse("mx.example").unwrap())
}

/// A look-up that hangs costs its own recipient, and the transaction's state is had by value all the
/// same.
#[test]
fn what_is_overdue_is_given_up_before_the_content() {
    let mut desk = Desk::new(config());
    assert_eq!(
        &desk.send("MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n")[..3],
        "250"
    );
    desk.answers_recipients = false;
    assert_eq!(desk.send("RCPT TO:<c@x>\r\n"), "");
    assert_eq!(&desk.wait(LATER)[..9], "451 4.3.0");
    assert_eq!(&desk.send("DATA\r\n")[..3], "354");
    assert_eq!(desk.told, ["overdue 1", "begin 1 for [2]"]);
    assert!(desk.open.is_empty());
}

/// Whoever holds on to what is overdue refuses the content, and loses nothing else.
#[test]
fn what_is_overdue_and_held_refuses_the_content() {
    let mut desk = Desk::new(config());
    desk.send("MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n");
    desk.answers_recipients = false;
    desk.send("RCPT TO:<c@x>\r\n");
    desk.wait(LATER);
    let replies = desk.send("BDAT 3 LAST\r\nx\r\n");
    assert_eq!(replies, "451 4.3.0 Local error in processing\r\n");
    assert_eq!(&desk.send("RSET\r\nNOOP\r\n")[..3], "250");
    assert_eq!(desk.told.len(), 0, "{:?}", desk.told);
}

/// An empty chunk is a message, too: the application is asked for both in turn.
#[test]
fn an_empty_message_begins_before_it_ends() {
    let mut desk = Desk::new(config());
    desk.send("MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n");
    assert_eq!(desk.send("BDAT 0 LAST\r\n"), "");
    assert_eq!(desk.told, ["begin 1 for [2]"]);
    let (asked, question) = desk.open.pop().unwrap();
    assert!(matches!(question, Question::Message(_)) && asked.outlasts_client());
    desk.reception.answer(asked, Answer::Plain(accept()));
    assert_eq!(desk.send(""), "250 2.0.0 Message accepted\r\n");
    assert_eq!(desk.reception.tally().messages, 1);
}

/// A message that is accepted too late was not, as the client knows it.
#[test]
fn an_acceptance_that_is_too_late_has_expired() {
    let mut desk = Desk::new(config());
    desk.send("MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n");
    desk.send("DATA\r\n");
    desk.send("x\r\n.\r\n");
    assert_eq!(&desk.wait(2 * LATER)[..9], "451 4.3.0");
    let (asked, _) = desk.open.pop().unwrap();
    desk.reception.answer(asked, Answer::Plain(accept()));
    desk.send("");
    assert_eq!(desk.told.last().unwrap(), "expired");
    assert_eq!(desk.reception.tally().messages, 0);
}

/// A verdict of another kind than was asked for is a failure, and nobody is let in by it.
#[test]
fn an_answer_to_another_question_is_a_failure() {
    let mut desk = Desk::new(config());
    assert_eq!(desk.send("VRFY b\r\n"), "");
    let (asked, _) = desk.open.pop().unwrap();
    desk.reception
        .answer(asked, Answer::Recipient(Ok(Box::new(0).into())));
    assert_eq!(desk.send(""), "451 4.3.0 Local error in processing\r\n");
}

/// Any verdict may end the session, with any reply or none; what was sent after that command is not
/// answered.
#[test]
fn a_refusal_may_close() {
    for (refusal, last) in [
        (
            Refusal::closing(Reply::parse(b"550 5.7.1 Go away\r\n").unwrap()),
            "550 5.7.1 Go away\r\n",
        ),
        (Refusal::closing(None), ""),
    ] {
        let mut desk = Desk::new(config());
        assert_eq!(desk.send("VRFY b\r\nNOOP\r\n"), "");
        let (asked, _) = desk.open.pop().unwrap();
        let verdict: Verdict = Err(refusal);
        desk.reception.answer(asked, Answer::Plain(verdict));
        assert_eq!(desk.send(""), last);
        desk.send("");
        assert!(
            desk.told.last().unwrap().starts_with("error"),
            "{:?}",
            desk.told
        );
        assert!(desk.reception.is_closed());
    }
}

/// What is answered to an exchange that is over moves no later one.
#[cfg(feature = "auth")]
#[test]
fn a_late_verdict_lets_nobody_in() {
    use smtp_proto::{reception::Identity, refuse};
    let config = config()
        .mechanisms(["PLAIN"])
        .unwrap()
        .allow_plain_text_auth();
    let mut desk = Desk::new(config);
    let claim = |desk: &mut Desk, secret: &str| {
        assert_eq!(desk.send(&format!("AUTH PLAIN {secret}\r\n")), "");
        let (asked, _) = desk.open.pop().unwrap();
        desk.reception.answer(asked, Answer::Mechanism(Ok(false)));
        assert_eq!(desk.send(""), "");
        desk.open.pop().unwrap().0
    };
    let late = claim(&mut desk, "AGEAYQ==");
    assert_eq!(&desk.wait(LATER)[..4], "454 ");
    let open = claim(&mut desk, "AGIAYg==");
    let identity = || Answer::Identity(Ok(Identity::from("a")));
    desk.reception.answer(late, identity());
    assert_eq!(desk.send(""), "");
    assert!(desk.reception.session().identity().is_none());
    let refusal = refuse!("535 5.7.8 No");
    desk.reception.answer(open, Answer::Identity(Err(refusal)));
    assert_eq!(desk.send(""), "535 5.7.8 No\r\n");
    let open = claim(&mut desk, "AGEAYQ==");
    desk.reception.answer(open, identity());
    assert_eq!(&desk.send("")[..4], "235 ");
    let known = desk.reception.session().identity().unwrap();
    assert_eq!((&*known.name, &*known.mechanism), ("a", "PLAIN"));
}

/// Content that is refused for good before its end, with the connection, is refused for good.
#[test]
fn a_refusal_in_mid_content_may_close() {
    let mut desk = Desk::new(config());
    desk.send("MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n");
    assert_eq!(&desk.send("DATA\r\n")[..3], "354");
    desk.send("x\r\n");
    let reply = Reply::parse(b"554 5.7.1 Go away\r\n").unwrap();
    let transaction = desk.transaction.unwrap();
    desk.reception
        .refuse_content(transaction, Refusal::closing(reply));
    assert_eq!(desk.send(""), "554 5.7.1 Go away\r\n");
    desk.send("");
    assert!(desk.reception.is_closed());
    let last = desk.reception.tally().last_refusal.clone().unwrap();
    assert_eq!(last.code().value(), 554);
}

/// 6531-3.7.4-e: a proxy passes on what its server has said, in whatever bytes, and what was taken stays
/// taken, as what was refused for good stays refused.
#[test]
fn what_is_not_ascii_costs_no_verdict() {
    let passed_on = |line: &[u8]| pass_on(Reply::parse(line).unwrap().into_owned());
    let mut desk = Desk::new(config());
    desk.answers_recipients = false;
    desk.send("MAIL FROM:<a@x>\r\n");
    for (line, says) in [
        (
            &b"550-5.1.1 Empf\xc3\xa4nger\r\n550 5.1.1 <b@x>\r\n"[..],
            "550-5.1.1 Empf?nger\r\n550 5.1.1 <b@x>\r\n",
        ),
        (b"450 4.2.1 Sp\xe4ter\r\n", "450 4.2.1 Sp?ter\r\n"),
    ] {
        desk.send("RCPT TO:<b@x>\r\n");
        let (asked, _) = desk.open.pop().unwrap();
        let verdict = passed_on(line).map(|_| Box::new(2).into());
        desk.reception.answer(asked, Answer::Recipient(verdict));
        assert_eq!(desk.send(""), says);
    }
    desk.answers_recipients = true;
    desk.send("RCPT TO:<b@x>\r\n");
    desk.send("DATA\r\n");
    desk.send("x\r\n.\r\n");
    let (asked, _) = desk.open.pop().unwrap();
    let verdict = passed_on(b"250 2.0.0 Angenommen f\xc3\xbcr \xe2\x82\xac\r\n");
    desk.reception.answer(asked, Answer::Plain(verdict));
    assert_eq!(desk.send(""), "250 2.0.0 Angenommen f?r ?\r\n");

    // At the end, and before that of a content, no less.
    desk.send("MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n");
    desk.send("DATA\r\n");
    desk.send("x\r\n");
    let reply = Reply::parse("554 5.7.1 M\u{fc}ll\r\n".as_bytes()).unwrap();
    let transaction = desk.transaction.unwrap();
    let refusal = Refusal::from(reply.clone().into_owned());
    desk.reception.refuse_content(transaction, refusal);
    assert_eq!(desk.send(".\r\n"), "554 5.7.1 M?ll\r\n");
    desk.answers_recipients = false;
    desk.send("MAIL FROM:<a@x>\r\n");
    desk.send("RCPT TO:<b@x>\r\n");
    let (asked, _) = desk.open.pop().unwrap();
    let refusal = Refusal::closing(reply.into_owned());
    desk.reception
        .answer(asked, Answer::Recipient(Err(refusal)));
    assert_eq!(desk.send(""), "554 5.7.1 M?ll\r\n");
}

/// 6531-3.7.4-a, 6531-3.7.4-d: a mailbox with `?` in it would be another one. A client that cannot take it
/// is told so, or is told nothing of it.
#[test]
fn mailboxes_that_are_not_ascii() {
    let offer = Capabilities::new()
        .with(Extension::SmtpUtf8)
        .with(Extension::EnhancedStatusCodes)
        .with(Extension::Expn);
    for (command, answer, says) in [
        ("VRFY jo", "250 2.1.5 <δ@x>", "252 2.6.8 "),
        ("VRFY jo", "251 2.1.5 <δ@x>", "252 2.6.8 "),
        ("EXPN jo", "250-2.1.5 <a@x>\n250 2.1.5 <δ@x>", "252 2.6.8 "),
        ("VRFY jo", "551 5.1.6 <δ@x>", "550 5.6.8 "),
        ("VRFY jo", "553 5.1.4 <δ@x>, <ε@x>", "550 5.6.8 "),
        // These are words.
        (
            "VRFY jo",
            "550 5.1.1 Empfänger?",
            "550 5.1.1 Empf?nger?\r\n",
        ),
        ("EXPN jo", "450 4.2.1 Später", "450 4.2.1 Sp?ter\r\n"),
        ("VRFY jo", "250 2.1.5 <a@x>", "250 2.1.5 <a@x>\r\n"),
        ("VRFY jo SMTPUTF8", "250 2.1.5 <δ@x>", "250 2.1.5 <δ@x>\r\n"),
        ("EXPN jo SMTPUTF8", "551 5.1.6 <δ@x>", "551 5.1.6 <δ@x>\r\n"),
        ("", "251 2.1.5 <δ@x>", "250 2.1.5 Recipient OK\r\n"),
        ("", "551 5.1.6 <δ@x>", "550 5.1.6 "),
        (" SMTPUTF8", "251 2.1.5 <δ@x>", "251 2.1.5 <δ@x>\r\n"),
    ] {
        let reply = format!("{}\r\n", answer.replace('\n', "\r\n"));
        let verdict = pass_on(Reply::parse(reply.as_bytes()).unwrap().into_owned());
        let mut desk = Desk::new(config().offer(offer.clone()));
        desk.answers_recipients = false;
        if let "" | " SMTPUTF8" = command {
            desk.send(&format!("MAIL FROM:<a@x>{command}\r\n"));
            desk.send("RCPT TO:<b@x>\r\n");
            let reply = Reply::parse(reply.as_bytes()).unwrap().into_owned();
            let verdict = verdict.map(|_| Accept::with(Box::new(2)).reply(reply));
            let (asked, _) = desk.open.pop().unwrap();
            desk.reception.answer(asked, Answer::Recipient(verdict));
        } else {
            desk.send(&format!("{command}\r\n"));
            let (asked, _) = desk.open.pop().unwrap();
            desk.reception.answer(asked, Answer::Plain(verdict));
        }
        let said = desk.send("");
        assert!(said.starts_with(says), "{command} {answer}: {said}");
    }
}

/// Words that are known when a command is refused are put in as `format!` does. What may not stand there
/// (6531-3.7.4-e), or is too much, costs neither the code nor the other words.
#[test]
fn a_refusal_in_words_of_the_moment() {
    use smtp_proto::refuse;
    let said = |refusal: Refusal| refusal.reply().unwrap().as_bytes().to_vec();
    let (mailbox, left) = ("bob", 3);
    assert_eq!(
        said(refuse!("550 5.1.1 No {mailbox}")),
        b"550 5.1.1 No bob\r\n"
    );
    assert_eq!(
        said(refuse!("452 {} messages, {left} at most", left + 1)),
        b"452 4 messages, 3 at most\r\n"
    );
    assert_eq!(said(refuse!("550 {{}} {}", "x",)), b"550 {} x\r\n");
    assert_eq!(said(refuse!("550 {{}}")), b"550 {}\r\n");
    assert_eq!(said(refuse!("550 5.1.1 No")), b"550 5.1.1 No\r\n");
    for (odd, shown) in [("böb", "b?b"), ("\r\n250 Ok", "??250 Ok"), ("\0\t", "??")] {
        let expected = format!("550 5.1.1 No {shown}\r\n");
        assert_eq!(said(refuse!("550 5.1.1 No {odd}")), expected.as_bytes());
    }
    let long = said(refuse!("550 {}", "x".repeat(5000)));
    assert_eq!(long.len(), MAX_REPLY_LINE - b"5.0.0 ".len());
    assert!(long.ends_with(b"x\r\n"));
}
