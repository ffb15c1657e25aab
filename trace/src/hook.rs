//! The order in which base chains run at a hook, and whether connections are tracked.
//!
//! Ascending priority; at equal priority the one registered last runs first. A dump tells
//! that order for nftables only, by handles; where it cannot be known every order is tried.

use host::nft::Expr;
use host::xt::{Match, Target};
use host::{Base, ChainKind, Hook, Host, Language, Policy, RuleBody, TableFamily};
use net::Family;

use crate::eval::sees;

/// A base chain by place.
pub(crate) type ChainRef = (usize, usize);

/// What runs at a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Item {
    /// Conntrack looks the packet up.
    Conntrack,
    /// The NAT dispatcher.
    Nat,
    /// A chain of type filter or route.
    Chain(ChainRef),
}

/// Everything that runs at one hook for one address family.
#[derive(Debug)]
pub(crate) struct Order {
    /// In turn; each a list of the orders that are possible at that priority.
    pub(crate) filter: Vec<Vec<Vec<Item>>>,
    /// The chains inside the NAT dispatcher, likewise.
    pub(crate) nat: Vec<Vec<Vec<Item>>>,
}

/// Priority of conntrack's look-up (netfilter_ipv4.h, NF_IP_PRI_CONNTRACK).
const CONNTRACK: i32 = -200;

impl Order {
    pub(crate) fn of(host: &Host, family: Family, hook: Hook) -> Self {
        let mut filter: Vec<(i32, Item)> = Vec::new();
        let mut nat: Vec<(i32, Item)> = Vec::new();
        let mut has_nat = false;
        for (at, table) in host.ruleset.tables.iter().enumerate() {
            if !sees(table.family, family) || table.dormant {
                continue;
            }
            for (index, chain) in table.chains.iter().enumerate() {
                let Some(base) = &chain.base else { continue };
                has_nat |= base.kind == ChainKind::Nat;
                let idle = chain.rules.is_empty() && base.policy == Policy::Accept;
                if base.hook != hook || idle {
                    continue;
                }
                let list = if base.kind == ChainKind::Nat {
                    &mut nat
                } else {
                    &mut filter
                };
                list.push((base.priority, Item::Chain((at, index))));
            }
        }
        let dispatcher = match hook {
            Hook::Prerouting | Hook::Output => Some(-100),
            Hook::Input | Hook::Postrouting => Some(100),
            Hook::Forward | Hook::Ingress | Hook::Egress => None,
        };
        filter.extend(
            dispatcher
                .filter(|_| has_nat)
                .map(|priority| (priority, Item::Nat)),
        );
        if matches!(hook, Hook::Prerouting | Hook::Output) {
            filter.push((CONNTRACK, Item::Conntrack));
        }
        Self {
            filter: groups(host, filter),
            nat: groups(host, nat),
        }
    }
}

/// Sorts by priority, and lists the possible orders of each.
fn groups(host: &Host, mut items: Vec<(i32, Item)>) -> Vec<Vec<Vec<Item>>> {
    items.sort_unstable();
    let same = items.chunk_by(|a, b| a.0 == b.0);
    same.map(|group| orders(host, group.iter().map(|(_, item)| *item).collect()))
        .collect()
}

/// Orders in which items of one priority can run; at most 24, and never none.
fn orders(host: &Host, items: Vec<Item>) -> Vec<Vec<Item>> {
    let mut found = Vec::new();
    permute(&mut Vec::new(), &items, &mut |order: &[Item]| {
        let pairs = (0..order.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
        let allowed = pairs
            .into_iter()
            .all(|(a, b)| !must_precede(host, order[b], order[a]));
        if allowed {
            found.push(order.to_vec());
        }
        found.len() < 24
    });
    if found.is_empty() { vec![items] } else { found }
}

fn permute(chosen: &mut Vec<Item>, left: &[Item], visit: &mut impl FnMut(&[Item]) -> bool) -> bool {
    if left.is_empty() {
        return visit(chosen);
    }
    for (at, item) in left.iter().enumerate() {
        let mut rest = left.to_vec();
        let _ = rest.remove(at);
        chosen.push(*item);
        let go_on = permute(chosen, &rest, visit);
        let _ = chosen.pop();
        if !go_on {
            return false;
        }
    }
    true
}

/// Whether `a` is known to have been registered after `b`, so that it runs first.
fn must_precede(host: &Host, a: Item, b: Item) -> bool {
    let (Item::Chain(a), Item::Chain(b)) = (a, b) else {
        return false;
    };
    let (table_a, table_b) = (&host.ruleset.tables[a.0], &host.ruleset.tables[b.0]);
    if table_a.language != Language::Nft || table_b.language != Language::Nft {
        return false;
    }
    let (chain_a, chain_b) = (&table_a.chains[a.1], &table_b.chains[b.1]);
    if a.0 == b.0 {
        return match (chain_a.handle, chain_b.handle) {
            (Some(a), Some(b)) => a > b,
            _ => a.1 > b.1,
        };
    }
    match (table_a.handle, table_b.handle) {
        (Some(a), Some(b)) => a > b,
        _ => false,
    }
}

/// Whether something on the host makes the kernel track connections of a family: a match, a
/// statement or a target that needs conntrack, used or not (nf_conntrack_proto.c,
/// nf_ct_netns_get).
pub(crate) fn tracks(host: &Host, family: Family) -> bool {
    let entries = host
        .connections
        .as_slice()
        .iter()
        .any(|c| Family::of(c.original.src) == family);
    let tables = host.ruleset.tables.iter();
    entries
        || tables
            .filter(|table| sees(table.family, family) || is_bridge(table.family))
            .any(|table| {
                let rules = table.chains.iter().flat_map(|chain| &chain.rules);
                let mut bodies = rules.map(|rule| &rule.body);
                bodies.any(needs_tracking)
            })
}

/// Conntrack on a bridge tracks both families.
fn is_bridge(family: TableFamily) -> bool {
    match family {
        TableFamily::Bridge => true,
        TableFamily::Ip
        | TableFamily::Ip6
        | TableFamily::Inet
        | TableFamily::Arp
        | TableFamily::Netdev => false,
    }
}

fn needs_tracking(body: &RuleBody) -> bool {
    match body {
        RuleBody::Xt(rule) => rule.matches.iter().any(match_needs) || target_needs(&rule.target),
        RuleBody::Nft(exprs) => exprs.iter().any(expr_needs),
        RuleBody::Gap(_) => true,
    }
}

fn match_needs(matched: &Match) -> bool {
    match matched {
        Match::Conntrack(_) | Match::Connmark(_) => true,
        Match::Gap { name, .. } => {
            matches!(
                &**name,
                "connlimit" | "connbytes" | "connlabel" | "helper" | "cluster"
            )
        }
        Match::Src(_)
        | Match::Dst(_)
        | Match::In(_)
        | Match::Out(_)
        | Match::Proto(_)
        | Match::Fragment(_)
        | Match::Tcp(_)
        | Match::Udp(_)
        | Match::Sctp(_)
        | Match::Icmp(_)
        | Match::Multiport(_)
        | Match::AddrType(_)
        | Match::Mark(_)
        | Match::Comment(_)
        | Match::Limit(_)
        | Match::Recent(_)
        | Match::Statistic(_)
        | Match::Set(_)
        | Match::IpRange(_)
        | Match::Mac(_)
        | Match::Owner(_)
        | Match::PktType(_)
        | Match::RpFilter(_)
        | Match::Socket(_)
        | Match::Policy(_)
        | Match::Ipvs(_)
        | Match::Physdev(_) => false,
    }
}

fn target_needs(target: &Target) -> bool {
    match target {
        Target::Dnat(_)
        | Target::Snat(_)
        | Target::Masquerade(_)
        | Target::Redirect(_)
        | Target::Netmap(_)
        | Target::Connmark { .. }
        | Target::Notrack => true,
        // One that is not understood may be a translation.
        Target::Gap { .. } => true,
        Target::Pass(name) => matches!(&**name, "CT" | "CONNSECMARK"),
        Target::None
        | Target::Accept
        | Target::Drop
        | Target::Return
        | Target::Jump(_)
        | Target::Goto(_)
        | Target::Reject(_)
        | Target::Mark { .. }
        | Target::Queue { .. } => false,
    }
}

fn expr_needs(expr: &Expr) -> bool {
    match expr {
        Expr::Ct { .. }
        | Expr::CtSet { .. }
        | Expr::Nat(_)
        | Expr::Masquerade { .. }
        | Expr::Redirect { .. }
        // What is not understood may be a translation.
        | Expr::Unread(_) => true,
        Expr::Match(matched) => match_needs(matched),
        Expr::Target(target) => target_needs(target),
        Expr::Pass(name) | Expr::Gap { name, .. } => {
            matches!(
                &**name,
                "[flow add]" | "flow_offload" | "connlimit" | "synproxy"
            )
        }
        Expr::Payload { .. }
        | Expr::PayloadSet { .. }
        | Expr::Meta { .. }
        | Expr::MetaSet { .. }
        | Expr::Cmp { .. }
        | Expr::Range { .. }
        | Expr::Bitwise { .. }
        | Expr::Byteorder { .. }
        | Expr::Lookup { .. }
        | Expr::Immediate { .. }
        | Expr::Verdict(_)
        | Expr::Reject(_)
        | Expr::Fib { .. }
        | Expr::Socket { .. }
        | Expr::Numgen { .. }
        | Expr::Dynset { .. }
        | Expr::Limit(_)
        | Expr::Notrack
        | Expr::Queue { .. } => false,
    }
}

/// Whether the kernel looks a new route up after a chain that changed the packet's mark.
pub(crate) fn reroutes(host: &Host, (table, chain): ChainRef) -> bool {
    let table = &host.ruleset.tables[table];
    let Some(Base { hook, kind, .. }) = &table.chains[chain].base else {
        return false;
    };
    let legacy_mangle = table.language == Language::Legacy && table.name == "mangle";
    *hook == Hook::Output && (*kind == ChainKind::Route || legacy_mangle)
}
