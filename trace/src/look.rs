//! Look-ups of keys in nftables' sets and maps: which packets find which element.

use std::rc::Rc;

use host::nft::Data;

use crate::eval::Eval;
use crate::lower::{Doubt, Entry, Value, number};
use crate::packet::State;
use crate::ranges::Ranges;
use crate::value::{Dim, Loaded, Seg};

/// Values of a map that elements are gathered by at a time.
const GATHERED: usize = 64;

/// The packets that found an element, with its value; and those that found none.
pub(crate) type Hits = Vec<(State, Option<Option<Data>>)>;

impl Eval<'_> {
    /// Looks a key up in a set of the table that is being evaluated.
    pub(crate) fn look(&mut self, state: State, set: &Rc<str>, key: &[Value]) -> Hits {
        let Some(lookup) = self.lookup(set) else {
            return self.unknown_set(state, set);
        };
        if lookup.unread {
            return self.unknown_set(state, set);
        }
        let mut segs: Vec<Field> = Vec::with_capacity(key.len());
        for value in key {
            match self.read(&state, value) {
                Loaded::Segs(mut parts) if parts.len() == 1 => segs.extend(parts.pop().map(Ok)),
                Loaded::Absent => return vec![(state, None)],
                Loaded::Unknown(why) => segs.push(Err(why)),
                Loaded::Segs(_) | Loaded::Parts(_) => {
                    segs.push(Err("a key that is not modelled".into()));
                }
            }
        }
        let known = known(&segs);
        self.note_look_up(&state, key, &lookup, known.as_deref());
        if let Some(present) = self.was_added(&state, set, &segs) {
            return vec![(state, present.then_some(None))];
        }
        let mut hits = Hits::new();
        let mut rest = vec![state];
        let mut whole = Whole::default();
        for entry in lookup.candidates(known.as_deref()) {
            let Some(cover) = cover(entry, &segs) else {
                continue;
            };
            if whole.absorb(&cover, entry) {
                continue;
            }
            self.take(&mut rest, &mut hits, &cover, entry);
            if rest.is_empty() {
                break;
            }
        }
        for (cover, entry) in whole.gathered() {
            self.take(&mut rest, &mut hits, &cover, entry);
        }
        if let Some(entry) = &lookup.catch_all {
            self.take(&mut rest, &mut hits, &Cover::default(), entry);
        }
        hits.extend(rest.into_iter().map(|state| (state, None)));
        hits
    }

    /// Moves the packets that an element covers from `rest` to `hits`.
    fn take(&mut self, rest: &mut Vec<State>, hits: &mut Hits, cover: &Cover, entry: &Entry) {
        for state in std::mem::take(rest) {
            let mut inside = Some(state);
            for (dim, ranges) in &cover.cuts {
                let Some(state) = inside.take() else { break };
                let (cut, outside) = state.cut(*dim, ranges);
                rest.extend(outside);
                inside = cut;
            }
            let Some(state) = inside else { continue };
            match cover.doubt.as_ref().or(entry.doubt.as_ref()) {
                None => hits.push((state, Some(entry.data.clone()))),
                Some(doubt) => {
                    let ways = self.fork(state, doubt);
                    let hit =
                        |(state, holds): (State, bool)| (state, holds.then(|| entry.data.clone()));
                    hits.extend(ways.into_iter().map(hit));
                }
            }
        }
    }

    fn unknown_set(&mut self, state: State, set: &str) -> Hits {
        self.unknown_key(state, &format!("the elements of set {set} were not read"))
    }

    fn unknown_key(&mut self, state: State, why: &str) -> Hits {
        let ways = self.fork(state, &Doubt::Gap(why.into()));
        ways.into_iter()
            .map(|(state, holds)| (state, holds.then_some(None)))
            .collect()
    }

    /// Whether this packet put the same key into the set, or took it out.
    fn was_added(&self, state: &State, set: &Rc<str>, key: &[Field]) -> Option<bool> {
        let table = self.table?;
        let mut at = state.added.as_ref();
        while let Some(added) = at {
            if added.set.0 == table && added.set.1 == *set && same_key(&added.key, key) {
                return Some(added.op != host::nft::SetOp::Delete);
            }
            at = added.before.as_ref();
        }
        None
    }
}

/// One field of a key as far as it is known.
type Field = Result<Seg, Rc<str>>;

/// A key as numbers, where it is known as a whole.
fn known(key: &[Field]) -> Option<Vec<u128>> {
    let number = |field: &Field| match field {
        Ok(Seg::Known(bytes)) => Some(number(bytes)),
        Ok(Seg::Free(_) | Seg::Vague { .. }) | Err(_) => None,
    };
    key.iter().map(number).collect()
}

/// Whether two keys are certainly the same.
fn same_key(added: &[Seg], key: &[Field]) -> bool {
    added.len() == key.len() && added.iter().zip(key).all(|(a, b)| b.as_ref() == Ok(a))
}

/// The packets an element covers.
#[derive(Default)]
struct Cover {
    /// Cuts of the free dimensions that must all hold.
    cuts: Vec<(Dim, Ranges)>,
    /// Whether it covers them at all is not known.
    doubt: Option<Doubt>,
}

/// What an element asks of the packets; `None` if a known field already misses it.
fn cover(entry: &Entry, key: &[Field]) -> Option<Cover> {
    let mut cover = Cover::default();
    for (field, &(first, last)) in key.iter().zip(&entry.ranges) {
        match field {
            Ok(Seg::Known(bytes)) => {
                if !(first..=last).contains(&number(bytes)) {
                    return None;
                }
            }
            Ok(Seg::Free(free)) => {
                if let Some(values) = free.preimage(&Ranges::span(first, last)) {
                    cover.cuts.push((free.dim, values));
                } else {
                    let why = "a mask over the client's address is not modelled";
                    cover.doubt = Some(Doubt::Gap(why.into()));
                }
            }
            Ok(Seg::Vague {
                first: low,
                last: high,
                why,
                sort,
                ..
            }) => {
                if *high < first || *low > last {
                    return None;
                }
                if *low < first || *high > last {
                    let range = Ranges::span(*low, *high);
                    let inside = range.and(&Ranges::span(first, last));
                    cover.doubt = Some(sort.doubt(&range, &inside, why));
                }
            }
            Err(why) => cover.doubt = Some(Doubt::Gap(why.clone())),
        }
    }
    Some(cover)
}

/// Elements that ask for one thing only, gathered by that and by what they give: elements of
/// a set never overlap, so that their order says nothing.
#[derive(Default)]
struct Whole<'l>(Vec<Gathered<'l>>);

/// Elements that ask for the same dimension and give the same.
struct Gathered<'l> {
    dim: Dim,
    ranges: Vec<(u128, u128)>,
    /// One of them.
    entry: &'l Entry,
}

impl<'l> Whole<'l> {
    /// Takes an element in, if it asks for one dimension only.
    fn absorb(&mut self, cover: &Cover, entry: &'l Entry) -> bool {
        let ([(dim, ranges)], None, None) = (&cover.cuts[..], &cover.doubt, &entry.doubt) else {
            return false;
        };
        let is_alike = |known: &&mut Gathered| known.dim == *dim && known.entry.data == entry.data;
        match self.0.iter_mut().rev().take(GATHERED).find(is_alike) {
            Some(known) => known.ranges.extend(ranges.as_slice()),
            None => self.0.push(Gathered {
                dim: *dim,
                ranges: ranges.as_slice().to_vec(),
                entry,
            }),
        }
        true
    }

    /// What each lot covers, and one of its elements.
    fn gathered(self) -> impl Iterator<Item = (Cover, &'l Entry)> {
        self.0.into_iter().map(|lot| {
            let cuts = vec![(lot.dim, Ranges::of(lot.ranges))];
            (Cover { cuts, doubt: None }, lot.entry)
        })
    }
}
