//! Whole sessions in memory: the client alone, the server alone, and one against the other.
//!
//! Before the times, it prints what is counted, not timed: allocations a message and the memory of
//! an idle machine.

use std::{alloc::System, hint::black_box, mem::size_of};

use criterion::{Criterion, Throughput, criterion_group};
use smtp_proto::{
    client::{Client, Config, Duplex, Pipelining},
    server::Server,
};
use smtp_proto_benches::{NOW, envelope, hear, host, serve, server, server_config, speak, text};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const POLICIES: [(&str, Pipelining); 4] = [
    ("lockstep", Pipelining::LockStep),
    ("group", Pipelining::Group),
    ("lookahead", Pipelining::LookAhead),
    ("stream", Pipelining::Stream { window: 100 }),
];

/// A client and a server, and the bytes between them.
struct Pair {
    client: Client,
    server: Server,
    commands: Vec<u8>,
    replies: Vec<u8>,
}

impl Pair {
    /// Joins a client and a server, and takes them past EHLO.
    fn new(policy: Pipelining, server: Server) -> Self {
        let config = Config::new(host("client.example.org")).pipelining(policy);
        let mut pair = Self {
            client: Client::new(config.duplex(Duplex::Full), NOW),
            server,
            commands: Vec::new(),
            replies: Vec::new(),
        };
        pair.exchange(b"");
        pair
    }

    fn deliver(&mut self, messages: usize, content: &[u8]) {
        let envelope = envelope();
        for _ in 0..messages {
            self.client.submit(&envelope).expect("room");
        }
        assert_eq!(self.exchange(content), messages);
    }

    /// Lets flights go to and fro until none does any more. Returns how many messages were delivered.
    fn exchange(&mut self, content: &[u8]) -> usize {
        let mut delivered = 0;
        loop {
            speak(&mut self.client, content, &mut self.commands);
            serve(&mut self.server, &self.commands, &mut self.replies);
            if self.replies.is_empty() {
                return delivered;
            }
            delivered += hear(&mut self.client, &self.replies);
            self.commands.clear();
            self.replies.clear();
        }
    }
}

/// Runs a client against the replies that a real server gave, over and over.
struct Replay {
    client: Client,
    wire: Vec<u8>,
}

impl Replay {
    fn new(policy: Pipelining) -> Self {
        Self {
            client: Pair::new(policy, server()).client,
            wire: Vec::new(),
        }
    }

    /// Sends look-ahead messages, answered by what a server would say to each flight.
    fn deliver(&mut self, messages: usize, content: &[u8]) {
        let mut replies: &[u8] = b"250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n\
            250 2.1.5 Recipient ok\r\n250 2.1.5 Recipient ok\r\n354 Go ahead\r\n";
        let next_replies =
            b"250 2.0.0 Message accepted\r\n250 2.0.0 Reset\r\n250 2.1.0 Sender ok\r\n\
            250 2.1.5 Recipient ok\r\n250 2.1.5 Recipient ok\r\n250 2.1.5 Recipient ok\r\n\
            354 Go ahead\r\n";
        let envelope = envelope();
        let mut delivered = 0;
        self.client.submit(&envelope).expect("room");
        speak(&mut self.client, content, &mut self.wire);
        while delivered < messages {
            delivered += hear(&mut self.client, replies);
            let more = delivered + 1 < messages;
            if more {
                self.client.submit(&envelope).expect("room");
            }
            self.wire.clear();
            speak(&mut self.client, content, &mut self.wire);
            black_box(&self.wire);
            replies = if more {
                next_replies
            } else {
                &next_replies[..28]
            };
        }
    }
}

fn sessions(criterion: &mut Criterion) {
    const MESSAGES: usize = 100;
    let content = text(4096);
    let mut group = criterion.benchmark_group("session");
    group.throughput(Throughput::Elements(MESSAGES as u64));
    let mut replay = Replay::new(Pipelining::LookAhead);
    group.bench_function("client/3 recipients, 4 KiB/lookahead", |bencher| {
        bencher.iter(|| replay.deliver(MESSAGES, &content));
    });
    for (name, policy) in POLICIES {
        let mut pair = Pair::new(policy, server());
        group.bench_function(format!("both/3 recipients, 4 KiB/{name}"), |bencher| {
            bencher.iter(|| pair.deliver(MESSAGES, &content));
        });
    }
    // What a socket costs at the very least: the copy.
    let mut wire = Vec::new();
    group.bench_function("memcpy/4 KiB", |bencher| {
        bencher.iter(|| {
            for _ in 0..MESSAGES {
                wire.clear();
                wire.extend_from_slice(black_box(&content));
                black_box(&wire);
            }
        });
    });
    group.finish();
}

fn count() {
    let content = text(4096);
    println!("allocations a message, after 200 messages, and idle memory in bytes:");
    for (name, policy) in POLICIES {
        let mut pair = Pair::new(policy, server());
        pair.deliver(200, &content);
        let region = Region::new(ALLOCATOR);
        pair.deliver(200, &content);
        let change = region.change();
        println!(
            "  {name}: {}",
            (change.allocations + change.reallocations) as f64 / 200.0
        );
    }
    let region = Region::new(ALLOCATOR);
    let client = Client::new(Config::new(host("client.example.org")), NOW);
    println!(
        "  new client: {} + {} heap",
        size_of::<Client>(),
        held(&region)
    );
    drop(client);
    let config = server_config(); // shared by all servers of a process
    let region = Region::new(ALLOCATOR);
    let server = Server::new(config.clone(), NOW);
    println!(
        "  new server: {} + {} heap",
        size_of::<Server>(),
        held(&region)
    );
    drop(server);
    // Look-ahead, as a stream leaves its server with messages whose replies may not have arrived.
    let before = Region::new(ALLOCATOR);
    let server = Server::new(config.clone(), NOW);
    let mut pair = Pair::new(Pipelining::LookAhead, server);
    pair.deliver(200, &content);
    let Pair {
        mut client,
        mut server,
        commands,
        replies,
    } = pair;
    drop((commands, replies));
    client.shrink();
    server.shrink();
    let both = held(&before);
    drop(server);
    let used_client = held(&before);
    println!(
        "  client, used and shrunk: {} + {used_client} heap",
        size_of::<Client>()
    );
    println!(
        "  server, used and shrunk: {} + {} heap",
        size_of::<Server>(),
        both - used_client
    );
}

/// Returns how much is held of what was allocated since then.
fn held(region: &Region<'_, System>) -> isize {
    let change = region.change();
    change.bytes_allocated as isize - change.bytes_deallocated as isize
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(std::time::Duration::from_secs(2));
    targets = sessions
}

fn main() {
    count();
    benches();
    Criterion::default().configure_from_args().final_summary();
}
