//! A report as JSON.

use serde_json::{Value, json};

use crate::probe::{Evidence, Report};

/// Returns a report as one JSON object. Bytes are text with escapes, as in a string of Rust.
pub fn json(report: &Report) -> Value {
    let findings: Vec<_> = report
        .findings
        .iter()
        .map(|finding| {
            json!({
                "check": finding.check().id(),
                "verdict": finding.verdict().id(),
                "meaning": finding.meaning(),
                "evidence": said(&finding.evidence),
            })
        })
        .collect();
    let capabilities: Vec<_> = report
        .capabilities
        .iter()
        .map(|(keyword, arguments)| format!("{keyword} {arguments}").trim_end().to_owned())
        .collect();
    json!({
        "host": report.target.host(),
        "port": report.target.port(),
        "address": report.address.to_string(),
        "channel": report.channel.to_string(),
        "capabilities": capabilities,
        "findings": findings,
        "policy": report.advice.policy.id(),
        "because": report.advice.because,
    })
}

fn said(evidence: &Evidence) -> Vec<String> {
    let line = |said: &crate::probe::Said| format!("{} {}", said.direction(), said.text());
    evidence.iter().map(line).collect()
}
