//! What both adapters' contents have to show: one text, in two spellings.
//!
//! Whoever includes it has `face`, the adapter, and the macro `wait` for what takes time.

use std::{
    error::Error as _,
    io::{self, Write},
    sync::Arc,
};

use smtp_proto::client::{NotSentReason, Outcome};
use smtp_proto_test_support::{DELIVERS, MESSAGE, Scripted, envelope};

use super::face::{Body, Client, Report};

/// Returns what the source of a content that could not be had has said.
fn failure_of(report: &Report) -> Option<&io::Error> {
    match &report.outcome {
        Outcome::NotSent(why) if why.reason == NotSentReason::BodyFailed => {
            why.source()?.downcast_ref()
        }
        _ => None,
    }
}

/// Sends one content, and returns what the server heard of it.
fn content_of(body: impl Into<Body>) -> (Report, String) {
    let server = Scripted::new([DELIVERS]);
    let mut client = wait!(Client::connect(server.url())).unwrap();
    let report = wait!(client.send(envelope(), body)).unwrap();
    drop(client);
    (report, server.heard().remove(0))
}

#[cfg(unix)]
#[test]
fn a_file_without_a_length_is_read_to_its_end() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(MESSAGE.as_bytes()).unwrap();
    drop(writer);
    let pipe = std::fs::File::from(std::os::fd::OwnedFd::from(reader));
    let (report, heard) = content_of(pipe);
    assert!(report.is_delivered(), "{report:?}");
    let end = format!("DATA\r\n{MESSAGE}.\r\n");
    assert!(heard.ends_with(&end), "{heard}");
    // It says that it has none, and has.
    if cfg!(target_os = "linux") {
        let (_, heard) = content_of(wait!(Body::open("/proc/self/cmdline")).unwrap());
        assert!(!heard.ends_with("DATA\r\n.\r\n"), "{heard}");
    }
}

#[test]
fn a_content_is_whatever_holds_bytes() {
    let path = std::env::temp_dir().join(format!("smtp-proto-face-{}", std::process::id()));
    std::fs::write(&path, MESSAGE).unwrap();
    let bytes: Arc<[u8]> = MESSAGE.as_bytes().into();
    let parts = ["Subject: x\r\n", "", "\r\nHello.\r\n"];
    for (body, is_sized) in [
        (Body::from(MESSAGE), true),
        (Body::from(MESSAGE.to_owned()), true),
        (Body::from(bytes.clone()), true),
        (Body::shared(bytes.clone()), true),
        (wait!(Body::open(&path)).unwrap(), true),
        (Body::from_parts(parts.map(Body::from)), true),
        (
            Body::from_parts([wait!(Body::open(&path)).unwrap().with_size(22)]),
            true,
        ),
        (Body::reader(MESSAGE.as_bytes()), false),
        (Body::reader(MESSAGE.as_bytes()).with_size(22), true),
    ] {
        let (report, heard) = content_of(body);
        assert!(report.is_delivered(), "{report:?}");
        assert!(
            heard.ends_with(&format!("DATA\r\n{MESSAGE}.\r\n")),
            "{heard}"
        );
        assert_eq!(heard.contains(" SIZE=22\r\n"), is_sized, "{heard}");
    }
    let _ = std::fs::remove_file(path);
}

/// A content that ends before its time must not pass for a whole one.
#[test]
fn a_content_of_another_size_than_declared_is_not_sent() {
    for (size, words) in [
        (10, "it has more than the 10 bytes that were declared"),
        (30, "it has 22 bytes of the 30 that were declared"),
    ] {
        let (report, heard) = content_of(Body::reader(MESSAGE.as_bytes()).with_size(size));
        let failure = failure_of(&report);
        assert_eq!(failure.unwrap().to_string(), words);
        assert!(!heard.contains("\r\n.\r\n"), "{heard}");
    }
}
