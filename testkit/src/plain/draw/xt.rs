//! Random tables of iptables.

use std::fmt::Write as _;

use super::{DESTINATIONS, OWN, PORTS, TARGETS, block, proto, source_ports, span};
use crate::truth::rng::Rng;

const TABLES: [(&str, &[&str]); 4] = [
    ("raw", &["PREROUTING", "OUTPUT"]),
    (
        "mangle",
        &["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
    ),
    ("nat", &["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"]),
    ("filter", &["INPUT", "FORWARD", "OUTPUT"]),
];

/// Tables, each with its built-in chains and two more for each of these.
pub(super) fn tables(rng: &mut Rng) -> String {
    let mut text = String::new();
    for (name, hooks) in TABLES {
        let _ = writeln!(text, "*{name}");
        let mut rules = String::new();
        for &hook in hooks {
            let drops = hook == "FORWARD" && name == "filter" && rng.percent(10);
            let policy = if drops { "DROP" } else { "ACCEPT" };
            let _ = writeln!(text, ":{hook} {policy} [0:0]");
            for (chain, below) in [
                (
                    hook.to_owned(),
                    vec![format!("{hook}-a"), format!("{hook}-b")],
                ),
                (format!("{hook}-a"), vec![format!("{hook}-b")]),
                (format!("{hook}-b"), vec![]),
            ] {
                if chain != hook {
                    let _ = writeln!(text, ":{chain} - [0:0]");
                }
                for _ in 0..rng.below(4) {
                    let rule = rule(rng, (name, hook), &below);
                    let _ = writeln!(rules, "-A {chain}{rule}");
                }
            }
        }
        text.push_str(&rules);
        text.push_str("COMMIT\n");
    }
    text
}

fn rule(rng: &mut Rng, spot: (&str, &str), below: &[String]) -> String {
    let target = target(rng, spot, below);
    let mut text = String::new();
    let needs_ports = target.needs_proto || rng.percent(40);
    if needs_ports {
        let proto = proto(rng);
        let _ = write!(text, " -p {proto}");
        if rng.percent(70) {
            let port = port(rng, proto);
            text.push_str(&port);
        }
    }
    let mut kinds = Vec::new();
    for _ in 0..rng.weighted(&[(3, 0), (4, 1), (3, 2)]) {
        let (kind, test) = test(rng, spot.1);
        // Most options may be given once.
        if !kinds.contains(&kind) {
            kinds.push(kind);
            text.push_str(&test);
        }
    }
    text.push_str(&target.text);
    text
}

struct Target {
    text: String,
    needs_proto: bool,
}

fn target(rng: &mut Rng, (table, hook): (&str, &str), below: &[String]) -> Target {
    let ends = |text: &str| Target {
        text: text.to_owned(),
        needs_proto: true,
    };
    let goes_on = |text: String| Target {
        text,
        needs_proto: false,
    };
    match rng.below(12) {
        0 | 1 if !below.is_empty() => goes_on(format!(" -j {}", rng.pick(below))),
        2 if !below.is_empty() => goes_on(format!(" -g {}", rng.pick(below))),
        3 => goes_on(" -j RETURN".to_owned()),
        4 | 5 => goes_on(" -j ACCEPT".to_owned()),
        6 if table == "mangle" => goes_on(mark(rng)),
        7 if table == "mangle" => goes_on(connmark(rng)),
        8.. if table == "nat" => ends(&translation(rng, hook)),
        9 if table == "filter" => ends(" -m conntrack --ctstate NEW -j REJECT"),
        10 if table != "nat" => ends(" -j DROP"),
        _ => goes_on(String::new()),
    }
}

fn mark(rng: &mut Rng) -> String {
    let value = 1 + rng.below(3);
    match rng.below(3) {
        0 => format!(" -j MARK --set-xmark {value:#x}/0xffffffff"),
        1 => format!(" -j MARK --or-mark {value:#x}"),
        _ => format!(" -j MARK --xor-mark {value:#x}"),
    }
}

fn connmark(rng: &mut Rng) -> String {
    let value = 1 + rng.below(3);
    match rng.below(3) {
        0 => format!(" -j CONNMARK --set-xmark {value:#x}/0x3"),
        1 => " -j CONNMARK --save-mark --nfmask 0x3 --ctmask 0x3".to_owned(),
        _ => " -j CONNMARK --restore-mark --nfmask 0x3 --ctmask 0x3".to_owned(),
    }
}

fn translation(rng: &mut Rng, hook: &str) -> String {
    let port = *rng.pick(&PORTS);
    match hook {
        "PREROUTING" | "OUTPUT" if rng.percent(25) => format!(" -j REDIRECT --to-ports {port}"),
        "PREROUTING" | "OUTPUT" => {
            let to = rng.pick(&TARGETS);
            if rng.percent(30) {
                format!(" -j DNAT --to-destination {to}")
            } else {
                format!(" -j DNAT --to-destination {to}:{port}")
            }
        }
        "POSTROUTING" if rng.percent(50) => " -j MASQUERADE".to_owned(),
        _ => format!(" -j SNAT --to-source {}", rng.pick(&OWN)),
    }
}

fn port(rng: &mut Rng, proto: &str) -> String {
    let not = not(rng);
    let port = *rng.pick(&PORTS);
    match rng.below(5) {
        0 => format!(
            " -m {proto} {not}--dport {}:{port}",
            port.saturating_sub(40)
        ),
        1 => {
            let (first, last) = source_ports(rng);
            format!(" -m {proto} {not}--sport {first}:{last}")
        }
        2 => format!(" -m multiport {not}--dports {port},7,50:60"),
        _ => format!(" -m {proto} {not}--dport {port}"),
    }
}

/// A test, behind the option or the match that it is of.
fn test(rng: &mut Rng, hook: &str) -> (&'static str, String) {
    let not = not(rng);
    let link = *rng.pick(&["eth0", "pod1", "lo", "pod+", "e+"]);
    match rng.below(12) {
        0 | 1 => ("-s", format!(" {not}-s {}", block(rng, true))),
        2 => ("-d", format!(" {not}-d {}", block(rng, false))),
        3 if hook != "OUTPUT" && hook != "POSTROUTING" => ("-i", format!(" {not}-i {link}")),
        3 | 4 if hook != "PREROUTING" && hook != "INPUT" => ("-o", format!(" {not}-o {link}")),
        5 => {
            let states = *rng.pick(&["NEW", "ESTABLISHED", "INVALID", "NEW,DNAT", "SNAT"]);
            of_match("conntrack", &format!("{not}--ctstate {states}"))
        }
        6 => {
            let asked = rng.pick(&DESTINATIONS);
            of_match("conntrack", &format!("{not}--ctorigdst {asked}"))
        }
        7 => {
            let direction = rng.pick(&["ORIGINAL", "REPLY"]);
            of_match("conntrack", &format!("--ctdir {direction}"))
        }
        8 => {
            let side = rng.pick(&["src", "dst"]);
            of_match("addrtype", &format!("{not}--{side}-type LOCAL"))
        }
        9 => of_match("mark", &format!("{not}--mark {:#x}/0x3", rng.below(4))),
        10 => of_match("connmark", &format!("{not}--mark {:#x}/0x3", rng.below(4))),
        _ => {
            let (first, last) = span(rng);
            of_match("iprange", &format!("{not}--src-range {first}-{last}"))
        }
    }
}

fn of_match(name: &'static str, options: &str) -> (&'static str, String) {
    (name, format!(" -m {name} {options}"))
}

fn not(rng: &mut Rng) -> &'static str {
    if rng.percent(25) { "! " } else { "" }
}
