//! Python's smtplib.

use super::{Client, Job, Mode, Program, Way, Wish, with_a_line_end};
use crate::servers::{PASSWORD, USER};

#[derive(Debug)]
pub(super) struct Smtplib;

impl Client for Smtplib {
    fn name(&self) -> &'static str {
        "smtplib"
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
}

impl Program for Smtplib {
    fn path(&self) -> &'static str {
        "/usr/bin/python3"
    }

    fn version_script(&self) -> &'static str {
        "python3 -c 'import platform; print(platform.python_version())'"
    }

    fn files(&self, _: &Job) -> Vec<(&'static str, String)> {
        vec![("client.py", include_str!("smtplib.py").to_owned())]
    }

    fn script(&self, job: &Job) -> String {
        let (port, mode, wish) = (job.port, job.mode.name(), job.wish);
        format!("python3 /mnt/client.py {port} '{mode}' {wish:?} {USER} {PASSWORD}")
    }
}
