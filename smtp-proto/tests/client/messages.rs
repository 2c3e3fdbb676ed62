//! Messages as the application sees them: cancelled, in their order, and told once.

use crate::dialogue::{
    Dialogue, GROUP, ONE, STUFFED, delivered, finished, look_ahead, not_sent, recipient, stream,
};
use smtp_proto::{
    client::{Cancellation, Event, NotSentReason, Pipelining},
    machine::{Fault, Misuse},
};

/// What cancelling costs, by how far the message has gone.
#[test]
fn messages_can_be_cancelled() {
    let cancelled = || not_sent(NotSentReason::Cancelled);
    let mut d = look_ahead();
    let m = [(); 3].map(|()| d.submit("a@example.org", &ONE));
    assert_eq!(d.client.cancel(m[1]), Ok(Cancellation::Unsent));
    d.says("");
    d.reports(&[finished(m[1], cancelled())]);
    d.sends(GROUP);
    assert_eq!(d.client.cancel(m[0]), Ok(Cancellation::EndsConnection));
    d.says("250 ok\r\n250 ok\r\n451 no\r\n");
    d.reports(&[
        recipient(m[0], 0, "250 ok\r\n"),
        finished(m[0], cancelled()),
    ]);
    d.sends(&format!("RSET\r\n{GROUP}"));
    d.says("250 reset\r\n250 ok\r\n250 ok\r\n354 go\r\n");
    d.sends(STUFFED);
    assert_eq!(d.client.cancel(m[2]), Err(Misuse::TooLate));

    let mut d = Dialogue::begin(Pipelining::LockStep, &["PIPELINING"]);
    let m = [(); 2].map(|()| d.submit("a@example.org", &ONE));
    d.sends("MAIL FROM:<a@example.org>\r\n");
    assert_eq!(d.client.cancel(m[0]), Ok(Cancellation::Withdrawn));
    d.sends("");
    d.says("250 ok\r\n");
    d.reports(&[finished(m[0], cancelled())]);
    d.sends("RSET\r\n");

    let mut d = look_ahead();
    let m = d.submit("a@example.org", &ONE);
    d.written();
    d.says("250 ok\r\n250 ok\r\n");
    assert_eq!(d.client.cancel(m), Ok(Cancellation::EndsConnection));
    d.says("354 go\r\n");
    d.finishes(&[(m, cancelled())]);
    d.fails(Fault::ContentAbandoned);
}

/// Events come once, in the order of their causes.
#[test]
fn nothing_is_reported_twice() {
    let mut d = stream();
    let m = d.submit("a@example.org", &ONE);
    d.client.quit();
    d.written();
    d.says("250 ok\r\n250 ok\r\n250 taken\r\n");
    d.written();
    d.says("221 bye\r\n");
    d.says("");
    d.reports(&[
        recipient(m, 0, "250 ok\r\n"),
        finished(m, delivered("250 taken\r\n")),
        Event::Closed,
    ]);
}

/// Messages go out in the order of their submission, each with its own envelope, however many come and
/// go.
#[test]
fn messages_keep_their_order() {
    let mut d = Dialogue::begin(Pipelining::Group, &["PIPELINING"]);
    let (mut submitted, mut delivered_so_far) = (Vec::new(), 0);
    for (come, go) in [(3, 2), (4, 1), (2, 5), (9, 3), (20, 27), (1, 1), (2, 2)] {
        for _ in 0..come {
            let sender = format!("{}@example.org", submitted.len());
            submitted.push(d.submit(&sender, &ONE));
        }
        for _ in 0..go {
            d.sends(&format!(
                "MAIL FROM:<{delivered_so_far}@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n"
            ));
            d.says("250 ok\r\n250 ok\r\n354 go\r\n");
            d.sends(STUFFED);
            d.says("250 taken\r\n");
            d.finishes(&[(submitted[delivered_so_far], delivered("250 taken\r\n"))]);
            delivered_so_far += 1;
        }
        if go > 3 {
            d.client.shrink();
        }
    }
    assert!(d.client.is_idle());
}
