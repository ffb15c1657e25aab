//! Where a rule is, what it says, and the command that shows it.

use std::net::IpAddr;

use host::{Chain, Host, Language, Rule, Table, TableFamily};
use net::{Family, Proto};
use trace::{Cause, Outcome, Region, RuleRef};

use crate::{Story, escape};

use super::ends::Ends;

/// The table and chain that a step names; absent if the trace is of another host.
pub(crate) fn chain_at<'a>(host: &'a Host, at: &RuleRef) -> Option<(&'a Table, &'a Chain)> {
    let table = host.ruleset.tables.get(at.table)?;
    Some((table, table.chains.get(at.chain)?))
}

/// The rule that a step names; absent for a policy.
pub(crate) fn rule_at<'a>(host: &'a Host, at: &RuleRef) -> Option<&'a Rule> {
    chain_at(host, at)?.1.rules.get(at.rule?)
}

/// A rule by place: `filter INPUT #2` in a base chain, `KUBE-SERVICES #4` in another, with
/// its table where two tables have a chain of that name.
pub(crate) fn place(host: &Host, at: &RuleRef) -> String {
    let Some((table, chain)) = chain_at(host, at) else {
        return "a rule".to_owned();
    };
    let namesakes = host.ruleset.tables.iter().filter(|other| {
        meets(other.family, table.family) && other.chains.iter().any(|c| c.name == chain.name)
    });
    let name = escape::terminal(&chain.name);
    let number = at
        .rule
        .map_or("policy".to_owned(), |n| format!("#{}", n + 1));
    if chain.base.is_some() || namesakes.count() > 1 {
        format!("{} {name} {number}", table_words(host, at.table))
    } else {
        format!("{name} {number}")
    }
}

/// A table by name, with its family or language where the name alone is not enough.
pub(crate) fn table_words(host: &Host, index: usize) -> String {
    let Some(table) = host.ruleset.tables.get(index) else {
        return String::new();
    };
    let name = escape::terminal(&table.name);
    let namesake = host.ruleset.tables.iter().enumerate().find(|(other, t)| {
        *other != index && t.name == table.name && meets(t.family, table.family)
    });
    match (namesake, table.language) {
        (None, _) => name,
        (Some(_), Language::Legacy) => format!("legacy {name}"),
        (Some(_), Language::Nft) => format!("{} {name}", table.family),
    }
}

/// Whether one packet can see tables of both families.
fn meets(a: TableFamily, b: TableFamily) -> bool {
    a == b || a == TableFamily::Inet || b == TableFamily::Inet
}

/// Whether a table is one of iptables', whoever evaluates it.
pub(crate) fn speaks_xt(table: &Table) -> bool {
    table.is_of_iptables()
}

/// A rule as its own language writes it.
pub(super) fn rule_text(chain: &Chain, rule: &Rule) -> String {
    match &rule.text {
        Some(text) => escape::terminal(text),
        None => escape::terminal(&host::print::rule(&chain.name, rule)),
    }
}

/// The text of the rule that a step names; absent for a policy.
pub(crate) fn text_at(host: &Host, at: &RuleRef) -> Option<String> {
    let (_, chain) = chain_at(host, at)?;
    Some(rule_text(chain, rule_at(host, at)?))
}

/// A command that shows what decided, without us.
pub(crate) fn default_check(story: &Story, region: &Region, outcome: &Outcome) -> String {
    let to = outcome.to.unwrap_or(story.question.to);
    let cause = match &outcome.cause {
        Cause::AnswerLost(inner) | Cause::HandshakeLost(inner) => inner,
        cause => cause,
    };
    match cause {
        Cause::RuleDrops | Cause::RuleRejects(_) | Cause::PolicyDrops => {
            let step = outcome.deciding();
            let at = step.and_then(|step| step.rule.as_ref());
            at.map_or(String::new(), |at| rule_check(story.host, at))
        }
        Cause::Socket | Cause::NothingListens | Cause::BoundOnly | Cause::WrongSource => {
            let flag = match story.question.proto {
                Proto::UDP => "u",
                Proto::SCTP => "S",
                _ => "t",
            };
            format!("ss -anp{flag} 'sport = :{}'", to.port)
        }
        Cause::ForwardingOff => match Family::of(to.addr) {
            Family::V4 => "sysctl net.ipv4.ip_forward".to_owned(),
            Family::V6 => "sysctl net.ipv6.conf.all.forwarding".to_owned(),
        },
        Cause::ReversePath => {
            let iif = arrival(outcome).unwrap_or("all");
            let iif = escape::shell(&iif.replace('.', "/"));
            format!("sysctl net.ipv4.conf.all.rp_filter net.ipv4.conf.{iif}.rp_filter")
        }
        Cause::Leaves => route_check(outcome, to.addr, region.first()),
        Cause::NoRoute
        | Cause::Blackhole
        | Cause::Unreachable
        | Cause::Prohibited
        | Cause::NotUnicast
        | Cause::Martian => {
            let ends = Ends::at_end(story, region, outcome);
            let is_answer = *cause != outcome.cause;
            let to = ends.dst.addr().or_else(|| region.first());
            let to = to.unwrap_or(story.question.to.addr);
            route_check(outcome, to, region.first().filter(|_| !is_answer))
        }
        Cause::Gap | Cause::AnswerLost(_) | Cause::HandshakeLost(_) => String::new(),
    }
}

/// The interface that packets come in on.
pub(crate) fn arrival(outcome: &Outcome) -> Option<&str> {
    outcome.steps.iter().find_map(|step| match &step.did {
        trace::Did::Arrives { iif } => Some(iif.as_str()),
        _ => None,
    })
}

fn rule_check(host: &Host, at: &RuleRef) -> String {
    let Some((table, chain)) = chain_at(host, at) else {
        return String::new();
    };
    let (name, chain_name) = (escape::shell(&table.name), escape::shell(&chain.name));
    if !speaks_xt(table) {
        let family = table.family;
        return format!("nft -a list chain {family} {name} {chain_name}");
    }
    let six = if table.family == TableFamily::Ip6 {
        "6"
    } else {
        ""
    };
    let has_nft = host
        .ruleset
        .tables
        .iter()
        .any(|t| t.language == Language::Nft);
    let legacy = if table.language == Language::Legacy && has_nft {
        "-legacy"
    } else {
        ""
    };
    // `-S CHAIN` without a number shows the policy first.
    let number = at.rule.map_or(String::new(), |n| format!(" {}", n + 1));
    format!("ip{six}tables{legacy} -t {name} -S {chain_name}{number}")
}

fn route_check(outcome: &Outcome, to: IpAddr, source: Option<IpAddr>) -> String {
    let six = if Family::of(to) == Family::V6 {
        " -6"
    } else {
        ""
    };
    let arrives = arrival(outcome).map(escape::shell);
    match (arrives, source) {
        (Some(iif), Some(source)) => format!("ip{six} route get {to} from {source} iif {iif}"),
        _ => format!("ip{six} route get {to}"),
    }
}
