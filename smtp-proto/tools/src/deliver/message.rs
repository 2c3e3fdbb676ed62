//! Messages to send: from files, and the samples.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read as _},
    iter,
    path::Path,
    sync::Arc,
};

use smtp_proto::{
    client::Envelope,
    syntax::{BodyType, ForwardPath, MailParameters, OriginalRecipient, RcptParameters},
};

use super::options::Options;

/// One message to send.
#[derive(Clone, Debug)]
pub(super) struct Message {
    /// What it is called: its file.
    pub name: String,
    /// Which one of those that are sent of it, from 0 on.
    pub copy: usize,
    /// Its content, every line ended by CR LF.
    pub content: Arc<[u8]>,
}

impl Message {
    /// Takes the bytes of a file, whose lines may end in LF alone.
    ///
    /// A LF without CR gets one, as local files have it; everything else stays as it is.
    pub(super) fn new(name: &str, file: &[u8]) -> Self {
        let mut content = Vec::with_capacity(file.len() + file.len() / 32);
        for line in file.split_inclusive(|&byte| byte == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(text) if !text.ends_with(b"\r") => {
                    content.extend_from_slice(text);
                    content.extend_from_slice(b"\r\n");
                }
                _ => content.extend_from_slice(line),
            }
        }
        Self {
            name: name.to_owned(),
            copy: 0,
            content: content.into(),
        }
    }

    /// Reads a file; `-` is the standard input.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let mut bytes = Vec::new();
        match path == "-" {
            true => io::stdin().read_to_end(&mut bytes)?,
            false => File::open(path)?.read_to_end(&mut bytes)?,
        };
        Ok(Self::new(&path.display().to_string(), &bytes))
    }

    /// Returns its envelope for some of the recipients.
    pub(super) fn envelope(
        &self,
        options: &Options,
        recipients: &[ForwardPath<'static>],
    ) -> Envelope<'static> {
        let Ok(envelope) = Envelope::new(options.from.clone());
        let mut envelope = envelope.size(self.content.len() as u64);
        if !self.content.is_ascii() {
            envelope = envelope.body(BodyType::EightBitMime);
        }
        let mut parameters = MailParameters::default();
        parameters.smtp_utf8 = options.smtputf8;
        parameters.ret = options.ret;
        envelope = envelope.parameters(parameters);
        recipients
            .iter()
            .cloned()
            .fold(envelope, |envelope, recipient| {
                let mut parameters = RcptParameters::default();
                parameters.notify = options.dsn;
                if options.dsn.is_some() {
                    // RFC 3461 4.2; one that is too long for it goes without.
                    let original = OriginalRecipient::of(&recipient).ok();
                    parameters.original_recipient = original.map(OriginalRecipient::into_owned);
                }
                envelope.recipient_with(recipient, parameters)
            })
    }

    /// Returns what a server gets to store: by DATA a line that is not ended is (RFC 5321 4.1.1.4),
    /// by BDAT not (RFC 3030).
    pub(super) fn as_received(&self, by_chunks: bool) -> Vec<u8> {
        let mut content = self.content.to_vec();
        if !by_chunks && !content.is_empty() && !content.ends_with(b"\r\n") {
            content.extend_from_slice(b"\r\n");
        }
        content
    }
}

/// Returns each of these messages so often, one round of all after the other.
pub(super) fn repeated(messages: &[Message], times: usize) -> Vec<Message> {
    let mut copies = HashMap::new();
    let rounds = iter::repeat_n(messages, times).flatten().map(|message| {
        let copies = copies.entry(&message.name).or_insert(0);
        *copies += 1;
        Message {
            copy: *copies - 1,
            ..message.clone()
        }
    });
    rounds.collect()
}

/// Returns the samples: shapes that mail has in real life.
pub(super) fn samples() -> Vec<Message> {
    macro_rules! sample {
        ($name:literal) => {
            Message::new($name, include_bytes!(concat!("../../samples/", $name)))
        };
    }
    vec![
        sample!("plain.eml"),
        sample!("dots.eml"),
        sample!("attachment.eml"),
        sample!("eight-bit.eml"),
        sample!("empty.eml"),
        sample!("no-final-newline.eml"),
    ]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use smtp_proto::{
        client::{Body, Client, Config},
        syntax::{Capabilities, Reply},
    };

    use super::*;
    use crate::CommandLine as _;

    #[test]
    fn the_envelope_asks_for_what_the_options_say() {
        let line = "deliver --helo c.example --rcpt b+c@x.example --rcpt d@x.example --smtputf8 \
                    --dsn failure,delay --ret full";
        let options = Options::read(line.split_whitespace()).unwrap();
        // To such a server a client speaks without having heard anything.
        let answer = b"250-x\r\n250-PIPELINING\r\n250-PIPECONNECT\r\n250-DSN\r\n250-SIZE\r\n\
                       250-8BITMIME\r\n250 SMTPUTF8\r\n";
        let known = Capabilities::parse(&Reply::parse(answer).unwrap());
        let config = Config::new(options.helo.clone()).known_capabilities(known);
        let mut client = Client::new(config, Duration::ZERO);
        let message = Message::new("m", "Subject: \u{e9}\n\n".as_bytes());
        client
            .submit(&message.envelope(&options, &options.rcpt))
            .unwrap();
        let content = b"Subject: \xc3\xa9\r\n\r\n";
        let mut wire = Vec::new();
        loop {
            let body = client
                .wants_body()
                .map(|wanted| (wanted, Body::Last(content)));
            let Some(transmit) = client.poll_transmit(body, Duration::ZERO) else {
                break;
            };
            wire.extend(transmit.slices().concat());
            let length = transmit.len();
            transmit.wrote(length, Duration::ZERO);
        }
        assert_eq!(
            String::from_utf8_lossy(&wire),
            "EHLO c.example\r\n\
             MAIL FROM:<ada@client.example> SIZE=15 BODY=8BITMIME SMTPUTF8 RET=FULL\r\n\
             RCPT TO:<b+c@x.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;b+2Bc@x.example\r\n\
             RCPT TO:<d@x.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;d@x.example\r\n\
             DATA\r\n"
        );
    }

    #[test]
    fn only_a_bare_line_feed_is_changed() {
        let message = Message::new("m", b"a\nb\r\nc\rd\r\r\n\n\ne");
        assert_eq!(&message.content[..], b"a\r\nb\r\nc\rd\r\r\n\r\n\r\ne");
        assert_eq!(Message::new("m", b"").content.len(), 0);
    }

    #[test]
    fn data_ends_the_last_line() {
        let message = Message::new("m", b"a");
        assert_eq!(message.as_received(false), b"a\r\n");
        assert_eq!(message.as_received(true), b"a");
    }

    #[test]
    fn the_samples_are_what_they_are_called() {
        let samples = samples();
        let find = |name| &samples.iter().find(|it| it.name == name).unwrap().content[..];
        let dots = find("dots.eml");
        assert!(dots.windows(5).any(|bytes| bytes == b"\r\n.\r\n"));
        assert!(!find("eight-bit.eml").is_ascii());
        assert_eq!(find("empty.eml"), b"");
        assert!(!find("no-final-newline.eml").ends_with(b"\n"));
    }
}
