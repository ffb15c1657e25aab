//! Routes, with the nexthop objects that some of them name.

use std::collections::BTreeMap;
use std::net::IpAddr;

use net::{Family, Prefix};

use super::{addr, each, family_of};
use crate::wire::attr::{Damaged, Fields, Message, Table};
use crate::{Gap, NextHop, Route, RouteKind};

const HEADER: usize = 12;
const DST: u16 = 1;
const SRC: u16 = 2;
const OIF: u16 = 4;
const GATEWAY: u16 = 5;
const METRIC: u16 = 6;
const PREFERRED_SOURCE: u16 = 7;
const MULTIPATH: u16 = 9;
const TABLE: u16 = 15;
const VIA: u16 = 18;
const NEXTHOP: u16 = 30;

/// The kernel sets it too where a link that is down is not to be used
/// (`fib_nexthop_info`, fib_semantics.c).
const DEAD: u32 = 1;

/// A copy of a route that the kernel made for one destination.
const CLONED: u32 = 0x200;

/// Reads routes of both families, in the order of the dump.
pub(in super::super) fn routes(bytes: &[u8], nexthops: &[u8], gaps: &mut Vec<Gap>) -> Vec<Route> {
    let objects = each(nexthops, "nexthops", gaps, object);
    let objects: Objects = objects.into_iter().collect();
    let read = |message: Message<'_>| {
        let is_unicast = family_of(message.payload.first().copied()?).is_some();
        let is_cloned = Fields(message.payload).he32(8)? & CLONED != 0;
        if is_unicast && !is_cloned {
            route(message, &objects).map(Some)
        } else {
            Some(None)
        }
    };
    let all = each(bytes, "routes", gaps, read);
    all.into_iter().flatten().collect()
}

/// A nexthop object: one way, or a group of objects with their weights.
enum Object {
    One(NextHop),
    Group(Vec<(u32, u32)>),
    Blackhole,
}

type Objects = BTreeMap<u32, Object>;

fn object(message: Message<'_>) -> Option<(u32, Object)> {
    const HEADER: usize = 8;
    const ID: u16 = 1;
    const GROUP: u16 = 2;
    const BLACKHOLE: u16 = 4;
    const OIF: u16 = 5;
    const GATEWAY: u16 = 6;
    /// Bytes of `struct nexthop_grp`.
    const MEMBER: usize = 8;
    let header = Fields(message.payload);
    let attributes = Table::<7>::behind(message.payload, HEADER);
    let id = attributes.he32(ID)?;
    if let Some(group) = attributes.get(GROUP) {
        let member = |bytes| {
            let member = Fields(bytes);
            // The upper byte came with Linux 6.12.
            let weight = u32::from(member.byte(4)?) + u32::from(member.byte(5)?) * 256 + 1;
            Some((member.he32(0)?, weight))
        };
        let members = group.chunks_exact(MEMBER).filter_map(member);
        return Some((id, Object::Group(members.collect())));
    }
    if attributes.has(BLACKHOLE) {
        return Some((id, Object::Blackhole));
    }
    let gateway = attributes.get(GATEWAY);
    let family = family_of(header.byte(0)?);
    let one = NextHop {
        link: attributes.he32(OIF),
        gateway: gateway.and_then(|bytes| addr(family?, bytes)),
        weight: 1,
        dead: header.he32(4)? & DEAD != 0,
    };
    Some((id, Object::One(one)))
}

fn route(message: Message<'_>, objects: &Objects) -> Option<Route> {
    let header = Fields(message.payload);
    let family = family_of(header.byte(0)?)?;
    let attributes = Table::<31>::behind(message.payload, HEADER);
    if !attributes.is_whole {
        return None;
    }
    let prefix = |kind: u16, len: u8| match attributes.get(kind) {
        Some(bytes) => addr(family, bytes).map(|addr| Prefix::containing(addr, len)),
        None if len == 0 => Some(Prefix::all(family)),
        None => None,
    };
    let src = prefix(SRC, header.byte(2)?)?;
    let kind = kind(header.byte(7)?)?;
    let ways = ways(family, header.he32(8)?, &attributes, objects)?;
    let leads_on = match kind {
        RouteKind::Unicast
        | RouteKind::Local
        | RouteKind::Broadcast
        | RouteKind::Anycast
        | RouteKind::Multicast => true,
        // IPv6 names a device with these too.
        RouteKind::Blackhole | RouteKind::Unreachable | RouteKind::Prohibit | RouteKind::Throw => {
            false
        }
    };
    Some(Route {
        table: attributes.he32(TABLE).unwrap_or(header.byte(4)?.into()),
        kind,
        dst: prefix(DST, header.byte(1)?)?,
        src: (src.len() > 0).then_some(src),
        tos: header.byte(3)?,
        metric: attributes.he32(METRIC).unwrap_or_default(),
        preferred_source: match attributes.get(PREFERRED_SOURCE) {
            Some(bytes) => Some(addr(family, bytes)?),
            None => None,
        },
        next_hops: if leads_on { ways } else { Vec::new() },
    })
}

fn kind(number: u8) -> Option<RouteKind> {
    Some(match number {
        1 => RouteKind::Unicast,
        2 => RouteKind::Local,
        3 => RouteKind::Broadcast,
        4 => RouteKind::Anycast,
        5 => RouteKind::Multicast,
        6 => RouteKind::Blackhole,
        7 => RouteKind::Unreachable,
        8 => RouteKind::Prohibit,
        9 => RouteKind::Throw,
        _ => return None,
    })
}

/// The ways of a route; absent where they cannot be read.
fn ways(
    family: Family,
    flags: u32,
    attributes: &Table<'_, 31>,
    objects: &Objects,
) -> Option<Vec<NextHop>> {
    if let Some(list) = attributes.get(MULTIPATH) {
        return multipath(family, list);
    }
    let gateway = gateway(family, attributes).ok()?;
    let link = attributes.he32(OIF);
    if link.is_none() && gateway.is_none() {
        // Kernel: without `nexthop_compat_mode` only the object is named.
        let id = attributes.he32(NEXTHOP);
        return id.map_or(Some(Vec::new()), |id| resolved(id, objects));
    }
    Some(vec![NextHop {
        link,
        gateway,
        weight: 1,
        dead: flags & DEAD != 0,
    }])
}

/// The gateway, which may be of the other family.
fn gateway(family: Family, attributes: &Table<'_, 31>) -> Result<Option<IpAddr>, Damaged> {
    let read = match (attributes.get(VIA), attributes.get(GATEWAY)) {
        (Some(via), _) => via_other_family(via),
        (None, Some(bytes)) => addr(family, bytes),
        (None, None) => return Ok(None),
    };
    read.map(Some).ok_or(Damaged)
}

/// `struct rtvia`: a family and an address.
fn via_other_family(via: &[u8]) -> Option<IpAddr> {
    let family = u8::try_from(Fields(via).he16(0)?).ok()?;
    addr(family_of(family)?, via.get(2..)?)
}

/// `struct rtnexthop`, each with attributes of its own.
fn multipath(family: Family, mut list: &[u8]) -> Option<Vec<NextHop>> {
    const HEADER: usize = 8;
    let mut ways = Vec::new();
    while !list.is_empty() {
        let header = Fields(list);
        let len = usize::from(header.he16(0)?);
        let attributes = Table::<31>::of(list.get(HEADER..len)?);
        ways.push(NextHop {
            link: Some(header.he32(4)?).filter(|&index| index != 0),
            gateway: gateway(family, &attributes).ok()?,
            weight: u32::from(header.byte(3)?) + 1,
            dead: u32::from(header.byte(2)?) & DEAD != 0,
        });
        list = list.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(ways)
}

/// The ways of a nexthop object; members of a group are never groups themselves.
fn resolved(id: u32, objects: &Objects) -> Option<Vec<NextHop>> {
    Some(match objects.get(&id)? {
        Object::One(way) => vec![way.clone()],
        Object::Blackhole => Vec::new(),
        Object::Group(members) => {
            let way = |&(id, weight): &(u32, u32)| match objects.get(&id) {
                Some(Object::One(way)) => Some(NextHop {
                    weight,
                    ..way.clone()
                }),
                Some(Object::Group(_) | Object::Blackhole) | None => None,
            };
            members.iter().filter_map(way).collect()
        }
    })
}
