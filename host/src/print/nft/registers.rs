//! What the registers hold, as text.

use std::collections::BTreeMap;

use crate::Link;
use crate::nft::{Bits, CmpOp, Register, Type};

use super::fields::{Field, Place};
use super::values::{hex, leading_ones};

/// A value in a register.
#[derive(Debug, Clone)]
pub(super) struct Value {
    /// How it came there.
    pub(super) text: String,
    /// What its bytes mean.
    pub(super) of: Type,
    /// How many bytes it has.
    pub(super) len: u32,
    /// Where in the packet it was read.
    pub(super) place: Option<Place>,
    /// The bits of it that a field is.
    pub(super) bits: Option<Bits>,
    /// Its bytes were turned around.
    pub(super) is_turned: bool,
    /// The bits of it that were kept.
    kept: Option<Box<[u8]>>,
    /// Its bytes, where the rule itself says them.
    constant: Option<Box<[u8]>>,
    /// No test or action has used it yet.
    is_fresh: bool,
}

impl Value {
    pub(super) fn of(field: Field, len: u32) -> Self {
        Self {
            text: field.text,
            of: field.of,
            len,
            place: None,
            bits: None,
            is_turned: false,
            kept: None,
            constant: None,
            is_fresh: true,
        }
    }

    pub(super) fn constant(bytes: &[u8]) -> Self {
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Self {
            constant: Some(bytes.into()),
            ..Self::of(Field::plain(hex(bytes), Type::Number(len)), len)
        }
    }

    /// Whether it is a piece of a header without a name, as it was read.
    pub(super) fn is_unnamed(&self) -> bool {
        self.text.starts_with('@') && self.kept.is_none()
    }

    /// Keeps the bits of `mask` and flips those of `xor`, in the operations that nft lists:
    /// `& A`, `^ B`, `| C`.
    pub(super) fn mask(&mut self, mask: &[u8], xor: &[u8]) {
        if xor.iter().all(|byte| *byte == 0) && self.kept.is_none() {
            self.kept = Some(mask.into());
            return;
        }
        let pairs = || mask.iter().zip(xor);
        // Bits that are set whatever they were; of these the mask may be anything.
        let set: Vec<u8> = pairs().map(|(mask, xor)| !mask & xor).collect();
        let kept: Vec<u8> = mask
            .iter()
            .zip(&set)
            .map(|(mask, set)| mask | set)
            .collect();
        let flipped: Vec<u8> = pairs().map(|(mask, xor)| mask & xor).collect();
        let mut text = std::mem::take(&mut self.text);
        let mut say = |sign: &str, bits: &[u8]| {
            text = format!("{text} {sign} {}", self.of.mask_text(bits));
        };
        if kept.iter().any(|byte| *byte != u8::MAX) {
            say("&", &kept);
        }
        if flipped.iter().any(|byte| *byte != 0) {
            say("^", &flipped);
        }
        if set.iter().any(|byte| *byte != 0) {
            say("|", &set);
        }
        self.text = text;
    }

    /// The value as text; one that the rule says is of the type that it is used as.
    pub(super) fn as_type(&self, of: Type, links: &[Link]) -> String {
        match (&self.constant, &self.kept) {
            (Some(bytes), _) => of.text(&bytes[..bytes.len().min(of.len() as usize)], links),
            (None, Some(_)) if self.bits.is_some() => self.text.clone(),
            (None, Some(kept)) => format!("{} & {}", self.text, self.of.mask_text(kept)),
            (None, None) => self.text.clone(),
        }
    }

    /// The test of the value against bytes.
    pub(super) fn compare(&self, op: CmpOp, data: &[u8], links: &[Link]) -> String {
        let sign = match op {
            CmpOp::Eq => "",
            CmpOp::Neq => "!= ",
            CmpOp::Lt => "< ",
            CmpOp::Lte => "<= ",
            CmpOp::Gt => "> ",
            CmpOp::Gte => ">= ",
        };
        let text = &self.text;
        let data = &self.straight(data)[..];
        let Some(kept) = self.kept.as_ref().filter(|_| self.bits.is_none()) else {
            // A bare value of bits would mean any of them.
            let sign = if self.of.is_bits() && op == CmpOp::Eq {
                "== "
            } else {
                sign
            };
            return format!("{text} {sign}{}", self.of.text(data, links));
        };
        let is_zero = data.iter().all(|byte| *byte == 0);
        if self.of.is_bits() && is_zero {
            let not = if op == CmpOp::Eq { "! " } else { "" };
            return format!("{text} {not}{}", self.of.bits_text(kept, ","));
        }
        if self.of == Type::TcpFlags {
            let [data, kept] = [data, kept].map(|bits| self.of.bits_text(bits, ","));
            return format!("{text} {sign}{data} / {kept}");
        }
        if let Some(len) = self.prefix_len(kept) {
            return format!("{text} {sign}{}/{len}", self.of.text(data, links));
        }
        let sign = if sign.is_empty() { "== " } else { sign };
        let (kept, data) = (self.of.mask_text(kept), self.of.mask_text(data));
        format!("{text} & {kept} {sign}{data}")
    }

    /// Bytes of a constant that the value is held against, as the value's type has them.
    pub(super) fn straight(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        if self.is_turned {
            bytes.reverse();
        }
        let Some(bits) = self.bits else { return bytes };
        let number = bytes
            .iter()
            .fold(0_u64, |n, byte| n << 8 | u64::from(*byte))
            >> bits.shift;
        number.to_be_bytes()[8 - self.of.len() as usize..].to_vec()
    }

    /// The length of the prefix that a mask keeps of an address.
    fn prefix_len(&self, kept: &[u8]) -> Option<u32> {
        let is_addr = matches!(self.of, Type::Addr(_)) && kept.len() == self.of.len() as usize;
        leading_ones(kept).filter(|_| is_addr)
    }
}

/// Registers by their first word.
#[derive(Debug, Default)]
pub(super) struct Registers(BTreeMap<Register, Value>);

impl Registers {
    /// Puts a value into a register; what was in the others that it fills is gone.
    pub(super) fn put(&mut self, register: Register, value: Value) {
        let words = Register::try_from(value.len.div_ceil(4)).unwrap_or(Register::MAX);
        let end = register.saturating_add(words);
        self.0.retain(|&other, _| other < register || other >= end);
        self.0.insert(register, value);
    }

    pub(super) fn has(&self, register: Register) -> bool {
        self.0.contains_key(&register)
    }

    /// What a register holds; from now on it is used.
    pub(super) fn take(&mut self, register: Register) -> Value {
        match self.0.get_mut(&register) {
            Some(value) => {
                value.is_fresh = false;
                Value {
                    is_fresh: true,
                    ..value.clone()
                }
            }
            None => Value::of(
                Field::plain(format!("[reg {register}]"), Type::Number(4)),
                4,
            ),
        }
    }

    /// The fields of a key that begins in a register: as many as are asked for; where nobody
    /// knows how many, what was loaded right behind it, for loads for a key stand right before
    /// its use.
    pub(super) fn take_key(&mut self, register: Register, count: Option<usize>) -> Vec<Value> {
        let mut parts = vec![self.take(register)];
        let words = |value: &Value| {
            Register::try_from(value.len.div_ceil(4))
                .unwrap_or(1)
                .max(1)
        };
        let mut next = register.saturating_add(words(&parts[0]));
        let is_more = |this: &Self, next: Register, have: usize| match count {
            Some(count) => have < count,
            None => this.0.get(&next).is_some_and(|value| value.is_fresh),
        };
        while is_more(self, next, parts.len()) {
            let value = self.take(next);
            next = next.saturating_add(words(&value));
            parts.push(value);
        }
        parts
    }
}
