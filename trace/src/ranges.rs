//! Sets of numbers as sorted, separate ranges: addresses, ports, anything compared as one.

use std::rc::Rc;

/// A set of numbers: ranges with both ends included, sorted, never touching.
///
/// A copy is cheap: the ranges are shared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ranges(Rc<[(u128, u128)]>);

impl Ranges {
    /// The empty set.
    pub(crate) fn none() -> Self {
        Self(Rc::from([]))
    }

    /// The numbers from `first` to `last`, both included; empty if they are the wrong way.
    pub(crate) fn span(first: u128, last: u128) -> Self {
        if first > last {
            Self::none()
        } else {
            Self(Rc::from([(first, last)]))
        }
    }

    /// One number.
    pub(crate) fn one(value: u128) -> Self {
        Self::span(value, value)
    }

    /// Any ranges, in any order, overlapping or not.
    pub(crate) fn of(mut ranges: Vec<(u128, u128)>) -> Self {
        ranges.retain(|(first, last)| first <= last);
        ranges.sort_unstable();
        let mut merged: Vec<(u128, u128)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => {
                    before.1 = before.1.max(last);
                }
                _ => merged.push((first, last)),
            }
        }
        Self(merged.into())
    }

    /// The ranges themselves.
    pub(crate) fn as_slice(&self) -> &[(u128, u128)] {
        &self.0
    }

    /// How many numbers there are.
    pub(crate) fn count(&self) -> u128 {
        let counts = self.0.iter().map(|(first, last)| last - first + 1);
        counts.sum()
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one number in it, if there is just one.
    pub(crate) fn single(&self) -> Option<u128> {
        match *self.0 {
            [(first, last)] if first == last => Some(first),
            _ => None,
        }
    }

    /// Whether `value` is in it.
    pub(crate) fn contains(&self, value: u128) -> bool {
        let after = self.0.partition_point(|&(first, _)| first <= value);
        after > 0 && value <= self.0[after - 1].1
    }

    /// What is in both.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let (mut mine, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut both = Vec::new();
        while let (Some(&&(a, b)), Some(&&(c, d))) = (mine.peek(), theirs.peek()) {
            if a.max(c) <= b.min(d) {
                both.push((a.max(c), b.min(d)));
            }
            let _ = if b < d { mine.next() } else { theirs.next() };
        }
        Self(both.into())
    }

    /// What is in this one and not in the other.
    pub(crate) fn minus(&self, other: &Self) -> Self {
        let mut rest = Vec::new();
        for &(first, last) in self.0.iter() {
            let mut from = Some(first);
            let begin = other.0.partition_point(|&(_, end)| end < first);
            for &(a, b) in other.0[begin..].iter().take_while(|&&(a, _)| a <= last) {
                let Some(start) = from else { break };
                if a > start {
                    rest.push((start, a - 1));
                }
                from = b.checked_add(1).filter(|&next| next <= last);
            }
            rest.extend(from.map(|start| (start, last)));
        }
        Self(rest.into())
    }

    /// What is in either.
    pub(crate) fn or(&self, other: &Self) -> Self {
        Self::of(self.0.iter().chain(other.0.iter()).copied().collect())
    }

    /// Everything from 0 to `max` that is not in it.
    pub(crate) fn not(&self, max: u128) -> Self {
        Self::span(0, max).minus(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ranges: &[(u128, u128)]) -> Ranges {
        Ranges::of(ranges.to_vec())
    }

    #[test]
    fn touching_ranges_become_one() {
        assert_eq!(set(&[(5, 6), (1, 2), (3, 4)]).as_slice(), &[(1, 6)]);
    }

    #[test]
    fn a_hole_splits_a_range() {
        assert_eq!(
            set(&[(0, 9)]).minus(&set(&[(3, 4), (9, 20)])).as_slice(),
            &[(0, 2), (5, 8)]
        );
    }

    #[test]
    fn the_ends_of_the_number_line_do_not_overflow() {
        let all = Ranges::span(0, u128::MAX);
        assert_eq!(
            all.minus(&Ranges::one(u128::MAX)).as_slice(),
            &[(0, u128::MAX - 1)]
        );
        assert_eq!(all.minus(&Ranges::one(0)).as_slice(), &[(1, u128::MAX)]);
        assert!(all.minus(&all).is_empty());
    }

    #[test]
    fn intersection_and_difference_make_the_whole() {
        let (a, b) = (set(&[(0, 10), (20, 30)]), set(&[(5, 25), (28, 40)]));
        assert_eq!(a.and(&b).or(&a.minus(&b)), a);
    }
}
