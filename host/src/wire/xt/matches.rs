//! xt matches by name and revision.

use net::Proto;

use super::{Extension, not_if};
use crate::wire::attr::{Damaged, Fields};
use crate::xt::{
    AddrTypes, ConntrackMatch, IfaceName, IpRange, LimitMatch, Match, Multiport, Not, Owner,
    Physdev, Policy, PortRange, PortSide, Recent, RecentAction, RpFilter, SetMatch, SocketMatch,
    Statistic, TcpFlags, TransportMatch,
};

/// The match, if its name and revision are known and its bytes suffice.
pub(super) fn known(ext: Extension<'_>) -> Option<Match> {
    let data = ext.data;
    match (ext.name, ext.revision) {
        ("tcp", 0) => tcp(data),
        ("udp", 0) => udp(data),
        ("sctp", 0) => sctp(data),
        ("icmp" | "icmp6", 0) => icmp(data),
        ("multiport", 1) => multiport(data),
        ("conntrack", 1..=3) => conntrack(ext),
        ("state", 0) => state(data),
        ("addrtype", 0) => addrtype_0(data),
        ("addrtype", 1) => addrtype(data),
        ("mark", 1) => mark(data).map(Match::Mark),
        ("connmark", 1) => mark(data).map(Match::Connmark),
        ("comment", 0) => Some(Match::Comment(data.text(0, data.0.len())?.into())),
        ("limit", 0) => Some(Match::Limit(LimitMatch {
            cost: data.he32(0)?,
            burst: data.he32(4)?,
        })),
        ("recent", 0 | 1) => recent(ext),
        ("statistic", 0) => statistic(data),
        ("set", 1 | 2 | 4) => set(ext),
        ("iprange", 1) => iprange(ext),
        ("physdev", 0) => physdev(data),
        ("mac", 0) => Some(Match::Mac(Not {
            not: data.he32(8)? != 0,
            value: data.bytes(0, 6)?.try_into().ok()?,
        })),
        ("owner", 1) => owner(data),
        ("pkttype", 0) => Some(Match::PktType(Not {
            not: data.he32(4)? != 0,
            value: data.he32(0).filter(|kind| *kind < 3)?,
        })),
        ("rpfilter", 0) => rp_filter(data),
        ("socket", 0) => Some(Match::Socket(SocketMatch::default())),
        ("socket", 1..=3) => socket(data),
        ("policy", 0) => policy(data),
        ("ipvs", 0) => ipvs(data),
        _ => None,
    }
}

/// `struct xt_owner_match_info`; other tests than those of user and group are not modelled.
fn owner(data: Fields<'_>) -> Option<Match> {
    const UID: u8 = 1;
    const GID: u8 = 2;
    let (tests, inverted) = (data.byte(16)?, data.byte(17)?);
    if tests & !(UID | GID) != 0 {
        return None;
    }
    let id = |bit: u8, at: usize| -> Option<Option<Not<(u32, u32)>>> {
        let value = (data.he32(at)?, data.he32(at + 4)?);
        let not = inverted & bit != 0;
        Some((tests & bit != 0).then_some(Not { not, value }))
    };
    Some(Match::Owner(Owner {
        uid: id(UID, 0)?,
        gid: id(GID, 8)?,
    }))
}

/// `struct xt_rpfilter_info`; sources of this host's own are not modelled.
fn rp_filter(data: Fields<'_>) -> Option<Match> {
    let flags = data.byte(0)?;
    (flags & !0xb == 0).then_some(Match::RpFilter(RpFilter {
        loose: flags & 1 != 0,
        valid_mark: flags & 2 != 0,
        invert: flags & 8 != 0,
    }))
}

/// `struct xt_socket_mtinfo1` and its followers, which know more flags.
fn socket(data: Fields<'_>) -> Option<Match> {
    let flags = data.byte(0)?;
    (flags & !7 == 0).then_some(Match::Socket(SocketMatch {
        transparent: flags & 1 != 0,
        no_wildcard: flags & 2 != 0,
        restore_mark: flags & 4 != 0,
    }))
}

/// `struct xt_policy_info`: four elements, then flags. What the elements ask is not modelled.
fn policy(data: Fields<'_>) -> Option<Match> {
    const ELEMENT: usize = 76;
    const ASKED: usize = 74;
    const FLAGS: usize = 4 * ELEMENT;
    const OUT: u16 = 2;
    const NONE: u16 = 4;
    let flags = data.he16(FLAGS)?;
    if flags & !7 != 0 || data.byte(ASKED)? != 0 {
        return None;
    }
    Some(Match::Policy(Policy {
        outgoing: flags & OUT != 0,
        ipsec: flags & NONE == 0,
    }))
}

/// `struct xt_ipvs_mtinfo`; only whether IPVS had the packet is modelled.
fn ipvs(data: Fields<'_>) -> Option<Match> {
    const HANDLED: u8 = 1;
    let (inverted, asked) = (data.byte(38)?, data.byte(39)?);
    (asked == HANDLED).then_some(Match::Ipvs(Not {
        not: inverted & HANDLED != 0,
        value: (),
    }))
}

/// Ports in host order; all of them say nothing unless inverted.
fn ports(data: Fields<'_>, at: usize, not: bool) -> Result<Option<Not<PortRange>>, Damaged> {
    let first = data.he16(at).ok_or(Damaged)?;
    let value = (first, data.he16(at + 2).ok_or(Damaged)?);
    Ok((not || value != (0, u16::MAX)).then_some(Not { not, value }))
}

fn tcp(data: Fields<'_>) -> Option<Match> {
    let inverted = data.byte(11)?;
    let flags = TcpFlags {
        mask: data.byte(9)?,
        set: data.byte(10)?,
    };
    let option = data.byte(8)?;
    let (not_flags, not_option) = (inverted & 4 != 0, inverted & 8 != 0);
    Some(Match::Tcp(Box::new(TransportMatch {
        sport: ports(data, 0, inverted & 1 != 0).ok()?,
        dport: ports(data, 4, inverted & 2 != 0).ok()?,
        flags: (not_flags || flags.mask != 0).then_some(Not {
            not: not_flags,
            value: flags,
        }),
        option: (not_option || option != 0).then_some(Not {
            not: not_option,
            value: option,
        }),
    })))
}

fn udp(data: Fields<'_>) -> Option<Match> {
    let inverted = data.byte(8)?;
    Some(Match::Udp(Box::new(TransportMatch {
        sport: ports(data, 0, inverted & 1 != 0).ok()?,
        dport: ports(data, 4, inverted & 2 != 0).ok()?,
        flags: None,
        option: None,
    })))
}

/// Destination ports come first here, and a pair counts only where its flag says so.
fn sctp(data: Fields<'_>) -> Option<Match> {
    let (flags, inverted) = (data.he32(284)?, data.he32(288)?);
    if flags & 4 != 0 {
        // Chunk types are not modelled.
        return None;
    }
    let side = |at: usize, bit: u32| -> Option<Option<Not<PortRange>>> {
        let value = (data.he16(at)?, data.he16(at + 2)?);
        Some((flags & bit != 0).then_some(not_if(inverted, bit, value)))
    };
    Some(Match::Sctp(Box::new(TransportMatch {
        sport: side(4, 1)?,
        dport: side(0, 2)?,
        flags: None,
        option: None,
    })))
}

fn icmp(data: Fields<'_>) -> Option<Match> {
    let codes = (data.byte(1)?, data.byte(2)?);
    Some(Match::Icmp(Not {
        not: data.byte(3)? & 1 != 0,
        value: (data.byte(0)?, codes),
    }))
}

fn multiport(data: Fields<'_>) -> Option<Match> {
    let side = match data.byte(0)? {
        0 => PortSide::Source,
        1 => PortSide::Destination,
        2 => PortSide::Either,
        _ => return None,
    };
    let count = usize::from(data.byte(1)?);
    if count > 15 {
        return None;
    }
    let mut ports = Vec::with_capacity(count);
    let mut slot = 0;
    while slot < count {
        let first = data.he16(2 + 2 * slot)?;
        let starts_range = data.byte(32 + slot)? != 0;
        slot += usize::from(starts_range);
        let last = data.he16(2 + 2 * slot.min(14))?;
        ports.push((first, last));
        slot += 1;
    }
    Some(Match::Multiport(Box::new(Multiport {
        side,
        ports,
        not: data.byte(47)? != 0,
    })))
}

/// Places of the fields behind the addresses: states, and whether ports have ranges.
struct ConntrackTail {
    state: u32,
    status: u32,
    has_ranges: bool,
}

impl ConntrackTail {
    fn of(data: Fields<'_>, revision: u32) -> Option<Self> {
        // Revision 1 has bytes where later ones have 16 bits.
        let (state, status) = if revision == 1 {
            (data.byte(150)?.into(), data.byte(151)?.into())
        } else {
            (data.he16(150)?.into(), data.he16(152)?.into())
        };
        Some(Self {
            state,
            status,
            has_ranges: revision == 3,
        })
    }

    /// Revision 3 has ranges in host order, older ones a single port in network order.
    fn ports(&self, data: Fields<'_>, low: usize, high: usize) -> Option<PortRange> {
        if self.has_ranges {
            Some((data.he16(low)?, data.he16(high)?))
        } else {
            data.be16(low).map(|port| (port, port))
        }
    }
}

fn conntrack(ext: Extension<'_>) -> Option<Match> {
    let data = ext.data;
    let (flags, inverted) = (u32::from(data.he16(146)?), u32::from(data.he16(148)?));
    let tail = ConntrackTail::of(data, ext.revision)?;
    let asked = |bit: u32| flags & bit != 0;
    let addr = |bit: u32, at: usize| {
        let value = ext.masked(at, at + 16)?;
        Some(asked(bit).then(|| not_if(inverted, bit, value)))
    };
    let port = |bit: u32, low: usize, high: usize| {
        let value = tail.ports(data, low, high)?;
        Some(asked(bit).then(|| not_if(inverted, bit, value)))
    };
    let expire = (data.he32(128)?, data.he32(132)?);
    let proto = Proto(u8::try_from(data.he16(136)?).ok()?);
    Some(Match::Conntrack(Box::new(ConntrackMatch {
        state: asked(1).then(|| not_if(inverted, 1, tail.state)),
        proto: asked(2).then(|| not_if(inverted, 2, proto)),
        orig_src: addr(4, 0)?,
        orig_dst: addr(8, 32)?,
        reply_src: addr(0x10, 64)?,
        reply_dst: addr(0x20, 96)?,
        status: asked(0x40).then(|| not_if(inverted, 0x40, tail.status)),
        expire: asked(0x80).then(|| not_if(inverted, 0x80, expire)),
        orig_sport: port(0x100, 138, 154)?,
        orig_dport: port(0x200, 140, 156)?,
        reply_sport: port(0x400, 142, 158)?,
        reply_dport: port(0x800, 144, 160)?,
        reply_direction: asked(0x1000).then_some(inverted & 0x1000 != 0),
        written_as_state: asked(0x2000),
    })))
}

fn state(data: Fields<'_>) -> Option<Match> {
    Some(Match::Conntrack(Box::new(ConntrackMatch {
        state: Some(Not::is(data.he32(0)?)),
        written_as_state: true,
        ..ConntrackMatch::default()
    })))
}

fn addrtype(data: Fields<'_>) -> Option<Match> {
    let flags = data.he32(4)?;
    let types = |at: usize, bit: u32| -> Option<Option<Not<u16>>> {
        let types = data.he16(at)?;
        Some((types != 0).then(|| not_if(flags, bit, types)))
    };
    Some(Match::AddrType(Box::new(AddrTypes {
        src: types(0, 1)?,
        dst: types(2, 2)?,
        limit_iface_in: flags & 4 != 0,
        limit_iface_out: flags & 8 != 0,
    })))
}

/// Revision 0 has its two inversions as words of their own.
fn addrtype_0(data: Fields<'_>) -> Option<Match> {
    let types = |at: usize, invert: usize| -> Option<Option<Not<u16>>> {
        let (value, not) = (data.he16(at)?, data.he32(invert)? != 0);
        Some((value != 0).then_some(Not { not, value }))
    };
    Some(Match::AddrType(Box::new(AddrTypes {
        src: types(0, 4)?,
        dst: types(2, 8)?,
        limit_iface_in: false,
        limit_iface_out: false,
    })))
}

fn mark(data: Fields<'_>) -> Option<Not<(u32, u32)>> {
    Some(Not {
        not: data.byte(8)? != 0,
        value: (data.he32(0)?, data.he32(4)?),
    })
}

fn recent(ext: Extension<'_>) -> Option<Match> {
    let data = ext.data;
    let bits = data.byte(8)?;
    let action = match bits & 0xf {
        1 => RecentAction::Check,
        2 => RecentAction::Set,
        4 => RecentAction::Update,
        8 => RecentAction::Remove,
        _ => return None,
    };
    let mask = if ext.revision == 0 {
        net::addr_of(ext.family, u128::MAX)
    } else {
        ext.addr(212)?
    };
    Some(Match::Recent(Box::new(Recent {
        name: data.text(10, 200)?.into(),
        action,
        not: data.byte(9)? != 0,
        seconds: data.he32(0)?,
        hit_count: data.he32(4)?,
        by_destination: data.byte(210)? != 0,
        reap: bits & 0x20 != 0,
        ttl: bits & 0x10 != 0,
        mask,
    })))
}

fn statistic(data: Fields<'_>) -> Option<Match> {
    let not = data.he16(2)? & 1 != 0;
    let first = data.he32(4)?;
    match data.he16(0)? {
        0 => Some(Match::Statistic(Statistic::Random {
            probability: first,
            not,
        })),
        // Kernel: nth.every is one less than what was asked (libxt_statistic.c).
        1 => Some(Match::Statistic(Statistic::Nth {
            every: first.checked_add(1)?,
            packet: data.he32(8)?,
            not,
        })),
        _ => None,
    }
}

fn set(ext: Extension<'_>) -> Option<Match> {
    const RETURN_NOMATCH: u32 = 0x80;
    let data = ext.data;
    let index = data.he16(0)?;
    let (dimensions, flags) = (data.byte(2)?, data.byte(3)?);
    if !(1..=6).contains(&dimensions) {
        return None;
    }
    let (more, counts) = match ext.revision {
        4 => (data.he32(40)?, data.byte(16)? != 0 || data.byte(32)? != 0),
        _ => (u32::from(flags), false),
    };
    Some(Match::Set(Box::new(SetMatch {
        name: ext.sets.get(&index).cloned(),
        index: Some(index),
        from_source: (1..=dimensions).map(|bit| flags >> bit & 1 != 0).collect(),
        not: flags & 1 != 0,
        return_nomatch: more & RETURN_NOMATCH != 0,
        counts,
    })))
}

fn physdev(data: Fields<'_>) -> Option<Match> {
    let (invert, used) = (u32::from(data.byte(64)?), u32::from(data.byte(65)?));
    let name = |bit: u32, at: usize| -> Option<Option<Not<IfaceName>>> {
        let name = iface_name(data, at)?;
        Some((used & bit != 0).then(|| not_if(invert, bit, name)))
    };
    let bit = |bit: u32| (used & bit != 0).then(|| not_if(invert, bit, ()));
    Some(Match::Physdev(Box::new(Physdev {
        input: name(1, 0)?,
        output: name(2, 32)?,
        is_bridged: bit(4),
        is_in: bit(8),
        is_out: bit(0x10),
    })))
}

/// A name of 16 bytes; one that ends in `+` is a beginning.
fn iface_name(data: Fields<'_>, at: usize) -> Option<IfaceName> {
    let bytes = (at..at + 16)
        .map(|at| data.byte(at))
        .collect::<Option<Vec<u8>>>()?;
    let len = bytes.iter().position(|&byte| byte == 0).unwrap_or(16);
    let text = String::from_utf8_lossy(&bytes[..len]);
    let stem = text.strip_suffix('+');
    Some(IfaceName {
        name: stem.unwrap_or(&text).into(),
        is_prefix: stem.is_some(),
    })
}

fn iprange(ext: Extension<'_>) -> Option<Match> {
    let flags = u32::from(ext.data.byte(64)?);
    let range = |bit: u32, invert: u32, at: usize| {
        let ends = (ext.addr(at)?, ext.addr(at + 16)?);
        Some((flags & bit != 0).then(|| not_if(flags, invert, ends)))
    };
    Some(Match::IpRange(Box::new(IpRange {
        src: range(1, 0x10, 0)?,
        dst: range(2, 0x20, 32)?,
    })))
}
