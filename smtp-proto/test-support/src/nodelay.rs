//! Sockets as other systems have them.

use std::env::consts::ARCH;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};

/// Has TCP_NODELAY fail in this thread and in those that it starts from now on, as it does on some
/// systems for a connection that its peer has reset.
pub fn without_nodelay() {
    let is = |argument, value: libc::c_int| {
        let value = u64::try_from(value).unwrap();
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value).unwrap()
    };
    let nodelay = vec![is(1, libc::IPPROTO_TCP), is(2, libc::TCP_NODELAY)];
    let rules = vec![SeccompRule::new(nodelay).unwrap()];
    let filter = SeccompFilter::new(
        [(libc::SYS_setsockopt, rules)].into(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EINVAL.unsigned_abs()),
        ARCH.try_into().unwrap(),
    );
    let program: BpfProgram = filter.unwrap().try_into().unwrap();
    apply_filter(&program).unwrap();
}
