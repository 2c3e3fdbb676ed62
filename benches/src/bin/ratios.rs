//! Prints a table of what `cargo bench` measured last: each figure beside its baseline of the same
//! run.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// What is compared: a name, what is ours, what is the baseline, and the unit's octets or elements.
const ROWS: [(&str, &str, &str, Unit); 17] = [
    (
        "parse commands, mixed, each of 100",
        "commands_parse/ours",
        "commands_parse/peer",
        Unit::Each(100),
    ),
    (
        "parse `RCPT TO:<…>`, each of 100",
        "rcpt_parse/ours",
        "rcpt_parse/peer",
        Unit::Each(100),
    ),
    (
        "parse a reply, `250 2.1.0 OK`",
        "reply_parse/ours",
        "reply_parse/peer",
        Unit::Each(1),
    ),
    (
        "parse the answer to EHLO",
        "ehlo_parse/ours",
        "ehlo_parse/peer",
        Unit::Each(1),
    ),
    (
        "write a reply",
        "reply_write/ours",
        "reply_write/peer",
        Unit::Each(1),
    ),
    (
        "write commands, against memcpy",
        "commands_write/ours",
        "commands_write/memcpy",
        Unit::Each(100),
    ),
    (
        "send text, 10 MiB, against memcpy",
        "send/10MiB/text/stuff",
        "send/10MiB/text/memcpy",
        Unit::Octets(10),
    ),
    (
        "send text, 256 KiB, against memcpy",
        "send/256KiB/text/stuff",
        "send/256KiB/text/memcpy",
        Unit::Kib(256),
    ),
    (
        "send base64, 256 KiB, against memcpy",
        "send/256KiB/base64/stuff",
        "send/256KiB/base64/memcpy",
        Unit::Kib(256),
    ),
    (
        "send dot-lines, 256 KiB, against memcpy",
        "send/256KiB/dots/stuff",
        "send/256KiB/dots/memcpy",
        Unit::Kib(256),
    ),
    (
        "send BDAT, 256 KiB, against memcpy",
        "send/256KiB/text/bdat",
        "send/256KiB/text/memcpy",
        Unit::Kib(256),
    ),
    (
        "receive text by reference, 16 KiB reads",
        "receive/256KiB/text/unstuff/16384",
        "receive/256KiB/text/stalwart-keep/16384",
        Unit::Kib(256),
    ),
    (
        "receive text, kept",
        "receive/256KiB/text/unstuff-keep/16384",
        "receive/256KiB/text/stalwart-keep/16384",
        Unit::Kib(256),
    ),
    (
        "receive text, kept, 10 MiB",
        "receive/10MiB/text/unstuff-keep/16384",
        "receive/10MiB/text/stalwart-keep/16384",
        Unit::Octets(10),
    ),
    (
        "receive dot-lines, kept",
        "receive/256KiB/dots/unstuff-keep/16384",
        "receive/256KiB/dots/stalwart-keep/16384",
        Unit::Kib(256),
    ),
    (
        "receive text octet by octet, kept",
        "receive/256KiB/text/unstuff-keep/1",
        "receive/256KiB/text/stalwart-keep/1",
        Unit::Kib(256),
    ),
    (
        "client session, each of 100 messages, against memcpy of them",
        "session/client/3 recipients, 4 KiB/lookahead",
        "session/memcpy/4 KiB",
        Unit::Each(100),
    ),
];

#[derive(Clone, Copy)]
enum Unit {
    /// So many things were done.
    Each(u32),
    /// So many MiB went through.
    Octets(u32),
    /// So many KiB went through.
    Kib(u32),
}

impl Unit {
    fn show(self, nanoseconds: f64) -> String {
        let rate = |kib: f64| format!("{:.1} GiB/s", kib / 1_048_576.0 / (nanoseconds / 1e9));
        match self {
            Self::Each(number) => format!("{:.0} ns", nanoseconds / f64::from(number)),
            Self::Octets(mib) => rate(f64::from(mib) * 1024.0),
            Self::Kib(kib) => rate(f64::from(kib)),
        }
    }
}

fn main() {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    let mut medians = BTreeMap::new();
    collect(&target.join("criterion"), &mut medians);
    println!("| what | ours | baseline | ratio |\n|---|---|---|---|");
    for (name, ours, baseline, unit) in ROWS {
        let (Some(&ours), Some(&baseline)) = (medians.get(ours), medians.get(baseline)) else {
            eprintln!("{name}: not measured; run `cargo bench` first");
            continue;
        };
        let (own, other) = (unit.show(ours), unit.show(baseline));
        println!("| {name} | {own} | {other} | {:.2} |", baseline / ours);
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
fn between<'t>(text: &'t str, before: &str, behind: &str) -> &'t str {
    let rest = text.split(before).nth(1).unwrap_or_default();
    rest.split(behind).next().unwrap_or_default()
}
