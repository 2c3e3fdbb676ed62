//! The client machine against the server machine, over a link that cuts, splits and delays as a
//! seed says.
//!
//! A failure prints its seed; `SEED=n cargo test --test pair` runs that one and prints the dialogue.
//! `SEEDS=n` sets how many are tried.

mod account;
mod link;
mod random;
mod relay;
mod scenario;
mod store;

use std::{
    env,
    sync::atomic::{AtomicUsize, Ordering},
};

use link::{Options, run};
use smtp_proto::{client::Pipelining, testing::Failure};

const POLICIES: [Pipelining; 5] = [
    Pipelining::LockStep,
    Pipelining::Group,
    Pipelining::LookAhead,
    Pipelining::Stream { window: 1 },
    Pipelining::Stream { window: 5 },
];

/// Calls `check` with every seed to try, and names the one that fails.
fn each_seed(default: u64, check: impl Fn(u64) + std::panic::RefUnwindSafe) {
    let number = |name: &str| env::var(name).ok().and_then(|value| value.parse().ok());
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SEEDS").unwrap_or(default),
    };
    for seed in seeds {
        if let Err(cause) = std::panic::catch_unwind(|| check(seed)) {
            eprintln!("SEED={seed}");
            std::panic::resume_unwind(cause);
        }
    }
}

/// RES-5: whatever the pieces in which bytes are read and written, and whatever the order of the
/// verdicts within a flight, both sides see the same events and write the same bytes.
#[test]
fn pieces_make_no_difference() {
    each_seed(300, |seed| {
        for policy in POLICIES {
            let whole = run(&Options {
                seed,
                policy,
                ..Options::default()
            })
            .in_order();
            for piece in [1, 2, 3, 64] {
                let split = run(&Options {
                    seed,
                    policy,
                    piece: Some(piece),
                    ..Options::default()
                })
                .in_order();
                assert!(
                    split == whole,
                    "{policy:?} in pieces of {piece}:\n{split:?}\n\nnot\n\n{whole:?}"
                );
            }
        }
    });
}

/// Invariants 1 to 6 of the threats: one outcome each, and a true one, wherever a random fault
/// strikes a random session; also if contents and verdicts come late, or not at all, and messages
/// are cancelled.
#[test]
fn faults_leave_true_outcomes() {
    let tallies: [AtomicUsize; 4] = Default::default();
    each_seed(2500, |seed| {
        let policy = POLICIES[usize::try_from(seed).unwrap() % POLICIES.len()];
        let undisturbed = run(&Options {
            seed,
            policy,
            ..Options::default()
        });
        let bytes = undisturbed.to_server.len() + undisturbed.to_client.len();
        for failure in [
            Failure::Cut,
            Failure::WriteFails,
            Failure::ServerLost,
            Failure::Closing,
        ] {
            let at = (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) as usize % bytes;
            let mut options = Options {
                seed,
                policy,
                piece: [Some(1), Some(7), Some(64), None][(seed >> 3) as usize % 4],
                failure: Some((failure, at as u64)),
                is_restless: false,
            };
            let seen = run(&options);
            seen.check();
            options.is_restless = true;
            run(&options).check();
            for (sum, count) in tallies.iter().zip(seen.tally()) {
                sum.fetch_add(count, Ordering::Relaxed);
            }
        }
    });
    // Each outcome is reached: at least one message in a hundred.
    let tallies = tallies.map(AtomicUsize::into_inner);
    let one_percent = tallies.iter().sum::<usize>() / 100;
    let reached = tallies.iter().all(|&count| count >= one_percent);
    assert!(reached || env::var_os("SEED").is_some(), "{tallies:?}");
}

/// Nothing is in doubt, and nothing is unsent but for the server's limits, where nothing goes wrong.
#[test]
fn undisturbed_sessions_are_settled() {
    each_seed(500, |seed| {
        for policy in POLICIES {
            let outcome = run(&Options {
                seed,
                policy,
                ..Options::default()
            });
            outcome.check();
            let [_, _, not_sent, in_doubt] = outcome.tally();
            assert_eq!(in_doubt, 0);
            assert!(not_sent == 0 || outcome.is_limited, "{not_sent}");
            assert_eq!(outcome.error, None);
        }
    });
}
