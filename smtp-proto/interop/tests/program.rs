//! What the program says before it runs anything. That it has a test has the workspace's tests build it,
//! too, from what they have built.

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_smtp-proto-interop"))
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn help_names_the_options() {
    let output = run(&["--help"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    for option in ["--quick", "--home FOLDER", "FILTER"] {
        assert!(text.contains(option), "{text}");
    }
}

#[test]
fn an_unknown_option_is_refused() {
    let output = run(&["--quickly"]);
    assert!(!output.status.success());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("unknown option --quickly"), "{text}");
}
