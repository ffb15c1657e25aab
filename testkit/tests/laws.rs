//! Laws that hold for all inputs: what is printed reads back as the same model.

use host::nft::Expr;
use host::parse::{Input, nft_list};
use host::{RuleBody, Table, print};
use proptest::prelude::*;
use testkit::truth::generate;
use testkit::truth::spec::Tool;
use testkit::truth::vocabulary::printable;

fn read(text: &str) -> Vec<Table> {
    let (tables, problems) = nft_list(Input {
        name: "listing",
        text: text.as_bytes(),
    });
    assert_eq!(problems, [], "{text}");
    tables
}

/// A table without what text tells otherwise: the lines that rules were read from, the order of
/// elements, and the place among the sets of one that belongs to a rule.
fn comparable(table: &Table) -> Table {
    let mut table = table.clone();
    let first = table.sets.iter().filter(|set| !set.anonymous).count();
    table.sets.sort_by_key(|set| set.anonymous);
    for (at, set) in table.sets.iter_mut().enumerate() {
        set.elements.sort_by(|a, b| a.key.cmp(&b.key));
        if at >= first {
            set.name = String::new();
        }
    }
    for rule in table.chains.iter_mut().flat_map(|chain| &mut chain.rules) {
        rule.text = None;
        if let RuleBody::Nft(exprs) = &mut rule.body {
            for expr in exprs {
                if let Expr::Lookup { set, .. } = expr
                    && set.starts_with("__set")
                {
                    *set = "".into();
                }
            }
        }
    }
    table
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn tables_of_nftables_print_as_what_they_were_read_from(seed in any::<u64>()) {
        let spec = printable(generate::host(seed, 0));
        for load in spec.loads.iter().filter(|load| load.tool == Tool::Nft) {
            let tables = read(&load.text());
            let text: String = tables.iter().map(|table| print::nft_table(table, &[])).collect();
            prop_assert_eq!(print::not_printed(&text), Vec::<&str>::new());
            let again = read(&text);
            for (table, again) in tables.iter().zip(&again) {
                for (chain, same) in table.chains.iter().zip(&again.chains) {
                    prop_assert_eq!(chain.rules.len(), same.rules.len());
                }
                prop_assert_eq!(comparable(table), comparable(again), "{}", text);
            }
            prop_assert_eq!(tables.len(), again.len());
        }
    }
}
