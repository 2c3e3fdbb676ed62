//! How long both adapters' `Client` waits for a server that says nothing: one text, in two spellings.

use std::time::{Duration, Instant};

use smtp_proto::{
    client::{NotSentReason, Outcome, Pipelining, Timeouts},
    machine::{Fault, Timer},
};
use smtp_proto_test_support::{DELIVERS, MESSAGE, Script, Scripted, envelope};

use super::face::{Client, client::Options};

/// Less than any timeout takes that was not set.
const SOON: Duration = Duration::from_secs(8);
const SHORT: Duration = Duration::from_millis(80);

/// Returns a client that waits long for everything but what `set` says.
fn impatient(server: &Scripted, set: impl FnOnce(&mut Timeouts)) -> Options {
    let mut timeouts = Timeouts::default();
    timeouts.quit = Duration::from_secs(300);
    set(&mut timeouts);
    let options = Options::at(server.url()).unwrap();
    options.configure(|config| config.timeouts(timeouts))
}

fn silent_after(said: &[(&'static str, &'static str)], verb: &'static str) -> Scripted {
    let script = [said, &[(verb, "stay")]].concat();
    let script: Script = Box::leak(script.into_boxed_slice());
    Scripted::new([script])
}

/// The message is done with: it is the next one that has to do without the connection.
#[test]
fn reset_has_a_time_of_its_own() {
    let start = Instant::now();
    // It has the time of its flight, so it must be alone in that.
    let refuses = &[
        DELIVERS[0],
        ("EHLO", "250 x\r\n"),
        ("MAIL", "250 x\r\n"),
        ("RCPT", "550 5.1.1 No\r\n"),
    ];
    let server = silent_after(refuses, "RSET");
    let options = impatient(&server, |it| it.reset = Some(SHORT));
    let mut client = wait!(Client::connect(options)).unwrap();
    let report = wait!(client.send(envelope(), MESSAGE)).unwrap();
    assert!(matches!(&report.outcome, Outcome::Refused(_)), "{report:?}");
    let report = wait!(client.send(envelope(), MESSAGE)).unwrap();
    let Outcome::NotSent(why) = &report.outcome else {
        panic!("{report:?}");
    };
    assert_eq!(why.reason, NotSentReason::ConnectionEnded);
    let error = wait!(client.next_report()).unwrap_err();
    assert_eq!(
        error.machine().unwrap().fault(),
        Fault::TimedOut(Timer::Command)
    );
    assert!(start.elapsed() < SOON);
    drop(client);
    server.heard();
}

#[cfg(feature = "auth")]
#[test]
fn authentication_has_a_time_of_its_own() {
    use smtp_proto::client::mechanism::Protection;
    let offers = &[("", "220 x\r\n"), ("EHLO", "250-x\r\n250 AUTH PLAIN\r\n")];
    let server = silent_after(offers, "AUTH");
    let options = impatient(&server, |it| it.auth = Some(SHORT))
        .configure(|config| config.credentials_over(Protection::InClear))
        .password("alice", "secret");
    let start = Instant::now();
    let error = wait!(Client::connect(options)).unwrap_err();
    assert_eq!(
        error.machine().unwrap().fault(),
        Fault::TimedOut(Timer::Command)
    );
    assert!(error.is_transient());
    assert!(start.elapsed() < SOON);
    server.heard();
}

/// Nothing depends on the answer to QUIT.
#[test]
fn leave_is_taken_with_a_time_of_its_own() {
    for limit in [SHORT, Duration::ZERO] {
        let server = silent_after(DELIVERS, "QUIT");
        let options = impatient(&server, |it| it.quit = limit);
        let mut client = wait!(Client::connect(options)).unwrap();
        assert!(
            wait!(client.send(envelope(), MESSAGE))
                .unwrap()
                .is_delivered()
        );
        let start = Instant::now();
        wait!(client.quit()).unwrap();
        assert!(start.elapsed() >= limit && start.elapsed() < SOON);
        drop(client);
        assert!(server.heard()[0].ends_with("QUIT\r\n"));
    }
}

#[test]
fn each_step_has_the_time_that_is_set_for_it() {
    let short = Duration::from_millis(50);
    let long = Duration::from_secs(300);
    let dialogue = [
        DELIVERS[0],
        DELIVERS[1],
        ("MAIL", "250 x\r\n"),
        ("RCPT", "250 x\r\n"),
        ("DATA", "354 x\r\n"),
        (".", "250 x\r\n"),
    ];
    type Of = fn(&mut Timeouts) -> &mut Duration;
    let times: [(Of, Timer); 6] = [
        (|it| &mut it.greeting, Timer::Greeting),
        (|it| it.hello.get_or_insert_default(), Timer::Command),
        (|it| it.mail.get_or_insert_default(), Timer::Command),
        (|it| it.recipient.get_or_insert_default(), Timer::Command),
        (|it| &mut it.data_initiation, Timer::DataInitiation),
        (|it| &mut it.data_termination, Timer::DataTermination),
    ];
    for (at, (of, timer)) in times.into_iter().enumerate() {
        let mut script = dialogue[..=at].to_vec();
        script[at].1 = "stay";
        let mut timeouts = Timeouts::default();
        (timeouts.greeting, timeouts.command) = (long, long);
        *of(&mut timeouts) = short;
        let server = Scripted::new([&*script.leak()]);
        let options = Options::at(server.url()).unwrap();
        let options =
            options.configure(|it| it.timeouts(timeouts).pipelining(Pipelining::LockStep));
        let error = match wait!(Client::connect(options)) {
            Ok(mut client) => {
                wait!(client.send(envelope(), MESSAGE)).unwrap();
                wait!(client.next_report()).unwrap_err()
            }
            Err(error) => error,
        };
        assert_eq!(error.machine().unwrap().fault(), Fault::TimedOut(timer));
    }
}
