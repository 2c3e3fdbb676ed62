//! What the example `outbound` has to show, of both adapters: one text, in two spellings.
//!
//! Whoever includes it has `deliver`, which runs the example, and `serve`, a server that has TLS.

use std::time::Duration;

use smtp_proto::{
    client::Outcome,
    machine::Step,
    testing::{Reaction, TestServer},
};
use smtp_proto_test_support::{DELIVERS, Pki, SERVER, Script, Scripted};

use super::{deliver, serve};

/// More than anything takes here.
const PATIENCE: Duration = Duration::from_secs(20);
const BOB: &str = "bob@example.org";
const EVE: &str = "eve@example.org";

fn host(server: &TestServer) -> String {
    format!("host mx.example.org {}\n", server.address())
}

/// Returns the result types of the sessions, in their order.
fn results(sessions: &[String]) -> Vec<&str> {
    let word = |line| str::split_once(line, "result-type=").unwrap().1;
    sessions
        .iter()
        .map(|line| word(line).split(' ').next().unwrap())
        .collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_next_host_is_tried_for_those_alone_for_whom_it_may_do_better() {
    let refusals = [
        Reaction::to(Step::Greeting).reply("554 5.3.2 Nobody is served here"),
        Reaction::to(Step::Mail).reply("451 4.3.0 Not now"),
        Reaction::to(Step::Data).cut(),
        Reaction::to(Step::Recipient)
            .address(EVE)
            .reply("450 4.2.1 Not you now"),
    ];
    let servers = refusals.map(|refusal| {
        let server = TestServer::start().unwrap();
        server.react(refusal);
        server
    });
    let unneeded = TestServer::start().unwrap();
    let hosts: String = servers.iter().chain([&unneeded]).map(host).collect();
    let route = format!("host dead.example.org 127.0.0.1:1\n{hosts}");
    let (outcomes, sessions) = deliver(&route, &[BOB, EVE], PATIENCE);
    assert!(
        matches!(&outcomes[0], Outcome::Delivered(_)),
        "{sessions:?}"
    );
    assert!(matches!(&outcomes[1], Outcome::Refused(it) if it.step == Step::Recipient));
    assert_eq!(sessions.len(), 5, "{sessions:#?}");
    let messages = servers.map(|server| server.messages().len());
    assert_eq!(messages, [0, 0, 0, 1]);
    assert!(unneeded.dialogues().is_empty());
}

#[test]
fn a_final_refusal_is_final() {
    let [first, second] = [0, 1].map(|_| TestServer::start().unwrap());
    first.react(Reaction::to(Step::Content).reply("554 5.6.0 Not wanted"));
    let route = host(&first) + &host(&second);
    let (outcomes, _) = deliver(&route, &[BOB], PATIENCE);
    assert!(matches!(&outcomes[0], Outcome::Refused(it) if it.step == Step::Content));
    assert!(second.dialogues().is_empty());
}

#[test]
fn stopped_in_mid_message_it_says_what_became_of_each_recipient() {
    let [first, second] = [0, 1].map(|_| TestServer::start().unwrap());
    first.react(
        Reaction::to(Step::Recipient)
            .address(EVE)
            .reply("550 5.1.1 Unknown"),
    );
    first.react(Reaction::to(Step::Content).no_reply());
    let route = host(&first) + &host(&second);
    let (outcomes, sessions) = deliver(&route, &[BOB, EVE], Duration::from_secs(2));
    assert_eq!(outcomes[0], Outcome::InDoubt);
    assert!(matches!(&outcomes[1], Outcome::Refused(it) if it.step == Step::Recipient));
    assert!(
        sessions[0].contains("waiting for the reply to the content"),
        "{sessions:?}"
    );

    // Before the end was offered nothing is in doubt, and no other host is asked any more.
    first.react(Reaction::to(Step::Mail).late(PATIENCE));
    let (outcomes, sessions) = deliver(&route, &[BOB], Duration::from_millis(500));
    assert!(matches!(&outcomes[0], Outcome::NotSent(_)), "{outcomes:?}");
    assert_eq!(sessions.len(), 1);
    assert!(second.dialogues().is_empty());
}

#[test]
fn tls_is_told_by_the_words_of_reports() {
    let pki = Pki::new();
    let (address, without) = (serve(&pki), TestServer::start().unwrap());
    let right = hexadecimal(&pki.digest());
    let host_with = |digest: &str| format!("host {SERVER} {address}\ntlsa 3 0 1 {digest}\n");
    let known = host_with(&right);
    let unknown = host_with(&"00".repeat(32));

    let (outcomes, sessions) = deliver(&(unknown.clone() + &known), &[BOB], PATIENCE);
    assert!(
        matches!(&outcomes[0], Outcome::Delivered(_)),
        "{sessions:?}"
    );
    assert_eq!(results(&sessions), ["tlsa-invalid", "successful"]);
    assert!(sessions[0].starts_with(&format!("receiving-mx-hostname={SERVER} policy-type=tlsa")));

    // A policy that demands TLS, and nobody who has it.
    let demanded = host(&without) + "tlsa 3 0 1 " + &right;
    let (outcomes, sessions) = deliver(&demanded, &[BOB], PATIENCE);
    assert!(matches!(&outcomes[0], Outcome::NotSent(it) if !it.is_permanent()));
    assert_eq!(results(&sessions), ["starttls-not-supported"]);
    let elsewhere = format!("{}mta-sts enforce *.example.com", host(&without));
    let (outcomes, sessions) = deliver(&elsewhere, &[BOB], PATIENCE);
    assert!(matches!(&outcomes[0], Outcome::NotSent(_)));
    assert_eq!(results(&sessions), ["validation-failure"]);
    assert!(without.messages().is_empty());

    // Nobody demands it.
    let (outcomes, sessions) = deliver(&host(&without), &[BOB], PATIENCE);
    assert!(
        matches!(&outcomes[0], Outcome::Delivered(_)),
        "{sessions:?}"
    );
    assert_eq!(results(&sessions), ["starttls-not-supported"]);
    let anyone = format!("host other.example.org {address}");
    let (outcomes, sessions) = deliver(&anyone, &[BOB], PATIENCE);
    assert!(
        matches!(&outcomes[0], Outcome::Delivered(_)),
        "{sessions:?}"
    );
    assert_eq!(results(&sessions), ["successful"]);
}

#[test]
fn without_a_policy_a_handshake_that_fails_is_made_up_for_in_clear() {
    let breaks: Script = &[
        ("", "220 x\r\n"),
        ("EHLO", "250-x\r\n250 STARTTLS\r\n"),
        ("STARTTLS", "220 x\r\n"),
    ];
    let server = Scripted::new([breaks, DELIVERS]);
    let route = format!("host mx.example.org {}", server.address);
    let (outcomes, sessions) = deliver(&route, &[BOB], PATIENCE);
    assert!(
        matches!(&outcomes[0], Outcome::Delivered(_)),
        "{sessions:?}"
    );
    assert_eq!(results(&sessions), ["validation-failure", "-"]);
    assert!(!server.heard()[1].contains("STARTTLS"));
}
