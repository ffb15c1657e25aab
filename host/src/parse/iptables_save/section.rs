//! One table of a save: its chains and rules, line by line.

use std::collections::HashMap;

use net::Family;

use crate::parse::problem::Problems;
use crate::xt::Target;
use crate::{Chain, Language, Policy, Rule, RuleBody, Table};

use super::base::base;
use super::rule::RuleReader;
use super::table_family;
use super::tokens::Tokens;

/// A table in the making.
#[derive(Debug)]
pub(super) struct Section<'a> {
    /// What it has come to.
    pub(super) table: Table,
    /// Chains by name.
    places: HashMap<&'a str, usize>,
    /// The chain of the last rule: rules of a chain follow one another.
    last: Option<(&'a str, usize)>,
    reader: RuleReader,
    /// A rule has a target that may be a chain further down.
    is_open: bool,
}

impl<'a> Section<'a> {
    pub(super) fn new(name: &str, family: Family, language: Language) -> Self {
        Self {
            table: Table {
                family: table_family(family),
                name: name.to_owned(),
                language,
                handle: None,
                dormant: false,
                comment: None,
                chains: Vec::new(),
                sets: Vec::new(),
                objects: Vec::new(),
            },
            places: HashMap::new(),
            last: None,
            reader: RuleReader::of(family),
            is_open: false,
        }
    }

    /// Reads a line of the table.
    pub(super) fn line(&mut self, number: usize, line: &'a str, problems: &mut Problems<'_>) {
        if let Some(chain) = line.strip_prefix(':') {
            return self.declare(number, chain, problems);
        }
        let line = without_counters(line);
        let mut tokens = Tokens::of(line);
        let command = tokens.next().map(|token| token.text).unwrap_or_default();
        match &*command {
            "-A" | "--append" => self.rule(number, tokens, false, problems),
            "-I" | "--insert" => self.rule(number, tokens, true, problems),
            "-N" | "--new-chain" => {
                let _ = self.place(line[tokens.at()..].trim());
            }
            "-P" | "--policy" => self.declare(number, line[tokens.at()..].trim(), problems),
            _ => problems.add(
                number,
                line,
                "line of a table was skipped: no chain, no rule",
            ),
        }
    }

    /// `NAME POLICY [PACKETS:BYTES]`.
    fn declare(&mut self, number: usize, text: &'a str, problems: &mut Problems<'_>) {
        let mut words = text.split_ascii_whitespace();
        let Some(name) = words.next() else {
            return problems.add(number, text, "chain without a name was skipped");
        };
        let place = self.place(name);
        let policy = match words.next() {
            Some("ACCEPT") => Policy::Accept,
            Some("DROP") => Policy::Drop,
            Some("-") | None => {
                self.table.chains[place].base = None;
                return;
            }
            Some(_) => {
                let what = "chain with a policy that is neither ACCEPT nor DROP was skipped";
                return problems.add(number, text, what);
            }
        };
        let base = base(&self.table.name, name, self.table.language, policy);
        if base.is_none() {
            let what = format!(
                "chain has a policy, but table {} has no such base chain: taken for a user's chain",
                self.table.name
            );
            problems.add(number, text, what);
        }
        self.table.chains[place].base = base;
    }

    /// The place of a chain, which is made if it is not there.
    fn place(&mut self, name: &'a str) -> usize {
        if let Some(&place) = self.places.get(name) {
            return place;
        }
        let place = self.table.chains.len();
        self.places.insert(name, place);
        let language = self.table.language;
        self.table.chains.push(Chain {
            name: name.to_owned(),
            base: base(&self.table.name, name, language, Policy::Accept),
            handle: None,
            comment: None,
            rules: Vec::new(),
        });
        place
    }

    fn rule(
        &mut self,
        number: usize,
        mut tokens: Tokens<'a>,
        insert: bool,
        problems: &mut Problems<'_>,
    ) {
        let line = tokens.line();
        let Some(name) = tokens.next() else {
            return problems.add(number, line, "rule without a chain was skipped");
        };
        let name = &line[name.start..name.end];
        let chain = match self.last {
            Some((last, place)) if last == name => place,
            _ => self.place(name),
        };
        self.last = Some((name, chain));
        let at = insert.then(|| insert_place(&mut tokens));
        let places = &self.places;
        let is_chain = |name: &str| places.contains_key(name);
        let (body, comment, is_open) = match self.reader.read(tokens, is_chain) {
            Ok(None) => return,
            Ok(Some(reading)) => (RuleBody::Xt(reading.rule), reading.comment, reading.is_open),
            Err(what) => {
                problems.note(number, line, format!("{what}: the rule may do anything"));
                (RuleBody::Gap(what.into()), None, false)
            }
        };
        for what in self.reader.problems.drain(..) {
            let what = format!("{what}: that part of the rule is unknown");
            problems.note(number, line, what);
        }
        let rule = Rule {
            body,
            handle: None,
            comment,
            text: Some(line.into()),
        };
        let rules = &mut self.table.chains[chain].rules;
        let at = at.map_or(rules.len(), |at| at.min(rules.len()));
        self.is_open |= is_open;
        if rules.capacity() == 0 {
            // Most chains have two or three rules, and there are tens of thousands of them.
            rules.reserve_exact(2);
        }
        rules.insert(at, rule);
    }

    /// The finished table. Targets are chains now, or nothing we know.
    pub(super) fn into_table(mut self, problems: &mut Problems<'_>) -> Table {
        if self.is_open {
            let chains = &mut self.table.chains;
            for rule in chains.iter_mut().flat_map(|chain| &mut chain.rules) {
                close(rule, &self.places, problems);
            }
        }
        self.table
    }
}

/// Decides whether the target of a rule is a chain, now that all chains are known.
fn close(rule: &mut Rule, chains: &HashMap<&str, usize>, problems: &mut Problems<'_>) {
    let RuleBody::Xt(xt) = &mut rule.body else {
        return;
    };
    let is_chain = |name: &str| chains.contains_key(name);
    match &xt.target {
        Target::Gap { name, options } if options.is_empty() && is_chain(name) => {
            xt.target = Target::Jump(name.clone());
        }
        Target::Goto(name) if !is_chain(name) => {
            let text = rule.text.as_deref().unwrap_or_default();
            let what = format!("there is no chain {name}: the target is unknown");
            problems.note(0, text, what);
            xt.target = Target::Gap {
                name: name.clone(),
                options: Box::default(),
            };
        }
        _ => {}
    }
}

/// The line without `[PACKETS:BYTES]` at its front.
fn without_counters(line: &str) -> &str {
    match line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((_, rule)) => rule.trim_start_matches([' ', '\t']),
        None => line,
    }
}

/// Where `-I CHAIN [NUMBER]` puts the rule.
fn insert_place(tokens: &mut Tokens<'_>) -> usize {
    let number = tokens.peek().and_then(|token| token.text.parse().ok());
    number.map_or(0, |number: usize| {
        tokens.next();
        number.saturating_sub(1)
    })
}
