//! The replies with which a driver stands in for its application.

use crate::peer::{Decision, Peer, config};
use smtp_proto::server::{Tls, replies};
use smtp_proto::syntax::{Capabilities, Extension};

/// 3207-4-a, 4954-4-c, 1985-5.1-a, XCLIENT-e: each is taken where it is meant for, and leaves as it is.
#[test]
fn an_application_that_has_nothing_to_say() {
    let offer = Capabilities::new()
        .with(Extension::EnhancedStatusCodes)
        .with(Extension::Etrn)
        .with_keyword("XCLIENT", "NAME")
        .unwrap();
    let config = config().offer(offer).tls(Tls::Offered).command("XLANE");
    let mut peer = Peer::greeted(config.unwrap()).deciding(|_| Decision::Hold);
    for (line, reply, bytes) in [
        (
            "VRFY a",
            replies::local_error(),
            "451 4.3.0 Local error in processing\r\n",
        ),
        (
            "STARTTLS",
            replies::tls_unavailable(),
            "454 4.7.0 TLS not available, try again later\r\n",
        ),
        (
            "ETRN x",
            replies::queue_unavailable(),
            "458 4.3.0 Unable to queue messages\r\n",
        ),
        (
            "XLANE",
            replies::not_implemented(),
            "502 5.5.1 Command not implemented\r\n",
        ),
        (
            "XCLIENT NAME=a",
            replies::not_authorised(),
            "550 5.7.0 Not authorised\r\n",
        ),
    ] {
        assert_eq!(peer.send(&format!("{line}\r\n")), "", "{line}");
        let ticket = peer.ticket("");
        peer.server.reply(ticket, reply).unwrap();
        assert_eq!(peer.read(), bytes);
    }
    assert_eq!(
        replies::mechanism_unknown().as_bytes(),
        b"504 5.5.4 Authentication mechanism not available\r\n"
    );
}

/// 5321-3.8-b: it is of the class that ends a session.
#[test]
fn a_server_that_ends() {
    let mut peer = Peer::greeted(config());
    peer.server.shut_down(replies::shutting_down()).unwrap();
    assert_eq!(
        peer.send(""),
        "421 4.3.2 Service shutting down and closing transmission channel\r\n"
    );
    assert_eq!(peer.send(""), "");
    assert!(peer.server.is_closed());
}
