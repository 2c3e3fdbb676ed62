//! A file as a content.

use std::fs::{self, File};

use smtp_proto::delivery::Extent;

/// A file that is cut while it is sent is told by its sizes.
#[test]
fn a_file_that_has_become_shorter_is_told_as_such() {
    let path = std::env::temp_dir().join(format!("smtp-proto-extent-{}", std::process::id()));
    fs::write(&path, "Subject: x\r\n\r\nHello.\r\n").unwrap();
    let file = File::open(&path).unwrap();
    let extent = Extent::of(&file).unwrap();
    fs::write(&path, "Subject: x\r\n").unwrap();
    let error = extent.read(&file, 10, 100, &mut Vec::new()).unwrap_err();
    fs::remove_file(path).unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    let words = "the file has become shorter than the 22 bytes that it had";
    assert_eq!(error.to_string(), words);
}
