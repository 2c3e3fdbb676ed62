//! Real clients to our servers.

use crate::{Run, matrix::Matrix};

pub(super) fn run(_: &Run, _: &mut Matrix) {}
