//! A mail server on this machine, for the time of a test.

use std::{
    boxed::Box,
    format,
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    string::String,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
    vec,
    vec::Vec,
};

use super::conversation::{Conversation, Next};
use super::reaction::Reaction;
use super::record::{RecordedMessage, Records};
use crate::machine::TlsInfo;
use crate::server::Config;
use crate::syntax::Host;

/// How long a client may take to notice that its connection was ended.
const LINGER: Duration = Duration::from_secs(1);
/// How long a client may take none of what is there for it to read.
const PATIENCE: Duration = Duration::from_secs(30);

/// Does handshakes.
type Handshake = Arc<dyn Fn(TcpStream) -> io::Result<(Box<dyn Duplex>, TlsInfo)> + Send + Sync>;

/// Bytes in both directions.
trait Duplex: Read + Write + Send {}

impl<S: Read + Write + Send> Duplex for S {}

/// A mail server that listens on this machine, takes every message, and tells what it got.
///
/// It is a right one, of [`server`](crate::server)'s making: a program that does not keep to the protocol
/// is told so. What it is to refuse, to delay or to break off, [reactions](Reaction) say. It ends when
/// it is dropped. See the [module](super) for examples.
#[derive(Debug)]
pub struct TestServer {
    address: SocketAddr,
    records: Arc<Records>,
    listener: Option<JoinHandle<()>>,
}

impl TestServer {
    /// Starts a server with every default, on a port of 127.0.0.1 that is free.
    ///
    /// # Errors
    ///
    /// Fails if it cannot listen.
    pub fn start() -> io::Result<Self> {
        let name = Host::parse("test.example").map_err(io::Error::other)?;
        Self::with(Config::new(name))
    }

    /// Starts a server that goes by this configuration: what it offers, whether it speaks LMTP, its
    /// limits. It does no TLS: STARTTLS is answered 454. Where it offers authentication, it believes
    /// whatever it is told.
    ///
    /// # Errors
    ///
    /// Fails if it cannot listen.
    pub fn with(config: Config) -> io::Result<Self> {
        Self::listening(config, None)
    }

    /// Starts a server that does TLS as its configuration says: by `handshake`, which returns what leads
    /// through it. With rustls that is `TlsAcceptor::accept` of `smtp-engine-rustls`. What it
    /// [says](Self::say) unasked, or [cuts](Self::cut_after), is what is under TLS before it.
    ///
    /// # Errors
    ///
    /// Fails if it cannot listen.
    pub fn with_tls<S: Read + Write + Send + 'static>(
        config: Config,
        handshake: impl Fn(TcpStream) -> io::Result<(S, TlsInfo)> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let handshake = move |socket| {
            let (stream, info) = handshake(socket)?;
            let stream: Box<dyn Duplex> = Box::new(stream);
            Ok((stream, info))
        };
        Self::listening(config, Some(Arc::new(handshake)))
    }

    fn listening(config: Config, handshake: Option<Handshake>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let records = Arc::new(Records::default());
        let shared = Arc::clone(&records);
        let listener = thread::Builder::new().spawn(move || {
            accept(&listener, &config, handshake.as_ref(), &shared);
        })?;
        Ok(Self {
            address,
            records,
            listener: Some(listener),
        })
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns where it listens, as a URL: `smtp://127.0.0.1:…`.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// Has it react so from now on. Of several reactions that fit, the first counts.
    pub fn react(&self, reaction: Reaction) {
        self.records.react(reaction);
    }

    /// Has the next connection that comes end once so many bytes have arrived by it, and the replies
    /// to them were sent. Called again, it is about the connection after that.
    pub fn cut_after(&self, bytes: u64) {
        self.records.cut_after(bytes);
    }

    /// Says this on every open connection, with CR LF after it: what no client has asked for.
    pub fn say(&self, text: &str) {
        self.records.say(text);
    }

    /// Returns the messages that were taken, in the order in which they were.
    pub fn messages(&self) -> Vec<RecordedMessage> {
        self.records.messages()
    }

    /// Returns what was said on each connection, in the order in which they came: one line each, with
    /// `C: ` before the client's and `S: ` before the server's. Contents are counted, and what
    /// authenticates somebody is left out.
    pub fn dialogues(&self) -> Vec<String> {
        self.records.dialogues()
    }

    /// Waits until no connection is open, no longer than that; returns whether it has come to that.
    ///
    /// A message is there as soon as its client knows that it was taken. This is for what comes after
    /// it, as QUIT.
    pub fn wait(&self, limit: Duration) -> bool {
        self.records.wait_for_end(limit)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.records.end_all();
        // Wakes the one that accepts. If that fails, it has ended.
        if TcpStream::connect(self.address).is_ok()
            && let Some(listener) = self.listener.take()
        {
            let _ = listener.join();
        }
    }
}

/// Accepts connections until the server ends, and waits for them.
fn accept(
    listener: &TcpListener,
    config: &Config,
    handshake: Option<&Handshake>,
    records: &Arc<Records>,
) {
    let mut threads = Vec::new();
    while let Ok((stream, _)) = listener.accept() {
        let Ok(copy) = stream.try_clone() else {
            break;
        };
        let Some((connection, cut)) = records.begin(copy) else {
            break;
        };
        let (config, shared) = (config.clone(), Arc::clone(records));
        let handshake = handshake.cloned();
        let serve = move || {
            let conversation = Conversation::new(config, Arc::clone(&shared), connection);
            let conversation = match handshake {
                Some(_) => conversation,
                None => conversation.without_tls(),
            };
            // What fails is the client's connection, which it notices itself.
            let _ = serve(conversation, stream, handshake, cut, &shared);
            shared.end(connection);
        };
        match thread::Builder::new().spawn(serve) {
            Ok(thread) => threads.push(thread),
            Err(_) => records.end(connection),
        }
    }
    for thread in threads {
        let _ = thread.join();
    }
}

/// Serves a connection to its end.
fn serve(
    mut conversation: Conversation,
    mut socket: TcpStream,
    handshake: Option<Handshake>,
    cut: Option<u64>,
    records: &Records,
) -> io::Result<()> {
    let begun = Instant::now();
    let mut buffer = vec![0; 16 * 1024];
    let mut left = cut.unwrap_or(u64::MAX);
    let mut is_eof = false;
    socket.set_nodelay(true)?;
    socket.set_write_timeout(Some(PATIENCE))?;
    let mut stream: Box<dyn Duplex> = Box::new(socket.try_clone()?);
    loop {
        let next = conversation.advance(begun.elapsed());
        stream.write_all(&conversation.take_output())?;
        match next {
            Next::Wait(delay) => records.wait(delay),
            Next::Handshake => {
                socket.set_read_timeout(Some(PATIENCE))?;
                let done = match &handshake {
                    Some(handshake) => handshake(socket.try_clone()?),
                    None => Err(ErrorKind::Unsupported.into()),
                };
                let done = done.map(|(secured, info)| {
                    stream = secured;
                    info
                });
                conversation.shook_hands(done, begun.elapsed());
            }
            Next::Read if left > 0 && !is_eof => {
                let until = conversation.poll_timeout();
                let wait = until.map(|at| at.saturating_sub(begun.elapsed()));
                socket.set_read_timeout(wait.map(|wait| wait.max(Duration::from_millis(1))))?;
                let most = usize::try_from(left).unwrap_or(usize::MAX);
                let room = buffer.len().min(most);
                match stream.read(buffer.get_mut(..room).unwrap_or_default()) {
                    Ok(0) => {
                        is_eof = true;
                        conversation.handle_eof();
                    }
                    Ok(read) => {
                        left = left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
                        conversation.receive(buffer.get(..read).unwrap_or_default());
                    }
                    Err(error) if is_timeout(&error) => {
                        conversation.handle_timeout(begun.elapsed())
                    }
                    Err(error) => return Err(error),
                }
            }
            Next::Read | Next::End => return end(&mut socket, &mut buffer),
        }
    }
}

/// Ends a connection so that its client reads all that was sent: one that is closed with bytes unread
/// is reset.
fn end(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<()> {
    let begun = Instant::now();
    stream.shutdown(Shutdown::Write)?;
    while let Some(left) = LINGER
        .checked_sub(begun.elapsed())
        .filter(|it| !it.is_zero())
    {
        stream.set_read_timeout(Some(left))?;
        if stream.read(buffer)? == 0 {
            break;
        }
    }
    Ok(())
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}
