//! What a check comes to.

use std::fmt;

use super::{checks::*, evidence::Evidence};

/// One thing that was found out, with what was said.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What was found out.
    pub outcome: Outcome,
    /// What was said.
    pub evidence: Evidence,
}

/// Names a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Check {
    /// The greeting.
    Greeting,
    /// EHLO's answer.
    Hello,
    /// TLS, and whether the certificate was verified.
    Tls,
    /// Commands that come together with STARTTLS.
    Injection,
    /// Mechanisms of AUTH, by channel.
    Auth,
    /// A login, and what is offered after it.
    Login,
    /// Commands one by one, with which the others are compared.
    OneByOne,
    /// Commands in one segment.
    Batch,
    /// DATA at the end of a group whose recipients are all refused.
    GroupEnd,
    /// Commands in several segments.
    Split,
    /// Commands after the end of a content, in one flight.
    LookAhead,
    /// What a refused chunk becomes.
    StreamProof,
    /// A refused chunk in several segments.
    SplitChunk,
    /// A message in chunks, in one flight.
    Chunks,
    /// A command line that ends in LF alone.
    BareLf,
    /// What ends a content.
    EndOfContent,
    /// QUIT and the end of what the client says.
    HalfClose,
    /// The greatest message.
    Size,
    /// The announced limits of a session.
    Limits,
    /// The longest command line.
    LineLength,
    /// How many errors the server puts up with.
    Errors,
}

/// Says how good a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// As the standards have it.
    Right,
    /// Neither right nor wrong.
    Fact,
    /// Allowed, or harmless to this client, but a risk.
    Weak,
    /// Against the standards, or dangerous.
    Wrong,
    /// Not found out.
    Untested,
}

/// What a check came to; each kind has its own type.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// See [`Check::Greeting`].
    Greeting(Greeting),
    /// See [`Check::Hello`].
    Hello(Hello),
    /// See [`Check::Tls`].
    Tls(Tls),
    /// See [`Check::Injection`].
    Injection(Injection),
    /// See [`Check::Auth`].
    Auth(Auth),
    /// See [`Check::Login`].
    Login(Login),
    /// See [`Check::OneByOne`].
    OneByOne(OneByOne),
    /// See [`Check::Batch`].
    Batch(Batch),
    /// See [`Check::GroupEnd`].
    GroupEnd(GroupEnd),
    /// See [`Check::Split`].
    Split(Split),
    /// See [`Check::LookAhead`].
    LookAhead(LookAhead),
    /// See [`Check::StreamProof`].
    StreamProof(StreamProof),
    /// See [`Check::SplitChunk`].
    SplitChunk(SplitChunk),
    /// See [`Check::Chunks`].
    Chunks(Chunks),
    /// See [`Check::BareLf`].
    BareLf(BareLf),
    /// See [`Check::EndOfContent`].
    EndOfContent(EndOfContent),
    /// See [`Check::HalfClose`].
    HalfClose(HalfClose),
    /// See [`Check::Size`].
    Size(Size),
    /// See [`Check::Limits`].
    Limits(Limits),
    /// See [`Check::LineLength`].
    LineLength(LineLength),
    /// See [`Check::Errors`].
    Errors(Errors),
    /// Not found out, and why not.
    Untested(Check, Reason),
}

/// Says why something was not found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The server does not offer what it needs.
    NotOffered(&'static str),
    /// It needs this option, which gives consent.
    NoConsent(&'static str),
    /// LMTP has no stream: there a last chunk that nobody is to have gets no reply (RFC 2033 4.3).
    Lmtp,
    /// Another finding leaves no sense in it.
    Pointless(Check),
    /// No session could be had for it.
    NoSession(String),
}

/// Returns what a check came to, if it is among the findings.
pub(super) fn outcome(findings: &[Finding], check: Check) -> Option<&Outcome> {
    let finding = findings.iter().find(|it| it.check() == check);
    finding.map(|it| &it.outcome)
}

/// What every outcome can say.
pub(super) trait Tells {
    fn verdict(&self) -> Verdict;
    fn meaning(&self) -> String;
}

impl Finding {
    /// Returns which check it is of.
    pub fn check(&self) -> Check {
        match &self.outcome {
            Outcome::Greeting(_) => Check::Greeting,
            Outcome::Hello(_) => Check::Hello,
            Outcome::Tls(_) => Check::Tls,
            Outcome::Injection(_) => Check::Injection,
            Outcome::Auth(_) => Check::Auth,
            Outcome::Login(_) => Check::Login,
            Outcome::OneByOne(_) => Check::OneByOne,
            Outcome::Batch(_) => Check::Batch,
            Outcome::GroupEnd(_) => Check::GroupEnd,
            Outcome::Split(_) => Check::Split,
            Outcome::LookAhead(_) => Check::LookAhead,
            Outcome::StreamProof(_) => Check::StreamProof,
            Outcome::SplitChunk(_) => Check::SplitChunk,
            Outcome::Chunks(_) => Check::Chunks,
            Outcome::BareLf(_) => Check::BareLf,
            Outcome::EndOfContent(_) => Check::EndOfContent,
            Outcome::HalfClose(_) => Check::HalfClose,
            Outcome::Size(_) => Check::Size,
            Outcome::Limits(_) => Check::Limits,
            Outcome::LineLength(_) => Check::LineLength,
            Outcome::Errors(_) => Check::Errors,
            Outcome::Untested(check, _) => *check,
        }
    }

    /// Returns how good it is.
    pub fn verdict(&self) -> Verdict {
        self.tells().verdict()
    }

    /// Returns what it means, in a sentence or two.
    pub fn meaning(&self) -> String {
        self.tells().meaning()
    }

    fn tells(&self) -> &dyn Tells {
        match &self.outcome {
            Outcome::Greeting(it) => it,
            Outcome::Hello(it) => it,
            Outcome::Tls(it) => it,
            Outcome::Injection(it) => it,
            Outcome::Auth(it) => it,
            Outcome::Login(it) => it,
            Outcome::OneByOne(it) => it,
            Outcome::Batch(it) => it,
            Outcome::GroupEnd(it) => it,
            Outcome::Split(it) => it,
            Outcome::LookAhead(it) => it,
            Outcome::StreamProof(it) => it,
            Outcome::SplitChunk(it) => it,
            Outcome::Chunks(it) => it,
            Outcome::BareLf(it) => it,
            Outcome::EndOfContent(it) => it,
            Outcome::HalfClose(it) => it,
            Outcome::Size(it) => it,
            Outcome::Limits(it) => it,
            Outcome::LineLength(it) => it,
            Outcome::Errors(it) => it,
            Outcome::Untested(_, reason) => reason,
        }
    }
}

impl Check {
    /// What comes after greeting and EHLO, in the order of a report.
    pub(super) const AFTER_OPENING: [Self; 19] = [
        Self::Tls,
        Self::Injection,
        Self::Auth,
        Self::Login,
        Self::Limits,
        Self::OneByOne,
        Self::Batch,
        Self::GroupEnd,
        Self::Split,
        Self::Size,
        Self::LineLength,
        Self::BareLf,
        Self::StreamProof,
        Self::SplitChunk,
        Self::HalfClose,
        Self::LookAhead,
        Self::Chunks,
        Self::EndOfContent,
        Self::Errors,
    ];

    /// Returns its name, which stays the same from version to version.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Greeting => "greeting",
            Self::Hello => "hello",
            Self::Tls => "tls",
            Self::Injection => "starttls-injection",
            Self::Auth => "auth",
            Self::Login => "login",
            Self::OneByOne => "one-by-one",
            Self::Batch => "batch",
            Self::GroupEnd => "group-end",
            Self::Split => "split",
            Self::LookAhead => "look-ahead",
            Self::StreamProof => "stream-proof",
            Self::SplitChunk => "split-chunk",
            Self::Chunks => "chunks",
            Self::BareLf => "bare-lf",
            Self::EndOfContent => "end-of-content",
            Self::HalfClose => "half-close",
            Self::Size => "size",
            Self::Limits => "limits",
            Self::LineLength => "line-length",
            Self::Errors => "errors",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

impl Verdict {
    /// Returns its name, which stays the same from version to version.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Fact => "fact",
            Self::Weak => "weak",
            Self::Wrong => "wrong",
            Self::Untested => "untested",
        }
    }
}

impl Tells for Reason {
    fn verdict(&self) -> Verdict {
        Verdict::Untested
    }

    fn meaning(&self) -> String {
        match self {
            Self::NotOffered(keyword) => format!("Not tested: {keyword} is not offered."),
            Self::NoConsent(option) => format!("Not tested without {option}."),
            Self::Lmtp => "Not tested: there is no stream in LMTP.".into(),
            Self::Pointless(check) => format!("Not tested: see {check}."),
            Self::NoSession(why) => format!("Not tested: {why}."),
        }
    }
}
