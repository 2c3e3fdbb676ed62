//! Many sessions at once, with our servers.

use std::time::Instant;

use anyhow::{Result, ensure};

use crate::{
    Run,
    clients::{
        self, Mode, Wish,
        server::{self, OurServer},
        store::{Store, Stored},
    },
    matrix::Matrix,
    ours::Adapter,
};

pub(super) fn run(run: &Run, matrix: &mut Matrix) {
    if !clients::is_installed(clients::SMTP_SOURCE, &run.tree) {
        return;
    }
    for adapter in Adapter::ALL {
        let row = format!("smtp-source, {}", adapter.name());
        for (column, mode, option) in [
            ("20 sessions at once", Mode::Clear, ""),
            ("the same by LMTP", Mode::Lmtp, "-L"),
        ] {
            matrix.cell("Load", &row, column, || {
                load_one(run, adapter, mode, option)
            });
        }
    }
}

fn load_one(run: &Run, adapter: Adapter, mode: Mode, option: &str) -> Result<String> {
    let count = if run.quick { 200 } else { 2000 };
    let offers = server::config(mode, Wish::Nothing)?;
    let server = OurServer::start(adapter, offers, &run.pki, Store::choosy())?;
    let folder = clients::work_folder(run, "load")?;
    let port = server.address.port();
    let begin = Instant::now();
    let script = format!(
        "smtp-source {option} -4 -s 20 -l 10000 -m {count} \
          -f load@client.test -t one@interop.test localhost:{port}"
    );
    clients::run_script(run, &folder, &script)?;
    let seconds = begin.elapsed().as_secs_f64();
    let store = server.stop();
    let messages = store.messages();
    ensure!(
        messages.len() == count,
        "stored {} messages",
        messages.len()
    );
    let content = &messages[0].content;
    ensure!(content.len() >= 10_000, "stored {} bytes", content.len());
    // The header has the number of the message.
    let body = |stored: &Stored| stored.content[stored.content.len() - 9000..].to_vec();
    let expected = body(&messages[0]);
    ensure!(
        messages.iter().all(|stored| body(stored) == expected),
        "contents differ"
    );
    ensure!(store.failures().is_empty(), "{:?}", store.failures());
    Ok(format!("{count} messages, {:.0}/s", count as f64 / seconds))
}
