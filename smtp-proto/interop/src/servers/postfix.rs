//! Postfix.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use super::{PASSWORD, Server, USER, mailbox};
use crate::stored::Stored;

pub(crate) static POSTFIX: Postfix = Postfix;

#[derive(Debug)]
pub(crate) struct Postfix;

/// What it puts on top of a message, in this order.
const TRACE: [&str; 4] = ["Return-Path", "X-Original-To", "Delivered-To", "Received"];

const MAIN: &str = "\
compatibility_level = 3.6
myhostname = mx.interop.test
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
queue_directory = /mnt/queue
data_directory = /mnt/data
maillog_file = /mnt/maillog
maillog_file_prefixes = /mnt
mynetworks = 192.0.2.255/32
mydestination =
local_recipient_maps =
alias_maps =
local_header_rewrite_clients =
virtual_mailbox_domains = interop.test
virtual_mailbox_base = /mnt/stored
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:4321
virtual_gid_maps = static:4321
virtual_mailbox_limit = 0
message_size_limit = 52428800
default_transport = error:5.4.4 nothing goes out
relay_transport = error:5.4.4 nothing goes out
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access inline:{ {nobody@interop.test = 550 5.1.1 no such user} }
smtp_dns_support_level = disabled
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_authorized_xforward_hosts = 127.0.0.0/8
smtpd_peername_lookup = no
smtpd_tls_security_level = may
smtpd_tls_cert_file = /mnt/certificate.pem
smtpd_tls_key_file = /mnt/key.pem
smtpd_sasl_auth_enable = yes
smtpd_sasl_path = smtpd
smtpd_sasl_local_domain = interop.test
smtpd_sasl_security_options = noanonymous
notify_classes =
";

const MASTER: &str = "\
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
proxymap  unix - - n - - proxymap
error     unix - - n - - error
retry     unix - - n - - error
virtual   unix - n n - - virtual
anvil     unix - - n - 1 anvil
postlog   unix-dgram n - n - 1 postlogd
";

/// Debian's Postfix looks for it below its configuration only.
const SASL: &str = "\
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: /mnt/sasldb2
mech_list: PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256
";

/// Makes what `postfix start` would, which takes seconds.
const FOLDERS: &str = "\
mkdir -p /mnt/queue /mnt/data; cd /mnt/queue
for d in incoming active bounce corrupt defer deferred flush saved trace hold private; do
  mkdir $d; chown postfix: $d; chmod 700 $d
done
mkdir maildrop public pid; chown postfix:postdrop maildrop public; chmod 730 maildrop; chmod 710 public
chown postfix: /mnt/data; chown 4321:4321 /mnt/stored; chmod 755 /mnt
cp -r /etc/postfix/dynamicmaps.cf* /mnt/conf/
";

impl Server for Postfix {
    fn name(&self) -> &'static str {
        "postfix"
    }

    fn program(&self) -> &'static str {
        "/usr/lib/postfix/sbin/master"
    }

    fn version_script(&self) -> &'static str {
        "postconf -h mail_version"
    }

    fn files(&self, port: u16) -> Vec<(&'static str, String)> {
        vec![
            ("conf/main.cf", MAIN.to_owned()),
            (
                "conf/master.cf",
                format!("127.0.0.1:{port} inet n - n - - smtpd\n{MASTER}"),
            ),
            ("conf/sasl/smtpd.conf", SASL.to_owned()),
        ]
    }

    fn script(&self, _: u16) -> String {
        format!(
            "{FOLDERS}\
             printf %s {PASSWORD} | saslpasswd2 -f /mnt/sasldb2 -p -c -u interop.test {USER}\n\
             chown postfix /mnt/sasldb2\n\
             ulimit -n 4096 # Postfix closes every descriptor that there could be\n\
             MAIL_CONFIG=/mnt/conf exec /usr/lib/postfix/sbin/master -c /mnt/conf -d"
        )
    }

    fn read(&self, file: &Path) -> Result<Option<Stored>> {
        if !mailbox::is_delivered(file) {
            return Ok(None);
        }
        let (fields, content) = mailbox::strip(fs::read(file)?, &TRACE);
        let sender = mailbox::address(&fields, "Return-Path").context("no Return-Path")?;
        let recipient = mailbox::address(&fields, "X-Original-To").context("no X-Original-To")?;
        Ok(Some(Stored {
            sender,
            recipients: vec![recipient],
            content,
        }))
    }

    fn logs_clients(&self) -> bool {
        true
    }

    fn as_stored(&self, content: &[u8], _: bool) -> Vec<u8> {
        mailbox::below_trace(content)
    }
}
