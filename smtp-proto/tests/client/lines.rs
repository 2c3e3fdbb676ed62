//! Command lines are no longer than the server takes: RFC 5321 4.5.3.1.4, RFC 1869 4.1.2.

use smtp_proto::{
    client::{Cancellation, Envelope, NotSentReason, Pipelining},
    machine::{Misuse, Step},
    syntax::{ForwardPath, MailParameters, RcptParameters},
};

use crate::dialogue::{
    Dialogue, delivered, envelope, finished, not_sent, of_recipient, recipient, refused,
};

/// A parameter that nobody knows, for which the caller vouches.
fn unknown(length: usize) -> String {
    format!("X-OWN={}", "x".repeat(length - "X-OWN=".len()))
}

/// An envelope whose MAIL line has so many bytes.
fn with_mail_line(bytes: usize) -> Envelope<'static> {
    let rest = "MAIL FROM:<a@example.org> \r\n".len();
    let text = unknown(bytes - rest);
    let parameters = MailParameters::parse(&text).unwrap().into_owned();
    envelope("a@example.org", &["b@example.net"]).parameters(parameters)
}

/// The parameters of a recipient `x@example.net` whose RCPT line has so many bytes.
fn with_rcpt_line(bytes: usize) -> RcptParameters<'static> {
    let rest = "RCPT TO:<x@example.net> \r\n".len();
    RcptParameters::parse(&unknown(bytes - rest))
        .unwrap()
        .into_owned()
}

fn path(name: &str) -> ForwardPath<'static> {
    ForwardPath::parse(&format!("{name}@example.net"))
        .unwrap()
        .into_owned()
}

/// 512 bytes and what the extensions on offer add, and not one more.
#[test]
fn a_mail_line_is_as_long_as_the_server_takes() {
    let dsn = 1036;
    let cases: [(&[&str], usize); 4] = [
        (&["PIPELINING"], 512),
        (&["PIPELINING", "SIZE 1000000"], 512 + 26),
        (&["PIPELINING", "DSN"], dsn),
        (
            &["PIPELINING", "DSN", "AUTH PLAIN", "SMTPUTF8"],
            512 + 9 + 107 + 500 + 10,
        ),
    ];
    for (offer, limit) in cases {
        let mut d = Dialogue::begin(Pipelining::LookAhead, offer);
        let bodies = [limit, 3_035, limit + 1, limit]
            .map(|bytes| d.submit_envelope(&with_mail_line(bytes), b"x\r\n"));
        let line = d.written();
        let (line, rest) = line.split_once("\r\n").unwrap();
        assert_eq!(line.len() + 2, limit);
        assert_eq!(rest, "RCPT TO:<b@example.net>\r\nDATA\r\n");
        d.says("250 ok\r\n250 ok\r\n354 go\r\n");
        // Those in between do not go, and cost the others nothing.
        let next = d.written();
        let next = next.strip_prefix("x\r\n.\r\nRSET\r\n").unwrap();
        assert_eq!(next.lines().next().unwrap().len() + 2, limit);
        let too_long = || not_sent(NotSentReason::CommandTooLong { limit });
        d.says("");
        d.finishes(&[(bodies[1], too_long()), (bodies[2], too_long())]);
        d.says("250 taken\r\n");
        d.finishes(&[(bodies[0], delivered("250 taken\r\n"))]);
    }
}

/// A message for all of its recipients is for nobody where one is left out.
#[test]
fn a_recipient_who_is_left_out_ends_a_message_for_all() {
    for policy in [Pipelining::LockStep, Pipelining::LookAhead] {
        for place in 0..2 {
            let mut d = Dialogue::begin(policy, &["PIPELINING"]);
            let all = (0..2).fold(envelope("a@example.org", &[]), |envelope, at| {
                let bytes = if at == place { 513 } else { 512 };
                envelope.recipient_with(path("x"), with_rcpt_line(bytes))
            });
            let m = d.submit_envelope(&all.all_or_none(), b"x\r\n");
            let mut wire = d.written();
            for reply in ["250 ok\r\n", "250 x\r\n"] {
                d.says(reply);
                wire += &d.written();
            }
            assert_eq!(wire.matches("\r\n").count(), 2, "{wire}");
            let limit = NotSentReason::CommandTooLong { limit: 512 };
            d.reports(&[
                recipient(m, 1 - place, "250 x\r\n"),
                of_recipient(m, place, not_sent(limit)),
                finished(m, not_sent(NotSentReason::NotForAll)),
            ]);
        }
    }
}

/// a recipient whose line would be too long has that for his outcome, and the others go on.
#[test]
fn a_recipient_whose_line_is_too_long_is_left_out() {
    let limit = 512;
    let too_long = || not_sent(NotSentReason::CommandTooLong { limit });
    let mail = "MAIL FROM:<a@example.org>\r\n";
    for place in 0..3 {
        let mut d = Dialogue::begin(Pipelining::LookAhead, &["PIPELINING"]);
        let names = ["x", "x", "x"].iter().enumerate();
        let envelope = names.fold(envelope("a@example.org", &[]), |envelope, (at, name)| {
            let bytes = if at == place { limit + 1 } else { limit };
            envelope.recipient_with(path(name), with_rcpt_line(bytes))
        });
        let m = d.submit_envelope(&envelope, b"x\r\n");
        let wire = d.written();
        let lines: Vec<_> = wire.lines().map(|line| line.len() + 2).collect();
        assert_eq!(lines, [mail.len(), limit, limit, 6], "{wire}");
        d.says("250 ok\r\n250 one\r\n250 two\r\n354 go\r\n");
        d.sends("x\r\n.\r\n");
        let others: Vec<_> = (0..3).filter(|at| *at != place).collect();
        d.says("250 taken\r\n");
        d.reports(&[
            recipient(m, others[0], "250 one\r\n"),
            recipient(m, others[1], "250 two\r\n"),
            of_recipient(m, place, too_long()),
            finished(m, delivered("250 taken\r\n")),
        ]);
    }
    // All that are left are refused.
    let mut d = Dialogue::begin(Pipelining::LockStep, &[]);
    let envelope = envelope("a@example.org", &["b@example.net"])
        .recipient_with(path("x"), with_rcpt_line(limit + 1));
    let m = d.submit_envelope(&envelope, b"x\r\n");
    d.sends(mail);
    d.says("250 ok\r\n");
    d.sends("RCPT TO:<b@example.net>\r\n");
    d.says("550 no\r\n");
    d.sends("");
    d.says("");
    d.reports(&[
        recipient(m, 0, "550 no\r\n"),
        of_recipient(m, 0, refused(Step::Recipient, "550 no\r\n")),
        of_recipient(m, 1, too_long()),
        finished(m, refused(Step::Recipient, "550 no\r\n")),
    ]);
}

/// 6533-3-b, X-28: an original recipient in UTF-8 is recoded, unless SMTPUTF8 is in use.
#[test]
fn an_original_recipient_is_recoded() {
    let mut long = format!("utf-8;{}@x.example", "δ".repeat(100));
    let cases = [
        ("utf-8;δ@x.example", " ORCPT=utf-8;\\x{3B4}@x.example"),
        // That cannot be, so it is left out.
        (&*long, ""),
    ];
    for (original, recoded) in cases {
        for offer in [
            &["PIPELINING", "DSN"][..],
            &["PIPELINING", "DSN", "SMTPUTF8"],
        ] {
            let given = format!("ORCPT={original}");
            let given = RcptParameters::parse(&given).unwrap().into_owned();
            let mut d = Dialogue::begin(Pipelining::LookAhead, offer);
            let envelope = envelope("a@example.org", &[]);
            d.submit_envelope(&envelope.recipient_with(path("b"), given.clone()), b"x\r\n");
            d.sends(&format!(
                "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>{recoded}\r\nDATA\r\n"
            ));
            let mut d = Dialogue::begin(Pipelining::LookAhead, offer);
            let m = d
                .client
                .begin(&self::envelope("a@example.org", &[]))
                .unwrap();
            d.client.add_recipient(m, path("b"), Some(&given)).unwrap();
            d.sends(&format!(
                "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>{recoded}\r\n"
            ));
        }
    }
    long.truncate("utf-8;δ".len());
    let given = format!("ORCPT={long}@x.example");
    let given = RcptParameters::parse(&given).unwrap().into_owned();
    let mut d = Dialogue::begin(Pipelining::LookAhead, &["DSN", "SMTPUTF8"]);
    let envelope = envelope("ä@example.org", &[]).recipient_with(path("b"), given);
    d.submit_envelope(&envelope, b"x\r\n");
    d.sends("MAIL FROM:<ä@example.org> SMTPUTF8\r\n");
    d.says("250 ok\r\n");
    d.sends("RCPT TO:<b@example.net> ORCPT=utf-8;δ@x.example\r\n");
}

/// where nobody is left, nothing is sent.
#[test]
fn a_message_to_nobody_is_not_begun() {
    let limit = 512;
    let too_long = || not_sent(NotSentReason::CommandTooLong { limit });
    for offer in [&["PIPELINING"][..], &["PIPELINING", "LIMITS RCPTMAX=1"]] {
        let mut d = Dialogue::begin(Pipelining::LookAhead, offer);
        let to = || (path("x"), with_rcpt_line(limit + 1));
        let envelope = [to(), to()].into_iter().fold(
            envelope("a@example.org", &[]),
            |envelope, (path, parameters)| envelope.recipient_with(path, parameters),
        );
        let m = d.submit_envelope(&envelope, b"x\r\n");
        d.sends("");
        d.says("");
        d.finishes(&[(m, too_long())]);
        d.submit("a@example.org", &["b@example.net"]);
        d.sends("MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n");
    }
    // A part of a message, of which it is seen too late.
    let mut d = Dialogue::begin(Pipelining::LockStep, &["LIMITS RCPTMAX=1"]);
    let envelope = envelope("a@example.org", &[])
        .recipient_with(path("x"), with_rcpt_line(limit + 1))
        .recipient(path("b"));
    let m = d.submit_envelope(&envelope, b"x\r\n");
    d.sends("MAIL FROM:<a@example.org>\r\n");
    d.says("250 ok\r\n");
    d.sends("RSET\r\n");
    d.says("250 ok\r\n");
    d.sends("MAIL FROM:<a@example.org>\r\n");
    d.says("250 ok\r\n");
    d.sends("RCPT TO:<b@example.net>\r\n");
    d.says("250 ok\r\n");
    d.sends("DATA\r\n");
    d.says("354 go\r\n");
    d.sends("x\r\n.\r\n");
    d.says("250 taken\r\n");
    d.reports(&[
        of_recipient(m, 0, too_long()),
        recipient(m, 1, "250 ok\r\n"),
        of_recipient(m, 1, delivered("250 taken\r\n")),
        finished(m, delivered("250 taken\r\n")),
    ]);
}

/// who is added to an open envelope is told at once, if the offer is known.
#[test]
fn a_recipient_who_is_added_is_told() {
    let mut d = Dialogue::begin(Pipelining::LookAhead, &["PIPELINING"]);
    let m = d.client.begin(&envelope("a@example.org", &[])).unwrap();
    let long = with_rcpt_line(513);
    let refused = d.client.add_recipient(m, path("x"), Some(&long));
    assert_eq!(refused, Err(Misuse::CommandTooLong));
    let fits = with_rcpt_line(512);
    assert_eq!(d.client.add_recipient(m, path("x"), Some(&fits)), Ok(0));

    // Nobody is left of an envelope that was begun before.
    let mut d = Dialogue::with(crate::dialogue::config(Pipelining::LookAhead));
    let m = d.client.begin(&envelope("a@example.org", &[])).unwrap();
    d.client.add_recipient(m, path("x"), Some(&long)).unwrap();
    d.says("220 x\r\n");
    d.sends("EHLO client.example\r\n");
    d.says("250-x\r\n250 PIPELINING\r\n");
    d.sends("MAIL FROM:<a@example.org>\r\n");
    d.client.end(m).unwrap();
    d.sends("");
    d.take_events();
    d.says("250 ok\r\n");
    let limit = 512;
    d.finishes(&[(m, not_sent(NotSentReason::CommandTooLong { limit }))]);
}

/// Ending the envelope of a message that was cancelled, and is for nobody, costs no connection.
#[test]
fn a_cancelled_message_to_nobody_is_ended() {
    let long = with_rcpt_line(513);
    let mut d = Dialogue::with(crate::dialogue::config(Pipelining::LookAhead));
    let m = d.client.begin(&envelope("a@example.org", &[])).unwrap();
    d.client.add_recipient(m, path("x"), Some(&long)).unwrap();
    d.says("220 x\r\n");
    d.sends("EHLO client.example\r\n");
    d.says("250-x\r\n250 PIPELINING\r\n");
    d.sends("MAIL FROM:<a@example.org>\r\n");
    assert_eq!(d.client.cancel(m), Ok(Cancellation::Withdrawn));
    d.client.end(m).unwrap();
    d.submit("a@example.org", &["b@example.net"]);
    d.sends("RSET\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n");
    d.take_events();
    d.says("250 ok\r\n");
    d.finishes(&[(m, not_sent(NotSentReason::Cancelled))]);
}
