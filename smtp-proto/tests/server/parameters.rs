//! The parameters of MAIL and RCPT: what is malformed does not reach the application.

use crate::peer::{Peer, config};
use smtp_proto::syntax::{Capabilities, Extension};

const OFFERED: [Extension; 10] = [
    Extension::Conneg,
    Extension::Conperm,
    Extension::DeliverBy,
    Extension::Dsn,
    Extension::FutureRelease,
    Extension::MtPriority,
    Extension::Mtrk,
    Extension::NoSoliciting,
    Extension::Pipelining,
    Extension::Rrvs,
];

fn offering() -> Peer {
    let offer = OFFERED
        .into_iter()
        .fold(Capabilities::new(), Capabilities::with);
    Peer::greeted(config().offer(offer).max_errors(1000))
}

/// 2852-4-a, 2852-4-b, 4865-3-b, 4865-4.2-a, 4865-5.2-a, 6710-7-a, 6710-4.1-a, 3885-2-a, 3461-4.4-a,
/// 4141-a, 3865-a, X-43: MAIL's, singly and together.
#[test]
fn of_mail() {
    let mut peer = offering();
    for (parameters, code) in [
        ("BY=5", "501"),
        ("BY=0;R", "501"),
        ("BY=0;N", "250"),
        ("HOLDFOR=0", "501"),
        ("HOLDUNTIL=x", "501"),
        ("HOLDFOR=60 HOLDUNTIL=2030-01-01T00:00:00Z", "501"),
        ("BY=60;R HOLDFOR=120", "501"),
        ("BY=120;R HOLDFOR=60", "250"),
        ("MT-PRIORITY=10", "501"),
        ("MT-PRIORITY=-0", "501"),
        ("MT-PRIORITY=3 MT-PRIORITY=3", "501"),
        ("MT-PRIORITY=-9", "250"),
        ("MTRK=YWJj:3600", "501"),
        ("MTRK=YWJj:3600 ENVID=x@h.example", "250"),
        ("ENVID=+00", "501"),
        ("SOLICIT=", "501"),
        ("SOLICIT=org.example:adv", "250"),
        ("CONPERM=x", "501"),
        ("CONPERM", "250"),
        ("CONNEG", "555"),
        ("TRANSID=<1@x>", "555"),
    ] {
        let got = peer.send(&format!("MAIL FROM:<a@b.example> {parameters}\r\n"));
        assert_eq!(&got[..3], code, "{parameters}");
        let told = peer.events();
        assert_eq!(told[0].starts_with("mail"), code == "250", "{told:?}");
        peer.send("RSET\r\n");
        peer.events();
    }
}

/// 2852-3-a, 4865-4.2-a: no more is taken than was announced, and all of that.
#[test]
fn demands_stay_within_what_is_announced() {
    let offer = Capabilities::new()
        .with_keyword("DELIVERBY", "240")
        .and_then(|it| it.with_keyword("FUTURERELEASE", "3600 2030-01-01T00:00:00Z"))
        .unwrap();
    let mut peer = Peer::greeted(config().offer(offer));
    for (parameters, reply) in [
        ("BY=239;R", "555 5.5.4 "),
        ("BY=240;RT", "250 "),
        ("BY=1;N", "250 "),
        ("BY=-1;N", "250 "),
        ("HOLDFOR=3600", "250 "),
        ("HOLDFOR=3601", "501 5.5.4 "),
        ("HOLDFOR=999999999", "501 5.5.4 "),
        ("HOLDUNTIL=2030-01-01T00:00:00Z", "250 "),
        ("HOLDUNTIL=2030-01-01T00:00:01Z", "501 5.5.4 "),
        ("BY=7200;R HOLDFOR=3601", "501 5.5.4 "),
    ] {
        let got = peer.send(&format!("MAIL FROM:<a@b.example> {parameters}\r\n"));
        assert!(got.starts_with(reply), "{parameters}: {got}");
        let told = peer.events();
        assert_eq!(told[0].starts_with("mail"), reply == "250 ", "{told:?}");
        peer.send("RSET\r\n");
        peer.events();
    }
}

/// 7293-3.1-a, 7293-3.1-b, 4141-a, 3865-a, X-27: RCPT's.
#[test]
fn of_rcpt() {
    let mut peer = offering();
    peer.send("MAIL FROM:<a@b.example>\r\n");
    peer.events();
    for (parameters, code) in [
        ("RRVS=2014-04-03T23:01:00.5Z", "501"),
        ("RRVS=2014-04-03T23:01:00Z;X", "501"),
        ("RRVS=2014-04-03T23:01:00Z;C", "250"),
        ("CONNEG=1", "501"),
        ("CONNEG", "250"),
        ("SOLICIT=org.example:adv", "250"),
        ("CONPERM", "555"),
        // Not ASCII, in a transaction without SMTPUTF8.
        ("ORCPT=utf-8;δ@x.example", "553"),
        ("ORCPT=utf-8;\\x{3B4}@x.example", "250"),
    ] {
        let got = peer.send(&format!("RCPT TO:<c@d.example> {parameters}\r\n"));
        assert_eq!(&got[..3], code, "{parameters}");
        let told = peer.events();
        assert_eq!(told[0].starts_with("rcpt"), code == "250", "{told:?}");
    }
}

/// 5321-4.1.1.11-a: the reply tells a malformed address (X.1.7, X.1.3) from a malformed parameter
/// (X.5.4), and one that is not offered is that, well-formed or not.
#[test]
fn replies_say_what_is_wrong() {
    let mut peer = Peer::greeted(config().offer(Capabilities::new().with(Extension::Dsn)));
    for (line, reply) in [
        ("MAIL FROM:<a@b@c>", "501 5.1.7 "),
        ("MAIL FROM:<a@b.example> RET=X", "501 5.5.4 "),
        ("MAIL FROM:<a@b.example> RET=", "501 5.5.4 "),
        ("MAIL FROM:<a@b.example> =", "501 5.5.4 "),
        ("MAIL FROM:<a@b.example> RET=FULL ret=FULL", "501 5.5.4 "),
        ("MAIL FROM:<a@b.example> BY=x", "555 5.5.4 "),
        ("MAIL FROM:<a@b.example> BY=60;R", "555 5.5.4 "),
        ("MAIL FROM:<a@b.example> LANE=3", "555 5.5.4 "),
        ("MAIL TO:<a@b.example>", "501 5.5.4 "),
        ("MAIL FROM:<a@b.example>", "250 "),
        ("RCPT TO:<a@b@c>", "501 5.1.3 "),
        ("RCPT TO:<a@b.example> NOTIFY=X", "501 5.5.4 "),
        ("RCPT TO:<a@b.example> RRVS=x", "555 5.5.4 "),
        ("RCPT TO:<a@b.example> NOTIFY=NEVER", "250 "),
    ] {
        let got = peer.send(&format!("{line}\r\n"));
        assert!(got.starts_with(reply), "{line}: {got}");
        peer.events();
    }
}

/// 5321-4.1.1.11-a, CMD-13, 1870-3-b, 1870-6-a, 1870-6.1-a, 6152-2-a, 3030-3-b, 6531-3.1-c, CMD-12,
/// 5321-2.2.2-b, 2920-2-a, 6152-3-a, 6531-3.2-g, 6531-3.5-a, 6531-3.6-a
#[test]
fn parameters() {
    let offered = Capabilities::new()
        .with(Extension::Pipelining)
        .with(Extension::Chunking)
        .with(Extension::Size)
        .with(Extension::SmtpUtf8)
        .with(Extension::Dsn)
        .with_keyword("XFOO", "")
        .unwrap();
    let mut peer = Peer::greeted(config().offer(offered).max_message_size(100_000));
    for (line, code) in [
        ("MAIL FROM:<> FOO=1", "555"),
        ("MAIL FROM:<> NOTIFY=NEVER", "555"),
        ("MAIL FROM:<> DSN", "555"),
        ("MAIL FROM:<> PIPELINING", "555"),
        ("MAIL FROM:<> AUTH=<>", "555"),
        ("MAIL FROM:<> BODY=BINARYMIME", "555"),
        ("MAIL FROM:<> BODY=FOO", "501"),
        ("MAIL FROM:<> BODY=7BIT BODY=7BIT", "501"),
        ("MAIL FROM:<> SIZE=", "501"),
        ("MAIL FROM:<> SIZE=-1", "501"),
        ("MAIL FROM:<> SIZE=1 size=2", "501"),
        ("MAIL FROM:<> SIZE=99999999999999999999", "552"),
        ("MAIL FROM:<> SIZE=999999999999999999999", "501"),
        ("MAIL FROM:<> SIZE=100001", "552"),
        ("MAIL FROM:<> SMTPUTF8=1", "501"),
        ("MAIL FROM:<> RET=ALL", "501"),
        ("MAIL FROM:<> RET", "501"),
        ("MAIL FROM:<> ENVID=+0", "501"),
        ("MAIL FROM:<δ@x.example>", "550"),
        (
            "MAIL FROM:<δ@x.example> SMTPUTF8 body=8bitmime RET=HDRS XFOO=1 SIZE=100000",
            "250",
        ),
        ("RCPT TO:<a@b.example> FOO", "555"),
        ("RCPT TO:<a@b.example> RET=HDRS", "555"),
        ("RCPT TO:<a@b.example> NOTIFY=NEVER NOTIFY=NEVER", "501"),
        ("RCPT TO:<a@b.example> NOTIFY=NEVER,DELAY", "501"),
        ("RCPT TO:<a@b.example> ORCPT=rfc822", "501"),
        ("RCPT TO:<a@b.example> ORCPT=;x", "501"),
        (
            "RCPT TO:<δ@b.example> NOTIFY=delay,SUCCESS ORCPT=utf-8;δ@b.example",
            "250",
        ),
    ] {
        assert_eq!(&peer.send(&format!("{line}\r\n"))[..3], code, "{line}");
        // An accepted message clears the count of errors.
        if code == "552" {
            peer.send("MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nBDAT 0 LAST\r\n");
            peer.send("RSET\r\n");
        }
    }
}

/// INJ-4, 6531-3.4-b, 5321-2.4-g, 6531-3.5-a, X-27
#[test]
fn recipients_that_need_smtputf8() {
    let mut peer = Peer::greeted(config().offer(Capabilities::new().with(Extension::SmtpUtf8)));
    peer.send("MAIL FROM:<a@x.example>\r\n");
    assert_eq!(
        peer.send("RCPT TO:<δ@x.example>\r\n"),
        "553 5.6.7 Address needs SMTPUTF8\r\n"
    );
}

/// INJ-4: such a sender begins no transaction, and such a recipient leaves the one there is as it was.
#[test]
fn addresses_that_need_smtputf8_change_nothing() {
    for offer in [
        Capabilities::new().with(Extension::Size),
        Capabilities::new().with(Extension::SmtpUtf8),
    ] {
        let mut peer = Peer::greeted(config().offer(offer));
        let reply = peer.send("MAIL FROM:<δ@x.example>\r\n");
        assert!(reply.starts_with("55"), "{reply}");
        assert_eq!(
            peer.send("RCPT TO:<b@x.example>\r\n"),
            "503 5.5.1 Bad sequence of commands\r\n"
        );
        peer.send("MAIL FROM:<a@x.example>\r\n");
        peer.send("RCPT TO:<b@x.example>\r\n");
        let reply = peer.send("RCPT TO:<δ@x.example>\r\n");
        assert!(reply.starts_with("55"), "{reply}");
        peer.events();
        assert_eq!(
            peer.send("DATA\r\n"),
            "354 End content with <CRLF>.<CRLF>\r\n"
        );
        peer.send("x\r\n.\r\n");
        assert_eq!(peer.events(), ["data 1", "content 1", "message 1 3"]);
    }
}
