//! What runs at a hook: conntrack, NAT and base chains, one behind another.

use std::collections::BTreeSet;
use std::rc::Rc;

use host::xt::RejectWith;
use host::{Hook, Language, Policy};

use crate::answer::{Cause, Did, RuleRef};
use crate::chain::{Flow, Place};
use crate::eval::{Eval, Fork};
use crate::hook::{ChainRef, Item, reroutes};
use crate::packet::State;
use crate::ways::{Ways, all, each, sift};

/// What a hook does with them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fate {
    Pass,
    Drop(Cause),
    /// Rejected; at this hook, which decides what a local sender sees.
    Reject(RejectWith),
    Queue,
    Unknown(Rc<str>),
}

impl From<Flow> for Fate {
    fn from(flow: Flow) -> Self {
        match flow {
            Flow::Accept | Flow::Return | Flow::Bound => Self::Pass,
            Flow::Drop(cause) => Self::Drop(cause),
            Flow::Reject(with) => Self::Reject(with),
            Flow::Queue => Self::Queue,
            Flow::Unknown(why) => Self::Unknown(why),
        }
    }
}

impl Eval<'_> {
    /// Sends the packets of a state through a hook.
    pub(crate) fn hook(&mut self, state: State, hook: Hook) -> Ways<Fate> {
        let order = self.order(state.family, hook);
        let (mut done, mut open) = (Vec::new(), vec![state]);
        for group in &order.filter {
            let ways = each(open, |state| {
                self.in_any_order(state, hook, group, |eval, state, order| {
                    eval.in_order(state, hook, order)
                })
            });
            open = sift(ways, &mut done, |fate| *fate == Fate::Pass);
        }
        done.extend(all(open, &Fate::Pass));
        done
    }

    /// Runs what has one priority in each order that is possible; one is enough where all
    /// end alike.
    pub(crate) fn in_any_order<T: PartialEq>(
        &mut self,
        state: State,
        hook: Hook,
        orders: &[Vec<Item>],
        run: impl Fn(&mut Self, State, &[Item]) -> Ways<T>,
    ) -> Ways<T> {
        if let [only] = orders {
            return run(self, state, only);
        }
        let why = self.order_unknown(hook, &orders[0]);
        let fork = self.new_fork(Fork::Gap(why.into()));
        let mut found: Vec<Ways<T>> = Vec::new();
        for (branch, order) in orders.iter().enumerate() {
            let mut state = state.clone();
            state.choose(fork, branch);
            let ways = run(self, state, order);
            if self.every_way || !found.iter().any(|known| are_alike(known, &ways)) {
                found.push(ways);
            }
        }
        found.into_iter().flatten().collect()
    }

    fn order_unknown(&self, hook: Hook, items: &[Item]) -> String {
        let tables = &self.host.ruleset.tables;
        let languages = items.iter().filter_map(|item| match item {
            Item::Chain((table, _)) => Some(tables[*table].language),
            Item::Conntrack | Item::Nat => None,
        });
        let languages: BTreeSet<Language> = languages.collect();
        let name = |item: &Item| match item {
            Item::Conntrack => "conntrack".to_owned(),
            Item::Nat => "the NAT chains".to_owned(),
            Item::Chain((table, chain)) => {
                let table = &tables[*table];
                let language = match table.language {
                    _ if languages.len() < 2 => "",
                    Language::Legacy => "legacy ",
                    Language::Nft => "nft ",
                };
                let chain = &table.chains[*chain].name;
                format!("{language}table {} chain {chain}", table.name)
            }
        };
        let names: Vec<String> = items.iter().map(name).collect();
        let names = names.join(" and ");
        let hook = format!("{hook:?}").to_uppercase();
        format!("which runs first in {hook} is not in a dump: {names} have one priority")
    }

    fn in_order(&mut self, state: State, hook: Hook, items: &[Item]) -> Ways<Fate> {
        let (mut done, mut open) = (Vec::new(), vec![state]);
        for item in items {
            let ways = each(open, |state| match item {
                Item::Conntrack => self.track(state),
                Item::Nat => self.translate(state, hook),
                Item::Chain(chain) => self.base_chain(state, hook, *chain),
            });
            open = self.gathered(sift(ways, &mut done, |fate| *fate == Fate::Pass));
        }
        done.extend(all(open, &Fate::Pass));
        done
    }

    /// A filter or route chain with its policy, and the new route its marks may lead to.
    fn base_chain(&mut self, state: State, hook: Hook, chain: ChainRef) -> Ways<Fate> {
        let mark = state.packet.mark;
        let mut ways = Vec::new();
        for (state, flow) in self.run_base(state, hook, chain) {
            let fate = Fate::from(flow);
            let moved = state.packet.mark != mark && reroutes(self.host, chain);
            if fate == Fate::Pass && moved {
                ways.extend(self.reroute(state));
                continue;
            }
            ways.push((state, fate));
        }
        ways
    }

    /// A base chain: its rules, and its policy for what they leave.
    pub(crate) fn run_base(
        &mut self,
        state: State,
        hook: Hook,
        (table, chain): ChainRef,
    ) -> Ways<Flow> {
        let outer = self.table.replace(table);
        let place = Place { hook, table, chain };
        let mut ways = self.run_chain(place, state, 0);
        self.table = outer;
        let host = self.host;
        let policy = host.ruleset.tables[table].chains[chain]
            .base
            .as_ref()
            .map(|b| b.policy);
        for (state, flow) in &mut ways {
            if *flow != Flow::Return {
                continue;
            }
            *flow = match policy {
                Some(Policy::Drop) => {
                    let rule = RuleRef {
                        table,
                        chain,
                        rule: None,
                    };
                    state.note(place.stage(), Some(rule), Did::Drop);
                    Flow::Drop(Cause::PolicyDrops)
                }
                Some(Policy::Accept) | None => Flow::Accept,
            };
        }
        ways
    }
}

fn are_alike<T: PartialEq>(a: &[(State, T)], b: &[(State, T)]) -> bool {
    let pairs = a.iter().zip(b);
    a.len() == b.len()
        && pairs
            .into_iter()
            .all(|(x, y)| x.1 == y.1 && x.0.is_like(&y.0))
}
