//! nodemailer.

use super::{Client, Job, Mode, Program, Way, Wish, with_a_line_end};
use crate::servers::{PASSWORD, USER};

#[derive(Debug)]
pub(super) struct Nodemailer;

impl Client for Nodemailer {
    fn name(&self) -> &'static str {
        "nodemailer"
    }

    fn way(&self) -> Way<'_> {
        Way::Program(self)
    }

    fn can(&self, _: Mode, wish: Wish) -> bool {
        wish != Wish::EarlyPipelining
    }

    /// It ends the last line even if there is none.
    fn as_sent(&self, content: &[u8]) -> Vec<u8> {
        with_a_line_end(content)
    }

    /// It hangs up when it is told to close.
    fn says_quit(&self) -> bool {
        false
    }
}

impl Program for Nodemailer {
    fn path(&self) -> &'static str {
        "/usr/share/nodejs/nodemailer/package.json"
    }

    fn version_script(&self) -> &'static str {
        "node -p 'require(\"nodemailer/package.json\").version'"
    }

    fn files(&self, _: &Job) -> Vec<(&'static str, String)> {
        vec![("client.js", include_str!("nodemailer.js").to_owned())]
    }

    fn script(&self, job: &Job) -> String {
        let (port, mode, wish) = (job.port, job.mode.name(), job.wish);
        format!("node /mnt/client.js {port} '{mode}' {wish:?} {USER} {PASSWORD}")
    }
}
