//! A server that follows a script of faults; without any it is right.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use smtp_proto_rustls::{
    TlsAcceptor,
    rustls::{ServerConnection, StreamOwned},
};

/// What a server does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Answers EHLO with this text.
    Offers(&'static str),
    /// Says a second reply in the segment of the first.
    GreetsTwice,
    /// Says it a moment after the first.
    GreetsAgain,
    AnswersEhloTwice,
    /// Of the commands in one segment, answers the first and forgets the others.
    ForgetsTheRest,
    /// ... answers all but the second.
    DropsTheSecond,
    /// ... puts all replies into one.
    Merges,
    /// ... answers the last one first.
    Reverses,
    /// ... answers 500 and closes.
    ClosesOnBatch,
    /// Says `250` once more after a batch.
    SaysMore,
    /// Closes where a segment ends within a line.
    ClosesOnSplit,
    /// Takes each segment for a line.
    TearsSegments,
    /// Answers once what it has read ends with a whole line.
    HoldsBack,
    /// Takes 512 bytes for a line, whatever they are.
    TearsLongLines,
    /// Forgets what of a line is beyond 512 bytes.
    CutsLongLines,
    /// Takes whatever follows RSET.
    IgnoresArguments,
    /// Closes without a word where a line is longer than 512 bytes.
    ClosesOnLongLines,
    /// Takes LF for the end of a command line.
    LfEndsLines,
    /// Takes LF for a space.
    LfIsSpace,
    /// Gives 354 to nobody's content, and refuses the dot.
    AsksForNobodysContent,
    /// Gives 354 to nobody's content, and accepts the dot.
    AcceptsNobodysContent,
    /// Reads the bytes of a refused chunk as commands: go-smtp's public issue 315.
    ExecutesChunks,
    /// Swallows what of a refused chunk has arrived with BDAT.
    SwallowsOneSegment,
    /// Accepts a chunk for nobody.
    AcceptsNobodysChunk,
    /// Answers 503 to what comes together with the dot.
    RefusesLookAhead,
    /// Forgets what comes together with the dot.
    ForgetsLookAhead,
    /// Ends content at LF . LF too.
    LfEndsContent,
    /// Ends content at CR LF . CR too, once it knows that no LF follows.
    CrEndsContent,
    /// Ends content at LF . LF too if its first line ends in LF alone, as Exim does.
    FirstLfEndsContent,
    /// Answers 521 to the first bare LF of a content, and closes.
    ClosesOnBareLf,
    /// Closes after each content.
    ClosesAfterContent,
    /// Forgets what is not answered yet when QUIT comes.
    ForgetsBeforeQuit,
    /// Takes any SIZE.
    IgnoresSize,
    /// Begins TLS before it greets: no fault, if it is expected.
    TlsFirst,
    /// Answers 530 to MAIL in clear.
    DemandsTls,
    /// Refuses STARTTLS.
    RefusesTls,
    /// Keeps for TLS what came in clear after STARTTLS.
    KeepsInput,
    /// Does so, and answers it with the first command in TLS.
    KeepsInputForLater,
    /// Answers, a moment after 220 and in clear, what came together with STARTTLS.
    AnswersBeforeTls,
    /// Says more than 220 before TLS.
    SaysMoreBeforeTls,
    /// Refuses all recipients.
    RefusesRecipients,
    /// Closes after so many errors, without 421.
    ClosesAfterErrors(usize),
    /// Never ends a session for its errors.
    ForgivesAll,
    /// Speaks LMTP, and not SMTP: no fault, if it is expected.
    SpeaksLmtp,
    /// Takes mail over TLS only from `u`, whose password is `p`, and offers such clients XMEMBERS: no
    /// fault either.
    KnowsUser,
    /// Asks in an exchange of AUTH what nobody understands.
    AsksNonsense,
}

use Fault::*;

const OFFER: &str = "PIPELINING\nSIZE 1000\nCHUNKING\nLIMITS RCPTMAX=50";
const MAX_SIZE: usize = 1000;
const MAX_ERRORS: usize = 10;
/// As short as a peer's second thought may be.
const MOMENT: Duration = Duration::from_millis(100);

/// Starts a server of this many faults, which lives as long as the process.
pub(crate) fn serve(faults: Vec<Fault>, tls: Option<TlsAcceptor>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, faults, tls) = (stream.unwrap(), faults.clone(), tls.clone());
            thread::spawn(move || Peer::new(stream, faults, tls).run());
        }
    });
    address
}

trait Connection: Read + Write {}
impl<T: Read + Write> Connection for T {}

struct Peer {
    socket: TcpStream,
    stream: Box<dyn Connection>,
    faults: Vec<Fault>,
    tls: Option<TlsAcceptor>,
    in_tls: bool,
    input: Vec<u8>,
    /// Where in `input` the last segment begins.
    segment: usize,
    replies: Vec<String>,
    mail: bool,
    rcpt: bool,
    errors: usize,
    /// The next line is what answers AUTH.
    in_auth: bool,
    is_known: bool,
    closing: bool,
}

impl Peer {
    fn new(socket: TcpStream, faults: Vec<Fault>, tls: Option<TlsAcceptor>) -> Self {
        socket.set_nodelay(true).unwrap();
        Self {
            stream: Box::new(socket.try_clone().unwrap()),
            socket,
            faults,
            tls,
            in_tls: false,
            input: Vec::new(),
            segment: 0,
            replies: Vec::new(),
            mail: false,
            rcpt: false,
            errors: 0,
            in_auth: false,
            is_known: false,
            closing: false,
        }
    }

    fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    fn run(mut self) {
        if self.has(TlsFirst) {
            self.begin_tls();
        }
        let more = ["", "250 more\r\n"][usize::from(self.has(GreetsTwice))];
        self.write(&format!("220 peer\r\n{more}"));
        if self.has(GreetsAgain) {
            thread::sleep(MOMENT);
            self.write("220 peer again\r\n");
        }
        while !self.closing && self.fill() {
            let mut batch = 0;
            while let Some(line) = self.line() {
                batch += 1;
                self.command(&line, batch);
                if self.closing {
                    break;
                }
            }
            if self.has(HoldsBack) && !self.input.is_empty() {
                continue;
            }
            self.answer(batch);
        }
    }

    /// Reads a segment; returns whether there was one.
    fn fill(&mut self) -> bool {
        let mut buffer = [0; 65536];
        let read = self.stream.read(&mut buffer).unwrap_or(0);
        self.segment = self.input.len();
        self.input.extend_from_slice(&buffer[..read]);
        if self.has(ClosesOnSplit) && !self.input.ends_with(b"\n") {
            return false;
        }
        read > 0
    }

    /// Takes a command line out of what was read.
    fn line(&mut self) -> Option<String> {
        let lf = |bytes: &[u8]| {
            bytes
                .iter()
                .position(|byte| *byte == b'\n')
                .map(|at| at + 1)
        };
        let crlf = |bytes: &[u8]| {
            bytes
                .windows(2)
                .position(|it| it == b"\r\n")
                .map(|at| at + 2)
        };
        let mut end = match self.has(LfEndsLines) {
            true => lf(&self.input),
            false => crlf(&self.input),
        };
        if self.has(TearsLongLines) && end.unwrap_or(self.input.len()) > 512 {
            end = Some(512);
        }
        if self.has(TearsSegments) && end.is_none() && !self.input.is_empty() {
            end = Some(self.input.len());
        }
        let mut line: Vec<u8> = self.input.drain(..end?).collect();
        if self.has(CutsLongLines) {
            line.truncate(512);
        }
        Some(String::from_utf8(line).unwrap().trim_end().to_owned())
    }

    fn command(&mut self, line: &str, batch: usize) {
        if line.len() > 600 && self.has(ClosesOnLongLines) {
            self.closing = true;
            return;
        }
        let line = if self.has(LfIsSpace) {
            line.replace('\n', " ")
        } else {
            line.to_owned()
        };
        let verb = line.split(' ').next().unwrap().to_ascii_uppercase();
        match verb.as_str() {
            _ if self.in_auth && self.has(AsksNonsense) && line != "*" => self.say("334 ?!"),
            _ if self.in_auth => {
                self.in_auth = false;
                self.is_known = line == "AHUAcA==";
                let verdict = ["535 no", "235 yes"][usize::from(self.is_known)];
                self.say(verdict);
            }
            _ if line.contains('\n') => self.error("500 bare LF"),
            _ if batch > 1 && self.has(ForgetsTheRest) => {}
            _ if batch == 2 && self.has(DropsTheSecond) => {}
            _ if batch > 1 && self.has(ClosesOnBatch) => {
                self.say("500 Pipelining not supported");
                self.closing = true;
            }
            "EHLO" if self.has(SpeaksLmtp) => self.error("500 LHLO"),
            "LHLO" if !self.has(SpeaksLmtp) => self.error("500 EHLO"),
            "EHLO" | "LHLO" => {
                let mut offer = self.offer();
                if self.tls.is_some() && !self.in_tls {
                    offer.push_str("\nSTARTTLS");
                }
                if self.has(KnowsUser) {
                    offer.push_str(["", "\nAUTH PLAIN"][usize::from(self.in_tls)]);
                    offer.push_str(["", "\nXMEMBERS"][usize::from(self.is_known)]);
                } else if self.tls.is_some() && !offer.contains("AUTH") {
                    offer.push_str("\nAUTH SCRAM-SHA-256");
                    offer.push_str(if self.in_tls { " PLAIN" } else { "" });
                }
                self.say(&format!("250 peer\n{offer}"));
                if self.has(AnswersEhloTwice) {
                    self.say("250 more");
                }
            }
            "STARTTLS" => self.start_tls(),
            "MAIL" if self.has(DemandsTls) && !self.in_tls => self.error("530 STARTTLS first"),
            "MAIL" if self.has(KnowsUser) && !self.is_known => self.error("530 AUTH first"),
            "AUTH" if self.has(AsksNonsense) => {
                self.in_auth = true;
                self.say("334 ?!");
            }
            "AUTH" if self.has(KnowsUser) && line == "AUTH PLAIN" => {
                self.in_auth = true;
                self.replies.push("334 \r\n".to_owned());
            }
            "MAIL" if self.mail => self.error("503 nested MAIL"),
            "MAIL" if self.is_too_large(&line) => self.error("552 too large"),
            "MAIL" => {
                self.mail = true;
                self.say("250 sender ok");
            }
            "RCPT" if !self.mail || line == "RCPT TO" => self.error("503 need MAIL"),
            "RCPT" if self.has(RefusesRecipients) => self.error("550 unknown"),
            "RCPT" => {
                self.rcpt = true;
                self.say("251 recipient ok");
            }
            "DATA" if self.rcpt => self.content(),
            "DATA" if self.has(AsksForNobodysContent) => self.content(),
            "DATA" if self.has(AcceptsNobodysContent) => self.content(),
            "DATA" => self.error("554 no recipients"),
            "BDAT" => self.chunk(&line),
            "RSET" if line != "RSET" && !self.ignores_arguments() => self.error("501 argument"),
            "RSET" => {
                (self.mail, self.rcpt) = (false, false);
                self.say("250 reset");
            }
            "NOOP" => self.say("250 nothing"),
            "QUIT" => {
                self.say("221 bye");
                self.closing = true;
            }
            _ => self.error("500 unknown"),
        }
    }

    fn offer(&self) -> String {
        let offers = |fault: &Fault| match fault {
            Offers(text) => Some(*text),
            _ => None,
        };
        self.faults
            .iter()
            .find_map(offers)
            .unwrap_or(OFFER)
            .to_owned()
    }

    fn ignores_arguments(&self) -> bool {
        self.has(IgnoresArguments) || self.has(LfIsSpace)
    }

    fn is_too_large(&self, line: &str) -> bool {
        let size = line
            .split_once("SIZE=")
            .and_then(|(_, size)| size.parse().ok());
        !self.has(IgnoresSize) && size.is_some_and(|size: usize| size > MAX_SIZE)
    }

    fn error(&mut self, reply: &str) {
        self.errors += 1;
        let silent =
            |fault: &Fault| matches!(fault, ClosesAfterErrors(most) if self.errors > *most);
        if self.faults.iter().any(silent) {
            self.closing = true;
        } else if self.errors > MAX_ERRORS && !self.has(ForgivesAll) {
            self.say("421 too many errors");
            self.closing = true;
        } else {
            self.say(reply);
        }
    }

    fn start_tls(&mut self) {
        if self.has(RefusesTls) {
            return self.say("454 not now");
        }
        let more = ["", "250 more\r\n"][usize::from(self.has(SaysMoreBeforeTls))];
        self.write(&format!("220 go\r\n{more}"));
        let kept = std::mem::take(&mut self.input);
        if self.has(AnswersBeforeTls) && !kept.is_empty() {
            thread::sleep(MOMENT);
            self.write("250 reset\r\n");
        }
        self.begin_tls();
        if self.has(KeepsInput) {
            self.input = kept;
        } else if self.has(KeepsInputForLater) && !kept.is_empty() {
            // So that the handshake is done before that is read.
            let _ = self.stream.flush();
            self.fill();
            self.input.splice(0..0, kept);
        }
        // So that the handshake is done by now, whatever comes next.
        let _ = self.stream.flush();
    }

    fn begin_tls(&mut self) {
        let config = self.tls.as_ref().unwrap().config().clone();
        let session = ServerConnection::new(config).unwrap();
        let socket = self.socket.try_clone().unwrap();
        self.stream = Box::new(StreamOwned::new(session, socket));
        self.in_tls = true;
    }

    /// Reads a content and says its verdict.
    fn content(&mut self) {
        self.say("354 go");
        self.flush();
        let mut content = b"\r\n".to_vec();
        let length = loop {
            if !self.fill() {
                self.closing = true;
                return;
            }
            content.append(&mut self.input);
            if self.has(ClosesOnBareLf) && content.windows(2).any(is_bare_lf) {
                self.say("521 bare LF");
                self.closing = true;
                return;
            }
            if let Some(length) = self.end(&content) {
                break length;
            }
        };
        self.input = content.split_off(length);
        let accepted = self.rcpt || self.has(AcceptsNobodysContent);
        self.say(if accepted { "250 queued" } else { "554 nobody" });
        (self.mail, self.rcpt) = (false, false);
        self.closing |= self.has(ClosesAfterContent);
        if self.has(ForgetsLookAhead) {
            self.input.clear();
        }
        if self.has(RefusesLookAhead) {
            while self.line().is_some() {
                self.say("503 out of order");
            }
        }
    }

    /// Returns where a content ends that begins by the end of a line.
    fn end(&self, content: &[u8]) -> Option<usize> {
        let find = |wanted: &[u8]| content.windows(wanted.len()).position(|it| it == wanted);
        let first = content[2..].iter().position(|byte| *byte == b'\n');
        let by_lf = self.has(LfEndsContent)
            || self.has(FirstLfEndsContent)
                && first.is_some_and(|at| is_bare_lf(&content[at + 1..at + 3]));
        let ends = [
            find(b"\r\n.\r\n").map(|at| at + 5),
            find(b"\n.\n").map(|at| at + 3).filter(|_| by_lf),
            find(b"\r\n.\r")
                .map(|at| at + 4)
                .filter(|end| self.has(CrEndsContent) && content.len() > *end),
        ];
        ends.into_iter().flatten().min()
    }

    fn chunk(&mut self, line: &str) {
        let length = line.split(' ').nth(1).unwrap().parse::<usize>().unwrap();
        let is_refused = !self.rcpt && !self.has(AcceptsNobodysChunk);
        if is_refused && self.has(ExecutesChunks) {
            return self.error("502 no recipients");
        }
        while self.input.len() < length && !(is_refused && self.has(SwallowsOneSegment)) {
            self.flush();
            if !self.fill() {
                self.closing = true;
                return;
            }
        }
        self.input.drain(..length.min(self.input.len()));
        if is_refused {
            return self.error("503 no recipients");
        }
        if line.ends_with("LAST") {
            (self.mail, self.rcpt) = (false, false);
        }
        self.say("250 chunk ok");
    }

    /// Notes a reply; each line of it is one of `text`.
    fn say(&mut self, text: &str) {
        let (code, lines) = text.split_at(4);
        let lines: Vec<_> = lines.lines().collect();
        let (last, others) = lines.split_last().unwrap();
        let mut reply = String::new();
        for line in others {
            reply += &format!("{}-{line}\r\n", code.trim());
        }
        self.replies.push(format!("{reply}{code}{last}\r\n"));
    }

    /// Writes the replies to what came in one segment.
    fn answer(&mut self, batch: usize) {
        if batch > 1 {
            if self.has(Reverses) {
                self.replies.reverse();
            }
            if self.has(SaysMore) {
                self.say("250 more");
            }
            if self.has(Merges) {
                let (last, others) = self.replies.split_last().unwrap();
                let code = &last[..3];
                let line = |reply: &String| format!("{code}-{}", &reply[4..]);
                let merged = others.iter().map(line).collect::<String>() + last;
                self.replies = vec![merged];
            }
        }
        if self.has(ForgetsBeforeQuit) && self.closing {
            self.replies.clear();
        }
        self.flush();
    }

    fn flush(&mut self) {
        let replies = self.replies.drain(..).collect::<String>();
        self.write(&replies);
    }

    fn write(&mut self, text: &str) {
        // The client may be gone.
        let _ = self.stream.write_all(text.as_bytes());
        let _ = self.stream.flush();
    }
}

/// Tells whether of two bytes the second is an LF and the first no CR.
fn is_bare_lf(bytes: &[u8]) -> bool {
    matches!(bytes, [before, b'\n'] if *before != b'\r')
}
