//! Random named sets and maps, and the elements of anonymous ones.

use super::super::pool::{self, Hint, PORTS, Pool};
use super::super::rng::Rng;
use super::super::spec::Set;

/// Named sets and maps of a table; names tell what they are of.
pub(super) fn named(rng: &mut Rng, pool: Pool<'_>, family: &str) -> Vec<Set> {
    let mut sets = Vec::new();
    for is_v6 in [false, true] {
        if family == "inet" || (family == "ip6") == is_v6 {
            of_family(rng, pool, is_v6, &mut sets);
        }
    }
    let ports = elements(rng, pool, false, |_, hint| hint.dport.to_string());
    sets.push(set("ports", "set type inet_service;", ports));
    sets
}

fn set(name: &str, head: &str, elements: Vec<String>) -> Set {
    Set {
        name: name.to_owned(),
        head: head.to_owned(),
        elements,
    }
}

fn of_family(rng: &mut Rng, pool: Pool<'_>, is_v6: bool, sets: &mut Vec<Set>) {
    let (end, addr) = if is_v6 {
        ("6", "ipv6_addr")
    } else {
        ("4", "ipv4_addr")
    };
    let name = |begin: &str| format!("{begin}{end}");
    let plain = elements(rng, pool, is_v6, |rng, hint| either(rng, hint).to_string());
    sets.push(set(&name("addrs"), &format!("set type {addr};"), plain));
    let blocks = elements(rng, pool, is_v6, |rng, hint| {
        let addr = either(rng, hint);
        pool::block(rng, addr)
    });
    let head = format!("set type {addr}; flags interval; auto-merge;");
    sets.push(set(&name("blocks"), &head, blocks));
    let pairs = elements(rng, pool, is_v6, |_, hint| {
        format!("{} . {}", hint.dst, hint.dport)
    });
    let head = format!("set type {addr} . inet_service;");
    sets.push(set(&name("pairs"), &head, pairs));
    let ranges = elements(rng, pool, is_v6, |rng, hint| {
        let (first, last) = pool::port_range(rng, hint.dport);
        format!(
            "{} . {} . {first}-{last}",
            pool::block(rng, hint.src),
            hint.transport
        )
    });
    let head = format!("set type {addr} . inet_proto . inet_service; flags interval;");
    // Two ranges of a concatenation may overlap, which the kernel refuses: one alone.
    let ranges = ranges.into_iter().take(1).collect();
    sets.push(set(&name("ranges"), &head, ranges));
    let targets = elements(rng, pool, is_v6, |rng, hint| {
        format!("{} : {}", hint.dport, pool::server_addr(rng, is_v6))
    });
    let head = format!("map type inet_service : {addr};");
    sets.push(set(&name("targets"), &head, targets));
    let verdicts = elements(rng, pool, is_v6, |rng, hint| {
        let verdict = rng.weighted(&[(5, "accept"), (2, "continue"), (2, "return"), (1, "drop")]);
        format!(
            "{} . {} . {} : {verdict}",
            hint.dst, hint.transport, hint.dport
        )
    });
    let head = format!("map type {addr} . inet_proto . inet_service : verdict;");
    sets.push(set(&name("verdicts"), &head, verdicts));
    let head = format!("set type {addr}; size 64; flags dynamic,timeout; timeout 1h;");
    sets.push(set(&name("seen"), &head, Vec::new()));
}

fn either(rng: &mut Rng, hint: Hint) -> std::net::IpAddr {
    if rng.percent(50) { hint.dst } else { hint.src }
}

/// One to three elements with keys of their own.
fn elements(
    rng: &mut Rng,
    pool: Pool<'_>,
    is_v6: bool,
    one: impl Fn(&mut Rng, Hint) -> String,
) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for _ in 0..=rng.below(3) {
        let hint = pool.hint(rng, is_v6);
        let element = one(rng, hint);
        let key = |text: &str| text.split(" : ").next().unwrap_or_default().to_owned();
        if !all.iter().any(|other| key(other) == key(&element)) {
            all.push(element);
        }
    }
    all
}

/// Ports for an anonymous set, with one that may match.
pub(super) fn ports(rng: &mut Rng, port: u16) -> String {
    let mut other = *rng.pick(&PORTS);
    if other == port {
        other = 7;
    }
    if rng.percent(60) {
        format!("{{ {port}, {other} }}")
    } else {
        let last = port.saturating_add(5);
        format!("{{ {port}-{last}, 6 }}")
    }
}
