//! xt rules, test by test.

use std::net::IpAddr;

use host::xt::{
    AddrTypes, ConntrackMatch, CtMarkMode, IfaceName, MaskedAddr, Match, NatRange, Not, PortRange,
    PortSide, RejectWith, Rule, Target, TransportMatch,
};

use super::connection::Connection;
use super::packet::Packet;
use super::path::{Did, Rewrite};
use super::world::World;

/// Runs a rule; `None` where it does not match, or goes on.
pub(super) fn run(rule: &Rule, packet: &mut Packet, connection: &mut Connection) -> Option<Did> {
    let holds = |test: &Match| holds(test, packet, connection);
    if !rule.matches.iter().all(holds) {
        return None;
    }
    match &rule.target {
        Target::None | Target::Pass(_) => None,
        Target::Accept => Some(Did::Accept),
        Target::Drop => Some(Did::Drop),
        Target::Return => Some(Did::Return),
        Target::Jump(chain) => Some(Did::Jump(chain.clone())),
        Target::Goto(chain) => Some(Did::Goto(chain.clone())),
        Target::Reject(RejectWith::Icmp(3)) => Some(Did::Reject),
        Target::Mark { value, mask } => {
            packet.mark = (packet.mark & !mask) ^ value;
            None
        }
        Target::Connmark { .. } => {
            connmark(&rule.target, packet, connection);
            None
        }
        Target::Dnat(to) => Some(Did::Rewrite(Rewrite::Destination(addr(to), port(to)))),
        Target::Snat(to) => Some(Did::Rewrite(Rewrite::Source(addr(to), port(to)))),
        Target::Redirect(to) => Some(Did::Rewrite(Rewrite::Redirect(port(to)))),
        Target::Masquerade(_) => Some(Did::Rewrite(Rewrite::Masquerade)),
        other => panic!("the plain evaluator has no {other:?}"),
    }
}

fn addr(to: &NatRange) -> Option<std::net::Ipv4Addr> {
    match to.addrs?.0 {
        IpAddr::V4(addr) => Some(addr),
        IpAddr::V6(_) => None,
    }
}

fn port(to: &NatRange) -> Option<u16> {
    Some(to.ports?.0)
}

/// connmark_tg of xt_connmark.c.
fn connmark(target: &Target, packet: &mut Packet, connection: &mut Connection) {
    let Target::Connmark {
        mode,
        value,
        ctmask,
        nfmask,
    } = target
    else {
        return;
    };
    if !packet.tracked {
        return;
    }
    match mode {
        CtMarkMode::Set => connection.mark = (connection.mark & !ctmask) ^ value,
        CtMarkMode::Save => {
            connection.mark = (connection.mark & !ctmask) ^ (packet.mark & nfmask);
        }
        CtMarkMode::Restore => {
            packet.mark = (packet.mark & !nfmask) ^ (connection.mark & ctmask);
        }
    }
}

fn holds(test: &Match, packet: &Packet, connection: &Connection) -> bool {
    let is_tracked = packet.tracked;
    match test {
        Match::Src(block) => is(*block, |block| within(block, packet.src.into())),
        Match::Dst(block) => is(*block, |block| within(block, packet.dst.into())),
        Match::In(name) => is(name.clone(), |name| on(packet.iif, &name)),
        Match::Out(name) => is(name.clone(), |name| on(packet.oif, &name)),
        Match::Proto(proto) => is(*proto, |proto| proto.0 == packet.proto),
        Match::Tcp(ports) => packet.proto == 6 && transport(ports, packet),
        Match::Udp(ports) => packet.proto == 17 && transport(ports, packet),
        Match::Multiport(list) => {
            let hits = |port: u16| list.ports.iter().any(|range| in_range(*range, port));
            let found = match list.side {
                PortSide::Source => hits(packet.sport),
                PortSide::Destination => hits(packet.dport),
                PortSide::Either => hits(packet.sport) || hits(packet.dport),
            };
            found != list.not
        }
        Match::Conntrack(test) => conntrack(test, packet, connection),
        Match::AddrType(types) => address_types(types, packet),
        Match::Mark(mark) => is(*mark, |(value, mask)| packet.mark & mask == value),
        Match::Connmark(mark) => {
            is_tracked && is(*mark, |(value, mask)| connection.mark & mask == value)
        }
        Match::Comment(_) => true,
        Match::IpRange(ranges) => {
            let inside =
                |(first, last): (IpAddr, IpAddr), addr: IpAddr| first <= addr && addr <= last;
            let src = ranges.src;
            src.is_none_or(|test| is(test, |range| inside(range, packet.src.into())))
                && ranges
                    .dst
                    .is_none_or(|test| is(test, |range| inside(range, packet.dst.into())))
        }
        other => panic!("the plain evaluator has no {other:?}"),
    }
}

fn is<T>(test: Not<T>, holds: impl FnOnce(T) -> bool) -> bool {
    holds(test.value) != test.not
}

fn within(block: MaskedAddr, addr: IpAddr) -> bool {
    match (block.addr, block.mask, addr) {
        (IpAddr::V4(block), IpAddr::V4(mask), IpAddr::V4(addr)) => {
            addr.to_bits() & mask.to_bits() == block.to_bits()
        }
        _ => false,
    }
}

fn on(link: Option<u32>, wanted: &IfaceName) -> bool {
    let name = link.map_or("", |link| World::link_name(link));
    if wanted.is_prefix {
        name.starts_with(&*wanted.name)
    } else {
        name == &*wanted.name
    }
}

fn in_range((first, last): PortRange, port: u16) -> bool {
    first <= port && port <= last
}

fn transport(test: &TransportMatch, packet: &Packet) -> bool {
    test.sport
        .is_none_or(|ports| is(ports, |range| in_range(range, packet.sport)))
        && test
            .dport
            .is_none_or(|ports| is(ports, |range| in_range(range, packet.dport)))
        && test
            .flags
            .is_none_or(|flags| is(flags, |flags| packet.flags & flags.mask == flags.set))
}

/// conntrack_mt of xt_conntrack.c.
fn conntrack(test: &ConntrackMatch, packet: &Packet, connection: &Connection) -> bool {
    if let Some(state) = test.state {
        let mut bits = connection.state(packet);
        if packet.tracked && connection.is_snat() {
            bits |= 0x40;
        }
        if packet.tracked && connection.is_dnat() {
            bits |= 0x80;
        }
        if !is(state, |wanted| bits & wanted != 0) {
            return false;
        }
    }
    if !packet.tracked {
        return test.state.is_some();
    }
    test.orig_src
        .is_none_or(|block| is(block, |block| within(block, connection.src.0.into())))
        && test
            .orig_dst
            .is_none_or(|block| is(block, |block| within(block, connection.dst.0.into())))
        && test
            .orig_dport
            .is_none_or(|ports| is(ports, |range| in_range(range, connection.dst.1)))
        && test
            .reply_direction
            .is_none_or(|reply| packet.is_reply == reply)
}

fn address_types(types: &AddrTypes, packet: &Packet) -> bool {
    let of = |addr| 1_u16 << World::address_type(addr);
    types
        .src
        .is_none_or(|test| is(test, |bits| bits & of(packet.src) != 0))
        && types
            .dst
            .is_none_or(|test| is(test, |bits| bits & of(packet.dst) != 0))
}
