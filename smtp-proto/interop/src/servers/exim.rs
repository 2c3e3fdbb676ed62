//! Exim.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use super::{PASSWORD, Server, USER, mailbox};
use crate::stored::Stored;

pub(crate) static EXIM: Exim = Exim;

#[derive(Debug)]
pub(crate) struct Exim;

/// What it puts on top of a message, in this order.
const TRACE: [&str; 4] = ["Return-path", "Envelope-to", "Delivery-date", "Received"];

const CONFIGURATION: &str = r"
primary_hostname = mx.interop.test
domainlist local_domains = interop.test
local_interfaces = 127.0.0.1
spool_directory = /mnt/spool
log_file_path = /mnt/exim-%slog
disable_ipv6 = true
dns_ipv4_lookup = *
host_lookup =
rfc1413_query_timeout = 0s
keep_environment =
never_users =
tls_advertise_hosts = *
tls_certificate = /mnt/certificate.pem
tls_privatekey = /mnt/key.pem
chunking_advertise_hosts = *
pipelining_advertise_hosts = *
pipelining_connect_advertise_hosts = *
dsn_advertise_hosts = *
smtputf8_advertise_hosts = *
prdr_enable = true
message_size_limit = 50M
smtp_accept_queue_per_connection = 0
smtp_enforce_sync = true
acl_smtp_rcpt = recipients
acl_smtp_data = accept
begin acl
recipients:
  deny local_parts = nobody
       message = no such user
  accept domains = +local_domains
  deny message = relay not permitted
begin routers
local:
  driver = accept
  domains = +local_domains
  transport = maildir
begin transports
maildir:
  driver = appendfile
  maildir_format
  directory = /mnt/stored/all
  create_file = anywhere
  delivery_date_add
  envelope_to_add
  return_path_add
  user = Debian-exim
begin authenticators
";

impl Server for Exim {
    fn name(&self) -> &'static str {
        "exim"
    }

    fn program(&self) -> &'static str {
        "/usr/sbin/exim4"
    }

    fn version_script(&self) -> &'static str {
        "exim4 -bV | sed -n 's/^Exim version \\([^ ]*\\).*/\\1/p'"
    }

    fn files(&self, port: u16) -> Vec<(&'static str, String)> {
        let authenticators = format!(
            "plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{USER}}}}}{{eq{{$auth3}}{{{PASSWORD}}}}}}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{if and{{{{eq{{$auth1}}{{{USER}}}}}{{eq{{$auth2}}{{{PASSWORD}}}}}}}}}
  server_set_id = $auth1
"
        );
        vec![(
            "exim.conf",
            format!("daemon_smtp_ports = {port}{CONFIGURATION}{authenticators}"),
        )]
    }

    fn script(&self, _: u16) -> String {
        "mkdir -p /mnt/spool; chown Debian-exim: /mnt /mnt/spool /mnt/stored /mnt/key.pem\n\
         chown root: /mnt/exim.conf; chmod 644 /mnt/exim.conf\n\
         exec exim4 -C /mnt/exim.conf -bdf -q1m"
            .to_owned()
    }

    fn read(&self, file: &Path) -> Result<Option<Stored>> {
        if !mailbox::is_delivered(file) {
            return Ok(None);
        }
        let (fields, content) = mailbox::strip(fs::read(file)?, &TRACE);
        let sender = mailbox::address(&fields, "Return-path").context("no Return-path")?;
        let recipient = mailbox::address(&fields, "Envelope-to").context("no Envelope-to")?;
        Ok(Some(Stored {
            sender,
            recipients: vec![recipient],
            content,
        }))
    }

    /// Has an empty line after every header.
    fn as_stored(&self, content: &[u8], _: bool) -> Vec<u8> {
        let mut lines = mailbox::below_trace(content);
        if !lines.starts_with(b"\n") && !lines.windows(2).any(|bytes| bytes == b"\n\n") {
            lines.push(b'\n');
        }
        lines
    }
}
