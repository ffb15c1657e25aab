//! Readers of text: what programs print about a host, and what people write by hand.

use std::str;

use host::parse::{self, Input, Problem};
use host::{RuleBody, Table, print};
use net::{Endpoint, Family, Prefix, Proto, ServiceName};
use service::{Catalog, PodName};

/// The index of any link.
fn index_of(name: &str) -> Option<u32> {
    u32::try_from(name.len()).ok()
}

pub(crate) fn input(text: &[u8]) -> Input<'_> {
    Input {
        name: "input",
        text,
    }
}

pub(crate) fn kind(text: &[u8]) {
    let _ = parse::kind(text);
}

pub(crate) fn iptables_save(text: &[u8]) {
    let (tables, _, problems) = parse::iptables_save(input(text));
    printed(&tables);
    told(&problems);
}

pub(crate) fn nft_list(text: &[u8]) {
    let (tables, problems) = parse::nft_list(input(text));
    printed(&tables);
    told(&problems);
}

pub(crate) fn nft_json(text: &[u8]) {
    let (tables, problems) = parse::nft_json(input(text));
    printed(&tables);
    told(&problems);
}

pub(crate) fn ipset_save(text: &[u8]) {
    told(&parse::ipset_save(input(text)).1);
}

pub(crate) fn conntrack(text: &[u8]) {
    told(&parse::conntrack(input(text)).1);
}

pub(crate) fn ss(text: &[u8]) {
    told(&parse::ss(input(text), index_of).1);
}

pub(crate) fn ip_json(text: &[u8]) {
    told(&parse::ip_links(input(text)).1);
    told(&parse::ip_addresses(input(text)).1);
    told(&parse::ip_routes(input(text), index_of).1);
    told(&parse::ip_rules(input(text), Family::V4).1);
    told(&parse::ip_rules(input(text), Family::V6).1);
}

pub(crate) fn sysctl(text: &[u8]) {
    told(&parse::sysctls(input(text)).1);
}

/// Short forms of flags and words of a target: what is read reads the same when it is printed.
pub(crate) fn short(text: &[u8]) {
    let Ok(text) = str::from_utf8(text) else {
        return;
    };
    let _ = parse::listen(text);
    let _ = parse::address(text);
    let _ = parse::route(text, index_of);
    again::<Endpoint>(text);
    again::<Prefix>(text);
    again::<Proto>(text);
    again::<ServiceName>(text);
    again::<PodName>(text);
}

fn again<T: str::FromStr + ToString + PartialEq>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let printed = value.to_string();
        let read = printed.parse::<T>().ok();
        assert!(read == Some(value), "`{text}` prints as `{printed}`");
    }
}

pub(crate) fn manifest(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let (objects, problems) = service::manifest::parse("input", &text);
    for problem in problems {
        let _ = problem.to_string();
    }
    let _ = Catalog::new(&objects);
}

/// Prints every rule in its own language.
pub(crate) fn printed(tables: &[Table]) {
    for chain in tables.iter().flat_map(|table| &table.chains) {
        for rule in &chain.rules {
            let _ = print::rule(&chain.name, rule);
            match &rule.body {
                RuleBody::Xt(body) => drop(print::xt_rule(&chain.name, body)),
                RuleBody::Nft(exprs) => drop(print::exprs_line(exprs)),
                RuleBody::Gap(_) => {}
            }
        }
    }
}

/// Tells what was wrong; a file of garbage must not drown its reader.
pub(crate) fn told(problems: &[Problem]) {
    for problem in problems {
        let told = problem.to_string();
        assert!(told.len() < 4096, "{told}");
    }
    assert!(problems.len() < 1000, "{} problems", problems.len());
}
