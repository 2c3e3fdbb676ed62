//! Connections that come to nothing.

use std::{io, sync::Arc, time::Duration};

use smtp_proto::reception::{Reception, State};

use super::{handler::Handler, options::Options, task::guarded};
use crate::Error;

/// Tells a client that there are too many others, as far as it can be told at once.
pub(super) fn turn_away<S: State, H: Handler<S>>(
    options: Options,
    handler: &H,
    write: impl Fn(&[u8]) -> io::Result<usize>,
) {
    let session = options.session();
    let mut reception = Reception::new(options.config, session, Duration::ZERO);
    reception.turn_away(Duration::ZERO);
    while let Some(transmit) = reception.poll_transmit(Duration::ZERO) {
        match transmit.slices().first().map(|slice| write(slice)) {
            Some(Ok(bytes @ 1..)) => {
                transmit.wrote(bytes, Duration::ZERO);
            }
            _ => transmit.failed(),
        }
    }
    let error = ending(&mut reception);
    let (session, tally) = (reception.session(), reception.tally());
    guarded(|| handler.closed(session, Err(&error), tally));
}

/// Returns how a session ends that is given up now.
pub(super) fn ending<S: State>(reception: &mut Reception<S>) -> Error {
    reception.write_failed();
    loop {
        match reception.poll_call(&mut [].as_slice(), Duration::ZERO) {
            Ok(Some(_)) => {}
            Ok(None) => return Error::Connect(Arc::new(io::ErrorKind::ConnectionAborted.into())),
            Err(error) => return Error::session(error, None),
        }
    }
}
