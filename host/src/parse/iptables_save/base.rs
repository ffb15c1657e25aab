//! The chains that iptables' tables are born with.

use crate::{Base, ChainKind, Hook, Language, Policy};

/// Where a chain of a table sits; `None` for a user's chain.
pub(super) fn base(table: &str, chain: &str, language: Language, policy: Policy) -> Option<Base> {
    let hook = match chain {
        "PREROUTING" => Hook::Prerouting,
        "INPUT" => Hook::Input,
        "FORWARD" => Hook::Forward,
        "OUTPUT" => Hook::Output,
        "POSTROUTING" => Hook::Postrouting,
        _ => return None,
    };
    let has = |hooks: &[Hook]| hooks.contains(&hook);
    let inside = [Hook::Input, Hook::Forward, Hook::Output];
    // Priorities: netfilter_ipv4.h.
    let (is_there, priority) = match table {
        "filter" => (has(&inside), 0),
        "security" => (has(&inside), 50),
        "raw" => (has(&[Hook::Prerouting, Hook::Output]), -300),
        "mangle" => (true, -150),
        "nat" => match hook {
            Hook::Prerouting | Hook::Output => (true, -100),
            Hook::Input | Hook::Postrouting => (true, 100),
            Hook::Forward | Hook::Ingress | Hook::Egress => (false, 0),
        },
        _ => (false, 0),
    };
    let kind = match table {
        "nat" => ChainKind::Nat,
        // iptables-nft makes this one a chain of type route; the legacy table does the same
        // by itself.
        "mangle" if hook == Hook::Output && language == Language::Nft => ChainKind::Route,
        _ => ChainKind::Filter,
    };
    is_there.then(|| Base {
        hook,
        priority,
        kind,
        policy,
        devices: Vec::new(),
    })
}
