//! What a random nft rule tests.

use super::super::pool::{self, Hint, MARKS, MASKS, USERS};
use super::super::rng::Rng;
use super::super::spec::Part;
use super::{Spot, sets};
use crate::world::{LINKS, NODE_LINKS, Transport, mac_of};

/// A test that may stand in `spot` and has a chance to match `hint`; `None` where the one that
/// was drawn may not.
pub(super) fn test(
    rng: &mut Rng,
    spot: Spot<'_>,
    hint: &Hint,
    (is_free, before): (bool, &[Part]),
) -> Option<Part> {
    let is_icmp = |part: &Part| part.text.starts_with("icmp");
    if before.iter().any(is_icmp) {
        return Some(mark(rng, "nft meta mark", "meta mark"));
    }
    match rng.below(34) {
        0..3 => Some(addr(rng, spot, "saddr", hint.src)),
        3..6 => Some(addr(rng, spot, "daddr", hint.dst)),
        6..8 => Some(link(rng, hint, spot)),
        8..12 => Some(port(rng, hint)),
        12 => Some(th_port(rng, hint)),
        13 => Some(proto(rng, spot, hint)),
        14 | 15 => Some(ct_state(rng)),
        16 => Some(ct_other(rng, spot, hint)),
        17 => Some(mark(rng, "nft meta mark", "meta mark")),
        18 => Some(mark(rng, "nft ct mark", "ct mark")),
        19 | 20 => fib(rng, spot),
        21 if hint.transport == Transport::Tcp => Some(tcp_flags(rng)),
        22 if is_free && before.is_empty() => Some(icmp(rng, spot)),
        23 if spot.is_one_of(&["prerouting", "input", "forward"]) => Some(mac(rng)),
        24 if spot.is_one_of(&["output", "postrouting"]) => Some(user(rng)),
        25 | 26 => Some(concatenation(rng, spot, hint)),
        27 | 28 => Some(named(rng, spot, hint)),
        29 | 30 if spot.pool.stateful => Some(stateful(rng, spot)),
        31 | 32 if spot.is_one_of(&["prerouting", "input"]) => Some(socket(rng)),
        _ => None,
    }
}

fn not(rng: &mut Rng) -> &'static str {
    if rng.percent(18) { "!= " } else { "" }
}

fn addr(rng: &mut Rng, spot: Spot<'_>, side: &str, addr: std::net::IpAddr) -> Part {
    let (ip, not) = (spot.ip(), not(rng));
    let kind = if side == "saddr" {
        "nft saddr"
    } else {
        "nft daddr"
    };
    match rng.below(4) {
        0 => Part::new(kind, format!("{ip} {side} {not}{addr}")),
        1 => Part::new(kind, format!("{ip} {side} {not}{}", pool::block(rng, addr))),
        2 => {
            let (first, last) = pool::range(rng, addr);
            // nft takes a range of one address for a mistake.
            let text = if first == last {
                format!("{ip} {side} {not}{addr}")
            } else {
                format!("{ip} {side} {not}{first}-{last}")
            };
            Part::new("nft address range", text)
        }
        _ => {
            let other = pool::addrs(spot.is_v6)[rng.below(3)];
            let list = if other == addr {
                addr.to_string()
            } else {
                format!("{addr}, {other}")
            };
            Part::new(
                "nft anonymous set",
                format!("{ip} {side} {not}{{ {list} }}"),
            )
        }
    }
}

fn link(rng: &mut Rng, hint: &Hint, spot: Spot<'_>) -> Part {
    let near = if rng.percent(60) {
        hint.iif
    } else {
        *rng.pick(&NODE_LINKS)
    };
    let is_in = !spot.is_one_of(&["output"])
        && (rng.percent(60) || spot.is_one_of(&["prerouting", "input"]))
        || rng.percent(10);
    let not = not(rng);
    match (rng.below(6), is_in) {
        (0, true) => Part::new("nft iif", format!("iif {not}\"{near}\"")),
        (0, false) => Part::new("nft oif", format!("oif {not}\"{near}\"")),
        (1, true) => Part::new("nft iifname wildcard", format!("iifname {not}\"eth*\"")),
        (1, false) => Part::new("nft oifname wildcard", format!("oifname {not}\"eth*\"")),
        (2, true) => Part::new(
            "nft iifname set",
            format!("iifname {not}{{ \"{near}\", \"x0\" }}"),
        ),
        (2, false) => Part::new(
            "nft oifname set",
            format!("oifname {not}{{ \"{near}\", \"x0\" }}"),
        ),
        (_, true) => Part::new("nft iifname", format!("iifname {not}\"{near}\"")),
        (_, false) => Part::new("nft oifname", format!("oifname {not}\"{near}\"")),
    }
}

fn port(rng: &mut Rng, hint: &Hint) -> Part {
    let (side, port) = if rng.percent(75) {
        ("dport", hint.dport)
    } else {
        ("sport", hint.sport)
    };
    let kind = match (hint.transport, side) {
        (Transport::Tcp, "dport") => "nft tcp dport",
        (Transport::Tcp, _) => "nft tcp sport",
        (Transport::Udp, "dport") => "nft udp dport",
        (Transport::Udp, _) => "nft udp sport",
    };
    Part::new(
        kind,
        format!("{} {side} {}", hint.transport, ports(rng, port)),
    )
}

fn ports(rng: &mut Rng, port: u16) -> String {
    let not = not(rng);
    match rng.below(4) {
        0 => {
            let (first, last) = pool::port_range(rng, port);
            if first == last {
                format!("{not}{port}")
            } else {
                format!("{not}{first}-{last}")
            }
        }
        1 => format!("{not}{}", sets::ports(rng, port)),
        2 if rng.percent(40) => {
            let op = rng.pick(&["<", ">", "<=", ">="]);
            format!("{op} {}", port.clamp(2, 65_000))
        }
        _ => format!("{not}{port}"),
    }
}

fn th_port(rng: &mut Rng, hint: &Hint) -> Part {
    // Of other protocols the field is whatever stands there.
    let dport = ports(rng, hint.dport);
    Part::new(
        "nft th dport",
        format!("meta l4proto {} th dport {dport}", hint.transport),
    )
}

fn proto(rng: &mut Rng, spot: Spot<'_>, hint: &Hint) -> Part {
    let not = not(rng);
    match rng.below(5) {
        0 if spot.family == "inet" => {
            let family = if spot.is_v6 { "ipv6" } else { "ipv4" };
            Part::new("nft nfproto", format!("meta nfproto {not}{family}"))
        }
        1 => {
            let field = if spot.is_v6 {
                "ip6 nexthdr"
            } else {
                "ip protocol"
            };
            Part::new(
                "nft ip protocol",
                format!("{field} {not}{}", hint.transport),
            )
        }
        _ => Part::new(
            "nft l4proto",
            format!("meta l4proto {not}{}", hint.transport),
        ),
    }
}

fn ct_state(rng: &mut Rng) -> Part {
    let states = rng.pick(&[
        "new",
        "new",
        "established",
        "established,related",
        "invalid",
        "new,established",
        "related",
        "untracked",
        "{ new, established }",
        "{ established, related }",
    ]);
    Part::new("nft ct state", format!("ct state {}{states}", not(rng)))
}

fn ct_other(rng: &mut Rng, spot: Spot<'_>, hint: &Hint) -> Part {
    let not = not(rng);
    match rng.below(5) {
        0 => {
            let status = rng.pick(&["dnat", "snat", "dnat,snat", "seen-reply", "confirmed"]);
            Part::new("nft ct status", format!("ct status {not}{status}"))
        }
        1 => {
            let direction = rng.pick(&["original", "reply"]);
            Part::new("nft ct direction", format!("ct direction {not}{direction}"))
        }
        2 => Part::new(
            "nft ct original",
            format!("ct original {} daddr {not}{}", spot.ip(), hint.dst),
        ),
        3 => Part::new(
            "nft ct original",
            format!(
                "ct original {} saddr {not}{}",
                spot.ip(),
                pool::block(rng, hint.src)
            ),
        ),
        _ => Part::new(
            "nft ct original port",
            format!(
                "meta l4proto {} ct original proto-dst {not}{}",
                hint.transport, hint.dport
            ),
        ),
    }
}

fn mark(rng: &mut Rng, kind: &'static str, key: &str) -> Part {
    let mark = *rng.pick(&[0, MARKS[0], MARKS[1], MARKS[3]]);
    let bits = *rng.pick(&MASKS);
    let text = match rng.below(4) {
        0 => format!("{key} {}{mark:#x}", not(rng)),
        1 => format!("{key} & {bits:#x} == {:#x}", mark & bits),
        2 => format!("{key} & {bits:#x} != {:#x}", mark & bits),
        _ => format!("{key} {{ {mark:#x}, 0x77 }}"),
    };
    Part::new(kind, text)
}

fn fib(rng: &mut Rng, spot: Spot<'_>) -> Option<Part> {
    let not = not(rng);
    let kind = rng.pick(&[
        "local",
        "local",
        "unicast",
        "{ local, broadcast }",
        "blackhole",
    ]);
    match rng.below(8) {
        0..4 => Some(Part::new(
            "nft fib daddr type",
            format!("fib daddr type {not}{kind}"),
        )),
        4 => Some(Part::new(
            "nft fib saddr type",
            format!("fib saddr type {not}{kind}"),
        )),
        5 if spot.is_one_of(&["prerouting", "input", "forward"]) => Some(Part::new(
            "nft fib type iif",
            format!("fib daddr . iif type {not}{kind}"),
        )),
        6 | 7 if spot.hook == "prerouting" => {
            let mark = if rng.percent(30) { ". mark " } else { "" };
            let is = rng.pick(&["missing", "exists"]);
            Some(Part::new(
                "nft fib oif",
                format!("fib saddr {mark}. iif oif {is}"),
            ))
        }
        _ => None,
    }
}

fn tcp_flags(rng: &mut Rng) -> Part {
    let flags = rng.pick(&[
        "syn",
        "syn / fin,syn,rst,ack",
        "& (syn | ack) == syn",
        "& (syn | ack) == (syn | ack)",
        "{ syn, syn | ack }",
        "ack / syn,rst,ack",
        "rst",
        "!= syn / fin,syn,rst,ack",
    ]);
    Part::new("nft tcp flags", format!("tcp flags {flags}"))
}

fn icmp(rng: &mut Rng, spot: Spot<'_>) -> Part {
    let field = if spot.is_v6 { "icmpv6" } else { "icmp" };
    let kind = rng.pick(&[
        "destination-unreachable",
        "{ destination-unreachable, time-exceeded }",
        "echo-request",
        "!= echo-request",
    ]);
    if spot.is_v6 {
        Part::new("nft icmpv6 type", format!("{field} type {kind}"))
    } else {
        Part::new("nft icmp type", format!("{field} type {kind}"))
    }
}

fn mac(rng: &mut Rng) -> Part {
    let side = rng.pick(&LINKS);
    let mac = mac_of(side, true)
        .map(|byte| format!("{byte:02x}"))
        .join(":");
    Part::new("nft ether saddr", format!("ether saddr {}{mac}", not(rng)))
}

fn user(rng: &mut Rng) -> Part {
    let user = *rng.pick(&USERS);
    if rng.percent(70) {
        Part::new("nft skuid", format!("meta skuid {}{user}", not(rng)))
    } else {
        Part::new("nft skgid", format!("meta skgid {}0", not(rng)))
    }
}

fn concatenation(rng: &mut Rng, spot: Spot<'_>, hint: &Hint) -> Part {
    let (ip, not) = (spot.ip(), not(rng));
    if rng.percent(50) {
        Part::new(
            "nft anonymous concatenation",
            format!(
                "{ip} daddr . {} dport {not}{{ {} . {}, {} . 7 }}",
                hint.transport, hint.dst, hint.dport, hint.src
            ),
        )
    } else {
        let (first, last) = pool::port_range(rng, hint.dport);
        let last = last.max(first + 1);
        Part::new(
            "nft anonymous interval concatenation",
            format!(
                "{ip} saddr . meta l4proto . th dport {not}{{ {} . {} . {first}-{last} }}",
                pool::block(rng, hint.src),
                hint.transport
            ),
        )
    }
}

fn named(rng: &mut Rng, spot: Spot<'_>, hint: &Hint) -> Part {
    let (ip, not) = (spot.ip(), not(rng));
    let end = if spot.is_v6 { "6" } else { "4" };
    let side = rng.pick(&["saddr", "daddr", "daddr"]);
    match rng.below(6) {
        0 => Part::new("nft named set", format!("{ip} {side} {not}@addrs{end}")),
        1 => Part::new(
            "nft named interval set",
            format!("{ip} {side} {not}@blocks{end}"),
        ),
        2 | 3 => Part::new(
            "nft named port set",
            format!("meta l4proto {} th dport {not}@ports", hint.transport),
        ),
        4 => Part::new(
            "nft named concatenation",
            format!(
                "meta l4proto {} {ip} daddr . th dport {not}@pairs{end}",
                hint.transport
            ),
        ),
        _ => Part::new(
            "nft named interval concatenation",
            format!("{ip} saddr . meta l4proto . th dport {not}@ranges{end}"),
        ),
    }
}

fn stateful(rng: &mut Rng, spot: Spot<'_>) -> Part {
    let end = if spot.is_v6 { "6" } else { "4" };
    match rng.below(11) {
        0 => Part::stateful("nft numgen random", "numgen random mod 2 == 0"),
        1 => Part::stateful("nft numgen inc", "numgen inc mod 2 == 1"),
        2 => Part::stateful("nft limit", "limit rate 1/hour burst 2 packets"),
        3 => Part::stateful("nft limit over", "limit rate over 1/hour burst 2 packets"),
        4 => Part::stateful("nft quota", format!("quota {}130 bytes", over(rng))),
        5 => Part::stateful("nft ct count", format!("ct count {}1", over(rng))),
        6 => Part::stateful("nft meta length", format!("meta length {}0-60", not(rng))),
        7 => Part::stateful(
            "nft jhash",
            format!("jhash {} saddr mod 2 seed 0x5 {}0", spot.ip(), not(rng)),
        ),
        8 => Part::stateful("nft symhash", format!("symhash mod 2 {}0", not(rng))),
        9 => Part::stateful(
            "nft tcp option",
            format!("tcp option maxseg {}", exists(rng)),
        ),
        _ => Part::stateful(
            "nft dynamic set",
            format!("{} saddr {}@seen{end}", spot.ip(), not(rng)),
        ),
    }
}

fn socket(rng: &mut Rng) -> Part {
    let test = rng.pick(&[
        "transparent 0",
        "transparent 1",
        "wildcard 0",
        "wildcard 1",
        "mark 0x0",
        "mark != 0x0",
    ]);
    Part::new("nft socket", format!("socket {test}"))
}

fn over(rng: &mut Rng) -> &'static str {
    if rng.percent(50) { "" } else { "over " }
}

fn exists(rng: &mut Rng) -> &'static str {
    if rng.percent(50) { "exists" } else { "missing" }
}
