//! Streams of many messages, some of which are refused in part or as a whole: no message may come
//! from another's sender or go to another's recipient.

use smtp_proto::client::Pipelining;

use super::policy_name;
use crate::{
    Run,
    exchange::{Offer, exchange},
    matrix::Matrix,
    messages::{self, Message},
    ours::{Adapter, Session},
    proxy::Link,
    servers::Running,
    stored,
};

const STREAMS: &str = "Streams with refused recipients in the middle: messages / copies compared";

pub(super) fn run(run: &Run, matrix: &mut Matrix, running: &Running, offer: &Offer) {
    let streams = |policy: &Pipelining| matches!(policy, Pipelining::Stream { .. });
    if !offer.policies.iter().any(streams) {
        return;
    }
    let (number, windows): (_, &[usize]) = match run.quick {
        true => (200, &[100]),
        false => (1000, &[1, 10, 100, 1000]),
    };
    let messages = with_refusals(number);
    for adapter in Adapter::ALL {
        let row = format!("{}, {}", running.server.name(), adapter.name());
        for &window in windows {
            let policy = Pipelining::Stream { window };
            matrix.cell(STREAMS, &row, &policy_name(policy), || {
                let session = Session::new(running.server.dialect(), policy);
                exchange(running, adapter, &session, Link::default(), &messages)?;
                let copies = stored::expected(running.server, &messages);
                Ok(format!("{number} / {copies}"))
            });
        }
    }
}

/// Returns messages of which every 7th has only recipients who are refused, and of the others every
/// 5th one between two who are not.
fn with_refusals(number: usize) -> Vec<Message> {
    let mut messages = messages::numbered(number);
    for (number, message) in messages.iter_mut().enumerate() {
        let recipients: &[&str] = match (number % 5, number % 7) {
            (_, 3) => &["nobody@interop.test", "x@elsewhere.test"],
            (2, _) => &[
                "one@interop.test",
                "nobody@interop.test",
                "two@interop.test",
            ],
            _ => &["one@interop.test"],
        };
        message.recipients = recipients.iter().map(|&it| it.to_owned()).collect();
    }
    messages
}
