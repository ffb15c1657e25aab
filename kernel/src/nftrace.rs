//! Asks the kernel to report the way of packets through nftables: one table with one rule, as
//! long as it takes, and the reports.
//!
//! The table belongs to our socket, so that the kernel removes it when the process ends,
//! however it does. Kernels before 5.12 know no owners: there it is removed by us, and ending
//! signals have to be held off meanwhile ([`crate::Held`]).

mod expr;

use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use host::Hook;
use host::nftrace::{At, Wanted};
use rustix::net::netlink::NETFILTER;

use crate::netlink::{Netlink, Request};

/// Kernel: include/uapi/linux/netfilter/nfnetlink.h, nf_tables.h.
const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NEW_TABLE: u16 = SUBSYSTEM << 8;
const DELETE_TABLE: u16 = NEW_TABLE + 2;
const NEW_CHAIN: u16 = NEW_TABLE + 3;
const NEW_RULE: u16 = NEW_TABLE + 6;
const CREATE_NEW: u16 = 0x200 | 0x400;
const NFNL_BATCH_GENID: u16 = 1;
const NFTA_TABLE_NAME: u16 = 1;
const NFTA_TABLE_FLAGS: u16 = 2;
const OWNER: u32 = 2;
const NFTA_CHAIN_TABLE: u16 = 1;
const NFTA_CHAIN_NAME: u16 = 3;
const NFTA_CHAIN_HOOK: u16 = 4;
const NFTA_CHAIN_TYPE: u16 = 7;
const NFTA_HOOK_NUMBER: u16 = 1;
const NFTA_HOOK_PRIORITY: u16 = 2;
const NFTA_RULE_TABLE: u16 = 1;
const NFTA_RULE_CHAIN: u16 = 2;
const NFTA_RULE_EXPRESSIONS: u16 = 4;
const INET: u8 = 1;

/// The chain of the table.
const CHAIN: &str = "first";
/// Room for reports that wait to be heard.
const ROOM: usize = 4 << 20;
/// Reports are sent while a packet goes its way. So long behind the last one it is over.
const QUIET: Duration = Duration::from_millis(100);
/// So long the end is waited for where packets that others trace keep coming.
const MOST: Duration = Duration::from_secs(2);

/// Why packets could not be traced.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The kernel does not tell us of traced packets.
    #[error("cannot listen for traced packets{}", hint(source))]
    Listen {
        /// Why not.
        source: io::Error,
    },
    /// The kernel did not add the table.
    #[error("cannot add table inet {table}{}", hint(source))]
    Add {
        /// Its name.
        table: String,
        /// Why not.
        source: io::Error,
    },
    /// The rules are no longer those that were read.
    #[error("the rules changed since they were read: ask again")]
    Stale,
    /// The kernel did not remove the table.
    #[error("cannot remove table inet {table}: remove it by `nft delete table inet {table}`")]
    Remove {
        /// Its name.
        table: String,
        /// Why not.
        source: io::Error,
    },
}

/// What to do about it, as far as the kernel's word tells.
fn hint(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => " (needs CAP_NET_ADMIN: run as root)",
        Some(libc::EEXIST) => " (it is there: another trace is going on)",
        _ => "",
    }
}

/// Whose the table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// Our socket's: it goes when that is closed.
    Socket,
    /// Nobody's: it stays until it is removed.
    Nobody,
}

/// A table that has packets traced. It is removed when this is dropped.
#[derive(Debug)]
pub struct Tracing {
    /// What the kernel sent so far.
    heard: Heard,
    listener: Netlink,
    /// Nothing once the table is removed.
    table: Option<Added>,
}

/// A table in the kernel, and the socket it was made with.
#[derive(Debug)]
struct Added {
    name: String,
    owner: Owner,
    socket: Netlink,
}

/// What the kernel sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    /// Its messages, for `host::wire::reports`.
    pub bytes: Vec<u8>,
    /// Whether there were more than we could hear.
    pub lost: bool,
}

impl Tracing {
    /// Adds the table to the namespace of the calling thread, if nothing changed since the
    /// ruleset had the generation `built_on`.
    ///
    /// # Errors
    /// [`TraceError`]; nothing was added.
    pub fn start(wanted: &Wanted, table: &str, built_on: u32) -> Result<Self, TraceError> {
        let refused = |source: io::Error| match source.raw_os_error() {
            Some(libc::ERESTART) => TraceError::Stale,
            _ => TraceError::Add {
                table: table.to_owned(),
                source,
            },
        };
        match Self::start_as(Owner::Socket, wanted, table, built_on)? {
            Err(error) if is_unknown_flag(&error) => {
                Self::start_as(Owner::Nobody, wanted, table, built_on)?.map_err(refused)
            }
            started => started.map_err(refused),
        }
    }

    fn start_as(
        owner: Owner,
        wanted: &Wanted,
        table: &str,
        built_on: u32,
    ) -> Result<io::Result<Self>, TraceError> {
        // Listens first: no packet is to be missed.
        let listener =
            Netlink::watch_traces(ROOM).map_err(|source| TraceError::Listen { source })?;
        let added = Added::new(owner, wanted, table, built_on);
        Ok(added.map(|table| Self {
            heard: Heard::default(),
            listener,
            table: Some(table),
        }))
    }

    /// Whether the table stays should this process be killed.
    pub fn may_stay(&self) -> bool {
        let table = self.table.as_ref();
        table.is_some_and(|table| table.owner == Owner::Nobody)
    }

    /// Waits until a packet that is wanted is reported; false where none came in time, or
    /// `stop` became readable.
    ///
    /// # Errors
    /// [`TraceError::Listen`] where the kernel tells nothing any more.
    pub fn wait(&mut self, timeout: Duration, stop: BorrowedFd<'_>) -> Result<bool, TraceError> {
        let end = now() + timeout;
        loop {
            let left = end.saturating_duration_since(now());
            let start = self.heard.bytes.len();
            if !self.hear(left, Some(stop))? {
                return Ok(false);
            }
            if self.is_wanted(start) {
                return Ok(true);
            }
            // Of what others trace nothing has to be kept before.
            self.heard.bytes.truncate(start);
        }
    }

    /// Hears the rest of the way, and removes the table.
    ///
    /// # Errors
    /// [`TraceError`] where the kernel tells nothing any more, or does not remove the table.
    pub fn stop(mut self) -> Result<Heard, TraceError> {
        let end = now() + MOST;
        while self.hear(QUIET, None)? {
            if now() > end {
                self.heard.lost = true;
                break;
            }
        }
        self.remove()?;
        Ok(std::mem::take(&mut self.heard))
    }

    /// Whether what was heard from there on has a report of the table's rule.
    fn is_wanted(&self, start: usize) -> bool {
        let name = self.table.as_ref().map(|table| table.name.as_str());
        let reports = host::wire::reports(&self.heard.bytes[start..]);
        reports
            .iter()
            .any(|r| Some(r.table.as_str()) == name && matches!(r.at, At::Rule(_)))
    }

    fn hear(
        &mut self,
        timeout: Duration,
        stop: Option<BorrowedFd<'_>>,
    ) -> Result<bool, TraceError> {
        match self.listener.hear(timeout, stop, &mut self.heard.bytes) {
            // Kernel: the receive buffer was full, and reports are gone.
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                self.heard.lost = true;
                Ok(true)
            }
            heard => heard.map_err(|source| TraceError::Listen { source }),
        }
    }

    fn remove(&mut self) -> Result<(), TraceError> {
        let Some(mut table) = self.table.take() else {
            return Ok(());
        };
        table.remove().map_err(|source| TraceError::Remove {
            table: table.name,
            source,
        })
    }
}

impl Drop for Tracing {
    fn drop(&mut self) {
        // Who did not stop it has an error to tell already.
        let _ = self.remove();
    }
}

impl Added {
    fn new(owner: Owner, wanted: &Wanted, name: &str, built_on: u32) -> io::Result<Self> {
        let mut socket = Netlink::open(NETFILTER)?;
        let begin = batch(BATCH_BEGIN).attribute(NFNL_BATCH_GENID, &built_on.to_be_bytes());
        let changes = vec![
            begin,
            new_table(name, owner),
            new_chain(name, wanted.hook),
            new_rule(name, wanted).acknowledged(),
            batch(BATCH_END),
        ];
        socket.change_all(changes)?;
        Ok(Self {
            name: name.to_owned(),
            owner,
            socket,
        })
    }

    fn remove(&mut self) -> io::Result<()> {
        let delete = request(DELETE_TABLE).text(NFTA_TABLE_NAME, &self.name);
        self.socket.change_all(vec![
            batch(BATCH_BEGIN),
            delete.acknowledged(),
            batch(BATCH_END),
        ])
    }
}

fn new_table(name: &str, owner: Owner) -> Request {
    let request = request(NEW_TABLE)
        .flags(CREATE_NEW)
        .text(NFTA_TABLE_NAME, name);
    match owner {
        Owner::Socket => request.attribute(NFTA_TABLE_FLAGS, &OWNER.to_be_bytes()),
        Owner::Nobody => request,
    }
}

/// A base chain that runs before all others: of equal priority the youngest runs first.
fn new_chain(table: &str, hook: Hook) -> Request {
    let number: u32 = match hook {
        Hook::Ingress | Hook::Prerouting => 0,
        Hook::Input => 1,
        Hook::Forward => 2,
        Hook::Output => 3,
        Hook::Postrouting | Hook::Egress => 4,
    };
    request(NEW_CHAIN)
        .flags(CREATE_NEW)
        .text(NFTA_CHAIN_TABLE, table)
        .text(NFTA_CHAIN_NAME, CHAIN)
        .nested(NFTA_CHAIN_HOOK, |place| {
            place
                .attribute(NFTA_HOOK_NUMBER, &number.to_be_bytes())
                .attribute(NFTA_HOOK_PRIORITY, &i32::MIN.to_be_bytes())
        })
        .text(NFTA_CHAIN_TYPE, "filter")
}

fn new_rule(table: &str, wanted: &Wanted) -> Request {
    request(NEW_RULE)
        .flags(CREATE_NEW)
        .text(NFTA_RULE_TABLE, table)
        .text(NFTA_RULE_CHAIN, CHAIN)
        .nested(NFTA_RULE_EXPRESSIONS, |list| expr::rule(list, wanted))
}

fn request(kind: u16) -> Request {
    Request::new(kind, &[INET, 0, 0, 0])
}

fn batch(kind: u16) -> Request {
    let [high, low] = SUBSYSTEM.to_be_bytes();
    Request::new(kind, &[0, 0, high, low])
}

/// Kernel: a table's flag that it does not know is refused so, by its age.
fn is_unknown_flag(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EOPNOTSUPP))
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long packets of others keep a wait from its end is seen here alone"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
#[cfg(feature = "netns")]
mod tests {
    use net::Proto;

    use super::*;
    use crate::netns::Netns;

    const TABLE: &str = "berth-trace-test";

    /// Tables of the calling thread's namespace.
    fn tables() -> usize {
        const GET_TABLE: u16 = NEW_TABLE + 1;
        let mut answer = Vec::new();
        let mut socket = Netlink::open(NETFILTER).unwrap();
        let _ = socket.dump(request(GET_TABLE), &mut answer).unwrap();
        crate::netlink::Messages(&answer).count()
    }

    fn generation() -> u32 {
        let dump = crate::read(&crate::ReadOptions::default()).unwrap();
        host::wire::host(&dump).ruleset.generation.unwrap()
    }

    #[test]
    fn a_table_without_an_owner_goes_too_and_is_said_to_stay_if_we_are_killed() {
        let wanted = Wanted {
            hook: Hook::Output,
            proto: Proto::TCP,
            to: "127.0.0.1:80".parse().unwrap(),
            from: None,
            sport: None,
            iif: None,
        };
        let run = || {
            for owner in [Owner::Nobody, Owner::Socket] {
                let tracing = Tracing::start_as(owner, &wanted, TABLE, generation());
                let tracing = tracing.unwrap().unwrap();
                assert_eq!(tracing.may_stay(), owner == Owner::Nobody);
                assert_eq!(tables(), 1);
                drop(tracing);
                assert_eq!(tables(), 0);
                let tracing = Tracing::start_as(owner, &wanted, TABLE, generation());
                let _ = tracing.unwrap().unwrap().stop().unwrap();
                assert_eq!(tables(), 0);
            }
        };
        Netns::new().unwrap().run(run).unwrap();
    }
}
