//! What is run with whom.

mod clients_to_ours;
mod cuts;
mod forwarding;
mod load;
mod messages;
mod peers_tests;
mod round_trips;
mod seeds;
mod streams;

use smtp_proto::client::Pipelining;

use crate::{
    Run, clients,
    exchange::Offer,
    matrix::{Job, Matrix},
    ours::Adapter,
    servers::{self, Running, Server},
};

/// How many threads a quick run has: its cells wait for servers and distant links most of the time.
const THREADS: usize = 8;

/// Runs everything that the installed peers permit.
pub(crate) fn run(run: &Run, matrix: &mut Matrix) {
    let mut jobs: Vec<Job<'_>> = Vec::new();
    for server in servers::all() {
        jobs.push(Box::new(move |matrix| with(run, matrix, server)));
    }
    for client in clients::all() {
        jobs.push(Box::new(move |matrix| {
            clients_to_ours::introduce(run, matrix, client);
        }));
        if clients::is_installed(client, &run.tree) {
            jobs.extend(Adapter::ALL.map(|adapter| -> Job<'_> {
                Box::new(move |matrix| clients_to_ours::run(run, matrix, client, adapter))
            }));
        }
    }
    jobs.push(Box::new(|matrix| load::run(run, matrix)));
    for suite in &peers_tests::SUITES {
        jobs.push(Box::new(move |matrix| peers_tests::run(run, matrix, suite)));
    }
    // Speed is measured on a machine that does nothing else.
    let threads = if run.quick { THREADS } else { 1 };
    matrix.run(threads, &jobs);
}

fn with(run: &Run, matrix: &mut Matrix, server: &'static dyn Server) {
    if !servers::is_installed(server, &run.tree) {
        matrix.missing(server.name());
        return;
    }
    matrix.cell("Servers", server.name(), "version", || {
        run.tree.output(server.version_script())
    });
    let started = Running::start(run, server)
        .and_then(|running| Ok((Offer::of(&running, run.quick)?, running)));
    match started {
        Ok((offer, running)) => with_server(run, matrix, &running, &offer),
        Err(error) => matrix.cell("Servers", server.name(), "starts", || Err(error)),
    }
}

fn with_server(run: &Run, matrix: &mut Matrix, running: &Running, offer: &Offer) {
    messages::run(run, matrix, running, offer);
    round_trips::run(run, matrix, running, offer);
    seeds::run(matrix, running);
    streams::run(run, matrix, running, offer);
    cuts::run(matrix, running, offer);
    forwarding::run(matrix, running);
}

/// Returns the name of a policy's column.
fn policy_name(policy: Pipelining) -> String {
    match policy {
        Pipelining::LockStep => "lock-step".to_owned(),
        Pipelining::Group => "group".to_owned(),
        Pipelining::LookAhead => "look-ahead".to_owned(),
        Pipelining::Stream { window } => format!("stream {window}"),
        _ => "?".to_owned(),
    }
}
