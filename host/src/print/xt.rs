//! Matches of xt rules.

use std::net::IpAddr;

use net::{Family, Proto, addr_bits};

use crate::parse::words::{ADDR_TYPES, CT_STATES, CT_STATUS, TCP_FLAGS};
use crate::xt::{
    AddrTypes, ConntrackMatch, IfaceName, IpRange, LimitMatch, MaskedAddr, Match, Multiport, Not,
    Owner, Physdev, PortRange, PortSide, Recent, RecentAction, SetMatch, Statistic, TransportMatch,
};

use super::line::Line;

/// Adds matches in their order.
pub(super) fn matches(line: &mut Line, matches: &[Match]) {
    // `-m icmp` and `-m icmp6` are one match here; the protocol tells them apart.
    let is_v6 = |m: &Match| matches!(m, Match::Proto(proto) if proto.value == Proto::ICMP6);
    let is_icmp6 = matches.iter().any(is_v6);
    for item in matches {
        add(line, item, is_icmp6);
    }
}

/// Adds one match.
#[expect(clippy::too_many_lines, reason = "one arm for each match")]
pub(super) fn add(line: &mut Line, item: &Match, is_icmp6: bool) {
    match item {
        Match::Src(m) => line.option(m.not, "-s", masked(&m.value, true)),
        Match::Dst(m) => line.option(m.not, "-d", masked(&m.value, true)),
        Match::In(m) => iface(line, m, "-i"),
        Match::Out(m) => iface(line, m, "-o"),
        Match::Proto(m) => line.option(m.not, "-p", m.value),
        Match::Fragment(m) => line.flag(m.not, "-f"),
        Match::Tcp(m) => transport(line, "tcp", m),
        Match::Udp(m) => transport(line, "udp", m),
        Match::Sctp(m) => transport(line, "sctp", m),
        Match::Icmp(m) => icmp(line, *m, is_icmp6),
        Match::Multiport(m) => multiport(line, m),
        Match::Conntrack(m) => conntrack(line, m),
        Match::AddrType(m) => addr_type(line, m),
        Match::Mark(m) => mark(line, "mark", m),
        Match::Connmark(m) => mark(line, "connmark", m),
        Match::Comment(text) => {
            line.option(false, "-m", "comment --comment");
            line.text(text);
        }
        Match::Limit(m) => limit(line, *m),
        Match::Recent(m) => recent(line, m),
        Match::Statistic(m) => statistic(line, *m),
        Match::Set(m) => set(line, m),
        Match::IpRange(m) => ip_range(line, m),
        Match::Physdev(m) => physdev(line, m),
        Match::Owner(m) => owner(line, *m),
        Match::PktType(m) => {
            let kinds = ["unicast", "broadcast", "multicast"];
            line.option(false, "-m", "pkttype");
            line.option(m.not, "--pkt-type", kinds[m.value.min(2) as usize]);
        }
        Match::RpFilter(m) => {
            let flags = [
                (m.loose, "--loose"),
                (m.valid_mark, "--validmark"),
                (m.invert, "--invert"),
            ];
            flagged(line, "rpfilter", &flags);
        }
        Match::Socket(m) => {
            let flags = [
                (m.transparent, "--transparent"),
                (m.no_wildcard, "--nowildcard"),
                (m.restore_mark, "--restore-skmark"),
            ];
            flagged(line, "socket", &flags);
        }
        Match::Policy(m) => {
            line.option(false, "-m", "policy");
            line.option(false, "--dir", if m.outgoing { "out" } else { "in" });
            line.option(false, "--pol", if m.ipsec { "ipsec" } else { "none" });
        }
        Match::Ipvs(m) => {
            line.option(false, "-m", "ipvs");
            line.flag(m.not, "--ipvs");
        }
        Match::Mac(m) => {
            line.option(false, "-m", "mac");
            let bytes = m.value.map(|byte| format!("{byte:02x}"));
            line.option(m.not, "--mac-source", bytes.join(":"));
        }
        Match::Gap { name, options } => gap(line, "-m", name, options),
    }
}

/// A match that is a list of flags.
fn flagged(line: &mut Line, name: &str, flags: &[(bool, &str)]) {
    line.option(false, "-m", name);
    for (_, flag) in flags.iter().filter(|(is, _)| *is) {
        line.word(flag);
    }
}

fn owner(line: &mut Line, m: Owner) {
    line.option(false, "-m", "owner");
    for (name, id) in [("--uid-owner", m.uid), ("--gid-owner", m.gid)] {
        let Some(Not { not, value }) = id else {
            continue;
        };
        match value {
            (first, last) if first == last => line.option(not, name, first),
            (first, last) => line.option(not, name, format!("{first}-{last}")),
        }
    }
}

/// What is not modelled, as it was written: an option of its own, or the name of an
/// extension.
pub(super) fn gap(line: &mut Line, flag: &str, name: &str, options: &str) {
    if name.starts_with(['-', '!']) {
        line.word(name);
    } else {
        line.word(flag);
        line.name(name);
    }
    if !options.is_empty() {
        line.word(options);
    }
}

/// An address with its mask; without `always` a whole address has none.
fn masked(addr: &MaskedAddr, always: bool) -> String {
    let family = Family::of(addr.mask);
    let width = u32::from(family.bits());
    let mask = addr_bits(addr.mask) << (128 - width);
    let len = mask.leading_ones().min(width);
    let is_prefix = mask.count_ones() == len;
    match (is_prefix, len == width && !always) {
        (_, true) => addr.addr.to_string(),
        (true, false) => format!("{}/{len}", addr.addr),
        (false, false) => format!("{}/{}", addr.addr, addr.mask),
    }
}

fn physdev(line: &mut Line, m: &Physdev) {
    line.option(false, "-m", "physdev");
    for (name, option) in [(&m.input, "--physdev-in"), (&m.output, "--physdev-out")] {
        if let Some(name) = name {
            iface(line, name, option);
        }
    }
    let bits = [
        (m.is_in, "--physdev-is-in"),
        (m.is_out, "--physdev-is-out"),
        (m.is_bridged, "--physdev-is-bridged"),
    ];
    for (bit, option) in bits {
        if let Some(bit) = bit {
            line.flag(bit.not, option);
        }
    }
}

fn iface(line: &mut Line, m: &Not<IfaceName>, option: &str) {
    line.flag(m.not, option);
    let plus = if m.value.is_prefix { "+" } else { "" };
    line.name(&format!("{}{plus}", m.value.name));
}

/// `80` or `80:90`.
fn ports(range: PortRange) -> String {
    if range.0 == range.1 {
        range.0.to_string()
    } else {
        format!("{}:{}", range.0, range.1)
    }
}

fn transport(line: &mut Line, name: &str, m: &TransportMatch) {
    line.option(false, "-m", name);
    if let Some(sport) = m.sport {
        line.option(sport.not, "--sport", ports(sport.value));
    }
    if let Some(dport) = m.dport {
        line.option(dport.not, "--dport", ports(dport.value));
    }
    if let Some(option) = m.option {
        line.option(option.not, "--tcp-option", option.value);
    }
    if let Some(flags) = m.flags {
        line.option(flags.not, "--tcp-flags", tcp_flags(flags.value.mask));
        line.word(tcp_flags(flags.value.set));
    }
}

fn tcp_flags(bits: u8) -> String {
    let names: Vec<_> = TCP_FLAGS
        .iter()
        .filter(|(_, bit)| bits & bit != 0)
        .map(|(name, _)| *name)
        .collect();
    if names.is_empty() {
        return "NONE".to_owned();
    }
    names.join(",")
}

fn icmp(line: &mut Line, m: Not<(u8, (u8, u8))>, is_v6: bool) {
    let (kind, codes) = m.value;
    let (name, option) = if is_v6 {
        ("icmp6", "--icmpv6-type")
    } else {
        ("icmp", "--icmp-type")
    };
    line.option(false, "-m", name);
    match (kind, codes) {
        (255, (0, 255)) if !is_v6 => line.option(m.not, option, "any"),
        (_, (0, 255)) => line.option(m.not, option, kind),
        (_, (code, _)) => line.option(m.not, option, format_args!("{kind}/{code}")),
    }
}

fn multiport(line: &mut Line, m: &Multiport) {
    line.option(false, "-m", "multiport");
    let option = match m.side {
        PortSide::Source => "--sports",
        PortSide::Destination => "--dports",
        PortSide::Either => "--ports",
    };
    let list: Vec<_> = m.ports.iter().map(|range| ports(*range)).collect();
    line.option(m.not, option, list.join(","));
}

fn bits(value: u32, names: &[(&str, u32)]) -> String {
    let names: Vec<_> = names
        .iter()
        .filter(|(_, bit)| value & bit != 0)
        .map(|(name, _)| *name)
        .collect();
    if names.is_empty() {
        return "NONE".to_owned();
    }
    names.join(",")
}

fn conntrack(line: &mut Line, m: &ConntrackMatch) {
    if m.written_as_state {
        line.option(false, "-m", "state");
        if let Some(state) = m.state {
            line.option(state.not, "--state", bits(state.value, &CT_STATES));
        }
        return;
    }
    line.option(false, "-m", "conntrack");
    if let Some(state) = m.state {
        line.option(state.not, "--ctstate", bits(state.value, &CT_STATES));
    }
    if let Some(proto) = m.proto {
        line.option(proto.not, "--ctproto", proto.value.0);
    }
    let addrs = [
        ("--ctorigsrc", &m.orig_src),
        ("--ctorigdst", &m.orig_dst),
        ("--ctreplsrc", &m.reply_src),
        ("--ctrepldst", &m.reply_dst),
    ];
    for (name, addr) in addrs {
        if let Some(addr) = addr {
            line.option(addr.not, name, masked(&addr.value, false));
        }
    }
    let sides = [
        ("--ctorigsrcport", m.orig_sport),
        ("--ctorigdstport", m.orig_dport),
        ("--ctreplsrcport", m.reply_sport),
        ("--ctrepldstport", m.reply_dport),
    ];
    for (name, side) in sides {
        if let Some(side) = side {
            line.option(side.not, name, ports(side.value));
        }
    }
    if let Some(status) = m.status {
        line.option(status.not, "--ctstatus", bits(status.value, &CT_STATUS));
    }
    if let Some(Not { not, value }) = m.expire {
        match value {
            (first, last) if first == last => line.option(not, "--ctexpire", first),
            (first, last) => line.option(not, "--ctexpire", format_args!("{first}:{last}")),
        }
    }
    match m.reply_direction {
        Some(true) => line.option(false, "--ctdir", "REPLY"),
        Some(false) => line.option(false, "--ctdir", "ORIGINAL"),
        None => {}
    }
}

fn addr_type(line: &mut Line, m: &AddrTypes) {
    line.option(false, "-m", "addrtype");
    for (name, types) in [("--src-type", m.src), ("--dst-type", m.dst)] {
        if let Some(types) = types {
            let names: Vec<_> = (0..)
                .zip(ADDR_TYPES)
                .filter(|(number, _)| types.value & 1 << number != 0)
                .map(|(_, name)| name)
                .collect();
            line.option(types.not, name, names.join(","));
        }
    }
    if m.limit_iface_in {
        line.word("--limit-iface-in");
    }
    if m.limit_iface_out {
        line.word("--limit-iface-out");
    }
}

fn mark(line: &mut Line, name: &str, m: &Not<(u32, u32)>) {
    line.option(false, "-m", name);
    let (value, mask) = m.value;
    if mask == u32::MAX {
        line.option(m.not, "--mark", format_args!("{value:#x}"));
    } else {
        line.option(m.not, "--mark", format_args!("{value:#x}/{mask:#x}"));
    }
}

/// Prints the rate as iptables does: in the longest unit in which it is whole enough
/// (`print_rate` of libxt_limit.c). Where that would read back as another rate, in the first
/// unit in which it does not.
fn limit(line: &mut Line, m: LimitMatch) {
    line.option(false, "-m", "limit");
    let units = [
        (864_000_000, "day"),
        (36_000_000, "hour"),
        (600_000, "min"),
        (10_000, "sec"),
    ];
    let period = m.cost.max(1);
    let is_whole = |unit: u32| period <= unit && unit / period >= unit % period;
    let reads_back = |unit: u32| period <= unit && unit / (unit / period) == period;
    let whole = units.iter().skip(1).take_while(|(unit, _)| is_whole(*unit));
    let usual = whole.last().unwrap_or(&units[0]);
    let (unit, name) = if reads_back(usual.0) {
        usual
    } else {
        units.iter().find(|u| reads_back(u.0)).unwrap_or(usual)
    };
    line.option(false, "--limit", format_args!("{}/{name}", unit / period));
    if m.burst != 5 {
        line.option(false, "--limit-burst", m.burst);
    }
}

fn recent(line: &mut Line, m: &Recent) {
    line.option(false, "-m", "recent");
    let action = match m.action {
        RecentAction::Set => "--set",
        RecentAction::Check => "--rcheck",
        RecentAction::Update => "--update",
        RecentAction::Remove => "--remove",
    };
    line.flag(m.not, action);
    if m.seconds != 0 {
        line.option(false, "--seconds", m.seconds);
    }
    if m.reap {
        line.word("--reap");
    }
    if m.hit_count != 0 {
        line.option(false, "--hitcount", m.hit_count);
    }
    if m.ttl {
        line.word("--rttl");
    }
    line.word("--name");
    line.name(&m.name);
    line.option(false, "--mask", m.mask);
    line.word(if m.by_destination {
        "--rdest"
    } else {
        "--rsource"
    });
}

fn statistic(line: &mut Line, m: Statistic) {
    line.option(false, "-m", "statistic");
    match m {
        Statistic::Random { probability, not } => {
            line.option(false, "--mode", "random");
            let p = f64::from(probability) / f64::from(1u32 << 31);
            line.option(not, "--probability", format_args!("{p:.11}"));
        }
        Statistic::Nth { every, packet, not } => {
            line.option(false, "--mode", "nth");
            line.option(not, "--every", every);
            line.option(false, "--packet", packet);
        }
    }
}

fn set(line: &mut Line, m: &SetMatch) {
    line.option(false, "-m", "set");
    line.flag(m.not, "--match-set");
    match (&m.name, m.index) {
        (Some(name), _) => line.name(name),
        (None, index) => line.word(format_args!("#{}", index.unwrap_or_default())),
    }
    let sides = m.from_source.iter();
    let sides: Vec<_> = sides.map(|src| if *src { "src" } else { "dst" }).collect();
    line.word(sides.join(","));
    if m.return_nomatch {
        line.word("--return-nomatch");
    }
    if m.counts {
        // Which counts is not kept.
        line.option(false, "--packets-gt", "?");
    }
}

fn ip_range(line: &mut Line, m: &IpRange) {
    line.option(false, "-m", "iprange");
    let mut side = |name: &str, range: &Option<Not<(IpAddr, IpAddr)>>| {
        if let Some(Not { not, value }) = range {
            line.option(*not, name, format_args!("{}-{}", value.0, value.1));
        }
    };
    side("--src-range", &m.src);
    side("--dst-range", &m.dst);
}
