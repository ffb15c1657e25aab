//! The evaluator: what it knows, what it has prepared, and how far it may go.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use host::{Hook, Host, Route, RoutingRule, Socket, TableFamily};
use net::{Endpoint, Family, Proto};

use crate::alike::Alike;
use crate::answer::RuleRef;
use crate::index::Chain;
use crate::lower;
use crate::question::Question;
use crate::ranges::Ranges;
use crate::source::Sources;

/// Operations that one question may take before the answer is UNKNOWN.
const BUDGET: u64 = 50_000_000;

/// What a rule costs that a packet meets all tests of, or may meet: each makes a step.
const STEP: u64 = 250;

/// Places that one question may leave undecided: every end holds all of its branches.
const FORKS: usize = 2_000;

/// States that one question may hold at a time.
const STATES: usize = 20_000;

/// A place where the way could not be decided.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fork {
    /// The branches' ends decide: something is not known.
    Gap(Rc<str>),
    /// Each branch holds in a situation, in words.
    When(Vec<Rc<str>>),
    /// Each branch has a probability.
    Chance(Vec<f64>),
}

/// Sockets by protocol and port.
type ByPort<'h> = HashMap<(Proto, u16), Rc<[&'h Socket]>>;

/// Evaluates questions on one host, one after the other.
pub(crate) struct Eval<'h> {
    pub(crate) host: &'h Host,
    pub(crate) question: Rc<Question>,
    /// The table whose rules are being evaluated.
    pub(crate) table: Option<usize>,
    /// Places where the way could not be decided, by number.
    pub(crate) forks: Vec<Fork>,
    /// What was taken for granted.
    pub(crate) assumed: Vec<String>,
    /// Ways that end alike are kept apart where their steps differ.
    pub(crate) every_way: bool,
    /// A rule that is passed by, to learn what the others would do.
    pub(crate) left_out: Option<RuleRef>,
    /// The ports that fare as the one asked about.
    pub(crate) alike: Alike,
    chains: HashMap<(Family, usize, usize), Rc<Chain>>,
    lookups: HashMap<(usize, Rc<str>), Option<Rc<lower::Lookup>>>,
    sets: HashMap<usize, Rc<lower::Sets<'h>>>,
    names: HashMap<usize, HashMap<&'h str, usize>>,
    hooks: HashMap<(Family, Hook), Rc<crate::hook::Order>>,
    tracked: HashMap<Family, bool>,
    routes: HashMap<(Family, u32), Rc<[&'h Route]>>,
    routing_rules: HashMap<Family, Rc<[RoutingRule]>>,
    sockets: Option<ByPort<'h>>,
    /// Ports that any socket has.
    held: Option<Ranges>,
    sources: HashMap<(Family, Option<u32>, u8), Sources>,
    spent: u64,
}

impl<'h> Eval<'h> {
    pub(crate) fn new(host: &'h Host) -> Self {
        let nowhere = Endpoint {
            addr: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port: 0,
        };
        Self {
            host,
            question: Rc::new(Question::about(Proto::TCP, nowhere)),
            table: None,
            forks: Vec::new(),
            assumed: Vec::new(),
            every_way: false,
            left_out: None,
            alike: Alike::default(),
            chains: HashMap::new(),
            lookups: HashMap::new(),
            sets: HashMap::new(),
            names: HashMap::new(),
            hooks: HashMap::new(),
            tracked: HashMap::new(),
            routes: HashMap::new(),
            routing_rules: HashMap::new(),
            sockets: None,
            held: None,
            sources: HashMap::new(),
            spent: 0,
        }
    }

    /// Turns to another question; what is prepared of the host stays.
    pub(crate) fn turn_to(&mut self, question: &Question) {
        self.question = Rc::new(question.clone());
        self.table = None;
        self.forks.clear();
        self.assumed.clear();
        self.spent = 0;
    }

    /// Opens a fork and gives its number.
    pub(crate) fn new_fork(&mut self, fork: Fork) -> usize {
        self.forks.push(fork);
        self.forks.len() - 1
    }

    /// Takes note of something taken for granted that mattered.
    pub(crate) fn assume(&mut self, what: &str) {
        if !self.assumed.iter().any(|known| known == what) {
            self.assumed.push(what.to_owned());
        }
    }

    /// Counts work; false once the budget is spent.
    pub(crate) fn spend(&mut self, states: usize) -> bool {
        self.spent += 1 + states as u64;
        self.spent < BUDGET && states < STATES && self.forks.len() < FORKS
    }

    /// Counts a rule that is run for packets, not passed by.
    pub(crate) fn spend_step(&mut self) {
        self.spent += STEP;
    }

    /// The lowered rules of a chain, for packets of a family.
    pub(crate) fn rules(&mut self, family: Family, table: usize, chain: usize) -> Rc<Chain> {
        let key = (family, table, chain);
        if let Some(known) = self.chains.get(&key) {
            return known.clone();
        }
        let (sets, of) = (self.sets_of(table), &self.host.ruleset.tables[table]);
        let mut rules = lower::chain(of, &sets, &of.chains[chain]);
        if let Some(left_out) = &self.left_out
            && (left_out.table, left_out.chain) == (table, chain)
        {
            rules.retain(|rule| left_out.rule != Some(rule.index));
        }
        let lowered = Rc::new(Chain::of(rules, family));
        self.chains.entry(key).or_insert(lowered).clone()
    }

    /// The index of a chain of the current table.
    pub(crate) fn chain_named(&mut self, name: &str) -> Option<usize> {
        let (host, table) = (self.host, self.table?);
        let index = || {
            let chains = host.ruleset.tables[table].chains.iter().enumerate();
            chains
                .map(|(at, chain)| (chain.name.as_str(), at))
                .collect()
        };
        self.names
            .entry(table)
            .or_insert_with(index)
            .get(name)
            .copied()
    }

    /// A set of the current table, prepared.
    pub(crate) fn lookup(&mut self, name: &Rc<str>) -> Option<Rc<lower::Lookup>> {
        let key = (self.table?, name.clone());
        if let Some(known) = self.lookups.get(&key) {
            return known.clone();
        }
        let set = self.sets_of(key.0).get(&**name).copied();
        let prepared = set.map(|set| Rc::new(lower::set(set)));
        self.lookups.entry(key).or_insert(prepared).clone()
    }

    /// The sets of a table, by name.
    fn sets_of(&mut self, table: usize) -> Rc<lower::Sets<'h>> {
        let host = self.host;
        let find = || Rc::new(lower::sets(&host.ruleset.tables[table]));
        self.sets.entry(table).or_insert_with(find).clone()
    }

    /// The base chains of a hook in the order in which they run.
    pub(crate) fn order(&mut self, family: Family, hook: Hook) -> Rc<crate::hook::Order> {
        let host = self.host;
        let make = || Rc::new(crate::hook::Order::of(host, family, hook));
        self.hooks
            .entry((family, hook))
            .or_insert_with(make)
            .clone()
    }

    /// The routes of a table, the most specific first.
    pub(crate) fn routes(&mut self, family: Family, table: u32) -> Rc<[&'h Route]> {
        let host = self.host;
        let sort = || {
            let of_table = |route: &&Route| route.table == table && route.dst.family() == family;
            let mut routes: Vec<&Route> = host.routes.iter().filter(of_table).collect();
            routes.sort_by_key(|route| (Reverse(route.dst.len()), route.metric));
            routes.into()
        };
        self.routes
            .entry((family, table))
            .or_insert_with(sort)
            .clone()
    }

    /// The policy routing rules of a family; those a kernel starts with where none were read.
    pub(crate) fn routing_rules(&mut self, family: Family) -> Rc<[RoutingRule]> {
        let rules = &self.host.routing_rules;
        let gather = || {
            let own: Rc<[RoutingRule]> = rules
                .iter()
                .filter(|rule| rule.family == family)
                .cloned()
                .collect();
            if own.is_empty() {
                RoutingRule::defaults(family).into()
            } else {
                own
            }
        };
        self.routing_rules
            .entry(family)
            .or_insert_with(gather)
            .clone()
    }

    /// The sources that packets out over a link get, by their destinations.
    pub(crate) fn sources_by_destination(
        &mut self,
        family: Family,
        oif: Option<u32>,
        scope: u8,
    ) -> Sources {
        let key = (family, oif, scope);
        if let Some(known) = self.sources.get(&key) {
            return known.clone();
        }
        let found = self.find_sources(family, oif, scope);
        self.sources.insert(key, found.clone());
        found
    }

    /// The sockets of a protocol on a port, in the host's order.
    pub(crate) fn sockets(&mut self, proto: Proto, port: u16) -> Rc<[&'h Socket]> {
        let host = self.host;
        let sort = || {
            let mut by_port: HashMap<_, Vec<&Socket>> = HashMap::new();
            for socket in &host.sockets {
                let place = (socket.proto, socket.port);
                by_port.entry(place).or_default().push(socket);
            }
            let shared = by_port.into_iter();
            shared.map(|(place, list)| (place, list.into())).collect()
        };
        let by_port = self.sockets.get_or_insert_with(sort);
        let held = self.held.get_or_insert_with(|| {
            let ports = by_port
                .keys()
                .map(|&(_, port)| (u128::from(port), u128::from(port)));
            Ranges::of(ports.collect())
        });
        self.alike.looked_up(port.into(), held);
        let none = || Rc::from([]);
        by_port.get(&(proto, port)).cloned().unwrap_or_else(none)
    }

    /// Whether conntrack looks at packets of a family.
    pub(crate) fn is_tracking(&mut self, family: Family) -> bool {
        let host = self.host;
        *self
            .tracked
            .entry(family)
            .or_insert_with(|| crate::hook::tracks(host, family))
    }
}

/// Whether tables of a family see packets of an address family.
pub(crate) fn sees(table: TableFamily, family: Family) -> bool {
    match table {
        TableFamily::Ip => family == Family::V4,
        TableFamily::Ip6 => family == Family::V6,
        TableFamily::Inet => true,
        TableFamily::Arp | TableFamily::Bridge | TableFamily::Netdev => false,
    }
}
