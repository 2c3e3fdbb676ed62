//! The programs, and somebody to speak to them.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
    thread,
    time::Duration,
};

use tempfile::TempDir;

/// `receive`, which ends with its value.
pub(crate) struct Receiver {
    pub(crate) child: Child,
    /// What it prints after the line that says where it listens.
    pub(crate) output: Option<BufReader<ChildStdout>>,
    /// Where it listens, as it says.
    pub(crate) address: String,
    directory: TempDir,
}

impl Receiver {
    /// Starts it on loopback.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::at("127.0.0.1:0", arguments)
    }

    /// Starts it with a Maildir of its own.
    pub(crate) fn at(listen: &str, arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_receive"))
            .args(["--listen", listen, "--maildir"])
            .arg(directory.path())
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening on ").expect(&line).trim_end();
        Self {
            child,
            output: Some(output),
            address: address.to_owned(),
            directory,
        }
    }

    /// Returns what it has stored, in order.
    pub(crate) fn stored(&self) -> Vec<String> {
        let files = fs::read_dir(self.directory.path().join("new")).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.sort();
        files
            .iter()
            .map(|file| fs::read_to_string(file).unwrap())
            .collect()
    }

    /// Connects to it.
    pub(crate) fn connect(&self) -> Peer {
        Peer::connect(self.address.parse().unwrap())
    }

    /// Connects to it and introduces itself.
    pub(crate) fn greet(&self) -> Peer {
        let mut peer = self.connect();
        assert_eq!(peer.reply(), "220 localhost.localdomain ESMTP\r\n");
        peer.ask("EHLO c.example");
        peer
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let process = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &process]).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client that says what it is told to.
pub(crate) struct Peer(BufReader<TcpStream>);

impl Peer {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Self(BufReader::new(stream))
    }

    /// Returns the next reply; nothing at the end.
    pub(crate) fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let begin = reply.len();
            let read = self.0.read_line(&mut reply).unwrap();
            if read == 0 || reply.as_bytes().get(begin + 3) != Some(&b'-') {
                return reply;
            }
        }
    }

    /// Says a line, or several, and returns the reply.
    pub(crate) fn ask(&mut self, line: &str) -> String {
        self.say(line);
        self.reply()
    }

    /// Says a line, or several.
    pub(crate) fn say(&mut self, line: &str) {
        self.0
            .get_mut()
            .write_all(format!("{line}\r\n").as_bytes())
            .unwrap();
    }

    /// Says a line, to which the reply has this code.
    pub(crate) fn expect(&mut self, line: &str, code: &str) {
        let reply = self.ask(line);
        assert!(reply.starts_with(code), "{line}: {reply}");
    }

    /// Sends a message.
    pub(crate) fn send(&mut self, content: &str) -> String {
        self.expect("MAIL FROM:<a@x.example>", "250");
        self.expect("RCPT TO:<b@y.example>", "250");
        self.expect("DATA", "354");
        self.ask(&format!("{content}\r\n."))
    }
}

/// Runs `deliver` to its end, for whoever is not named.
pub(crate) fn deliver(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deliver"));
    for (option, usual) in [
        ("--from", "ada@client.example"),
        ("--rcpt", "grace@server.example"),
    ] {
        if !arguments.contains(&option) {
            command.args([option, usual]);
        }
    }
    command.args(arguments).output().unwrap()
}

/// Files of messages, one for each name: `1` has the subject `1`.
pub(crate) struct Messages(TempDir);

impl Messages {
    pub(crate) fn new(names: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for name in names {
            let content = format!("Subject: {name}\n\nHello.\n");
            fs::write(directory.path().join(name), content).unwrap();
        }
        Self(directory)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// Returns the text of a file.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = Path::new(&self.path(name)).to_owned();
        fs::write(&path, text).unwrap();
        path
    }
}

/// Returns the JSON objects that a program has printed.
pub(crate) fn objects(output: &Output) -> Vec<serde_json::Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str(line).expect(&text));
    lines.collect()
}

/// Returns the messages that a program has told of, by file name, with the outcome of each.
pub(crate) fn outcomes(output: &Output) -> Vec<(String, String)> {
    let told = objects(output).into_iter().filter_map(|object| {
        let name = object["message"].as_str()?.rsplit('/').next()?.to_owned();
        Some((name, object["outcome"].as_str()?.to_owned()))
    });
    told.collect()
}

/// Waits until something is so.
pub(crate) fn wait_until(mut is_so: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if is_so() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("it never is");
}
