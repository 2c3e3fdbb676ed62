//! Takes mail for some mailboxes from everybody, and for everywhere from users; with policies of its own:
//! proxies, greylisting, headers judged early, refusals reworded, a log. `policy_server policy.txt` reads:
//!
//! ```text
//! name mx.example.org
//! certificate chain.pem key.pem
//! mailbox bob@example.org mail/bob
//! outgoing mail/outgoing
//! user alice her-password
//! greylist 60
//! listen mx [::]:25
//! listen mx-by-proxy [::]:2525
//! listen submission [::]:587
//! listen submissions [::]:465
//! ```

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, atomic};
use std::time::{Duration, Instant, SystemTime};
use std::{fs::File, io::Write, path::PathBuf};

use proxy_protocol::ProxyProtocol;
use smtp_proto_tokio::smtp_proto::server::{Review, Tls};
use smtp_proto_tokio::{Error, Server, server::*, tls::TlsAcceptor};

#[allow(dead_code, reason = "its `main` is not needed")]
#[path = "proxy_protocol.rs"]
mod proxy_protocol;

/// How many recipients a client may guess wrong, and how many strangers are remembered.
const GUESSES: u32 = 3;
const STRANGERS: usize = 100_000;

/// Of a connection, its wrong guesses; of a recipient, the folder that its mail goes to.
type Remembered = (atomic::AtomicU32, (), PathBuf);
type Client = Session<Remembered>;
type Begun = Transaction<Remembered>;
type Letter = Envelope<Remembered>;
type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// What all listeners have in common.
#[derive(Default)]
struct House {
    mailboxes: HashMap<String, PathBuf>,
    outgoing: PathBuf,
    passwords: HashMap<String, String>,
    greylist: Duration,
    strangers: Mutex<HashMap<(IpAddr, String, String), Instant>>,
}

struct Policy {
    listener: String,
    house: Arc<House>,
    /// How a session goes on once a user has logged in.
    for_users: Config,
    log: fn(String),
}

struct Delivery {
    name: String,
    folders: BTreeSet<PathBuf>,
    content: Vec<u8>,
}

impl House {
    /// Returns whether a stranger has tried before, long enough ago, as mail servers do.
    fn knows(&self, client: IpAddr, sender: String, recipient: String) -> bool {
        let mut strangers = self.strangers.lock().unwrap();
        if strangers.len() >= STRANGERS {
            strangers.clear();
        }
        let first = strangers.entry((client, sender, recipient));
        first.or_insert_with(Instant::now).elapsed() >= self.greylist
    }
}

impl Handler<Remembered> for Policy {
    type Sink = Delivery;

    async fn authenticate(&self, _: &Client, shown: Credential<'_>) -> Result<Identity, Refusal> {
        if let Credential::Password { user, password, .. } = shown
            && let Some(known) = self.house.passwords.get(user)
        {
            // In the same time wherever they differ.
            let pairs = known.bytes().zip(password.bytes());
            let difference = pairs.fold(0, |sum, (a, b)| sum | (a ^ b));
            if known.len() == password.len() && difference == 0 {
                return Ok(user.into());
            }
        }
        Err(invalid_credentials().into())
    }

    async fn mail(&self, client: &Client, _: &Sender) -> Verdict {
        match client.identity() {
            Some(_) => Ok(Accept::with(()).configure(self.for_users.clone())),
            None => accept(),
        }
    }

    async fn recipient(&self, client: &Client, begun: &Begun, to: &Recipient) -> Verdict<PathBuf> {
        let address = to.path.to_string().to_lowercase();
        let mailbox = self.house.mailboxes.get(&address).cloned();
        if client.identity().is_some() {
            return Ok(mailbox.unwrap_or(self.house.outgoing.clone()).into());
        }
        let Some(folder) = mailbox else {
            if client.state().fetch_add(1, atomic::Ordering::Relaxed) < GUESSES {
                return Err(refuse!("550 5.1.1 No such mailbox here"));
            }
            let words = refuse!("550 5.7.1 You are guessing");
            return Err(Refusal::closing(words.reply().cloned()));
        };
        let sender = begun.sender.path.to_string();
        let is_known = |it: SocketAddr| self.house.knows(it.ip(), sender, address);
        match client.peer().is_none_or(is_known) {
            true => Ok(folder.into()),
            false => Err(refuse!("450 4.7.1 We have not met, try again later")),
        }
    }

    async fn content(&self, client: &Client, letter: Letter) -> Result<Delivery, Refusal> {
        let time = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Ok(Delivery {
            name: format!("{}-{}.eml", time.as_nanos(), client.id()),
            folders: letter.recipients.into_iter().map(|it| it.state).collect(),
            content: Vec::new(),
        })
    }

    async fn review(&self, _: &Client, _: &Reply<'static>, why: Reason) -> Option<Reply<'static>> {
        let words = match why {
            Reason::AuthenticationRequired => refuse!("530 5.7.0 Log in, or send to port 25"),
            Reason::TlsRequired => refuse!("530 5.7.0 Nothing goes in clear here"),
            _ => return None,
        };
        words.reply().cloned()
    }

    fn closed(&self, client: &Client, result: Result<(), &Error>, tally: &Tally) {
        let or_dash = |text: Option<String>| text.unwrap_or("-".into());
        let (listener, id, tls) = (&self.listener, client.id(), client.tls().is_some());
        let peer = or_dash(client.peer().map(|it| it.to_string()));
        let hello = or_dash(client.hello().map(|it| it.name.to_string()));
        let user = or_dash(client.identity().map(|it| it.name.clone()));
        let (messages, recipients, bytes) = (tally.messages, tally.recipients, tally.bytes);
        let (refusals, quit, time) = (tally.refusals, tally.quit, tally.duration.as_secs_f32());
        let refusal = or_dash(tally.last_refusal.as_ref().map(|it| it.to_string()));
        let error = or_dash(result.err().map(|it| it.to_string()));
        (self.log)(format!(
            "listener={listener} id={id} peer={peer} hello={hello:?} tls={tls} user={user:?} \
             messages={messages} recipients={recipients} bytes={bytes} refusals={refusals} \
             last_refusal={refusal:?} quit={quit} time={time:.3} error={error:?}",
        ));
    }
}

impl Sink for Delivery {
    /// Refuses early what has not one field of the author (RFC 5322 3.6).
    async fn header(&mut self, header: &[u8]) -> Result<(), Refusal> {
        let name = |line: &&[u8]| line.get(..5).map(|it| it.to_ascii_lowercase());
        let is_from = |line: &&[u8]| name(line).as_deref() == Some(b"from:");
        match header.split(|it| *it == b'\n').filter(is_from).count() {
            1 => Ok(()),
            _ => Err(refuse!("550 5.6.0 A message has one From field")),
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.content.extend_from_slice(bytes);
        Ok(())
    }

    async fn finish(self) -> Verdict {
        match tokio::task::spawn_blocking(move || self.store()).await {
            Ok(Ok(())) => accept(),
            _ => Err(refuse!("452 4.3.1 It cannot be stored now")),
        }
    }
}

impl Delivery {
    fn store(&self) -> std::io::Result<()> {
        self.folders.iter().try_for_each(|folder| {
            let mut file = File::create_new(folder.join(&self.name))?;
            file.write_all(&self.content)?;
            file.sync_all()
        })
    }
}

/// Serves all listeners, and returns where they are.
pub(crate) async fn start(settings: &str, log: fn(String)) -> Fallible<Vec<SocketAddr>> {
    let mut house = House::default();
    let (mut name, mut tls, mut listeners) = ("localhost", None, Vec::new());
    for line in settings.lines() {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            [] => {}
            ["name", it] => name = it,
            ["certificate", chain, key] => tls = Some(TlsAcceptor::from_pem_files(chain, key)?),
            ["mailbox", address, folder] => {
                let address = format!("<{address}>");
                house.mailboxes.insert(address, folder.into());
            }
            ["outgoing", folder] => house.outgoing = folder.into(),
            ["user", user, password] => drop(house.passwords.insert(user.into(), password.into())),
            ["greylist", seconds] => house.greylist = Duration::from_secs(seconds.parse()?),
            ["listen", listener, address] => listeners.push((listener, address)),
            _ => return Err(format!("not understood: {line}").into()),
        }
    }
    let (house, tls) = (Arc::new(house), tls.ok_or("which certificate?")?);
    let mut addresses = Vec::new();
    for (listener, address) in listeners {
        let config = Config::new(Host::parse(name)?).review(Review::Refusals);
        let by_password = config.clone().mechanisms(["PLAIN", "LOGIN"])?;
        let config = match listener {
            "mx" | "mx-by-proxy" => config.tls(Tls::Offered).max_errors(5),
            "submission" => by_password.require_auth().tls(Tls::Required),
            "submissions" => by_password.require_auth().tls(Tls::Implicit),
            _ => return Err(format!("what is {listener}?").into()),
        };
        let policy = Policy {
            listener: listener.into(),
            house: Arc::clone(&house),
            for_users: config.clone().max_recipients(5000),
            log,
        };
        let mut server = Server::bind(address, Options::new(config).tls(tls.clone())).await?;
        addresses.push(server.local_addr()?);
        if listener == "mx-by-proxy" {
            server = server.prepare(ProxyProtocol, limits::PREPARATION);
        }
        tokio::spawn(server.serve(policy));
    }
    Ok(addresses)
}

#[tokio::main]
async fn main() -> Fallible<()> {
    let file = std::env::args().nth(1).ok_or("policy_server FILE")?;
    start(&std::fs::read_to_string(file)?, |line| println!("{line}")).await?;
    std::future::pending().await
}
