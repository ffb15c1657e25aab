//! Registers by the number of their first 32-bit word.

use crate::nft::Register;
use crate::wire::attr::{Damaged, Table};

/// The register of the verdict.
pub(super) const VERDICT: u32 = 0;

/// The first word of the register with the kernel's number: 1 to 4 name 16 bytes, 8 to 23
/// four (`nft_parse_register`, nf_tables_api.c).
pub(super) fn word(number: u32) -> Option<Register> {
    let word = match number {
        1..=4 => (number - 1) * 4,
        8..=23 => number - 8,
        _ => return None,
    };
    Register::try_from(word).ok()
}

/// The register in an attribute.
pub(super) fn required<const N: usize>(table: &Table<'_, N>, kind: u16) -> Option<Register> {
    word(table.be32(kind)?)
}

/// The register in an attribute that may be absent.
pub(super) fn optional<const N: usize>(
    table: &Table<'_, N>,
    kind: u16,
) -> Result<Option<Register>, Damaged> {
    if table.has(kind) {
        required(table, kind).map(Some).ok_or(Damaged)
    } else {
        Ok(None)
    }
}

/// Registers with the lowest and highest value; where only one is given it is both.
pub(super) fn pair<const N: usize>(
    table: &Table<'_, N>,
    min: u16,
    max: u16,
) -> Result<Option<(Register, Register)>, Damaged> {
    let (min, max) = (optional(table, min)?, optional(table, max)?);
    Ok(min.map(|min| (min, max.unwrap_or(min))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_numberings_name_the_same_words() {
        assert_eq!(word(1), word(8));
        assert_eq!(word(4), word(20));
        assert_eq!((word(9), word(23)), (Some(1), Some(15)));
        assert_eq!((word(0), word(5), word(24)), (None, None, None));
    }
}
