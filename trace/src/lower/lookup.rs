//! nftables' sets and maps, prepared for look-ups.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use host::nft::Data;

use super::{Doubt, nft, number};

/// The set of a table by name, in a form to look up in.
#[derive(Debug)]
pub(crate) struct Lookup {
    pub(crate) entries: Vec<Entry>,
    /// Places of the elements that are one value in each field.
    pub(crate) exact: HashMap<Vec<u128>, usize>,
    /// Places of the others, ascending.
    pub(crate) ranged: Vec<usize>,
    pub(crate) catch_all: Option<Entry>,
    /// Its contents are not known.
    pub(crate) unread: bool,
    /// Values of one field, by its place and what the others are; made when first asked for.
    beside: RefCell<Beside>,
}

/// Values of one field of exact elements: by the place of the field, then by the other fields.
type Beside = HashMap<usize, HashMap<Vec<u128>, Rc<[u128]>>>;

/// One element.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Lowest and highest value of each field.
    pub(crate) ranges: Vec<(u128, u128)>,
    pub(crate) data: Option<Data>,
    /// A statement decides whether it counts as found.
    pub(crate) doubt: Option<Doubt>,
}

impl Lookup {
    /// The values of field `at` of those exact elements whose other fields are those of `key`.
    pub(crate) fn beside(&self, key: &[u128], at: usize) -> Rc<[u128]> {
        let without = |key: &[u128]| [&key[..at], &key[at + 1..]].concat();
        let sort = || {
            let mut values: HashMap<Vec<u128>, Vec<u128>> = HashMap::new();
            for key in self.exact.keys().filter(|key| key.len() > at) {
                values.entry(without(key)).or_default().push(key[at]);
            }
            let sorted = values.into_iter();
            sorted
                .map(|(others, values)| (others, values.into()))
                .collect()
        };
        let mut beside = self.beside.borrow_mut();
        let by_others = beside.entry(at).or_insert_with(sort);
        let none = || Rc::from([]);
        by_others.get(&without(key)).cloned().unwrap_or_else(none)
    }

    /// The elements that a key can find: one of the exact ones, where it is known as a whole.
    pub(crate) fn candidates(&self, key: Option<&[u128]>) -> Vec<&Entry> {
        let Some(key) = key else {
            return self.entries.iter().collect();
        };
        let mut places = self.ranged.clone();
        places.extend(self.exact.get(key));
        places
            .into_iter()
            .map(|place| &self.entries[place])
            .collect()
    }
}

/// Prepares a set.
pub(crate) fn set(set: &host::nft::Set) -> Lookup {
    let mut lookup = Lookup {
        entries: Vec::with_capacity(set.elements.len()),
        exact: HashMap::new(),
        ranged: Vec::new(),
        catch_all: None,
        unread: set.unread,
        beside: RefCell::default(),
    };
    for element in &set.elements {
        let doubt = element.exprs.iter().find_map(nft::statement_doubt);
        let data = element.data.clone();
        match &element.key {
            host::nft::Key::CatchAll => {
                lookup.catch_all = Some(Entry {
                    ranges: Vec::new(),
                    data,
                    doubt,
                });
            }
            host::nft::Key::Fields(fields) => {
                let ranges: Vec<(u128, u128)> = fields
                    .iter()
                    .map(|f| (number(&f.first), number(&f.last)))
                    .collect();
                let place = lookup.entries.len();
                if ranges.iter().all(|(first, last)| first == last) {
                    let key = ranges.iter().map(|&(first, _)| first).collect();
                    let _ = lookup.exact.entry(key).or_insert(place);
                } else {
                    lookup.ranged.push(place);
                }
                lookup.entries.push(Entry {
                    ranges,
                    data,
                    doubt,
                });
            }
        }
    }
    lookup
}
