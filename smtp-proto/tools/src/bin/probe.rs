//! Tests how a mail server speaks SMTP, and says how to speak to it. `--help` tells more.

use std::{fs, process::ExitCode};

use smtp_proto_tools::{
    CommandLine as _,
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
            eprintln!("{}: {error}", options.target);
            return FAILED.into();
        }
    };
    if options.json {
        println!("{:#}", json(&report));
    } else {
        print!("{}", table(&report, options.evidence));
    }
    if let Some(file) = &options.capabilities
        && let Err(error) = fs::write(file, report.known_capabilities())
    {
        eprintln!("{}: {error}", file.display());
        return FAILED.into();
    }
    let is_wrong = |verdict| verdict == Verdict::Wrong;
    if report.verdicts().any(is_wrong) {
        return WRONG.into();
    }
    if !report.is_tested() {
        eprintln!("{}: nothing of importance could be tested", options.target);
        return FAILED.into();
    }
    ExitCode::SUCCESS
}
