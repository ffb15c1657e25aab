//! Changes to an input that depend on a seed alone, so that a test that fails fails again.

/// The bytes that parsers turn on, and the numbers that lengths and counts break at.
const TOKENS: &[&[u8]] = &[
    b"\n",
    b"\0",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b",",
    b":",
    b"-",
    b"!",
    b" ",
    b"/",
    b"*",
    b"#",
    b"0",
    b"65535",
    b"65536",
    b"4294967295",
    b"18446744073709551616",
    b"-1",
    &[0; 4],
    &[1, 0, 0, 0],
    &[0xff; 4],
    &[0xff, 0xff, 0xff, 0x7f],
    &[4, 0],
    &[0xff; 2],
    &[0; 8],
];

/// A source of numbers (splitmix64).
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// One that always gives the same numbers for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`; 0 where there is none.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bits = z ^ (z >> 31);
        usize::try_from(bits % (bound as u64).max(1)).expect("below a usize")
    }
}

/// `bytes` with one to four changes; some take a piece of `other`.
pub fn mutate(bytes: &[u8], other: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    for _ in 0..=chance.below(4) {
        change(&mut changed, other, chance);
    }
    changed
}

fn change(bytes: &mut Vec<u8>, other: &[u8], chance: &mut Chance) {
    let at = chance.below(bytes.len() + 1);
    let end = at + chance.below(bytes.len() - at + 1).min(chance.below(64));
    let token = TOKENS[chance.below(TOKENS.len())];
    match chance.below(8) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..end)),
        2 => drop(bytes.splice(at..at, token.iter().copied())),
        3 => {
            let end = (at + token.len()).min(bytes.len());
            drop(bytes.splice(at..end, token.iter().copied()));
        }
        4 => {
            let piece = bytes[at..end].to_vec();
            let times = chance.below(8);
            drop(bytes.splice(at..at, piece.repeat(times)));
        }
        5 => {
            let from = chance.below(other.len() + 1);
            let to = from + chance.below(other.len() - from + 1);
            drop(bytes.splice(at..end, other[from..to].iter().copied()));
        }
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << chance.below(8);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_changes_and_another_makes_others() {
        let made = |seed| {
            let mut chance = Chance::new(seed);
            let mut once = || mutate(b"*nat\nCOMMIT\n", b"*raw\n", &mut chance);
            [once(), once(), once(), once()]
        };
        assert_eq!(made(1), made(1));
        assert_ne!(made(1), made(2));
    }
}
