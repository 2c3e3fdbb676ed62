//! Any call in any order, with any answer: no panic, and every transaction and message accounted for.

use core::time::Duration;
use std::collections::BTreeMap;

use crate::peer::{config, reply};
use crate::random::{PIECES, Random, authenticating, everything};
use smtp_proto::machine::{Dialect, TlsInfo};
use smtp_proto::server::{
    Certainty, Event, ImproperPipelining, Review, Server, Ticket, Tls, TransactionId,
};
use smtp_proto::syntax::{Capabilities, Extension};

/// What a test knows of one transaction.
#[derive(Debug, Default)]
struct Account {
    /// How it ended: by a message, by a reset, by a refused MAIL, or by the application's refusal.
    ends: Vec<&'static str>,
    /// How often it was accepted: in LMTP, for so many recipients.
    accepted: usize,
    acknowledged: Vec<Certainty>,
    /// How many recipients' verdicts were asked for.
    deliveries: usize,
}

struct Session {
    server: Server,
    now: Duration,
    unconsumed: Vec<u8>,
    tickets: Vec<(char, TransactionId, Ticket)>,
    accounts: BTreeMap<TransactionId, Account>,
    none: TransactionId,
    is_over: bool,
    max_output: usize,
}

impl Session {
    fn poll(&mut self) {
        let received = core::mem::take(&mut self.unconsumed);
        let mut input = received.as_slice();
        loop {
            match self.server.poll_event(&mut input, self.now) {
                Ok(Some(event)) => {
                    assert!(!self.is_over, "an event after the end");
                    self.note(event);
                }
                Ok(None) => break,
                Err(_) => {
                    self.is_over = true;
                    break;
                }
            }
        }
        self.unconsumed = input.to_vec();
        let is_read = self.server.wants_read() && !self.is_over;
        assert!(!is_read || self.unconsumed.len() <= self.server.max_unconsumed());
        // What was read of a flight when the output reached its bound is still answered.
        let waiting = self.server.poll_transmit(self.now).map_or(0, |transmit| {
            let len = transmit.len();
            transmit.blocked(self.now);
            len
        });
        assert!(waiting <= self.max_output + 20_000, "{waiting} bytes");
    }

    fn note(&mut self, event: Event<'_>) {
        let (kind, id) = match &event {
            Event::Mail { transaction, .. } => {
                let known = self.accounts.insert(*transaction, Account::default());
                assert!(known.is_none());
                ('M', *transaction)
            }
            Event::Rcpt { transaction, .. } => ('R', *transaction),
            Event::Data { transaction, .. } => ('D', *transaction),
            Event::Content { transaction, .. } => {
                assert_eq!(self.account(*transaction).ends, [""; 0]);
                return;
            }
            Event::Message { transaction, .. } => {
                self.account(*transaction).ends.push("message");
                ('E', *transaction)
            }
            Event::Delivery {
                transaction,
                recipient,
                ..
            } => {
                let account = self.account(*transaction);
                if *recipient == 0 {
                    account.ends.push("message");
                }
                assert_eq!(account.deliveries, *recipient);
                account.deliveries += 1;
                ('E', *transaction)
            }
            Event::Reset { transaction, .. } => {
                self.account(*transaction).ends.push("reset");
                return;
            }
            Event::Acknowledged {
                transaction,
                certainty,
            }
            | Event::DeliveryAcknowledged {
                transaction,
                certainty,
                ..
            } => {
                self.account(*transaction).acknowledged.push(*certainty);
                return;
            }
            Event::Closed => {
                self.is_over = true;
                return;
            }
            _ => ('-', self.none),
        };
        if let Some(ticket) = event.into_ticket() {
            self.tickets.push((kind, id, ticket));
        }
    }

    fn write_all(&mut self) {
        if let Some(transmit) = self.server.poll_transmit(self.now) {
            let len = transmit.len();
            transmit.wrote(len, self.now);
        }
    }

    /// Answers all that was sent, and writes the replies.
    fn settle(&mut self, random: &mut Random) {
        for _ in 0..100 {
            self.poll();
            self.answer(random);
        }
        self.write_all();
    }

    fn account(&mut self, id: TransactionId) -> &mut Account {
        self.accounts.get_mut(&id).expect("a known transaction")
    }

    fn answer(&mut self, random: &mut Random) {
        if self.tickets.is_empty() {
            return;
        }
        let (kind, id, ticket) = self.tickets.remove(random.below(self.tickets.len()));
        let replies = [
            "250 2.0.0 fine",
            "450 4.0.0 later",
            "550 5.0.0 never",
            "354 go",
            "220 ready",
            "221 bye",
            "421 4.0.0 down",
        ];
        let (result, is_positive) = match random.below(60) {
            7 => {
                let line = ["421 4.0.0 down", "550 5.0.0 out"][random.below(2)];
                let last = [None, Some(reply(line))][random.below(2)].take();
                (self.server.close(ticket, last), false)
            }
            choice @ 0..=6 => {
                let line = replies[choice];
                (
                    self.server.reply(ticket, reply(line)),
                    line.starts_with('2'),
                )
            }
            _ => (self.server.accept(ticket), true),
        };
        match result {
            Ok(()) if kind == 'E' => self.account(id).accepted += usize::from(is_positive),
            Ok(()) if kind == 'M' && !is_positive => {
                // If it had not ended before, it has now.
                let account = self.account(id);
                if account.ends.is_empty() {
                    account.ends.push("refused");
                }
            }
            Ok(()) => {}
            Err(refused) => {
                if random.below(2) == 0 {
                    self.tickets.push((kind, id, refused.ticket));
                }
            }
        }
    }
}

/// Design 4.2, 4.6, threats C: each transaction ends once, each accepted message is acknowledged
/// once, and not as sent if it was not.
#[test]
fn everything_is_accounted_for() {
    let seed = std::env::var("SEED").map_or(1, |seed| seed.parse().unwrap());
    let mut seen = BTreeMap::new();
    let (mut handshakes, mut deliveries) = (0, 0);
    for seed in seed..seed + 3000 {
        let mut random = Random::new(seed);
        let (dialect, hello) = match random.below(3) {
            0 => (Dialect::Lmtp, "LHLO c.example\r\n"),
            _ => (Dialect::Smtp, "EHLO c.example\r\n"),
        };
        let max_output = [400, 2000, 64 * 1024][random.below(3)];
        let delay = Duration::from_secs(random.below(3) as u64);
        let config = authenticating(config())
            .dialect(dialect)
            .tls(Tls::Offered)
            .offer(everything())
            .command("XLANE")
            .unwrap()
            .slow_down(random.below(20), delay)
            .max_output(max_output)
            .improper_pipelining(match random.below(3) {
                0 => ImproperPipelining::Refuse,
                _ => ImproperPipelining::Tolerate,
            })
            .max_errors(20 + random.below(200))
            .max_unanswered_commands(2 + random.below(20))
            .max_undecided_messages(1 + random.below(3));
        let config = match random.below(4) {
            0 => config.review(Review::Refusals),
            1 => config.review(Review::All),
            _ => config,
        };
        let config = match random.below(5) {
            0 => config.in_turn(),
            1 => config
                .max_session_messages(5)
                .max_session(Duration::from_secs(3000)),
            2 => config.command("QUIT").unwrap().unknown_commands(),
            3 => config.require_hello(false),
            _ => config,
        };
        let now = Duration::from_secs(random.below(100) as u64);
        let none = crate::peer::first_transaction();
        let mut session = Session {
            server: Server::new(config.clone(), now),
            now,
            unconsumed: Vec::new(),
            tickets: Vec::new(),
            accounts: BTreeMap::new(),
            none,
            is_over: false,
            max_output,
        };
        for flight in ["", hello] {
            session.unconsumed.extend_from_slice(flight.as_bytes());
            session.poll();
            if let Some((_, _, ticket)) = session.tickets.pop() {
                session.server.accept(ticket).unwrap();
            }
            session.write_all();
        }
        for _ in 0..300 {
            match random.below(40) {
                0 => {
                    session.unconsumed.extend_from_slice(b"RSET\r\nNOOP\r\n");
                    session.settle(&mut random);
                }
                1 if session.server.wants_tls() => {
                    // What was not consumed is TLS's.
                    session.unconsumed = hello.as_bytes().to_vec();
                    match random.below(10) {
                        0 => session.server.tls_failed(),
                        _ => session.server.tls_established(TlsInfo::default(), session.now).unwrap(),
                    }
                    handshakes += 1;
                }
                2 if random.below(6) == 0 => {
                    session.settle(&mut random);
                    session.unconsumed.extend_from_slice(b"STARTTLS\r\n");
                    session.settle(&mut random);
                }
                1 if random.below(10) == 0 => session.unconsumed.extend_from_slice(b"QUIT\r\n"),
                2..4 => {
                    let piece = random.pick(PIECES).as_bytes();
                    session.unconsumed.extend_from_slice(piece);
                }
                4..15 => session.unconsumed.extend_from_slice(
                    b"MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nRCPT TO:<c@x.example>\r\nBDAT 1 LAST\r\nx",
                ),
                15..20 => session.poll(),
                20..32 => session.answer(&mut random),
                32..37 => {
                    if let Some(transmit) = session.server.poll_transmit(session.now) {
                        let len = transmit.len();
                        match random.below(8) {
                            0 => transmit.blocked(session.now),
                            1 => {
                                transmit.wrote(random.below(len + 1), session.now);
                            }
                            _ => {
                                transmit.wrote(len, session.now);
                            }
                        }
                    }
                }
                37 => {
                    session.now += Duration::from_secs(random.below(60) as u64);
                    session.server.handle_timeout(session.now);
                }
                38 => session.server.shrink(),
                _ => match random.below(30) {
                    0 => session.server.handle_eof(),
                    1 => session.server.write_failed(),
                    2 => {
                        let _ = session.server.shut_down(reply("421 4.0.0 down"));
                    }
                    3 => session.now += Duration::from_secs(400),
                    4 => session.server.offer(Capabilities::new().with(Extension::Pipelining)),
                    5 => session.server.offer(None),
                    6 => drop(session.server.reconfigure(config.clone())),
                    7 => {
                        let ids: Vec<_> = session.accounts.keys().copied().collect();
                        if let Some(id) = ids.last() {
                            let line = ["421 4.0.0 down", "554 5.0.0 no"][random.below(2)];
                            if session.server.refuse_content(*id, reply(line)).is_ok() {
                                session.account(*id).ends.push("refused");
                            }
                        }
                    }
                    _ => {}
                },
            }
            assert!(session.unconsumed.len() < 100_000);
        }
        // The end: of the bytes, of the application's patience, and of the connection.
        session.server.handle_eof();
        // One that errs is answered one command at a time.
        for _ in 0..session.unconsumed.len().max(100) {
            session.poll();
            session.now += Duration::from_secs(600);
            session.server.handle_timeout(session.now);
            session.write_all();
        }
        session.poll();
        assert!(session.is_over && session.server.is_closed(), "SEED={seed}");
        assert_eq!(session.server.poll_timeout(), None, "SEED={seed}");
        for (id, account) in &session.accounts {
            // A MAIL that was overdue is refused by the machine, without a word.
            assert!(account.ends.len() <= 1, "SEED={seed} {id}: {account:?}");
            let acknowledgements = account.accepted;
            assert_eq!(
                account.acknowledged.len(),
                acknowledgements,
                "SEED={seed} {id}: {account:?}"
            );
            deliveries += account.deliveries;
            for certainty in &account.acknowledged {
                *seen.entry(*certainty).or_insert(0) += 1;
            }
        }
    }
    // All of it happens.
    assert!(
        handshakes > 20 && deliveries > 1000,
        "{handshakes} {deliveries}"
    );
    for certainty in [
        Certainty::Unsent,
        Certainty::Sent,
        Certainty::Probable,
        Certainty::Confirmed,
    ] {
        assert!(seen.get(&certainty).is_some_and(|it| *it > 20), "{seen:?}");
    }
}
