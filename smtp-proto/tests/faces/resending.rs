//! What both adapters' `Sender` has to show of messages that a connection has not delivered: one text, in two
//! spellings.
//!
//! Whoever includes it has `face`, the adapter, and the macro `wait` for what takes time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use smtp_proto::{
    client::Outcome,
    delivery::Retry,
    machine::{Fault, Step},
};
use smtp_proto_test_support::{DELIVERS, MESSAGE, OFFER, Script, Scripted, envelope};

use super::face::Sender;

fn sender(server: &Scripted) -> Sender {
    let mut retry = Retry::default();
    retry.first_delay = Duration::from_millis(1);
    Sender::new(server.url()).unwrap().retry(retry)
}

/// Whoever takes one message a connection, and says so by 421, is not left alone for longer and longer.
#[test]
fn a_sender_does_not_wait_for_a_server_that_delivers() {
    const LEAVES: Script = &[
        DELIVERS[0],
        DELIVERS[1],
        DELIVERS[2],
        (".", "250 taken\r\n421 4.4.5 Bye\r\n"),
    ];
    let server = Scripted::new([LEAVES; 3]);
    let mut retry = Retry::default();
    retry.first_delay = Duration::from_secs(5);
    let sender = Sender::new(server.url()).unwrap().retry(retry);
    let begun = std::time::Instant::now();
    for _ in 0..3 {
        let report = wait!(sender.send(envelope(), MESSAGE)).unwrap();
        assert!(report.is_delivered(), "{report:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_sender_sends_again_to_exactly_those_who_are_left() {
    let cut: Script = &[
        ("", "220 x\r\n"),
        ("EHLO", OFFER),
        ("DATA", "250 x\r\n250 x\r\n550 5.1.1 No\r\n250 x\r\n"),
    ];
    let whole: Script = &[
        ("", "220 x\r\n"),
        ("EHLO", OFFER),
        ("DATA", "250 x\r\n250 x\r\n250 x\r\n354 x\r\n"),
        (".", "250 taken\r\n"),
        ("DATA", "250 x\r\n250 x\r\n354 x\r\n"),
        (".", "250 taken\r\n"),
        ("QUIT", "221 x\r\n"),
    ];
    let server = Scripted::new([cut, whole]);
    let sender = sender(&server);
    let envelope = envelope().to("no@example.org").unwrap();
    let envelope = envelope.to("eve@example.org").unwrap();
    let report = wait!(sender.send(envelope, MESSAGE)).unwrap();
    let [
        Outcome::Delivered(_),
        Outcome::Refused(refusal),
        Outcome::Delivered(_),
    ] = &report.recipients[..]
    else {
        panic!("{report:?}");
    };
    assert_eq!(refusal.step, Step::Recipient);
    // The connection is kept for the next message.
    assert!(
        wait!(sender.send(self::envelope(), MESSAGE))
            .unwrap()
            .is_delivered()
    );
    wait!(sender.quit());
    let heard = server.heard();
    assert!(!heard[1].contains("no@example.org"), "{}", heard[1]);
    assert!(heard[1].ends_with("QUIT\r\n"), "{}", heard[1]);
}

#[test]
fn a_sender_asks_about_doubt() {
    let cut: Script = &[
        ("", "220 x\r\n"),
        ("EHLO", OFFER),
        ("DATA", "250 x\r\n250 x\r\n354 x\r\n"),
        (".", ""),
    ];
    let server = Scripted::new([cut]);
    let report = wait!(sender(&server).send(envelope(), MESSAGE)).unwrap();
    assert_eq!(
        report.outcome,
        Outcome::InDoubt,
        "nobody was there to decide"
    );

    let server = Scripted::new([cut, DELIVERS]);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let sender = sender(&server).on_doubt(move |envelope| {
        count.fetch_add(envelope.recipients().len(), Ordering::Relaxed);
        true
    });
    assert!(
        wait!(sender.send(envelope(), MESSAGE))
            .unwrap()
            .is_delivered()
    );
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[test]
fn a_sender_gives_up_after_so_many_attempts() {
    let busy: Script = &[("", "421 4.3.2 Busy\r\n")];
    let server = Scripted::new([busy; 3]);
    let error = wait!(sender(&server).send(envelope(), MESSAGE)).unwrap_err();
    assert_eq!(error.machine().unwrap().fault(), Fault::Closing);
    assert_eq!(server.heard().len(), 3);
    // A refusal for good is not tried again.
    let refuses: Script = &[("", "554 5.7.1 No\r\n"), ("QUIT", "221 x\r\n")];
    let server = Scripted::new([refuses]);
    let error = wait!(sender(&server).send(envelope(), MESSAGE)).unwrap_err();
    assert_eq!(error.machine().unwrap().fault(), Fault::SessionRefused);
}
