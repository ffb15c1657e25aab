//! Legacy iptables tables: the answers of `IPT_SO_GET_INFO` and `IPT_SO_GET_ENTRIES`.
//!
//! Kernel: include/uapi/linux/netfilter/x_tables.h, netfilter_ipv4/ip_tables.h,
//! netfilter_ipv6/ip6_tables.h. A table is one run of entries; chains are places in it.

mod entry;

use std::collections::BTreeMap;

use net::Family;

use super::attr::Fields;
use super::xt::SetNames;
use crate::dump::{Dump, section};
use crate::xt::{Match, Target};
use crate::{
    Base, Chain, ChainKind, Gap, GapKind, Hook, Language, Policy, Rule, RuleBody, Table,
    TableFamily, xt,
};
use entry::{Entry, Verdict};

/// `struct ipt_getinfo`, then `struct ipt_get_entries` up to the entries.
const INFO: usize = 84;
const ENTRIES: usize = INFO + 40;

/// Hooks by their place in the info's arrays, with the names of their chains.
const HOOKS: [(Hook, &str); 5] = [
    (Hook::Prerouting, "PREROUTING"),
    (Hook::Input, "INPUT"),
    (Hook::Forward, "FORWARD"),
    (Hook::Output, "OUTPUT"),
    (Hook::Postrouting, "POSTROUTING"),
];

/// Reads the legacy tables of both families, those of IPv4 first, by name.
pub(super) fn tables(dump: &Dump, sets: &SetNames, gaps: &mut Vec<Gap>) -> Vec<Table> {
    let mut tables = Vec::new();
    for (prefix, family) in [
        (section::LEGACY_IP, Family::V4),
        (section::LEGACY_IP6, Family::V6),
    ] {
        for (name, bytes) in &dump.sections {
            let Some(name) = name.strip_prefix(prefix) else {
                continue;
            };
            let mut reading = Reading {
                name,
                family,
                sets,
                is_whole: true,
            };
            tables.push(reading.table(bytes));
            if !reading.is_whole {
                gaps.push(Gap {
                    kind: GapKind::Rules,
                    what: format!(
                        "legacy table {name} of {family} is damaged or not known: rules may be \
                         missing"
                    ),
                    device: None,
                });
            }
        }
    }
    tables
}

/// The reading of one table.
struct Reading<'a> {
    name: &'a str,
    family: Family,
    sets: &'a SetNames,
    is_whole: bool,
}

/// Where the chain of a hook begins and where its policy stands.
#[derive(Debug, Clone, Copy)]
struct BuiltIn {
    hook: usize,
    entry: usize,
    underflow: usize,
}

fn built_ins(info: Fields<'_>) -> Option<Vec<BuiltIn>> {
    let valid = info.he32(32)?;
    let mut all = Vec::new();
    for hook in 0..HOOKS.len() {
        if valid >> hook & 1 != 0 {
            all.push(BuiltIn {
                hook,
                entry: usize::try_from(info.he32(36 + 4 * hook)?).ok()?,
                underflow: usize::try_from(info.he32(56 + 4 * hook)?).ok()?,
            });
        }
    }
    Some(all)
}

impl Reading<'_> {
    fn table(&mut self, bytes: &[u8]) -> Table {
        let built_ins = built_ins(Fields(bytes)).unwrap_or_default();
        let entries = bytes.get(ENTRIES..).unwrap_or_default();
        self.is_whole = !built_ins.is_empty();
        let starts = self.starts(entries, &built_ins);
        Table {
            family: match self.family {
                Family::V4 => TableFamily::Ip,
                Family::V6 => TableFamily::Ip6,
            },
            name: self.name.to_owned(),
            language: Language::Legacy,
            handle: None,
            dormant: false,
            comment: None,
            chains: self.chains(entries, &built_ins, &starts),
            sets: Vec::new(),
            objects: Vec::new(),
        }
    }

    /// The offset of the first rule of each chain, with the chain's name. Jumps name a chain
    /// by it.
    fn starts(&mut self, entries: &[u8], built_ins: &[BuiltIn]) -> BTreeMap<usize, String> {
        let mut starts = BTreeMap::new();
        for built_in in built_ins {
            let (_, name) = HOOKS[built_in.hook];
            starts.insert(built_in.entry, name.to_owned());
        }
        let mut at = 0;
        while let Some(entry) = Entry::at(self.family, entries, at) {
            at += entry.size;
            if let Some(name) = entry.chain_name() {
                starts.insert(at, name.into_owned());
            }
        }
        // Nothing is behind the last entry, the end of the table.
        self.is_whole &= at == entries.len() && starts.remove(&at).is_some();
        starts
    }

    fn chains(
        &mut self,
        entries: &[u8],
        built_ins: &[BuiltIn],
        starts: &BTreeMap<usize, String>,
    ) -> Vec<Chain> {
        let mut chains: Vec<Chain> = Vec::with_capacity(starts.len());
        let mut at = 0;
        // Between the policy of one chain and the start of the next there is no rule.
        let mut is_inside = false;
        while let Some(entry) = Entry::at(self.family, entries, at) {
            if let Some(name) = starts.get(&at) {
                let built_in = built_ins.iter().find(|built_in| built_in.entry == at);
                chains.push(Chain {
                    name: name.clone(),
                    base: built_in.map(|built_in| self.base(entries, built_in)),
                    handle: None,
                    comment: None,
                    rules: Vec::new(),
                });
                is_inside = true;
            }
            let is_policy = built_ins.iter().any(|built_in| built_in.underflow == at);
            if entry.chain_name().is_some() {
                end_user_chain(chains.last_mut().filter(|_| is_inside));
                is_inside = false;
            } else if is_policy {
                is_inside = false;
            } else if let Some(chain) = chains.last_mut().filter(|_| is_inside) {
                let after = at + entry.size;
                chain.rules.push(self.rule(&entry, after, starts));
            }
            at += entry.size;
        }
        end_user_chain(chains.last_mut().filter(|_| is_inside));
        chains
    }

    fn base(&mut self, entries: &[u8], built_in: &BuiltIn) -> Base {
        let (hook, _) = HOOKS[built_in.hook];
        let policy = Entry::at(self.family, entries, built_in.underflow);
        let policy = policy.and_then(|entry| entry.verdict());
        let policy = match policy {
            Some(Verdict::Target(Target::Accept)) => Policy::Accept,
            Some(Verdict::Target(Target::Drop)) => Policy::Drop,
            Some(_) | None => {
                self.is_whole = false;
                Policy::Accept
            }
        };
        Base {
            hook,
            priority: self.priority(hook),
            kind: if self.name == "nat" {
                ChainKind::Nat
            } else {
                ChainKind::Filter
            },
            policy,
            devices: Vec::new(),
        }
    }

    /// Kernel: netfilter_ipv4.h; the same in IPv6.
    fn priority(&mut self, hook: Hook) -> i32 {
        match self.name {
            "raw" => -300,
            "mangle" => -150,
            "nat" => match hook {
                Hook::Prerouting | Hook::Output => -100,
                Hook::Input | Hook::Postrouting => 100,
                Hook::Ingress | Hook::Forward | Hook::Egress => 0,
            },
            "filter" => 0,
            "security" => 50,
            _ => {
                self.is_whole = false;
                0
            }
        }
    }

    fn rule(&self, entry: &Entry<'_>, after: usize, starts: &BTreeMap<usize, String>) -> Rule {
        let target = match entry.verdict() {
            Some(Verdict::Target(target)) => Some(target),
            // Kernel: a rule without a target leads to the next one.
            Some(Verdict::Offset(offset)) if offset == after => Some(Target::None),
            Some(Verdict::Offset(offset)) => starts.get(&offset).map(|chain| {
                let chain = chain.as_str().into();
                if entry.is_goto() {
                    Target::Goto(chain)
                } else {
                    Target::Jump(chain)
                }
            }),
            None => entry.target(self.sets),
        };
        let body = match (entry.matches(self.sets), target) {
            (Some(matches), Some(target)) => RuleBody::Xt(xt::Rule { matches, target }),
            _ => RuleBody::Gap("a rule whose bytes are damaged".into()),
        };
        Rule {
            comment: comment(&body),
            body,
            handle: None,
            text: None,
        }
    }
}

fn comment(body: &RuleBody) -> Option<Box<str>> {
    let RuleBody::Xt(rule) = body else {
        return None;
    };
    rule.matches.iter().find_map(|test| {
        if let Match::Comment(text) = test {
            Some(text.clone())
        } else {
            None
        }
    })
}

/// Takes off the RETURN that ends every user's chain without being one of its rules.
fn end_user_chain(chain: Option<&mut Chain>) {
    if let Some(chain) = chain.filter(|chain| chain.base.is_none()) {
        let is_return = chain.rules.last().is_some_and(|rule| match &rule.body {
            RuleBody::Xt(rule) => rule.matches.is_empty() && rule.target == Target::Return,
            RuleBody::Nft(_) | RuleBody::Gap(_) => false,
        });
        if is_return {
            let _ = chain.rules.pop();
        }
    }
}
