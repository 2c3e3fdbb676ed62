//! What is parsed as a command is written as one line, and parses to the same command again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smtp_proto::syntax::Command;

fuzz_target!(|line: &[u8]| {
    let Ok(command) = Command::parse(line) else { return };
    let mut written = Vec::new();
    command.write_to(&mut written);
    let line = written.strip_suffix(b"\r\n").expect("a line ends in CR LF");
    assert!(!line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)), "one line");
    assert_eq!(Command::parse(line), Ok(command));
});
