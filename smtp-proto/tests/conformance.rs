//! Holds CONFORMANCE.md to what it says: the tests that it names exist.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What a line may give in place of a test, or beside it.
const REASONS: [&str; 3] = ["not implemented", "application", "choice"];

/// One requirement.
struct Line<'a> {
    id: &'a str,
    tests: Vec<(&'a str, &'a str)>,
    /// Which of [`REASONS`] is given.
    reason: Option<&'a str>,
}

/// Reads `- id · summary · test, test; reason: why`, or tells what is wrong with it.
fn parse(line: &str) -> Result<Line<'_>, String> {
    let wrong = |what: &str| format!("{what}: {line}");
    let parts: Vec<&str> = line.split(" · ").collect();
    let &[id, summary, proof] = parts.as_slice() else {
        return Err(wrong("not of three parts"));
    };
    if id.is_empty() || summary.is_empty() {
        return Err(wrong("no id or no summary"));
    }
    let reason = REASONS
        .into_iter()
        .filter_map(|reason| Some((proof.find(&format!("{reason}: "))?, reason)))
        .min();
    let tests = match reason {
        Some((at, _)) => proof[..at].trim_end_matches("; "),
        None => proof,
    };
    let tests = tests.split(", ").filter(|test| !test.is_empty());
    let tests: Option<Vec<_>> = tests.map(|test| test.split_once("::")).collect();
    let tests = tests.ok_or_else(|| wrong("not path::function"))?;
    let reason = reason.map(|(_, reason)| reason);
    if tests.is_empty() && reason.is_none() {
        return Err(wrong("neither test nor reason"));
    }
    Ok(Line { id, tests, reason })
}

/// Returns the names of the tests in a file.
fn tests_of(source: &str) -> BTreeSet<&str> {
    source
        .split("#[test]")
        .skip(1)
        .filter_map(|after| after.split_once("fn ")?.1.split_once('('))
        .map(|(name, _)| name)
        .collect()
}

/// Counts the lines of a section as its count line does: with tests, then by reason.
fn count(lines: &[Line<'_>]) -> String {
    let tested = lines.iter().filter(|line| !line.tests.is_empty()).count();
    let by = |reason| {
        let plain = |line: &&Line<'_>| line.tests.is_empty() && line.reason == Some(reason);
        format!(", {} {reason}", lines.iter().filter(plain).count())
    };
    format!("{tested} tested{}.", REASONS.map(by).concat())
}

#[test]
fn every_requirement_has_its_tests_or_a_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path));
    let document = read("CONFORMANCE.md").unwrap();
    let mut sources = BTreeMap::new();
    let mut ids = BTreeSet::new();
    let mut wrong = Vec::new();
    for section in document.split("\n## ").skip(1) {
        let lines = section.lines().filter_map(|line| line.strip_prefix("- "));
        let (lines, malformed): (Vec<_>, Vec<_>) = lines.map(parse).partition(Result::is_ok);
        wrong.extend(malformed.into_iter().filter_map(Result::err));
        let lines: Vec<_> = lines.into_iter().flatten().collect();
        if !section.contains(&format!("\n\n{}\n\n", count(&lines))) {
            let name = section.lines().next();
            wrong.push(format!("not {} in {name:?}", count(&lines)));
        }
        for Line { id, tests, .. } in lines {
            if !ids.insert(id) {
                wrong.push(format!("listed twice: {id}"));
            }
            for (path, test) in tests {
                let source = sources
                    .entry(path)
                    .or_insert_with(|| read(path).unwrap_or_default());
                if !tests_of(source).contains(test) {
                    wrong.push(format!("{id}: no test {test} in {path}"));
                }
            }
        }
    }
    assert!(ids.len() > 500, "only {} requirements", ids.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn lines_that_say_nothing_are_found() {
    for line in [
        "1-1-a",
        "1-1-a · summary",
        "1-1-a · summary · ",
        "1-1-a · summary · later",
        "1-1-a · summary · tests/x.rs",
        " · summary · tests/x.rs::y",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
    let line = parse("1-1-a · summary · a.rs::b, c.rs::d; choice: this").unwrap();
    assert_eq!(line.tests, [("a.rs", "b"), ("c.rs", "d")]);
    assert_eq!(line.reason, Some("choice"));
    let tests = tests_of("fn a() {}\n#[test]\nfn b() {}\n#[test]\n#[ignore]\nfn c() {}");
    assert_eq!(tests.into_iter().collect::<Vec<_>>(), ["b", "c"]);
}
