//! A report as text, for a terminal of 100 columns.

use std::fmt::Write as _;

use crate::probe::{Report, Verdict};

const WIDTH: usize = 100;
/// Before the meaning: the check, the verdict, and spaces.
const INDENT: usize = 31;

/// Returns a report as a table. What was said stands below findings that are not right, or below all.
pub fn table(report: &Report, all_evidence: bool) -> String {
    let mut out = String::new();
    // Writing to memory does not fail.
    let _ = writeln!(
        out,
        "{}, at {}, {}\n",
        report.target, report.address, report.channel
    );
    for finding in &report.findings {
        let word = word(finding.verdict());
        let _ = write!(out, "{:<20} {word:<9} ", finding.check());
        wrap(&mut out, &finding.meaning(), INDENT);
        let shown = matches!(finding.verdict(), Verdict::Weak | Verdict::Wrong);
        if shown || all_evidence {
            for said in finding.evidence.iter() {
                let _ = writeln!(out, "{:INDENT$}{} {}", "", said.direction(), said.text());
            }
        }
    }
    let policy = report.advice.policy.id();
    let _ = write!(out, "\n{:<20} {policy:<9} ", "policy");
    wrap(
        &mut out,
        &format!("{}.", report.advice.because.join("; ")),
        INDENT,
    );
    out
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Right => "ok",
        Verdict::Fact => "-",
        Verdict::Weak => "weak",
        Verdict::Wrong => "WRONG",
        Verdict::Untested => "?",
    }
}

/// Writes a text after `indent` columns, in lines that stay within the width where words let them.
fn wrap(out: &mut String, text: &str, indent: usize) {
    let mut column = indent;
    let mut separator = "";
    for word in text.split(' ') {
        if column + separator.len() + word.len() > WIDTH && column > indent {
            let _ = write!(out, "\n{:indent$}", "");
            (column, separator) = (indent, "");
        }
        out.push_str(separator);
        out.push_str(word);
        column += separator.len() + word.len();
        separator = " ";
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn texts_are_wrapped_between_words() {
        let mut out = String::new();
        wrap(&mut out, &"word ".repeat(30), 20);
        assert_eq!(out.lines().count(), 2);
        assert!(out.lines().all(|line| line.len() <= 100));
        assert!(out.lines().nth(1).unwrap().starts_with(&" ".repeat(20)));
    }
}
