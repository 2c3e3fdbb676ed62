//! Postfix's delivery agents, smtp(8) and lmtp(8).

use std::fmt::Write as _;

use super::{Client, Job, Mode, Program, Way, Wish, unix_lines};
use crate::servers::{PASSWORD, USER};

#[derive(Debug)]
pub(super) struct Postfix;

impl Client for Postfix {
    fn name(&self) -> &'static str {
        "Postfix"
    }

    fn way(&self) -> Way<'_> {
        Way::Program(self)
    }

    fn can(&self, _: Mode, wish: Wish) -> bool {
        wish != Wish::EarlyPipelining
    }

    /// Connections that are kept for later are closed without a word.
    fn says_quit(&self) -> bool {
        false
    }

    fn adds_fields(&self) -> bool {
        true
    }
}

impl Program for Postfix {
    fn path(&self) -> &'static str {
        "/usr/sbin/postfix"
    }

    fn version_script(&self) -> &'static str {
        "postconf -h mail_version"
    }

    fn files(&self, job: &Job) -> Vec<(&'static str, String)> {
        vec![
            ("main.cf", main_cf(job)),
            ("start", include_str!("postfix-client").to_owned()),
        ]
    }

    fn script(&self, job: &Job) -> String {
        let options = match job.wish {
            Wish::Notification => "-N success,failure -V interop",
            Wish::Forwarding => "by-smtp",
            _ => "",
        };
        format!("sh /mnt/start {options}")
    }

    fn input(&self, content: &[u8]) -> Vec<u8> {
        unix_lines(content)
    }
}

fn main_cf(job: &Job) -> String {
    let port = job.port;
    let (agent, next_hop) = match job.mode {
        Mode::Lmtp => ("lmtp", format!("inet:localhost:{port}")),
        _ => ("smtp", format!("[localhost]:{port}")),
    };
    let mut options = String::new();
    if job.mode.is_encrypted() {
        let _ = write!(
            options,
            "{agent}_tls_security_level = verify\n{agent}_tls_connection_reuse = yes\n"
        );
    }
    if job.mode == Mode::ImplicitTls {
        options.push_str("smtp_tls_wrappermode = yes\n");
    }
    if let Some(mechanism) = job.mode.mechanism() {
        let _ = write!(
            options,
            "smtp_sasl_auth_enable = yes\nsmtp_sasl_security_options = noanonymous\n\
             smtp_sasl_password_maps = static:{USER}:{PASSWORD}\n\
             smtp_sasl_mechanism_filter = {mechanism}\n"
        );
    }
    format!(
        "compatibility_level = 3.6
config_directory = /mnt/postfix
queue_directory = /mnt/queue
data_directory = /mnt/data
maillog_file = /mnt/maillog
maillog_file_prefixes = /mnt
myhostname = client.test
myorigin = client.test
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
alias_maps =
default_transport = {agent}:{next_hop}
{agent}_dns_support_level = disabled
{agent}_host_lookup = native
{agent}_connection_cache_destinations = static:all
{agent}_connection_cache_time_limit = 10s
{agent}_tls_CAfile = /mnt/ca.pem
{agent}_send_xforward_command = yes
default_destination_concurrency_limit = 1
default_destination_recipient_limit = 1000
message_size_limit = 60000000
mailbox_size_limit = 0
smtputf8_enable = yes
notify_classes =
bounce_queue_lifetime = 0
maximal_queue_lifetime = 0
{options}"
    )
}
