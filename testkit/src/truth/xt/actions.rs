//! What a random xt rule does.

use std::net::IpAddr;

use super::super::pool::{self, Hint, MARKS, MASKS};
use super::super::rng::Rng;
use super::super::spec::Part;
use super::Spot;
use crate::world::Transport;

/// A target, and what it asks of the rule.
pub(super) struct Action {
    pub(super) part: Part,
    /// It can end the packet.
    pub(super) ends: bool,
    /// It wants `-p` with a protocol of ports.
    pub(super) needs_proto: bool,
}

impl Action {
    fn plain(kind: &'static str, text: impl Into<String>) -> Self {
        Self {
            part: Part::new(kind, text),
            ends: false,
            needs_proto: false,
        }
    }

    fn ending(self) -> Self {
        Self { ends: true, ..self }
    }

    fn with_proto(self) -> Self {
        Self {
            needs_proto: true,
            ..self
        }
    }
}

pub(super) fn action(rng: &mut Rng, spot: Spot<'_>, hint: &Hint) -> Action {
    loop {
        let drawn = match rng.below(24) {
            0..4 => Some(Action::plain("xt ACCEPT", "-j ACCEPT")),
            4 => Some(Action::plain("xt RETURN", "-j RETURN")),
            5..8 => lead(rng, spot),
            8 => (spot.table != "nat").then(|| Action::plain("xt DROP", "-j DROP").ending()),
            9 | 10 => reject(rng, spot, hint),
            11 | 12 => Some(mark(rng)),
            13 => Some(connmark(rng)),
            14 => Some(Action::plain("xt none", "")),
            15 => Some(Action::plain("xt LOG", "-j LOG --log-prefix truth")),
            16 => (spot.table == "raw").then(|| {
                let target = *rng.pick(&["-j CT --notrack", "-j NOTRACK"]);
                Action::plain("xt NOTRACK", target).ending()
            }),
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
        Action::plain("xt jump", format!("-j {chain}"))
    } else {
        Action::plain("xt goto", format!("-g {chain}"))
    })
}

fn reject(rng: &mut Rng, spot: Spot<'_>, hint: &Hint) -> Option<Action> {
    if spot.table != "filter" || !spot.only(&["INPUT", "FORWARD", "OUTPUT"]) {
        return None;
    }
    if hint.transport == Transport::Tcp && rng.percent(20) {
        let reset = Action::plain("xt REJECT tcp-reset", "-j REJECT --reject-with tcp-reset");
        return Some(reset.ending().with_proto());
    }
    let (kind, with) = if spot.is_v6 {
        *rng.pick(&[
            ("xt REJECT icmp6-no-route", "icmp6-no-route"),
            ("xt REJECT icmp6-adm-prohibited", "icmp6-adm-prohibited"),
            ("xt REJECT icmp6-addr-unreachable", "icmp6-addr-unreachable"),
            ("xt REJECT icmp6-port-unreachable", "icmp6-port-unreachable"),
            ("xt REJECT icmp6-policy-fail", "icmp6-policy-fail"),
            ("xt REJECT icmp6-reject-route", "icmp6-reject-route"),
        ])
    } else {
        *rng.pick(&[
            ("xt REJECT icmp-port-unreachable", "icmp-port-unreachable"),
            ("xt REJECT icmp-net-unreachable", "icmp-net-unreachable"),
            ("xt REJECT icmp-host-unreachable", "icmp-host-unreachable"),
            ("xt REJECT icmp-proto-unreachable", "icmp-proto-unreachable"),
            ("xt REJECT icmp-net-prohibited", "icmp-net-prohibited"),
            ("xt REJECT icmp-host-prohibited", "icmp-host-prohibited"),
            ("xt REJECT icmp-admin-prohibited", "icmp-admin-prohibited"),
        ])
    };
    Some(Action::plain(kind, format!("-j REJECT --reject-with {with}")).ending())
}

fn mark(rng: &mut Rng) -> Action {
    let mark = *rng.pick(&MARKS);
    let text = match rng.below(5) {
        0 => format!("--set-mark {mark:#x}"),
        1 => format!("--or-mark {mark:#x}"),
        2 => format!("--and-mark {:#x}", *rng.pick(&MASKS)),
        3 => format!("--xor-mark {mark:#x}"),
        _ => format!("--set-xmark {mark:#x}/{:#x}", *rng.pick(&MASKS)),
    };
    Action::plain("xt MARK", format!("-j MARK {text}"))
}

fn connmark(rng: &mut Rng) -> Action {
    let mark = *rng.pick(&MARKS);
    let bits = *rng.pick(&MASKS);
    match rng.below(3) {
        0 => Action::plain(
            "xt CONNMARK set",
            format!("-j CONNMARK --set-xmark {mark:#x}/{bits:#x}"),
        ),
        1 => Action::plain(
            "xt CONNMARK save",
            format!("-j CONNMARK --save-mark --nfmask {bits:#x} --ctmask {bits:#x}"),
        ),
        _ => Action::plain(
            "xt CONNMARK restore",
            format!("-j CONNMARK --restore-mark --nfmask {bits:#x} --ctmask {bits:#x}"),
        ),
    }
}

fn translate(rng: &mut Rng, spot: Spot<'_>, hint: &Hint) -> Option<Action> {
    if spot.table != "nat" {
        return None;
    }
    let port = *rng.pick(&crate::world::CLIENT_PORTS);
    let with_port = rng.percent(60);
    if spot.only(&["PREROUTING", "OUTPUT"]) {
        if rng.percent(25) {
            let redirect = format!("-j REDIRECT --to-ports {port}");
            return Some(Action::plain("xt REDIRECT", redirect).with_proto());
        }
        let to = if rng.percent(65) {
            pool::server_addr(rng, spot.is_v6)
        } else {
            pool::node_addr(rng, spot.is_v6)
        };
        if rng.percent(15) {
            return Some(netmap(to, if spot.is_v6 { 64 } else { 24 }));
        }
        let dnat = Action::plain(
            "xt DNAT",
            format!(
                "-j DNAT --to-destination {}",
                place(to, with_port.then_some(port))
            ),
        );
        return Some(if with_port { dnat.with_proto() } else { dnat });
    }
    if spot.only(&["POSTROUTING"]) && rng.percent(55) {
        return Some(if with_port {
            let text = "-j MASQUERADE --to-ports 30000-39999";
            Action::plain("xt MASQUERADE ports", text).with_proto()
        } else {
            Action::plain(
                "xt MASQUERADE",
                *rng.pick(&["-j MASQUERADE", "-j MASQUERADE --random-fully"]),
            )
        });
    }
    if spot.only(&["POSTROUTING", "INPUT"]) {
        let to = if rng.percent(80) {
            pool::node_addr(rng, spot.is_v6)
        } else {
            hint.src
        };
        if rng.percent(15) {
            // Another address of a network would have to be asked for by its machines.
            return Some(netmap(to, if spot.is_v6 { 128 } else { 32 }));
        }
        return Some(Action::plain(
            "xt SNAT",
            format!("-j SNAT --to-source {to}"),
        ));
    }
    None
}

fn netmap(to: IpAddr, len: u8) -> Action {
    let network = net::Prefix::containing(to, len);
    Action::plain("xt NETMAP", format!("-j NETMAP --to {network}"))
}

fn place(addr: IpAddr, port: Option<u16>) -> String {
    match (addr, port) {
        (addr, None) => addr.to_string(),
        (IpAddr::V4(addr), Some(port)) => format!("{addr}:{port}"),
        (IpAddr::V6(addr), Some(port)) => format!("[{addr}]:{port}"),
    }
}
