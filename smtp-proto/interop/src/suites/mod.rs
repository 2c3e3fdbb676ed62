//! What is run with whom.

mod clients_to_ours;
mod messages;

use smtp_proto::client::Pipelining;

use crate::{
    Run,
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
        match Running::start(run, server) {
            Ok(running) => with_server(run, matrix, &running),
            Err(error) => matrix.cell("Servers", server.name(), "starts", || Err(error)),
        }
    }
    clients_to_ours::run(run, matrix);
}

fn with_server(run: &Run, matrix: &mut Matrix, running: &Running) {
    messages::run(run, matrix, running);
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
