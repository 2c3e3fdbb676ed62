//! Exim's smtp transport.

use std::fmt::Write as _;

use super::{Client, Job, Mode, Program, Way, Wish, unix_lines, with_final_line_end};
use crate::servers::{PASSWORD, USER};

#[derive(Debug)]
pub(super) struct Exim;

impl Client for Exim {
    fn name(&self) -> &'static str {
        "Exim"
    }

    fn way(&self) -> Way<'_> {
        Way::Program(self)
    }

    fn can(&self, _: Mode, wish: Wish) -> bool {
        !matches!(wish, Wish::Notification | Wish::Forwarding)
    }

    /// It ends the header if nothing else does.
    fn as_sent(&self, content: &[u8]) -> Vec<u8> {
        let mut content = with_final_line_end(content);
        let has_body = content.starts_with(b".") || content.windows(4).any(|it| it == b"\r\n\r\n");
        if !has_body {
            content.extend_from_slice(b"\r\n");
        }
        content
    }

    fn adds_fields(&self) -> bool {
        true
    }
}

impl Program for Exim {
    fn path(&self) -> &'static str {
        "/usr/sbin/exim4"
    }

    fn version_script(&self) -> &'static str {
        "exim4 -bV | sed -n 's/^Exim version \\([^ ]*\\).*/\\1/p'"
    }

    fn files(&self, job: &Job) -> Vec<(&'static str, String)> {
        vec![("exim.conf", configuration(job))]
    }

    /// One run of the queue sends all over one connection. What the server offers is known to the
    /// next run only.
    fn script(&self, job: &Job) -> String {
        let after_each = match job.wish {
            Wish::EarlyPipelining => "exim4 -C /mnt/exim.conf -q",
            _ => "true",
        };
        format!(
            "mkdir -m 755 /mnt/spool && chown Debian-exim: /mnt/spool
            for job in /mnt/jobs/*; do
              exim4 -C /mnt/exim.conf -odq -oi -f \"$(cat $job/sender)\" \
                $(cat $job/recipients) <$job/content || exit
              {after_each}
            done
            exim4 -C /mnt/exim.conf -qq
            cat /mnt/spool/log/mainlog
            exim4 -C /mnt/exim.conf -bp"
        )
    }

    fn input(&self, content: &[u8]) -> Vec<u8> {
        unix_lines(content)
    }
}

fn configuration(job: &Job) -> String {
    let mut options = String::new();
    match job.mode {
        Mode::Clear => options.push_str("  hosts_avoid_tls = *\n"),
        Mode::StartTls | Mode::AuthPlain | Mode::AuthLogin => {
            options.push_str("  hosts_require_tls = *\n");
        }
        Mode::ImplicitTls => options.push_str("  protocol = smtps\n"),
        Mode::Lmtp => options.push_str("  protocol = lmtp\n  hosts_avoid_tls = *\n"),
    }
    if job.mode.is_encrypted() {
        options.push_str("  tls_verify_certificates = /mnt/ca.pem\n  tls_verify_hosts = *\n");
    }
    let mut authenticators = String::new();
    if let Some(mechanism) = job.mode.mechanism() {
        options.push_str("  hosts_require_auth = *\n");
        let said = match job.mode {
            Mode::AuthPlain => format!("^{USER}^{PASSWORD}"),
            _ => format!(": {USER} : {PASSWORD}"),
        };
        let _ = write!(
            authenticators,
            "begin authenticators\none:\n  driver = plaintext\n  public_name = {mechanism}\n  client_send = {said}\n"
        );
    }
    let port = job.port;
    format!(
        "primary_hostname = client.test
qualify_domain = client.test
local_interfaces = 127.0.0.1
disable_ipv6 = true
dns_ipv4_lookup = *
host_lookup =
spool_directory = /mnt/spool
log_file_path = /mnt/spool/log/%slog
log_selector = +pipelining +smtp_confirmation +smtp_connection
message_size_limit = 60M
remote_max_parallel = 1
allow_utf8_domains = true
smtputf8_advertise_hosts = *
keep_environment =
untrusted_set_sender = *
begin routers
drop_bounces:
  driver = redirect
  senders = :
  data = :blackhole:
all:
  driver = manualroute
  route_list = * localhost byname
  transport = out
  self = send
begin transports
out:
  driver = smtp
  port = {port}
  allow_localhost
  hosts_pipe_connect = *
  multi_domain
  max_rcpt = 1000
  helo_data = client.test
  connection_max_messages = 0
  connect_timeout = 10s
  command_timeout = 60s
  data_timeout = 60s
  final_timeout = 60s
{options}begin retry
{authenticators}"
    )
}
