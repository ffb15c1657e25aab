//! Tracked connections as conntrack dumps them.
//!
//! Kernel: include/uapi/linux/netfilter/nfnetlink_conntrack.h. Attributes are in network
//! order.

use net::{Family, Proto};

use super::attr::{Fields, Messages, Table};
use super::xt::addr_at;
use crate::{Connection, ConntrackTuple, Gap, GapKind};

/// `struct nfgenmsg`.
const GENERIC: usize = 4;

/// Reads entries, in the order of the dump.
pub(super) fn connections(bytes: &[u8], gaps: &mut Vec<Gap>) -> Vec<Connection> {
    let mut messages = Messages::of(bytes);
    let mut lost = 0_usize;
    let mut all = Vec::new();
    for message in messages.by_ref() {
        match connection(&Table::behind(message.payload, GENERIC)) {
            Some(connection) => all.push(connection),
            None => lost += 1,
        }
    }
    if lost > 0 || messages.rest() > 0 {
        gaps.push(Gap {
            kind: GapKind::Input,
            what: format!("{lost} conntrack entries or the end of their list were not read"),
            device: None,
        });
    }
    all
}

fn connection(attributes: &Table<'_, 19>) -> Option<Connection> {
    const ORIGINAL: u16 = 1;
    const REPLY: u16 = 2;
    const STATUS: u16 = 3;
    const MARK: u16 = 8;
    const ZONE: u16 = 18;
    const TUPLE_ZONE: u16 = 3;
    let original = attributes.get(ORIGINAL)?;
    // A zone of both directions, or of the original one alone.
    let of_original = Table::<4>::of(original).be16(TUPLE_ZONE);
    let (proto, original) = tuple(original)?;
    let (_, reply) = tuple(attributes.get(REPLY)?)?;
    Some(Connection {
        proto,
        original,
        reply,
        status: attributes.be32(STATUS)?,
        mark: attributes.be32(MARK).unwrap_or_default(),
        zone: attributes.be16(ZONE).or(of_original).unwrap_or_default(),
    })
}

/// One direction; protocols without ports have 0 there.
fn tuple(bytes: &[u8]) -> Option<(Proto, ConntrackTuple)> {
    const IP: u16 = 1;
    const PROTO: u16 = 2;
    const V4_SRC: u16 = 1;
    const V6_SRC: u16 = 3;
    const NUMBER: u16 = 1;
    const SPORT: u16 = 2;
    const DPORT: u16 = 3;
    let parts = Table::<3>::of(bytes);
    let ip = Table::<5>::of(parts.get(IP)?);
    let (family, src) = if ip.has(V4_SRC) {
        (Family::V4, V4_SRC)
    } else {
        (Family::V6, V6_SRC)
    };
    let addr = |kind: u16| addr_at(family, Fields(ip.get(kind)?), 0);
    let proto = Table::<4>::of(parts.get(PROTO)?);
    let tuple = ConntrackTuple {
        src: addr(src)?,
        dst: addr(src + 1)?,
        sport: proto.be16(SPORT).unwrap_or_default(),
        dport: proto.be16(DPORT).unwrap_or_default(),
    };
    Some((Proto(proto.byte(NUMBER)?), tuple))
}
