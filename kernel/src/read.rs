//! Reads a whole host into a dump, changing nothing on it.
//!
//! What cannot be read is named in the dump together with the privilege that is missing;
//! only a namespace that cannot be entered is an error. Rules and everything else are read
//! at the same time by two threads, in the namespace of the thread they come from.

mod bypass;
mod conntrack;
mod hook;
mod ipset;
mod legacy;
mod modules;
mod nft;
mod owner;
mod route;
mod sock;
mod sysctl;

use std::fs;
use std::io;
use std::net::IpAddr;
use std::thread;

use host::dump::{Dump, Unread, section};

use crate::netns::{NetnsError, NetnsRef, in_netns};
use modules::Modules;

pub use conntrack::{Wanted, read_connections};

/// What to read, and of which network namespace.
#[derive(Clone, Default)]
pub struct ReadOptions<'a> {
    /// The namespace; absent means that of the calling thread.
    pub netns: Option<NetnsRef>,
    /// The flow asked about: its conntrack entries are read.
    pub flow: Option<Flow>,
    /// Told how far a long part has come, from any thread.
    pub progress: Option<&'a (dyn Fn(Progress) + Sync)>,
}

/// A flow as its first packet shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// The protocol.
    pub proto: net::Proto,
    /// The address it goes to, before any translation.
    pub dst: IpAddr,
    /// The port it goes to, before any translation.
    pub port: u16,
}

/// How far a part of the reading has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The part: `nftables rules`, `set elements`.
    pub what: &'static str,
    /// How many are read.
    pub done: usize,
    /// How many there are.
    pub total: usize,
}

/// Why a host could not be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The network namespace could not be entered.
    #[error(transparent)]
    Namespace(#[from] NetnsError),
}

/// Reads the host as one network namespace of it sees it.
///
/// A section that is present and empty was read, and nothing was there.
///
/// # Errors
/// [`ReadError::Namespace`] where `options.netns` cannot be entered. Everything else that
/// cannot be read is in [`Dump::unread`].
pub fn read(options: &ReadOptions<'_>) -> Result<Dump, ReadError> {
    match &options.netns {
        Some(netns) => Ok(in_netns(netns, || read_here(options))?),
        None => Ok(read_here(options)),
    }
}

/// What every part of the reading may look at.
struct Reader<'a> {
    modules: Modules,
    options: &'a ReadOptions<'a>,
}

impl Reader<'_> {
    fn progress(&self, what: &'static str, done: usize, total: usize) {
        if let Some(told) = self.options.progress {
            told(Progress { what, done, total });
        }
    }
}

fn read_here(options: &ReadOptions<'_>) -> Dump {
    let mut dump = Dump::default();
    keep_text(&mut dump, section::RELEASE, "/proc/sys/kernel/osrelease");
    keep_text(&mut dump, section::HOSTNAME, "/proc/sys/kernel/hostname");
    let reader = Reader {
        modules: Modules::read(dump.text(section::RELEASE).trim()),
        options,
    };
    let (rules, rest) = thread::scope(|scope| {
        let rules = scope.spawn(|| reader.rules());
        let rest = reader.rest();
        (rules.join(), rest)
    });
    for part in [
        rules.unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        rest,
    ] {
        dump.sections.extend(part.sections);
        dump.unread.extend(part.unread);
    }
    dump
}

impl Reader<'_> {
    /// Everything that decides about packets.
    fn rules(&self) -> Dump {
        let mut dump = Dump::default();
        self.nft(&mut dump);
        self.ipsets(&mut dump);
        legacy::legacy(&mut dump);
        self.conntrack(&mut dump);
        dump
    }

    /// Where packets come from and go to.
    fn rest(&self) -> Dump {
        let mut dump = Dump::default();
        route::routes(&mut dump);
        self.sockets(&mut dump);
        owner::owners(&mut dump);
        sysctl::sysctls(&mut dump);
        self.hooks(&mut dump);
        self.bypasses(&mut dump);
        dump
    }
}

/// Keeps a file of the kernel's own; these are readable by everybody, where they exist.
fn keep_text(dump: &mut Dump, section: &str, path: &str) {
    if let Ok(text) = fs::read_to_string(path) {
        keep(dump, section, text.trim_end().as_bytes().to_vec());
    }
}

/// Keeps a section.
fn keep(dump: &mut Dump, section: &str, bytes: Vec<u8>) {
    dump.sections.insert(section.to_owned(), bytes);
}

/// Notes what could not be read, and why.
fn missed(dump: &mut Dump, what: &str, why: impl Into<String>) {
    dump.unread.push(Unread {
        what: what.to_owned(),
        why: why.into(),
    });
}

/// The reason in an error; `privilege` is what the kernel asks for.
fn reason(error: &io::Error, privilege: &str) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => format!("needs {privilege}: run as root"),
        _ => error.to_string(),
    }
}
