//! Who holds the sockets that were read: processes, and the cgroups that made them.

mod cgroup;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::path::PathBuf;

use host::dump::{Dump, Owner, section};
use rustix::fs::{Dir, Mode, OFlags, readlinkat_raw};

use super::{keep, missed};
use crate::netlink::{Messages, u32_at};

/// `struct inet_diag_msg`: where the inode is, and where attributes begin.
const INODE: usize = 68;
const DIAG: usize = 72;
/// Kernel: `INET_DIAG_CGROUP_ID` (include/uapi/linux/inet_diag.h).
const CGROUP_ID: u16 = 21;
/// Programs that hold sockets for the containers they started.
const SHIMS: [&str; 3] = ["containerd-shim", "conmon", "crio-conmon"];

/// Finds the processes and cgroups of the sockets in `dump`.
pub(super) fn owners(dump: &mut Dump) {
    let (inodes, cgroups) = wanted(dump);
    if !cgroups.is_empty() {
        keep(dump, section::CGROUPS, cgroup::paths(&cgroups).into_bytes());
    }
    let mut walk = Walk {
        missing: inodes,
        shims: Vec::new(),
        owners: Vec::new(),
        is_denied: false,
    };
    walk.processes();
    if walk.is_denied && !walk.missing.is_empty() {
        let why = "needs CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH: run as root";
        missed(dump, "owners of sockets", why);
    }
    dump.sections.insert(section::OWNERS.to_owned(), Vec::new());
    for owner in walk.finish() {
        dump.push_line(section::OWNERS, &owner);
    }
}

/// The inodes and cgroup numbers that the socket dumps name.
fn wanted(dump: &Dump) -> (BTreeSet<u64>, BTreeSet<u64>) {
    let mut inodes = BTreeSet::new();
    let mut cgroups = BTreeSet::new();
    let sockets = dump.sections.iter();
    let sockets = sockets.filter(|(name, _)| name.starts_with(section::SOCKETS));
    for message in sockets.flat_map(|(_, bytes)| Messages(bytes)) {
        // Inode 0: the kernel's own, or not accepted yet.
        inodes.extend(
            u32_at(message.payload, INODE)
                .filter(|&inode| inode != 0)
                .map(u64::from),
        );
        let cgroup = message.attributes(DIAG).get(CGROUP_ID);
        let id = cgroup.and_then(|value| value.try_into().ok());
        cgroups.extend(id.map(u64::from_ne_bytes));
    }
    (inodes, cgroups)
}

/// A search through all processes, which ends when every inode has an owner.
struct Walk {
    missing: BTreeSet<u64>,
    /// What only a shim is known to hold so far.
    shims: Vec<Owner>,
    owners: Vec<Owner>,
    is_denied: bool,
}

impl Walk {
    /// Looks at processes of our network namespace first: sockets are seldom held elsewhere.
    fn processes(&mut self) {
        let ours = fs::read_link("/proc/thread-self/ns/net").ok();
        let mut elsewhere = Vec::new();
        for pid in pids() {
            if self.missing.is_empty() {
                return;
            }
            let theirs = fs::read_link(format!("/proc/{pid}/ns/net")).ok();
            if theirs.is_some() && theirs == ours {
                self.process(pid);
            } else {
                elsewhere.push(pid);
            }
        }
        for pid in elsewhere {
            if self.missing.is_empty() {
                return;
            }
            self.process(pid);
        }
    }

    fn process(&mut self, pid: u32) {
        match self.held_by(pid) {
            Ok(inodes) => self.found(pid, inodes),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => self.is_denied = true,
            // It has ended.
            Err(_) => {}
        }
    }

    /// The missing inodes that a process has open.
    fn held_by(&self, pid: u32) -> io::Result<Vec<u64>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::open(format!("/proc/{pid}/fd"), flags, Mode::empty())?;
        let mut held = Vec::new();
        for entry in Dir::read_from(&dir)? {
            let entry = entry?;
            let mut buffer = [MaybeUninit::uninit(); 64];
            let Ok((target, _)) = readlinkat_raw(&dir, entry.file_name(), &mut buffer) else {
                continue;
            };
            let inode = socket_inode(target);
            held.extend(inode.filter(|inode| self.missing.contains(inode)));
        }
        Ok(held)
    }

    fn found(&mut self, pid: u32, inodes: Vec<u64>) {
        if inodes.is_empty() {
            return;
        }
        let name = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
        let name = String::from_utf8_lossy(&name)
            .trim_end_matches('\n')
            .to_owned();
        let cgroup = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        let cgroup = cgroup::of_process(&cgroup).to_owned();
        let gid = files_group(pid);
        let is_shim = SHIMS.contains(&name.as_str());
        for inode in inodes {
            let owner = Owner {
                inode,
                pid,
                name: name.clone(),
                gid,
                cgroup: cgroup.clone(),
            };
            if is_shim {
                self.shims.push(owner);
            } else if self.missing.remove(&inode) {
                self.owners.push(owner);
            }
        }
    }

    /// One owner for each inode, by inode.
    fn finish(mut self) -> Vec<Owner> {
        for owner in self.shims {
            if self.missing.remove(&owner.inode) {
                self.owners.push(owner);
            }
        }
        self.owners.sort_by_key(|owner| owner.inode);
        self.owners
    }
}

/// The group that files of a process are made with: the last of the four that proc(5) lists.
fn files_group(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let groups = status.lines().find_map(|line| line.strip_prefix("Gid:"))?;
    groups.split_ascii_whitespace().last()?.parse().ok()
}

/// All process ids that can be seen, lowest first.
fn pids() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut pids: Vec<u32> = names.filter_map(|name| name.parse().ok()).collect();
    pids.sort_unstable();
    pids
}

/// `N` of `socket:[N]`.
fn socket_inode(target: &[u8]) -> Option<u64> {
    let number = target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// Where the cgroup v2 file system is mounted.
pub(super) fn cgroup_mount() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    cgroup::mount_point(&mounts).map(PathBuf::from)
}
