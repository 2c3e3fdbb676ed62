//! What the example `policy_server` has to show, of both adapters: one text, in two spellings.
//!
//! Whoever includes it has `start`, which runs the example, and `submit`, which sends a message over
//! implicit TLS as a user.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Mutex,
    time::{Duration, Instant},
};

use smtp_proto::{client::Outcome, machine::limits};
use smtp_proto_test_support::Pki;

use super::{start, submit};

static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// What a client says, line by line, and what it hears.
struct Dialogue(BufReader<TcpStream>);

impl Dialogue {
    fn begin(address: SocketAddr, first: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        let limit = Some(Duration::from_secs(20));
        stream.set_read_timeout(limit).unwrap();
        stream.write_all(first.as_bytes()).unwrap();
        let mut dialogue = Self(BufReader::new(stream));
        assert!(dialogue.hear().starts_with("220 "));
        assert!(dialogue.ask("EHLO client.example").starts_with("250"));
        dialogue
    }

    /// Returns the last line of a reply; nothing at the end.
    fn hear(&mut self) -> String {
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            if line.as_bytes().get(3) != Some(&b'-') {
                return line.trim_end().into();
            }
        }
    }

    fn ask(&mut self, line: &str) -> String {
        let line = format!("{line}\r\n");
        self.0.get_mut().write_all(line.as_bytes()).unwrap();
        self.hear()
    }
}

/// Waits for what the log says of a client at this address.
fn logged(begin: &str, address: &str) -> String {
    let start = Instant::now();
    loop {
        let log = LOG.lock().unwrap().clone();
        let is_it = |line: &&String| line.starts_with(begin) && line.contains(address);
        if let Some(line) = log.iter().find(is_it) {
            return line.clone();
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{log:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn files(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap();
    files
        .map(|it| fs::read_to_string(it.unwrap().path()).unwrap())
        .collect()
}

#[test]
fn it_decides_about_strangers_users_and_contents_and_logs_each_connection() {
    let (pki, folders) = (Pki::new(), tempfile());
    let [bob, outgoing] = ["bob", "outgoing"].map(|it| folders.join(it));
    for folder in [&bob, &outgoing] {
        fs::create_dir_all(folder).unwrap();
    }
    let [chain, key] = ["server.pem", "server.key"].map(|it| pki.file(it));
    let settings = format!(
        "name mx.example.net\ncertificate {} {}\nmailbox bob@example.org {}\noutgoing {}\n\
         user alice secret\ngreylist 1\nlisten mx 127.0.0.1:0\nlisten mx-by-proxy 127.0.0.1:0\n\
         listen submission 127.0.0.1:0\nlisten submissions 127.0.0.1:0\n",
        chain.display(),
        key.display(),
        bob.display(),
        outgoing.display(),
    );
    let log = |line| LOG.lock().unwrap().push(line);
    let [mx, proxied, submission, submissions] = start(&settings, log)[..] else {
        panic!("four listeners");
    };

    // A stranger has to come again, and every proxied client is one of its own.
    let rcpt = "RCPT TO:<bob@example.org>";
    for first in ["", "PROXY TCP4 192.0.2.1 198.51.100.1 4000 25\r\n"] {
        let address = if first.is_empty() { mx } else { proxied };
        let mut stranger = Dialogue::begin(address, first);
        stranger.ask("MAIL FROM:<eve@example.com>");
        assert!(stranger.ask(rcpt).starts_with("450 4.7.1"));
        std::thread::sleep(Duration::from_millis(1100));
        assert!(stranger.ask(rcpt).starts_with("250"));
        assert!(stranger.ask("DATA").starts_with("354"));
        let verdict = stranger.ask("From: eve@example.com\r\n\r\nHello.\r\n.");
        assert!(verdict.starts_with("250"), "{verdict}");
        assert!(stranger.ask("QUIT").starts_with("221"));
    }
    assert_eq!(files(&bob), ["From: eve@example.com\r\n\r\nHello.\r\n"; 2]);
    let line = logged("listener=mx-by-proxy", "peer=192.0.2.1:4000");
    assert!(line.contains("hello=\"client.example\" tls=false user=\"-\" messages=1 recipients=1"));
    assert!(line.contains("last_refusal=\"450 4.7.1 We have not met, try again later\" quit=true"));

    // Two authors are refused at the empty line; who guesses is shown out.
    let mut stranger = Dialogue::begin(mx, "");
    stranger.ask("MAIL FROM:<eve@example.com>");
    assert!(stranger.ask(rcpt).starts_with("250"));
    stranger.ask("DATA");
    let verdict = stranger.ask("From: a@x\r\nfrom: b@x\r\n\r\nHello.\r\n.");
    assert_eq!(verdict, "550 5.6.0 A message has one From field");
    stranger.ask("MAIL FROM:<eve@example.com>");
    for _ in 0..3 {
        assert!(
            stranger
                .ask("RCPT TO:<x@example.org>")
                .starts_with("550 5.1.1")
        );
    }
    assert_eq!(
        stranger.ask("RCPT TO:<x@example.org>"),
        "550 5.7.1 You are guessing"
    );
    assert_eq!(stranger.hear(), "");
    logged("listener=mx id", "You are guessing");

    let mut stranger = Dialogue::begin(mx, "");
    stranger.ask("MAIL FROM:<eve@example.com>");
    for _ in 0..limits::RECIPIENTS {
        assert!(stranger.ask(rcpt).starts_with("250"));
    }
    assert!(stranger.ask(rcpt).starts_with("452 4.5.3"));

    // Strangers may make fewer mistakes than those who come to send.
    for (listener, last) in [(mx, "421 4.7.0"), (submission, "500 5.5.")] {
        let mut client = Dialogue::begin(listener, "");
        for _ in 1..5 {
            assert!(client.ask("PARDON").starts_with("500 5.5."));
        }
        let said = [client.ask("PARDON"), client.ask("NOOP")];
        assert!(said.iter().any(|it| it.starts_with(last)), "{said:?}");
        assert_eq!(said[1].starts_with("250"), listener == submission);
    }

    // Nothing goes without TLS and a password; with them it goes everywhere.
    let mut client = Dialogue::begin(submission, "");
    let refusal = client.ask("MAIL FROM:<alice@example.org>");
    assert_eq!(refusal, "530 5.7.0 Nothing goes in clear here");
    // Users may send to more at once than a server takes from strangers.
    let report = submit(&pki, submissions, "secret", limits::RECIPIENTS + 1).unwrap();
    assert!(matches!(report, Outcome::Delivered(_)), "{report:?}");
    assert!(files(&outgoing)[0].ends_with("Hello.\r\n"));
    logged("listener=submissions", "tls=true user=\"alice\" messages=1");
    assert!(submit(&pki, submissions, "guessed", 1).is_none());
    fs::remove_dir_all(folders).unwrap();
}

/// Returns a folder of this process's own.
fn tempfile() -> std::path::PathBuf {
    let name = format!("policy-server-{}", std::process::id());
    std::env::temp_dir().join(name)
}
