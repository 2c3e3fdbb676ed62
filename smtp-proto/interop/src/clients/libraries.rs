//! Libraries for Rust: lettre and mail-send.

use super::{Client, Mode, Send, Way, Wish};
use crate::messages::Message;

#[cfg(feature = "libraries")]
mod linked;

#[cfg(feature = "libraries")]
const LINKED: [Option<Send>; 2] = [Some(linked::by_lettre), Some(linked::by_mail_send)];
#[cfg(not(feature = "libraries"))]
const LINKED: [Option<Send>; 2] = [None; 2];

#[derive(Debug)]
pub(super) struct Lettre;

#[derive(Debug)]
pub(super) struct MailSend;

impl Client for Lettre {
    fn name(&self) -> &'static str {
        "lettre"
    }

    fn way(&self) -> Way<'_> {
        Way::Library("0.11.23", LINKED[0])
    }

    fn can(&self, mode: Mode, wish: Wish) -> bool {
        mode != Mode::Lmtp && matches!(wish, Wish::Nothing | Wish::Internationalized)
    }

    /// An empty line more comes at the end.
    fn as_sent(&self, content: &[u8]) -> Vec<u8> {
        [content, b"\r\n"].concat()
    }

    fn spoils(&self, message: &Message) -> Option<&'static str> {
        (message.recipients.len() > 1).then_some("gives up at the first recipient that is refused")
    }
}

impl Client for MailSend {
    fn name(&self) -> &'static str {
        "mail-send"
    }

    fn way(&self) -> Way<'_> {
        Way::Library("0.7.0", LINKED[1])
    }

    fn can(&self, mode: Mode, wish: Wish) -> bool {
        mode != Mode::AuthLogin && wish == Wish::Nothing
    }

    /// An empty line more comes at the end.
    fn as_sent(&self, content: &[u8]) -> Vec<u8> {
        [content, b"\r\n"].concat()
    }

    fn spoils(&self, message: &Message) -> Option<&'static str> {
        match message.recipients.len() {
            1 if message.content.starts_with(b".") => {
                Some("does not stuff a dot at the very beginning")
            }
            1 => None,
            _ => Some("gives up at the first recipient that is refused"),
        }
    }
}
