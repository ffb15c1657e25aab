//! The words of the generated language, and what each must have done in a long run.

use std::fmt::Write as _;

use super::coverage::Coverage;
use super::spec::{HostSpec, Part};

/// What a word does in a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Tests: must have matched and not matched.
    Tests,
    /// Tests what always holds where it is asked: must have matched.
    Always,
    /// Acts: must have acted.
    Does,
}

/// Every word.
pub const VOCABULARY: &[(&str, Class)] = &[
    ("ipset bitmap:ip", Class::Tests),
    ("ipset bitmap:port", Class::Tests),
    ("ipset hash:ip", Class::Tests),
    ("ipset hash:ip,port", Class::Tests),
    ("ipset hash:ip,port,ip", Class::Tests),
    ("ipset hash:ip,port,net", Class::Tests),
    ("ipset hash:net", Class::Tests),
    ("ipset hash:net,port", Class::Tests),
    ("ipset list:set", Class::Tests),
    ("nft accept", Class::Does),
    ("nft address range", Class::Tests),
    ("nft anonymous concatenation", Class::Tests),
    ("nft anonymous interval concatenation", Class::Tests),
    ("nft anonymous set", Class::Tests),
    ("nft counter", Class::Does),
    ("nft ct count", Class::Tests),
    ("nft ct direction", Class::Tests),
    ("nft ct mark", Class::Tests),
    ("nft ct mark set", Class::Does),
    ("nft ct original", Class::Tests),
    ("nft ct original port", Class::Tests),
    ("nft ct state", Class::Tests),
    ("nft ct status", Class::Tests),
    ("nft daddr", Class::Tests),
    ("nft dnat", Class::Does),
    ("nft dnat concatenated map", Class::Tests),
    ("nft dnat identity", Class::Does),
    ("nft dnat map", Class::Tests),
    ("nft drop", Class::Does),
    ("nft dynamic set", Class::Tests),
    ("nft dynset", Class::Does),
    ("nft ether saddr", Class::Tests),
    ("nft fib daddr type", Class::Tests),
    ("nft fib oif", Class::Tests),
    ("nft fib saddr type", Class::Tests),
    ("nft fib type iif", Class::Tests),
    ("nft goto", Class::Does),
    ("nft icmp type", Class::Tests),
    ("nft icmpv6 type", Class::Tests),
    ("nft iif", Class::Tests),
    ("nft iifname", Class::Tests),
    ("nft iifname set", Class::Tests),
    ("nft iifname wildcard", Class::Tests),
    ("nft ip protocol", Class::Tests),
    ("nft jhash", Class::Tests),
    ("nft jump", Class::Does),
    ("nft l4proto", Class::Tests),
    ("nft limit", Class::Tests),
    ("nft limit over", Class::Tests),
    ("nft log", Class::Does),
    ("nft masquerade", Class::Does),
    ("nft masquerade ports", Class::Does),
    ("nft meta length", Class::Tests),
    ("nft meta mark", Class::Tests),
    ("nft meta mark set", Class::Does),
    ("nft named concatenation", Class::Tests),
    ("nft named interval concatenation", Class::Tests),
    ("nft named interval set", Class::Tests),
    ("nft named port set", Class::Tests),
    ("nft named set", Class::Tests),
    ("nft named vmap", Class::Tests),
    ("nft nfproto", Class::Tests),
    ("nft notrack", Class::Does),
    ("nft numgen inc", Class::Tests),
    ("nft numgen random", Class::Tests),
    ("nft numgen vmap", Class::Always),
    ("nft oif", Class::Tests),
    ("nft oifname", Class::Tests),
    ("nft oifname set", Class::Tests),
    ("nft oifname wildcard", Class::Tests),
    ("nft quota", Class::Tests),
    ("nft redirect", Class::Does),
    ("nft reject", Class::Does),
    ("nft reject icmp", Class::Does),
    ("nft reject icmpv6", Class::Does),
    ("nft reject icmpx", Class::Does),
    ("nft reject tcp reset", Class::Does),
    ("nft return", Class::Does),
    ("nft saddr", Class::Tests),
    ("nft skgid", Class::Tests),
    ("nft skuid", Class::Tests),
    ("nft snat", Class::Does),
    ("nft socket", Class::Tests),
    ("nft symhash", Class::Tests),
    ("nft tcp dport", Class::Tests),
    ("nft tcp flags", Class::Tests),
    ("nft tcp option", Class::Tests),
    ("nft tcp sport", Class::Tests),
    ("nft th dport", Class::Tests),
    ("nft udp dport", Class::Tests),
    ("nft udp sport", Class::Tests),
    ("nft vmap", Class::Tests),
    ("nft vmap concatenation", Class::Tests),
    ("nft vmap interval", Class::Tests),
    ("xt -d", Class::Tests),
    ("xt -i", Class::Tests),
    ("xt -o", Class::Tests),
    ("xt -p", Class::Tests),
    ("xt -s", Class::Tests),
    ("xt ACCEPT", Class::Does),
    ("xt CONNMARK restore", Class::Does),
    ("xt CONNMARK save", Class::Does),
    ("xt CONNMARK set", Class::Does),
    ("xt DNAT", Class::Does),
    ("xt DROP", Class::Does),
    ("xt LOG", Class::Does),
    ("xt MARK", Class::Does),
    ("xt MASQUERADE", Class::Does),
    ("xt MASQUERADE ports", Class::Does),
    ("xt NETMAP", Class::Does),
    ("xt NOTRACK", Class::Does),
    ("xt REDIRECT", Class::Does),
    ("xt REJECT icmp-admin-prohibited", Class::Does),
    ("xt REJECT icmp-host-prohibited", Class::Does),
    ("xt REJECT icmp-host-unreachable", Class::Does),
    ("xt REJECT icmp-net-prohibited", Class::Does),
    ("xt REJECT icmp-net-unreachable", Class::Does),
    ("xt REJECT icmp-port-unreachable", Class::Does),
    ("xt REJECT icmp-proto-unreachable", Class::Does),
    ("xt REJECT icmp6-addr-unreachable", Class::Does),
    ("xt REJECT icmp6-adm-prohibited", Class::Does),
    ("xt REJECT icmp6-no-route", Class::Does),
    ("xt REJECT icmp6-policy-fail", Class::Does),
    ("xt REJECT icmp6-port-unreachable", Class::Does),
    ("xt REJECT icmp6-reject-route", Class::Does),
    ("xt REJECT tcp-reset", Class::Does),
    ("xt RETURN", Class::Does),
    ("xt SNAT", Class::Does),
    ("xt addrtype", Class::Tests),
    ("xt addrtype limit", Class::Tests),
    ("xt comment", Class::Always),
    ("xt connlimit", Class::Tests),
    ("xt connmark", Class::Tests),
    ("xt conntrack direction", Class::Tests),
    ("xt conntrack nat state", Class::Tests),
    ("xt conntrack original", Class::Tests),
    ("xt conntrack state", Class::Tests),
    ("xt conntrack status", Class::Tests),
    ("xt goto", Class::Does),
    ("xt hashlimit", Class::Tests),
    ("xt icmp", Class::Tests),
    ("xt iprange", Class::Tests),
    ("xt jump", Class::Does),
    ("xt length", Class::Tests),
    ("xt limit", Class::Tests),
    ("xt mac", Class::Tests),
    ("xt mark", Class::Tests),
    ("xt multiport dports", Class::Tests),
    ("xt multiport ports", Class::Tests),
    ("xt multiport sports", Class::Tests),
    ("xt none", Class::Does),
    ("xt owner gid", Class::Tests),
    ("xt owner uid", Class::Tests),
    ("xt pkttype", Class::Tests),
    ("xt policy", Class::Tests),
    ("xt quota", Class::Tests),
    ("xt recent check", Class::Tests),
    ("xt recent set", Class::Always),
    ("xt rpfilter", Class::Tests),
    ("xt socket", Class::Tests),
    ("xt state", Class::Tests),
    ("xt statistic nth", Class::Tests),
    ("xt statistic random", Class::Tests),
    ("xt tcp dport", Class::Tests),
    ("xt tcp flags", Class::Tests),
    ("xt tcp sport", Class::Tests),
    ("xt ttl", Class::Tests),
    ("xt udp dport", Class::Tests),
    ("xt udp sport", Class::Tests),
];

/// Words of rules that no printer can write: what they ask is not kept.
const UNPRINTED: [&str; 10] = [
    "nft ct count",
    "nft jhash",
    "nft quota",
    "nft symhash",
    "nft tcp option",
    "xt connlimit",
    "xt hashlimit",
    "xt length",
    "xt quota",
    "xt ttl",
];

/// A host without the rules that no printer can write.
pub fn printable(mut spec: HostSpec) -> HostSpec {
    let tables = spec.loads.iter_mut().flat_map(|load| &mut load.tables);
    for chain in tables.flat_map(|table| &mut table.chains) {
        let is_printed = |part: &Part| !UNPRINTED.contains(&part.kind);
        chain
            .rules
            .retain(|rule| rule.tests.iter().chain([&rule.action]).all(is_printed));
    }
    spec
}

/// Words that did not do what they must.
pub fn idle(coverage: &Coverage) -> Vec<&'static str> {
    let is_idle = |word: &str, class: Class| {
        let count = coverage.get(word).copied().unwrap_or_default();
        count.matched == 0 || (class == Class::Tests && count.missed == 0)
    };
    VOCABULARY
        .iter()
        .filter(|(word, class)| is_idle(word, *class))
        .map(|&(word, _)| word)
        .collect()
}

/// The counts as a table.
pub fn table(coverage: &Coverage) -> String {
    let mut text = format!(
        "{:<42} {:>8} {:>9} {:>9}\n",
        "word", "rules", "matched", "missed"
    );
    for (word, class) in VOCABULARY {
        let count = coverage.get(word).copied().unwrap_or_default();
        let missed = if *class == Class::Tests {
            count.missed.to_string()
        } else {
            String::new()
        };
        let _ = writeln!(
            text,
            "{word:<42} {:>8} {:>9} {missed:>9}",
            count.rules, count.matched
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::truth::generate;

    #[test]
    fn every_word_that_is_generated_is_in_the_vocabulary() {
        for seed in 0..300 {
            let spec = generate::host(seed, 20);
            for rule in spec.rules() {
                for part in rule.tests.iter().chain([&rule.action]) {
                    let known = VOCABULARY.iter().any(|(word, _)| *word == part.kind);
                    assert!(known, "{} of seed {seed}", part.kind);
                }
            }
        }
    }
}
