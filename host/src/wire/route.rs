//! Links, addresses, routing rules and routes as rtnetlink dumps them.
//!
//! Kernel: include/uapi/linux/rtnetlink.h, if_link.h, if_addr.h. Attributes are in host
//! order, addresses in network order.

mod entry;
mod rule;

use std::net::IpAddr;

use net::{Family, Prefix};

use super::attr::{Fields, Message, Messages, Table};
use super::xt::addr_at;
use crate::{Address, Gap, GapKind, Link};

pub(super) use entry::routes;
pub(super) use rule::rules;

/// The family of an address by its `AF_*` number.
fn family_of(number: u8) -> Option<Family> {
    match number {
        2 => Some(Family::V4),
        10 => Some(Family::V6),
        _ => None,
    }
}

/// An address of a family, in an attribute.
fn addr(family: Family, bytes: &[u8]) -> Option<IpAddr> {
    addr_at(family, Fields(bytes), 0)
}

/// Notes what of a list of routing facts could not be read.
fn gap(gaps: &mut Vec<Gap>, what: String) {
    gaps.push(Gap {
        kind: GapKind::Routing,
        what,
        device: None,
    });
}

/// Reads every message of a list; one that cannot be read, and a list that ends inside a
/// message, are gaps.
fn each<T>(
    bytes: &[u8],
    what: &str,
    gaps: &mut Vec<Gap>,
    read: impl Fn(Message<'_>) -> Option<T>,
) -> Vec<T> {
    let mut messages = Messages::of(bytes);
    let mut lost = 0_usize;
    let mut all = Vec::new();
    for message in messages.by_ref() {
        match read(message) {
            Some(item) => all.push(item),
            None => lost += 1,
        }
    }
    if lost > 0 {
        gap(gaps, format!("{lost} of the {what} were not understood"));
    }
    if messages.rest() > 0 {
        gap(
            gaps,
            format!("the list of {what} is damaged: its end was not read"),
        );
    }
    all
}

/// Reads links, by index.
pub(super) fn links(bytes: &[u8], gaps: &mut Vec<Gap>) -> Vec<Link> {
    let mut links = each(bytes, "links", gaps, link);
    links.sort_by_key(|link| link.index);
    links
}

fn link(message: Message<'_>) -> Option<Link> {
    const HEADER: usize = 16;
    const NAME: u16 = 3;
    const MASTER: u16 = 10;
    const INFO: u16 = 18;
    const INFO_KIND: u16 = 1;
    const GROUP: u16 = 27;
    const PEER_NAMESPACE: u16 = 37;
    const UP: u32 = 1;
    const LOOPBACK: u32 = 8;
    let header = Fields(message.payload);
    let attributes = Table::<38>::behind(message.payload, HEADER);
    let flags = header.he32(8)?;
    let info = attributes.get(INFO).map(Table::<2>::of);
    let kind = info.and_then(|info| info.text(INFO_KIND));
    Some(Link {
        index: header.he32(4)?,
        name: attributes.text(NAME)?.into(),
        up: flags & UP != 0,
        loopback: flags & LOOPBACK != 0,
        kind: kind.unwrap_or_default().into(),
        master: attributes.he32(MASTER).filter(|&index| index != 0),
        group: attributes.he32(GROUP).unwrap_or_default(),
        hardware_type: header.he16(2)?,
        peer_elsewhere: attributes.has(PEER_NAMESPACE),
    })
}

/// Reads addresses, in the order of the dump.
pub(super) fn addresses(bytes: &[u8], gaps: &mut Vec<Gap>) -> Vec<Address> {
    each(bytes, "addresses", gaps, address)
}

fn address(message: Message<'_>) -> Option<Address> {
    const HEADER: usize = 8;
    const ADDRESS: u16 = 1;
    const LOCAL: u16 = 2;
    const SECONDARY: u8 = 1;
    let header = Fields(message.payload);
    let family = family_of(header.byte(0)?)?;
    let attributes = Table::<3>::behind(message.payload, HEADER);
    // Kernel: the first is the other end where the two differ (`inet_fill_ifaddr`).
    let far = addr(family, attributes.get(ADDRESS).or(attributes.get(LOCAL))?)?;
    let near = attributes
        .get(LOCAL)
        .map_or(Some(far), |bytes| addr(family, bytes))?;
    Some(Address {
        link: header.he32(4)?,
        addr: near,
        prefix: Prefix::containing(far, header.byte(1)?),
        peer: (far != near).then_some(far),
        // In IPv6 the same bit marks a temporary address.
        secondary: family == Family::V4 && header.byte(2)? & SECONDARY != 0,
        scope: header.byte(3)?,
    })
}
