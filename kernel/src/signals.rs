//! Holding off the signals that end a process, for as long as there is something to put back.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::sys::{block_signals, unblock_signals};

/// What a terminal, a shell or a service manager ends a process with.
const ENDING: [i32; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];

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
