//! What the registers hold, as text.

use std::collections::BTreeMap;

use crate::nft::{CmpOp, Register};

use super::fields::Field;
use super::values::{Kind, hex, native_endian};

/// A value in a register.
#[derive(Debug, Clone)]
pub(super) struct Value {
    /// How it came there.
    pub(super) text: String,
    /// What its bytes mean.
    pub(super) kind: Kind,
    /// How many bytes it has.
    pub(super) len: u32,
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
            kind: field.kind,
            len,
            kept: None,
            constant: None,
            is_fresh: true,
        }
    }

    pub(super) fn constant(bytes: &[u8]) -> Self {
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Self {
            constant: Some(bytes.into()),
            ..Self::of(Field::plain(hex(bytes), Kind::Bytes), len)
        }
    }

    /// Keeps the bits of `mask` and flips those of `xor`.
    pub(super) fn mask(&mut self, mask: &[u8], xor: &[u8]) {
        if xor.iter().all(|byte| *byte == 0) && self.kept.is_none() {
            self.kept = Some(mask.into());
            return;
        }
        let text = &self.text;
        let (kept, flipped) = (self.number(mask), self.number(xor));
        self.text = if mask.iter().zip(xor).all(|(keep, flip)| *keep == !flip) {
            format!("{text} | {flipped}")
        } else if mask.iter().all(|keep| *keep == u8::MAX) {
            format!("{text} ^ {flipped}")
        } else {
            format!("{text} & {kept} ^ {flipped}")
        };
    }

    /// The value as text; one that the rule says is of the kind that it is used as.
    pub(super) fn as_kind(&self, kind: Kind) -> String {
        match (&self.constant, &self.kept) {
            (Some(bytes), _) => kind.text(&bytes[..bytes.len().min(kind.len() as usize)]),
            (None, Some(kept)) => format!("{} & {}", self.text, self.number(kept)),
            (None, None) => self.text.clone(),
        }
    }

    /// The test of the value against bytes.
    pub(super) fn compare(&self, op: CmpOp, data: &[u8]) -> String {
        let sign = match op {
            CmpOp::Eq => "",
            CmpOp::Neq => "!= ",
            CmpOp::Lt => "< ",
            CmpOp::Lte => "<= ",
            CmpOp::Gt => "> ",
            CmpOp::Gte => ">= ",
        };
        let text = &self.text;
        let Some(kept) = &self.kept else {
            return format!("{text} {sign}{}", self.kind.text(data));
        };
        let is_zero = data.iter().all(|byte| *byte == 0);
        if self.kind.has_bits() && is_zero {
            let not = if op == CmpOp::Eq { "! " } else { "" };
            return format!("{text} {not}{}", self.kind.text(kept));
        }
        if let Some(len) = self.prefix_len(kept) {
            return format!("{text} {sign}{}/{len}", self.kind.text(data));
        }
        let sign = if sign.is_empty() { "== " } else { sign };
        let (kept, data) = (self.number(kept), self.number(data));
        format!("{text} & {kept} {sign}{data}")
    }

    /// The length of the prefix that a mask keeps of an address.
    fn prefix_len(&self, kept: &[u8]) -> Option<u32> {
        let ones: u32 = kept.iter().map(|byte| byte.count_ones()).sum();
        let mut leading = 0;
        for byte in kept {
            leading += byte.leading_ones();
            if *byte != u8::MAX {
                break;
            }
        }
        let is_addr = matches!(self.kind, Kind::Ipv4 | Kind::Ipv6);
        (is_addr && ones == leading && kept.len() == self.kind.len() as usize).then_some(ones)
    }

    /// Bits as a number: in host order where the value is, else as they stand.
    fn number(&self, bytes: &[u8]) -> String {
        match self.kind {
            Kind::Mark | Kind::Number | Kind::CtState | Kind::CtStatus => {
                format!("{:#x}", native_endian(bytes))
            }
            Kind::Ipv4 | Kind::Ipv6 => self.kind.text(bytes),
            _ => hex(bytes),
        }
    }
}

/// Registers by their first word.
#[derive(Debug, Default)]
pub(super) struct Registers(BTreeMap<Register, Value>);

impl Registers {
    pub(super) fn put(&mut self, register: Register, value: Value) {
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
            None => Value::of(Field::plain(format!("[reg {register}]"), Kind::Bytes), 4),
        }
    }

    /// A key that begins in a register: what was loaded into it and right behind it. How long
    /// the key is, the set knows; loads for a key stand right before its use.
    pub(super) fn take_key(&mut self, register: Register) -> String {
        let mut parts = vec![self.take(register)];
        let words = |value: &Value| Register::try_from(value.len.div_ceil(4)).unwrap_or(1);
        let mut next = register.saturating_add(words(&parts[0]));
        while self.0.get(&next).is_some_and(|value| value.is_fresh) {
            let value = self.take(next);
            next = next.saturating_add(words(&value).max(1));
            parts.push(value);
        }
        let texts: Vec<_> = parts.iter().map(|part| part.as_kind(part.kind)).collect();
        texts.join(" . ")
    }
}
