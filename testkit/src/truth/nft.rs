//! Random native nftables.

mod actions;
mod matches;
mod sets;

use super::pool::Pool;
use super::rng::Rng;
use super::spec::{Chain, Part, Rule, Table};

/// What a rule may say depends on where it stands.
#[derive(Debug, Clone, Copy)]
struct Spot<'a> {
    pool: Pool<'a>,
    /// `ip`, `ip6` or `inet`.
    family: &'static str,
    /// The family of the packets this rule is about.
    is_v6: bool,
    hook: &'static str,
    /// The base chain's type.
    kind: &'static str,
    /// Other chains that it may lead to.
    below: &'a [String],
}

impl Spot<'_> {
    fn is_one_of(&self, hooks: &[&str]) -> bool {
        hooks.contains(&self.hook)
    }

    /// The word before address fields.
    fn ip(&self) -> &'static str {
        if self.is_v6 { "ip6" } else { "ip" }
    }
}

const FILTER: [i32; 18] = [
    -450, -310, -300, -290, -225, -199, -150, -149, -110, -101, -99, -10, 0, 0, 10, 50, 101, 300,
];
const NAT_DST: [i32; 7] = [-199, -150, -110, -100, -100, -90, 0];
const NAT_SRC: [i32; 6] = [-150, 0, 90, 100, 100, 300];

/// Random tables.
pub fn tables(rng: &mut Rng, pool: Pool<'_>) -> Vec<Table> {
    let count = 1 + rng.below(3);
    (0..count)
        .map(|number| {
            let family = rng.weighted(&[(5, "inet"), (3, "ip"), (2, "ip6")]);
            table(rng, pool, family, number)
        })
        .collect()
}

fn table(rng: &mut Rng, pool: Pool<'_>, family: &'static str, number: usize) -> Table {
    let sets = sets::named(rng, pool, family);
    let mut chains = Vec::new();
    for base in 0..2 + rng.below(4) {
        let (hook, kind, mut priority) = place(rng);
        if pool.beside_legacy && priority % 50 == 0 && rng.percent(85) {
            priority += 1;
        }
        let names: Vec<String> = (0..rng.below(3))
            .map(|user| format!("c{base}_{user}"))
            .collect();
        let spot = Spot {
            pool,
            family,
            is_v6: family == "ip6",
            hook,
            kind,
            below: &[],
        };
        for (position, name) in names.iter().enumerate().rev() {
            let below = &names[position + 1..];
            chains.push(Chain {
                name: name.clone(),
                head: String::new(),
                rules: rules(rng, Spot { below, ..spot }, 3),
            });
        }
        let drops = kind == "filter" && rng.percent(7);
        let policy = if drops { "drop" } else { "accept" };
        let below = &names[..];
        chains.push(Chain {
            name: format!("b{base}"),
            head: format!("type {kind} hook {hook} priority {priority}; policy {policy};"),
            rules: rules(rng, Spot { below, ..spot }, 4),
        });
    }
    Table {
        name: format!("{family} t{number}"),
        sets,
        chains,
    }
}

/// Where a base chain sits.
fn place(rng: &mut Rng) -> (&'static str, &'static str, i32) {
    match rng.below(10) {
        0 | 1 => ("prerouting", "nat", *rng.pick(&NAT_DST)),
        2 => ("output", "nat", *rng.pick(&NAT_DST)),
        3 => ("postrouting", "nat", *rng.pick(&NAT_SRC)),
        4 if rng.percent(40) => ("input", "nat", *rng.pick(&NAT_SRC)),
        4 => ("output", "route", *rng.pick(&[-150, -300, 0])),
        _ => {
            let hooks = ["prerouting", "input", "forward", "output", "postrouting"];
            (*rng.pick(&hooks), "filter", *rng.pick(&FILTER))
        }
    }
}

fn rules(rng: &mut Rng, spot: Spot<'_>, most: usize) -> Vec<Rule> {
    (0..=rng.below(most)).map(|_| rule(rng, spot)).collect()
}

fn rule(rng: &mut Rng, spot: Spot<'_>) -> Rule {
    let is_v6 = match spot.family {
        "ip" => false,
        "ip6" => true,
        _ => rng.percent(40),
    };
    let spot = Spot { is_v6, ..spot };
    let hint = spot.pool.hint(rng, is_v6);
    let action = actions::action(rng, spot, &hint);
    let mut tests: Vec<Part> = action.before;
    let count = if action.ends {
        1 + rng.below(3)
    } else {
        rng.weighted(&[(1, 0), (5, 1), (4, 2), (1, 3)])
    };
    // nft refuses tests of two protocols in one rule.
    let is_free = tests.is_empty() && !action.part.text.contains("dport");
    let mut drawn = 0;
    while drawn < count {
        if let Some(part) = matches::test(rng, spot, &hint, (is_free, &tests)) {
            tests.push(part);
            drawn += 1;
        }
    }
    Rule {
        watched: action.may_miss,
        tests,
        action: action.part,
    }
}
