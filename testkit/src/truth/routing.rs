//! Random addresses, routes, routing rules and settings.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::pool::{self, EXTRA_ADDRS, MARKS, NODE_ADDRS, Pool};
use super::rng::Rng;
use crate::world::{LINKS, peer_addrs};

/// Lines of `ip`.
pub fn lines(rng: &mut Rng, pool: Pool<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for (addr, device) in EXTRA_ADDRS {
        if rng.percent(60) {
            let nodad = if addr.contains(':') { " nodad" } else { "" };
            lines.push(format!("addr add {addr} dev {device}{nodad}"));
        }
    }
    for (family, gateway) in [("-4", "10.1.0.2"), ("-6", "fd01::2")] {
        if rng.percent(85) {
            lines.push(format!(
                "{family} route add default via {gateway} dev eth0 onlink"
            ));
        }
    }
    if rng.percent(50) {
        for _ in 0..=rng.below(3) {
            let line = route(rng, "main");
            lines.push(line);
        }
    }
    if rng.percent(45) {
        policy(rng, pool, &mut lines);
    }
    lines
}

fn family(is_v6: bool) -> &'static str {
    if is_v6 { "-6" } else { "-4" }
}

/// A route of some kind; `replace`, because two may be for the same block.
fn route(rng: &mut Rng, table: &str) -> String {
    let is_v6 = rng.percent(40);
    let kind = rng.weighted(&[
        (4, ""),
        (2, "blackhole "),
        (2, "unreachable "),
        (2, "prohibit "),
        (1, "throw "),
    ]);
    let all: Vec<IpAddr> = pool::addrs(is_v6)
        .into_iter()
        .filter(|addr| !addr.is_loopback())
        .collect();
    let addr = *rng.pick(&all);
    let dst = if rng.percent(if table == "main" { 5 } else { 30 }) {
        "default".to_owned()
    } else {
        pool::block(rng, addr)
    };
    let way = if kind.is_empty() {
        way(rng, is_v6)
    } else {
        String::new()
    };
    format!(
        "{} route replace {kind}{dst}{way} table {table}",
        family(is_v6)
    )
}

/// Over a link: by the gateway at its other end, or directly; seldom with a preferred source.
fn way(rng: &mut Rng, is_v6: bool) -> String {
    let side = rng.pick(&LINKS);
    let gateway = peer_addrs(side)
        .into_iter()
        .find(|addr| addr.is_ipv6() == is_v6)
        .expect("each link has an address of either family");
    let mut way = format!(" via {gateway} dev {} onlink", side.node_link);
    if rng.percent(15) {
        let mine: Vec<IpAddr> = NODE_ADDRS
            .iter()
            .map(|text| pool::addr(text))
            .filter(|addr| addr.is_ipv6() == is_v6 && !addr.is_loopback())
            .collect();
        let _ = write!(way, " src {}", rng.pick(&mine));
    }
    way
}

/// Routing rules, and what their tables hold.
fn policy(rng: &mut Rng, pool: Pool<'_>, lines: &mut Vec<String>) {
    for table in ["100", "200"] {
        for _ in 0..=rng.below(3) {
            let line = route(rng, table);
            lines.push(line);
        }
    }
    for number in 0..=rng.below(3) {
        let line = rule(rng, pool, 1000 + number * 10);
        lines.push(line);
    }
}

fn rule(rng: &mut Rng, pool: Pool<'_>, priority: usize) -> String {
    let is_v6 = rng.percent(40);
    let mut line = format!("{} rule add priority {priority}", family(is_v6));
    if rng.percent(10) {
        line.push_str(" not");
    }
    let hint = pool.hint(rng, is_v6);
    for _ in 0..=rng.below(2) {
        let (word, value) = match rng.below(8) {
            0 => ("from", pool::block(rng, hint.src)),
            1 => ("to", pool::block(rng, hint.dst)),
            2 | 3 => {
                let mark = *rng.pick(&MARKS);
                let bits = *rng.pick(&["0xffffffff", "0xf", "0x4000"]);
                ("fwmark", format!("{mark:#x}/{bits}"))
            }
            4 => ("iif", hint.iif.to_owned()),
            5 => ("ipproto", hint.transport.to_string()),
            6 => ("sport", format!("{}-{}", hint.sport, hint.sport + 3)),
            _ => ("dport", hint.dport.to_string()),
        };
        if !line.contains(&format!(" {word} ")) {
            let _ = write!(line, " {word} {value}");
        }
    }
    let action = rng.weighted(&[
        (6, "lookup 100"),
        (3, "lookup 200"),
        (2, "lookup main suppress_prefixlength 0"),
        (1, "blackhole"),
        (1, "unreachable"),
        (1, "prohibit"),
    ]);
    format!("{line} {action}")
}

/// Settings that decide where packets go.
pub fn sysctls(rng: &mut Rng) -> Vec<(String, String)> {
    let mut settings = Vec::new();
    let mut set = |name: String, value: &str| settings.push((name, value.to_owned()));
    let on = |rng: &mut Rng, percent| if rng.percent(percent) { "1" } else { "0" };
    set("net.ipv4.ip_forward".into(), on(rng, 90));
    set("net.ipv6.conf.all.forwarding".into(), on(rng, 90));
    for device in ["all", "eth0", "eth1", "pod1", "pod2"] {
        let conf = format!("net.ipv4.conf.{device}");
        let all = device == "all";
        let filter = rng.weighted(&[(if all { 8 } else { 5 }, "0"), (2, "1"), (1, "2")]);
        set(format!("{conf}.rp_filter"), filter);
        set(
            format!("{conf}.route_localnet"),
            on(rng, if all { 10 } else { 25 }),
        );
        set(format!("{conf}.accept_local"), on(rng, 10));
        set(format!("{conf}.src_valid_mark"), on(rng, 20));
        if !all && rng.percent(6) {
            set(format!("{conf}.forwarding"), "0");
        }
    }
    settings
}
