//! Recorded rules print as they were recorded.

use crate::parse::{Input, iptables_save};
use crate::{Rule, Table};

fn read(text: &str) -> Vec<Table> {
    let input = Input {
        name: "rules.txt",
        text: text.as_bytes(),
    };
    let (tables, _, problems) = iptables_save(input);
    assert_eq!(problems, []);
    tables
}

fn rules(tables: &[Table]) -> impl Iterator<Item = (&str, &Rule)> {
    let chains = tables.iter().flat_map(|table| &table.chains);
    chains.flat_map(|chain| chain.rules.iter().map(|rule| (&*chain.name, rule)))
}

/// Every file of rules of the recorded node.
fn story() -> Vec<String> {
    let story = "../testkit/data/kube-proxy-1.20-story";
    let file = |name| std::fs::read_to_string(format!("{story}/{name}")).unwrap();
    [
        "nft/before/iptables-save.txt",
        "nft/before/ip6tables-save.txt",
        "nft/after/iptables-save.txt",
        "nft/after/ip6tables-save.txt",
        "legacy/before/iptables-save.txt",
        "legacy/before/ip6tables-save.txt",
        "legacy/after/iptables-save.txt",
        "legacy/after/ip6tables-save.txt",
    ]
    .map(file)
    .into()
}

#[test]
fn what_nft_refuses_is_told() {
    let table = Table {
        family: crate::TableFamily::Inet,
        name: "t".to_owned(),
        language: crate::Language::Nft,
        handle: None,
        dormant: false,
        comment: None,
        chains: vec![crate::Chain {
            name: "c".to_owned(),
            base: None,
            handle: None,
            comment: None,
            rules: vec![Rule {
                body: crate::RuleBody::Gap("a rule whose bytes are damaged".into()),
                handle: None,
                comment: None,
                text: None,
            }],
        }],
        sets: Vec::new(),
        objects: Vec::new(),
    };
    let text = super::nft_table(&table, &[]);
    assert_eq!(
        super::not_printed(&text),
        ["[a rule whose bytes are damaged]"]
    );
    let loads = "dnat ip6 to [fd00::1]:80 comment \"[x]\"";
    assert_eq!(super::not_printed(loads), [""; 0]);
}

#[test]
fn recorded_rules_print_as_they_were_recorded() {
    for file in story() {
        for (chain, rule) in rules(&read(&file)) {
            assert_eq!(super::rule(chain, rule), rule.text.as_deref().unwrap());
        }
    }
}
