//! Random tables of iptables, for either of its two kernels' languages.

mod actions;
mod matches;

use super::pool::Pool;
use super::rng::Rng;
use super::spec::{Chain, Part, Rule, Set, Table};

/// What a rule may say depends on where it stands.
#[derive(Debug, Clone, Copy)]
struct Spot<'a> {
    pool: Pool<'a>,
    is_v6: bool,
    table: &'static str,
    /// The built-in chains from which the rule is reached.
    hooks: &'a [&'static str],
    ipsets: &'a [Set],
    /// User chains that it may lead to.
    below: &'a [String],
}

impl Spot<'_> {
    /// Whether every way to the rule is one of these.
    fn only(&self, hooks: &[&str]) -> bool {
        self.hooks.iter().all(|hook| hooks.contains(hook))
    }
}

const TABLES: [(&str, &[&str]); 4] = [
    ("raw", &["PREROUTING", "OUTPUT"]),
    (
        "mangle",
        &["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
    ),
    ("nat", &["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"]),
    ("filter", &["INPUT", "FORWARD", "OUTPUT"]),
];

/// Random tables for one family.
pub fn tables(rng: &mut Rng, pool: Pool<'_>, is_v6: bool, ipsets: &[Set]) -> Vec<Table> {
    let mut tables = Vec::new();
    for (name, hooks) in TABLES {
        let wanted = match name {
            "raw" => 25,
            "mangle" => 45,
            _ => 75,
        };
        if rng.percent(wanted) {
            tables.push(table(rng, (pool, is_v6, ipsets), name, hooks));
        }
    }
    tables
}

/// The user chain that several built-in chains of a table share.
const SHARED: &str = "shared";

/// A table: each built-in chain with user chains of its own, and one that several share.
fn table(
    rng: &mut Rng,
    (pool, is_v6, ipsets): (Pool<'_>, bool, &[Set]),
    name: &'static str,
    hooks: &'static [&'static str],
) -> Table {
    let spot = Spot {
        pool,
        is_v6,
        table: name,
        hooks,
        ipsets,
        below: &[],
    };
    let mut chains = Vec::new();
    let mut user = Vec::new();
    for hook in hooks {
        let hooks = std::slice::from_ref(hook);
        chains.push(built_in(rng, Spot { hooks, ..spot }, &mut user));
    }
    user.push(Chain {
        name: SHARED.to_owned(),
        head: "-".to_owned(),
        rules: rules(rng, spot, 3),
    });
    chains.extend(user);
    Table {
        name: name.to_owned(),
        sets: Vec::new(),
        chains,
    }
}

/// A built-in chain; its user chains are added to `user`.
fn built_in(rng: &mut Rng, spot: Spot<'_>, user: &mut Vec<Chain>) -> Chain {
    let hook = spot.hooks[0];
    let mut names: Vec<String> = (0..rng.below(3))
        .map(|number| format!("{}-{number}", hook.to_lowercase()))
        .collect();
    if rng.percent(25) {
        names.push(SHARED.to_owned());
    }
    for (position, name) in names.iter().enumerate().filter(|(_, name)| *name != SHARED) {
        let below = &names[position + 1..];
        user.push(Chain {
            name: name.clone(),
            head: "-".to_owned(),
            rules: rules(rng, Spot { below, ..spot }, 3),
        });
    }
    let drops = spot.table == "filter" && rng.percent(8);
    let below = &names[..];
    Chain {
        name: hook.to_owned(),
        head: if drops { "DROP" } else { "ACCEPT" }.to_owned(),
        rules: rules(rng, Spot { below, ..spot }, 4),
    }
}

fn rules(rng: &mut Rng, spot: Spot<'_>, most: usize) -> Vec<Rule> {
    (0..=rng.below(most)).map(|_| rule(rng, spot)).collect()
}

/// A rule: what it does is drawn first, because it may ask for a protocol; what ends packets
/// asks for more tests.
fn rule(rng: &mut Rng, spot: Spot<'_>) -> Rule {
    let hint = spot.pool.hint(rng, spot.is_v6);
    let action = actions::action(rng, spot, &hint);
    let count = if action.ends {
        1 + rng.below(3)
    } else {
        rng.weighted(&[(1, 0), (5, 1), (4, 2), (1, 3)])
    };
    let mut tests: Vec<Part> = Vec::new();
    let needs_proto = action.needs_proto || rng.percent(35);
    if needs_proto {
        tests.push(Part::new("xt -p", format!("-p {}", hint.transport)));
    }
    while tests.len() < count {
        let drawn = matches::test(rng, spot, &hint, needs_proto);
        tests.extend(drawn.filter(|part| !tests.iter().any(|other| clash(other, part))));
    }
    // A counting rule repeats all tests but the last: what keeps state comes last.
    tests.sort_by_key(|part| part.stateful);
    let repeats_state = tests.iter().rev().skip(1).any(|part| part.stateful);
    Rule {
        watched: !repeats_state && !tests.is_empty() && rng.percent(60),
        tests,
        action: action.part,
    }
}

/// Two tests that iptables takes once only.
fn clash(left: &Part, right: &Part) -> bool {
    let option = |part: &Part| {
        let text = part.text.trim_start_matches("! ");
        text.split(' ').next().unwrap_or_default().to_owned()
    };
    left.kind == right.kind || (option(left) == option(right) && option(left) != "-m")
}
