//! The evaluator against a slow, plain one of its own: every source of small hosts, tried one
//! by one, is in the region that ends as it does.
//!
//! `PLAIN_HOSTS` says how many hosts, `PLAIN_FIRST` from which seed on.
#![expect(
    clippy::disallowed_methods,
    reason = "how many hosts are tried is for whoever runs it to say"
)]

use testkit::plain::compare::{Count, compare};
use testkit::plain::{World, draw};

/// Hosts of an ordinary run.
const HOSTS: u64 = 100;

fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn every_source_ends_as_its_region_says() {
    let first = number("PLAIN_FIRST", 1);
    let mut sum = Count::default();
    let mut wrong = Vec::new();
    for seed in first..first + number("PLAIN_HOSTS", HOSTS) {
        let rules = draw::rules(seed);
        let compared = World::new(&rules.xt, &rules.nft).and_then(|world| compare(&world));
        match compared {
            Ok(count) => {
                sum.questions += count.questions;
                sum.regions += count.regions;
                sum.connections += count.connections;
            }
            Err(why) => {
                if wrong.is_empty() {
                    println!("{}\n{}", rules.xt, rules.nft);
                }
                wrong.push(format!("host {seed}: {why}"));
            }
        }
    }
    println!("{sum:?}, {} hosts wrong", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
