//! curl, and so libcurl.

use std::fmt::Write as _;

use super::{Client, Job, Mode, Program, Way, Wish};
use crate::servers::{PASSWORD, USER};

#[derive(Debug)]
pub(super) struct Curl;

impl Client for Curl {
    fn name(&self) -> &'static str {
        "curl"
    }

    fn way(&self) -> Way<'_> {
        Way::Program(self)
    }

    fn can(&self, mode: Mode, wish: Wish) -> bool {
        mode != Mode::Lmtp && matches!(wish, Wish::Nothing | Wish::Internationalized)
    }
}

impl Program for Curl {
    fn path(&self) -> &'static str {
        "/usr/bin/curl"
    }

    fn version_script(&self) -> &'static str {
        "curl --version | cut -d' ' -f2 | head -n1"
    }

    fn script(&self, job: &Job) -> String {
        let scheme = match job.mode {
            Mode::ImplicitTls => "smtps",
            _ => "smtp",
        };
        let mut options = String::from("mail-rcpt-allowfails\n");
        if job.mode.is_encrypted() {
            options.push_str("ssl-reqd\ncacert = /mnt/ca.pem\n");
        }
        if let Some(mechanism) = job.mode.mechanism() {
            let _ = write!(
                options,
                "user = {USER}:{PASSWORD}\nlogin-options = AUTH={mechanism}\n"
            );
        }
        let port = job.port;
        format!(
            "for job in /mnt/jobs/*; do
              echo url = {scheme}://localhost:{port}/client.test
              echo upload-file = $job/content
              sed 's/^/mail-from = /' $job/sender
              sed 's/^/mail-rcpt = /' $job/recipients
              echo '{options}next'
            done | sed '$d' >/mnt/curl.conf
            curl --silent --show-error --verbose --config /mnt/curl.conf"
        )
    }
}
