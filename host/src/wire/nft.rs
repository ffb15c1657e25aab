//! nftables as netlink dumps it: tables with their chains, rules, sets and objects.
//!
//! Kernel: include/uapi/linux/netfilter/nf_tables.h. Attributes are in network order.

mod chain;
mod elements;
mod expr;
mod log;
mod object;
mod register;
mod set;
mod statement;
mod userdata;

use std::collections::HashMap;

use super::attr::{Message, Messages, Table as Attributes, text_of};
use super::xt::SetNames;
use crate::dump::{Dump, section};
use crate::nft::Expr;
use crate::xt::Match;
use crate::{Gap, GapKind, Language, Rule, RuleBody, Table, TableFamily};
use expr::Decoder;

pub(super) use statement::verdict;

/// `struct nfgenmsg`, which stands before the attributes of every message.
pub(super) const GENERIC: usize = 4;

/// The table's name, in every message but that of a table itself too.
const TABLE: u16 = 1;

/// How the kernel names a chain or set: family, table, and its own name.
type Place<'a> = (u8, &'a [u8], &'a [u8]);

/// Reads all tables, by handle.
pub(super) fn tables(dump: &Dump, sets: &SetNames, gaps: &mut Vec<Gap>) -> Vec<Table> {
    let mut reading = Reading {
        tables: Vec::new(),
        by_name: HashMap::new(),
        xt_sets: sets,
        gaps,
    };
    reading.tables(dump.section(section::NFT_TABLES));
    reading.objects(dump.section(section::NFT_OBJECTS));
    let elements = dump.section(section::NFT_ELEMENTS);
    reading.sets(dump.section(section::NFT_SETS), elements);
    let chains = reading.chains(dump.section(section::NFT_CHAINS));
    reading.rules(dump.section(section::NFT_RULES), &chains);
    let mut tables = reading.tables;
    tables.sort_by_key(|table| table.handle);
    tables
}

/// The generation in the answer to `NFT_MSG_GETGEN`.
pub(super) fn generation(bytes: &[u8]) -> Option<u32> {
    let message = Messages::of(bytes).next()?;
    Attributes::<2>::behind(message.payload, GENERIC).be32(1)
}

/// `NFPROTO_*` of a message, as a table's family.
pub(super) fn family_of(number: u8) -> Option<TableFamily> {
    Some(match number {
        1 => TableFamily::Inet,
        2 => TableFamily::Ip,
        3 => TableFamily::Arp,
        5 => TableFamily::Netdev,
        7 => TableFamily::Bridge,
        10 => TableFamily::Ip6,
        _ => return None,
    })
}

fn family_number(message: Message<'_>) -> u8 {
    message.payload.first().copied().unwrap_or_default()
}

/// The tables read so far, and where to find them.
struct Reading<'a, 'g> {
    tables: Vec<Table>,
    by_name: HashMap<(u8, &'a [u8]), usize>,
    xt_sets: &'g SetNames,
    gaps: &'g mut Vec<Gap>,
}

impl<'a> Reading<'a, '_> {
    fn gap(&mut self, what: String) {
        self.gaps.push(Gap {
            kind: GapKind::Rules,
            what,
            device: None,
        });
    }

    /// The messages of a section; one that ends inside a message is a gap.
    fn messages(&mut self, what: &str, bytes: &'a [u8]) -> Vec<Message<'a>> {
        let mut messages = Messages::of(bytes);
        let all = messages.by_ref().collect();
        if messages.rest() > 0 {
            self.gap(format!(
                "the list of {what} is damaged: its end was not read"
            ));
        }
        all
    }

    /// The place in `tables` of the table that a message belongs to, and the name in the
    /// message's second attribute.
    fn named<const N: usize>(
        &mut self,
        what: &str,
        message: Message<'a>,
        attributes: &Attributes<'a, N>,
    ) -> Option<(usize, Place<'a>)> {
        let found = || {
            let family = family_number(message);
            let (table, name) = (attributes.get(TABLE)?, attributes.get(2)?);
            let index = *self.by_name.get(&(family, table))?;
            Some((index, (family, table, name)))
        };
        let found = found();
        if found.is_none() {
            self.gap(format!(
                "an nftables {what} was not read: its table is unknown"
            ));
        }
        found
    }

    fn tables(&mut self, bytes: &'a [u8]) {
        const FLAGS: u16 = 2;
        const HANDLE: u16 = 4;
        const USERDATA: u16 = 6;
        const DORMANT: u32 = 1;
        for message in self.messages("nftables tables", bytes) {
            let attributes = Attributes::<8>::behind(message.payload, GENERIC);
            let number = family_number(message);
            let (Some(name), Some(family)) = (attributes.get(TABLE), family_of(number)) else {
                self.gap(format!("an nftables table of family {number} was not read"));
                continue;
            };
            self.by_name.insert((number, name), self.tables.len());
            self.tables.push(Table {
                family,
                name: text_of(name).into_owned(),
                language: Language::Nft,
                handle: attributes.be64(HANDLE),
                dormant: attributes.be32(FLAGS).unwrap_or_default() & DORMANT != 0,
                comment: attributes.get(USERDATA).and_then(userdata::comment),
                chains: Vec::new(),
                sets: Vec::new(),
                objects: Vec::new(),
            });
        }
    }

    fn objects(&mut self, bytes: &'a [u8]) {
        for message in self.messages("nftables objects", bytes) {
            let attributes = Attributes::<9>::behind(message.payload, GENERIC);
            if let Some((table, (_, _, name))) = self.named("object", message, &attributes) {
                let object = object::read(text_of(name).into_owned(), &attributes);
                self.tables[table].objects.push(object);
            }
        }
    }

    /// Reads sets with their elements, which come in messages of their own.
    fn sets(&mut self, sets: &'a [u8], elements: &'a [u8]) {
        let mut parts = elements::Parts::default();
        for message in self.messages("nftables set elements", elements) {
            parts.add(message);
        }
        for message in self.messages("nftables sets", sets) {
            let attributes = Attributes::<20>::behind(message.payload, GENERIC);
            let Some((table, place)) = self.named("set", message, &attributes) else {
                continue;
            };
            let decoder = Decoder {
                family: self.tables[table].family,
                sets: self.xt_sets,
                is_nested: false,
            };
            let set = set::read(&attributes, parts.of(&place), decoder);
            self.tables[table].sets.push(set);
        }
    }

    /// Reads chains without their rules.
    fn chains(&mut self, bytes: &'a [u8]) -> HashMap<Place<'a>, (usize, usize)> {
        const NAME: u16 = 3;
        let mut places = HashMap::new();
        for message in self.messages("nftables chains", bytes) {
            let attributes = Attributes::<13>::behind(message.payload, GENERIC);
            let family = family_number(message);
            let (table, name) = (attributes.get(TABLE), attributes.get(NAME));
            let (Some(table), Some(name)) = (table, name) else {
                self.gap("an nftables chain without a name was not read".into());
                continue;
            };
            let Some(&index) = self.by_name.get(&(family, table)) else {
                self.gap("an nftables chain was not read: its table is unknown".into());
                continue;
            };
            let owner = &mut self.tables[index];
            let (chain, lost) = chain::read(&attributes, owner.family, &text_of(name));
            places.insert((family, table, name), (index, owner.chains.len()));
            owner.chains.push(chain);
            if let Some(lost) = lost {
                self.gap(lost);
            }
        }
        places
    }

    /// Reads rules into their chains, in the order of the dump.
    fn rules(&mut self, bytes: &'a [u8], chains: &HashMap<Place<'a>, (usize, usize)>) {
        const CHAIN: u16 = 2;
        let mut lost = 0_usize;
        let mut latest: Option<(Place<'a>, (usize, usize))> = None;
        let mut messages = Messages::of(bytes);
        for message in messages.by_ref() {
            let attributes = Attributes::<8>::behind(message.payload, GENERIC);
            let table = attributes.get(TABLE).unwrap_or_default();
            let chain = attributes.get(CHAIN).unwrap_or_default();
            let place = (family_number(message), table, chain);
            // Rules of a chain follow one another.
            if latest.is_none_or(|(before, _)| before != place) {
                latest = chains.get(&place).map(|&found| (place, found));
            }
            let Some((_, (table, chain))) = latest else {
                lost += 1;
                continue;
            };
            let table = &mut self.tables[table];
            let decoder = Decoder {
                family: table.family,
                sets: self.xt_sets,
                is_nested: false,
            };
            table.chains[chain].rules.push(rule(&attributes, decoder));
        }
        if lost > 0 {
            self.gap(format!(
                "{lost} nftables rules are of chains that are not listed"
            ));
        }
        if messages.rest() > 0 {
            self.gap("the list of nftables rules is damaged: its end was not read".into());
        }
    }
}

fn rule(attributes: &Attributes<'_, 8>, decoder: Decoder<'_>) -> Rule {
    const HANDLE: u16 = 3;
    const EXPRESSIONS: u16 = 4;
    const USERDATA: u16 = 7;
    let list = attributes.get(EXPRESSIONS).unwrap_or_default();
    let exprs = decoder.list(list).filter(|_| attributes.is_whole);
    let comment = attributes.get(USERDATA).and_then(userdata::comment);
    let comment = comment.or_else(|| exprs.iter().flatten().find_map(xt_comment));
    Rule {
        body: match exprs {
            Some(exprs) => RuleBody::Nft(exprs),
            None => RuleBody::Gap("a rule whose bytes are damaged".into()),
        },
        handle: attributes.be64(HANDLE),
        comment,
        text: None,
    }
}

/// `iptables-nft` keeps comments in a match.
fn xt_comment(expr: &Expr) -> Option<Box<str>> {
    if let Expr::Match(Match::Comment(text)) = expr {
        Some(text.clone())
    } else {
        None
    }
}
