//! Sends a message to a domain as a mail server does: to its hosts in their order, with TLS as its TLSA
//! records (DANE) or its MTA-STS policy demand. It stops after a minute, and says what became of each
//! recipient in any case. What has to be looked up stands in a file:
//!
//! ```text
//! hello mail.example.net
//! domain example.org
//! host mx1.example.org 192.0.2.1:25
//! tlsa 3 1 1 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
//! host mx2.example.org [2001:db8::2]:25
//! mta-sts enforce *.example.org
//! ```
//!
//! `cargo run --example outbound_blocking route.txt message.eml alice@example.net bob@example.org`

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use std::{error::Error, fmt, io, sync::Arc};

use smtp_proto_blocking::smtp_proto::client::{Config, NotSentReason, Tls};
use smtp_proto_blocking::smtp_proto::framing::LineBreaks;
use smtp_proto_blocking::smtp_proto::machine::{Fault, Step, Verification};
use smtp_proto_blocking::smtp_proto::syntax::{Class, Host};
use smtp_proto_blocking::tls::{TlsConnector, TlsaRecord};
use smtp_proto_blocking::{Body, Client, Envelope, Outcome, client::Options};

/// How long it all may take.
const LIMIT: Duration = Duration::from_secs(60);
const NO_POLICY: &str = "no-policy-found";

/// What was looked up of a domain, and what we call ourselves there.
#[derive(Default)]
pub(crate) struct Route {
    hello: String,
    domain: String,
    hosts: Vec<MailHost>,
    /// Whether it is enforced, and which hosts it names.
    mta_sts: Option<(bool, Vec<String>)>,
}

struct MailHost {
    name: String,
    address: SocketAddr,
    /// DNSSEC has proven them.
    tlsa: Vec<TlsaRecord>,
}

impl Route {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut route = Self::default();
        for line in text.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            let taken = route.take(&words);
            taken.ok_or(format!("not understood: {line}"))?;
        }
        Ok(route)
    }

    fn take(&mut self, words: &[&str]) -> Option<()> {
        match *words {
            [] => {}
            ["hello", name] => self.hello = name.into(),
            ["domain", name] => self.domain = name.into(),
            ["host", name, address] => self.hosts.push(MailHost {
                name: name.into(),
                address: address.parse().ok()?,
                tlsa: Vec::new(),
            }),
            ["tlsa", usage, selector, matching, data] => {
                let [usage, selector, matching] =
                    [usage, selector, matching].map(|it| it.parse().ok());
                let digits = (0..data.len()).step_by(2).map(|at| data.get(at..at + 2));
                let data = digits.map(|pair| u8::from_str_radix(pair?, 16).ok());
                let data: Vec<_> = data.collect::<Option<_>>()?;
                let record = TlsaRecord::new(usage?, selector?, matching?, data);
                self.hosts.last_mut()?.tlsa.push(record);
            }
            ["mta-sts", mode @ ("enforce" | "testing"), ref patterns @ ..] => {
                let patterns = patterns.iter().map(|it| (*it).into()).collect();
                self.mta_sts = Some((mode == "enforce", patterns));
            }
            _ => return None,
        }
        Some(())
    }

    /// Says which policy a host comes under, as reports call it (RFC 8460 4.2), and how to do TLS.
    fn trust(&self, host: &MailHost) -> (&'static str, io::Result<(Tls, TlsConnector)>) {
        let MailHost { name, tlsa, .. } = host;
        if !tlsa.is_empty() {
            // MTA-STS must not make up for a failure of DANE (RFC 8461 2).
            let dane = TlsConnector::with_tlsa(name, tlsa, &[&self.domain]);
            return ("tlsa", dane.map(|it| (Tls::Required, it)));
        }
        let Some((is_enforced, patterns)) = &self.mta_sts else {
            let anyone = TlsConnector::with_any_certificate(name);
            return (NO_POLICY, anyone.map(|it| (Tls::Opportunistic, it)));
        };
        // An asterisk stands for one label (RFC 8461 4.1).
        let parent = name.split_once('.').map_or("", |it| it.1);
        let names = |pattern: &String| match pattern.strip_prefix("*.") {
            Some(pattern) => pattern.eq_ignore_ascii_case(parent),
            None => pattern.eq_ignore_ascii_case(name),
        };
        let authorities = TlsConnector::with_platform_roots(name);
        let trust = match is_enforced {
            true if !patterns.iter().any(names) => {
                Err(io::Error::other("the policy does not name it"))
            }
            true => authorities.map(|it| (Tls::Required, it)),
            false => authorities.and_then(|it| Ok((Tls::Opportunistic, it.opportunistic()?))),
        };
        ("sts", trust)
    }
}

/// Sends a message by one host of the route after the other, until there is nobody left for whom the
/// next may do better, or until its time is over. Returns what became of each recipient.
pub(crate) fn deliver(
    route: &Route,
    envelope: &Envelope<'_>,
    message: &Arc<[u8]>,
    until: Instant,
    log: impl Fn(String),
) -> Result<Vec<Outcome<'static>>, Box<dyn Error>> {
    let config = Config::new(Host::parse(&route.hello)?).line_breaks(LineBreaks::Normalize);
    let unsent = Outcome::NotSent(NotSentReason::ConnectionEnded.into());
    let mut outcomes = vec![unsent; envelope.recipients().len()];
    for host in &route.hosts {
        let (name, (policy, trust)) = (&host.name, route.trust(host));
        let note = |result: &str, ended: &dyn fmt::Display| {
            log(format!(
                "receiving-mx-hostname={name} policy-type={policy} result-type={result} ended={:?}",
                ended.to_string(),
            ));
        };
        let trust = trust.inspect_err(|why| note("validation-failure", why));
        let Ok((mut tls, connector)) = trust else {
            continue;
        };
        loop {
            let is_open = |it: &usize| tries_next_host(&outcomes[*it]);
            let open: Vec<_> = (0..outcomes.len()).filter(is_open).collect();
            let left = until.saturating_duration_since(Instant::now());
            if open.is_empty() || left.is_zero() {
                return Ok(outcomes);
            }
            let stream = TcpStream::connect_timeout(&host.address, left);
            let Ok(stream) = stream.inspect_err(|error| note("-", error)) else {
                break;
            };
            let options = Options::new(config.clone().tls(tls)).tls(connector.clone());
            let mut client = Client::with_stream(stream, options)?;
            let body = Body::shared(Arc::clone(message));
            // In the middle of whatever it is then: the client knows what is certain.
            let left = until.saturating_duration_since(Instant::now());
            let report = client.send_within(left, envelope.clone().narrowed(&open), body);
            let told = report.into_iter().flat_map(|it| it.recipients);
            for (position, outcome) in open.into_iter().zip(told) {
                outcomes[position] = outcome;
            }
            // Why the session has ended, unless it is still good: a refused message is no reason.
            let failure = match client.check() {
                Ok(()) => client.quit().err(),
                Err(error) => Some(error),
            };
            let fault = failure.as_ref().and_then(|it| Some(it.machine()?.fault()));
            let ended = failure.map_or("in good order".into(), |it| it.to_string());
            note(tls_result(&client, tls, fault), &ended);
            // Without a policy, no TLS is better than no mail (RFC 7435); with one it is not.
            let tls_failed = fault.and_then(Fault::tls_result_type).is_some();
            if !tls_failed || policy != NO_POLICY || tls == Tls::Off {
                break;
            }
            tls = Tls::Off;
        }
    }
    Ok(outcomes)
}

/// Returns whether the next host may do better, at once.
fn tries_next_host(outcome: &Outcome<'_>) -> bool {
    match outcome {
        Outcome::Delivered(_) | Outcome::InDoubt => false,
        // What is wrong with a recipient for now is so at the next host, too.
        Outcome::Refused(answer) => {
            answer.reply.class() == Class::Transient && answer.step != Step::Recipient
        }
        // A host that serves nobody, or has no TLS, says nothing about the others.
        Outcome::NotSent(why) => {
            let step = why.answer.as_ref().map(|it| it.step);
            matches!(step, Some(Step::Greeting | Step::StartTls)) || !why.is_permanent()
        }
    }
}

/// Tells by the words of RFC 8460 4.3 how it went with TLS.
fn tls_result(client: &Client, tls: Tls, fault: Option<Fault>) -> &'static str {
    if let Some(failure) = fault.and_then(Fault::tls_result_type) {
        return failure;
    }
    match client.tls_info().map(|info| info.verification) {
        Some(Verification::Unverified(reason)) => reason.result_type().unwrap_or("successful"),
        Some(_) => "successful",
        None if tls != Tls::Off && client.capabilities().iter().count() > 0 => {
            "starttls-not-supported"
        }
        None => "-",
    }
}

/// Says what a queue would do next.
fn told(outcome: &Outcome<'_>) -> String {
    let (is_final, why) = match outcome {
        Outcome::Delivered(reply) => return format!("delivered: {reply}"),
        Outcome::InDoubt => return "in doubt: it may have been delivered".into(),
        Outcome::Refused(why) => (why.reply.class() == Class::Permanent, why.to_string()),
        Outcome::NotSent(why) => (why.is_permanent(), why.to_string()),
    };
    format!("{}: {why}", if is_final { "bounced" } else { "deferred" })
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [route, message, sender, recipients @ ..] = &arguments[..] else {
        return Err("outbound_blocking ROUTE MESSAGE SENDER RECIPIENT...".into());
    };
    let route = Route::parse(&std::fs::read_to_string(route)?)?;
    let message = std::fs::read(message)?.into();
    let mut envelope = Envelope::new(sender.as_str())?;
    for recipient in recipients {
        envelope = envelope.to(recipient.as_str())?;
    }
    let until = Instant::now() + LIMIT;
    let log = |line| println!("{line}");
    let outcomes = deliver(&route, &envelope, &message, until, log)?;
    for (recipient, outcome) in envelope.recipients().iter().zip(&outcomes) {
        println!("{recipient}: {}", told(outcome));
    }
    Ok(())
}
