//! nftables: tables, chains, sets, rules and elements, all of one generation.
//!
//! Kernel: a dump is not atomic. A commit in the middle sets a flag on one message, and moves
//! the generation (net/netfilter/nf_tables_api.c); both are watched.

mod spread;

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use host::dump::{Dump, section};
use rustix::net::netlink::NETFILTER;

use super::modules::{Presence, unknown_module};
use super::{Reader, keep, missed, reason};
use crate::netlink::{Dumped, Messages, Netlink, Request};

use spread::{Cost, spread};

/// Kernel: include/uapi/linux/netfilter/nfnetlink.h, nf_tables.h.
const SUBSYSTEM: u16 = 10 << 8;
const GET_TABLE: u16 = SUBSYSTEM + 1;
const GET_CHAIN: u16 = SUBSYSTEM + 4;
const GET_RULE: u16 = SUBSYSTEM + 7;
const GET_SET: u16 = SUBSYSTEM + 10;
const GET_SET_ELEMENTS: u16 = SUBSYSTEM + 13;
const GET_GENERATION: u16 = SUBSYSTEM + 16;
const GET_OBJECT: u16 = SUBSYSTEM + 19;
const GET_FLOWTABLE: u16 = SUBSYSTEM + 23;
const NFTA_CHAIN_TABLE: u16 = 1;
const NFTA_CHAIN_NAME: u16 = 3;
const NFTA_CHAIN_USE: u16 = 6;
const NFTA_RULE_TABLE: u16 = 1;
const NFTA_RULE_CHAIN: u16 = 2;
const NFTA_SET_TABLE: u16 = 1;
const NFTA_SET_NAME: u16 = 2;
const NFTA_GEN_ID: u16 = 1;

/// How often a ruleset that moves is read before we give up.
const ATTEMPTS: usize = 8;
/// Beyond so many rules one dump per chain is faster than one dump of all, because the kernel
/// starts each receive of a rule dump by walking from the first rule.
const MANY_RULES: usize = 30_000;
/// From so many sets on their elements are read by several threads.
const MANY_SETS: usize = 64;
/// What `nfgenmsg` takes.
const GENERIC: usize = 4;

/// A whole reading, or the news that the ruleset moved meanwhile.
enum Attempt {
    Whole(Vec<(&'static str, Vec<u8>)>),
    Moved,
}

impl Reader<'_> {
    /// Reads all tables, unless nobody can have made one.
    pub(super) fn nft(&self, dump: &mut Dump) {
        match self.modules.all(&["nfnetlink", "nf_tables"]) {
            Presence::There => self.nft_now(dump),
            Presence::NotLoaded => {
                for part in [section::NFT_TABLES, section::NFT_CHAINS, section::NFT_RULES] {
                    keep(dump, part, Vec::new());
                }
            }
            Presence::Unknown => missed(dump, "nftables rules", unknown_module("nf_tables")),
        }
    }

    fn nft_now(&self, dump: &mut Dump) {
        for _ in 0..ATTEMPTS {
            match self.nft_attempt() {
                Ok(Attempt::Whole(parts)) => {
                    for (part, bytes) in parts {
                        keep(dump, part, bytes);
                    }
                    return;
                }
                Ok(Attempt::Moved) => tracing::debug!("ruleset moved while it was read"),
                Err(error) => {
                    missed(dump, "nftables rules", reason(&error, "CAP_NET_ADMIN"));
                    return;
                }
            }
        }
        let why = format!("the ruleset changed during each of {ATTEMPTS} readings");
        missed(dump, "nftables rules", why);
    }

    fn nft_attempt(&self) -> io::Result<Attempt> {
        let mut socket = Netlink::open(NETFILTER)?;
        let before = generation(&mut socket)?;
        let mut parts = vec![(section::NFT_GENERATION, before.clone())];
        let mut torn = false;
        for (part, kind) in [
            (section::NFT_TABLES, GET_TABLE),
            (section::NFT_CHAINS, GET_CHAIN),
            (section::NFT_SETS, GET_SET),
            (section::NFT_OBJECTS, GET_OBJECT),
            (section::NFT_FLOWTABLES, GET_FLOWTABLE),
        ] {
            let mut bytes = Vec::new();
            match socket.dump(request(kind, 0), &mut bytes) {
                Ok(dumped) => torn |= dumped == Dumped::Torn,
                // Objects and flow tables are younger than the rest.
                Err(error) if is_unsupported(&error) && kind >= GET_OBJECT => {}
                Err(error) => return Err(error),
            }
            parts.push((part, bytes));
        }
        if torn {
            return Ok(Attempt::Moved);
        }
        let rules = self.rule_dump(&mut socket, &parts[2].1)?;
        let elements = self.element_dump(&parts[3].1)?;
        let (Some(rules), Some(elements)) = (rules, elements) else {
            return Ok(Attempt::Moved);
        };
        parts.push((section::NFT_RULES, rules));
        parts.push((section::NFT_ELEMENTS, elements));
        if generation_id(&generation(&mut socket)?) == generation_id(&before) {
            Ok(Attempt::Whole(parts))
        } else {
            Ok(Attempt::Moved)
        }
    }

    /// The rules of all chains; none where they moved.
    fn rule_dump(&self, socket: &mut Netlink, chains: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let chains = Messages(chains);
        if rule_estimate(chains) <= MANY_RULES {
            let mut bytes = Vec::new();
            let dumped = socket.dump(request(GET_RULE, 0), &mut bytes)?;
            return Ok((dumped == Dumped::Whole).then_some(bytes));
        }
        let requests = chains.filter_map(|chain| {
            let attributes = chain.attributes(GENERIC);
            let request = request(GET_RULE, *chain.payload.first()?)
                .attribute(NFTA_RULE_TABLE, attributes.get(NFTA_CHAIN_TABLE)?)
                .attribute(NFTA_RULE_CHAIN, attributes.get(NFTA_CHAIN_NAME)?);
            Some(request)
        });
        self.dump_each("nftables rules", requests.collect(), Cost::Even)
    }

    /// The elements of all sets; none where they moved.
    fn element_dump(&self, sets: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let requests = Messages(sets).filter_map(|set| {
            let attributes = set.attributes(GENERIC);
            let request = request(GET_SET_ELEMENTS, *set.payload.first()?)
                .attribute(NFTA_SET_TABLE, attributes.get(NFTA_SET_TABLE)?)
                .attribute(NFTA_SET_NAME, attributes.get(NFTA_SET_NAME)?);
            Some(request)
        });
        // Kernel: `nft_set_lookup` walks the table's list, so late sets cost more.
        self.dump_each("set elements", requests.collect(), Cost::Rising)
    }

    /// Dumps each of `requests` and puts the answers one behind the other, in that order.
    fn dump_each(
        &self,
        what: &'static str,
        requests: Vec<Request>,
        cost: Cost,
    ) -> io::Result<Option<Vec<u8>>> {
        let threads = if requests.len() < MANY_SETS {
            1
        } else {
            parallelism()
        };
        let total = requests.len();
        let done = AtomicUsize::new(0);
        let mut sockets = Vec::new();
        for _ in 0..threads {
            // Made here: a socket belongs to the namespace of the thread that opens it.
            sockets.push(Netlink::open(NETFILTER)?);
        }
        let shares = spread(requests, threads, cost);
        let run = |mut socket: Netlink, share: Vec<Request>| {
            let mut bytes = Vec::new();
            for request in share {
                match socket.dump(request, &mut bytes) {
                    Ok(Dumped::Whole) => {}
                    Ok(Dumped::Torn) => return Ok(None),
                    // It was there when the list was made.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                    Err(error) => return Err(error),
                }
                let now = done.fetch_add(1, Ordering::Relaxed) + 1;
                if now.is_multiple_of(256) {
                    self.progress(what, now, total);
                }
            }
            Ok(Some(bytes))
        };
        let parts: Vec<io::Result<Option<Vec<u8>>>> = std::thread::scope(|scope| {
            let running: Vec<_> = sockets
                .into_iter()
                .zip(shares)
                .map(|(socket, share)| scope.spawn(|| run(socket, share)))
                .collect();
            let joined = running.into_iter().map(std::thread::ScopedJoinHandle::join);
            joined
                .map(|part| part.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        });
        let mut parts = parts.into_iter();
        let Some(mut whole) = parts.next().unwrap_or(Ok(Some(Vec::new())))? else {
            return Ok(None);
        };
        for part in parts {
            let Some(part) = part? else { return Ok(None) };
            whole.extend_from_slice(&part);
        }
        Ok(Some(whole))
    }
}

fn request(kind: u16, family: u8) -> Request {
    Request::new(kind, &[family, 0, 0, 0])
}

fn generation(socket: &mut Netlink) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    socket.ask(request(GET_GENERATION, 0), &mut bytes)?;
    Ok(bytes)
}

/// The number alone: the same message also names who asks.
fn generation_id(message: &[u8]) -> Option<u32> {
    Messages(message)
        .next()?
        .attributes(GENERIC)
        .be32(NFTA_GEN_ID)
}

/// About how many rules there are. A chain counts its rules and the jumps to it; all but base
/// chains have at least one of these.
fn rule_estimate(chains: Messages<'_>) -> usize {
    chains
        .filter_map(|chain| chain.attributes(GENERIC).be32(NFTA_CHAIN_USE))
        .map(|uses| uses.saturating_sub(1) as usize)
        .sum()
}

fn is_unsupported(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EINVAL | libc::EOPNOTSUPP | libc::ENOENT)
    )
}

/// Threads worth starting: the kernel serves dumps side by side, but who reads a host should
/// not take all of a large one.
fn parallelism() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get().min(8))
}
