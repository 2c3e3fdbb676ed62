//! swaks, the Swiss army knife for SMTP.

use std::fmt::Write as _;

use super::{Client, Job, Mode, Program, Way, Wish, unix_lines};
use crate::{
    messages::Message,
    servers::{PASSWORD, USER},
};

#[derive(Debug)]
pub(super) struct Swaks;

impl Client for Swaks {
    fn name(&self) -> &'static str {
        "swaks"
    }

    fn way(&self) -> Way<'_> {
        Way::Program(self)
    }

    fn can(&self, _: Mode, wish: Wish) -> bool {
        wish == Wish::Nothing
    }

    fn spoils(&self, message: &Message) -> Option<&'static str> {
        let has_body = message.content.windows(4).any(|bytes| bytes == b"\r\n\r\n");
        (!has_body).then_some("makes an empty line where there is none, and then two more")
    }

    fn connections(&self, messages: usize) -> usize {
        messages
    }
}

impl Program for Swaks {
    fn path(&self) -> &'static str {
        "/usr/bin/swaks"
    }

    fn version_script(&self) -> &'static str {
        "swaks --version | sed -n 's/^swaks version //p'"
    }

    fn script(&self, job: &Job) -> String {
        let mut options = String::new();
        match job.mode {
            Mode::Clear => options.push_str(" --pipeline"),
            Mode::StartTls | Mode::AuthPlain | Mode::AuthLogin => options.push_str(" --tls"),
            Mode::ImplicitTls => options.push_str(" --tls-on-connect"),
            Mode::Lmtp => options.push_str(" --protocol LMTP"),
        }
        if job.mode.is_encrypted() {
            options.push_str(" --tls-verify --tls-ca-path /mnt/ca.pem");
        }
        if let Some(mechanism) = job.mode.mechanism() {
            let _ = write!(
                options,
                " --auth {mechanism} --auth-user {USER} --auth-password {PASSWORD}"
            );
        }
        let port = job.port;
        format!(
            "for job in /mnt/jobs/*; do
              swaks --server localhost --port {port} --ehlo client.test --timeout 60 \
                --from \"$(cat $job/sender)\" --to \"$(paste -sd, $job/recipients)\" \
                --data @$job/content --suppress-data {options} || exit
            done"
        )
    }

    /// It takes away a last line of one dot, and makes CR LF of LF.
    fn input(&self, content: &[u8]) -> Vec<u8> {
        let mut lines = unix_lines(content);
        if !lines.is_empty() && !lines.ends_with(b"\n") {
            lines.push(b'\n');
        }
        lines.extend_from_slice(b".\n");
        lines
    }
}
