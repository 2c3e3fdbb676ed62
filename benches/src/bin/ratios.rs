//! Prints a table of what `cargo bench` measured last: each figure beside its baseline of the same
//! run.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// What is compared: a name, what is ours, what it is compared with, in what unit, and what that is.
const ROWS: [(&str, &str, &str, Unit, &str); 16] = [
    (
        "parse commands, mixed",
        "commands_parse/ours",
        "commands_parse/peer",
        Unit::Each(100),
        "peer",
    ),
    (
        "parse `RCPT TO:<user123@example.org>`",
        "rcpt_parse/ours",
        "rcpt_parse/peer",
        Unit::Each(1),
        "peer",
    ),
    (
        "parse a reply, `250 2.1.0 OK`",
        "reply_parse/ours",
        "reply_parse/peer",
        Unit::Each(1),
        "peer",
    ),
    (
        "parse an answer to EHLO of 10 lines",
        "ehlo_parse/ours",
        "ehlo_parse/peer",
        Unit::Each(1),
        "peer",
    ),
    (
        "write a reply",
        "reply_write/ours",
        "reply_write/peer",
        Unit::Each(1),
        "peer",
    ),
    (
        "send text by DATA, 10 MiB",
        "send/10MiB/text/stuff",
        "send/10MiB/text/memcpy",
        Unit::Kib(10240),
        "memcpy",
    ),
    (
        "send text by DATA, 256 KiB",
        "send/256KiB/text/stuff",
        "send/256KiB/text/memcpy",
        Unit::Kib(256),
        "memcpy",
    ),
    (
        "send base64 by DATA, 256 KiB",
        "send/256KiB/base64/stuff",
        "send/256KiB/base64/memcpy",
        Unit::Kib(256),
        "memcpy",
    ),
    (
        "send lines of dots by DATA, 256 KiB",
        "send/256KiB/dots/stuff",
        "send/256KiB/dots/memcpy",
        Unit::Kib(256),
        "memcpy",
    ),
    (
        "send text by BDAT, 256 KiB",
        "send/256KiB/text/bdat",
        "send/256KiB/text/memcpy",
        Unit::Kib(256),
        "memcpy",
    ),
    (
        "receive text, 16 KiB a read, by reference",
        "receive/256KiB/text/unstuff/16384",
        "receive/256KiB/text/stalwart-keep/16384",
        Unit::Kib(256),
        "peer, copying",
    ),
    (
        "receive text, 16 KiB a read, copying",
        "receive/256KiB/text/unstuff-keep/16384",
        "receive/256KiB/text/stalwart-keep/16384",
        Unit::Kib(256),
        "peer, copying",
    ),
    (
        "receive text, 10 MiB, copying",
        "receive/10MiB/text/unstuff-keep/16384",
        "receive/10MiB/text/stalwart-keep/16384",
        Unit::Kib(10240),
        "peer, copying",
    ),
    (
        "receive lines of dots, copying",
        "receive/256KiB/dots/unstuff-keep/16384",
        "receive/256KiB/dots/stalwart-keep/16384",
        Unit::Kib(256),
        "peer, copying",
    ),
    (
        "receive text byte by byte, copying",
        "receive/256KiB/text/unstuff-keep/1",
        "receive/256KiB/text/stalwart-keep/1",
        Unit::Kib(256),
        "peer, copying",
    ),
    (
        "client session, a message of 4 KiB to 3",
        "session/client/3 recipients, 4 KiB/lookahead",
        "session/memcpy/4 KiB",
        Unit::Each(100),
        "memcpy of it",
    ),
];

#[derive(Clone, Copy)]
enum Unit {
    /// So many things were done.
    Each(u32),
    /// So many KiB went through.
    Kib(u32),
}

impl Unit {
    fn show(self, nanoseconds: f64) -> String {
        match self {
            Self::Each(number) => format!("{:.0} ns", nanoseconds / f64::from(number)),
            Self::Kib(kib) => {
                let mib = f64::from(kib) / 1024.0 / (nanoseconds / 1e9);
                if mib < 1024.0 {
                    format!("{mib:.0} MiB/s")
                } else {
                    format!("{:.1} GiB/s", mib / 1024.0)
                }
            }
        }
    }
}

fn main() {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    let mut medians = BTreeMap::new();
    collect(&target.join("criterion"), &mut medians);
    println!("| what | ours | beside | which is | ratio |\n|---|---|---|---|---|");
    for (name, ours, baseline, unit, which) in ROWS {
        let (Some(&ours), Some(&baseline)) = (medians.get(ours), medians.get(baseline)) else {
            eprintln!("{name}: not measured; run `cargo bench` first");
            continue;
        };
        let (own, other) = (unit.show(ours), unit.show(baseline));
        println!(
            "| {name} | {own} | {other} | {which} | {:.2} |",
            baseline / ours
        );
    }
}

/// Reads the medians below a folder, by the names of their benchmarks.
fn collect(folder: &Path, medians: &mut BTreeMap<String, f64>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if !path.is_dir() {
            continue;
        }
        if path.ends_with("new") {
            let read = |file: &str| fs::read_to_string(path.join(file)).unwrap_or_default();
            let (about, estimates) = (read("benchmark.json"), read("estimates.json"));
            let name = between(&about, "\"full_id\":\"", "\"");
            let median = estimates.split("\"median\":").nth(1).unwrap_or_default();
            let median = between(median, "\"point_estimate\":", ",").parse();
            if let Ok(median) = median {
                medians.insert(name.to_owned(), median);
            }
        } else {
            collect(&path, medians);
        }
    }
}

/// Returns what stands between two texts.
fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let rest = text.split(before).nth(1).unwrap_or_default();
    rest.split(after).next().unwrap_or_default()
}
