//! How often each word of the vocabulary matched, and how often not, by the kernel's counters.

use std::collections::BTreeMap;

use serde_json::Value;

use super::spec::{Chain, HostSpec, Load, Rule, Table, Tool};
use crate::world::{ToolError, run};

/// How often a word matched and did not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Rules that hold it.
    pub rules: u64,
    /// Packets it matched, or it acted on.
    pub matched: u64,
    /// Packets it was asked about and did not match.
    pub missed: u64,
}

/// Counts by word.
pub type Coverage = BTreeMap<&'static str, Count>;

/// Adds one coverage to another.
pub fn add(total: &mut Coverage, more: &Coverage) {
    for (word, count) in more {
        let sum = total.entry(word).or_default();
        sum.rules += count.rules;
        sum.matched += count.matched;
        sum.missed += count.missed;
    }
}

/// Reads the counters of a host's rules. The calling thread is in the node.
///
/// # Errors
/// Where a program cannot list them.
pub fn read(spec: &HostSpec) -> Result<Coverage, ToolError> {
    let mut coverage = Coverage::new();
    for load in &spec.loads {
        if load.tables.is_empty() {
            continue;
        }
        let listing = run(load.tool.save(), "")?;
        match load.tool {
            Tool::Nft => nft(load, &listing, &mut coverage),
            Tool::Legacy4 | Tool::Legacy6 | Tool::Compat4 | Tool::Compat6 => {
                xt(load, &listing, &mut coverage);
            }
        }
    }
    Ok(coverage)
}

fn seen(coverage: &mut Coverage, word: &'static str, matched: u64, missed: u64) {
    let count = coverage.entry(word).or_default();
    count.rules += 1;
    count.matched += matched;
    count.missed += missed;
}

/// Packets of each rule, by table and chain.
type Packets<T> = BTreeMap<(String, String), Vec<T>>;

fn xt(load: &Load, listing: &str, coverage: &mut Coverage) {
    let mut packets: Packets<u64> = BTreeMap::new();
    let mut table = "";
    for line in listing.lines() {
        if let Some(name) = line.strip_prefix('*') {
            table = name;
        }
        let Some((counter, rule)) = line
            .strip_prefix('[')
            .and_then(|line| line.split_once("] -A "))
        else {
            continue;
        };
        let chain = rule.split(' ').next().unwrap_or_default();
        let count = counter.split(':').next().and_then(|text| text.parse().ok());
        let key = (table.to_owned(), chain.to_owned());
        packets.entry(key).or_default().push(count.unwrap_or(0));
    }
    for_each_chain(load, &packets, |chain, counts| {
        let mut counts = counts.iter().copied();
        for rule in &chain.rules {
            let asked = rule.watched.then(|| counts.next().unwrap_or(0));
            let matched = counts.next().unwrap_or(0);
            xt_rule(rule, asked, matched, coverage);
        }
    });
}

fn xt_rule(rule: &Rule, asked: Option<u64>, matched: u64, coverage: &mut Coverage) {
    for (position, test) in rule.tests.iter().enumerate() {
        let is_last = position + 1 == rule.tests.len();
        let missed = match asked {
            Some(asked) if is_last => asked.saturating_sub(matched),
            _ => 0,
        };
        seen(coverage, test.kind, matched, missed);
    }
    seen(coverage, rule.action.kind, matched, 0);
}

fn nft(load: &Load, listing: &str, coverage: &mut Coverage) {
    let listing: Value = serde_json::from_str(listing).unwrap_or(Value::Null);
    let mut packets: Packets<Vec<u64>> = BTreeMap::new();
    for object in listing["nftables"].as_array().into_iter().flatten() {
        let rule = &object["rule"];
        let text = |field: &str| rule[field].as_str().unwrap_or_default();
        let counters = rule["expr"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|part| part["counter"]["packets"].as_u64())
            .collect();
        let table = format!("{} {}", text("family"), text("table"));
        let key = (table, text("chain").to_owned());
        packets.entry(key).or_default().push(counters);
    }
    for_each_chain(load, &packets, |chain, counters| {
        let mut counters = counters.iter();
        for rule in &chain.rules {
            let own = counters.next().map_or(&[][..], Vec::as_slice);
            let behind = rule
                .watched
                .then(|| counters.next().and_then(|own| own.first()).copied());
            nft_rule(rule, own, behind.flatten(), coverage);
        }
    });
}

fn nft_rule(rule: &Rule, counters: &[u64], behind: Option<u64>, coverage: &mut Coverage) {
    let at = |position: usize| counters.get(position).copied().unwrap_or(0);
    for (position, test) in rule.tests.iter().enumerate() {
        let (asked, matched) = (at(position), at(position + 1));
        seen(coverage, test.kind, matched, asked.saturating_sub(matched));
    }
    let reached = at(rule.tests.len());
    // The counter behind counts the packets that the tests let through to no avail, and those
    // that failed a test.
    let failed = at(0).saturating_sub(reached);
    let missed = behind
        .map_or(0, |behind| behind.saturating_sub(failed))
        .min(reached);
    seen(coverage, rule.action.kind, reached - missed, missed);
}

/// Calls `visit` for each chain of the load with what the listing has for it.
fn for_each_chain<T>(load: &Load, packets: &Packets<T>, mut visit: impl FnMut(&Chain, &[T])) {
    let all = load
        .tables
        .iter()
        .flat_map(|table: &Table| table.chains.iter().map(move |chain| (table, chain)));
    for (table, chain) in all {
        let key = (table.name.clone(), chain.name.clone());
        visit(chain, packets.get(&key).map_or(&[][..], Vec::as_slice));
    }
}
