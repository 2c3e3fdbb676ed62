//! What is run with whom.

mod clients_to_ours;
mod ours_to_servers;

use crate::{Run, matrix::Matrix};

/// Runs everything that the installed peers permit.
pub(crate) fn run(run: &Run, matrix: &mut Matrix) {
    ours_to_servers::run(run, matrix);
    clients_to_ours::run(run, matrix);
}
