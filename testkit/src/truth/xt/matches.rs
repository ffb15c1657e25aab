//! What a random xt rule tests.

use super::super::pool::{self, Hint, MARKS, MASKS, USERS};
use super::super::rng::Rng;
use super::super::spec::Part;
use super::Spot;
use crate::world::{LINKS, NODE_LINKS, Transport, mac_of};

/// A test that may stand in `spot` and has a chance to match `hint`; `None` where the one that
/// was drawn may not.
pub(super) fn test(rng: &mut Rng, spot: Spot<'_>, hint: &Hint, has_proto: bool) -> Option<Part> {
    match rng.below(32) {
        0 | 1 => Some(addr(rng, "xt -s", "-s", hint.src)),
        2 | 3 => Some(addr(rng, "xt -d", "-d", hint.dst)),
        4 => link(rng, spot, hint, true),
        5 => link(rng, spot, hint, false),
        6..9 => has_proto.then(|| port(rng, hint)),
        9 => has_proto.then(|| multiport(rng, hint)),
        10 if hint.transport == Transport::Tcp && has_proto => Some(flags(rng)),
        11 | 12 => Some(state(rng, spot)),
        13 => Some(original(rng, hint)),
        14 => Some(addrtype(rng, spot)),
        15 => Some(mark(rng, "xt mark", "mark")),
        16 => Some(mark(rng, "xt connmark", "connmark")),
        17 | 18 => set(rng, spot, hint),
        19 => Some(iprange(rng, hint)),
        20 if !has_proto => Some(icmp(rng, spot)),
        21 if spot.only(&["PREROUTING", "INPUT", "FORWARD"]) => Some(mac(rng)),
        22 => Some(Part::new(
            "xt comment",
            "-m comment --comment \"a comment\"",
        )),
        23 | 24 if spot.pool.stateful => Some(stateful(rng, spot)),
        25 if !has_proto => Some(proto(rng, hint)),
        26 if spot.only(&["OUTPUT", "POSTROUTING"]) => Some(owner(rng)),
        27 if spot.only(&["PREROUTING"]) && ["raw", "mangle"].contains(&spot.table) => {
            Some(way_back(rng))
        }
        28 => Some(packet_kind(rng)),
        29 | 30 if spot.only(&["PREROUTING", "INPUT"]) => Some(socket(rng)),
        31 => policy(rng, spot),
        _ => None,
    }
}

fn not(rng: &mut Rng) -> &'static str {
    if rng.percent(18) { "! " } else { "" }
}

fn addr(rng: &mut Rng, kind: &'static str, option: &str, addr: std::net::IpAddr) -> Part {
    let block = pool::block(rng, addr);
    Part::new(kind, format!("{}{option} {block}", not(rng)))
}

fn link(rng: &mut Rng, spot: Spot<'_>, hint: &Hint, is_in: bool) -> Option<Part> {
    let name = match rng.below(10) {
        0..5 if is_in => hint.iif.to_owned(),
        5 => "pod+".to_owned(),
        6 => "eth+".to_owned(),
        _ => (*rng.pick(&NODE_LINKS)).to_owned(),
    };
    let not = not(rng);
    if is_in {
        let ok = spot.only(&["PREROUTING", "INPUT", "FORWARD"]);
        ok.then(|| Part::new("xt -i", format!("{not}-i {name}")))
    } else {
        let ok = spot.only(&["FORWARD", "OUTPUT", "POSTROUTING"]);
        ok.then(|| Part::new("xt -o", format!("{not}-o {name}")))
    }
}

fn proto(rng: &mut Rng, hint: &Hint) -> Part {
    Part::new("xt -p", format!("{}-p {}", not(rng), hint.transport))
}

fn port(rng: &mut Rng, hint: &Hint) -> Part {
    let (kind, option, port) = match (hint.transport, rng.percent(70)) {
        (Transport::Tcp, true) => ("xt tcp dport", "--dport", hint.dport),
        (Transport::Tcp, false) => ("xt tcp sport", "--sport", hint.sport),
        (Transport::Udp, true) => ("xt udp dport", "--dport", hint.dport),
        (Transport::Udp, false) => ("xt udp sport", "--sport", hint.sport),
    };
    let ports = if rng.percent(60) {
        port.to_string()
    } else {
        let (first, last) = pool::port_range(rng, port);
        format!("{first}:{last}")
    };
    let not = not(rng);
    Part::new(kind, format!("-m {} {not}{option} {ports}", hint.transport))
}

fn multiport(rng: &mut Rng, hint: &Hint) -> Part {
    let (kind, option, port) = match rng.below(5) {
        0 => ("xt multiport sports", "--sports", hint.sport),
        1 => ("xt multiport ports", "--ports", hint.dport),
        _ => ("xt multiport dports", "--dports", hint.dport),
    };
    let other = *rng.pick(&pool::PORTS);
    let list = if rng.percent(50) {
        format!("{other},{port}")
    } else {
        let (first, last) = pool::port_range(rng, port);
        format!("{first}:{last},{other}")
    };
    Part::new(kind, format!("-m multiport {}{option} {list}", not(rng)))
}

fn flags(rng: &mut Rng) -> Part {
    let flags = rng.pick(&[
        "FIN,SYN,RST,ACK SYN",
        "SYN,ACK SYN,ACK",
        "ACK ACK",
        "SYN SYN",
        "RST RST",
        "SYN,RST,ACK ACK",
    ]);
    Part::new(
        "xt tcp flags",
        format!("-m tcp {}--tcp-flags {flags}", not(rng)),
    )
}

fn state(rng: &mut Rng, spot: Spot<'_>) -> Part {
    let states = rng.pick(&[
        "NEW",
        "NEW",
        "ESTABLISHED",
        "RELATED,ESTABLISHED",
        "INVALID",
        "NEW,ESTABLISHED",
        "RELATED",
        "UNTRACKED",
    ]);
    let not = not(rng);
    if spot.table == "raw" || rng.percent(60) {
        return Part::new(
            "xt conntrack state",
            format!("-m conntrack {not}--ctstate {states}"),
        );
    }
    match rng.below(4) {
        0 => Part::new("xt state", format!("-m state {not}--state {states}")),
        1 => {
            let states = rng.pick(&["DNAT", "SNAT", "NEW,DNAT", "ESTABLISHED,DNAT"]);
            Part::new(
                "xt conntrack nat state",
                format!("-m conntrack {not}--ctstate {states}"),
            )
        }
        2 => {
            let bits = rng.pick(&["SEEN_REPLY", "CONFIRMED", "NONE", "ASSURED"]);
            Part::new(
                "xt conntrack status",
                format!("-m conntrack {not}--ctstatus {bits}"),
            )
        }
        _ => {
            let direction = rng.pick(&["ORIGINAL", "REPLY"]);
            Part::new(
                "xt conntrack direction",
                format!("-m conntrack --ctdir {direction}"),
            )
        }
    }
}

fn original(rng: &mut Rng, hint: &Hint) -> Part {
    let not = not(rng);
    let text = match rng.below(5) {
        0 => format!("{not}--ctorigsrc {}", pool::block(rng, hint.src)),
        1 | 2 => format!("{not}--ctorigdst {}", pool::block(rng, hint.dst)),
        3 => format!(
            "--ctproto {} {not}--ctorigdstport {}",
            hint.transport, hint.dport
        ),
        _ => format!("{not}--ctreplsrc {}", pool::block(rng, hint.dst)),
    };
    Part::new("xt conntrack original", format!("-m conntrack {text}"))
}

fn addrtype(rng: &mut Rng, spot: Spot<'_>) -> Part {
    let kinds = [
        "LOCAL",
        "LOCAL",
        "LOCAL",
        "UNICAST",
        "BLACKHOLE",
        "LOCAL,BROADCAST",
    ];
    // IPv6 has no broadcast, and the match no other kinds for it.
    let kind = rng.pick(&kinds[..if spot.is_v6 { 4 } else { 6 }]);
    let not = not(rng);
    let side = if rng.percent(70) { "dst" } else { "src" };
    let limit = match rng.below(8) {
        0 if spot.only(&["PREROUTING", "INPUT", "FORWARD"]) => " --limit-iface-in",
        1 if spot.only(&["FORWARD", "OUTPUT", "POSTROUTING"]) => " --limit-iface-out",
        _ => "",
    };
    let kind_name = if limit.is_empty() {
        "xt addrtype"
    } else {
        "xt addrtype limit"
    };
    Part::new(
        kind_name,
        format!("-m addrtype {not}--{side}-type {kind}{limit}"),
    )
}

fn mark(rng: &mut Rng, kind: &'static str, module: &str) -> Part {
    let mark = *rng.pick(&[0, MARKS[0], MARKS[1], MARKS[3]]);
    let bits = *rng.pick(&MASKS);
    Part::new(
        kind,
        format!(
            "-m {module} {}--mark {:#x}/{bits:#x}",
            not(rng),
            mark & bits
        ),
    )
}

/// A test of one of the host's ipsets of the family; its directions mostly look at what the
/// set was filled with.
fn set(rng: &mut Rng, spot: Spot<'_>, _hint: &Hint) -> Option<Part> {
    let mine: Vec<_> = spot
        .ipsets
        .iter()
        .filter(|set| set.name.starts_with(if spot.is_v6 { "s6" } else { "s4" }))
        .collect();
    if mine.is_empty() {
        return None;
    }
    let set = rng.pick(&mine);
    let (kind, dimensions) = super::super::ipset::word_of(set);
    let directions = match (dimensions, rng.percent(75)) {
        (1, true) => "dst",
        (1, false) => "src",
        (2, true) => "dst,dst",
        (2, false) => "src,dst",
        (_, true) => "dst,dst,src",
        (_, false) => "src,dst,dst",
    };
    let carve = if kind.contains("net") && rng.percent(15) {
        " --return-nomatch"
    } else {
        ""
    };
    Some(Part::new(
        kind,
        format!(
            "-m set {}--match-set {} {directions}{carve}",
            not(rng),
            set.name
        ),
    ))
}

fn iprange(rng: &mut Rng, hint: &Hint) -> Part {
    let (option, addr) = if rng.percent(50) {
        ("--src-range", hint.src)
    } else {
        ("--dst-range", hint.dst)
    };
    let (first, last) = pool::range(rng, addr);
    Part::new(
        "xt iprange",
        format!("-m iprange {}{option} {first}-{last}", not(rng)),
    )
}

fn icmp(rng: &mut Rng, spot: Spot<'_>) -> Part {
    let text = if spot.is_v6 {
        let kind = rng.pick(&["1", "1/4", "1/1", "128"]);
        format!("-p ipv6-icmp -m icmp6 {}--icmpv6-type {kind}", not(rng))
    } else {
        let kind = rng.pick(&["3", "3/3", "3/10", "8", "any"]);
        let not = if *kind == "any" { "" } else { not(rng) };
        format!("-p icmp -m icmp {not}--icmp-type {kind}")
    };
    Part::new("xt icmp", text)
}

fn mac(rng: &mut Rng) -> Part {
    let side = rng.pick(&LINKS);
    let mac = mac_of(side, true)
        .map(|byte| format!("{byte:02X}"))
        .join(":");
    Part::new("xt mac", format!("-m mac {}--mac-source {mac}", not(rng)))
}

fn stateful(rng: &mut Rng, spot: Spot<'_>) -> Part {
    let list = if spot.is_v6 { "six" } else { "four" };
    match rng.below(10) {
        0 => Part::stateful(
            "xt statistic random",
            format!("-m statistic --mode random {}--probability 0.5", not(rng)),
        ),
        1 => Part::stateful(
            "xt statistic nth",
            format!(
                "-m statistic --mode nth {}--every 2 --packet {}",
                not(rng),
                rng.below(2)
            ),
        ),
        2 => Part::stateful("xt limit", "-m limit --limit 1/hour --limit-burst 2"),
        3 => Part::stateful("xt recent set", format!("-m recent --set --name {list}")),
        4 => {
            let rate = rng.pick(&["upto", "above"]);
            Part::stateful(
                "xt hashlimit",
                format!(
                    "-m hashlimit --hashlimit-{rate} 1/hour --hashlimit-burst 2 \
                     --hashlimit-mode srcip --hashlimit-name {list}{}",
                    rng.below(1000)
                ),
            )
        }
        5 => {
            let side = rng.pick(&["upto", "above"]);
            let mask = if spot.is_v6 { 64 } else { 24 };
            let count = rng.below(3);
            Part::stateful(
                "xt connlimit",
                format!(
                    "-m connlimit --connlimit-{side} {count} --connlimit-mask {mask} --connlimit-saddr"
                ),
            )
        }
        6 => Part::stateful("xt quota", format!("-m quota {}--quota 130", not(rng))),
        7 => Part::stateful("xt length", format!("-m length {}--length 0:60", not(rng))),
        8 => {
            let name = if spot.is_v6 { "hl" } else { "ttl" };
            Part::stateful("xt ttl", format!("-m {name} --{name}-gt 63"))
        }
        _ => {
            let action = rng.pick(&["--rcheck", "--update", "--remove", "--rcheck --seconds 60"]);
            Part::stateful(
                "xt recent check",
                format!("-m recent {}{action} --name {list}", not(rng)),
            )
        }
    }
}

fn owner(rng: &mut Rng) -> Part {
    let user = *rng.pick(&USERS);
    let (kind, text) = match rng.below(4) {
        0 => ("xt owner gid", format!("{}--gid-owner 0", not(rng))),
        1 => (
            "xt owner uid",
            format!("{}--uid-owner {user}-{}", not(rng), user + 9),
        ),
        2 => (
            "xt owner uid",
            format!("{}--uid-owner {user} {}--gid-owner 0-9", not(rng), not(rng)),
        ),
        _ => ("xt owner uid", format!("{}--uid-owner {user}", not(rng))),
    };
    Part::new(kind, format!("-m owner {text}"))
}

fn way_back(rng: &mut Rng) -> Part {
    let options = rng.pick(&["", " --loose", " --validmark", " --loose --validmark"]);
    let invert = if rng.percent(30) { " --invert" } else { "" };
    Part::new("xt rpfilter", format!("-m rpfilter{options}{invert}"))
}

fn socket(rng: &mut Rng) -> Part {
    let options = rng.pick(&["", " --nowildcard", " --transparent --nowildcard"]);
    Part::new("xt socket", format!("-m socket{options}"))
}

fn policy(rng: &mut Rng, spot: Spot<'_>) -> Option<Part> {
    let dir = if spot.only(&["FORWARD", "OUTPUT", "POSTROUTING"]) {
        "out"
    } else if spot.only(&["PREROUTING", "INPUT", "FORWARD"]) {
        "in"
    } else {
        return None;
    };
    let pol = rng.pick(&["none", "none", "ipsec"]);
    let text = format!("-m policy --dir {dir} --pol {pol}");
    Some(Part::new("xt policy", text))
}

fn packet_kind(rng: &mut Rng) -> Part {
    let kind = rng.pick(&["unicast", "unicast", "broadcast", "multicast"]);
    Part::new(
        "xt pkttype",
        format!("-m pkttype {}--pkt-type {kind}", not(rng)),
    )
}
