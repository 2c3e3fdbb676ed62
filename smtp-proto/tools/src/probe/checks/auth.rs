//! Which mechanisms of AUTH are offered where (RFC 4954)?

use smtp_proto::syntax::Capabilities;

use crate::probe::finding::{Tells, Verdict};

/// What is offered by channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// In clear, if it was asked there.
    pub in_clear: Option<Vec<String>>,
    /// Over TLS, if it was asked there.
    pub over_tls: Option<Vec<String>>,
}

/// Returns the mechanisms that are offered.
pub(in crate::probe) fn mechanisms(capabilities: &Capabilities) -> Vec<String> {
    let arguments = capabilities.get("AUTH").unwrap_or_default();
    let mechanisms = arguments.split_ascii_whitespace();
    mechanisms.map(str::to_ascii_uppercase).collect()
}

impl Auth {
    /// Tells whether something is offered in clear that gives the password away.
    fn exposes_passwords(&self) -> bool {
        let mut in_clear = self.in_clear.iter().flatten();
        in_clear.any(|mechanism| mechanism == "PLAIN" || mechanism == "LOGIN")
    }
}

impl Tells for Auth {
    fn verdict(&self) -> Verdict {
        match self.exposes_passwords() {
            true => Verdict::Weak,
            false => Verdict::Fact,
        }
    }

    fn meaning(&self) -> String {
        let list = |mechanisms: &[String]| match mechanisms {
            [] => "none".to_owned(),
            some => some.join(" "),
        };
        let channels = match (&self.in_clear, &self.over_tls) {
            (Some(clear), Some(tls)) => {
                format!("In clear {}; over TLS {}.", list(clear), list(tls))
            }
            (Some(clear), None) => format!("In clear {}.", list(clear)),
            (None, Some(tls)) => format!("Over TLS {}.", list(tls)),
            (None, None) => "Not asked for.".to_owned(),
        };
        match self.exposes_passwords() {
            true => format!("{channels} PLAIN and LOGIN in clear tell everybody the password."),
            false => channels,
        }
    }
}
