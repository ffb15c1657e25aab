//! From nftables expressions to the small form: registers become values.

mod keys;

use std::rc::Rc;

use host::Table;
use host::nft::{BitOp, CmpOp, DataKind, Expr, Limit, Nat, NatKind, Register, SocketKey, Verdict};

use super::{
    ByteOp, Doubt, Effect, End, Field, NatTo, Of, Op, Sets, Test, Value, highest, number, varying,
    xt,
};
use crate::ranges::Ranges;

/// The operations of a rule.
pub(super) fn rule(table: &Table, sets: &Sets<'_>, exprs: &[Expr]) -> Vec<Op> {
    let mut lowering = Lowering {
        table,
        sets,
        registers: Default::default(),
        slots: 0,
        ops: Vec::new(),
    };
    for expr in exprs {
        lowering.expr(expr);
    }
    lowering.ops
}

/// What an element's statement does to the look-up that found the element. Only limits and
/// what is not modelled decide anything there.
pub(super) fn statement_doubt(expr: &Expr) -> Option<Doubt> {
    if let Expr::Limit(limit) = expr {
        return Some(rate(limit));
    }
    let Expr::Gap { name, .. } = expr else {
        return None;
    };
    Some(gap(name))
}

/// What a statement that is not modelled leaves open.
fn gap(name: &str) -> Doubt {
    match varying::statement(name) {
        Some(doubt) => doubt,
        None => Doubt::Gap(format!("nft {name} is not modelled").into()),
    }
}

fn rate(limit: &Limit) -> Doubt {
    let unit = match limit.unit {
        1 => "second",
        60 => "minute",
        3_600 => "hour",
        86_400 => "day",
        _ => "week",
    };
    let what = if limit.bytes { "bytes " } else { "" };
    let under = format!("while there are no more than {} {what}a {unit}", limit.rate);
    let over = format!("while there are more than {} {what}a {unit}", limit.rate);
    let (holds, fails) = if limit.over {
        (over, under)
    } else {
        (under, over)
    };
    Doubt::State {
        holds: holds.into(),
        fails: fails.into(),
    }
}

/// A rule on its way.
struct Lowering<'a> {
    table: &'a Table,
    sets: &'a Sets<'a>,
    /// For each 32-bit word: the value that was put there, and which of its words this is.
    registers: [Option<(Value, u32)>; 16],
    slots: u8,
    ops: Vec<Op>,
}

impl Lowering<'_> {
    #[expect(clippy::too_many_lines, reason = "one arm for each expression")]
    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Payload {
                dreg,
                base,
                offset,
                len,
            } => {
                self.load(
                    *dreg,
                    Field::Header {
                        base: *base,
                        offset: *offset,
                    },
                    *len,
                );
            }
            Expr::PayloadSet { .. } => self.gap("a header is rewritten by a payload statement"),
            Expr::Meta { dreg, key } => self.meta(*dreg, *key),
            Expr::MetaSet { sreg, key } => self.meta_set(*sreg, *key),
            Expr::Ct { dreg, key, reply } => self.ct(*dreg, *key, *reply),
            Expr::CtSet { sreg, key } => self.ct_set(*sreg, *key),
            Expr::Cmp { sreg, op, data } => self.cmp(*sreg, *op, data),
            Expr::Range {
                sreg,
                not,
                first,
                last,
            } => self.range(*sreg, *not, (first, last)),
            Expr::Bitwise {
                sreg,
                dreg,
                len,
                op,
            } => self.bitwise(*sreg, *dreg, *len, op),
            Expr::Byteorder {
                sreg,
                dreg,
                len,
                size,
            } => {
                let value = self.get(*sreg, *len as usize).then(ByteOp::Swap(*size));
                self.put(*dreg, &value);
            }
            Expr::Lookup {
                set,
                sreg,
                dreg,
                to_verdict,
                not,
            } => {
                self.lookup(set, *sreg, (*dreg, *to_verdict), *not);
            }
            Expr::Immediate { dreg, data } => self.put(*dreg, &Value::bytes(data)),
            Expr::Verdict(verdict) => self.verdict(verdict),
            Expr::Fib {
                dreg,
                result,
                flags,
            } => {
                let len = if *result == host::nft::FibResult::OifName {
                    16
                } else {
                    4
                };
                let field = Field::Fib {
                    result: *result,
                    flags: *flags,
                };
                self.put(*dreg, &Value::field(field, len));
            }
            Expr::Socket { dreg, key } => self.socket(*dreg, *key),
            // By turns or by chance: each value comes equally often.
            Expr::Numgen {
                dreg,
                kind: _,
                modulus,
                offset,
            } => {
                self.numgen(*dreg, *modulus, *offset);
            }
            Expr::Dynset {
                set,
                op,
                sreg_key,
                sreg_data: _,
                timeout: _,
                exprs,
            } => {
                self.dynset(set, *op, *sreg_key, exprs);
            }
            Expr::Limit(limit) => self.ops.push(Op::Test(Test::Doubt(rate(limit)))),
            Expr::Nat(nat) => self.nat(nat),
            Expr::Masquerade { port, flags } => {
                let to = self.nat_to(None, *port, *flags);
                self.ops.push(Op::End(End::Masquerade(to.into())));
            }
            Expr::Redirect { port, flags } => {
                let to = self.nat_to(None, *port, *flags);
                self.ops.push(Op::End(End::Redirect(to.into())));
            }
            Expr::Reject(reject) => self.ops.push(Op::End(End::Reject(*reject))),
            Expr::Queue { .. } => self.ops.push(Op::End(End::Queue)),
            Expr::Notrack => self.ops.push(Op::Do(Effect::Notrack)),
            Expr::Pass(_) => {}
            Expr::Match(matched) => self.ops.extend(xt::test(matched).map(Op::Test)),
            Expr::Target(target) => self.ops.extend(xt::target(target)),
            Expr::Gap { name, dreg } => self.unknown(name, *dreg),
            Expr::Unread(text) => {
                let why = format!("a rule is not understood: {text}");
                self.ops.push(Op::End(End::Gap(why.into())));
            }
        }
    }

    /// Reads a field into a register; a rule ends where it cannot be read.
    fn load(&mut self, dreg: Register, field: Field, len: u32) {
        let value = Value::field(field, len);
        self.ops.push(Op::Test(Test::Present(value.clone())));
        self.put(dreg, &value);
    }

    fn cmp(&mut self, sreg: Register, op: CmpOp, data: &[u8]) {
        let value = self.get(sreg, data.len());
        self.ops.push(Op::Test(compare(value, op, data)));
    }

    fn range(&mut self, sreg: Register, not: bool, (first, last): (&[u8], &[u8])) {
        let value = self.get(sreg, first.len());
        let within = Ranges::span(number(first), number(last));
        self.ops
            .push(Op::Test(Test::In { value, within }.inverted(not)));
    }

    fn socket(&mut self, dreg: Register, key: SocketKey) {
        let len = match key {
            SocketKey::Transparent | SocketKey::Wildcard => 1,
            SocketKey::Mark => 4,
            SocketKey::Cgroup => 8,
        };
        let slot = self.slot();
        self.ops.push(Op::Socket { slot, key });
        let value = Value {
            of: Of::Slot(slot),
            len,
            ops: Vec::new(),
        };
        self.put(dreg, &value);
    }

    fn numgen(&mut self, dreg: Register, modulus: u32, offset: u32) {
        let slot = self.slot();
        self.ops.push(Op::Choose {
            slot,
            modulus,
            offset,
        });
        self.put(
            dreg,
            &Value {
                of: Of::Slot(slot),
                len: 4,
                ops: Vec::new(),
            },
        );
    }

    fn unknown(&mut self, name: &str, dreg: Option<Register>) {
        let Some(dreg) = dreg else {
            self.ops.push(Op::Test(Test::Doubt(gap(name))));
            return;
        };
        let value = match varying::load(name) {
            Some(what) => Value::varies(what, 16),
            None => Value::unknown(&format!("nft {name} is not modelled"), 16),
        };
        self.put(dreg, &value);
    }

    fn gap(&mut self, why: &str) {
        self.ops.push(Op::Do(Effect::Gap(why.into())));
    }

    fn slot(&mut self) -> u8 {
        self.slots += 1;
        self.slots
    }

    fn put(&mut self, dreg: Register, value: &Value) {
        let words = value.width().div_ceil(4).max(1);
        for word in 0..words {
            let at = usize::from(dreg) + word as usize;
            if let Some(register) = self.registers.get_mut(at) {
                *register = Some((value.clone(), word));
            }
        }
    }

    /// `len` bytes from a register on. A value that was put there whole is cut; bytes that
    /// lie over several values are a gap.
    fn get(&self, sreg: Register, len: usize) -> Value {
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        match self.registers.get(usize::from(sreg)) {
            Some(Some((value, word))) if word * 4 + len <= value.width() => {
                value.clone().cut(word * 4, len)
            }
            // A name register is 16 bytes wide and may be compared over its whole width.
            Some(Some((value, 0))) if value.width() <= len => match &value.of {
                Of::Bytes(_) | Of::Field(_) | Of::Slot(_) if value.width() == len => value.clone(),
                Of::Unknown(why) => Value::unknown(why, len),
                Of::Varies(what) => Value::varies(what, len),
                Of::Bytes(_) | Of::Field(_) | Of::Slot(_) => {
                    Value::unknown("a comparison over several registers is not modelled", len)
                }
            },
            _ => Value::unknown("a register is read that was not written whole", len),
        }
    }

    fn bitwise(&mut self, sreg: Register, dreg: Register, len: u32, op: &BitOp) {
        let value = self.get(sreg, len as usize);
        let op = match op {
            BitOp::MaskXor { mask, xor } => ByteOp::MaskXor {
                mask: mask.as_ref().into(),
                xor: xor.as_ref().into(),
            },
            BitOp::ShiftLeft(bits) => ByteOp::ShiftLeft(*bits),
            BitOp::ShiftRight(bits) => ByteOp::ShiftRight(*bits),
            BitOp::With { op, sreg2 } => ByteOp::With {
                op: *op,
                other: Rc::new(self.get(*sreg2, len as usize)),
            },
        };
        self.put(dreg, &value.then(op));
    }

    fn key(&self, set: &host::nft::Set, sreg: Register) -> Vec<Value> {
        let mut at = u32::from(sreg);
        let field = |of: &host::nft::Type| {
            let len = of.len();
            let register = u8::try_from(at).unwrap_or(u8::MAX);
            at += len.div_ceil(4);
            self.get(register, len as usize)
        };
        set.key.iter().map(field).collect()
    }

    fn find(&self, name: &str) -> Option<&host::nft::Set> {
        self.sets.get(name).copied()
    }

    fn lookup(
        &mut self,
        name: &str,
        sreg: Register,
        (dreg, to_verdict): (Option<Register>, bool),
        not: bool,
    ) {
        let Some(set) = self.find(name) else {
            let why = format!("set {name} was not read");
            let end = End::Gap(why.as_str().into());
            self.ops.push(if to_verdict {
                Op::End(end)
            } else {
                Op::Test(Test::gap(&why))
            });
            if let Some(dreg) = dreg {
                self.put(dreg, &Value::unknown(&why, 16));
            }
            return;
        };
        let (data, key) = (set.data, self.key(set, sreg));
        let set: Rc<str> = name.into();
        if to_verdict {
            self.ops.push(Op::VerdictMap { set, key });
            return;
        }
        let Some(dreg) = dreg else {
            self.ops
                .push(Op::Test(Test::InSet { set, key }.inverted(not)));
            return;
        };
        let len = match data {
            DataKind::Value(len) => len,
            DataKind::None | DataKind::Verdict | DataKind::Object => 4,
        };
        let slot = self.slot();
        self.ops.push(Op::Map { set, key, slot });
        self.put(
            dreg,
            &Value {
                of: Of::Slot(slot),
                len,
                ops: Vec::new(),
            },
        );
    }

    fn dynset(&mut self, name: &str, op: host::nft::SetOp, sreg: Register, exprs: &[Expr]) {
        let key = self
            .find(name)
            .map(|set| self.key(set, sreg))
            .unwrap_or_default();
        self.ops.push(Op::Do(Effect::SetOp {
            set: name.into(),
            key,
            op,
        }));
        let doubts = exprs.iter().filter_map(statement_doubt);
        self.ops.extend(doubts.map(Test::Doubt).map(Op::Test));
    }

    fn verdict(&mut self, verdict: &Verdict) {
        let end = match verdict {
            Verdict::Accept => End::Accept,
            Verdict::Drop => End::Drop,
            Verdict::Return => End::Return,
            Verdict::Jump(chain) => End::Jump(chain.as_ref().into()),
            Verdict::Goto(chain) => End::Goto(chain.as_ref().into()),
            Verdict::Queue => End::Queue,
            Verdict::Continue | Verdict::Break => return,
        };
        self.ops.push(Op::End(end));
    }

    fn nat(&mut self, nat: &Nat) {
        let addr_len = if nat.is_v6 { 16 } else { 4 };
        let addr = nat
            .addr
            .map(|(low, high)| (self.get(low, addr_len), self.get(high, addr_len)));
        let to = self.nat_to(addr, nat.port, nat.flags);
        let to = Rc::new(NatTo {
            is_v6: Some(nat.is_v6),
            ..to
        });
        self.ops.push(Op::End(match nat.kind {
            NatKind::Dnat => End::Dnat(to),
            NatKind::Snat => End::Snat(to),
        }));
    }

    fn nat_to(
        &self,
        addr: Option<(Value, Value)>,
        port: Option<(Register, Register)>,
        flags: u32,
    ) -> NatTo {
        const RANDOM: u32 = 4 | 0x10;
        const NETMAP: u32 = 0x40;
        NatTo {
            addr,
            port: port.map(|(low, high)| (self.get(low, 2), self.get(high, 2))),
            is_v6: None,
            random: flags & RANDOM != 0,
            netmap: flags & NETMAP != 0,
            gap: None,
        }
    }
}

fn compare(value: Value, op: CmpOp, data: &[u8]) -> Test {
    let wanted = number(data);
    let top = highest(u32::try_from(data.len()).unwrap_or(16));
    let below = |end: u128| {
        end.checked_sub(1)
            .map_or_else(Ranges::none, |e| Ranges::span(0, e))
    };
    let above = |end: u128| {
        end.checked_add(1)
            .map_or_else(Ranges::none, |start| Ranges::span(start, top))
    };
    let (within, not) = match op {
        CmpOp::Eq => (Ranges::one(wanted), false),
        CmpOp::Neq => (Ranges::one(wanted), true),
        CmpOp::Lt => (below(wanted), false),
        CmpOp::Lte => (Ranges::span(0, wanted), false),
        CmpOp::Gt => (above(wanted), false),
        CmpOp::Gte => (Ranges::span(wanted, top), false),
    };
    Test::In { value, within }.inverted(not)
}
