//! `probe` against servers that are right, and that are wrong in one thing each.

mod peer;

use std::thread;

use peer::{Fault, Fault::*, serve};
use smtp_proto::syntax::{Capabilities, Code, Extension, Reply};
use smtp_proto_rustls::TlsAcceptor;
use smtp_proto_test_support::{Pki, SERVER};
use smtp_proto_tools::CommandLine as _;
use smtp_proto_tools::probe::{
    Auth, BareLf, Batch, Channel, Check, Chunks, EndOfContent, Errors, Greeting, GroupEnd,
    HalfClose, Hello, Injection, Limits, LineLength, Login, LongLine, LookAhead, Lost, NoSession,
    Options, Outcome, Policy, Reason, Report, Said, Silence, Size, Split, SplitChunk, StreamProof,
    Terminator, Tls, Verdict, json, probe, table,
};

const CONSENT: [&str; 4] = [
    "--deliver-to",
    "op@example.org",
    "--from",
    "probe@example.org",
];

fn run(
    faults: &[Fault],
    tls: Option<TlsAcceptor>,
    arguments: &[&str],
) -> Result<Report, NoSession> {
    let target = serve(faults.to_vec(), tls).to_string();
    let usual = ["probe", "--reply-timeout", "1", &target];
    probe(&Options::read([&usual, arguments].concat()).unwrap())
}

/// Tests a server for each fault, all at once since most of it is waiting, and looks at one outcome.
macro_rules! each {
    ($arguments:expr; $($fault:expr => $outcome:pat, $verdict:ident, $policy:ident;)*) => {
        thread::scope(|scope| {
            $(scope.spawn(|| {
                let report = run(&[$fault], None, $arguments).unwrap();
                let found = report.findings.iter().find(|it| matches!(it.outcome, $outcome));
                let verdict = found.map(|it| it.verdict());
                let seen = (verdict, report.advice.policy);
                let expected = (Some(Verdict::$verdict), Policy::$policy);
                assert_eq!(seen, expected, "{:?}\n{}", $fault, table(&report, true));
            });)*
        });
    };
}

#[test]
fn a_server_that_is_right() {
    let report = run(&[], None, &[&CONSENT[..], &["--count-errors"]].concat()).unwrap();
    for finding in &report.findings {
        let facts = [Check::Tls, Check::Auth, Check::Limits, Check::Errors];
        let expected = match finding.check() {
            Check::Login => Verdict::Untested,
            check if facts.contains(&check) => Verdict::Fact,
            _ => Verdict::Right,
        };
        assert_eq!(finding.verdict(), expected, "{}", table(&report, true));
    }
    assert_eq!(report.findings.len(), 20);
    assert_eq!(report.advice.policy, Policy::Stream);
    assert_eq!(report.channel, Channel::Clear);
    assert_eq!(
        report.outcome(Check::Size),
        Some(&Outcome::Size(Size::Kept {
            max: 1000,
            code: Code::TOO_LARGE
        }))
    );
    assert_eq!(
        report.outcome(Check::Errors),
        Some(&Outcome::Errors(Errors::Ends(11)))
    );
    let answer = report.known_capabilities();
    let known = Capabilities::parse(&Reply::parse(&answer).unwrap());
    assert_eq!(known, report.capabilities);
}

/// Without consent nothing is sent that could become a message.
#[test]
fn nothing_is_delivered_without_consent() {
    let report = run(&[AcceptsNobodysContent], None, &[]).unwrap();
    for check in [Check::LookAhead, Check::Chunks, Check::EndOfContent] {
        let reason = Reason::NoConsent("--deliver-to");
        assert_eq!(
            report.outcome(check),
            Some(&Outcome::Untested(check, reason))
        );
    }
    let reason = Reason::NoConsent("--count-errors");
    let errors = Outcome::Untested(Check::Errors, reason);
    assert_eq!(report.outcome(Check::Errors), Some(&errors));
    // Where a recipient is accepted, no content follows.
    for finding in &report.findings {
        let sent = finding.evidence.iter().filter_map(|said| match said {
            Said::Sent(bytes) => Some(String::from_utf8_lossy(bytes)),
            Said::SentContent(_) => panic!("content"),
            _ => None,
        });
        let sent: String = sent.collect();
        let is_addressed = sent.contains("RCPT TO:<");
        assert!(
            !is_addressed || !sent.contains("DATA") && !sent.contains("BDAT"),
            "{sent}"
        );
    }
}

/// 2920-3.1, 2920-3.2
#[test]
fn batches() {
    use Outcome::{Batch as B, GroupEnd as G};
    each! { &[];
        ForgetsTheRest => B(Batch::Loses { offered: true, lost: Lost { answered: 1, .. } }), Wrong, LockStep;
        DropsTheSecond => B(Batch::Loses { offered: true, lost: Lost { answered: 3, .. } }), Wrong, LockStep;
        Merges => B(Batch::Loses { offered: true, lost: Lost { answered: 1, .. } }), Wrong, LockStep;
        ClosesOnBatch => B(Batch::Loses { lost: Lost { silence: Silence::Closed, .. }, .. }), Wrong, LockStep;
        Reverses => B(Batch::Differs { offered: true, .. }), Wrong, LockStep;
        SaysMore => B(Batch::Surplus { offered: true }), Wrong, LockStep;
        Offers("CHUNKING\nSIZE 1000") => B(Batch::InStep { offered: false }), Fact, LockStep;
        AsksForNobodysContent => G(GroupEnd::RefusesContent(_)), Right, Stream;
        AcceptsNobodysContent => G(GroupEnd::AcceptsContent(_)), Weak, Stream;
    }
}

#[test]
fn openings() {
    use Outcome::{Greeting as G, Hello as H, Limits as L, Size as S};
    each! { &[];
        GreetsTwice => G(Greeting::SaysMore), Wrong, LockStep;
        GreetsTwice => Outcome::Untested(Check::Batch, Reason::Pointless(Check::Greeting)), Untested, LockStep;
        GreetsAgain => G(Greeting::SaysMore), Wrong, LockStep;
        AnswersEhloTwice => H(Hello::SaysMore), Wrong, LockStep;
        Offers("PIPELINING") => S(Size::NotOffered), Fact, LookAhead;
        Offers("PIPELINING\nCHUNKING\nSIZE") => S(Size::Unlimited), Fact, LookAhead;
        Offers("PIPELINING\nCHUNKING\nSIZE 1000") => L(Limits::NotOffered), Fact, Stream;
        IgnoresSize => S(Size::NotKept { max: 1000 }), Weak, Stream;
    }
}

/// 5321-2.3.8, 2920-3.2, CMD-1, CMD-3
#[test]
fn lines() {
    use Outcome::{BareLf as B, HalfClose as H, LineLength as L, Split as S};
    each! { &[];
        ClosesOnSplit => S(Split::Stops(Silence::Closed)), Wrong, LockStep;
        TearsSegments => S(Split::Differs { .. }), Wrong, LockStep;
        HoldsBack => S(Split::HeldBack), Weak, Stream;
        TearsLongLines => L(LineLength { usual: LongLine::Taken, long: Some(LongLine::Torn) }), Wrong, Stream;
        CutsLongLines => L(LineLength { usual: LongLine::Taken, long: Some(LongLine::Cut) }), Weak, Stream;
        IgnoresArguments => L(LineLength { long: Some(LongLine::Taken), .. }), Right, Stream;
        ClosesOnLongLines => L(LineLength { long: Some(LongLine::Closes(None)), .. }), Right, Stream;
        LfEndsLines => B(BareLf::EndsLine), Weak, Stream;
        LfIsSpace => B(BareLf::Ignored(_)), Weak, Stream;
        ForgetsBeforeQuit => H(HalfClose::Loses(_)), Weak, Stream;
    }
}

/// 3030-2, BDT-2, BDT-15, BDT-18
#[test]
fn refused_chunks() {
    use Outcome::{SplitChunk as C, StreamProof as P};
    each! { &[];
        ExecutesChunks => P(StreamProof::Executes(_)), Wrong, LookAhead;
        AcceptsNobodysChunk => P(StreamProof::Differs(_)), Wrong, LookAhead;
        SwallowsOneSegment => C(SplitChunk::Differs(_) | SplitChunk::Surplus), Wrong, LookAhead;
        DropsTheSecond => P(StreamProof::Loses(_)), Wrong, LockStep;
        Offers("PIPELINING\nSIZE 1000") => Outcome::Untested(Check::StreamProof, _), Untested, LookAhead;
    }
}

/// EOD-1, REP-15, CMD-8
#[test]
fn deliveries() {
    use Outcome::{Chunks as C, EndOfContent as E, Errors as N, LookAhead as L};
    let arguments = &[&CONSENT[..], &["--count-errors"]].concat();
    each! { arguments;
        RefusesLookAhead => L(LookAhead::Refuses(_)), Wrong, Group;
        ForgetsLookAhead => L(LookAhead::Loses(Lost { answered: 1, .. })), Wrong, Group;
        RefusesRecipients => L(LookAhead::NoTransaction(_)), Untested, Stream;
        LfEndsContent => E(EndOfContent::Lax(_)), Wrong, Stream;
        FirstLfEndsContent => E(EndOfContent::LaxAfterLf(_)), Wrong, Stream;
        ClosesOnBareLf => E(EndOfContent::Refuses(_)), Right, Stream;
        ClosesAfterErrors(5) => N(Errors::Closes(5)), Fact, Stream;
        ForgivesAll => N(Errors::AtLeast(40)), Weak, Stream;
        ExecutesChunks => Outcome::Untested(Check::Chunks, Reason::Pointless(_)), Untested, LookAhead;
        Merges => Outcome::Untested(Check::LookAhead, Reason::Pointless(_)), Untested, LockStep;
        Offers("PIPELINING") => Outcome::Untested(Check::Chunks, Reason::NotOffered(_)), Untested, LookAhead;
        Offers("PIPELINING\nSIZE 1000\nCHUNKING") => C(Chunks::Taken), Right, Stream;
    }
}

/// All that end a content are named, and nothing else is, whatever the server waits for.
#[test]
fn ends_of_content() {
    use Terminator::{CrLfDotCr, CrLfDotCrCrLf, CrLfDotLf, LfDotLf};
    thread::scope(|scope| {
        for (faults, expected) in [
            (&[LfEndsContent][..], vec![LfDotLf, CrLfDotLf]),
            (&[CrEndsContent], vec![CrLfDotCr, CrLfDotCrCrLf]),
            // What was found before the session ended is known.
            (&[LfEndsContent, ClosesAfterContent], vec![LfDotLf]),
        ] {
            scope.spawn(move || {
                let report = run(faults, None, &CONSENT).unwrap();
                let lax = Outcome::EndOfContent(EndOfContent::Lax(expected));
                let found = report.outcome(Check::EndOfContent);
                assert_eq!(found, Some(&lax), "{}", table(&report, true));
            });
        }
    });
}

/// What is found out not to hold is not among what a client may rely on.
#[test]
fn lies_are_left_out_of_the_capabilities() {
    let known = |fault| {
        let answer = run(&[fault], None, &[]).unwrap().known_capabilities();
        Capabilities::parse(&Reply::parse(&answer).unwrap())
    };
    let pipelining = known(DropsTheSecond);
    assert!(!pipelining.has(Extension::Pipelining));
    assert_eq!(pipelining.max_size(), Some(1000));
    let chunking = known(ExecutesChunks);
    assert!(chunking.has(Extension::Pipelining) && !chunking.has(Extension::Chunking));
}

/// Tests a server with TLS; `authority` says whether it is the right one that is trusted.
fn run_with_tls(faults: &[Fault], authority: bool, name: &str) -> Report {
    let (pki, other) = (Pki::new(), Pki::new());
    let ca = if authority { &pki } else { &other }.file("ca.pem");
    let ca = ca.to_str().unwrap();
    let mut arguments = vec!["--ca", ca, "--server-name", name];
    if faults.contains(&TlsFirst) {
        arguments.extend(["--tls", "implicit"]);
    }
    run(faults, Some(pki.acceptor()), &arguments).unwrap()
}

#[test]
fn tls_and_auth() {
    let report = run_with_tls(&[], true, SERVER);
    let verified = Outcome::Tls(Tls::Verified { version: 0x0304 });
    assert_eq!(report.outcome(Check::Tls), Some(&verified));
    assert_eq!(report.channel, Channel::Clear);
    let auth = Auth {
        in_clear: Some(vec!["SCRAM-SHA-256".into()]),
        over_tls: Some(vec!["SCRAM-SHA-256".into(), "PLAIN".into()]),
    };
    assert_eq!(report.outcome(Check::Auth), Some(&Outcome::Auth(auth)));
    let injection = Outcome::Injection(Injection::Forgotten);
    assert_eq!(report.outcome(Check::Injection), Some(&injection));
}

#[test]
fn tls_from_the_first_byte() {
    let report = run_with_tls(&[TlsFirst], true, SERVER);
    let verified = Outcome::Tls(Tls::Verified { version: 0x0304 });
    assert_eq!(report.outcome(Check::Tls), Some(&verified));
    assert_eq!(
        (report.channel, report.advice.policy),
        (Channel::Implicit, Policy::Stream)
    );
    let over_tls = Some(vec!["SCRAM-SHA-256".into(), "PLAIN".into()]);
    let auth = Outcome::Auth(Auth {
        in_clear: None,
        over_tls,
    });
    assert_eq!(report.outcome(Check::Auth), Some(&auth));
}

/// TLS-15
#[test]
fn certificates_of_others() {
    thread::scope(|scope| {
        for (faults, authority, name) in [
            (&[][..], false, SERVER),
            (&[], true, "other.example.net"),
            (&[TlsFirst], true, "other.example.net"),
        ] {
            scope.spawn(move || {
                let report = run_with_tls(faults, authority, name);
                let tls = report.outcome(Check::Tls);
                let is_unverified = matches!(tls, Some(Outcome::Tls(Tls::Unverified { .. })));
                assert!(is_unverified, "{}", table(&report, true));
            });
        }
    });
}

/// TLS-1, TLS-6, TLS-8
#[test]
fn hazards_of_starttls() {
    let refused = Tls::Refused(Code::TEMPORARY_AUTHENTICATION_FAILURE);
    thread::scope(|scope| {
        for (fault, expected) in [
            (KeepsInput, Outcome::Injection(Injection::Executed)),
            (KeepsInputForLater, Outcome::Injection(Injection::Executed)),
            (
                AnswersBeforeTls,
                Outcome::Injection(Injection::AnsweredInClear),
            ),
            (SaysMoreBeforeTls, Outcome::Tls(Tls::SaysMore)),
            (RefusesTls, Outcome::Tls(refused)),
        ] {
            scope.spawn(move || {
                let report = run_with_tls(&[fault], true, SERVER);
                let found = report.findings.iter().find(|it| it.outcome == expected);
                assert_eq!(found.unwrap().verdict(), Verdict::Wrong);
            });
        }
    });
}

/// Where MAIL is only taken over TLS, everything is tested there.
#[test]
fn servers_that_demand_tls() {
    let report = run_with_tls(&[DemandsTls], true, SERVER);
    let right = Outcome::Batch(Batch::InStep { offered: true });
    assert_eq!(
        report.outcome(Check::Batch),
        Some(&right),
        "{}",
        table(&report, true)
    );
    assert_eq!(report.channel, Channel::StartTls);
    assert_eq!(report.advice.policy, Policy::Stream);
    assert!(!report.capabilities.has(Extension::StartTls));
}

/// Where STARTTLS is offered, everything is tested after it if that is asked for.
#[test]
fn tls_where_it_is_offered() {
    let report = |tls| run(&[], tls, &["--tls", "opportunistic"]).unwrap();
    let over_tls = report(Some(Pki::new().acceptor()));
    assert_eq!(over_tls.channel, Channel::StartTls);
    assert_eq!(over_tls.advice.policy, Policy::Stream);
    assert_eq!(report(None).channel, Channel::Clear);
}

/// 2033-4.1: LHLO takes the place of EHLO, and nothing is in that of HELO. There is no stream.
#[test]
fn lmtp() {
    let report = run(&[SpeaksLmtp], None, &[&CONSENT[..], &["--lmtp"]].concat()).unwrap();
    let wrong = report.verdicts().any(|verdict| verdict == Verdict::Wrong);
    let untested = Outcome::Untested(Check::Chunks, Reason::Lmtp);
    assert_eq!(report.outcome(Check::Chunks), Some(&untested));
    assert!(!wrong, "{}", table(&report, true));
    assert_eq!(report.advice.policy, Policy::LookAhead);
    assert!(matches!(
        report.outcome(Check::LookAhead),
        Some(Outcome::LookAhead(LookAhead::InStep(_)))
    ));
    assert!(matches!(
        run(&[], None, &["--lmtp"]),
        Err(NoSession::NoHello(..))
    ));
    assert!(matches!(
        run(&[SpeaksLmtp], None, &[]),
        Err(NoSession::NoHello(..))
    ));
    // RFC 2033 5
    assert!(Options::read(["probe", "--lmtp", "mx"]).is_err());
}

/// Logs in to a server that knows `u` and `p`; `authority` says whether it is the right one that is
/// trusted.
fn run_with_login(faults: &[Fault], password: &str, authority: bool) -> Report {
    let (pki, other) = (Pki::new(), Pki::new());
    let ca = if authority { &pki } else { &other }.file("ca.pem");
    let secret = pki.file("password");
    std::fs::write(&secret, password).unwrap();
    let trust = ["--ca", ca.to_str().unwrap(), "--server-name", SERVER];
    let user = ["--user", "u", "--password-file", secret.to_str().unwrap()];
    run(faults, Some(pki.acceptor()), &[&trust[..], &user].concat()).unwrap()
}

/// What is offered to users is found, and tested.
#[test]
fn a_login() {
    let report = run_with_login(&[KnowsUser], "p", true);
    let Some(Outcome::Login(Login::Accepted {
        mechanism, changes, ..
    })) = report.outcome(Check::Login)
    else {
        panic!("{}", table(&report, true));
    };
    assert_eq!(
        (mechanism.as_str(), &changes[..]),
        ("PLAIN", &["+XMEMBERS".to_owned()][..])
    );
    assert!(report.capabilities.get("XMEMBERS").is_some());
    // The sessions after it are that user's.
    let right = Outcome::Batch(Batch::InStep { offered: true });
    assert_eq!(
        report.outcome(Check::Batch),
        Some(&right),
        "{}",
        table(&report, true)
    );
    assert_eq!(
        (report.channel, report.advice.policy),
        (Channel::StartTls, Policy::Stream)
    );
    let shown = format!("{:?}{}", report.findings, json(&report));
    assert!(!shown.contains("AHUAcA==") && shown.contains("(credentials)"));
}

/// AUT-11: a password goes to a server that is verified, and to no other.
#[test]
fn logins_that_lead_nowhere() {
    thread::scope(|scope| {
        for (faults, password, authority, expected) in [
            (
                &[KnowsUser][..],
                "q",
                true,
                Login::Refused("PLAIN".into(), Code::AUTHENTICATION_FAILED),
            ),
            (&[KnowsUser], "p", false, Login::Unprotected),
            (&[KnowsUser, RefusesTls], "p", true, Login::Unprotected),
            (
                &[AsksNonsense],
                "p",
                true,
                Login::Unanswerable("SCRAM-SHA-256".into()),
            ),
            (
                &[Offers("AUTH GSSAPI\nPIPELINING")],
                "p",
                true,
                Login::NoMechanism,
            ),
        ] {
            scope.spawn(move || {
                let report = run_with_login(faults, password, authority);
                let login = report.outcome(Check::Login);
                match expected {
                    Login::Unprotected if faults.contains(&RefusesTls) => {
                        let none =
                            matches!(login, Some(Outcome::Untested(_, Reason::NoSession(_))));
                        assert!(none, "{}", table(&report, true));
                    }
                    expected => {
                        let table = table(&report, true);
                        assert_eq!(login, Some(&Outcome::Login(expected)), "{table}");
                    }
                }
            });
        }
    });
}

#[test]
fn what_cannot_be_tested_is_an_error() {
    let target = serve(vec![], None).to_string();
    let silent = [
        "probe",
        "--reply-timeout",
        "0.3",
        "--tls",
        "implicit",
        "--server-name",
        SERVER,
        &target,
    ];
    assert!(matches!(
        probe(&Options::read(silent).unwrap()),
        Err(NoSession::NoTls(_))
    ));
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let nobody = Options::read(["probe", &nobody.to_string()]).unwrap();
    assert!(matches!(probe(&nobody), Err(NoSession::Connection(_))));
    let waiting = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let waiting = waiting.local_addr().unwrap().to_string();
    // Nothing takes longer than it may.
    let start = std::time::Instant::now();
    let options = Options::read(["probe", "--timeout", "0.4", &waiting]).unwrap();
    assert!(probe(&options).is_err());
    assert!(start.elapsed() < std::time::Duration::from_secs(5));
}

#[test]
fn json_has_it_all() {
    let report = run(&[ExecutesChunks], None, &[]).unwrap();
    let json = json(&report);
    assert_eq!(json["policy"], "lookahead");
    assert_eq!(json["channel"], "in clear");
    assert_eq!(json["capabilities"][1], "SIZE 1000");
    let findings = json["findings"].as_array().unwrap();
    assert_eq!(findings.len(), report.findings.len());
    let proof = findings
        .iter()
        .find(|it| it["check"] == "stream-proof")
        .unwrap();
    assert_eq!(proof["verdict"], "wrong");
    assert_eq!(
        proof["evidence"][0],
        r"> MAIL FROM:<>\r\nBDAT 3 LAST\r\nxyzRSET\r\nRSET\r\n"
    );
    assert_eq!(proof["evidence"][3], r"< 500 unknown\r\n");
}
