//! Cgroups by number and by process.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::DirEntryExt;
use std::path::Path;

use super::cgroup_mount;
use crate::sys::open_cgroup;

/// Lines `ID PATH` for those of `ids` that still exist.
pub(super) fn paths(ids: &BTreeSet<u64>) -> String {
    let Some(mount) = cgroup_mount() else {
        return String::new();
    };
    by_handle(&mount, ids).unwrap_or_else(|_| by_walk(&mount, ids))
}

/// Asks the kernel for each; needs `CAP_DAC_READ_SEARCH`.
fn by_handle(mount: &Path, ids: &BTreeSet<u64>) -> io::Result<String> {
    let root = fs::File::open(mount)?;
    let mut lines = String::new();
    for &id in ids {
        let cgroup = match open_cgroup(root.as_fd(), id) {
            Ok(cgroup) => cgroup,
            Err(error) if error.raw_os_error() == Some(libc::ESTALE) => continue,
            Err(error) => return Err(error),
        };
        let path = fs::read_link(format!("/proc/thread-self/fd/{}", cgroup.as_raw_fd()))?;
        if let Ok(inside) = path.strip_prefix(mount) {
            let _ = writeln!(lines, "{id} /{}", inside.display());
        }
    }
    Ok(lines)
}

/// Compares inode numbers of all cgroups.
fn by_walk(mount: &Path, ids: &BTreeSet<u64>) -> String {
    let mut lines = String::new();
    if ids.contains(&1) {
        // Kernel: the root is number 1 (fs/kernfs/dir.c).
        lines.push_str("1 /\n");
    }
    let mut dirs = vec![mount.to_owned()];
    while let Some(dir) = dirs.pop() {
        let Ok(entries) = fs::read_dir(&dir) else {
            continue;
        };
        let entries = entries.filter_map(Result::ok);
        for entry in entries.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir())) {
            let path = entry.path();
            if let (true, Ok(inside)) = (ids.contains(&entry.ino()), path.strip_prefix(mount)) {
                let _ = writeln!(lines, "{} /{}", entry.ino(), inside.display());
            }
            dirs.push(path);
        }
    }
    lines
}

/// The path of a process from its `/proc/PID/cgroup`; empty where there is none.
///
/// The v2 line, unless it says nothing: on hybrid hosts pods are placed in v1 hierarchies only.
pub(super) fn of_process(text: &str) -> &str {
    let path = |controller: &str| {
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        let mut fields = fields.filter_map(|(_, rest)| rest.split_once(':'));
        fields.find_map(|(names, path)| names.split(',').any(|n| n == controller).then_some(path))
    };
    let known = ["", "pids", "memory", "name=systemd"].map(path);
    let telling = known.iter().flatten().find(|path| **path != "/");
    telling
        .or(known.iter().flatten().next())
        .copied()
        .unwrap_or("")
}

/// The mount point of the first cgroup v2 file system in a `mountinfo`.
pub(super) fn mount_point(mountinfo: &str) -> Option<&str> {
    mountinfo.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        (kind.split(' ').next()? == "cgroup2").then(|| mount.split(' ').nth(4))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_v2_path_that_says_nothing_yields_to_a_v1_path() {
        assert_eq!(of_process("0::/kubepods/podA\n"), "/kubepods/podA");
        assert_eq!(
            of_process("9:pids:/kubepods/podA\n0::/\n"),
            "/kubepods/podA"
        );
        assert_eq!(of_process("9:pids:/\n0::/\n"), "/");
        assert_eq!(of_process(""), "");
    }

    #[test]
    fn the_mount_point_is_that_of_version_2() {
        let text = "30 29 0:26 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
                    31 29 0:27 / /sys/fs/cgroup/unified rw,relatime shared:4 - cgroup2 none rw\n";
        assert_eq!(mount_point(text), Some("/sys/fs/cgroup/unified"));
    }
}
