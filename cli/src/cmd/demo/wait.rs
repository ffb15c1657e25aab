//! Waiting for a descriptor, and never for long.

use std::io;
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;

/// Longer than anything here takes on a machine that works.
const PATIENCE: Timespec = Timespec {
    tv_sec: 10,
    tv_nsec: 0,
};

/// Waits until there is something to read, or an end to it.
///
/// # Errors
/// Where nothing comes.
pub(super) fn for_event(fd: impl AsFd) -> io::Result<()> {
    let ready = retry_on_intr(|| {
        let mut watched = [PollFd::new(&fd, PollFlags::IN)];
        poll(&mut watched, Some(&PATIENCE))
    })?;
    if ready == 0 {
        return Err(io::Error::from(io::ErrorKind::TimedOut));
    }
    Ok(())
}
