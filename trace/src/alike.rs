//! Which destination ports fare as the one asked about: what a question has looked at.
//!
//! A question is about one port. While it is followed, every comparison with a port leaves
//! here the ports for which it would have come out the same. What is left at the end are ports
//! that take the same way through the same rules, each for itself: nobody has to ask for them.
//!
//! Where a port is used in a way that is not understood here, the one asked about is left
//! alone: classes may come out smaller than they are, and never larger.

use std::cell::RefCell;

use host::nft::PayloadBase;

use crate::eval::Eval;
use crate::lower::{ByteOp, Entry, Field, Lookup, Of, Value};
use crate::packet::{Fact, State};
use crate::ranges::Ranges;
use crate::value::{Dim, Free, Seg};

/// The ports that fare alike so far; kept only for those who ask for it.
#[derive(Debug, Default)]
pub(crate) struct Alike(RefCell<Option<Class>>);

#[derive(Debug)]
struct Class {
    /// The port that is asked about.
    asked: u128,
    within: Ranges,
    /// Ports that are not like it; taken from `within` at the end.
    apart: Vec<(u128, u128)>,
}

impl Alike {
    /// Begins anew, with all of these ports.
    pub(crate) fn begin(&self, asked: u16, within: Ranges) {
        *self.0.borrow_mut() = Some(Class {
            asked: asked.into(),
            within,
            apart: Vec::new(),
        });
    }

    /// The ports that are like the one asked about, which is one of them.
    pub(crate) fn end(&self) -> Ranges {
        let class = self.0.borrow_mut().take();
        class.map_or_else(Ranges::none, |class| {
            class.within.minus(&Ranges::of(class.apart))
        })
    }

    /// Whether there is anything left to be told apart, and `port` is the one asked about.
    fn is_about(&self, port: u128) -> bool {
        let class = self.0.borrow();
        class
            .as_ref()
            .is_some_and(|class| class.asked == port && class.within.single().is_none())
    }

    /// The port asked about, where any may be like it.
    pub(crate) fn asked(&self) -> Option<u128> {
        let class = self.0.borrow();
        let open = class
            .as_ref()
            .filter(|class| class.within.single().is_none());
        open.map(|class| class.asked)
    }

    /// Somebody asked whether `port` is one of these.
    pub(crate) fn compared(&self, port: u128, with: &Ranges) {
        if !self.is_about(port) {
            return;
        }
        if let Some(class) = self.0.borrow_mut().as_mut() {
            if with.contains(port) {
                class.within = class.within.and(with);
            } else {
                class.apart.extend(with.as_slice());
            }
        }
    }

    /// Somebody used `port` in a way that leaves no other like it.
    pub(crate) fn used(&self, port: u128) {
        self.compared(port, &Ranges::one(port));
    }

    /// Somebody looked `port` up where each of these has an entry of its own.
    pub(crate) fn looked_up(&self, port: u128, own: &Ranges) {
        if own.contains(port) {
            self.used(port);
        } else {
            self.compared(port, own);
        }
    }

    /// The same, of the port asked about.
    fn is_alone(&self) {
        if let Some(asked) = self.asked() {
            self.used(asked);
        }
    }
}

/// What a value has of the port asked about.
enum Reads {
    /// Nothing.
    Nothing,
    /// It is made of the port and nothing else.
    Port(Seg),
    /// It has something of it.
    Something,
}

impl Eval<'_> {
    /// Takes note that a value is held against numbers.
    pub(crate) fn note_compared(&self, state: &State, value: &Value, within: &Ranges) {
        let Some(asked) = self.alike.asked() else {
            return;
        };
        match reads(state, value, asked) {
            Reads::Nothing => {}
            Reads::Port(Seg::Free(free)) => self.note_preimage(&free, within, asked),
            Reads::Port(_) | Reads::Something => self.alike.is_alone(),
        }
    }

    /// Takes note that a value is used for what it is.
    pub(crate) fn note_used(&self, state: &State, value: &Value) {
        if let Some(asked) = self.alike.asked()
            && !matches!(reads(state, value, asked), Reads::Nothing)
        {
            self.alike.is_alone();
        }
    }

    /// Takes note that a key is looked up in a set: `known` are its numbers, where all of them
    /// are.
    pub(crate) fn note_look_up(
        &self,
        state: &State,
        key: &[Value],
        lookup: &Lookup,
        known: Option<&[u128]>,
    ) {
        let Some(asked) = self.alike.asked() else {
            return;
        };
        let mut port = None;
        for (at, value) in key.iter().enumerate() {
            match (reads(state, value, asked), &port) {
                (Reads::Nothing, _) => {}
                (Reads::Port(Seg::Free(free)), None) => port = Some((at, free)),
                (Reads::Port(_) | Reads::Something, _) => return self.alike.is_alone(),
            }
        }
        let Some((at, free)) = port else { return };
        let Some(known) = known else {
            let entries = lookup.entries.iter();
            return entries.for_each(|entry| self.note_entry(entry, (at, &free), asked));
        };
        if lookup.exact.contains_key(known) {
            return self.alike.is_alone();
        }
        for &place in &lookup.ranged {
            let entry = &lookup.entries[place];
            let others = entry.ranges.iter().zip(known).enumerate();
            let mut others = others.filter(|(i, _)| *i != at);
            if others.all(|(_, ((first, last), value))| (first..=last).contains(&value)) {
                self.note_entry(entry, (at, &free), asked);
            }
        }
        for &value in lookup.beside(known, at).iter() {
            self.note_preimage(&free, &Ranges::one(value), asked);
        }
    }

    fn note_entry(&self, entry: &Entry, (at, free): (usize, &Free), asked: u128) {
        if let Some(&(first, last)) = entry.ranges.get(at) {
            self.note_preimage(free, &Ranges::span(first, last), asked);
        }
    }

    fn note_preimage(&self, free: &Free, within: &Ranges, asked: u128) {
        match free.preimage(within) {
            Some(ports) => self.alike.compared(asked, &ports),
            None => self.alike.is_alone(),
        }
    }
}

/// What a value reads of the port asked about. A translated port that is the same by
/// chance counts: that it is the same was noted when it was made.
fn reads(state: &State, value: &Value, asked: u128) -> Reads {
    let is_asked = |fact: &Fact| state.known_port(fact).map(u128::from) == Some(asked);
    let whole = || Seg::Free(Free::whole(Dim::Port, 2));
    let packet = &state.packet;
    let read = match &value.of {
        Of::Field(Field::Sport) if is_asked(&packet.sport) => Reads::Port(whole()),
        Of::Field(Field::Dport) if is_asked(&packet.dport) => Reads::Port(whole()),
        Of::Field(Field::CtPort { .. }) if is_any_asked(state, is_asked) => Reads::Port(whole()),
        Of::Field(Field::Header {
            base: PayloadBase::Transport,
            offset,
        }) => {
            let ports = [(0, is_asked(&packet.sport)), (2, is_asked(&packet.dport))];
            in_header(*offset, value.len, ports)
        }
        Of::Field(_) | Of::Bytes(_) | Of::Slot(_) | Of::Unknown(_) | Of::Varies(_) => {
            Reads::Nothing
        }
    };
    value.ops.iter().fold(read, |read, op| match (read, op) {
        (Reads::Nothing, ByteOp::With { other, .. }) => match reads(state, other, asked) {
            Reads::Nothing => Reads::Nothing,
            Reads::Port(_) | Reads::Something => Reads::Something,
        },
        (Reads::Nothing, _) => Reads::Nothing,
        (Reads::Port(seg), ByteOp::Cut { skip, len }) => {
            let (skip, len) = (*skip as usize, *len as usize);
            if skip + len <= seg.len() {
                Reads::Port(seg.cut(skip, len))
            } else {
                Reads::Something
            }
        }
        (Reads::Port(mut seg), ByteOp::MaskXor { mask, xor })
            if mask.len() == seg.len() && xor.len() == seg.len() =>
        {
            seg.mask_xor(mask, xor);
            Reads::Port(seg)
        }
        (Reads::Port(_) | Reads::Something, _) => Reads::Something,
    })
}

/// Whether any port of a connection is the one asked about.
fn is_any_asked(state: &State, is_asked: impl Fn(&Fact) -> bool) -> bool {
    let Some(conn) = state.entry() else {
        return false;
    };
    let bound = [&conn.dnat, &conn.snat].into_iter().flatten();
    let bound = bound.map(|binding| &binding.port);
    [&conn.sport, &conn.dport]
        .into_iter()
        .chain(bound)
        .any(is_asked)
}

/// What so many bytes of a transport header have of a port; of each port where it begins, and
/// whether it is the one asked about.
fn in_header(offset: u32, len: u32, ports: [(u32, bool); 2]) -> Reads {
    let end = offset + len;
    let is_read = |(start, is_asked): &(u32, bool)| *is_asked && offset < start + 2 && *start < end;
    let mut asked = ports.into_iter().filter(is_read).map(|(start, _)| start);
    match (asked.next(), asked.next()) {
        (None, _) => Reads::Nothing,
        (Some(start), None) if offset >= start && end <= start + 2 => {
            let whole = Seg::Free(Free::whole(Dim::Port, 2));
            Reads::Port(whole.cut((offset - start) as usize, len as usize))
        }
        (Some(_), _) => Reads::Something,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Ranges {
        Ranges::span(1, 65535)
    }

    #[test]
    fn a_comparison_leaves_the_ports_for_which_it_comes_out_the_same() {
        let alike = Alike::default();
        alike.begin(80, all());
        alike.compared(80, &Ranges::span(1, 1023));
        alike.compared(80, &Ranges::span(22, 22));
        assert_eq!(alike.end().as_slice(), &[(1, 21), (23, 1023)]);
    }

    #[test]
    fn a_comparison_of_another_port_says_nothing() {
        let alike = Alike::default();
        alike.begin(80, all());
        alike.compared(8080, &Ranges::span(8000, 9000));
        assert_eq!(alike.end(), all());
    }

    #[test]
    fn a_port_that_is_used_is_like_no_other() {
        let alike = Alike::default();
        alike.begin(80, all());
        alike.used(80);
        assert_eq!(alike.end(), Ranges::one(80));
    }

    #[test]
    fn half_of_a_port_in_the_header_is_a_part_of_it_and_two_ports_are_not() {
        let ports = [(0, false), (2, true)];
        assert!(matches!(in_header(2, 1, ports), Reads::Port(seg) if seg.len() == 1));
        assert!(matches!(in_header(0, 4, ports), Reads::Something));
        assert!(matches!(in_header(0, 2, ports), Reads::Nothing));
        assert!(matches!(in_header(12, 2, ports), Reads::Nothing));
    }
}
