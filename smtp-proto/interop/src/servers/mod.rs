//! Servers that others wrote: how each is started, and what it stored.

mod exim;
mod libraries;
mod mailbox;
mod postfix;
mod smtp_sink;

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::atomic::{AtomicU16, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use smtp_proto::machine::Dialect;

use crate::{Run, stored::Stored, tree::Tree};

/// The user that every server knows.
pub(crate) const USER: &str = "alice";
/// The user's password.
pub(crate) const PASSWORD: &str = "s3cret";

/// How long a server may take to greet.
const START: Duration = Duration::from_secs(30);
/// How long a server may take to deliver what it accepted.
const DELIVERY: Duration = Duration::from_secs(120);

/// A server that others wrote.
///
/// It takes recipients at `interop.test`, except `nobody`, and refuses those of other domains.
pub(crate) trait Server: Sync {
    /// Returns its name.
    fn name(&self) -> &'static str;

    /// Returns the path of its program within the tree.
    fn program(&self) -> &'static str;

    /// Returns a shell script that prints its version.
    fn version_script(&self) -> &'static str;

    /// Returns the protocol that it speaks.
    fn dialect(&self) -> Dialect {
        Dialect::Smtp
    }

    /// Returns the files that it needs in its work folder.
    fn files(&self, port: u16) -> Vec<(&'static str, String)>;

    /// Returns a shell script that becomes the server, with its work folder at
    /// `/mnt`. It stores messages below `stored` there.
    fn script(&self, port: u16) -> String;

    /// Reads one copy that it stored; `None` if it is none.
    fn read(&self, file: &Path) -> Result<Option<Stored>>;

    /// Returns what it stores of a content, by DATA or by chunks: its own line ends, for instance.
    fn as_stored(&self, content: &[u8], by_chunks: bool) -> Vec<u8>;

    /// Tells whether its log says of which client each message is.
    fn logs_clients(&self) -> bool {
        false
    }

    /// Tells whether it refuses a recipient.
    fn refuses(&self, recipient: &str) -> bool {
        !recipient.ends_with("@interop.test") || recipient.starts_with("nobody@")
    }
}

/// Returns all servers, whether installed or not.
pub(crate) fn all() -> Vec<&'static dyn Server> {
    vec![
        &postfix::POSTFIX,
        &exim::EXIM,
        &libraries::AIOSMTPD,
        &libraries::AIOSMTPD_LMTP,
        &libraries::GO_SMTP,
        &libraries::GO_SMTP_LMTP,
        &smtp_sink::SMTP_SINK,
    ]
}

/// Tells whether a server is installed.
pub(crate) fn is_installed(server: &dyn Server, tree: &Tree) -> bool {
    tree.has(server.program())
}

/// A server that runs, until it is dropped.
pub(crate) struct Running {
    pub(crate) server: &'static dyn Server,
    pub(crate) address: SocketAddr,
    folder: PathBuf,
    child: Child,
}

impl Running {
    /// Starts a server at a port that is free, and waits until it greets.
    pub(crate) fn start(run: &Run, server: &'static dyn Server) -> Result<Self> {
        let mut result = Self::try_start(run, server);
        for _ in 0..2 {
            if result.is_err() {
                result = Self::try_start(run, server); // another program may have taken the port
            }
        }
        result.with_context(|| format!("{} does not start", server.name()))
    }

    fn try_start(run: &Run, server: &'static dyn Server) -> Result<Self> {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = run.tree.work().join(format!("{}-{number}", server.name()));
        fs::create_dir(&folder)?;
        fs::create_dir(folder.join("stored"))?;
        let port = reserve_port()?;
        fs::copy(&run.pki.certificate, folder.join("certificate.pem"))?;
        fs::copy(&run.pki.key, folder.join("key.pem"))?;
        for (name, text) in server.files(port) {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap_or(&folder))?;
            fs::write(path, text)?;
        }
        // The shell is the first process of its namespace: when it ends, on the end of its input,
        // everything ends that was started in there.
        let script = format!(
            "( {} ) </dev/null >/mnt/log 2>&1 &\nread _",
            server.script(port)
        );
        let child = run
            .tree
            .command(&folder, &script)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join("enter.log"))?)
            .spawn()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let running = Self {
            server,
            address,
            folder,
            child,
        };
        running.wait_for_greeting()?;
        Ok(running)
    }

    fn wait_for_greeting(&self) -> Result<()> {
        let deadline = Instant::now() + START;
        while Instant::now() < deadline {
            if greets(self.address) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        bail!("no greeting\n{}", self.log());
    }

    /// Returns what the server wrote into its log.
    pub(crate) fn log(&self) -> String {
        let read = |name| fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        ["enter.log", "log", "maillog"].map(read).concat()
    }

    /// Returns all copies that were stored, with whatever the server put on top.
    pub(crate) fn copies(&self) -> Result<Vec<Vec<u8>>> {
        let mut files = Vec::new();
        list(&self.folder.join("stored"), &mut files)?;
        files.into_iter().map(|file| Ok(fs::read(file)?)).collect()
    }

    /// Returns all copies that were stored, as soon as there are so many.
    pub(crate) fn stored(&self, copies: usize) -> Result<Vec<Stored>> {
        let deadline = Instant::now() + DELIVERY;
        let mut stored = BTreeMap::new();
        loop {
            let mut files = Vec::new();
            list(&self.folder.join("stored"), &mut files)?;
            for file in files {
                if !stored.contains_key(&file)
                    && let Some(copy) = self.server.read(&file)?
                {
                    stored.insert(file, copy);
                }
            }
            let found: usize = stored.values().map(|copy| copy.recipients.len()).sum();
            if found >= copies || Instant::now() > deadline {
                return Ok(stored.into_values().collect());
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Forgets what was stored.
    pub(crate) fn forget(&self) -> Result<()> {
        let mut files = Vec::new();
        list(&self.folder.join("stored"), &mut files)?;
        for file in files {
            match fs::remove_file(file) {
                // The server took a temporary name away itself, after a delivery.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait(); // it has ended
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.server.name(), self.address)
    }
}

/// Returns a port that is free, and that this program gives to no one else.
///
/// One that the system chooses may be chosen again, for another server or a client's own end,
/// before the server listens at it: the ports here are below those that Linux chooses from.
fn reserve_port() -> Result<u16> {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    // Programs that run at once begin at different ones.
    let first = 20_000 + (std::process::id() % 100) as u16 * 100;
    loop {
        let port = first + TRIED.fetch_add(1, Ordering::Relaxed);
        if port >= 32_000 {
            bail!("no port from {first} to {port} is free");
        }
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn greets(address: SocketAddr) -> bool {
    let greeting = || {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(START))?;
        let mut code = [0; 3];
        stream.read_exact(&mut code)?;
        stream.write_all(b"QUIT\r\n")?;
        let _ = stream.read_to_end(&mut Vec::new()); // it takes its leave in its way
        Ok::<_, std::io::Error>(code)
    };
    greeting().is_ok_and(|code| &code == b"220")
}

/// Lists the files below a folder.
fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            list(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}
