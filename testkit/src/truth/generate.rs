//! A whole random host.

use super::pool::Pool;
use super::rng::Rng;
use super::spec::{HostSpec, Load, Tool};
use super::{ipset, nft, routing, traffic, xt};

/// The languages of a host's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Legacy,
    Compat,
    Native,
}

/// The host that a seed stands for, tried with `count` packets.
pub fn host(seed: u64, count: usize) -> HostSpec {
    let mut rng = Rng::new(seed);
    let packets = traffic::packets(&mut rng, count);
    let listeners = traffic::listeners(&mut rng);
    let languages = languages(&mut rng);
    let pool = Pool {
        packets: &packets,
        stateful: rng.percent(40),
        beside_legacy: languages.contains(&Language::Legacy),
    };
    let ip = routing::lines(&mut rng, pool);
    let sysctls = routing::sysctls(&mut rng);
    let ipsets = if languages
        .iter()
        .all(|&language| language == Language::Native)
    {
        Vec::new()
    } else {
        ipset::sets(&mut rng, pool)
    };
    let mut loads = Vec::new();
    for language in languages {
        let tools: &[Tool] = match language {
            Language::Legacy => &[Tool::Legacy4, Tool::Legacy6],
            Language::Compat => &[Tool::Compat4, Tool::Compat6],
            Language::Native => &[Tool::Nft],
        };
        for &tool in tools {
            let tables = match tool {
                Tool::Nft => nft::tables(&mut rng, pool),
                _ => xt::tables(&mut rng, pool, tool.is_v6(), &ipsets),
            };
            loads.push(Load { tool, tables });
        }
    }
    HostSpec {
        seed,
        sysctls,
        ip,
        ipsets,
        loads,
        listeners,
        packets,
    }
}

/// One language in half of the hosts, several in any order in the others.
fn languages(rng: &mut Rng) -> Vec<Language> {
    let mut all = vec![Language::Legacy, Language::Compat, Language::Native];
    let count = if rng.percent(50) { 1 } else { 2 + rng.below(2) };
    let mut chosen = Vec::new();
    // Both languages of iptables sit at the same priorities, and which of them is first is not
    // in a dump: seldom together.
    if !rng.percent(15) {
        all.remove(rng.below(2));
    }
    while chosen.len() < count && !all.is_empty() {
        chosen.push(all.remove(rng.below(all.len())));
    }
    chosen
}
