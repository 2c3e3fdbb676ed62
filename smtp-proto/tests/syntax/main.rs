//! The grammar of RFC 5321 and its extensions, through the public interface.

mod address;
mod capabilities;
mod command;
mod delivery;
mod dsn;
mod forwarding;
mod offers;
mod random;
mod reply;
mod tolerance;
mod typed;
mod value;
mod variance;

/// Returns what `write` appends, as text.
fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).expect("only text was given")
}
