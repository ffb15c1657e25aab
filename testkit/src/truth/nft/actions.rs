//! What a random nft rule does.

use super::super::pool::{self, Hint, MARKS, MASKS};
use super::super::rng::Rng;
use super::super::spec::Part;
use super::Spot;
use crate::world::{CLIENT_PORTS, Transport};

/// A statement, and what it asks of the rule.
pub(super) struct Action {
    pub(super) part: Part,
    /// Tests that it needs.
    pub(super) before: Vec<Part>,
    /// It can end the packet.
    pub(super) ends: bool,
    /// It can end the rule without doing anything.
    pub(super) may_miss: bool,
}

impl Action {
    fn plain(kind: &'static str, text: impl Into<String>) -> Self {
        Self {
            part: Part::new(kind, text),
            before: Vec::new(),
            ends: false,
            may_miss: false,
        }
    }

    fn ending(self) -> Self {
        Self { ends: true, ..self }
    }

    fn missing(self) -> Self {
        Self {
            may_miss: true,
            ..self
        }
    }

    fn with_proto(mut self, hint: &Hint) -> Self {
        let text = format!("meta l4proto {}", hint.transport);
        self.before.push(Part::new("nft l4proto", text));
        self
    }
}

pub(super) fn action(rng: &mut Rng, spot: Spot<'_>, hint: &Hint) -> Action {
    loop {
        let drawn = match rng.below(30) {
            0..4 => Some(Action::plain("nft accept", "accept")),
            4 => Some(Action::plain("nft return", "return")),
            5..8 => lead(rng, spot),
            8 if spot.kind != "nat" || rng.percent(30) => {
                Some(Action::plain("nft drop", "drop").ending())
            }
            9 | 10 => reject(rng, spot, hint),
            11 | 12 => Some(mark(rng)),
            13 => Some(ct_mark(rng)),
            14 => Some(Action::plain("nft log", "log prefix \"truth\"")),
            15 => Some(Action::plain("nft counter", "counter")),
            16 => notrack(spot),
            17..20 => verdict_map(rng, spot, hint),
            20 => spot.pool.stateful.then(|| dynset(rng, spot)),
            _ => translate(rng, spot, hint),
        };
        if let Some(action) = drawn {
            return action;
        }
    }
}

fn lead(rng: &mut Rng, spot: Spot<'_>) -> Option<Action> {
    if spot.below.is_empty() {
        return None;
    }
    let chain = rng.pick(spot.below);
    Some(if rng.percent(70) {
        Action::plain("nft jump", format!("jump {chain}"))
    } else {
        Action::plain("nft goto", format!("goto {chain}"))
    })
}

fn reject(rng: &mut Rng, spot: Spot<'_>, hint: &Hint) -> Option<Action> {
    if spot.kind != "filter" || spot.hook == "postrouting" {
        return None;
    }
    if hint.transport == Transport::Tcp && rng.percent(20) {
        let mut reset = Action::plain("nft reject tcp reset", "reject with tcp reset");
        reset
            .before
            .push(Part::new("nft l4proto", "meta l4proto tcp"));
        return Some(reset.ending());
    }
    let (kind, with) = *rng.pick(&[
        ("nft reject", ""),
        ("nft reject icmpx", " with icmpx type port-unreachable"),
        ("nft reject icmpx", " with icmpx type no-route"),
        ("nft reject icmpx", " with icmpx type host-unreachable"),
        ("nft reject icmpx", " with icmpx type admin-prohibited"),
        ("nft reject icmp", " with icmp type net-unreachable"),
        ("nft reject icmp", " with icmp type host-prohibited"),
        ("nft reject icmp", " with icmp type prot-unreachable"),
        ("nft reject icmpv6", " with icmpv6 type no-route"),
        ("nft reject icmpv6", " with icmpv6 type admin-prohibited"),
        ("nft reject icmpv6", " with icmpv6 type addr-unreachable"),
    ]);
    let fits = match kind {
        "nft reject icmp" => !spot.is_v6,
        "nft reject icmpv6" => spot.is_v6,
        "nft reject icmpx" => spot.family == "inet",
        _ => true,
    };
    fits.then(|| Action::plain(kind, format!("reject{with}")).ending())
}

fn mark(rng: &mut Rng) -> Action {
    let mark = *rng.pick(&MARKS);
    let text = match rng.below(5) {
        0 => format!("meta mark set {mark:#x}"),
        1 => format!("meta mark set meta mark | {mark:#x}"),
        2 => format!("meta mark set meta mark & {:#x}", *rng.pick(&MASKS)),
        3 => format!("meta mark set meta mark ^ {mark:#x}"),
        _ => "meta mark set ct mark".to_owned(),
    };
    Action::plain("nft meta mark set", text)
}

fn ct_mark(rng: &mut Rng) -> Action {
    let mark = *rng.pick(&MARKS);
    let text = match rng.below(3) {
        0 => format!("ct mark set {mark:#x}"),
        1 => format!("ct mark set ct mark | {mark:#x}"),
        _ => "ct mark set meta mark".to_owned(),
    };
    Action::plain("nft ct mark set", text)
}

fn notrack(spot: Spot<'_>) -> Option<Action> {
    let fits = spot.kind == "filter" && spot.is_one_of(&["prerouting", "output"]);
    fits.then(|| Action::plain("nft notrack", "notrack").ending())
}

/// A verdict for a map; jumps lead below.
fn verdict(rng: &mut Rng, spot: Spot<'_>) -> String {
    match rng.below(8) {
        0..3 => "accept".to_owned(),
        3 => "continue".to_owned(),
        4 => "return".to_owned(),
        5 if spot.kind != "nat" => "drop".to_owned(),
        _ if !spot.below.is_empty() => {
            let word = rng.pick(&["jump", "goto"]);
            format!("{word} {}", rng.pick(spot.below))
        }
        _ => "accept".to_owned(),
    }
}

fn verdict_map(rng: &mut Rng, spot: Spot<'_>, hint: &Hint) -> Option<Action> {
    let ip = spot.ip();
    let (one, two) = (verdict(rng, spot), verdict(rng, spot));
    Some(
        match rng.below(6) {
            0 => Action::plain(
                "nft vmap",
                format!("{ip} daddr vmap {{ {} : {one} }}", hint.dst),
            ),
            1 => Action::plain(
                "nft vmap",
                format!(
                    "{} dport vmap {{ {} : {one}, 7 : {two} }}",
                    hint.transport, hint.dport
                ),
            ),
            2 => Action::plain(
                "nft vmap concatenation",
                format!(
                    "{ip} daddr . meta l4proto . th dport vmap {{ {} . {} . {} : {one} }}",
                    hint.dst, hint.transport, hint.dport
                ),
            ),
            3 => {
                let text = format!("numgen random mod 2 vmap {{ 0 : {one}, 1 : {two} }}");
                let mut action = Action::plain("nft numgen vmap", "");
                action.part = Part::stateful("nft numgen vmap", text);
                return Some(action);
            }
            4 => {
                let last = hint.dport.saturating_add(9);
                let text = format!("th dport vmap {{ {}-{last} : {one} }}", hint.dport);
                Action::plain("nft vmap interval", text).with_proto(hint)
            }
            // A named verdict map says drop, which a nat chain may not.
            _ if spot.kind == "nat" => return None,
            _ => {
                let end = if spot.is_v6 { "6" } else { "4" };
                Action::plain(
                    "nft named vmap",
                    format!("{ip} daddr . meta l4proto . th dport vmap @verdicts{end}"),
                )
            }
        }
        .missing(),
    )
}

fn dynset(rng: &mut Rng, spot: Spot<'_>) -> Action {
    let end = if spot.is_v6 { "6" } else { "4" };
    let word = rng.pick(&["add", "update"]);
    let text = format!("{word} @seen{end} {{ {} saddr }}", spot.ip());
    let mut action = Action::plain("nft dynset", "");
    action.part = Part::stateful("nft dynset", text);
    action
}

fn translate(rng: &mut Rng, spot: Spot<'_>, hint: &Hint) -> Option<Action> {
    if spot.kind != "nat" {
        return None;
    }
    match spot.hook {
        "prerouting" | "output" => Some(destination(rng, spot, hint)),
        "postrouting" if rng.percent(55) => Some(if rng.percent(60) {
            Action::plain("nft masquerade", "masquerade")
        } else {
            Action::plain("nft masquerade ports", "masquerade to :30000-39999").with_proto(hint)
        }),
        _ => {
            let to = if rng.percent(80) {
                pool::node_addr(rng, spot.is_v6)
            } else {
                hint.src
            };
            Some(Action::plain(
                "nft snat",
                format!("snat {}to {to}", family(spot)),
            ))
        }
    }
}

/// In an inet table a translation names its family.
fn family(spot: Spot<'_>) -> String {
    if spot.family == "inet" {
        format!("{} ", spot.ip())
    } else {
        String::new()
    }
}

fn destination(rng: &mut Rng, spot: Spot<'_>, hint: &Hint) -> Action {
    let port = *rng.pick(&CLIENT_PORTS);
    let to = if rng.percent(65) {
        pool::server_addr(rng, spot.is_v6)
    } else {
        pool::node_addr(rng, spot.is_v6)
    };
    let (family, ip) = (family(spot), spot.ip());
    let end = if spot.is_v6 { "6" } else { "4" };
    match rng.below(8) {
        0 => Action::plain("nft redirect", format!("redirect to :{port}")).with_proto(hint),
        1 => Action::plain("nft dnat identity", format!("dnat {family}to {ip} daddr")),
        2 => Action::plain(
            "nft dnat map",
            format!("dnat {family}to th dport map @targets{end}"),
        )
        .with_proto(hint)
        .missing(),
        3 => {
            let word = match hint.transport {
                Transport::Tcp => "tcp",
                Transport::Udp => "udp",
            };
            let key = format!("{} . {}", hint.dst, hint.dport);
            let text = format!(
                "dnat {ip} addr . port to {ip} daddr . {word} dport map {{ {key} : {to} . {port} }}"
            );
            Action::plain("nft dnat concatenated map", text).missing()
        }
        4 => Action::plain("nft dnat", format!("dnat {family}to {to}")),
        _ => {
            let place = if spot.is_v6 {
                format!("[{to}]:{port}")
            } else {
                format!("{to}:{port}")
            };
            Action::plain("nft dnat", format!("dnat {family}to {place}")).with_proto(hint)
        }
    }
}
