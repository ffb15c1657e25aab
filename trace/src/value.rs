//! What a value reads as in a given situation: bytes, or bits of what the client may choose.

use std::rc::Rc;

use host::nft::PayloadBase;
use net::{Family, Proto};

use crate::eval::Eval;
use crate::lower::{ByteOp, Field, Of, Value, highest, number};
use crate::packet::{Fact, Kind, State, Tracking, User};
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
    fn known(bytes: &[u8]) -> Self {
        Self::Segs(vec![Seg::Known(bytes.to_vec())])
    }
}

impl Seg {
    fn len(&self) -> usize {
        match self {
            Self::Known(bytes) => bytes.len(),
            Self::Free(free) => free.mask.len(),
        }
    }

    fn cut(&self, skip: usize, len: usize) -> Self {
        match self {
            Self::Known(bytes) => Self::Known(bytes[skip..skip + len].to_vec()),
            Self::Free(free) => Self::Free(Free {
                dim: free.dim,
                width: free.width,
                skip: free.skip + u32::try_from(skip).unwrap_or(0),
                mask: free.mask[skip..skip + len].to_vec(),
                xor: free.xor[skip..skip + len].to_vec(),
            }),
        }
    }

    fn mask_xor(&mut self, mask: &[u8], xor: &[u8]) {
        match self {
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

impl Free {
    fn whole(dim: Dim, width: u32) -> Self {
        let len = width as usize;
        Self {
            dim,
            width,
            skip: 0,
            mask: vec![0xff; len],
            xor: vec![0; len],
        }
    }

    /// Bytes that are read.
    pub(crate) fn len(&self) -> usize {
        self.mask.len()
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
    if high.count_ones() > 12 {
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
    /// Reads a value.
    pub(crate) fn load(&mut self, state: &State, value: &Value) -> Loaded {
        let mut loaded = match &value.of {
            Of::Bytes(bytes) => Loaded::known(bytes),
            Of::Field(field) => self.field(state, *field, value.len),
            Of::Slot(slot) => match state.slots.iter().rev().find(|(s, _)| s == slot) {
                Some((_, bytes)) => Loaded::known(bytes),
                None => Loaded::Absent,
            },
            Of::Unknown(why) => Loaded::Unknown(why.clone()),
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
                _ => Loaded::Unknown("a rule computes with the client's address or port".into()),
            },
            ByteOp::With { op, other } => match (&segs[..], self.load(state, other)) {
                ([Seg::Known(a)], Loaded::Segs(b)) => match &b[..] {
                    [Seg::Known(b)] => Loaded::known(&with(*op, a, b)),
                    _ => Loaded::Unknown("a rule computes with two values".into()),
                },
                (_, Loaded::Absent) => Loaded::Absent,
                _ => Loaded::Unknown("a rule computes with two values".into()),
            },
        }
    }

    fn field(&mut self, state: &State, field: Field, len: u32) -> Loaded {
        let packet = &state.packet;
        match field {
            Field::Header { base, offset } => self.header(state, base, offset, len),
            Field::Src => fact(state, &packet.src, Dim::Addr),
            Field::Dst => fact(state, &packet.dst, Dim::Addr),
            Field::Sport => ports(state, &packet.sport),
            Field::Dport => ports(state, &packet.dport),
            Field::Proto => Loaded::known(&[packet.proto.0]),
            Field::NfProto | Field::CtL3Proto => {
                Loaded::known(&[if state.family == Family::V4 { 2 } else { 10 }])
            }
            Field::EtherProto => Loaded::known(ether_type(state.family)),
            Field::Mark => Loaded::known(&packet.mark.to_ne_bytes()),
            Field::SkUid => match packet.user {
                User::Nobody => Loaded::Absent,
                User::Client => Loaded::known(&self.question.user.0.to_ne_bytes()),
                User::Server(uid) => Loaded::known(&uid.to_ne_bytes()),
            },
            Field::SkGid => match packet.user {
                User::Nobody => Loaded::Absent,
                User::Client => Loaded::known(&self.question.user.1.to_ne_bytes()),
                User::Server(_) => Loaded::Unknown("the group of the server's process".into()),
            },
            Field::PktType => Loaded::known(&[0]),
            Field::Iif | Field::IifName | Field::IifType | Field::IifGroup => {
                self.device(packet.iif, field)
            }
            Field::Oif | Field::OifName | Field::OifType | Field::OifGroup => {
                self.device(packet.oif, field)
            }
            Field::Fib { result, flags } => self.fib(state, result, flags),
            Field::CtState => Loaded::known(&ct_state(state.tracking).to_ne_bytes()),
            Field::XtState => Loaded::known(&xt_state(state).to_ne_bytes()),
            Field::CtStatus
            | Field::CtMark
            | Field::CtDirection
            | Field::CtProto
            | Field::CtAddr { .. }
            | Field::CtPort { .. }
            | Field::CtZone => connection(state, field),
        }
    }

    fn device(&self, index: Option<u32>, field: Field) -> Loaded {
        let link = index.and_then(|index| self.host.link(index));
        match field {
            Field::Iif | Field::Oif => Loaded::known(&index.unwrap_or(0).to_ne_bytes()),
            Field::IifName | Field::OifName => {
                let mut name = [0; 16];
                let text = link.map_or(&[][..], |link| link.name.as_bytes());
                let len = text.len().min(16);
                name[..len].copy_from_slice(&text[..len]);
                Loaded::known(&name)
            }
            Field::IifType | Field::OifType => link.map_or(Loaded::Absent, |l| {
                Loaded::known(&l.hardware_type.to_ne_bytes())
            }),
            Field::IifGroup | Field::OifGroup => {
                link.map_or(Loaded::Absent, |l| Loaded::known(&l.group.to_ne_bytes()))
            }
            Field::Header { .. }
            | Field::Src
            | Field::Dst
            | Field::Sport
            | Field::Dport
            | Field::Proto
            | Field::NfProto
            | Field::EtherProto
            | Field::Mark
            | Field::SkUid
            | Field::SkGid
            | Field::PktType
            | Field::CtState
            | Field::CtStatus
            | Field::XtState
            | Field::CtMark
            | Field::CtDirection
            | Field::CtL3Proto
            | Field::CtProto
            | Field::CtAddr { .. }
            | Field::CtPort { .. }
            | Field::CtZone
            | Field::Fib { .. } => Loaded::Absent,
        }
    }

    fn header(&self, state: &State, base: PayloadBase, offset: u32, len: u32) -> Loaded {
        let layout = match base {
            PayloadBase::Network => network_header(state),
            PayloadBase::Transport => transport_header(state),
            PayloadBase::Link => match self.link_header(state) {
                Some(layout) => layout,
                None => return Loaded::Absent,
            },
            PayloadBase::Inner => return Loaded::Unknown("the data of a packet".into()),
        };
        let (mut segs, mut at, end) = (Vec::new(), offset, offset + len);
        for (start, part) in layout {
            let stop = start + u32::try_from(part.1).unwrap_or(0);
            if at < start || at >= stop || at == end {
                continue;
            }
            let upto = stop.min(end);
            match part.0 {
                Ok(seg) => segs.push(seg.cut((at - start) as usize, (upto - at) as usize)),
                Err(why) => return Loaded::Unknown(why.into()),
            }
            at = upto;
        }
        if at < end {
            return Loaded::Unknown("a part of the header that is not modelled".into());
        }
        Loaded::Segs(join(segs))
    }

    /// The link-layer header; none on loopback and on the way out.
    fn link_header(&self, state: &State) -> Option<Layout> {
        let link = self.host.link(state.packet.iif?)?;
        if link.hardware_type != 1 {
            return None;
        }
        let mac = self.question.mac.filter(|_| state.packet.from_wire);
        let source = mac.map(|mac| Seg::Known(mac.to_vec()));
        let ether = Seg::Known(ether_type(state.family).to_vec());
        Some(vec![
            (0, (Err("the link-layer address the packet was sent to"), 6)),
            (6, (source.ok_or("the link-layer address of the client"), 6)),
            (12, (Ok(ether), 2)),
        ])
    }
}

/// Fields of a header by offset: what is in them, and how many bytes they have.
type Layout = Vec<(u32, (Result<Seg, &'static str>, usize))>;

fn network_header(state: &State) -> Layout {
    let packet = &state.packet;
    let seg = |fact: &Fact| -> Result<Seg, &'static str> {
        match self::fact(state, fact, Dim::Addr) {
            Loaded::Segs(mut segs) => segs.pop().ok_or("an address"),
            Loaded::Parts(_) | Loaded::Absent | Loaded::Unknown(_) => Err("a translated address"),
        }
    };
    let known = |bytes: &[u8]| Ok(Seg::Known(bytes.to_vec()));
    let (src, dst) = (seg(&packet.src), seg(&packet.dst));
    match state.family {
        Family::V4 => vec![
            (0, (known(&[0x45, 0]), 2)),
            (2, (Err("the length of the packet"), 2)),
            (4, (Err("the identification of the packet"), 2)),
            (6, (known(&[0x40, 0]), 2)),
            (8, (Err("the TTL of the packet"), 1)),
            (9, (known(&[packet.proto.0]), 1)),
            (10, (Err("the checksum of the packet"), 2)),
            (12, (src, 4)),
            (16, (dst, 4)),
        ],
        Family::V6 => vec![
            (0, (known(&[0x60]), 1)),
            (1, (Err("the flow label of the packet"), 3)),
            (4, (Err("the length of the packet"), 2)),
            (6, (known(&[packet.proto.0]), 1)),
            (7, (Err("the hop limit of the packet"), 1)),
            (8, (src, 16)),
            (24, (dst, 16)),
        ],
    }
}

fn transport_header(state: &State) -> Layout {
    let packet = &state.packet;
    if let Kind::IcmpError(kind, code) = packet.kind {
        return vec![(0, (Ok(Seg::Known(vec![kind, code])), 2))];
    }
    let seg = |fact: &Fact| match ports(state, fact) {
        Loaded::Segs(mut segs) => segs.pop().ok_or("a port"),
        Loaded::Parts(_) | Loaded::Absent | Loaded::Unknown(_) => Err("a translated port"),
    };
    let mut layout = vec![(0, (seg(&packet.sport), 2)), (2, (seg(&packet.dport), 2))];
    if packet.proto == Proto::TCP {
        let flags = match packet.kind {
            Kind::First => 0x02,
            Kind::Answer => 0x12,
            Kind::Ack => 0x10,
            Kind::Reset | Kind::IcmpError(..) => 0x14,
        };
        layout.push((4, (Err("sequence numbers"), 8)));
        layout.push((12, (Err("the length of the TCP header"), 1)));
        layout.push((13, (Ok(Seg::Known(vec![flags])), 1)));
    }
    layout
}

fn ether_type(family: Family) -> &'static [u8] {
    match family {
        Family::V4 => &[0x08, 0x00],
        Family::V6 => &[0x86, 0xdd],
    }
}

fn fact(state: &State, fact: &Fact, dim: Dim) -> Loaded {
    let width = u32::from(state.family.bits()) / 8;
    match state.known_addr(fact) {
        Some(bits) => Loaded::known(&bits.to_be_bytes()[16 - width as usize..]),
        None => free(fact, dim, width),
    }
}

fn ports(state: &State, fact: &Fact) -> Loaded {
    if matches!(state.packet.kind, Kind::IcmpError(..)) {
        return Loaded::Absent;
    }
    match state.known_port(fact) {
        Some(port) => Loaded::known(&port.to_be_bytes()),
        None => free(fact, Dim::Port, 2),
    }
}

fn free(fact: &Fact, dim: Dim, width: u32) -> Loaded {
    match fact {
        Fact::Known(_) | Fact::Client => Loaded::Segs(vec![Seg::Free(Free::whole(dim, width))]),
        Fact::Unknown(why) => Loaded::Unknown((*why).into()),
    }
}

fn ct_state(tracking: Tracking) -> u32 {
    match tracking {
        Tracking::None | Tracking::Invalid => 1,
        Tracking::Established => 2,
        Tracking::Related => 4,
        Tracking::New => 8,
        Tracking::Untracked => 64,
    }
}

fn xt_state(state: &State) -> u32 {
    let base = match state.tracking {
        Tracking::None | Tracking::Invalid => 1,
        Tracking::Established => 2,
        Tracking::Related => 4,
        Tracking::New => 8,
        Tracking::Untracked => 0x100,
    };
    let conn = state.conn.as_ref();
    let changes = |binding: Option<&crate::packet::Binding>| binding.is_some_and(|b| b.changes);
    base | if changes(conn.and_then(|c| c.snat.as_ref())) {
        0x40
    } else {
        0
    } | if changes(conn.and_then(|c| c.dnat.as_ref())) {
        0x80
    } else {
        0
    }
}

fn connection(state: &State, field: Field) -> Loaded {
    let Some(conn) = &state.conn else {
        return Loaded::Absent;
    };
    match field {
        Field::CtStatus => Loaded::known(&ct_status(conn).to_ne_bytes()),
        Field::CtMark => Loaded::known(&conn.mark.to_ne_bytes()),
        Field::CtDirection => Loaded::known(&[state.reply.into()]),
        Field::CtProto => match state.packet.kind {
            Kind::IcmpError(..) => Loaded::Unknown("the protocol of an error's connection".into()),
            Kind::First | Kind::Answer | Kind::Ack | Kind::Reset => {
                Loaded::known(&[state.packet.proto.0])
            }
        },
        Field::CtZone => Loaded::known(&[0, 0]),
        Field::CtAddr { reply, source } => {
            let of = match (reply, source) {
                (false, true) => &conn.src,
                (false, false) => &conn.dst,
                (true, true) => conn.dnat.as_ref().map_or(&conn.dst, |b| &b.addr),
                (true, false) => conn.snat.as_ref().map_or(&conn.src, |b| &b.addr),
            };
            fact(state, of, Dim::Addr)
        }
        Field::CtPort { reply, source } => {
            let of = match (reply, source) {
                (false, true) => &conn.sport,
                (false, false) => &conn.dport,
                (true, true) => conn.dnat.as_ref().map_or(&conn.dport, |b| &b.port),
                (true, false) => conn.snat.as_ref().map_or(&conn.sport, |b| &b.port),
            };
            match state.known_port(of) {
                Some(port) => Loaded::known(&port.to_be_bytes()),
                None => free(of, Dim::Port, 2),
            }
        }
        Field::Header { .. }
        | Field::Src
        | Field::Dst
        | Field::Sport
        | Field::Dport
        | Field::Proto
        | Field::NfProto
        | Field::EtherProto
        | Field::Iif
        | Field::Oif
        | Field::IifName
        | Field::OifName
        | Field::IifType
        | Field::OifType
        | Field::IifGroup
        | Field::OifGroup
        | Field::Mark
        | Field::SkUid
        | Field::SkGid
        | Field::PktType
        | Field::CtState
        | Field::XtState
        | Field::CtL3Proto
        | Field::Fib { .. } => Loaded::Absent,
    }
}

/// `IPS_*` bits (nf_conntrack_common.h).
fn ct_status(conn: &crate::packet::Connection) -> u32 {
    let bit = |is: bool, bit: u32| if is { bit } else { 0 };
    bit(conn.replied, 2)
        | bit(conn.confirmed, 8)
        | bit(conn.snat.as_ref().is_some_and(|b| b.changes), 0x10)
        | bit(conn.dnat.as_ref().is_some_and(|b| b.changes), 0x20)
        | bit(conn.snat.is_some(), 0x80)
        | bit(conn.dnat.is_some(), 0x100)
}

/// Joins neighbours that are known.
fn join(segs: Vec<Seg>) -> Vec<Seg> {
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
