//! What a server offered the last time, kept in a file.

use std::{fs, io, path::Path};

use smtp_proto::syntax::{Capabilities, Host, Reply};

/// Reads what [`keep`] has written; `None` if there is nothing, or nothing of use.
pub(super) fn known(file: &Path) -> io::Result<Option<Capabilities>> {
    let bytes = match fs::read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        result => result?,
    };
    let answer = Reply::parse(&bytes).ok();
    Ok(answer.map(|answer| Capabilities::parse(&answer)))
}

/// Writes what a server offers, as it answers EHLO. `host` is nothing but the answer's first word.
pub(super) fn keep(file: &Path, capabilities: &Capabilities, host: &str) -> io::Result<()> {
    let host = Host::parse(host).or_else(|_| Host::parse("localhost"));
    let mut bytes = Vec::new();
    capabilities.write_reply(&host.map_err(io::Error::other)?, &mut bytes);
    fs::write(file, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_known() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("capabilities");
        assert_eq!(known(&file).unwrap(), None);
        let answer = Reply::parse(b"250-mx\r\n250-PIPELINING\r\n250 X-ODD 1 2\r\n").unwrap();
        let capabilities = Capabilities::parse(&answer);
        keep(&file, &capabilities, "mx.example.net").unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(
            text,
            "250-mx.example.net\r\n250-PIPELINING\r\n250 X-ODD 1 2\r\n"
        );
        assert_eq!(known(&file).unwrap(), Some(capabilities.clone()));
        keep(&file, &capabilities, "not a host").unwrap();
        assert_eq!(known(&file).unwrap(), Some(capabilities));
        fs::write(&file, "nonsense").unwrap();
        assert_eq!(known(&file).unwrap(), None);
    }
}
