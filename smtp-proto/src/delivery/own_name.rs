//! What a client calls itself unless it is told.

use core::net::IpAddr;

use crate::syntax::Host;

/// Returns what to say in EHLO: the machine's host name where that is a full one, or else the address
/// literal of its own end of the connection (RFC 5321 4.1.1.1).
///
/// Servers refuse names without a dot, which are of use only where they are from.
pub fn own_name(host_name: &str, local: Option<IpAddr>) -> Host<'static> {
    let host_name = host_name.trim_end_matches('.');
    if host_name.contains('.')
        && let Ok(name) = Host::parse(host_name)
    {
        return name.into_owned();
    }
    match local.unwrap_or(IpAddr::from([127, 0, 0, 1])).to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => address.into(),
    }
}
