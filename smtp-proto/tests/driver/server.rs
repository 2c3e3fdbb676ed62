//! The server's loop.

use std::{
    cell::{Cell, RefCell},
    io,
    ops::ControlFlow,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use smtp_proto::{
    delivery::Error,
    driver::{Attends, ServerDriver},
    machine::TraceEntry,
    reception::{
        Accept, Answer, Call, Notice, Options, Phase, Question, Reception, Session, Tally, accept,
    },
    server::Config,
    syntax::Host,
};

use crate::wire::{Fake, Far};

const EHLO: &str = "EHLO c.example\r\n";
const SHUT_DOWN: &str = "the session was shut down (between transactions)";
const TRANSACTION: &str = "MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\n";

/// Accepts everything, and keeps what it was asked and told.
#[derive(Clone, Default)]
struct App {
    told: Rc<RefCell<Vec<String>>>,
    /// It is at something of its own.
    is_busy: Rc<Cell<bool>>,
}

impl Attends<()> for App {
    fn make(&mut self, reception: &mut Reception<()>, call: Call<'_, ()>, _: &mut Context<'_>) {
        let name = match call {
            Call::Question(asked, question) => {
                let (name, answer) = match question {
                    Question::Connected => ("connected", Answer::Session(Ok(Accept::with(())))),
                    Question::Mail(_) => ("mail", Answer::Transaction(accept())),
                    Question::Recipient(..) => ("recipient", Answer::Recipient(accept())),
                    _ => ("other", Answer::Plain(accept())),
                };
                reception.answer(asked, answer);
                name
            }
            Call::Notice(Notice::Reset { .. }) => "reset",
            _ => "other",
        };
        self.told.borrow_mut().push(name.to_owned());
    }

    fn is_idle(&self) -> bool {
        !self.is_busy.get()
    }

    fn trace(&self, _: &Session<()>, _: &TraceEntry) {}

    fn closed(&self, _: &Session<()>, result: Result<(), &Error>, _: &Tally) {
        let words = result.map_or_else(ToString::to_string, |()| "in good order".into());
        self.told.borrow_mut().push(format!("closed {words}"));
    }
}

struct Served {
    driver: ServerDriver<Fake, (), App>,
    app: App,
    far: Rc<RefCell<Far>>,
}

impl Served {
    /// Serves a client that says so in the end, and says nothing more.
    fn new(says: &[&'static str]) -> Self {
        let far = Far {
            says: says.iter().copied().map(Ok).collect(),
            is_talkative: true,
            stays: true,
            ..Far::default()
        };
        let (far, app) = (Rc::new(RefCell::new(far)), App::default());
        let options = Options::new(Config::new(Host::parse("mx.example").unwrap()));
        let driver = ServerDriver::new(Fake(Rc::clone(&far)), options, app.clone(), Ok(()));
        let mut served = Self { driver, app, far };
        // It waits to be greeted.
        let says = std::mem::take(&mut served.far.borrow_mut().says);
        assert!(served.runs().is_none());
        served.far.borrow_mut().says = says;
        served
    }

    /// Goes on until nothing more can be done, and returns how it has ended, if it has.
    fn runs(&mut self) -> Option<Result<(), Error>> {
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..10_000 {
            match self.driver.poll_turn(&mut cx) {
                Poll::Ready(ControlFlow::Continue(())) => {}
                Poll::Ready(ControlFlow::Break(result)) => return Some(result),
                Poll::Pending => return None,
            }
        }
        panic!("it goes round for ever");
    }

    fn says(&self, text: &'static str) {
        self.far.borrow_mut().says.push_back(Ok(text));
    }

    fn told(&self) -> Vec<String> {
        self.app.told.take()
    }

    /// Ends the session at once, as nothing is under way; the client does not close.
    fn ending(says: &[&'static str]) -> Self {
        let mut served = Self::new(says);
        assert!(served.runs().is_none());
        served.driver.follow(Phase::Ending);
        assert!(served.runs().is_none());
        assert!(served.far.borrow().heard.contains("\r\n421 "));
        assert_eq!(served.far.borrow().shutdowns, 1);
        assert_eq!(served.told(), ["connected", "other"]);
        served
    }
}

/// A connection that is closed with bytes unread is reset, and the 421 may be lost with it. So they are
/// read, for a second and as many as a client may have sent before it heard.
#[test]
fn what_is_still_sent_is_read_for_a_while() {
    let closes = |mut served: Served| {
        let error = served.runs().unwrap().unwrap_err().to_string();
        assert_eq!(error, SHUT_DOWN);
        assert_eq!(served.told(), [format!("closed {SHUT_DOWN}")]);
        assert_eq!(served.far.borrow().shutdowns, 1);
        drop(served.driver);
        assert_eq!(served.app.told.take(), [""; 0], "that was told");
    };
    // The client closes.
    let mut served = Served::ending(&[EHLO]);
    served.says("NOOP\r\n");
    assert!(served.runs().is_none());
    assert!(served.far.borrow().says.is_empty());
    served.far.borrow_mut().stays = false;
    closes(served);
    // It has gone.
    let served = Served::ending(&[EHLO]);
    let gone = io::ErrorKind::ConnectionReset.into();
    served.far.borrow_mut().says.push_back(Err(gone));
    closes(served);
    // It has had its time.
    let mut served = Served::ending(&[EHLO]);
    served.far.borrow_mut().now = Duration::from_millis(999);
    assert!(served.runs().is_none());
    served.far.borrow_mut().now = Duration::from_secs(1);
    closes(served);
    // It goes on and on.
    let served = Served::ending(&[EHLO]);
    let more: &str = "x".repeat(1024).leak();
    for _ in 0..257 {
        served.says(more);
    }
    let far = Rc::clone(&served.far);
    closes(served);
    assert_eq!(far.borrow().says.len(), 1);
}

/// Whoever says QUIT sends nothing more.
#[test]
fn nothing_is_read_after_quit() {
    let mut served = Served::new(&[EHLO, "QUIT\r\n"]);
    served.runs().unwrap().unwrap();
    assert_eq!(served.far.borrow().shutdowns, 1);
    let told = served.told();
    assert_eq!(told.last().unwrap(), "closed in good order");
}

/// When the grace is over nothing is waited for: neither for the client nor for the application.
#[test]
fn nothing_is_waited_for_after_the_grace() {
    for is_busy in [false, true] {
        let mut served = Served::ending(&[EHLO]);
        served.app.is_busy.set(is_busy);
        assert!(served.runs().is_none());
        served.driver.follow(Phase::Over);
        assert!(served.runs().is_some());
        assert_eq!(served.told(), [format!("closed {SHUT_DOWN}")]);
    }
    // Before that, the application is.
    let mut served = Served::ending(&[EHLO]);
    served.app.is_busy.set(true);
    served.far.borrow_mut().stays = false;
    assert!(served.runs().is_none());
    served.app.is_busy.set(false);
    assert!(served.runs().is_some());
}

/// A session that is ended in its midst says so if that is taken at once, tells what has come to nothing,
/// and lets go of the client.
#[test]
fn what_the_grace_cuts_off_is_told() {
    for takes in [None, Some(0)] {
        let mut served = Served::new(&[EHLO, TRANSACTION]);
        assert!(served.runs().is_none());
        assert_eq!(served.told(), ["connected", "other", "mail", "recipient"]);
        served.driver.follow(Phase::Ending);
        assert!(
            served.runs().is_none(),
            "the transaction may come to its end"
        );
        let mut far = served.far.borrow_mut();
        let before = far.heard.len();
        far.takes = takes;
        far.says.push_back(Ok("NOOP\r\n"));
        drop(far);
        served.driver.follow(Phase::Over);
        let error = served.runs().unwrap().unwrap_err().to_string();
        assert!(error.starts_with("the session was shut down"), "{error}");
        assert_eq!(served.told(), ["reset".into(), format!("closed {error}")]);
        let far = served.far.borrow();
        assert_eq!(far.heard[before..].starts_with("421 "), takes.is_none());
        assert_eq!((far.says.len(), far.shutdowns), (1, 0));
    }
}

/// The application hears what a client does that does not read its answers.
#[test]
fn calls_are_made_while_nothing_can_be_written() {
    let mut served = Served::new(&[EHLO]);
    assert!(served.runs().is_none());
    served.told();
    served.far.borrow_mut().takes = Some(0);
    for (says, told) in [("RSET\r\n", &[][..]), (TRANSACTION, &["mail", "recipient"])] {
        served.says(says);
        assert!(served.runs().is_none());
        assert_eq!(served.told(), told);
    }
}

/// 2920-3.2-b: all that can be answered by now leaves together.
#[test]
fn a_group_is_answered_in_one_write() {
    let mut served = Served::new(&[EHLO]);
    assert!(served.runs().is_none());
    let writes = served.far.borrow().writes;
    served.says(TRANSACTION);
    assert!(served.runs().is_none());
    assert_eq!(served.far.borrow().writes - writes, 1);
}

/// Whoever drops a connection in its midst hears of its end, once.
#[test]
fn a_connection_that_is_dropped_is_told() {
    let mut served = Served::new(&[EHLO, TRANSACTION]);
    assert!(served.runs().is_none());
    served.told();
    drop(served.driver);
    let told = served.app.told.take();
    assert!(
        matches!(&told[..], [one] if one.starts_with("closed ")),
        "{told:?}"
    );
}
