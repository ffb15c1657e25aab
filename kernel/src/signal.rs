//! Signals that ask a program to end.

use std::io;
use std::os::fd::OwnedFd;

use crate::sys;

/// Takes the signals that ask this process to end (SIGINT, SIGTERM) out of their way: the
/// returned descriptor becomes readable when one comes, and nothing else happens.
///
/// To be called before any other thread is started: only the calling thread, and those that it
/// starts from then on, leave the signals to the descriptor.
///
/// # Errors
/// The kernel's, where it has no descriptor left.
pub fn hold_end() -> io::Result<OwnedFd> {
    sys::hold_signals(&[libc::SIGINT, libc::SIGTERM])
}
