//! Client and server against each other, as in `tests/pair`: one outcome each, and a true one,
//! whatever goes wrong wherever.
#![no_main]

#[path = "../../tests/pair/link.rs"]
#[allow(dead_code, reason = "the tests ask for more")]
mod link;
#[path = "../../tests/pair/store.rs"]
mod store;

use libfuzzer_sys::fuzz_target;
use link::{Fault, Options, run};
use smtp_proto::client::Pipelining;

fuzz_target!(|input: (u64, u8, u8, u8, u16)| {
    let (seed, policy, piece, fault, at) = input;
    let policy = match policy % 5 {
        0 => Pipelining::LockStep,
        1 => Pipelining::Group,
        2 => Pipelining::LookAhead,
        window => Pipelining::Stream { window: usize::from(window) },
    };
    let fault = match fault % 5 {
        0 => None,
        1 => Some(Fault::Cut),
        2 => Some(Fault::WriteFails),
        3 => Some(Fault::Crash),
        _ => Some(Fault::Closing),
    };
    let seen = run(&Options {
        seed,
        policy,
        piece: (piece > 0).then_some(usize::from(piece)),
        fault: fault.map(|fault| (fault, usize::from(at))),
    });
    seen.check();
});
