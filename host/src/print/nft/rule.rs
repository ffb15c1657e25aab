//! The expressions of one rule, put together to statements.

use crate::TableFamily;
use crate::nft::{BitOp, CmpOp, DataKind, Expr, MetaKey, Register, Set, Type};

use super::Scope;
use super::fields::{self, Field, Place, Sight};
use super::known::{Known, Pending, Test};
use super::registers::{Registers, Value};
use super::{set, statement};

/// Expressions of one rule as one line.
pub(super) fn line(exprs: &[Expr], scope: Scope<'_>) -> String {
    let mut rule = Statements::new(scope);
    let mut rest = exprs;
    while let [expr, after @ ..] = rest {
        rest = after;
        // nft tests the two ends of a range one after the other.
        if let (
            Expr::Cmp {
                sreg,
                op: CmpOp::Gte,
                data: first,
            },
            [
                Expr::Cmp {
                    sreg: same,
                    op: CmpOp::Lte,
                    data: last,
                },
                behind @ ..,
            ],
        ) = (expr, after)
            && sreg == same
        {
            rule.range(*sreg, false, [first, last]);
            rest = behind;
        } else {
            rule.add(expr);
        }
    }
    rule.flush();
    rule.words.join(" ")
}

/// Statements of one rule in the making.
#[derive(Debug)]
pub(super) struct Statements<'a> {
    pub(super) scope: Scope<'a>,
    pub(super) registers: Registers,
    /// What was tested before the tests that are pending.
    said: Known,
    /// What was tested, with those.
    pub(super) known: Known,
    pending: Pending,
    words: Vec<String>,
}

impl<'a> Statements<'a> {
    fn new(scope: Scope<'a>) -> Self {
        let known = scope.table.map(|table| Known::of_table(table.family));
        let known = known.unwrap_or_default();
        Self {
            scope,
            registers: Registers::default(),
            said: known,
            known,
            pending: Pending::default(),
            words: Vec::new(),
        }
    }

    fn add(&mut self, expr: &Expr) {
        match expr {
            Expr::Cmp { sreg, op, data } => self.compare(*sreg, *op, data),
            Expr::Range {
                sreg,
                not,
                first,
                last,
            } => self.range(*sreg, *not, [first, last]),
            Expr::Lookup {
                set,
                sreg,
                dreg,
                to_verdict,
                not,
            } => {
                let registers = (*sreg, dreg.filter(|_| !to_verdict));
                self.look_up(set, registers, (*to_verdict, *not));
            }
            Expr::PayloadSet { .. }
            | Expr::MetaSet { .. }
            | Expr::CtSet { .. }
            | Expr::Verdict(_)
            | Expr::Nat(_)
            | Expr::Masquerade { .. }
            | Expr::Redirect { .. }
            | Expr::Reject(_)
            | Expr::Dynset { .. }
            | Expr::Limit(_)
            | Expr::Notrack
            | Expr::Queue { .. }
            | Expr::Pass(_)
            | Expr::Match(_)
            | Expr::Target(_)
            | Expr::Unread(_) => {
                let text = statement::text(self, expr);
                self.say(text);
            }
            Expr::Gap { name, dreg: None } => self.say(format!("[{name}]")),
            Expr::Payload { .. }
            | Expr::Meta { .. }
            | Expr::Ct { .. }
            | Expr::Fib { .. }
            | Expr::Socket { .. }
            | Expr::Numgen { .. }
            | Expr::Immediate { .. }
            | Expr::Bitwise { .. }
            | Expr::Byteorder { .. }
            | Expr::Gap { dreg: Some(_), .. } => self.load(expr),
        }
    }

    /// Expressions that put a value into a register.
    fn load(&mut self, expr: &Expr) {
        match expr {
            Expr::Payload {
                dreg,
                base,
                offset,
                len,
            } => {
                let value = self.read(Place {
                    base: *base,
                    offset: *offset,
                    len: *len,
                });
                self.registers.put(*dreg, value);
            }
            Expr::Meta { dreg, key } => self.put(*dreg, fields::meta(*key)),
            Expr::Ct { dreg, key, reply } => self.put(*dreg, fields::ct(*key, *reply)),
            Expr::Fib {
                dreg,
                result,
                flags,
            } => self.put(*dreg, fields::fib(*result, *flags)),
            Expr::Numgen {
                dreg,
                kind,
                modulus,
                offset,
            } => self.put(*dreg, fields::numgen(*kind, *modulus, *offset)),
            Expr::Socket { dreg, key } => self.put(*dreg, fields::socket(*key)),
            Expr::Immediate { dreg, data } => self.registers.put(*dreg, Value::constant(data)),
            Expr::Bitwise {
                sreg,
                dreg,
                len,
                op,
            } => self.bitwise((*sreg, *dreg), *len, op),
            Expr::Byteorder { sreg, dreg, .. } => {
                let mut value = self.registers.take(*sreg);
                value.is_turned = !value.is_turned;
                self.registers.put(*dreg, value);
            }
            Expr::Gap {
                name,
                dreg: Some(dreg),
            } => self.put(*dreg, Field::plain(format!("[{name}]"), Type::Number(4))),
            _ => {}
        }
    }

    fn sight(&self) -> Sight {
        Sight {
            known: self.known,
            is_exact: self.scope.table.is_some(),
        }
    }

    fn read(&mut self, place: Place) -> Value {
        let field = self.field(place);
        let mut value = Value::of(field, place.len);
        value.place = Some(place);
        value
    }

    /// A field of a header, which is read or written.
    pub(super) fn field(&mut self, place: Place) -> Field {
        let field = fields::payload(place, self.sight());
        if let Some(header) = field.header {
            self.pending.reads(header);
        }
        field
    }

    fn put(&mut self, dreg: Register, field: Field) {
        let len = field.of.len();
        self.registers.put(dreg, Value::of(field, len));
    }

    fn bitwise(&mut self, (sreg, dreg): (Register, Register), len: u32, op: &BitOp) {
        let mut value = self.registers.take(sreg);
        value.len = len;
        match op {
            BitOp::MaskXor { mask, xor } => {
                let is_plain = xor.iter().all(|byte| *byte == 0);
                let place = value.place.filter(|_| is_plain && value.bits.is_none());
                let sight = self.sight();
                let field = place.and_then(|place| fields::bit_field(place, mask, sight));
                if let Some((field, bits)) = field {
                    self.pending
                        .reads(field.header.expect("a bit field is of a header"));
                    (value.text, value.of, value.bits) = (field.text, field.of, Some(bits));
                }
                value.mask(mask, xor);
            }
            BitOp::ShiftLeft(bits) => value.text = format!("{} << {bits}", value.text),
            BitOp::ShiftRight(bits) => value.text = format!("{} >> {bits}", value.text),
            BitOp::With { op, .. } => value.text = format!("{} [bitwise {op}]", value.text),
        }
        self.registers.put(dreg, value);
    }

    fn compare(&mut self, sreg: Register, op: CmpOp, data: &[u8]) {
        let value = self.registers.take(sreg);
        let unnamed = value
            .place
            .filter(|_| op == CmpOp::Eq && value.is_unnamed());
        let pieces = unnamed.and_then(|place| fields::pieces(place, self.sight()));
        let Some(pieces) = pieces else {
            return self.compare_value(&value, op, data);
        };
        let mut rest = data;
        for place in pieces {
            let (data, behind) = rest.split_at(rest.len().min(place.len as usize));
            rest = behind;
            let value = self.read(place);
            self.compare_value(&value, op, data);
        }
    }

    fn compare_value(&mut self, value: &Value, op: CmpOp, data: &[u8]) {
        let text = value.compare(op, data, self.scope.links);
        if op == CmpOp::Eq
            && let Some(test) = self.test_of(value, data)
        {
            // A test of another header than the last is no part of what nft puts in front.
            self.pending.add(test, text);
            self.known.learn(test);
            return;
        }
        self.say(text);
        let place = value.place.filter(|_| op == CmpOp::Eq);
        if let Some(told) = place.and_then(|place| fields::told(place, data)) {
            self.known.learn(told);
            self.said = self.known;
        }
    }

    /// The test that nft makes by itself, if this is one.
    fn test_of(&self, value: &Value, data: &[u8]) -> Option<Test> {
        use net::{Family, Proto};
        let by_protocol = self
            .scope
            .table
            .is_some_and(|table| matches!(table.family, TableFamily::Bridge | TableFamily::Netdev));
        Some(match (&*value.text, data) {
            ("meta l4proto", [number]) => Test::Proto(Proto(*number)),
            ("meta nfproto", [2]) if !by_protocol => Test::Family(Family::V4),
            ("meta nfproto", [10]) if !by_protocol => Test::Family(Family::V6),
            ("meta protocol", [0x08, 0x00]) if by_protocol => Test::Family(Family::V4),
            ("meta protocol", [0x86, 0xdd]) if by_protocol => Test::Family(Family::V6),
            ("meta iiftype", [1, 0] | [0, 1]) => Test::Ether,
            _ => return None,
        })
    }

    fn range(&mut self, sreg: Register, not: bool, ends: [&[u8]; 2]) {
        let value = self.registers.take(sreg);
        let links = self.scope.links;
        let ends = ends.map(|bytes| value.of.text(&value.straight(bytes), links));
        let text = value.as_type(value.of, links);
        let not = if not { "!= " } else { "" };
        self.say(format!("{text} {not}{}", ends.join("-")));
    }

    /// The set or map of that name, where the table is known.
    pub(super) fn set(&self, name: &str) -> Option<&'a Set> {
        let table = self.scope.table?;
        table.sets.iter().find(|set| set.name == name)
    }

    /// The fields of a key, and their text.
    pub(super) fn key(&mut self, set: &str, sreg: Register) -> (Vec<Value>, String) {
        let count = self.set(set).map(|set| set.key.len());
        let parts = self.registers.take_key(sreg, count);
        let links = self.scope.links;
        let texts: Vec<_> = parts
            .iter()
            .map(|part| part.as_type(part.of, links))
            .collect();
        let text = texts.join(" . ");
        (parts, text)
    }

    fn look_up(
        &mut self,
        name: &str,
        (sreg, dreg): (Register, Option<Register>),
        (to_verdict, not): (bool, bool),
    ) {
        let (parts, key) = self.key(name, sreg);
        let found = self.set(name);
        let set = match found {
            Some(set) if set.anonymous => set::inline(set, &parts, self.scope),
            Some(_) | None => format!("@{name}"),
        };
        match dreg {
            Some(dreg) => {
                let len = match found.map(|set| set.data) {
                    Some(DataKind::Value(len)) => len,
                    Some(DataKind::None | DataKind::Verdict | DataKind::Object) | None => 4,
                };
                let field = Field::plain(format!("{key} map {set}"), Type::Number(len));
                self.registers.put(dreg, Value::of(field, len));
            }
            None if to_verdict => self.say(format!("{key} vmap {set}")),
            None if not => self.say(format!("{key} != {set}")),
            None => self.say(format!("{key} {set}")),
        }
    }

    /// What a rule sets a key to.
    pub(super) fn assigned(&mut self, field: &Field, sreg: Register) -> String {
        let value = self
            .registers
            .take(sreg)
            .as_type(field.of, self.scope.links);
        format!("{} set {value}", field.text)
    }

    /// A statement that nft takes only behind tests that are written.
    pub(super) fn needs_tests(&mut self) {
        self.pending.say_all();
    }

    fn say(&mut self, text: String) {
        self.flush();
        self.words.push(text);
    }

    /// Says the tests that the next statement does not tell.
    fn flush(&mut self) {
        let known = self.scope.table.map(|_| self.said);
        self.words.extend(self.pending.take(known));
        self.said = self.known;
    }
}

/// Whether a key of `meta` can be set.
pub(super) fn can_be_set(key: MetaKey) -> bool {
    matches!(
        key,
        MetaKey::Mark | MetaKey::Priority | MetaKey::NfTrace | MetaKey::PktType
    )
}
