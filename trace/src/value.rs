//! What a value reads as in a given situation: bytes, or bits of what the client may choose.

use std::rc::Rc;

use crate::eval::Eval;
use crate::lower::{ByteOp, Doubt, Of, Value, highest, number};
use crate::packet::State;
use crate::ranges::Ranges;

/// A dimension in which the packets of a state differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dim {
    Addr,
    Port,
}

/// Consecutive bytes of a value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Seg {
    Known(Vec<u8>),
    Free(Free),
    /// So many bytes; a number from the first to the last, and why it is not known.
    Vague {
        len: usize,
        first: u128,
        last: u128,
        why: &'static str,
        sort: Vagueness,
    },
}

/// What it means that a number is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vagueness {
    /// The host has it, and it was not read or is not modelled.
    Unread,
    /// The kernel picks it at random.
    Chance,
    /// It differs from packet to packet or from time to time.
    Varies,
}

/// Bytes of a client's address or port, masked and flipped.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Free {
    pub(crate) dim: Dim,
    /// Bytes of the whole field.
    width: u32,
    /// The first of its bytes that is read.
    skip: u32,
    mask: Vec<u8>,
    xor: Vec<u8>,
}

/// What a value reads as.
#[derive(Debug, Clone)]
pub(crate) enum Loaded {
    /// These bytes, in order.
    Segs(Vec<Seg>),
    /// Something else for each part of the client's addresses; absent in some.
    Parts(Vec<(Ranges, Option<Vec<u8>>)>),
    /// It cannot be computed: the rule ends.
    Absent,
    /// It is not known.
    Unknown(Rc<str>),
}

impl Loaded {
    pub(crate) fn known(bytes: &[u8]) -> Self {
        Self::Segs(vec![Seg::Known(bytes.to_vec())])
    }
}

impl Seg {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Known(bytes) => bytes.len(),
            Self::Free(free) => free.mask.len(),
            Self::Vague { len, .. } => *len,
        }
    }

    pub(crate) fn cut(&self, skip: usize, len: usize) -> Self {
        match self {
            Self::Known(bytes) => Self::Known(bytes[skip..skip + len].to_vec()),
            Self::Free(free) => Self::Free(Free {
                dim: free.dim,
                width: free.width,
                skip: free.skip + u32::try_from(skip).unwrap_or(0),
                mask: free.mask[skip..skip + len].to_vec(),
                xor: free.xor[skip..skip + len].to_vec(),
            }),
            Self::Vague { len: whole, .. } if *whole == len => self.clone(),
            Self::Vague { why, sort, .. } => Self::vague(len, why, sort.of_parts()),
        }
    }

    /// Any number of so many bytes.
    pub(crate) fn vague(len: usize, why: &'static str, sort: Vagueness) -> Self {
        let last = highest(u32::try_from(len).unwrap_or(16));
        Self::Vague {
            len,
            first: 0,
            last,
            why,
            sort,
        }
    }

    pub(crate) fn mask_xor(&mut self, mask: &[u8], xor: &[u8]) {
        match self {
            Self::Vague { len, why, sort, .. } => {
                *self = Self::vague(*len, why, sort.of_parts());
            }
            Self::Known(bytes) => {
                for ((byte, mask), xor) in bytes.iter_mut().zip(mask).zip(xor) {
                    *byte = (*byte & mask) ^ xor;
                }
            }
            Self::Free(free) => {
                let bits = free.mask.iter_mut().zip(free.xor.iter_mut());
                for (((m, x), mask), xor) in bits.zip(mask).zip(xor) {
                    *m &= mask;
                    *x = (*x & mask) ^ xor;
                }
            }
        }
    }
}

impl Vagueness {
    /// That of a part of the number, or of what is computed from it: how likely each value of
    /// that is nobody reckons.
    fn of_parts(self) -> Self {
        match self {
            Self::Unread | Self::Chance => Self::Unread,
            Self::Varies => Self::Varies,
        }
    }

    /// Whether such a number of `range` is one of `inside`.
    pub(crate) fn doubt(self, range: &Ranges, inside: &Ranges, why: &str) -> Doubt {
        match self {
            Self::Unread => Doubt::Gap(why.into()),
            Self::Chance => chance(range, inside, why),
            Self::Varies => Doubt::varies(why),
        }
    }
}

/// A value that is any of `range`, all as likely: how likely it is one of `inside`.
fn chance(range: &Ranges, inside: &Ranges, why: &str) -> Doubt {
    let count = |ranges: &Ranges| u32::try_from(ranges.count()).ok();
    match (count(range), count(inside)) {
        (Some(all), Some(some)) => Doubt::Chance(f64::from(some) / f64::from(all)),
        _ => Doubt::Gap(why.into()),
    }
}

impl Free {
    pub(crate) fn whole(dim: Dim, width: u32) -> Self {
        let len = width as usize;
        Self {
            dim,
            width,
            skip: 0,
            mask: vec![0xff; len],
            xor: vec![0; len],
        }
    }

    /// The values of the whole field for which the read bytes lie in `within`; `None` where
    /// that is no small set of ranges.
    pub(crate) fn preimage(&self, within: &Ranges) -> Option<Ranges> {
        let len = u32::try_from(self.mask.len()).ok()?;
        let shift = (self.width - self.skip - len) * 8;
        let (mask, xor) = (number(&self.mask) << shift, number(&self.xor) << shift);
        let top = highest(self.width);
        let mut found = Vec::new();
        for &(first, last) in within.and(&Ranges::span(0, highest(len))).as_slice() {
            if first == last {
                let fixed = (first << shift) ^ xor;
                if fixed & !mask == 0 {
                    expand(fixed, !mask & top, &mut found)?;
                }
            } else if xor == 0 && is_high_mask(mask, top) {
                let (low, unit) = (!mask & top, (!mask & top).checked_add(1));
                let first = round_up(first << shift, unit)?;
                let last = ((last << shift) | ((1 << shift) - 1)) & mask | low;
                found.push((first, last));
            } else {
                return None;
            }
        }
        Some(Ranges::of(found))
    }
}

fn round_up(value: u128, unit: Option<u128>) -> Option<u128> {
    match unit {
        Some(unit) => value.div_ceil(unit).checked_mul(unit),
        None => (value == 0).then_some(0),
    }
}

/// Whether the set bits of `mask` are the highest ones of `top` and nothing else.
fn is_high_mask(mask: u128, top: u128) -> bool {
    let low = !mask & top;
    low & low.wrapping_add(1) == 0
}

/// Every value with `fixed` bits and any of the `free` ones; `None` if those are too many
/// ranges to be told apart.
fn expand(fixed: u128, free: u128, found: &mut Vec<(u128, u128)>) -> Option<()> {
    let run = free.trailing_ones();
    let low = if run == 128 {
        u128::MAX
    } else {
        (1 << run) - 1
    };
    let high = free & !low;
    if high.count_ones() > 16 {
        return None;
    }
    let mut bits = 0_u128;
    loop {
        found.push((fixed | bits, fixed | bits | low));
        bits = bits.wrapping_sub(high) & high;
        if bits == 0 {
            return Some(());
        }
    }
}

impl Eval<'_> {
    /// Reads a value that is used for what it is.
    pub(crate) fn load(&mut self, state: &State, value: &Value) -> Loaded {
        self.note_used(state, value);
        self.read(state, value)
    }

    /// Reads a value for one who takes note of what it is compared with.
    pub(crate) fn read(&mut self, state: &State, value: &Value) -> Loaded {
        let mut loaded = match &value.of {
            Of::Bytes(bytes) => Loaded::known(bytes),
            Of::Field(field) => self.field(state, *field, value.len),
            Of::Slot(slot) => match state.slots.iter().rev().find(|(s, _)| s == slot) {
                Some((_, bytes)) => Loaded::known(bytes),
                None => Loaded::Absent,
            },
            Of::Unknown(why) => Loaded::Unknown(why.clone()),
            Of::Varies(why) => {
                let seg = Seg::vague(value.len as usize, why, Vagueness::Varies);
                Loaded::Segs(vec![seg])
            }
        };
        for op in &value.ops {
            loaded = match loaded {
                Loaded::Segs(segs) => self.apply_op(state, segs, op),
                Loaded::Parts(parts) => Loaded::Parts(
                    parts
                        .into_iter()
                        .map(|(r, b)| (r, b.map(|b| apply_known(&b, op))))
                        .collect(),
                ),
                Loaded::Absent => Loaded::Absent,
                Loaded::Unknown(why) => Loaded::Unknown(why),
            };
        }
        loaded
    }

    fn apply_op(&mut self, state: &State, mut segs: Vec<Seg>, op: &ByteOp) -> Loaded {
        match op {
            ByteOp::MaskXor { mask, xor } => {
                let mut at = 0;
                for seg in &mut segs {
                    let end = (at + seg.len()).min(mask.len());
                    seg.mask_xor(&mask[at.min(end)..end], &xor[at.min(end)..end]);
                    at += seg.len();
                }
                Loaded::Segs(segs)
            }
            ByteOp::Cut { skip, len } => Loaded::Segs(cut(&segs, *skip as usize, *len as usize)),
            ByteOp::ShiftLeft(_) | ByteOp::ShiftRight(_) | ByteOp::Swap(_) => match &segs[..] {
                [Seg::Known(bytes)] => Loaded::known(&apply_known(bytes, op)),
                [Seg::Vague { .. }] => Loaded::Segs(cut(&segs, 0, segs[0].len())),
                _ => Loaded::Unknown("a rule computes with the client's address or port".into()),
            },
            ByteOp::With { op, other } => match (&segs[..], self.read(state, other)) {
                ([Seg::Known(a)], Loaded::Segs(b)) => match &b[..] {
                    [Seg::Known(b)] => Loaded::known(&with(*op, a, b)),
                    _ => Loaded::Unknown("a rule computes with two values".into()),
                },
                (_, Loaded::Absent) => Loaded::Absent,
                _ => Loaded::Unknown("a rule computes with two values".into()),
            },
        }
    }
}

/// Joins neighbours that are known.
pub(crate) fn join(segs: Vec<Seg>) -> Vec<Seg> {
    let mut joined: Vec<Seg> = Vec::with_capacity(segs.len());
    for seg in segs {
        match (joined.last_mut(), seg) {
            (Some(Seg::Known(before)), Seg::Known(bytes)) => before.extend(bytes),
            (_, seg) => joined.push(seg),
        }
    }
    joined
}

fn cut(segs: &[Seg], skip: usize, len: usize) -> Vec<Seg> {
    let (mut at, end) = (0, skip + len);
    let mut parts = Vec::new();
    for seg in segs {
        let (from, to) = (skip.max(at), end.min(at + seg.len()));
        if from < to {
            parts.push(seg.cut(from - at, to - from));
        }
        at += seg.len();
    }
    parts
}

/// Shifts work on 32-bit words in the host's byte order (nft_bitwise.c).
fn shifted(bytes: &[u8], shift: impl Fn(u32) -> u32) -> Vec<u8> {
    let mut word = [0; 4];
    let len = bytes.len().min(4);
    word[..len].copy_from_slice(&bytes[..len]);
    shift(u32::from_ne_bytes(word)).to_ne_bytes()[..len].to_vec()
}

fn apply_known(bytes: &[u8], op: &ByteOp) -> Vec<u8> {
    match op {
        ByteOp::MaskXor { mask, xor } => {
            let bits = bytes.iter().zip(mask.iter()).zip(xor.iter());
            bits.map(|((byte, mask), xor)| (byte & mask) ^ xor)
                .collect()
        }
        ByteOp::ShiftLeft(by) => shifted(bytes, |word| word.checked_shl(*by).unwrap_or(0)),
        ByteOp::ShiftRight(by) => shifted(bytes, |word| word.checked_shr(*by).unwrap_or(0)),
        ByteOp::Swap(size) => {
            let chunks = bytes.chunks((*size).max(1) as usize);
            chunks
                .flat_map(|chunk| chunk.iter().rev().copied())
                .collect()
        }
        ByteOp::Cut { skip, len } => {
            let (skip, len) = (*skip as usize, *len as usize);
            bytes.iter().skip(skip).take(len).copied().collect()
        }
        ByteOp::With { .. } => bytes.to_vec(),
    }
}

fn with(op: u32, a: &[u8], b: &[u8]) -> Vec<u8> {
    let bits = a.iter().zip(b);
    match op {
        3 => bits.map(|(a, b)| a & b).collect(),
        4 => bits.map(|(a, b)| a | b).collect(),
        _ => bits.map(|(a, b)| a ^ b).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(mask: [u8; 4]) -> Free {
        Free {
            dim: Dim::Addr,
            width: 4,
            skip: 0,
            mask: mask.to_vec(),
            xor: vec![0; 4],
        }
    }

    #[test]
    fn a_prefix_mask_gives_one_range() {
        let found = masked([255, 255, 255, 0])
            .preimage(&Ranges::one(0x0a00_0100))
            .unwrap();
        assert_eq!(found.as_slice(), &[(0x0a00_0100, 0x0a00_01ff)]);
    }

    #[test]
    fn a_mask_with_holes_gives_a_range_for_each_value_of_the_holes() {
        let found = masked([255, 0xfe, 0xff, 0])
            .preimage(&Ranges::one(0x0a00_0100))
            .unwrap();
        assert_eq!(
            found.as_slice(),
            &[(0x0a00_0100, 0x0a00_01ff), (0x0a01_0100, 0x0a01_01ff)]
        );
    }

    #[test]
    fn a_value_outside_the_mask_is_never_met() {
        assert!(
            masked([255, 0, 0, 0])
                .preimage(&Ranges::one(1))
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn the_first_bytes_of_an_address_stand_for_a_block() {
        let whole = Seg::Free(Free::whole(Dim::Addr, 4));
        let Seg::Free(cut) = whole.cut(0, 3) else {
            panic!("a free part stays free")
        };
        let found = cut
            .preimage(&Ranges::span(0x000a_0001, 0x000a_0002))
            .unwrap();
        assert_eq!(found.as_slice(), &[(0x0a00_0100, 0x0a00_02ff)]);
    }
}
