//! What is parsed as a reply is written as it was, and what EHLO announces can be announced again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use smtp_proto::syntax::{Capabilities, Host, Reply};

fuzz_target!(|bytes: &[u8]| {
    let Ok(reply) = Reply::parse(bytes) else { return };
    assert_eq!(reply.as_bytes(), bytes);
    assert!(!reply.to_string().contains(char::is_control), "displayed escaped");
    let capabilities = Capabilities::parse(&reply);
    let mut written = Vec::new();
    capabilities.write_reply(&Host::parse("x.example").expect("a host"), &mut written);
    let again = Reply::parse(&written).expect("a reply");
    assert_eq!(Capabilities::parse(&again).max_size(), capabilities.max_size());
});
