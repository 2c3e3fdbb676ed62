//! smtp-source, Postfix's generator of load.

use super::{Client, Job, Mode, Program, Way, Wish, unix_lines, with_final_line_end};
use crate::messages::Message;

#[derive(Debug)]
pub(super) struct SmtpSource;

impl Client for SmtpSource {
    fn name(&self) -> &'static str {
        "smtp-source"
    }

    fn way(&self) -> Way<'_> {
        Way::Program(self)
    }

    fn can(&self, mode: Mode, wish: Wish) -> bool {
        matches!(mode, Mode::Clear | Mode::Lmtp) && wish == Wish::Nothing
    }

    /// An empty line more comes at the end.
    fn as_sent(&self, content: &[u8]) -> Vec<u8> {
        [with_final_line_end(content).as_slice(), b"\r\n"].concat()
    }

    fn spoils(&self, message: &Message) -> Option<&'static str> {
        match (message.recipients.len(), message.content.len()) {
            (1, 1..) => None,
            (1, _) => Some("makes up a content where there is none"),
            _ => Some("makes up its recipients"),
        }
    }

    fn connections(&self, messages: usize) -> usize {
        messages
    }
}

impl Program for SmtpSource {
    fn path(&self) -> &'static str {
        "/usr/sbin/smtp-source"
    }

    fn version_script(&self) -> &'static str {
        "postconf -h mail_version"
    }

    fn script(&self, job: &Job) -> String {
        let (option, port) = match job.mode {
            Mode::Lmtp => ("-L", job.port),
            _ => ("", job.port),
        };
        format!(
            "for job in /mnt/jobs/*; do
              smtp-source {option} -4 -M client.test -f $(cat $job/sender) \
                -t $(cat $job/recipients) -F $job/content localhost:{port} || exit
            done"
        )
    }

    fn input(&self, content: &[u8]) -> Vec<u8> {
        unix_lines(content)
    }
}
