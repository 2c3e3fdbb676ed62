//! Both directions against models that go octet by octet.

use alloc::vec::Vec;
use std::string::String;

use super::*;

const POLICIES: [LineBreaks; 3] = [LineBreaks::Refuse, LineBreaks::Normalize, LineBreaks::Keep];

/// Calls `check` with every string of up to `longest` octets out of CR, LF, dot and a letter.
fn every_string(longest: u32, mut check: impl FnMut(&[u8])) {
    for length in 0..=longest {
        for number in 0..4_usize.pow(length) {
            let string: Vec<u8> = (0..length)
                .map(|place| b"\r\n.a"[number / 4_usize.pow(place) % 4])
                .collect();
            check(&string);
        }
    }
}

/// Returns `octets` with every bare CR and bare LF made CR LF, or the index of the first of them.
fn model_breaks(octets: &[u8], policy: LineBreaks) -> Result<Vec<u8>, (usize, BareOctet)> {
    let mut out = Vec::new();
    for (at, octet) in octets.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| octets[before]);
        let bare = match octet {
            b'\r' if octets.get(at + 1) != Some(&b'\n') => Some(BareOctet::Cr),
            b'\n' if before != Some(b'\r') => Some(BareOctet::Lf),
            _ => None,
        };
        match (bare, policy) {
            (Some(octet), LineBreaks::Refuse) => return Err((at, octet)),
            (Some(_), LineBreaks::Normalize) => out.extend_from_slice(b"\r\n"),
            _ => out.push(*octet),
        }
    }
    Ok(out)
}

fn model_stuff(content: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    for octet in content {
        if *octet == b'.' && (wire.is_empty() || wire.ends_with(b"\r\n")) {
            wire.push(b'.');
        }
        wire.push(*octet);
    }
    if !wire.is_empty() && !wire.ends_with(b"\r\n") {
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b".\r\n");
    wire
}
