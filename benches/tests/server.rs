//! What a server allocates: nothing in steady state, and less than 1 KiB in all while it is idle.

use std::{alloc::System, mem::size_of, time::Duration};

use smtp_proto::server::{Event, Server};
use smtp_proto_benches::{NOW, server_config};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Handles what a client sends, accepts what is asked but one recipient, and writes the replies.
fn serve(server: &mut Server, sent: &str, refusal: &smtp_proto::syntax::Reply<'static>) {
    let mut input = sent.as_bytes();
    while let Some(event) = server.poll_event(&mut input, NOW).unwrap() {
        let is_refused = matches!(&event, Event::Rcpt { to, .. } if to.mailbox().is_some_and(|it| it.local_part() == "no"));
        match event.into_ticket() {
            Some(ticket) if is_refused => server.reply(ticket, refusal.clone()).unwrap(),
            Some(ticket) => server.accept(ticket).unwrap(),
            None => {}
        }
    }
    assert!(input.is_empty());
    while let Some(transmit) = server.poll_transmit(NOW) {
        let all = transmit.len();
        transmit.wrote(all, NOW);
    }
}

/// No harness, so that nothing else allocates meanwhile.
fn main() {
    let refusal = smtp_proto::syntax::Reply::parse(b"550 5.1.1 nobody\r\n").unwrap();
    let config = server_config()
        .slow_down(0, Duration::ZERO)
        .max_idle_commands(usize::MAX);
    let chunk = format!("BDAT 4000\r\n{}", "x".repeat(4000));
    let region = Region::new(ALLOCATOR);
    let mut server = Server::new(config, NOW);
    let held = || {
        let stats = region.change();
        stats
            .bytes_allocated
            .saturating_sub(stats.bytes_deallocated)
    };
    assert!(held() + size_of::<Server>() < 1024, "{}", held());

    let flights = [
        "RSET\r\nMAIL FROM:<a@b.example> SIZE=4010 BODY=8BITMIME\r\nRCPT TO:<c@d.example>\r\n\
         RCPT TO:<no@d.example>\r\nFOO\r\nDATA\r\n",
        "a line\r\n..and another\r\n.\r\nNOOP\r\n",
        "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n",
        &chunk,
        "BDAT 0 LAST\r\nVRFY x\r\n",
    ];
    serve(&mut server, "", &refusal);
    serve(&mut server, "EHLO c.example\r\n", &refusal);
    let mut round = || {
        flights
            .iter()
            .for_each(|flight| serve(&mut server, flight, &refusal))
    };
    (0..10).for_each(|_| round());
    let steady = Region::new(ALLOCATOR);
    (0..100).for_each(|_| round());
    let allocations = steady.change().allocations + steady.change().reallocations;
    assert_eq!(allocations, 0, "in 200 messages");

    server.shrink();
    assert!(held() + size_of::<Server>() < 1024, "{}", held());
}
