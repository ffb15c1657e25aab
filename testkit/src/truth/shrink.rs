//! Makes a host that was foretold wrongly as small as it can be and still be so.

use super::run::{self, Report};
use super::spec::HostSpec;

/// The most hosts that are built for one.
const MOST: usize = 250;

/// Leaves out packets, tables, chains' rules, single tests, routes, settings, sets and
/// listeners, as long as a packet is foretold wrongly. Returns the smallest host found, and
/// how it went.
pub fn shrink(spec: &HostSpec, report: &Report) -> (HostSpec, Report) {
    let mut best = (spec.clone(), report.clone());
    if let Some(wrong) = report.first_wrong() {
        let mut one = spec.clone();
        one.packets = vec![wrong.packet.clone()];
        let mut left = MOST;
        keep_if_wrong(&mut best, one, &mut left);
        while left > 0 && round(&mut best, &mut left) {}
    }
    best
}

/// Takes `smaller` for the best if it is still wrong.
fn keep_if_wrong(best: &mut (HostSpec, Report), smaller: HostSpec, left: &mut usize) -> bool {
    if *left == 0 {
        return false;
    }
    *left -= 1;
    // What cannot be built is no smaller case.
    match run::quick(&smaller) {
        Ok(report) if report.first_wrong().is_some() => {
            *best = (smaller, report);
            true
        }
        _ => false,
    }
}

/// A way to leave out the part of a number; false once the number is beyond the last.
type Cut = fn(&mut HostSpec, usize) -> bool;

/// From the coarse to the fine.
const CUTS: [Cut; 10] = [
    cut_load,
    cut_table,
    cut_rules,
    cut_rule,
    cut_chain,
    cut_line,
    cut_setting,
    cut_set,
    cut_listener,
    cut_test,
];

/// Tries every cut once; whether one helped.
fn round(best: &mut (HostSpec, Report), left: &mut usize) -> bool {
    let mut helped = false;
    for cut in CUTS {
        let mut number = 0;
        loop {
            let mut smaller = best.0.clone();
            if !cut(&mut smaller, number) {
                break;
            }
            if smaller != best.0 && keep_if_wrong(best, smaller, left) {
                helped = true;
            } else {
                number += 1;
            }
        }
    }
    helped
}

fn remove<T>(items: &mut Vec<T>, number: usize) -> bool {
    let fits = number < items.len();
    if fits {
        items.remove(number);
    }
    fits
}

fn cut_load(spec: &mut HostSpec, number: usize) -> bool {
    remove(&mut spec.loads, number)
}

fn cut_table(spec: &mut HostSpec, mut number: usize) -> bool {
    for load in &mut spec.loads {
        if remove(&mut load.tables, number) {
            return true;
        }
        number -= load.tables.len();
    }
    false
}

/// Calls `change` with the chain of that number.
fn in_chain(
    spec: &mut HostSpec,
    number: usize,
    change: impl FnOnce(&mut super::spec::Chain) -> bool,
) -> Option<bool> {
    let chain = spec
        .loads
        .iter_mut()
        .flat_map(|load| &mut load.tables)
        .flat_map(|table| &mut table.chains)
        .nth(number)?;
    Some(change(chain))
}

/// All rules of a chain that has some; numbers count all chains.
fn cut_rules(spec: &mut HostSpec, number: usize) -> bool {
    let cut = in_chain(spec, number, |chain| {
        chain.rules.clear();
        true
    });
    cut.is_some() && spec.rules().next().is_some()
}

fn cut_rule(spec: &mut HostSpec, mut number: usize) -> bool {
    for chain in 0.. {
        let mut rules = 0;
        let cut = in_chain(spec, chain, |chain| {
            rules = chain.rules.len();
            remove(&mut chain.rules, number)
        });
        match cut {
            Some(true) => return true,
            Some(false) => number -= rules,
            None => return false,
        }
    }
    false
}

/// A chain; the loading program refuses to lose one that a rule leads to.
fn cut_chain(spec: &mut HostSpec, mut number: usize) -> bool {
    let tables = spec.loads.iter_mut().flat_map(|load| &mut load.tables);
    for table in tables {
        if remove(&mut table.chains, number) {
            return true;
        }
        number -= table.chains.len();
    }
    false
}

/// One test of a rule with its counting rule.
fn cut_test(spec: &mut HostSpec, mut number: usize) -> bool {
    let rules = spec
        .loads
        .iter_mut()
        .flat_map(|load| &mut load.tables)
        .flat_map(|table| &mut table.chains)
        .flat_map(|chain| &mut chain.rules);
    for rule in rules {
        if rule.watched {
            if number == 0 {
                rule.watched = false;
                return true;
            }
            number -= 1;
        }
        if remove(&mut rule.tests, number) {
            return true;
        }
        number -= rule.tests.len();
    }
    false
}

fn cut_line(spec: &mut HostSpec, number: usize) -> bool {
    remove(&mut spec.ip, number)
}

fn cut_setting(spec: &mut HostSpec, number: usize) -> bool {
    remove(&mut spec.sysctls, number)
}

fn cut_listener(spec: &mut HostSpec, number: usize) -> bool {
    remove(&mut spec.listeners, number)
}

/// An ipset, then a set of a table.
fn cut_set(spec: &mut HostSpec, mut number: usize) -> bool {
    if remove(&mut spec.ipsets, number) {
        return true;
    }
    number -= spec.ipsets.len();
    let tables = spec.loads.iter_mut().flat_map(|load| &mut load.tables);
    for table in tables {
        if remove(&mut table.sets, number) {
            return true;
        }
        number -= table.sets.len();
    }
    false
}
