//! Connections that conntrack remembers: of the flow asked about, or of many destinations.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use host::dump::{Dump, section};
use net::Proto;
use rustix::net::netlink::NETFILTER;

use super::modules::{Modules, Presence, unknown_module};
use super::{Flow, ReadError, Reader, keep, missed, reason};
use crate::netlink::{Attributes, Netlink, Request};
use crate::netns::{NetnsRef, in_netns};

/// Kernel: include/uapi/linux/netfilter/nfnetlink_conntrack.h.
const GET: u16 = 1 << 8 | 1;
const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_TUPLE_IP: u16 = 1;
const CTA_TUPLE_PROTO: u16 = 2;
const CTA_IP_V4_DST: u16 = 2;
const CTA_IP_V6_DST: u16 = 4;
const CTA_PROTO_NUM: u16 = 1;
const CTA_PROTO_DST_PORT: u16 = 3;
const CTA_STATUS: u16 = 3;
const CTA_FILTER: u16 = 25;
const CTA_FILTER_ORIG_FLAGS: u16 = 1;
const CTA_FILTER_REPLY_FLAGS: u16 = 2;
/// The two directions of an entry: its tuple, and the flags of a filter for it.
const DIRECTIONS: [(u16, u16); 2] = [
    (CTA_TUPLE_ORIG, CTA_FILTER_ORIG_FLAGS),
    (CTA_TUPLE_REPLY, CTA_FILTER_REPLY_FLAGS),
];
/// Compare destination, protocol and destination port (net/netfilter/nf_conntrack_netlink.c).
const DST_PROTO_PORT: u32 = 0x2 | 0x8 | 0x20;
/// Somebody answered (nf_conntrack_common.h).
const IPS_SEEN_REPLY: u32 = 2;
/// What `nfgenmsg` takes.
const GENERIC: usize = 4;
/// Entries that are kept of many destinations: about 25 MB of a snapshot.
const MOST: usize = 100_000;

impl Reader<'_> {
    /// Reads the entries of the flow asked about, if one was, and if conntrack runs.
    pub(super) fn conntrack(&self, dump: &mut Dump) {
        if let Some(flow) = self.options.flow {
            read_if_there(&self.modules, dump, || Ok((read_entries(flow)?, 0)));
        }
    }
}

/// Destinations whose connections are wanted: each of these ports at each of these addresses,
/// and at those of loopback.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The addresses, before any translation.
    pub addrs: BTreeSet<IpAddr>,
    /// The ports, likewise.
    pub ports: BTreeSet<(Proto, u16)>,
}

/// Reads the answered connections to many destinations into a dump, in one pass over all that
/// the kernel tracks: no more than these are kept, and of these no more than 100,000, which
/// the dump then says.
///
/// # Errors
/// [`ReadError::Namespace`] where `netns` cannot be entered. What cannot be read is in
/// [`Dump::unread`].
pub fn read_connections(
    netns: Option<&NetnsRef>,
    wanted: &Wanted,
    dump: &mut Dump,
) -> Result<(), ReadError> {
    let modules = Modules::read(dump.text(section::RELEASE).trim());
    let mut read = || read_if_there(&modules, dump, || read_wanted(wanted));
    match netns {
        Some(netns) => in_netns(netns, read)?,
        None => read(),
    }
    Ok(())
}

/// Keeps what `read` finds, if conntrack runs: entries, and how many it had to leave out.
fn read_if_there(
    modules: &Modules,
    dump: &mut Dump,
    read: impl FnOnce() -> io::Result<(Vec<u8>, usize)>,
) {
    if !Path::new("/proc/sys/net/netfilter/nf_conntrack_count").exists() {
        return;
    }
    let what = "conntrack entries";
    match modules.all(&["nfnetlink", "nf_conntrack_netlink"]) {
        Presence::There => match read() {
            Ok((entries, left)) => {
                keep(dump, section::CONNTRACK, entries);
                if left > 0 {
                    let why = format!("there are more than {MOST} of listeners and NodePorts");
                    missed(dump, &format!("{left} {what}"), why);
                }
            }
            Err(error) => missed(dump, what, reason(&error, "CAP_NET_ADMIN")),
        },
        Presence::NotLoaded => {
            let why = "kernel module nf_conntrack_netlink is not loaded, and asking would \
                       load it";
            missed(dump, what, why);
        }
        Presence::Unknown => missed(dump, what, unknown_module("nf_conntrack_netlink")),
    }
}

fn read_wanted(wanted: &Wanted) -> io::Result<(Vec<u8>, usize)> {
    let (mut kept, mut count, mut left) = (Vec::new(), 0, 0);
    // Entries come and go all the time: a torn dump is as good as any.
    Netlink::open(NETFILTER)?.dump_each(Request::new(GET, &[0; 4]), |entry| {
        if !wanted.has(entry.attributes(GENERIC)) {
            return;
        }
        if count == MOST {
            left += 1;
            return;
        }
        count += 1;
        kept.extend_from_slice(entry.whole);
    })?;
    Ok((kept, left))
}

impl Wanted {
    /// Whether an entry is of a connection that was answered, to one of the destinations.
    fn has(&self, entry: Attributes<'_>) -> bool {
        let tuple = entry.nested(CTA_TUPLE_ORIG);
        let (ip, proto) = (tuple.nested(CTA_TUPLE_IP), tuple.nested(CTA_TUPLE_PROTO));
        let port = proto
            .get(CTA_PROTO_DST_PORT)
            .and_then(|b| b.try_into().ok());
        let number = proto.get(CTA_PROTO_NUM).and_then(|b| b.first());
        let is_port = number.zip(port).is_some_and(|(&number, port)| {
            let port = u16::from_be_bytes(port);
            self.ports.contains(&(Proto(number), port))
        });
        let v4 = || {
            <[u8; 4]>::try_from(ip.get(CTA_IP_V4_DST)?)
                .ok()
                .map(IpAddr::from)
        };
        let v6 = || {
            <[u8; 16]>::try_from(ip.get(CTA_IP_V6_DST)?)
                .ok()
                .map(IpAddr::from)
        };
        let is_addr = |addr: IpAddr| addr.is_loopback() || self.addrs.contains(&addr);
        let is_answered = |status| status & IPS_SEEN_REPLY != 0;
        is_port
            && v4().or_else(v6).is_some_and(is_addr)
            && entry.be32(CTA_STATUS).is_some_and(is_answered)
    }
}

/// Entries whose client asks the destination of the flow, and those whose answers come to it: a
/// client that was masqueraded to that address and port.
fn read_entries(flow: Flow) -> io::Result<Vec<u8>> {
    let mut of_flow = Vec::new();
    for (i, direction) in DIRECTIONS.into_iter().enumerate() {
        // Entries come and go all the time: a torn dump is as good as any.
        Netlink::open(NETFILTER)?.dump_each(request(flow, direction), |entry| {
            let attributes = entry.attributes(GENERIC);
            let is_known = DIRECTIONS[..i]
                .iter()
                .any(|(tuple, _)| is_of(&attributes, *tuple, flow));
            // Kernels before 5.8 do not know the filter and send everything.
            if !is_known && is_of(&attributes, direction.0, flow) {
                of_flow.extend_from_slice(entry.whole);
            }
        })?;
    }
    Ok(of_flow)
}

fn request(flow: Flow, (tuple, flags): (u16, u16)) -> Request {
    let (family, kind, addr) = destination(flow.dst);
    Request::new(GET, &[family, 0, 0, 0])
        .nested(tuple, |tuple| {
            let tuple = tuple.nested(CTA_TUPLE_IP, |ip| ip.attribute(kind, &addr));
            tuple.nested(CTA_TUPLE_PROTO, |proto| {
                proto
                    .attribute(CTA_PROTO_NUM, &[flow.proto.0])
                    .attribute(CTA_PROTO_DST_PORT, &flow.port.to_be_bytes())
            })
        })
        .nested(CTA_FILTER, |filter| {
            filter.attribute(flags, &DST_PROTO_PORT.to_ne_bytes())
        })
}

/// Family, attribute and bytes of a destination address.
fn destination(addr: IpAddr) -> (u8, u16, Vec<u8>) {
    match addr {
        IpAddr::V4(v4) => (2, CTA_IP_V4_DST, v4.octets().to_vec()),
        IpAddr::V6(v6) => (10, CTA_IP_V6_DST, v6.octets().to_vec()),
    }
}

fn is_of(entry: &Attributes<'_>, tuple: u16, flow: Flow) -> bool {
    let (_, kind, addr) = destination(flow.dst);
    let tuple = entry.nested(tuple);
    let proto = tuple.nested(CTA_TUPLE_PROTO);
    tuple.nested(CTA_TUPLE_IP).get(kind) == Some(&addr[..])
        && proto.get(CTA_PROTO_NUM) == Some(&[flow.proto.0][..])
        && proto.get(CTA_PROTO_DST_PORT) == Some(&flow.port.to_be_bytes()[..])
}
