//! A random table of nftables.

use std::fmt::Write as _;

use super::{DESTINATIONS, OWN, PORTS, TARGETS, block, proto, source_ports, span};
use crate::truth::rng::Rng;

/// Base chains: no two of a hook have one priority, and none that of a legacy table.
const BASES: [(&str, &str, i32); 14] = [
    ("filter", "prerouting", -303),
    ("filter", "prerouting", -153),
    ("nat", "prerouting", -103),
    ("filter", "prerouting", -3),
    ("filter", "input", -3),
    ("nat", "input", 97),
    ("filter", "input", 103),
    ("filter", "forward", -3),
    ("filter", "output", -303),
    ("nat", "output", -103),
    ("filter", "output", -3),
    ("filter", "postrouting", -153),
    ("nat", "postrouting", 97),
    ("filter", "postrouting", 153),
];

/// A table with named sets and maps, and every base chain with two more below it.
pub(super) fn table(rng: &mut Rng) -> String {
    let mut text = "table ip plain {\n".to_owned();
    sets(rng, &mut text);
    let mut bases = String::new();
    for (at, (kind, hook, priority)) in BASES.iter().enumerate() {
        let names = [format!("c{at}a"), format!("c{at}b")];
        for (name, below) in [(&names[1], &names[2..]), (&names[0], &names[1..])] {
            let _ = writeln!(text, "chain {name} {{");
            rules(rng, (kind, hook), below, &mut text);
            text.push_str("}\n");
        }
        let policy = if *hook == "forward" && rng.percent(10) {
            "drop"
        } else {
            "accept"
        };
        let _ = writeln!(
            bases,
            "chain b{at} {{\ntype {kind} hook {hook} priority {priority}; policy {policy};"
        );
        rules(rng, (kind, hook), &names, &mut bases);
        bases.push_str("}\n");
    }
    text.push_str(&bases);
    text.push_str("}\n");
    text
}

fn sets(rng: &mut Rng, text: &mut String) {
    let (one, two) = (rng.below(13) + 2, rng.below(13) + 2);
    let _ = writeln!(
        text,
        "set addrs {{ type ipv4_addr; elements = {{ 10.0.0.{one}, 10.0.1.{two}, 10.0.0.1 }} }}"
    );
    let (first, last) = span(rng);
    let _ = writeln!(
        text,
        "set spans {{ type ipv4_addr; flags interval; elements = {{ {first}-{last}, 10.0.2.0/24 }} }}"
    );
    let (dst, port) = (rng.pick(&DESTINATIONS), *rng.pick(&PORTS));
    let _ = writeln!(
        text,
        "set pairs {{ type ipv4_addr . inet_service; elements = {{ {dst} . {port}, 10.0.2.1 . 80 }} }}"
    );
    let (first, last) = span(rng);
    let _ = writeln!(
        text,
        "set boxes {{ type ipv4_addr . inet_service; flags interval; elements = {{ {first}-{last} . 50-80 }} }}"
    );
    let to = rng.pick(&TARGETS);
    let _ = writeln!(
        text,
        "map targets {{ type inet_service : ipv4_addr; elements = {{ {port} : {to}, 8080 : 10.0.1.9 }} }}"
    );
}

fn rules(rng: &mut Rng, spot: (&str, &str), below: &[String], text: &mut String) {
    for _ in 0..rng.below(3) {
        let action = action(rng, spot, below);
        let mut words = Vec::new();
        if action.needs_proto || rng.percent(30) {
            words.push(format!("meta l4proto {}", proto(rng)));
            if rng.percent(70) {
                words.push(port(rng));
            }
        }
        for _ in 0..rng.weighted(&[(3, 0), (4, 1), (3, 2)]) {
            words.push(test(rng, spot.1));
        }
        words.push(action.text);
        let _ = writeln!(text, "{}", words.join(" "));
    }
}

struct Action {
    text: String,
    needs_proto: bool,
}

fn action(rng: &mut Rng, (kind, hook): (&str, &str), below: &[String]) -> Action {
    let ends = |text: String| Action {
        text,
        needs_proto: true,
    };
    let goes_on = |text: String| Action {
        text,
        needs_proto: false,
    };
    let may_reject = matches!(hook, "input" | "forward" | "output");
    match rng.below(14) {
        0 | 1 if !below.is_empty() => goes_on(format!("jump {}", rng.pick(below))),
        2 if !below.is_empty() => goes_on(format!("goto {}", rng.pick(below))),
        3 => goes_on("return".to_owned()),
        4 | 5 => goes_on("accept".to_owned()),
        6 if kind == "filter" => goes_on(mark(rng)),
        7 => goes_on(verdict_map(rng, below)),
        8.. if kind == "nat" => ends(translation(rng, hook)),
        9 if may_reject && kind == "filter" => ends("ct state new reject".to_owned()),
        10 | 11 if kind == "filter" => ends("drop".to_owned()),
        _ => goes_on("counter".to_owned()),
    }
}

fn mark(rng: &mut Rng) -> String {
    let value = 1 + rng.below(3);
    match rng.below(5) {
        0 => format!("meta mark set {value:#x}"),
        1 => format!("meta mark set meta mark | {value:#x}"),
        2 => format!("ct mark set {value:#x}"),
        3 => "ct mark set meta mark".to_owned(),
        _ => "meta mark set ct mark".to_owned(),
    }
}

fn verdict(rng: &mut Rng, below: &[String]) -> String {
    match rng.below(5) {
        0 | 1 if !below.is_empty() => format!("jump {}", rng.pick(below)),
        2 if !below.is_empty() => format!("goto {}", rng.pick(below)),
        3 => "return".to_owned(),
        _ => "accept".to_owned(),
    }
}

fn verdict_map(rng: &mut Rng, below: &[String]) -> String {
    let (one, two) = (verdict(rng, below), verdict(rng, below));
    let (first, last) = span(rng);
    let dst = rng.pick(&DESTINATIONS);
    match rng.below(4) {
        0 => format!("ip saddr vmap {{ {first}-{last} : {one}, 10.0.2.1 : {two} }}"),
        1 => format!("ip daddr vmap {{ {dst} : {one} }}"),
        2 => format!("meta iifname vmap {{ \"eth0\" : {one}, \"lo\" : {two} }}"),
        _ => format!("meta mark & 0x3 vmap {{ 0x1 : {one}, 0x2 : {two} }}"),
    }
}

fn translation(rng: &mut Rng, hook: &str) -> String {
    let port = *rng.pick(&PORTS);
    let to = rng.pick(&TARGETS);
    match hook {
        "prerouting" | "output" => match rng.below(5) {
            0 => format!("redirect to :{port}"),
            1 => "dnat to th dport map @targets".to_owned(),
            2 => format!("dnat to {to}"),
            _ => format!("dnat to {to}:{port}"),
        },
        "postrouting" if rng.percent(50) => "masquerade".to_owned(),
        _ => format!("snat to {}", rng.pick(&OWN)),
    }
}

fn port(rng: &mut Rng) -> String {
    let not = not(rng);
    let port = *rng.pick(&PORTS);
    match rng.below(5) {
        0 => format!("th dport {not}{}-{port}", port.saturating_sub(40)),
        1 => {
            let (first, last) = source_ports(rng);
            format!("th sport {not}{first}-{last}")
        }
        2 => format!("th dport {not}{{ {port}, 7, 55-60 }}"),
        _ => format!("th dport {not}{port}"),
    }
}

fn test(rng: &mut Rng, hook: &str) -> String {
    let not = not(rng);
    let link = *rng.pick(&["\"eth0\"", "\"pod1\"", "\"lo\"", "\"pod*\""]);
    match rng.below(15) {
        0 | 1 => format!("ip saddr {not}{}", block(rng, true)),
        2 => format!("ip daddr {not}{}", block(rng, false)),
        3 if hook != "output" && hook != "postrouting" => format!("iifname {not}{link}"),
        3 | 4 if hook != "prerouting" && hook != "input" => format!("oifname {not}{link}"),
        5 => {
            let states = *rng.pick(&["new", "established", "invalid", "new,established"]);
            format!("ct state {not}{states}")
        }
        6 => format!("ct original ip daddr {not}{}", rng.pick(&DESTINATIONS)),
        7 => format!("ct direction {}", rng.pick(&["original", "reply"])),
        8 => format!("fib {} type {not}local", rng.pick(&["saddr", "daddr"])),
        9 => format!("meta mark & 0x3 {not}{:#x}", rng.below(4)),
        10 => format!("ct mark {not}{:#x}", rng.below(4)),
        11 => format!("ip saddr {not}@spans"),
        12 => format!("ip saddr {not}@addrs"),
        13 => format!("meta l4proto {{ tcp, udp }} ip saddr . th dport {not}@boxes"),
        _ => {
            let (first, last) = span(rng);
            format!("ip saddr {not}{{ {first}-{last}, 10.0.2.1 }}")
        }
    }
}

fn not(rng: &mut Rng) -> &'static str {
    if rng.percent(25) { "!= " } else { "" }
}
