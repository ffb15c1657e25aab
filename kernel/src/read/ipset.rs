//! ipsets: their members, and which name stands behind an index.

use std::fmt::Write as _;
use std::io;

use host::dump::{Dump, section};
use rustix::net::netlink::NETFILTER;

use super::modules::{Presence, unknown_module};
use super::{Reader, keep, missed, reason};
use crate::netlink::{Dumped, Messages, Netlink, Request};

/// Kernel: include/uapi/linux/netfilter/ipset/ip_set.h.
const SUBSYSTEM: u16 = 6 << 8;
const LIST: u16 = SUBSYSTEM + 7;
const GET_BY_INDEX: u16 = SUBSYSTEM + 15;
const PROTOCOL: u16 = 1;
const SET_NAME: u16 = 2;
const INDEX: u16 = 11;
/// The flag of a value in network byte order.
const NETWORK_ORDER: u16 = 0x4000;
/// What `nfgenmsg` takes.
const GENERIC: usize = 4;

impl Reader<'_> {
    /// Reads all sets, unless nobody can have made one.
    pub(super) fn ipsets(&self, dump: &mut Dump) {
        match self.modules.all(&["nfnetlink", "ip_set"]) {
            Presence::There => {}
            Presence::NotLoaded => return,
            Presence::Unknown => return missed(dump, "ipsets", unknown_module("ip_set")),
        }
        match read_sets() {
            Ok(Some((list, index))) => {
                keep(dump, section::IPSET_LIST, list);
                keep(dump, section::IPSET_INDEX, index.into_bytes());
            }
            Ok(None) => missed(dump, "ipsets", "they changed during each reading"),
            // The subsystem is not built: there is no such thing here.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
            Err(error) => missed(dump, "ipsets", reason(&error, "CAP_NET_ADMIN")),
        }
    }
}

fn read_sets() -> io::Result<Option<(Vec<u8>, String)>> {
    let mut socket = Netlink::open(NETFILTER)?;
    for _ in 0..4 {
        let mut list = Vec::new();
        // Protocol 6 is understood by all kernels in use.
        let request = Request::new(LIST, &[0; GENERIC]).attribute(PROTOCOL, &[6]);
        if socket.dump(request, &mut list)? == Dumped::Whole {
            let index = read_index(&mut socket, count(&list));
            return Ok(Some((list, index)));
        }
    }
    Ok(None)
}

/// How many sets a list holds; a large set takes several messages.
fn count(list: &[u8]) -> usize {
    let names = Messages(list).filter_map(|message| message.attributes(GENERIC).get(SET_NAME));
    let names: std::collections::BTreeSet<_> = names.collect();
    names.len()
}

/// Lines `INDEX NAME`. An index is a place in the kernel's array, in which destroyed sets
/// leave holes, so we look somewhat farther than there are sets.
fn read_index(socket: &mut Netlink, sets: usize) -> String {
    let mut lines = String::new();
    let mut found = 0;
    let last = u16::try_from((2 * sets).max(64)).unwrap_or(u16::MAX);
    for index in 0..=last {
        if found == sets {
            break;
        }
        // Protocol 7: with 6 the kernel does not know the command.
        let request = Request::new(GET_BY_INDEX, &[0; GENERIC])
            .attribute(PROTOCOL, &[7])
            .attribute(INDEX | NETWORK_ORDER, &index.to_be_bytes());
        let mut answer = Vec::new();
        if socket.ask(request, &mut answer).is_err() {
            continue;
        }
        let name = Messages(&answer).find_map(|m| m.attributes(GENERIC).text(SET_NAME));
        if let Some(name) = name {
            found += 1;
            let _ = writeln!(lines, "{index} {name}");
        }
    }
    lines
}
