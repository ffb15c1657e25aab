//! What an xt rule tests, in a sentence.

mod origin;

use std::fmt::Display;
use std::net::IpAddr;

use host::xt::{
    AddrTypes, ConntrackMatch, IfaceName, IpRange, LimitMatch, MaskedAddr, Match, Multiport, Not,
    Physdev, PortRange, PortSide, Recent, RecentAction, Rule, SetMatch, Statistic, TcpFlags,
    TransportMatch,
};
use net::{Family, Prefix, Proto};

use crate::escape;
use crate::words::shortened;

/// The tests of a rule, in the order in which they are made, joined by commas; empty where
/// the rule tests nothing. A protocol that a port test names again is said once.
pub fn conditions(rule: &Rule) -> String {
    let has_ports = rule.matches.iter().any(|m| {
        matches!(
            m,
            Match::Tcp(_) | Match::Udp(_) | Match::Sctp(_) | Match::Multiport(_)
        )
    });
    let proto = rule.matches.iter().find_map(|m| match m {
        Match::Proto(proto) if !proto.not => Some(proto.value),
        _ => None,
    });
    let mut said = Vec::new();
    for test in &rule.matches {
        match test {
            Match::Proto(proto) if has_ports && !proto.not => {}
            _ => said.extend(test_words(test, proto)),
        }
    }
    let bare = said.iter().position(String::is_empty);
    if let (Some(_), Some(proto)) = (bare, proto) {
        // `-p tcp -m tcp` without options tests the protocol alone.
        let names_it = said.iter().any(|s| s.starts_with(&format!("{proto} ")));
        said.retain(|s| !s.is_empty());
        if !names_it {
            said.push(proto.to_string());
        }
    }
    said.retain(|s| !s.is_empty());
    said.join(", ")
}

/// One test; several sentences where it has several parts, one empty one where it has none.
fn test_words(test: &Match, proto: Option<Proto>) -> Vec<String> {
    match test {
        Match::Src(addr) => vec![is("source", addr, &masked(addr.value))],
        Match::Dst(addr) => vec![is("destination", addr, &masked(addr.value))],
        Match::In(name) => vec![interface("comes in on", name)],
        Match::Out(name) => vec![interface("leaves on", name)],
        Match::Proto(proto) => vec![format!("{}{}", not_before(proto), proto.value)],
        Match::Fragment(not) if not.not => vec!["no later fragment".to_owned()],
        Match::Fragment(_) => vec!["a later fragment".to_owned()],
        Match::Tcp(ports) => transport("tcp", ports),
        Match::Udp(ports) => transport("udp", ports),
        Match::Sctp(ports) => transport("sctp", ports),
        Match::Icmp(icmp) => vec![icmp_words(*icmp)],
        Match::Multiport(list) => vec![multiport(list, proto)],
        Match::Conntrack(ct) => conntrack(ct),
        Match::AddrType(types) => addr_types(types),
        Match::Mark(mark) => vec![mark_words("mark", mark)],
        Match::Connmark(mark) => vec![mark_words("connection mark", mark)],
        Match::Comment(_) => Vec::new(),
        Match::Limit(limit) => vec![limit_words(*limit)],
        Match::Recent(recent) => vec![recent_words(recent)],
        Match::Statistic(statistic) => vec![statistic_words(*statistic)],
        Match::Set(set) => vec![set_words(set)],
        Match::IpRange(range) => ranges(range),
        Match::Physdev(physdev) => bridge_port(physdev),
        Match::Owner(owner) => origin::sender(*owner),
        Match::PktType(kind) => {
            let words = ["unicast", "broadcast", "multicast"];
            vec![is("packet type", kind, words[kind.value.min(2) as usize])]
        }
        Match::RpFilter(filter) => vec![origin::way_back(*filter)],
        Match::Socket(socket) => vec![origin::socket(*socket)],
        Match::Policy(policy) => vec![origin::policy(*policy)],
        Match::Ipvs(handled) => vec![format!("{}handled by IPVS", not_before(handled))],
        Match::Mac(mac) => vec![is("source MAC", mac, &mac_text(mac.value))],
        Match::Gap { name, options } => vec![gap_words(name, options)],
    }
}

fn not_before<T>(test: &Not<T>) -> &'static str {
    if test.not { "not " } else { "" }
}

fn is<T>(what: &str, test: &Not<T>, value: &str) -> String {
    format!("{what} is {}{value}", not_before(test))
}

/// An address under a mask: a prefix where the mask is one.
fn masked(addr: MaskedAddr) -> String {
    let mask = net::addr_bits(addr.mask);
    let width = u32::from(Family::of(addr.addr).bits());
    let ones = (mask << (128 - width)).leading_ones().min(width);
    if mask.count_ones() != ones {
        return format!("{}/{}", addr.addr, addr.mask);
    }
    prefix(Prefix::containing(
        addr.addr,
        u8::try_from(ones).unwrap_or(u8::MAX),
    ))
}

/// A prefix; one address stands without its length.
pub(crate) fn prefix(prefix: Prefix) -> String {
    if prefix.len() == prefix.family().bits() {
        prefix.addr().to_string()
    } else {
        prefix.to_string()
    }
}

fn interface(verb: &str, name: &Not<IfaceName>) -> String {
    let star = if name.value.is_prefix { "*" } else { "" };
    let text = escape::terminal(&name.value.name);
    format!("{verb} {}{text}{star}", not_before(name))
}

fn bridge_port(physdev: &Physdev) -> Vec<String> {
    let mut said = Vec::new();
    said.extend(
        physdev
            .input
            .as_ref()
            .map(|name| interface("bridge port in is", name)),
    );
    said.extend(
        physdev
            .output
            .as_ref()
            .map(|name| interface("bridge port out is", name)),
    );
    let bits = [
        (physdev.is_in, "through a bridge port"),
        (physdev.is_out, "out by a bridge port"),
        (physdev.is_bridged, "bridged"),
    ];
    let word = |(bit, text): (Option<Not<()>>, &str)| {
        bit.map(|bit| {
            if bit.not {
                format!("not {text}")
            } else {
                text.to_owned()
            }
        })
    };
    said.extend(bits.into_iter().filter_map(word));
    said
}

fn transport(proto: &str, ports: &TransportMatch) -> Vec<String> {
    let mut said = Vec::new();
    if let Some(dport) = &ports.dport {
        said.push(port_words(proto, "port", *dport));
    }
    if let Some(sport) = &ports.sport {
        said.push(port_words(proto, "source port", *sport));
    }
    if let Some(flags) = &ports.flags {
        said.push(flag_words(*flags));
    }
    if let Some(option) = &ports.option {
        let has = if option.not { "without" } else { "with" };
        said.push(format!("{has} TCP option {}", option.value));
    }
    if said.is_empty() {
        said.push(String::new());
    }
    said
}

fn port_words(proto: &str, which: &str, ports: Not<PortRange>) -> String {
    format!(
        "{proto} {which} {}{}",
        not_before(&ports),
        range(ports.value.0, ports.value.1)
    )
}

fn range<T: Copy + PartialEq + Display>(first: T, last: T) -> String {
    if first == last {
        first.to_string()
    } else {
        format!("{first}–{last}")
    }
}

fn multiport(list: &Multiport, proto: Option<Proto>) -> String {
    let ports: Vec<_> = list.ports.iter().map(|&(a, b)| range(a, b)).collect();
    let which = match list.side {
        PortSide::Source => "source port",
        PortSide::Destination => "port",
        PortSide::Either => "source or destination port",
    };
    let proto = proto.map_or(String::new(), |p| format!("{p} "));
    let not = if list.not { "not " } else { "" };
    format!("{proto}{which} {not}{}", ports.join(" or "))
}

fn flag_words(flags: Not<TcpFlags>) -> String {
    const SYN_ONLY: TcpFlags = TcpFlags {
        mask: 0x17,
        set: 0x02,
    };
    if flags.value == SYN_ONLY {
        let no = if flags.not { "no " } else { "a " };
        return format!("{no}first packet of a connection");
    }
    let names = |bits: u8| {
        let all = ["FIN", "SYN", "RST", "PSH", "ACK", "URG"];
        let set: Vec<_> = (0..6)
            .filter(|i| bits & (1 << i) != 0)
            .map(|i| all[i])
            .collect();
        if set.is_empty() {
            "none".to_owned()
        } else {
            set.join(",")
        }
    };
    format!(
        "of TCP flags {} {}{} set",
        names(flags.value.mask),
        not_before(&flags),
        names(flags.value.set)
    )
}

fn icmp_words(icmp: Not<(u8, (u8, u8))>) -> String {
    let (kind, (first, last)) = icmp.value;
    let not = not_before(&icmp);
    if (first, last) == (0, u8::MAX) {
        format!("icmp type {not}{kind}")
    } else {
        format!("icmp type {not}{kind} code {}", range(first, last))
    }
}

const STATES: [(u32, &str); 7] = [
    (0x001, "invalid"),
    (0x002, "established"),
    (0x004, "related"),
    (0x008, "new"),
    (0x040, "source-translated"),
    (0x080, "translated"),
    (0x100, "untracked"),
];

const STATUSES: [(u32, &str); 4] = [
    (1, "expected"),
    (2, "answered"),
    (4, "assured"),
    (8, "confirmed"),
];

fn bit_words(names: &[(u32, &str)], bits: Not<u32>) -> String {
    let set = names.iter().filter(|(bit, _)| bits.value & bit != 0);
    let words: Vec<_> = set.map(|(_, name)| *name).collect();
    let joint = if bits.not { " nor " } else { " or " };
    let neither = match (bits.not, words.len()) {
        (false, _) => "",
        (true, 1) => "not ",
        (true, _) => "neither ",
    };
    format!("connection is {neither}{}", words.join(joint))
}

fn conntrack(ct: &ConntrackMatch) -> Vec<String> {
    let mut said = Vec::new();
    said.extend(ct.state.map(|bits| bit_words(&STATES, bits)));
    said.extend(ct.status.map(|bits| bit_words(&STATUSES, bits)));
    said.extend(
        ct.proto
            .map(|p| is("connection's protocol", &p, &p.value.to_string())),
    );
    let addrs = [
        ("client's source", ct.orig_src),
        ("client's destination", ct.orig_dst),
        ("answer's source", ct.reply_src),
        ("answer's destination", ct.reply_dst),
    ];
    for (what, addr) in addrs {
        said.extend(addr.map(|a| is(what, &a, &masked(a.value))));
    }
    let ports = [
        ("client's source port", ct.orig_sport),
        ("client's destination port", ct.orig_dport),
        ("answer's source port", ct.reply_sport),
        ("answer's destination port", ct.reply_dport),
    ];
    for (what, port) in ports {
        said.extend(port.map(|p| is(what, &p, &range(p.value.0, p.value.1))));
    }
    said.extend(ct.expire.map(|e| {
        let seconds = range(e.value.0, e.value.1);
        is(
            "time to live of the connection",
            &e,
            &format!("{seconds} s"),
        )
    }));
    said.extend(ct.reply_direction.map(|reply| {
        let way = if reply {
            "an answer"
        } else {
            "from the client"
        };
        format!("packet is {way}")
    }));
    said
}

const ADDR_TYPES: [&str; 12] = [
    "unspecified",
    "unicast",
    "local",
    "broadcast",
    "anycast",
    "multicast",
    "blackholed",
    "unreachable",
    "prohibited",
    "thrown",
    "translated",
    "resolved elsewhere",
];

fn addr_types(types: &AddrTypes) -> Vec<String> {
    let mut said = Vec::new();
    for (what, test) in [("source", types.src), ("destination", types.dst)] {
        let Some(test) = test else { continue };
        let set = (0..ADDR_TYPES.len()).filter(|i| test.value & (1 << i) != 0);
        let words: Vec<_> = set.map(|i| ADDR_TYPES[i]).collect();
        said.push(is(what, &test, &words.join(" or ")));
    }
    if types.limit_iface_in {
        said.push("on the interface it came in on".to_owned());
    }
    if types.limit_iface_out {
        said.push("on the interface it leaves on".to_owned());
    }
    said
}

fn mark_words(what: &str, test: &Not<(u32, u32)>) -> String {
    let (value, mask) = test.value;
    let has = if test.not { "has not" } else { "has" };
    if mask == u32::MAX {
        is(what, test, &format!("{value:#x}"))
    } else if value == mask {
        format!("{what} {has} {value:#x}")
    } else {
        is(what, test, &format!("{value:#x} under {mask:#x}"))
    }
}

fn limit_words(limit: LimitMatch) -> String {
    let units = [
        (1_u64, "second"),
        (60, "minute"),
        (3600, "hour"),
        (86400, "day"),
    ];
    let cost = u64::from(limit.cost.max(1));
    let unit = units.iter().find(|(seconds, _)| 10_000 * seconds >= cost);
    let (seconds, name) = unit.copied().unwrap_or((86400, "day"));
    let rate = (10_000 * seconds / cost).max(1);
    format!(
        "while no more than {rate} a {name} come, after a burst of {}",
        limit.burst
    )
}

fn recent_words(recent: &Recent) -> String {
    let who = if recent.by_destination {
        "destination"
    } else {
        "source"
    };
    let list = escape::terminal(&recent.name);
    let not = if recent.not { "not " } else { "" };
    let since = if recent.seconds == 0 {
        String::new()
    } else {
        format!(" for no more than {} s", recent.seconds)
    };
    match recent.action {
        RecentAction::Set => format!("{who} is put on list {list}"),
        RecentAction::Remove => format!("{who} is {not}on list {list} and taken off"),
        RecentAction::Check | RecentAction::Update => {
            format!("{who} is {not}on list {list}{since}")
        }
    }
}

fn statistic_words(statistic: Statistic) -> String {
    match statistic {
        Statistic::Random { probability, not } => {
            let share = f64::from(probability) / f64::from(1_u32 << 31);
            let share = if not { 1.0 - share } else { share };
            format!("{} of packets by chance", super::percent(share))
        }
        Statistic::Nth {
            every,
            packet,
            not: false,
        } => format!("packet {packet} of every {every}"),
        Statistic::Nth { every, packet, .. } => {
            format!("all but packet {packet} of every {every}")
        }
    }
}

fn set_words(set: &SetMatch) -> String {
    let sides: Vec<_> = set
        .from_source
        .iter()
        .map(|&source| if source { "source" } else { "destination" })
        .collect();
    let name = match (&set.name, set.index) {
        (Some(name), _) => escape::terminal(name),
        (None, Some(index)) => format!("number {index}"),
        (None, None) => "without a name".to_owned(),
    };
    let not = if set.not { "not " } else { "" };
    format!("{} is {not}in set {name}", sides.join(" and "))
}

fn ranges(range: &IpRange) -> Vec<String> {
    let sides = [("source", range.src), ("destination", range.dst)];
    let words = |(what, test): (&str, Option<Not<(IpAddr, IpAddr)>>)| {
        test.map(|t| is(what, &t, &format!("{}–{}", t.value.0, t.value.1)))
    };
    sides.into_iter().filter_map(words).collect()
}

/// A link-layer address as `ip link` writes it.
pub(crate) fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

fn gap_words(name: &str, options: &str) -> String {
    let options = shortened(options);
    let space = if options.is_empty() { "" } else { " " };
    format!("match `{}{space}{options}`", escape::terminal(name))
}

#[cfg(test)]
mod tests;
