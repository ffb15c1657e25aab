//! One rule of a listing, put back into the instructions it was made of.
//!
//! What is not understood ends the rule as read: the rest of it is one gap.

use net::Family;

use crate::TableFamily;
use crate::nft::{
    BitOp, CmpOp, Data, DataKind, Element, Expr, MetaKey, PayloadBase, Register, Set, SetOptions,
    Type,
};

use super::selector::{Load, Needs, Selector, selector};
use super::sets;
use super::statement::statement;
use super::tokens::{Cursor, Token, written};

/// A rule as read.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) exprs: Vec<Expr>,
    pub(super) comment: Option<Box<str>>,
    /// What was not understood.
    pub(super) unread: Option<String>,
}

/// Reads a rule. Sets that belong to it alone are added to `sets`.
pub(super) fn rule(tokens: &[Token<'_>], family: TableFamily, sets: &mut Vec<Set>) -> Read {
    let mut compiler = Compiler {
        family,
        sets,
        exprs: Vec::new(),
        known: Needs {
            family: match family {
                TableFamily::Ip => Some(Family::V4),
                TableFamily::Ip6 => Some(Family::V6),
                _ => None,
            },
            proto: None,
            ether: !matches!(
                family,
                TableFamily::Ip | TableFamily::Ip6 | TableFamily::Inet | TableFamily::Netdev
            ),
        },
    };
    let mut cursor = Cursor::new(tokens);
    let (mut comment, mut unread) = (None, None);
    loop {
        cursor.skip_lines();
        if cursor.is_done() {
            break;
        }
        if cursor.skip("comment") {
            comment = cursor.take().map(|token| (&*token.text).into());
            continue;
        }
        let (before, len) = (cursor.clone(), compiler.exprs.len());
        let is_read = statement(&mut compiler, &mut cursor)
            .or_else(|| compiler.matching(&mut cursor))
            .is_some();
        if !is_read {
            compiler.exprs.truncate(len);
            let text = written(before.rest());
            compiler.exprs.push(Expr::Unread(text.as_str().into()));
            unread = Some(text);
            break;
        }
    }
    Read {
        exprs: compiler.exprs,
        comment,
        unread,
    }
}

/// A rule in the making.
pub(super) struct Compiler<'s> {
    pub(super) family: TableFamily,
    pub(super) sets: &'s mut Vec<Set>,
    pub(super) exprs: Vec<Expr>,
    /// What the rule has tested of the packet's protocols.
    known: Needs,
}

impl Compiler<'_> {
    pub(super) fn push(&mut self, expr: Expr) {
        self.exprs.push(expr);
    }

    /// Puts back the tests that a header needs and a listing hides.
    fn require(&mut self, needs: Needs) {
        // A transport header is found behind that of either family, ICMP's of one alone.
        if let Some(family) = needs.family
            && self.known.family != Some(family)
            && (needs.proto.is_none() || self.known.proto != needs.proto)
        {
            self.exprs.extend(family_test(self.family, family));
            self.known.family = Some(family);
        }
        if let Some(proto) = needs.proto
            && self.known.proto != Some(proto)
        {
            self.exprs.extend(test(MetaKey::L4Proto, &[proto.0]));
            self.known.proto = Some(proto);
        }
        if needs.ether && !self.known.ether {
            let ether: u16 = 1;
            self.exprs
                .extend(test(MetaKey::IifType, &ether.to_ne_bytes()));
            self.known.ether = true;
        }
    }

    /// Puts the tests that a statement needs in front of the rule, as nft does.
    pub(super) fn require_first(&mut self, needs: Needs) {
        let behind = std::mem::take(&mut self.exprs);
        self.require(needs);
        self.exprs.extend(behind);
    }

    /// Loads selectors one behind the other from a register on.
    pub(super) fn load(&mut self, parts: &[Selector], first: Register) {
        for part in parts {
            self.require(part.needs);
        }
        let mut dreg = first;
        for part in parts {
            self.push(part.load.clone().into(dreg));
            if let Some(bits) = part.bits {
                self.mask(dreg, bits.mask.into());
            }
            dreg += part.kind.words();
        }
    }

    /// Keeps the bits of `mask`.
    fn mask(&mut self, register: Register, mask: Box<[u8]>) {
        let len = u32::try_from(mask.len()).unwrap_or(u32::MAX);
        let xor = vec![0; mask.len()].into();
        self.push(Expr::Bitwise {
            sreg: register,
            dreg: register,
            len,
            op: BitOp::MaskXor { mask, xor },
        });
    }

    /// Turns the bytes of a number around.
    fn turn(&mut self, register: Register, of: Type) {
        self.push(Expr::Byteorder {
            sreg: register,
            dreg: register,
            len: of.len(),
            size: of.len(),
        });
    }

    /// A test: what is read, and what it is compared with.
    fn matching(&mut self, cursor: &mut Cursor<'_, '_>) -> Option<()> {
        let parts = concatenation(cursor)?;
        self.load(&parts, 0);
        let kinds: Vec<Type> = parts.iter().map(|part| part.kind).collect();
        if let [
            Selector {
                bits: Some(bits),
                kind,
                ..
            },
        ] = parts[..]
        {
            return self.bit_field(cursor, kind, bits);
        }
        if parts.iter().any(|part| part.bits.is_some()) {
            return None;
        }
        let masked = match kinds[..] {
            [kind] => mask(cursor, kind),
            _ => None,
        };
        let is_masked = masked.is_some();
        if let Some(mask) = masked {
            self.mask(0, mask);
        }
        if cursor.skip("vmap") {
            let set = self.set(cursor, &kinds, DataKind::Verdict, &[Type::Verdict])?;
            self.lookup(set, None, true, false);
            return Some(());
        }
        let (op, is_written) = operator(cursor);
        if cursor.word() == "{" || cursor.word().starts_with('@') {
            let not = match op {
                CmpOp::Eq => false,
                CmpOp::Neq => true,
                _ => return None,
            };
            let set = self.set(cursor, &kinds, DataKind::None, &[])?;
            self.lookup(set, None, false, not);
            return Some(());
        }
        match kinds[..] {
            [kind] if is_masked => {
                let data = flags(cursor, kind)?;
                self.push(Expr::Cmp { sreg: 0, op, data });
                return Some(());
            }
            [kind] if kind.is_bits() => self.bits(cursor, kind, op, is_written),
            [kind] => self.compare(cursor, kind, op, 0),
            _ if op == CmpOp::Eq => self.compare_each(cursor, &kinds),
            _ => None,
        }?;
        self.learn(&parts);
        Some(())
    }

    /// Remembers a protocol that a test has just fixed.
    fn learn(&mut self, parts: &[Selector]) {
        let [part] = parts else { return };
        let Some(Expr::Cmp {
            op: CmpOp::Eq,
            data,
            ..
        }) = self.exprs.last()
        else {
            return;
        };
        match (&part.load, &data[..]) {
            (Load::Meta(MetaKey::L4Proto), [proto]) => {
                self.known.proto = Some(net::Proto(*proto));
            }
            (Load::Payload(PayloadBase::Network, 6 | 9, 1), [proto]) => {
                self.known.proto = Some(net::Proto(*proto));
            }
            (
                Load::Meta(MetaKey::Protocol) | Load::Payload(PayloadBase::Link, 12, 2),
                [0x08, 0x00],
            ) => self.known.family = Some(Family::V4),
            (
                Load::Meta(MetaKey::Protocol) | Load::Payload(PayloadBase::Link, 12, 2),
                [0x86, 0xdd],
            ) => {
                self.known.family = Some(Family::V6);
            }
            (Load::Meta(MetaKey::IifType), [1, 0] | [0, 1]) => self.known.ether = true,
            (Load::Meta(MetaKey::NfProto), [2]) => self.known.family = Some(Family::V4),
            (Load::Meta(MetaKey::NfProto), [10]) => self.known.family = Some(Family::V6),
            _ => {}
        }
    }

    /// Bits of a field: a bare list means any of them, one behind `==` just that value.
    fn bits(
        &mut self,
        cursor: &mut Cursor<'_, '_>,
        kind: Type,
        op: CmpOp,
        is_written: bool,
    ) -> Option<()> {
        // `! syn`: none of them.
        let is_none = cursor.skip("!");
        let is_list = cursor.word_after(1) == ",";
        let value = flags(cursor, kind)?;
        if cursor.skip("/") {
            // `syn / fin,syn`: of those behind, just these.
            let mask = flags(cursor, kind)?;
            self.mask(0, mask);
            self.push(Expr::Cmp {
                sreg: 0,
                op,
                data: value,
            });
            return Some(());
        }
        if is_none || is_list || !is_written {
            let is_equal = is_none || op == CmpOp::Neq;
            let data = vec![0; value.len()].into();
            self.mask(0, value);
            let op = if is_equal { CmpOp::Eq } else { CmpOp::Neq };
            self.push(Expr::Cmp { sreg: 0, op, data });
            return Some(());
        }
        self.push(Expr::Cmp {
            sreg: 0,
            op,
            data: value,
        });
        Some(())
    }

    /// One value, range, prefix or name with a wildcard.
    fn compare(
        &mut self,
        cursor: &mut Cursor<'_, '_>,
        kind: Type,
        op: CmpOp,
        sreg: Register,
    ) -> Option<()> {
        let token = cursor.take()?;
        if kind == Type::IfName
            && let Some(start) = token.text.strip_suffix('*')
        {
            let data = start.as_bytes().into();
            self.push(Expr::Cmp { sreg, op, data });
            return Some(());
        }
        let range = kind.range(&token.text)?;
        let is_one = range.first == range.last;
        let is_ordered = !matches!(op, CmpOp::Eq | CmpOp::Neq);
        let (mut first, mut last) = (range.first, range.last);
        if kind.is_host_order() && (is_ordered || !is_one) {
            // Numbers compare in network order alone.
            self.turn(sreg, kind);
            first.reverse();
            last.reverse();
        }
        match (op, is_one) {
            (op, true) => self.push(Expr::Cmp {
                sreg,
                op,
                data: first,
            }),
            (CmpOp::Eq | CmpOp::Neq, false) => self.push(Expr::Range {
                sreg,
                not: op == CmpOp::Neq,
                first,
                last,
            }),
            _ => return None,
        }
        Some(())
    }

    /// Several values, one behind the other.
    fn compare_each(&mut self, cursor: &mut Cursor<'_, '_>, kinds: &[Type]) -> Option<()> {
        let mut sreg = 0;
        for (at, kind) in kinds.iter().enumerate() {
            if at > 0 && !cursor.skip(".") {
                return None;
            }
            self.compare(cursor, *kind, CmpOp::Eq, sreg)?;
            sreg += kind.words();
        }
        Some(())
    }

    /// The set or map that stands here: by name, or written out.
    pub(super) fn set(
        &mut self,
        cursor: &mut Cursor<'_, '_>,
        keys: &[Type],
        data: DataKind,
        values: &[Type],
    ) -> Option<Box<str>> {
        if let Some(name) = cursor.word().strip_prefix('@') {
            cursor.take()?;
            let named = self.sets.iter().find(|set| set.name == name);
            if named.is_some_and(Set::is_turned) {
                self.turn(0, *keys.first()?);
            }
            return Some(name.into());
        }
        if !cursor.skip("{") {
            return None;
        }
        let name = format!("__set{}", self.sets.len());
        let mut set = Set {
            name: name.clone(),
            key: keys.to_vec(),
            data,
            values: values.iter().copied().filter(|of| of.len() > 0).collect(),
            anonymous: true,
            interval: false,
            dynamic: false,
            elements: sets::elements(cursor.block(), keys, values)?,
            unread: false,
            options: SetOptions {
                constant: true,
                ..SetOptions::default()
            },
        };
        set.interval = set.elements.iter().any(Element::is_range);
        if set.is_turned() {
            self.turn(0, *keys.first()?);
            sets::turn(&mut set);
        }
        self.sets.push(set);
        Some(name.into())
    }

    pub(super) fn lookup(
        &mut self,
        set: Box<str>,
        dreg: Option<Register>,
        to_verdict: bool,
        not: bool,
    ) {
        self.push(Expr::Lookup {
            set,
            sreg: 0,
            dreg,
            to_verdict,
            not,
        });
    }
}

/// A test of one key.
fn test(key: MetaKey, value: &[u8]) -> [Expr; 2] {
    let test = Expr::Cmp {
        sreg: 0,
        op: CmpOp::Eq,
        data: value.into(),
    };
    [Expr::Meta { dreg: 0, key }, test]
}

/// The test that a packet is of a family, as tables of that kind make it.
fn family_test(table: TableFamily, family: Family) -> [Expr; 2] {
    match (table, family) {
        (TableFamily::Bridge | TableFamily::Netdev, Family::V4) => {
            test(MetaKey::Protocol, &[0x08, 0x00])
        }
        (TableFamily::Bridge | TableFamily::Netdev, Family::V6) => {
            test(MetaKey::Protocol, &[0x86, 0xdd])
        }
        (_, Family::V4) => test(MetaKey::NfProto, &[2]),
        (_, Family::V6) => test(MetaKey::NfProto, &[10]),
    }
}

/// `SELECTOR [. SELECTOR]…`
pub(super) fn concatenation(cursor: &mut Cursor<'_, '_>) -> Option<Vec<Selector>> {
    let mut parts = vec![selector(cursor)?];
    while cursor.skip(".") {
        parts.push(selector(cursor)?);
    }
    Some(parts)
}

/// The comparison, and whether one is written.
pub(super) fn operator(cursor: &mut Cursor<'_, '_>) -> (CmpOp, bool) {
    let op = match cursor.word() {
        "==" => CmpOp::Eq,
        "!=" => CmpOp::Neq,
        "<" => CmpOp::Lt,
        "<=" => CmpOp::Lte,
        ">" => CmpOp::Gt,
        ">=" => CmpOp::Gte,
        _ => return (CmpOp::Eq, false),
    };
    let _ = cursor.take();
    (op, true)
}

/// `& MASK`, in front of a comparison.
fn mask(cursor: &mut Cursor<'_, '_>, kind: Type) -> Option<Box<[u8]>> {
    let before = cursor.clone();
    let found = cursor.skip("&").then(|| flags(cursor, kind)).flatten();
    if found.is_none() {
        *cursor = before;
    }
    found
}

/// A value of bits: one, or several joined by `,` or `|`, perhaps in parentheses.
fn flags(cursor: &mut Cursor<'_, '_>, kind: Type) -> Option<Box<[u8]>> {
    let is_open = cursor.skip("(");
    let mut bits = kind.value(cursor.word())?;
    let _ = cursor.take();
    while cursor.skip(",") || cursor.skip("|") {
        let more = kind.value(cursor.word())?;
        let _ = cursor.take();
        for (bit, more) in bits.iter_mut().zip(&more) {
            *bit |= more;
        }
    }
    (!is_open || cursor.skip(")")).then_some(bits)
}

/// The value of a constant as it lands in registers: fields padded to four bytes.
pub(super) fn padded(fields: &[Box<[u8]>]) -> Data {
    let mut bytes = Vec::new();
    for field in fields {
        bytes.extend_from_slice(field);
        if fields.len() > 1 {
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
    }
    Data::Value(bytes.into())
}
