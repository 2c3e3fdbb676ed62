//! Delivers message files. `--help` tells more.
//!
//! Without arguments it shows every pipelining policy at work.

use std::process::ExitCode;

use smtp_proto_tools::{
    CommandLine as _, complain,
    deliver::{Options, deliver},
};

/// Something of this machine's is missing or broken, as a file. (1 and 2 tell of messages.)
const FAILED: u8 = 3;

fn main() -> ExitCode {
    let options = match Options::from_env() {
        Ok(options) => options,
        Err(stop) => return stop,
    };
    deliver(&options).unwrap_or_else(|error| {
        complain(error);
        FAILED.into()
    })
}
