//! The privileges of the demo: those of root, or of root in a user namespace of its own.

use std::fs;

use anyhow::Context as _;
use rustix::process::{getegid, geteuid};
use rustix::thread::{CapabilitySet, UnshareFlags, capabilities};

/// What making network namespaces and furnishing them takes.
const NEEDED: CapabilitySet = CapabilitySet::SYS_ADMIN.union(CapabilitySet::NET_ADMIN);

/// Gets the privileges that the demo needs, and no others over this machine. Only while the
/// process has a single thread: the kernel moves no other into a user namespace.
pub(super) fn prepare() -> anyhow::Result<()> {
    let mine = capabilities(None).context("cannot tell which capabilities there are")?;
    if mine.effective.contains(NEEDED) {
        return Ok(());
    }
    become_root().context(
        "cannot be root in a user namespace of its own, which this machine may not allow: \
         run it as root",
    )
}

fn become_root() -> anyhow::Result<()> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    #[expect(
        deprecated,
        reason = "the form that replaces it differs for descriptor tables only"
    )]
    rustix::thread::unshare(UnshareFlags::NEWUSER)?;
    // Kernel: who is not root outside may map a group only after this (user_namespaces(7)).
    write("setgroups", "deny")?;
    write("uid_map", &format!("0 {uid} 1"))?;
    write("gid_map", &format!("0 {gid} 1"))
}

fn write(name: &str, text: &str) -> anyhow::Result<()> {
    let path = format!("/proc/self/{name}");
    fs::write(&path, text).with_context(|| format!("cannot write {path}"))
}
