//! The recording server: right as it comes, and wrong as it is told.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use smtp_proto::{
    machine::Dialect,
    server::Config,
    syntax::{Capabilities, Extension, Host},
    testing::{Reaction, Step, TestServer},
};

const EHLO: &str = "EHLO c.example\r\n";
const GROUP: &str = "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@test.example>\r\nDATA\r\n";
const GROUP_TAKEN: &str =
    "250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n354 End content with <CRLF>.<CRLF>\r\n";
const CONTENT: &str = "Subject: x\r\n\r\n..dot\r\n.\r\n";
const TAKEN: &str = "250 2.0.0 Message accepted\r\n";
const BYE: &str = "221 2.0.0 test.example closing connection\r\n";
const LIMIT: Duration = Duration::from_secs(3);

/// A client of few words.
struct Socket(TcpStream);

impl Socket {
    /// Connects, and expects the usual greeting.
    fn greeted(server: &TestServer) -> Self {
        let mut socket = Self::silent(server);
        socket.hears("220 test.example ESMTP\r\n");
        socket
    }

    fn silent(server: &TestServer) -> Self {
        let stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Self(stream)
    }

    /// Connects and says EHLO.
    fn ready(server: &TestServer) -> Self {
        let mut socket = Self::greeted(server);
        socket.says(EHLO);
        socket.hears(
            "250-test.example\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-8BITMIME\r\n\
             250-ENHANCEDSTATUSCODES\r\n250-CHUNKING\r\n250 HELP\r\n",
        );
        socket
    }

    fn says(&mut self, bytes: &str) {
        self.0.write_all(bytes.as_bytes()).unwrap();
    }

    /// Expects exactly these bytes next.
    #[track_caller]
    fn hears(&mut self, bytes: &str) {
        let mut read = vec![0; bytes.len()];
        let mut done = 0;
        while done < read.len() {
            match self.0.read(&mut read[done..]) {
                Ok(0) | Err(_) => break,
                Ok(bytes) => done += bytes,
            }
        }
        assert_eq!(String::from_utf8_lossy(&read[..done]), bytes);
    }

    /// Reads up to these bytes.
    fn hears_to(&mut self, end: &str) {
        let (mut heard, mut byte) = (Vec::new(), [0]);
        while !heard.ends_with(end.as_bytes()) {
            self.0.read_exact(&mut byte).unwrap();
            heard.extend(byte);
        }
    }

    /// Expects exactly these bytes, and the end.
    #[track_caller]
    fn ends(mut self, bytes: &str) {
        let mut read = String::new();
        self.0.read_to_string(&mut read).unwrap();
        assert_eq!(read, bytes);
    }

    /// Sends a message, and expects this verdict.
    #[track_caller]
    fn sends(&mut self, verdict: &str) {
        self.says(GROUP);
        self.hears(GROUP_TAKEN);
        self.says(CONTENT);
        self.hears(verdict);
    }
}

fn config() -> Config {
    Config::new(Host::parse("test.example").unwrap())
}

#[test]
fn messages_and_dialogues_are_recorded() {
    let server = TestServer::start().unwrap();
    assert_eq!(server.url(), format!("smtp://{}", server.address()));
    let mut first = Socket::ready(&server);
    let mut second = Socket::greeted(&server);
    first.sends(TAKEN);
    // It is there as soon as its client knows.
    let [message] = &server.messages()[..] else {
        panic!("{:?}", server.messages());
    };
    assert_eq!(message.sender, "a@c.example");
    assert_eq!(message.recipients, ["b@test.example"]);
    assert_eq!(message.text(), "Subject: x\r\n\r\n.dot\r\n");
    assert_eq!((message.connection, &message.user), (0, &None));
    second.says("HELO c.example\r\nMAIL FROM:<>\r\n");
    second.ends("250 test.example\r\n554 5.5.0 Sent on without waiting for the reply, closing connection\r\n");
    first.says("MAIL FROM:<>\r\nRCPT TO:<Postmaster>\r\nRCPT TO:<c@x.example>\r\nBDAT 2\r\nx\rBDAT 1 LAST\r\n\n");
    first.hears("250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n250 2.1.5 Recipient OK\r\n");
    first.hears("250 2.0.0 Chunk OK\r\n");
    first.hears(TAKEN);
    let message = server.messages().remove(1);
    assert_eq!(message.sender, "");
    assert_eq!(message.recipients, ["Postmaster", "c@x.example"]);
    assert_eq!(message.content, b"x\r\n");
    first.says("QUIT\r\n");
    first.ends(BYE);
    assert!(server.wait(LIMIT));
    let dialogues = server.dialogues();
    assert_eq!(
        dialogues[0].split_once("S: 250 HELP\n").unwrap().1,
        "C: MAIL FROM:<a@c.example>\nS: 250 2.1.0 Sender OK\nC: RCPT TO:<b@test.example>\n\
         S: 250 2.1.5 Recipient OK\nC: DATA\nS: 354 End content with <CRLF>.<CRLF>\n\
         C: [20 bytes of content]\nS: 250 2.0.0 Message accepted\n\
         C: MAIL FROM:<>\nS: 250 2.1.0 Sender OK\nC: RCPT TO:<Postmaster>\n\
         S: 250 2.1.5 Recipient OK\nC: RCPT TO:<c@x.example>\nS: 250 2.1.5 Recipient OK\n\
         C: BDAT 2\nC: [2 bytes of content]\nS: 250 2.0.0 Chunk OK\n\
         C: BDAT 1 LAST\nC: [1 bytes of content]\nS: 250 2.0.0 Message accepted\n\
         C: QUIT\nS: 221 2.0.0 test.example closing connection\n"
    );
    assert!(dialogues[1].starts_with("S: 220 test.example ESMTP\nC: HELO c.example\n"));
}

/// Each step can be refused, and the machine knows that it was.
#[test]
fn what_is_refused_is_not_taken() {
    for (step, refusal, heard) in [
        (
            Step::Mail,
            "451 4.3.0 Later",
            "451 4.3.0 Later\r\n503 5.5.1 Bad sequence of commands\r\n503 5.5.1 Bad sequence of commands\r\n",
        ),
        (
            Step::Recipient,
            "550 No",
            "250 2.1.0 Sender OK\r\n550 No\r\n554 5.5.1 No valid recipients\r\n",
        ),
        (
            Step::Data,
            "554-5.7.1 Not\r\n554 5.7.1 you",
            "250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n554-5.7.1 Not\r\n554 5.7.1 you\r\n",
        ),
    ] {
        let server = TestServer::start().unwrap();
        server.react(Reaction::to(step).reply(refusal));
        let mut socket = Socket::ready(&server);
        socket.says(GROUP);
        socket.hears(heard);
        socket.says("QUIT\r\n");
        socket.ends(BYE);
        assert_eq!(server.messages(), []);
    }
    let server = TestServer::start().unwrap();
    server.react(
        Reaction::to(Step::Content)
            .times(1)
            .reply("552 5.3.4 Too much"),
    );
    let mut socket = Socket::ready(&server);
    socket.sends("552 5.3.4 Too much\r\n");
    assert_eq!(server.messages(), []);
    socket.sends(TAKEN);
    assert_eq!(server.messages().len(), 1);
}

#[test]
fn whole_sessions_are_turned_away() {
    let server = TestServer::start().unwrap();
    server.react(
        Reaction::to(Step::Greeting)
            .times(1)
            .reply("421 4.3.2 Busy"),
    );
    Socket::silent(&server).ends("421 4.3.2 Busy\r\n");
    server.react(
        Reaction::to(Step::Greeting)
            .times(1)
            .reply("554 5.7.1 Not you"),
    );
    let mut socket = Socket::silent(&server);
    socket.hears("554 5.7.1 Not you\r\n");
    socket.says("QUIT\r\n");
    socket.ends(BYE);
    server.react(
        Reaction::to(Step::Hello)
            .times(1)
            .reply("502 5.5.1 Too new"),
    );
    let mut socket = Socket::greeted(&server);
    socket.says(EHLO);
    socket.hears("502 5.5.1 Too new\r\n");
    socket.says("HELO c.example\r\n");
    socket.hears("250 test.example\r\n");
}

#[test]
fn one_address_is_refused_for_a_while() {
    let server = TestServer::start().unwrap();
    server.react(
        Reaction::to(Step::Recipient)
            .address("B@test.example")
            .times(2)
            .reply("451 4.7.1 Later"),
    );
    let mut socket = Socket::ready(&server);
    socket.says("MAIL FROM:<a@c.example>\r\n");
    socket.hears("250 2.1.0 Sender OK\r\n");
    for (recipient, reply) in [
        ("b", "451 4.7.1 Later\r\n"),
        ("c", "250 2.1.5 Recipient OK\r\n"),
        ("b", "451 4.7.1 Later\r\n"),
        ("b", "250 2.1.5 Recipient OK\r\n"),
    ] {
        socket.says(&format!("RCPT TO:<{recipient}@test.example>\r\n"));
        socket.hears(reply);
    }
    socket.says("BDAT 3 LAST\r\nx\r\n");
    socket.hears(TAKEN);
    assert_eq!(
        server.messages()[0].recipients,
        ["c@test.example", "b@test.example"]
    );
}

/// What is said in a reply's place may be none, or several, or not be there; the session goes on as if
/// it had been said.
#[test]
fn anything_may_be_said() {
    for (step, said, heard) in [
        (
            Step::Data,
            "250 2.0.0 What",
            "250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n250 2.0.0 What\r\n",
        ),
        (
            Step::Recipient,
            "25\r\n\0\n",
            "250 2.1.0 Sender OK\r\n25\r\n\0\n354 End content with <CRLF>.<CRLF>\r\n",
        ),
        (
            Step::Mail,
            "250 a\r\n250 b",
            "250 a\r\n250 b\r\n250 2.1.5 Recipient OK\r\n354 End content with <CRLF>.<CRLF>\r\n",
        ),
    ] {
        let server = TestServer::start().unwrap();
        server.react(Reaction::to(step).reply(said));
        let mut socket = Socket::ready(&server);
        socket.says(GROUP);
        socket.hears(heard);
        socket.says(CONTENT);
        socket.hears(TAKEN);
        assert_eq!(server.messages().len(), 1);
    }
    let server = TestServer::start().unwrap();
    server.react(Reaction::to(Step::Recipient).no_reply());
    server.react(Reaction::to(Step::Reset).reply("250 reset, if you like"));
    server.react(Reaction::to(Step::Quit).reply("500 Stay"));
    let mut socket = Socket::ready(&server);
    socket.says("MAIL FROM:<>\r\nRCPT TO:<b@x.example>\r\nRSET\r\nQUIT\r\n");
    socket.ends("250 2.1.0 Sender OK\r\n250 reset, if you like\r\n500 Stay\r\n");
    assert!(server.dialogues()[0].ends_with("C: QUIT\nS: 500 Stay\n"));
}

/// The connection ends where it is told to, and what was said before that arrives.
#[test]
fn connections_are_cut() {
    let server = TestServer::start().unwrap();
    server.react(Reaction::to(Step::Data).times(1).cut());
    let mut socket = Socket::ready(&server);
    socket.says(GROUP);
    socket.ends("250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n");
    server.react(Reaction::to(Step::Content).times(1).cut());
    let mut socket = Socket::ready(&server);
    socket.says(GROUP);
    socket.hears(GROUP_TAKEN);
    socket.says(CONTENT);
    socket.ends("");
    assert_eq!(server.messages(), []);
    server.react(Reaction::to(Step::Content).times(1).take_and_cut());
    let mut socket = Socket::ready(&server);
    socket.says(GROUP);
    socket.hears(GROUP_TAKEN);
    socket.says(CONTENT);
    socket.ends("");
    assert_eq!(server.messages().len(), 1);
}

#[test]
fn a_connection_is_cut_after_so_many_bytes() {
    let server = TestServer::start().unwrap();
    let all = format!("{EHLO}{GROUP}");
    let most = all.find("DATA").unwrap();
    server.cut_after(most as u64);
    server.cut_after(0);
    let mut socket = Socket::ready(&server);
    socket.says(GROUP);
    socket.ends("250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n");
    Socket::silent(&server).ends("220 test.example ESMTP\r\n");
    Socket::ready(&server).sends(TAKEN);
}

#[test]
fn answers_are_late() {
    let server = TestServer::start().unwrap();
    let delay = Duration::from_millis(120);
    server.react(Reaction::to(Step::Mail).late(delay));
    let mut socket = Socket::ready(&server);
    let begun = Instant::now();
    socket.sends(TAKEN);
    assert!(begun.elapsed() >= delay);
    // Whoever ends it does not wait for what is late.
    server.react(Reaction::to(Step::Reset).late(Duration::MAX));
    socket.says("RSET\r\n");
    let begun = Instant::now();
    drop(server);
    assert!(begun.elapsed() < LIMIT);
    assert_eq!(socket.0.read(&mut [0; 9]).unwrap_or(0), 0);
}

#[test]
fn what_nobody_asked_for_is_said() {
    let server = TestServer::start().unwrap();
    let mut socket = Socket::ready(&server);
    server.say("421 4.3.2 Bye");
    socket.hears("421 4.3.2 Bye\r\n");
    assert!(server.dialogues()[0].ends_with("S: 250 HELP\nS: 421 4.3.2 Bye\n"));
    assert!(!server.wait(Duration::ZERO));
}

#[test]
fn a_configuration_says_what_is_offered() {
    let offer = Capabilities::new().with(Extension::Size);
    let offer = offer.with_keyword("LIMITS", "RCPTMAX=2").unwrap();
    let server = TestServer::with(config().offer(offer)).unwrap();
    let mut socket = Socket::greeted(&server);
    socket.says(EHLO);
    socket.hears("250-test.example\r\n250-LIMITS RCPTMAX=2\r\n250 SIZE 10240000\r\n");
}

/// In LMTP each recipient has its verdict.
#[test]
fn recipients_of_lmtp_are_decided_one_by_one() {
    let server = TestServer::with(config().dialect(Dialect::Lmtp)).unwrap();
    server.react(
        Reaction::to(Step::Content)
            .address("c@x.example")
            .reply("452 4.2.2 Full"),
    );
    let mut socket = Socket::silent(&server);
    socket.hears("220 test.example LMTP\r\n");
    socket.says("LHLO c.example\r\n");
    socket.hears("250-test.example\r\n");
    socket.says(
        "MAIL FROM:<>\r\nRCPT TO:<b@x.example>\r\nRCPT TO:<c@x.example>\r\nRCPT TO:<d@x.example>\r\nBDAT 1 LAST\r\nx",
    );
    socket
        .hears_to("250 2.0.0 Message accepted\r\n452 4.2.2 Full\r\n250 2.0.0 Message accepted\r\n");
    assert_eq!(
        server.messages()[0].recipients,
        ["b@x.example", "d@x.example"]
    );
}

#[test]
fn a_server_without_tls_says_so() {
    let server = TestServer::with(config().tls(smtp_proto::server::Tls::Offered)).unwrap();
    let mut socket = Socket::greeted(&server);
    socket.says("STARTTLS\r\n");
    socket.hears("454 4.7.0 TLS not available, try again later\r\n");
}

/// Whoever authenticates himself is believed, unless the test says otherwise.
#[cfg(feature = "auth")]
#[test]
fn users_are_recorded() {
    let config = config().mechanisms(["PLAIN", "LOGIN"]).unwrap();
    let server = TestServer::with(config.allow_plain_text_auth().require_auth()).unwrap();
    server.react(Reaction::to(Step::Auth).times(1).reply("535 5.7.8 No"));
    let mut socket = Socket::greeted(&server);
    socket.says("EHLO c.example\r\n");
    socket.hears_to("250 AUTH PLAIN LOGIN\r\n");
    socket.says("AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n");
    socket.hears("535 5.7.8 No\r\n");
    socket.says("AUTH LOGIN\r\n");
    socket.hears("334 VXNlcm5hbWU6\r\n");
    socket.says("YWxpY2U=\r\n");
    socket.hears("334 UGFzc3dvcmQ6\r\n");
    socket.says("c2VjcmV0\r\n");
    socket.hears("235 2.7.0 Authentication successful\r\n");
    socket.sends(TAKEN);
    assert_eq!(server.messages()[0].user.as_deref(), Some("alice"));
    assert!(!server.dialogues()[0].contains("c2VjcmV0"));
}
