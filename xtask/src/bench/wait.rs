//! Waits for a child and learns how much memory it had at most.

use std::io;
use std::mem;
use std::process::Child;

/// How a child ended.
pub(super) struct Ended {
    /// Its exit status; none if a signal ended it.
    pub(super) exit: Option<i32>,
    /// The most memory it had resident. Never less than what this program had when it
    /// started the child (Kernel: `exec_mmap` keeps the mark of the old image, fs/exec.c).
    pub(super) peak_kib: u64,
}

/// Waits until `child` ends. Nobody may wait for it again.
#[expect(unsafe_code, reason = "no safe crate of ours gives a child's usage")]
pub(super) fn wait(child: &Child) -> io::Result<Ended> {
    let pid = libc::pid_t::try_from(child.id()).expect("process ids fit pid_t");
    let mut status = 0;
    // SAFETY: `rusage` is made of integers alone, for which zero bytes are valid.
    let mut usage: libc::rusage = unsafe { mem::zeroed() };
    loop {
        // SAFETY: both pointers are to live values of the types that wait4 fills.
        let ended = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
        if ended == pid {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(Ended {
        exit: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        peak_kib: u64::try_from(usage.ru_maxrss).unwrap_or(0),
    })
}
