//! Network namespaces: entering one that exists, making one that goes when it is dropped.

mod world;

use std::convert::Infallible;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::str::FromStr;
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

pub use world::WorldError;

use crate::sys::unshare_network;

/// How a network namespace is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetnsRef {
    /// That of a process.
    Pid(u32),
    /// One that is bound to a path, as `ip netns` and container runtimes do.
    Path(PathBuf),
}

impl NetnsRef {
    /// The file to open.
    fn path(&self) -> PathBuf {
        match self {
            Self::Pid(pid) => PathBuf::from(format!("/proc/{pid}/ns/net")),
            Self::Path(path) => path.clone(),
        }
    }
}

impl FromStr for NetnsRef {
    type Err = Infallible;

    /// A number is a process id, a text with a slash is a path, and any other is a name that
    /// `ip netns` gave, below `/run/netns`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.parse() {
            Ok(pid) => Self::Pid(pid),
            Err(_) if text.contains('/') => Self::Path(PathBuf::from(text)),
            Err(_) => Self::Path(PathBuf::from("/run/netns").join(text)),
        })
    }
}

impl fmt::Display for NetnsRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pid(pid) => write!(f, "network namespace of process {pid}"),
            Self::Path(path) => write!(f, "network namespace {}", path.display()),
        }
    }
}

/// Why a network namespace could not be used.
#[derive(Debug, thiserror::Error)]
pub enum NetnsError {
    /// Its file could not be opened.
    #[error("cannot open the {netns}{}", hint(source, "CAP_SYS_PTRACE"))]
    Open {
        /// Which one.
        netns: NetnsRef,
        /// Why not.
        source: io::Error,
    },
    /// The kernel did not let a thread in.
    #[error("cannot enter the {netns}{}", hint(source, "CAP_SYS_ADMIN"))]
    Enter {
        /// Which one.
        netns: NetnsRef,
        /// Why not.
        source: io::Error,
    },
    /// The kernel did not make a new one.
    #[error("cannot make a network namespace{}", hint(source, "CAP_SYS_ADMIN"))]
    Make {
        /// Why not.
        source: io::Error,
    },
}

/// What to do about it, as far as the kernel's word tells.
fn hint(error: &io::Error, privilege: &str) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => format!(" (needs {privilege}: run as root)"),
        io::ErrorKind::NotFound => " (give a running process, a path, or a name that \
             `ip netns` lists)"
            .to_owned(),
        io::ErrorKind::InvalidInput => " (it is a file of another kind)".to_owned(),
        _ => String::new(),
    }
}

/// Calls `inside` on a thread of its own that has entered the namespace, and waits for it.
///
/// Sockets and threads made inside belong to the namespace and stay there. `/proc/net` does
/// not follow a thread; `/proc/thread-self/net` and `/proc/sys/net` do.
///
/// # Errors
/// [`NetnsError`] where the namespace cannot be opened or entered; `inside` is not called.
///
/// # Panics
/// Where `inside` does.
pub fn in_netns<T: Send>(
    netns: &NetnsRef,
    inside: impl FnOnce() -> T + Send,
) -> Result<T, NetnsError> {
    let file = File::open(netns.path()).map_err(|source| NetnsError::Open {
        netns: netns.clone(),
        source,
    })?;
    enter(file.as_fd(), inside).map_err(|source| NetnsError::Enter {
        netns: netns.clone(),
        source,
    })
}

fn enter<T: Send>(
    netns: std::os::fd::BorrowedFd<'_>,
    inside: impl FnOnce() -> T + Send,
) -> io::Result<T> {
    on_thread(move || {
        move_into_link_name_space(netns, Some(LinkNameSpaceType::Network))?;
        Ok(inside())
    })
}

/// Runs on a thread that is thrown away afterwards, so that what it changes of itself is too.
fn on_thread<T: Send>(run: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, run)?;
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// A network namespace made by us. It has no name, and goes with everything in it when it is
/// dropped and the last process and socket inside are gone.
#[derive(Debug)]
pub struct Netns {
    fd: OwnedFd,
}

impl Netns {
    /// Makes a namespace with nothing in it but a loopback device, which is up.
    ///
    /// # Errors
    /// [`NetnsError::Make`] without `CAP_SYS_ADMIN` in our user namespace.
    pub fn new() -> Result<Self, NetnsError> {
        let made = on_thread(|| {
            unshare_network()?;
            world::set_up("lo")?;
            File::open("/proc/thread-self/ns/net")
        });
        let file = made.map_err(|source| NetnsError::Make { source })?;
        Ok(Self { fd: file.into() })
    }

    /// A name for it that holds as long as it is not dropped.
    pub fn reference(&self) -> NetnsRef {
        let pid = std::process::id();
        NetnsRef::Path(format!("/proc/{pid}/fd/{}", self.fd.as_raw_fd()).into())
    }

    /// Calls `inside` in this namespace, see [`in_netns`]. A program started there runs there.
    ///
    /// # Errors
    /// [`NetnsError::Enter`] where the kernel refuses.
    ///
    /// # Panics
    /// Where `inside` does.
    pub fn run<T: Send>(&self, inside: impl FnOnce() -> T + Send) -> Result<T, NetnsError> {
        enter(self.fd.as_fd(), inside).map_err(|source| NetnsError::Enter {
            netns: self.reference(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_named_by_pid_or_path_or_name() {
        assert_eq!("4711".parse(), Ok(NetnsRef::Pid(4711)));
        let path = |path: &str| Ok(NetnsRef::Path(PathBuf::from(path)));
        assert_eq!("/proc/1/ns/net".parse(), path("/proc/1/ns/net"));
        assert_eq!("blue".parse(), path("/run/netns/blue"));
    }
}
