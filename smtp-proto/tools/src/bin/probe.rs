//! Tests how a mail server speaks SMTP, and says how to speak to it. `--help` tells more.

use std::{
    fs,
    io::{self, Write as _},
    process::ExitCode,
};

use smtp_proto_tools::{
    CommandLine as _, complain,
    probe::{Options, Verdict, json, probe, table},
};

/// Something is wrong with the server.
const WRONG: u8 = 1;
/// The server could not be tested, or the result not be written.
const FAILED: u8 = 3;

fn main() -> ExitCode {
    let options = match Options::from_env() {
        Ok(options) => options,
        Err(stop) => return stop,
    };
    let report = match probe(&options) {
        Ok(report) => report,
        Err(error) => {
            complain(format_args!("{}: {error}", options.target));
            return FAILED.into();
        }
    };
    let mut out = io::stdout();
    let shown = match options.json {
        true => writeln!(out, "{:#}", json(&report)),
        false => write!(out, "{}", table(&report, options.evidence)),
    };
    if let Err(error) = shown {
        complain(format_args!("standard output: {error}"));
        return FAILED.into();
    }
    if let Some(file) = &options.capabilities
        && let Err(error) = fs::write(file, report.known_capabilities())
    {
        complain(format_args!("{}: {error}", file.display()));
        return FAILED.into();
    }
    let is_wrong = |verdict| verdict == Verdict::Wrong;
    if report.verdicts().any(is_wrong) {
        return WRONG.into();
    }
    if !report.is_tested() {
        let target = &options.target;
        complain(format_args!(
            "{target}: nothing of importance could be tested"
        ));
        return FAILED.into();
    }
    ExitCode::SUCCESS
}
