//! Fields that are some bits of what is loaded: constants stand where the bits are.

use crate::nft::{Bits, CmpOp, DataKind, Element, Expr, Key, Type};

use super::rule::{Compiler, operator};
use super::tokens::Cursor;

impl Compiler<'_> {
    /// The test of such a field, which is loaded, with the other bits cleared.
    pub(super) fn bit_field(
        &mut self,
        cursor: &mut Cursor<'_, '_>,
        kind: Type,
        bits: Bits,
    ) -> Option<()> {
        let to_verdict = cursor.skip("vmap");
        let (op, _) = operator(cursor);
        if cursor.word() != "{" {
            let value = kind.value(&cursor.take()?.text)?;
            let data = shifted(&value, bits)?;
            self.push(Expr::Cmp { sreg: 0, op, data });
            return Some(());
        }
        let (data, values) = if to_verdict {
            (DataKind::Verdict, vec![Type::Verdict])
        } else {
            (DataKind::None, Vec::new())
        };
        let name = self.set(cursor, &[kind], data, &values)?;
        let set = self.sets.last_mut()?;
        set.key = vec![Type::Number(u32::try_from(bits.mask.len()).ok()?)];
        for element in &mut set.elements {
            shift(element, bits)?;
        }
        self.lookup(name, None, to_verdict, op == CmpOp::Neq);
        Some(())
    }
}

fn shift(element: &mut Element, bits: Bits) -> Option<()> {
    if let Key::Fields(fields) = &mut element.key {
        for range in fields {
            range.first = shifted(&range.first, bits)?;
            range.last = shifted(&range.last, bits)?;
        }
    }
    Some(())
}

/// A value at the place of the bits that a field is.
fn shifted(bytes: &[u8], bits: Bits) -> Option<Box<[u8]>> {
    let number = bytes
        .iter()
        .fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
    let all = (number << bits.shift).to_be_bytes();
    Some(all.get(8 - bits.mask.len()..)?.into())
}
