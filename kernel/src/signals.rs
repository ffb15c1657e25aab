//! Holding off the signals that end a process: for as long as there is something to put back,
//! or for good, to end in order.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::sys::{block_signals, unblock_signals};

/// What a terminal, a shell or a service manager ends a process with.
const ENDING: [i32; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];

/// Takes the signals that ask this process to end (SIGINT, SIGTERM) out of their way: the
/// returned descriptor becomes readable when one comes, and nothing else happens.
///
/// To be called before any other thread is started: only the calling thread, and those that it
/// starts from then on, leave the signals to the descriptor.
///
/// # Errors
/// The kernel's, where it has no descriptor left.
pub fn hold_end() -> io::Result<OwnedFd> {
    let (fd, _) = block_signals(&[libc::SIGINT, libc::SIGTERM])?;
    Ok(fd)
}

/// While this lives, signals that would end the process wait: those for the calling thread and
/// for threads it starts meanwhile. They take their effect when it is dropped, which has to be
/// on the same thread. Its descriptor is readable once one waits.
#[derive(Debug)]
pub struct Held {
    fd: OwnedFd,
    before: libc::sigset_t,
    /// A thread's signals are its own.
    stays: PhantomData<*const ()>,
}

impl Held {
    /// Holds them off.
    ///
    /// # Errors
    /// Where the kernel has no descriptor left for it.
    pub fn new() -> io::Result<Self> {
        let (fd, before) = block_signals(&ENDING)?;
        Ok(Self {
            fd,
            before,
            stays: PhantomData,
        })
    }
}

impl AsFd for Held {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        unblock_signals(&self.before);
    }
}
