//! How servers end: what becomes of those who are there, and of those who come.

use std::{
    io::Write,
    net::TcpStream,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use super::{Hotel, PATIENCE, Running, bind, config, face::server::Shutdown};

/// 5321-3.8-b: 421 and nothing else, once the transaction is over; and nobody new.
#[test]
fn a_shutdown_lets_transactions_end_and_turns_the_rest_away() {
    let farewell =
        "421 4.3.2 mx.example.net Service shutting down and closing transmission channel\r\n";
    let hotel = Arc::new(Hotel::default());
    let running = Running::start(&hotel, config());
    let (mut idle, mut busy) = (running.client(), running.client());
    idle.hello();
    busy.hello();
    assert_eq!(&busy.ask("MAIL FROM:<slow@x>")[..3], "250");
    running.shutdown.begin();
    assert_eq!(idle.rest(), farewell);
    let start = Instant::now();
    while TcpStream::connect(running.address).is_ok() {
        assert!(start.elapsed() < PATIENCE, "nobody listens any more");
    }
    assert_eq!(&busy.ask("RCPT TO:<b@x>")[..3], "250");
    assert_eq!(&busy.ask("DATA")[..3], "354");
    assert_eq!(&busy.ask("x\r\n.")[..3], "250");
    assert_eq!(busy.rest(), farewell);
    running.join();
    hotel.notes("closed", 2);
}

#[test]
fn nobody_outlasts_a_shutdown() {
    let hotel = Arc::new(Hotel::default());
    let shutdown = Shutdown::new().grace(Duration::from_millis(300));
    let running = Running::serve(bind(config().into()), &hotel, shutdown);
    let (mut hanging, mut trickling) = (running.client(), running.client());
    for (client, from) in [(&mut hanging, "hanging@x"), (&mut trickling, "a@x")] {
        client.hello();
        assert_eq!(&client.ask(&format!("MAIL FROM:<{from}>"))[..3], "250");
        assert_eq!(&client.ask("RCPT TO:<b@x>")[..3], "250");
        assert_eq!(&client.ask("DATA")[..3], "354");
    }
    hanging.say("x\r\n.\r\n");
    let mut trickle = trickling.0.get_ref().try_clone().unwrap();
    let trickles = std::thread::spawn(move || {
        while trickle.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    std::thread::sleep(Duration::from_millis(100));
    running.shutdown.begin();
    let start = Instant::now();
    running.join();
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
    trickles.join().unwrap();
}

#[test]
fn a_second_word_ends_all_at_once() {
    let hotel = Arc::new(Hotel::default());
    let running = Running::start(&hotel, config());
    let mut client = running.client();
    client.hello();
    assert_eq!(&client.ask("MAIL FROM:<a@x>")[..3], "250");
    running.shutdown.begin();
    running.shutdown.abort();
    let start = Instant::now();
    running.join();
    assert!(start.elapsed() < Duration::from_secs(3));
    assert_eq!(&client.rest()[..24], "421 4.3.2 mx.example.net");
    hotel.notes("closed", 1);
    assert_eq!(hotel.transactions.load(Ordering::SeqCst), 0);
}

#[test]
fn one_handler_serves_several_ports_and_one_shutdown_ends_them() {
    let hotel = Arc::new(Hotel::default());
    let shutdown = Shutdown::new();
    let serve = || Running::serve(bind(config().into()), &hotel, shutdown.clone());
    let servers = [serve(), serve(), serve()];
    for server in &servers {
        let mut client = server.client();
        client.hello();
        assert_eq!(&client.send("a@x", "b@x")[..3], "250");
    }
    shutdown.begin();
    servers.into_iter().for_each(Running::join);
    assert_eq!(hotel.notes("content", 3), ["content for <b@x>"; 3]);
}
