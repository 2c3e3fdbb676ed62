//! How many round trips our clients take with a real server, as a proxy on a link with delay sees
//! them, and how fast that is.

use std::{ops::RangeInclusive, time::Duration};

use anyhow::{Result, bail, ensure};
use smtp_proto::{client::Pipelining, syntax::Capabilities};

use super::policy_name;
use crate::{
    Run,
    exchange::{Offer, exchange},
    matrix::Matrix,
    messages,
    ours::{Adapter, Session},
    proxy::Link,
    servers::Running,
};

const TRIPS: &str = "Round trips of our clients, counted on the wire / messages";
const RATE: &str = "Messages a second on a link of 20 ms";
const FIRST: &str = "Round trips to the first message's verdict, with capabilities known";

/// Long enough for a server to answer a whole flight meanwhile.
const LONG: Duration = Duration::from_millis(150);
const SHORT: Duration = Duration::from_millis(20);
/// How often a count is tried: a machine that is busy with other things makes it higher, never lower.
const TRIES: usize = 3;

pub(super) fn run(run: &Run, matrix: &mut Matrix, running: &Running, offer: &Offer) {
    for adapter in Adapter::ALL {
        let row = format!("{}, {}", running.server.name(), adapter.name());
        for &policy in &offer.policies {
            matrix.cell(TRIPS, &row, &policy_name(policy), || {
                count(running, adapter, policy)
            });
            if !run.quick {
                matrix.cell(RATE, &row, &policy_name(policy), || {
                    rate(running, adapter, policy)
                });
            }
        }
        if offer.capabilities.get("PIPECONNECT").is_some() {
            matrix.cell(FIRST, &row, "stream 10", || {
                early(running, adapter, &offer.capabilities)
            });
        }
    }
}

/// Returns how many messages are counted, and how many round trips they take.
fn expected(policy: Pipelining) -> (usize, RangeInclusive<u64>) {
    match policy {
        Pipelining::LockStep => (4, 16..=16),
        Pipelining::Group => (8, 16..=16),
        Pipelining::LookAhead => (16, 17..=17),
        Pipelining::Stream { window } => {
            let messages = (4 * window).min(200);
            let windows = messages.div_ceil(window) as u64;
            // Verdicts on a window and on the next may come together, and the rest of the next leaves
            // after them.
            (messages, windows..=windows + 1)
        }
        _ => (0, 0..=0),
    }
}

fn count(running: &Running, adapter: Adapter, policy: Pipelining) -> Result<String> {
    let (number, expected) = expected(policy);
    let session = Session::new(running.server.dialect(), policy);
    let link = Link {
        round_trip: LONG,
        ..Link::default()
    };
    let messages = messages::numbered(number);
    let mut counts = Vec::new();
    for _ in 0..TRIES {
        let (_, proxy) = exchange(running, adapter, &session, link.clone(), &messages)?;
        // Without those for the greeting, EHLO and QUIT.
        let count = proxy.round_trips().saturating_sub(3);
        if expected.contains(&count) {
            return Ok(format!("{count} / {number}"));
        }
        counts.push(count);
    }
    bail!("{counts:?} round trips for {number} messages, not {expected:?}")
}

fn rate(running: &Running, adapter: Adapter, policy: Pipelining) -> Result<String> {
    let number = match policy {
        Pipelining::LockStep => 20,
        Pipelining::Group => 40,
        Pipelining::Stream { window } if window > 1 => 400,
        _ => 60,
    };
    let session = Session::new(running.server.dialect(), policy);
    let link = Link {
        round_trip: SHORT,
        ..Link::default()
    };
    let (sending, _) = exchange(
        running,
        adapter,
        &session,
        link,
        &messages::numbered(number),
    )?;
    let rate = number as f64 / sending.elapsed.as_secs_f64();
    Ok(format!("{rate:.0}"))
}

/// A client that knows that its server offers PIPECONNECT has the verdict on its first message after
/// two round trips: that of the greeting, with EHLO, the proof for a stream and the message's commands,
/// and that of the content, which goes by DATA until the proof is read.
fn early(running: &Running, adapter: Adapter, known: &Capabilities) -> Result<String> {
    let session = Session {
        known: Some(known.clone()),
        ..Session::new(running.server.dialect(), Pipelining::Stream { window: 10 })
    };
    let link = Link {
        round_trip: LONG,
        ..Link::default()
    };
    let (_, proxy) = exchange(running, adapter, &session, link, &messages::numbered(1))?;
    let before_quit = proxy.round_trips().saturating_sub(1);
    ensure!(
        before_quit == 2,
        "{before_quit} round trips\n{}",
        proxy.dialogue(20)
    );
    Ok(before_quit.to_string())
}
