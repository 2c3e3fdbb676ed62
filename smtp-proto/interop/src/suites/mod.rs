//! What is run with whom.

mod clients_to_ours;
mod cuts;
mod load;
mod messages;
mod peers_tests;
mod round_trips;
mod seeds;
mod streams;

use smtp_proto::client::Pipelining;

use crate::{
    Run,
    exchange::Offer,
    matrix::Matrix,
    servers::{self, Running},
};

/// Runs everything that the installed peers permit.
pub(crate) fn run(run: &Run, matrix: &mut Matrix) {
    for server in servers::all() {
        if !servers::is_installed(server, &run.tree) {
            matrix.missing(server.name());
            continue;
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
    clients_to_ours::run(run, matrix);
    load::run(run, matrix);
    peers_tests::run(run, matrix);
}

fn with_server(run: &Run, matrix: &mut Matrix, running: &Running, offer: &Offer) {
    messages::run(run, matrix, running, offer);
    round_trips::run(matrix, running, offer);
    seeds::run(matrix, running);
    streams::run(run, matrix, running, offer);
    cuts::run(matrix, running, offer);
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
