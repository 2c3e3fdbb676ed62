use std::{fs, net::SocketAddr};

use smtp_proto::delivery::Reports;
use smtp_proto::{client::Client, syntax::Reply};

use super::*;

const KEPT: &str = "250-mx.example.net\r\n250-PIPELINING\r\n250 PIPECONNECT\r\n";

/// Sends nothing; every message is reported as one whose connection ended, as far as submitted.
fn lose(job: &Job, submitted: usize, tell: &mut dyn FnMut(&Report)) {
    let mut machine = Client::new(job.config.clone(), Duration::ZERO);
    let mut reports = Reports::default();
    for (envelope, _) in job.messages.iter().take(submitted) {
        let message = machine.submit(envelope).unwrap();
        reports.expect(message, envelope.recipients().len());
    }
    machine.handle_eof();
    while let Ok(Some(event)) = machine.poll_event(&mut &b""[..], Duration::ZERO) {
        if let Some(report) = reports.observe(event) {
            tell(&report);
        }
    }
}

#[test]
fn what_relied_on_lost_capabilities_is_sent_again_without_them() {
    let directory = TemporaryDirectory::new().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    fs::write(path("1.eml"), "Subject: 1\n\n").unwrap();
    fs::write(path("kept"), KEPT).unwrap();
    let line = [
        "--to",
        "127.0.0.1:25",
        "--capabilities",
        &path("kept"),
        "--repeat",
        "3",
        &path("1.eml"),
    ];
    let options = DeliverOptions::parse(line.map(str::to_owned)).unwrap();
    let offered = Reply::parse(b"250-mx\r\n250 PIPELINING\r\n").unwrap();
    let offered = Capabilities::parse(&offered);
    let mut attempts = Vec::new();
    let serve = |_| Ok((SocketAddr::from(([127, 0, 0, 1], 25)), ()));
    let send = |job: Job, tell: &mut dyn FnMut(&Report)| {
        attempts.push((job.begins_early, job.messages.len()));
        let changed = job.begins_early;
        if changed {
            lose(&job, 2, tell);
        }
        Sent {
            capabilities: offered.clone(),
            capabilities_changed: changed,
            failure: changed.then(|| "changed".to_owned()),
            ..Sent::default()
        }
    };
    deliver(&options, serve, send).unwrap();
    assert_eq!(attempts, [(true, 3), (false, 3)]);
    let kept = fs::read_to_string(path("kept")).unwrap();
    assert_eq!(kept, "250-127.0.0.1\r\n250 PIPELINING\r\n");
}

#[test]
fn another_failure_changes_nothing_that_is_known() {
    let directory = TemporaryDirectory::new().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    fs::write(path("1.eml"), "Subject: 1\n\n").unwrap();
    fs::write(path("kept"), KEPT).unwrap();
    let line = [
        "--to",
        "127.0.0.1:25",
        "--capabilities",
        &path("kept"),
        &path("1.eml"),
    ];
    let options = DeliverOptions::parse(line.map(str::to_owned)).unwrap();
    let mut attempts = Vec::new();
    let serve = |_| Ok((SocketAddr::from(([127, 0, 0, 1], 25)), ()));
    let send = |job: Job, _: &mut dyn FnMut(&Report)| {
        attempts.push(job.begins_early);
        Sent {
            failure: Some("lost".to_owned()),
            ..Sent::default()
        }
    };
    deliver(&options, serve, send).unwrap();
    assert_eq!(attempts, [true]);
    assert_eq!(fs::read_to_string(path("kept")).unwrap(), KEPT);
}
