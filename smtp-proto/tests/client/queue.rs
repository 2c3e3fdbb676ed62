//! What a queue asks for a message: all recipients or none, a trial without content, and who deals with
//! those that are put off.

use smtp_proto::{
    client::{Envelope, Event, MessageId, NotSentReason, Outcome, Pipelining},
    delivery::{Next, Reports, Resending},
    machine::Step,
    syntax::BodyType,
};

use crate::dialogue::{
    CONTENT, Dialogue, STUFFED, config, delivered, envelope, finished, not_sent, not_sent_after,
    of_recipient, recipient, refused,
};

const TWO: [&str; 2] = ["b@example.net", "c@example.net"];
const MAIL: &str = "MAIL FROM:<a@example.org>\r\n";
const RCPTS: &str = "RCPT TO:<b@example.net>\r\nRCPT TO:<c@example.net>\r\n";
const CHUNK: &str = "BDAT 20 LAST\r\nSubject: x\r\n\r\n.dot\r\n";
const STREAM: Pipelining = Pipelining::Stream { window: 9 };
const POLICIES: [Pipelining; 4] = [
    Pipelining::LockStep,
    Pipelining::Group,
    Pipelining::LookAhead,
    STREAM,
];

fn to_two() -> Envelope<'static> {
    envelope("a@example.org", &TWO)
}

fn begin(policy: Pipelining) -> Dialogue {
    Dialogue::begin(policy, &["PIPELINING", "CHUNKING"])
}

/// Has the server answer MAIL and the RCPTs, as far as the policy sends them at once. Returns what
/// followed them.
fn answered(d: &mut Dialogue, replies: [&str; 3]) -> String {
    let commands = format!("{MAIL}{RCPTS}");
    let mut sent = d.written();
    for (index, reply) in replies.into_iter().enumerate() {
        assert!(commands.starts_with(&sent), "{sent}");
        assert!(sent.matches("\r\n").count() > index, "{sent}");
        d.says(reply);
        sent += &d.written();
    }
    let rest = sent.strip_prefix(commands.as_str());
    rest.unwrap_or_else(|| panic!("{sent}")).to_owned()
}

/// The outcomes of the recipients and of the message where the second was refused.
fn is_held_back(d: &mut Dialogue, m: MessageId, no: &str) {
    d.reports(&[
        recipient(m, 0, "250 b\r\n"),
        recipient(m, 1, no),
        of_recipient(m, 1, refused(Step::Recipient, no)),
        finished(
            m,
            not_sent_after(NotSentReason::NotForAll, Step::Recipient, no),
        ),
    ]);
}

/// Under every policy the content waits until all are accepted.
#[test]
fn all_or_none_waits_for_every_recipient() {
    for policy in POLICIES {
        let mut d = begin(policy);
        let m = d.submit_envelope(&to_two().all_or_none(), CONTENT);
        let next = answered(&mut d, ["250 a\r\n", "250 b\r\n", "250 c\r\n"]);
        match policy {
            Pipelining::Stream { .. } => assert_eq!(next, CHUNK),
            _ => {
                assert_eq!(next, "DATA\r\n");
                d.says("354 go\r\n");
                d.sends(STUFFED);
            }
        }
        d.says("250 taken\r\n");
        d.finishes(&[(m, delivered("250 taken\r\n"))]);
    }
}

/// One refusal, 452 included, and nothing of the content leaves; RSET goes before the next message.
#[test]
fn all_or_none_ends_with_one_refusal() {
    for policy in POLICIES {
        for no in ["550 5.1.1 no\r\n", "452 4.5.3 too many\r\n"] {
            let mut d = begin(policy);
            let m = d.submit_envelope(&to_two().all_or_none(), CONTENT);
            assert_eq!(answered(&mut d, ["250 a\r\n", "250 b\r\n", no]), "");
            is_held_back(&mut d, m, no);
            d.submit("z@example.org", &TWO);
            assert!(d.written().starts_with("RSET\r\n"), "{policy:?}");
            assert_eq!(d.error, None);
        }
    }
}

/// In a session that ends with it no RSET is needed.
#[test]
fn all_or_none_ends_a_session_in_good_order() {
    let mut d = begin(Pipelining::Group);
    let m = d.submit_envelope(&to_two().all_or_none(), CONTENT);
    d.client.quit();
    d.sends(&format!("{MAIL}{RCPTS}"));
    d.says("250 a\r\n250 b\r\n550 c\r\n");
    is_held_back(&mut d, m, "550 c\r\n");
    d.sends("QUIT\r\n");
}

/// The refusals of the sender, or of every recipient, are what they are for every message.
#[test]
fn all_or_none_is_refused_as_a_whole() {
    for (replies, step, said) in [
        ("550 a\r\n503 b\r\n503 c\r\n", Step::Mail, "550 a\r\n"),
        ("250 a\r\n550 b\r\n551 c\r\n", Step::Recipient, "550 b\r\n"),
    ] {
        let mut d = begin(Pipelining::LookAhead);
        let m = d.submit_envelope(&to_two().all_or_none(), CONTENT);
        d.sends(&format!("{MAIL}{RCPTS}"));
        d.says(replies);
        d.sends("");
        d.finishes(&[(m, refused(step, said))]);
    }
}

/// With the content of a message the next one's sender and recipients leave, and no DATA.
#[test]
fn all_or_none_looks_ahead_as_far_as_it_may() {
    let mut d = begin(Pipelining::LookAhead);
    let first = d.submit("a@example.org", &TWO);
    let second = d.submit_envelope(&to_two().all_or_none(), CONTENT);
    let third = d.submit("a@example.org", &TWO);
    d.sends(&format!("{MAIL}{RCPTS}DATA\r\n"));
    d.says("250 a\r\n250 b\r\n250 c\r\n354 go\r\n");
    d.sends(&format!("{STUFFED}RSET\r\n{MAIL}{RCPTS}"));
    d.says("250 taken\r\n250 reset\r\n250 a\r\n250 b\r\n550 c\r\n");
    let held_back = not_sent_after(NotSentReason::NotForAll, Step::Recipient, "550 c\r\n");
    d.finishes(&[(first, delivered("250 taken\r\n")), (second, held_back)]);
    d.sends(&format!("RSET\r\n{MAIL}{RCPTS}DATA\r\n"));
    d.says("250 reset\r\n250 a\r\n250 b\r\n250 c\r\n354 go\r\n");
    d.sends(STUFFED);
    d.says("250 taken\r\n");
    d.finishes(&[(third, delivered("250 taken\r\n"))]);
}

/// 3030-3: content that is no text goes by BDAT at every level.
#[test]
fn all_or_none_holds_for_binary_content() {
    for (last, next) in [("250 c\r\n", CHUNK), ("550 c\r\n", "")] {
        let offer = ["PIPELINING", "CHUNKING", "BINARYMIME"];
        let mut d = Dialogue::begin(Pipelining::LookAhead, &offer);
        let binary = to_two().body(BodyType::BinaryMime).all_or_none();
        d.submit_envelope(&binary, CONTENT);
        d.sends(&format!(
            "MAIL FROM:<a@example.org> BODY=BINARYMIME\r\n{RCPTS}"
        ));
        d.says(&format!("250 a\r\n250 b\r\n{last}"));
        d.sends(next);
    }
}

/// RFC 9422: nothing is sent where the server takes fewer at once.
#[test]
fn all_or_none_is_not_split() {
    let mut d = Dialogue::begin(Pipelining::LookAhead, &["PIPELINING", "LIMITS RCPTMAX=1"]);
    let m = d.submit_envelope(&to_two().all_or_none(), CONTENT);
    d.sends("");
    d.reports(&[finished(m, not_sent(NotSentReason::NotForAll))]);
}

/// An envelope that is open has its recipients answered as they come.
#[test]
fn all_or_none_with_recipients_as_they_come() {
    for (last, next) in [("250 c\r\n", "DATA\r\n"), ("550 c\r\n", "")] {
        let mut d = begin(Pipelining::LookAhead);
        let open = envelope("a@example.org", &[]).all_or_none();
        let m = d.client.begin(&open).unwrap();
        d.has(m, CONTENT);
        for to in TWO {
            let to = smtp_proto::syntax::ForwardPath::parse(to).unwrap();
            d.client.add_recipient(m, to, None).unwrap();
        }
        d.sends(&format!("{MAIL}{RCPTS}"));
        d.says(&format!("250 a\r\n250 b\r\n{last}"));
        d.sends("");
        d.client.end(m).unwrap();
        d.sends(next);
    }
}

/// After a refusal no lost connection has the message sent to those who were not refused.
#[test]
fn all_or_none_is_not_sent_to_some_by_another_connection() {
    let envelope = to_two().all_or_none().into_owned();
    let mut d = begin(Pipelining::Group);
    let m = d.submit_envelope(&envelope, CONTENT);
    d.written();
    d.says("250 a\r\n450 b\r\n");
    d.hangs_up();
    let mut reports = Reports::default();
    reports.expect(m, 2);
    let mut events = d.take_events().into_iter();
    let report = events.find_map(|event| reports.observe(event)).unwrap();
    assert_eq!(
        report.recipients,
        [
            refused(Step::Recipient, "450 b\r\n"),
            not_sent_after(NotSentReason::NotForAll, Step::Recipient, "450 b\r\n"),
        ]
    );
    assert_eq!(Resending::new(envelope, 3).observe(report), Next::Nothing);
}

/// Under every policy no content is asked for, and none leaves.
#[test]
fn a_trial_has_no_content() {
    for policy in POLICIES {
        let mut d = begin(policy);
        let m = d.client.submit(&to_two().verify_only()).unwrap();
        assert_eq!(d.client.wants_body(), None);
        let next = answered(&mut d, ["250 a\r\n", "250 b\r\n", "550 c\r\n"]);
        assert_eq!((next.as_str(), d.client.wants_body()), ("", None));
        d.reports(&[
            recipient(m, 0, "250 b\r\n"),
            recipient(m, 1, "550 c\r\n"),
            of_recipient(m, 1, refused(Step::Recipient, "550 c\r\n")),
            finished(m, not_sent(NotSentReason::OnlyVerified)),
        ]);
        d.submit("z@example.org", &TWO);
        assert!(d.written().starts_with("RSET\r\n"), "{policy:?}");
    }
}

/// 3030-3: not even where it would go by BDAT.
#[test]
fn a_trial_has_no_binary_content() {
    let offer = ["PIPELINING", "CHUNKING", "BINARYMIME"];
    let mut d = Dialogue::begin(Pipelining::Group, &offer);
    let trial = to_two().body(BodyType::BinaryMime).verify_only();
    let m = d.client.begin(&trial).unwrap();
    d.has(m, CONTENT);
    let mail = "MAIL FROM:<a@example.org> BODY=BINARYMIME\r\n";
    d.sends(&format!("{mail}{RCPTS}"));
    d.says("250 a\r\n250 b\r\n250 c\r\n");
    d.sends("");
    d.client.end(m).unwrap();
    d.sends("");
    d.finishes(&[(m, not_sent(NotSentReason::OnlyVerified))]);
}

/// Trials leave back to back, and QUIT after the last.
#[test]
fn trials_wait_for_nothing_but_their_replies() {
    let mut d = begin(Pipelining::LookAhead);
    let all = [(); 3].map(|()| d.client.submit(&to_two().verify_only()).unwrap());
    d.client.quit();
    for (index, m) in all.into_iter().enumerate() {
        let reset = if index == 0 { "" } else { "RSET\r\n" };
        d.sends(&format!("{reset}{MAIL}{RCPTS}"));
        d.says(if index == 0 { "" } else { "250 reset\r\n" });
        d.says("250 a\r\n250 b\r\n250 c\r\n");
        d.finishes(&[(m, not_sent(NotSentReason::OnlyVerified))]);
    }
    d.sends("QUIT\r\n");
    d.says("221 bye\r\n");
    d.reports(&[Event::Closed]);
}

/// The sender may be refused, or everybody.
#[test]
fn a_trial_may_be_refused() {
    for (replies, step, said) in [
        ("550 a\r\n503 b\r\n503 c\r\n", Step::Mail, "550 a\r\n"),
        ("250 a\r\n550 b\r\n551 c\r\n", Step::Recipient, "550 b\r\n"),
    ] {
        let mut d = begin(Pipelining::LookAhead);
        let m = d.client.submit(&to_two().verify_only()).unwrap();
        d.sends(&format!("{MAIL}{RCPTS}"));
        d.says(replies);
        d.sends("");
        d.finishes(&[(m, refused(step, said))]);
    }
}

/// Where a server takes so many at once, or puts some off, the others are tried after them.
#[test]
fn a_trial_takes_several_transactions() {
    let [one, other] = ["RCPT TO:<b@example.net>\r\n", "RCPT TO:<c@example.net>\r\n"];
    for (offer, first, said) in [
        ("LIMITS RCPTMAX=1", one, "250 a\r\n250 b\r\n"),
        ("HELP", RCPTS, "250 a\r\n250 b\r\n452 4.5.3 too many\r\n"),
    ] {
        let mut d = Dialogue::begin(Pipelining::Group, &["PIPELINING", offer]);
        let m = d.client.submit(&to_two().verify_only()).unwrap();
        d.sends(&format!("{MAIL}{first}"));
        d.says(said);
        d.sends(&format!("RSET\r\n{MAIL}{other}"));
        d.says("250 reset\r\n250 a\r\n550 c\r\n");
        d.sends("");
        let mut reports = Reports::default();
        reports.expect(m, 2);
        let mut events = d.take_events().into_iter();
        let report = events.find_map(|event| reports.observe(event)).unwrap();
        let unsent: Outcome<'_> = not_sent(NotSentReason::OnlyVerified);
        let no = refused(Step::Recipient, "550 c\r\n");
        assert_eq!(report.recipients, [unsent, no], "{offer}");
        assert!(report.answers.iter().all(Option::is_some));
    }
}

/// 5321-4.5.3.1.10: 452 is a refusal to a queue that deals with it by itself.
#[test]
fn recipients_that_are_put_off_may_be_reported() {
    for no in ["452 4.5.3 too many\r\n", "552 too many\r\n"] {
        let config = config(Pipelining::Group).report_put_off();
        let mut d = Dialogue::begin_with(config, &["PIPELINING"]);
        let m = d.submit("a@example.org", &TWO);
        d.client.quit();
        d.sends(&format!("{MAIL}{RCPTS}DATA\r\n"));
        d.says(&format!("250 a\r\n250 b\r\n{no}354 go\r\n"));
        d.sends(STUFFED);
        d.says("250 taken\r\n");
        d.reports(&[
            recipient(m, 0, "250 b\r\n"),
            recipient(m, 1, no),
            of_recipient(m, 1, refused(Step::Recipient, no)),
            finished(m, delivered("250 taken\r\n")),
        ]);
        d.sends("QUIT\r\n");
    }
}

/// RFC 9422: a limit that was announced is no refusal.
#[test]
fn announced_limits_make_transactions_in_any_case() {
    let config = config(Pipelining::Group).report_put_off();
    let mut d = Dialogue::begin_with(config, &["PIPELINING", "LIMITS RCPTMAX=1"]);
    d.submit("a@example.org", &TWO);
    d.sends(&format!("{MAIL}RCPT TO:<b@example.net>\r\nDATA\r\n"));
    d.says("250 a\r\n250 b\r\n354 go\r\n");
    d.sends(STUFFED);
    d.says("250 taken\r\n");
    d.sends(&format!("{MAIL}RCPT TO:<c@example.net>\r\nDATA\r\n"));
}
