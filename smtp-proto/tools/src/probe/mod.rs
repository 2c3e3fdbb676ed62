//! Tests how a mail server speaks SMTP, without delivering anything, and says how to speak to it.
//!
//! Every test is a file of `checks`, which says what is sent and what the answers mean; this one
//! has the order of them, and the connections that they share.

mod checks;
mod dialogue;
mod evidence;
mod finding;
mod options;
mod output;
mod policy;
mod session;

use smtp_proto::{
    client,
    machine::Dialect,
    syntax::{Capabilities, Code, Extension, ForwardPath, Host},
};

use crate::{Endpoint, security::Secret};

pub use self::{
    checks::*,
    dialogue::{Address, Silence},
    evidence::{Evidence, Said},
    finding::{Check, Finding, Outcome, Reason, Verdict},
    options::Options,
    output::{json, table},
    policy::{Advice, Policy},
    session::{Channel, NoSession},
};
use self::{
    dialogue::Dialogue,
    session::{Certificates, Server, Session, TlsFailure},
};

/// All that was found out about a server.
#[derive(Clone, Debug)]
pub struct Report {
    /// The server.
    pub target: Endpoint,
    /// Its address.
    pub address: Address,
    /// Where the commands went.
    pub channel: Channel,
    /// What the server offers there.
    pub capabilities: Capabilities,
    /// What was found out, in order.
    pub findings: Vec<Finding>,
    /// What to make of it.
    pub advice: Advice,
}

impl Report {
    /// Returns the verdict of each finding.
    pub fn verdicts(&self) -> impl Iterator<Item = Verdict> {
        self.findings.iter().map(Finding::verdict)
    }

    /// Tells whether there was a session to test anything in.
    pub fn is_tested(&self) -> bool {
        !matches!(
            self.outcome(Check::OneByOne),
            None | Some(Outcome::Untested(..))
        )
    }

    /// Returns what a check came to.
    pub fn outcome(&self, check: Check) -> Option<&Outcome> {
        finding::outcome(&self.findings, check)
    }

    /// Returns what a client may rely on, as an answer to EHLO: what the server offers, but for what
    /// was found not to hold.
    pub fn known_capabilities(&self) -> Vec<u8> {
        let mut capabilities = self.capabilities.clone();
        if self.advice.policy == Policy::LockStep {
            capabilities = capabilities.without(Extension::Pipelining);
        }
        let chunks = [Check::StreamProof, Check::SplitChunk, Check::Chunks];
        let is_wrong = |it: &Finding| it.verdict() == Verdict::Wrong;
        let mut chunks = self
            .findings
            .iter()
            .filter(|it| chunks.contains(&it.check()));
        if chunks.any(is_wrong) {
            capabilities = capabilities
                .without(Extension::Chunking)
                .without(Extension::BinaryMime);
        }
        let host = Host::parse(self.target.host().unwrap_or_default());
        let host = host.or_else(|_| Host::parse("localhost"));
        let mut answer = Vec::new();
        if let Ok(host) = host {
            capabilities.write_reply(&host, &mut answer);
        }
        answer
    }
}

/// Tests a server.
///
/// # Errors
///
/// Fails if it cannot be reached, or takes no session at all; else whatever could not be tested is
/// a finding.
pub fn probe(options: &Options) -> Result<Report, NoSession> {
    let secret = options.credentials.read().map_err(NoSession::Options)?;
    let (server, dialogue) = Server::find(options)?;
    let mut probe = Probe {
        server,
        findings: Vec::new(),
    };
    let capabilities = probe.run(dialogue, secret)?;
    let dialect = match options.lmtp {
        true => Dialect::Lmtp,
        false => Dialect::Smtp,
    };
    Ok(Report {
        target: options.target.clone(),
        address: probe.server.address.clone(),
        channel: probe.server.channel,
        capabilities,
        advice: policy::advise(&probe.findings, dialect),
        findings: probe.findings,
    })
}

/// What is tested in one session, one after the other.
const LINES: [Check; 4] = [Check::Split, Check::Size, Check::LineLength, Check::BareLf];

struct Probe<'a> {
    server: Server<'a>,
    findings: Vec<Finding>,
}

impl<'a> Probe<'a> {
    /// Runs all checks, and returns what is offered where they are made.
    fn run(
        &mut self,
        dialogue: Dialogue,
        secret: Option<Secret>,
    ) -> Result<Capabilities, NoSession> {
        let mut capabilities = self.opening(dialogue)?;
        if let Some(check) = self.miscounted() {
            self.all_untested(&Check::AFTER_OPENING, Reason::Pointless(check));
            return Ok(capabilities);
        }
        if let Some(over_tls) = self.security(&capabilities) {
            capabilities = over_tls;
        }
        match secret {
            Some(secret) => {
                if let Some(after) = self.login(&capabilities, secret) {
                    capabilities = after;
                }
            }
            None => self.untested(Check::Login, Reason::NoConsent("--user")),
        }
        self.note(Outcome::Limits(limits::check(&capabilities)));
        if let Some([mail, ..]) = self.groups() {
            self.lines(mail);
        } else {
            self.all_untested(&LINES, Reason::Pointless(Check::OneByOne));
        }
        self.refused_chunks(&capabilities);
        self.alone(Check::HalfClose, |session, options| {
            Outcome::HalfClose(half_close::check(session, options))
        });
        self.consented(&capabilities);
        Ok(capabilities)
    }

    /// Greeting and EHLO; finds out whether the server demands TLS.
    fn opening(&mut self, mut dialogue: Dialogue) -> Result<Capabilities, NoSession> {
        if self.server.channel == Channel::Implicit {
            dialogue = self.implicit_tls(dialogue)?;
        }
        let greeting = greeting::check(&mut dialogue)?;
        self.found(Outcome::Greeting(greeting), &mut dialogue);
        let (hello, capabilities) = hello::check(&self.server, &mut dialogue)?;
        self.found(Outcome::Hello(hello), &mut dialogue);
        if self.server.channel == Channel::Clear
            && capabilities.has(Extension::StartTls)
            && self.goes_over_tls(&mut dialogue)
        {
            self.server.channel = Channel::StartTls;
        }
        Ok(capabilities)
    }

    /// Tells whether to go where STARTTLS leads.
    fn goes_over_tls(&self, dialogue: &mut Dialogue) -> bool {
        let options = self.server.options;
        if let Some(mode) = options.tls {
            return mode == client::Tls::Opportunistic;
        }
        let mail = dialogue.ask(format!("MAIL FROM:{}\r\n", options.from).as_bytes());
        // RFC 3207 4: STARTTLS comes first.
        mail.is_ok_and(|reply| reply.code() == Code::AUTHENTICATION_REQUIRED)
    }

    /// Tells which reply came twice, so that each later one would be taken for the one before.
    fn miscounted(&self) -> Option<Check> {
        let twice = self.findings.iter().find(|it| match &it.outcome {
            Outcome::Greeting(greeting) => *greeting == Greeting::SaysMore,
            Outcome::Hello(hello) => *hello == Hello::SaysMore,
            _ => false,
        });
        twice.map(Finding::check)
    }

    /// Begins TLS from the first byte; where the certificate does not verify, once more without.
    fn implicit_tls(&mut self, mut dialogue: Dialogue) -> Result<Dialogue, NoSession> {
        let mut done = self.server.handshake(&mut dialogue);
        if let Err(TlsFailure::Certificate(why)) = done {
            self.server.certificates = Certificates::Anyones(why);
            dialogue = self.server.connect()?;
            done = self.server.handshake(&mut dialogue);
        }
        let info = done.map_err(|failure| NoSession::NoTls(failure.to_string()))?;
        self.found(
            Outcome::Tls(Tls::done(&info, &self.server.certificates)),
            &mut dialogue,
        );
        Ok(dialogue)
    }

    /// TLS, and AUTH in and outside of it; returns what is offered over TLS where the rest is tested
    /// there.
    fn security(&mut self, capabilities: &Capabilities) -> Option<Capabilities> {
        let here = auth::mechanisms(capabilities);
        if self.server.channel == Channel::Implicit {
            let (in_clear, over_tls) = (None, Some(here));
            self.note(Outcome::Auth(Auth { in_clear, over_tls }));
            return None;
        }
        let mut over_tls = None;
        if capabilities.has(Extension::StartTls) {
            over_tls = self.start_tls();
            self.injection();
        } else {
            self.note(Outcome::Tls(Tls::NotOffered));
        }
        self.note(Outcome::Auth(Auth {
            in_clear: Some(here),
            over_tls: over_tls.as_ref().map(auth::mechanisms),
        }));
        over_tls.filter(|_| self.server.channel == Channel::StartTls)
    }

    /// Does the handshake after STARTTLS, and returns what is offered then.
    fn start_tls(&mut self) -> Option<Capabilities> {
        loop {
            let mut dialogue = match self.in_clear() {
                Ok(dialogue) => dialogue,
                Err(error) => {
                    self.untested(Check::Tls, Reason::NoSession(error.to_string()));
                    return None;
                }
            };
            match self.server.start_tls(&mut dialogue) {
                Ok(info) => {
                    self.found(
                        Outcome::Tls(Tls::done(&info, &self.server.certificates)),
                        &mut dialogue,
                    );
                    return self.server.hello(&mut dialogue).ok();
                }
                Err(TlsFailure::Certificate(why))
                    if matches!(self.server.certificates, Certificates::Verified(_)) =>
                {
                    self.server.certificates = Certificates::Anyones(why);
                }
                Err(failure) => {
                    self.found(Outcome::Tls(Tls::failed(failure)), &mut dialogue);
                    return None;
                }
            }
        }
    }

    /// Logs in, and has every later session do so, if that works; returns what is offered then.
    fn login(&mut self, capabilities: &Capabilities, secret: Secret) -> Option<Capabilities> {
        if self.server.options.tls.is_none()
            && self.server.channel == Channel::Clear
            && capabilities.has(Extension::StartTls)
        {
            self.server.channel = Channel::StartTls;
        }
        let mut session = self.session(&[Check::Login])?;
        let login = login::check(&self.server, &mut session, &secret);
        let after = match &login {
            Login::Accepted { after, .. } => Some(after.clone()),
            _ => None,
        };
        self.found(Outcome::Login(login), &mut session.dialogue);
        if after.is_some() {
            self.server.secret = Some(secret);
        }
        // Without a login, what is offered is what was found to be.
        after.or_else(|| Some(session.capabilities.clone()))
    }

    fn injection(&mut self) {
        match self.in_clear() {
            Ok(mut dialogue) => {
                let injection = injection::check(&self.server, &mut dialogue);
                self.found(Outcome::Injection(injection), &mut dialogue);
            }
            Err(error) => self.untested(Check::Injection, Reason::NoSession(error.to_string())),
        }
    }

    /// Opens a session in clear, wherever the rest is tested.
    fn in_clear(&self) -> Result<Dialogue, NoSession> {
        let mut dialogue = self.server.connect()?;
        session::greeted(&mut dialogue)?;
        self.server.hello(&mut dialogue)?;
        dialogue.take_evidence();
        Ok(dialogue)
    }

    /// Commands one by one, then together; returns the codes of the first.
    fn groups(&mut self) -> Option<[Code; 4]> {
        let options = self.server.options;
        let mut session = self.session(&[Check::OneByOne, Check::Batch, Check::GroupEnd])?;
        let one_by_one = one_by_one::check(&mut session.dialogue, options);
        self.found(Outcome::OneByOne(one_by_one.clone()), &mut session.dialogue);
        let OneByOne::Answers(answers) = one_by_one else {
            self.untested(Check::Batch, Reason::Pointless(Check::OneByOne));
            self.untested(Check::GroupEnd, Reason::Pointless(Check::OneByOne));
            return None;
        };
        let batch = batch::check(&mut session, options, answers);
        let may_be_used = batch.may_be_used();
        self.found(Outcome::Batch(batch), &mut session.dialogue);
        if may_be_used {
            let group_end = group_end::check(&mut session, options);
            self.found(Outcome::GroupEnd(group_end), &mut session.dialogue);
        } else {
            self.untested(Check::GroupEnd, Reason::Pointless(Check::Batch));
        }
        Some(answers)
    }

    /// What concerns lines, from the harmless to what ends the session.
    fn lines(&mut self, mail: Code) {
        let options = self.server.options;
        let Some(mut session) = self.session(&LINES) else {
            return;
        };
        let split = split::check(&mut session, options, mail);
        let goes_on = matches!(split, Split::InStep | Split::HeldBack);
        self.found(Outcome::Split(split), &mut session.dialogue);
        if !goes_on {
            // The session is out of step.
            drop(session);
            match self.session(&LINES[1..]) {
                Some(another) => session = another,
                None => return,
            }
        }
        let takes_mail = mail.value() / 100 == 2;
        let size = size::check(&mut session, options, takes_mail);
        self.found(Outcome::Size(size), &mut session.dialogue);
        let line_length = line_length::check(&mut session.dialogue);
        self.found(Outcome::LineLength(line_length), &mut session.dialogue);
        drop(session);
        // Whatever was an error before does not count here.
        self.alone(Check::BareLf, |session, _| {
            Outcome::BareLf(bare_lf::check(&mut session.dialogue))
        });
    }

    /// What becomes of chunks that are refused.
    fn refused_chunks(&mut self, capabilities: &Capabilities) {
        let checks = [Check::StreamProof, Check::SplitChunk];
        if self.server.options.lmtp {
            self.all_untested(&checks, Reason::Lmtp);
            return;
        }
        for needed in [Extension::Chunking, Extension::Pipelining] {
            if !capabilities.has(needed) {
                self.all_untested(&checks, Reason::NotOffered(needed.keyword()));
                return;
            }
        }
        let options = self.server.options;
        let Some(mut session) = self.session(&checks) else {
            return;
        };
        let proof = stream_proof::check(&mut session, options);
        let swallows = proof == StreamProof::Swallows;
        self.found(Outcome::StreamProof(proof), &mut session.dialogue);
        if swallows {
            let split_chunk = split_chunk::check(&mut session, options);
            self.found(Outcome::SplitChunk(split_chunk), &mut session.dialogue);
        } else {
            self.untested(Check::SplitChunk, Reason::Pointless(Check::StreamProof));
        }
    }

    /// What delivers messages, or annoys.
    fn consented(&mut self, capabilities: &Capabilities) {
        let options = self.server.options;
        let deliveries = [Check::LookAhead, Check::Chunks, Check::EndOfContent];
        match &options.deliver_to {
            None => self.all_untested(&deliveries, Reason::NoConsent("--deliver-to")),
            Some(recipient) => self.deliveries(capabilities, recipient),
        }
        match options.count_errors {
            true => self.alone(Check::Errors, |session, _| {
                Outcome::Errors(errors::check(&mut session.dialogue))
            }),
            false => self.untested(Check::Errors, Reason::NoConsent("--count-errors")),
        }
    }

    fn deliveries(&mut self, capabilities: &Capabilities, recipient: &ForwardPath<'_>) {
        match finding::outcome(&self.findings, Check::Batch) {
            Some(Outcome::Batch(batch)) if batch.may_be_used() => {
                self.alone(Check::LookAhead, |session, options| {
                    Outcome::LookAhead(look_ahead::check(session, options, recipient))
                });
            }
            _ => self.untested(Check::LookAhead, Reason::Pointless(Check::Batch)),
        }
        match finding::outcome(&self.findings, Check::StreamProof) {
            Some(Outcome::StreamProof(StreamProof::Swallows)) => {
                self.alone(Check::Chunks, |session, options| {
                    Outcome::Chunks(chunks::check(session, options, recipient))
                });
            }
            _ if self.server.options.lmtp => self.untested(Check::Chunks, Reason::Lmtp),
            _ if capabilities.has(Extension::Chunking) => {
                self.untested(Check::Chunks, Reason::Pointless(Check::StreamProof));
            }
            _ => self.untested(Check::Chunks, Reason::NotOffered("CHUNKING")),
        }
        self.alone(Check::EndOfContent, |session, options| {
            let dialogue = &mut session.dialogue;
            Outcome::EndOfContent(end_of_content::check(dialogue, options, recipient))
        });
    }

    /// Runs a check in a session of its own.
    fn alone(&mut self, check: Check, run: impl FnOnce(&mut Session, &'a Options) -> Outcome) {
        if let Some(mut session) = self.session(&[check]) {
            let outcome = run(&mut session, self.server.options);
            self.found(outcome, &mut session.dialogue);
        }
    }

    /// Opens a session for these checks, or tells that they could not be made.
    fn session(&mut self, checks: &[Check]) -> Option<Session> {
        match self.server.open() {
            Ok(session) => Some(session),
            Err(error) => {
                self.all_untested(checks, Reason::NoSession(error.to_string()));
                None
            }
        }
    }

    fn found(&mut self, outcome: Outcome, dialogue: &mut Dialogue) {
        let evidence = dialogue.take_evidence();
        self.findings.push(Finding { outcome, evidence });
    }

    fn note(&mut self, outcome: Outcome) {
        let evidence = Evidence::default();
        self.findings.push(Finding { outcome, evidence });
    }

    fn all_untested(&mut self, checks: &[Check], reason: Reason) {
        for check in checks {
            self.untested(*check, reason.clone());
        }
    }

    /// Tells that something was not found out, unless it was.
    fn untested(&mut self, check: Check, reason: Reason) {
        if finding::outcome(&self.findings, check).is_none() {
            self.note(Outcome::Untested(check, reason));
        }
    }
}
