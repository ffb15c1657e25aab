//! Tables as blocks: objects, sets, chains with their rules.

use std::fmt::Write as _;

use crate::nft::{Object, ObjectBody};
use crate::{Base, Chain, ChainKind, Hook, Link, Policy, Rule, RuleBody, Table, TableFamily};

use super::{Scope, exprs, set, statement};

/// A table as `nft list ruleset` shows it.
pub(in crate::print) fn table(table: &Table, links: &[Link]) -> String {
    let scope = Scope {
        table: Some(table),
        links,
    };
    let mut head = String::new();
    if let Some(comment) = &table.comment {
        let _ = writeln!(head, "\tcomment \"{comment}\"");
    }
    if table.dormant {
        head += "\tflags dormant\n";
    }
    let head = (!head.is_empty()).then_some(head);
    let objects = table.objects.iter().map(object);
    let named = table.sets.iter().filter(|set| !set.anonymous);
    let sets = named.map(|each| set::declared(each, scope));
    let chains = table.chains.iter().map(|each| chain(each, table, scope));
    let blocks = head.into_iter().chain(objects).chain(sets).chain(chains);
    let blocks: Vec<String> = blocks.collect();
    format!(
        "table {} {} {{\n{}}}\n",
        table.family,
        table.name,
        blocks.join("\n")
    )
}

fn object(object: &Object) -> String {
    let (word, body) = match (object.kind, object.body) {
        (1, _) => ("counter", "packets 0 bytes 0".to_owned()),
        (_, ObjectBody::Quota { bytes, over }) => {
            let over = if over { "over " } else { "" };
            ("quota", format!("{over}{}", statement::size(bytes)))
        }
        (_, ObjectBody::Limit(limit)) => {
            let text = statement::limit(limit);
            let rate = text.strip_prefix("limit ").unwrap_or(&text);
            ("limit", rate.to_owned())
        }
        (kind, ObjectBody::Nothing | ObjectBody::Unread) => {
            ("[object]", format!("[of kind {kind}]"))
        }
    };
    format!("\t{word} {} {{\n\t\t{body}\n\t}}\n", object.name)
}

fn chain(chain: &Chain, table: &Table, scope: Scope<'_>) -> String {
    let mut text = format!("\tchain {} {{\n", chain.name);
    if let Some(comment) = &chain.comment {
        let _ = writeln!(text, "\t\tcomment \"{comment}\"");
    }
    if let Some(base) = &chain.base {
        let _ = writeln!(text, "\t\t{}", self::base(base, table.family));
    }
    for rule in &chain.rules {
        let _ = writeln!(text, "\t\t{}", self::rule(rule, scope));
    }
    text + "\t}\n"
}

fn rule(rule: &Rule, scope: Scope<'_>) -> String {
    match &rule.body {
        RuleBody::Nft(list) => {
            let line = exprs(list, scope);
            match &rule.comment {
                Some(comment) => format!("{line} comment \"{comment}\""),
                None => line,
            }
        }
        RuleBody::Gap(what) => format!("[{what}]"),
        RuleBody::Xt(xt) => format!("[{}]", crate::print::xt_rule("", xt)),
    }
}

fn base(base: &Base, family: TableFamily) -> String {
    let kind = match base.kind {
        ChainKind::Filter => "filter",
        ChainKind::Nat => "nat",
        ChainKind::Route => "route",
    };
    let hook = match base.hook {
        Hook::Ingress => "ingress",
        Hook::Prerouting => "prerouting",
        Hook::Input => "input",
        Hook::Forward => "forward",
        Hook::Output => "output",
        Hook::Postrouting => "postrouting",
        Hook::Egress => "egress",
    };
    let quoted = |name: &String| format!("\"{name}\"");
    let devices = match &base.devices[..] {
        [] => String::new(),
        [one] if !one.ends_with('*') => format!(" device {}", quoted(one)),
        many => {
            let names: Vec<_> = many.iter().map(quoted).collect();
            format!(" devices = {{ {} }}", names.join(", "))
        }
    };
    let policy = match base.policy {
        Policy::Accept => "accept",
        Policy::Drop => "drop",
    };
    let priority = priority(base, family);
    format!("type {kind} hook {hook}{devices} priority {priority}; policy {policy};")
}

/// The name of a priority and what is added to it, where nft has one close by.
fn priority(base: &Base, family: TableFamily) -> String {
    const CLOSE: i32 = 10;
    let number = base.priority;
    let is_at = |hook: Hook| base.hook == hook;
    let named: &[(i32, &str, bool)] = match family {
        TableFamily::Ip | TableFamily::Ip6 | TableFamily::Inet => &[
            (-300, "raw", true),
            (-150, "mangle", true),
            (-100, "dstnat", is_at(Hook::Prerouting)),
            (0, "filter", true),
            (50, "security", true),
            (100, "srcnat", is_at(Hook::Postrouting)),
        ],
        TableFamily::Arp | TableFamily::Netdev => &[(0, "filter", true)],
        TableFamily::Bridge => &[
            (-300, "dstnat", is_at(Hook::Prerouting)),
            (-200, "filter", true),
            (100, "out", is_at(Hook::Output)),
            (300, "srcnat", is_at(Hook::Postrouting)),
        ],
    };
    let close = named
        .iter()
        .find(|(at, _, fits)| *fits && number.abs_diff(*at) <= CLOSE.unsigned_abs());
    match close {
        Some((at, name, _)) if number > *at => format!("{name} + {}", number - at),
        Some((at, name, _)) if number < *at => format!("{name} - {}", at - number),
        Some((_, name, _)) => (*name).to_owned(),
        None => number.to_string(),
    }
}
