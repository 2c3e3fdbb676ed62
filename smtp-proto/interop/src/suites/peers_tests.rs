//! The peers' own tests of clients, pointed at our servers.

use std::fs;

use anyhow::{Result, bail, ensure};
use smtp_proto::{
    machine::Dialect,
    server::{Config, Tls},
    syntax::{Capabilities, Extension, Host},
};

use crate::{
    Run,
    clients::{self, server::OurServer, store::Store},
    matrix::Matrix,
    ours::Adapter,
    pki::Pki,
};

const TITLE: &str = "Peers' own tests";
/// Where aiosmtpd's tests have the certificate that their clients trust.
const CERTIFICATES: &str = "/usr/lib/python3/dist-packages/aiosmtpd/tests/certs";

/// What the suites in Python have in common.
const SERVERS: (&str, &str) = ("servers.py", include_str!("../clients/tests/servers.py"));

/// Tests that one peer has.
pub(super) struct Suite {
    name: &'static str,
    /// A shell script that prints something if they are installed.
    probe: &'static str,
    /// Programs at `/mnt`.
    files: &'static [(&'static str, &'static str)],
    /// A shell script that runs them with `$SERVERS`: `NAME=PORT...`, and a folder in which each server
    /// has its own of that name. It prints a line for each test: `passed`, `failed` or `left out`, and
    /// one that begins with `version`.
    script: &'static str,
}

pub(super) const SUITES: [Suite; 3] = [
    Suite {
        name: "Python's test_smtplib",
        probe: "python3 -c 'import test.test_smtplib; print(1)'",
        files: &[
            SERVERS,
            (
                "smtplib_suite.py",
                include_str!("../clients/tests/smtplib_suite.py"),
            ),
        ],
        script: "exec python3 /mnt/smtplib_suite.py $SERVERS",
    },
    Suite {
        name: "aiosmtpd's tests",
        probe: "python3 -c 'import aiosmtpd.tests, pytest_mock; print(1)'",
        files: &[
            SERVERS,
            (
                "aiosmtpd_suite.py",
                include_str!("../clients/tests/aiosmtpd_suite.py"),
            ),
        ],
        script: "exec python3 /mnt/aiosmtpd_suite.py $SERVERS",
    },
    Suite {
        name: "go-smtp's tests",
        probe: "ls /usr/local/bin/go-smtp-tests",
        files: &[],
        script: "echo version go-smtp $(cat /usr/local/share/go-smtp-version)\n\
                 /usr/local/bin/go-smtp-tests -test.v -test.timeout 30s -test.run '^Test(Strict)?Server' 2>&1 |\n\
                 sed 's/^--- PASS:/passed/; s/^--- SKIP:/left out/; s/^--- FAIL:\\|^FAIL\\|^panic:\\|^ *[a-z_]*server_test/failed &/'",
    },
];

pub(super) fn run(run: &Run, matrix: &mut Matrix, suite: &Suite) {
    let probed = run.tree.output(suite.probe).unwrap_or_default();
    if probed.is_empty() {
        matrix.missing(suite.name);
        return;
    }
    for adapter in Adapter::ALL {
        matrix.cell(TITLE, suite.name, adapter.name(), || {
            run_suite(run, suite, adapter)
        });
    }
}

fn run_suite(run: &Run, suite: &Suite, adapter: Adapter) -> Result<String> {
    let folder = clients::work_folder(run, "tests")?;
    for (name, text) in suite.files {
        fs::write(folder.join(name), text)?;
    }
    let pki = Pki {
        certificate: run.tree.file(&format!("{CERTIFICATES}/server.crt")),
        key: run.tree.file(&format!("{CERTIFICATES}/server.key")),
        ca: run.pki.ca.clone(),
    };
    let mut servers = Vec::new();
    let mut arguments = String::new();
    for (name, config) in configurations()? {
        let mirror = folder.join("stored").join(name);
        fs::create_dir_all(&mirror)?;
        let server = OurServer::start(adapter, config, &pki, Store::mirrored(mirror))?;
        arguments.push_str(&format!("{name}={} ", server.address.port()));
        servers.push(server);
    }
    let script = format!("export SERVERS='{arguments}/mnt/stored'\n{}", suite.script);
    let printed = clients::run_script(run, &folder, &script)?;
    summarise(&printed)
}

/// Sums up lines that begin with `passed`, `failed` or `left out`.
fn summarise(printed: &str) -> Result<String> {
    let count = |word: &str| {
        let lines = printed.lines();
        lines.filter(|line| line.starts_with(word)).count()
    };
    let version = printed
        .lines()
        .find_map(|line| line.strip_prefix("version "));
    let (passed, failed, left_out) = (count("passed "), count("failed "), count("left out "));
    ensure!(passed > 0, "no test ran:\n{printed}");
    if failed > 0 {
        let failed: Vec<&str> = printed
            .lines()
            .filter(|line| line.starts_with("failed "))
            .collect();
        bail!("{passed} passed, and:\n{}", failed.join("\n"));
    }
    let version = version.unwrap_or("?");
    Ok(format!(
        "{passed} passed, {left_out} do not apply ({version})"
    ))
}

/// Returns the servers that the tests speak to.
fn configurations() -> Result<Vec<(&'static str, Config)>> {
    let esmtp = Capabilities::new()
        .with(Extension::Expn)
        .with_size(0)
        .with(Extension::DeliverBy)
        .with(Extension::Help);
    let without_utf8 = Capabilities::new()
        .with(Extension::Pipelining)
        .with_size(0)
        .with(Extension::EightBitMime)
        .with(Extension::EnhancedStatusCodes)
        .with(Extension::Chunking)
        .with(Extension::Dsn)
        .with(Extension::Help);
    let usual = without_utf8.clone().with(Extension::SmtpUtf8);
    let simple = Config::new(Host::parse("localhost")?);
    let strict = simple.clone().strict_syntax();
    let smtp = simple.clone().offer(usual.clone());
    let ascii = simple.clone().offer(without_utf8);
    let with = |mechanisms: &[&str]| {
        let config = smtp.clone().mechanisms(mechanisms.iter().copied());
        config.map(Config::allow_plain_text_auth)
    };
    let both = ["PLAIN", "LOGIN"];
    Ok(vec![
        (
            "esmtp",
            simple
                .offer(esmtp)
                .max_message_size(20_000_000)
                .tls(Tls::Offered),
        ),
        ("plain", with(&["PLAIN"])?),
        (
            "ascii",
            ascii.mechanisms(["PLAIN"])?.allow_plain_text_auth(),
        ),
        ("login", with(&["LOGIN"])?),
        ("auth", with(&both)?),
        ("submission", with(&both)?.require_auth()),
        ("lmtp", smtp.clone().dialect(Dialect::Lmtp)),
        ("tls", smtp.clone().tls(Tls::Offered)),
        ("tls-required", smtp.clone().tls(Tls::Required)),
        ("tls-auth", smtp.clone().tls(Tls::Offered).mechanisms(both)?),
        ("smtps", smtp.clone().tls(Tls::Implicit)),
        ("utf8", smtp.clone()),
        ("smtp", smtp),
        ("strict", strict.offer(usual)),
    ])
}
