//! Network namespaces that live as long as their descriptor.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

use nix::sched::{CloneFlags, setns, unshare};

/// A network namespace. It has no name anywhere, and ends with its last user.
#[derive(Debug)]
pub struct Space {
    file: File,
}

impl Space {
    /// The calling thread's namespace.
    ///
    /// # Errors
    /// Where `/proc` cannot be read.
    pub fn current() -> io::Result<Self> {
        let file = File::open("/proc/thread-self/ns/net")?;
        Ok(Self { file })
    }

    /// A new one; the calling thread is in it afterwards.
    ///
    /// # Errors
    /// Where the privilege is missing.
    pub fn create() -> io::Result<Self> {
        unshare(CloneFlags::CLONE_NEWNET)?;
        Self::current()
    }

    /// Moves the calling thread, and what it starts from now on, into it.
    ///
    /// # Errors
    /// Where the privilege is missing.
    pub fn enter(&self) -> io::Result<()> {
        Ok(setns(&self.file, CloneFlags::CLONE_NEWNET)?)
    }

    /// A path under which other processes can open it while it is held here.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.fd())
    }

    /// Its descriptor.
    pub fn file(&self) -> &File {
        &self.file
    }

    fn fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}
