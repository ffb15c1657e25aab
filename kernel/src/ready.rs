//! Waiting for a descriptor, for a time, or until told to stop.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;

/// Waits until something can be done with a descriptor, or has failed; false when the time is
/// over, or `stop` became readable.
pub(crate) fn is_ready(
    fd: BorrowedFd<'_>,
    flags: PollFlags,
    timeout: Duration,
    stop: Option<BorrowedFd<'_>>,
) -> io::Result<bool> {
    let timeout =
        Timespec::try_from(timeout).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut waited = vec![PollFd::from_borrowed_fd(fd, flags)];
    waited.extend(stop.map(|stop| PollFd::from_borrowed_fd(stop, PollFlags::IN)));
    retry_on_intr(|| poll(&mut waited, Some(&timeout)))?;
    let is_told = |at: usize| waited.get(at).is_some_and(|fd| !fd.revents().is_empty());
    Ok(is_told(0) && !is_told(1))
}
