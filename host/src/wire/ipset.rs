//! ipsets as `IPSET_CMD_LIST` dumps them.
//!
//! Kernel: include/uapi/linux/netfilter/ipset/ip_set.h. In dumps all numbers are in network
//! order.

use std::net::IpAddr;

use net::{Family, Prefix, Proto};

use super::attr::{Attrs, Fields, Messages, Table};
use super::xt::{SetNames, addr_at};
use crate::{Gap, GapKind, IpSet, IpSetEntry, IpSetField, IpSetMember};

/// `struct nfgenmsg`.
const GENERIC: usize = 4;

/// The names behind indexes, from lines `INDEX NAME`.
pub(super) fn names(text: &str) -> SetNames {
    let line = |line: &str| {
        let (index, name) = line.trim().split_once(' ')?;
        Some((index.parse().ok()?, name.into()))
    };
    text.lines().filter_map(line).collect()
}

/// Reads all sets, in the order of the dump.
///
/// A set of a type that is not modelled, or with an entry that is not, has no fields: that is
/// its gap, and it counts where a rule asks for the set.
pub(super) fn sets(bytes: &[u8], gaps: &mut Vec<Gap>) -> Vec<IpSet> {
    let mut sets: Vec<IpSet> = Vec::new();
    let mut is_whole = true;
    let mut messages = Messages::of(bytes);
    for message in messages.by_ref() {
        let attributes = Attributes::behind(message.payload, GENERIC);
        is_whole &= part(&attributes, &mut sets).is_some();
    }
    if !is_whole || messages.rest() > 0 {
        gaps.push(Gap {
            kind: GapKind::Input,
            what: "the list of ipsets is damaged: a part was not read".into(),
            device: None,
        });
    }
    sets
}

type Attributes<'a> = Table<'a, 9>;

/// Reads one message: a set, or more entries of the last one.
fn part(attributes: &Attributes<'_>, sets: &mut Vec<IpSet>) -> Option<()> {
    const NAME: u16 = 2;
    const ENTRIES: u16 = 8;
    let name = attributes.text(NAME)?;
    if sets.last().is_none_or(|last| last.name != name) {
        sets.push(header(&name, attributes)?);
    }
    let set = sets.last_mut()?;
    let family = if set.is_v6 { Family::V6 } else { Family::V4 };
    let mut entries = Attrs::of(attributes.get(ENTRIES).unwrap_or_default());
    for attr in entries.by_ref() {
        if set.fields.is_empty() {
            continue;
        }
        match entry(&Table::of(attr.value), &set.fields, family) {
            Some(entry) => set.entries.push(entry),
            None => forget(set),
        }
    }
    if !attributes.is_whole || !entries.is_whole() {
        forget(set);
    }
    Some(())
}

/// Makes a set one that is not modelled, so that nothing is concluded from a part of it.
fn forget(set: &mut IpSet) {
    set.fields.clear();
    set.entries.clear();
}

fn header(name: &str, attributes: &Attributes<'_>) -> Option<IpSet> {
    const TYPE: u16 = 3;
    const FAMILY: u16 = 5;
    const DATA: u16 = 7;
    const IPV6: u8 = 10;
    const MARK_MASK: u16 = 11;
    const BIT_MASK: u16 = 12;
    const NETMASK: u16 = 20;
    let type_name: String = attributes.text(TYPE)?.into();
    let data = Table::<21>::of(attributes.get(DATA).unwrap_or_default());
    let is_cut = data.has(BIT_MASK) || data.be32(MARK_MASK).is_some_and(|mask| mask != u32::MAX);
    Some(IpSet {
        name: name.to_owned(),
        fields: if is_cut {
            Vec::new()
        } else {
            IpSetField::of_type(&type_name)
        },
        type_name,
        is_v6: attributes.byte(FAMILY) == Some(IPV6),
        netmask: data.byte(NETMASK),
        entries: Vec::new(),
    })
}

const IP: u16 = 1;
const CIDR: u16 = 3;
const PORT: u16 = 4;
const PROTO: u16 = 7;
const FLAGS: u16 = 8;
const MARK: u16 = 10;
const ETHER: u16 = 17;
const NAME: u16 = 18;
const IP2: u16 = 20;
const CIDR2: u16 = 21;
const IFACE: u16 = 23;

/// An entry, if each of its dimensions is one we know.
fn entry(raw: &Table<'_, 24>, fields: &[IpSetField], family: Family) -> Option<IpSetEntry> {
    const NO_MATCH: u32 = 4;
    let flags = raw.be32(FLAGS).unwrap_or_default();
    if flags & !NO_MATCH != 0 {
        // Bridge ports or interfaces by the beginning of their name.
        return None;
    }
    let mut addrs = [(IP, CIDR), (IP2, CIDR2)].into_iter();
    let mut members = Vec::with_capacity(fields.len());
    for field in fields {
        members.push(match field {
            IpSetField::Ip | IpSetField::Net => {
                let (addr, len) = addrs.next()?;
                let len = raw.byte(len).unwrap_or(family.bits());
                IpSetMember::Net(Prefix::containing(address(raw.get(addr)?)?, len))
            }
            IpSetField::Port => IpSetMember::Port(Proto(raw.byte(PROTO)?), raw.be16(PORT)?),
            IpSetField::BarePort => IpSetMember::BarePort(raw.be16(PORT)?),
            IpSetField::Mac => IpSetMember::Mac(raw.get(ETHER)?.try_into().ok()?),
            IpSetField::Iface => IpSetMember::Iface(raw.text(IFACE)?.into()),
            IpSetField::Mark => IpSetMember::Mark(raw.be32(MARK)?),
            IpSetField::Set => IpSetMember::Set(raw.text(NAME)?.into()),
        });
    }
    Some(IpSetEntry {
        members,
        nomatch: flags & NO_MATCH != 0,
    })
}

/// An address, which says by its attribute of which family it is.
fn address(nested: &[u8]) -> Option<IpAddr> {
    const IPV4: u16 = 1;
    const IPV6: u16 = 2;
    let parts = Table::<3>::of(nested);
    match (parts.get(IPV4), parts.get(IPV6)) {
        (Some(bytes), _) => addr_at(Family::V4, Fields(bytes), 0),
        (None, Some(bytes)) => addr_at(Family::V6, Fields(bytes), 0),
        (None, None) => None,
    }
}
