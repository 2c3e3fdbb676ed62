//! Our client to our server over loopback, in both adapters: what the machines cost with their I/O.

use std::{iter::repeat_n, sync::Arc};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use smtp_proto::client::{Envelope, Outcome, Pipelining};
use smtp_proto_benches::{host, text};

/// A name, how to send, and how many messages of how many bytes.
type Case = (&'static str, Pipelining, usize, usize);

const CASES: [Case; 3] = [
    ("lookahead", Pipelining::LookAhead, 200, 4096),
    ("stream", Pipelining::Stream { window: 100 }, 200, 4096),
    ("large", Pipelining::LookAhead, 1, 16 << 20),
];

/// Measures all cases, each over one connection that `connect` opens and `send` sends over.
fn measure<C>(
    criterion: &mut Criterion,
    adapter: &str,
    mut connect: impl FnMut(Pipelining) -> C,
    mut send: impl FnMut(&mut C, &Envelope<'static>, &Arc<[u8]>, usize),
) {
    let mut group = criterion.benchmark_group(adapter);
    let envelope = Envelope::new("sender@example.org").expect("an address");
    let envelope = envelope.to("recipient@example.net").expect("an address");
    for (name, policy, messages, bytes) in CASES {
        let content: Arc<[u8]> = text(bytes).into();
        let mut client = connect(policy);
        set_throughput(&mut group, messages, bytes);
        group.bench_function(name, |bench| {
            bench.iter(|| send(&mut client, &envelope, &content, messages));
        });
    }
    group.finish();
}

/// Says what is counted: messages, or the bytes of one.
fn set_throughput(group: &mut BenchmarkGroup<'_, WallTime>, messages: usize, bytes: usize) {
    group.throughput(match messages {
        1 => Throughput::Bytes(bytes as u64),
        several => Throughput::Elements(several as u64),
    });
}

/// A server that takes everything and keeps nothing, in the spelling of an adapter.
macro_rules! discarding {
    ($adapter:ident: $($async:tt)?) => {
        use $adapter::server::{
            Config, Envelope as Accepted, Handler, Recipient, Refusal, Session, Sink, Transaction,
            Verdict, accept,
        };

        struct Discards;

        impl Handler for Discards {
            type Sink = Discards;

            $($async)? fn recipient(&self, _: &Session, _: &Transaction, _: &Recipient) -> Verdict {
                accept()
            }

            $($async)? fn content(&self, _: &Session, _: Accepted) -> Result<Discards, Refusal> {
                Ok(Discards)
            }
        }

        impl Sink for Discards {
            $($async)? fn write(&mut self, _: &[u8]) -> Result<(), Refusal> {
                Ok(())
            }

            $($async)? fn finish(self) -> Verdict {
                accept()
            }
        }

        fn config() -> Config {
            Config::new(super::host("mx.example.net")).max_message_size(32 << 20)
        }
    };
}

mod over_tokio {
    use smtp_proto_tokio::{Client, Server, client::Options};
    use tokio::runtime::Runtime;

    use super::*;

    discarding!(smtp_proto_tokio: async);

    pub(super) fn throughput(criterion: &mut Criterion) {
        let runtime = Runtime::new().expect("a runtime");
        let server = runtime.block_on(Server::bind("127.0.0.1:0", config()));
        let server = server.expect("a listener");
        let address = server.local_addr().expect("an address");
        runtime.spawn(server.serve(Discards));
        let connect = |policy| {
            let options = Options::at(format!("smtp://{address}")).expect("a URL");
            let options = options.configure(|config| config.pipelining(policy));
            let connected = runtime.block_on(Client::connect(options));
            connected.expect("a session")
        };
        let send = |client: &mut Client, envelope: &_, content: &Arc<[u8]>, messages| {
            runtime.block_on(async {
                let message = (envelope, Arc::clone(content));
                let mut sending = client.send_all(repeat_n(message, messages));
                while let Some(report) = sending.next().await.expect("a session") {
                    assert!(matches!(report.outcome, Outcome::Delivered(_)));
                }
            });
        };
        measure(criterion, "tokio", connect, send);
    }
}

mod over_blocking {
    use std::thread;

    use smtp_proto_blocking::{Client, Server, client::Options};

    use super::*;

    discarding!(smtp_proto_blocking:);

    pub(super) fn throughput(criterion: &mut Criterion) {
        let server = Server::bind("127.0.0.1:0", config()).expect("a listener");
        let address = server.local_addr().expect("an address");
        thread::spawn(move || server.serve(Discards));
        let connect = |policy| {
            let options = Options::at(format!("smtp://{address}")).expect("a URL");
            let options = options.configure(|config| config.pipelining(policy));
            Client::connect(options).expect("a session")
        };
        let send = |client: &mut Client, envelope: &_, content: &Arc<[u8]>, messages| {
            let message = (envelope, Arc::clone(content));
            for report in client.send_all(repeat_n(message, messages)) {
                let outcome = report.expect("a session").outcome;
                assert!(matches!(outcome, Outcome::Delivered(_)));
            }
        };
        measure(criterion, "blocking", connect, send);
    }
}

criterion_group!(benches, over_tokio::throughput, over_blocking::throughput);
criterion_main!(benches);
