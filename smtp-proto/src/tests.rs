//! RES-1: byte by byte, the work grows with the number of bytes and not with its square.
//!
//! What is counted is what the readers search. Content is consumed as it comes and cannot be
//! searched twice.

use std::{borrow::ToOwned, string::String, time::Duration, vec::Vec};

use crate::{
    client::{self, Client},
    framing::work,
    server::{self, Server},
    syntax::Host,
};

const NOW: Duration = Duration::ZERO;

/// Presents bytes one by one, with what was left over before each. Returns how many were searched.
fn byte_by_byte(bytes: &[u8], mut poll: impl FnMut(&mut &[u8])) -> u64 {
    let mut held = Vec::new();
    work::take();
    for &byte in bytes {
        held.push(byte);
        let mut input = held.as_slice();
        poll(&mut input);
        let used = held.len() - input.len();
        held.drain(..used);
    }
    work::take()
}

#[test]
fn a_client_searches_each_byte_once() {
    let work = |lines: usize| {
        let mut client = Client::new(client::Config::new(Host::parse("x.example").unwrap()), NOW);
        let mut greeting = String::from("220-x\r\n").repeat(lines);
        greeting += "220 x\r\n";
        let mut greeted = 0;
        let searched = byte_by_byte(greeting.as_bytes(), |input| {
            greeted += usize::from(client.poll_event(input, NOW).unwrap().is_some());
        });
        assert_eq!(greeted, 1);
        // A CR that came last is looked at again with what follows it.
        let again = greeting.matches('\r').count();
        assert_eq!(searched, (greeting.len() + again) as u64);
    };
    [10, 1000, 2000].into_iter().for_each(work);
}

/// Returns a server that has greeted.
fn greeted(config: server::Config) -> Server {
    let mut server = Server::new(config, NOW);
    let Ok(Some(server::Event::Connected { ticket })) = server.poll_event(&mut &b""[..], NOW)
    else {
        panic!("a connection");
    };
    server.accept(ticket).unwrap();
    let transmit = server.poll_transmit(NOW).unwrap();
    let all = transmit.len();
    transmit.wrote(all, NOW);
    server
}

#[test]
fn a_server_searches_each_byte_once() {
    for line in ["NOOP\r\n", "NOOP and a word or two\r\n", "RSET\r\n"] {
        let config = server::Config::new(Host::parse("x.example").unwrap());
        let mut server = greeted(config.max_idle_commands(9999));
        let dialogue = line.repeat(1000);
        let searched = byte_by_byte(dialogue.as_bytes(), |input| {
            assert!(server.poll_event(input, NOW).unwrap().is_none());
            while let Some(transmit) = server.poll_transmit(NOW) {
                let all = transmit.len();
                transmit.wrote(all, NOW);
            }
        });
        assert_eq!(searched, dialogue.len() as u64, "{line}");
    }
}

/// A command that waits for a verdict is not searched again while more arrives after it.
#[test]
fn a_command_that_waits_is_searched_once() {
    let config = server::Config::new(Host::parse("x.example").unwrap());
    let mut server = greeted(config.improper_pipelining(server::ImproperPipelining::Tolerate));
    let mut tickets = Vec::new();
    let dialogue = "EHLO x.example\r\n".to_owned() + &"RSET\r\n".repeat(1000);
    let searched = byte_by_byte(dialogue.as_bytes(), |input| {
        if let Some(server::Event::Hello { ticket, .. }) = server.poll_event(input, NOW).unwrap() {
            tickets.push(ticket);
        }
    });
    assert_eq!(tickets.len(), 1);
    assert!(searched <= 2 * dialogue.len() as u64, "{searched}");
}

/// What a client sends in each state of a server: long lines, content by DATA and BDAT, content that
/// is refused, and chunks that are swallowed.
#[test]
fn a_server_searches_each_byte_once_in_each_state() {
    const MAIL: &str = "EHLO x.example\r\nMAIL FROM:<>\r\nRCPT TO:<a@x.example>\r\n";
    let long = "x".repeat(20_000);
    let lines = "a line\r\n.\r\r\n".repeat(2000);
    let chunk = std::format!("BDAT {}\r\n{lines}", lines.len());
    let cases = [
        std::format!("NOOP {long}\r\n"),
        long.clone(),
        std::format!("{MAIL}DATA\r\n{long}\r\n.\r\n"),
        std::format!("{MAIL}DATA\r\n{lines}.\r\n"),
        std::format!("{MAIL}{chunk}"),
        chunk,
    ];
    for dialogue in cases {
        let config = server::Config::new(Host::parse("x.example").unwrap());
        let mut server = greeted(config.slow_down(0, NOW));
        let searched = byte_by_byte(dialogue.as_bytes(), |input| {
            while let Some(event) = server.poll_event(input, NOW).unwrap() {
                use server::Event::{Data, Hello, Mail, Message, Rcpt};
                if let Hello { ticket, .. }
                | Mail { ticket, .. }
                | Rcpt { ticket, .. }
                | Data { ticket, .. }
                | Message { ticket, .. } = event
                {
                    server.accept(ticket).unwrap();
                }
            }
            while let Some(transmit) = server.poll_transmit(NOW) {
                let all = transmit.len();
                transmit.wrote(all, NOW);
            }
        });
        let bytes = dialogue.len() as u64;
        assert!(searched <= bytes, "{dialogue:.20}: {searched} of {bytes}");
    }
}

/// The lines of an authentication may be the longest of all; with them goes one that is too long.
#[cfg(feature = "auth")]
#[test]
fn a_server_searches_each_byte_of_an_authentication_once() {
    const BEGINNING: &str = "EHLO x.example\r\nAUTH LOGIN\r\n";
    let answer = "QUFB".repeat(3000);
    let cases = [
        std::format!("{BEGINNING}{answer}\r\n"),
        std::format!("{BEGINNING}{answer}{answer}\r\n"),
        std::format!("EHLO x.example\r\nAUTH LOGIN {answer}\r\n"),
    ];
    for dialogue in cases {
        let config = server::Config::new(Host::parse("x.example").unwrap())
            .mechanisms(["LOGIN"])
            .unwrap()
            .allow_plain_text_auth();
        let mut server = greeted(config);
        let searched = byte_by_byte(dialogue.as_bytes(), |input| {
            while let Some(event) = server.poll_event(input, NOW).unwrap() {
                use server::Event::{Auth, AuthResponse, Hello};
                match event {
                    Hello { ticket, .. } => server.accept(ticket).unwrap(),
                    Auth { ticket, .. } | AuthResponse { ticket, .. } => {
                        server.challenge(ticket, b"again").unwrap();
                    }
                    _ => {}
                }
            }
            while let Some(transmit) = server.poll_transmit(NOW) {
                let all = transmit.len();
                transmit.wrote(all, NOW);
            }
        });
        let bytes = dialogue.len() as u64;
        assert!(searched <= bytes, "{dialogue:.40}: {searched} of {bytes}");
    }
}
