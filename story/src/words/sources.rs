//! Sources of connections: their kind, and the addresses a region holds.

use net::Prefix;
use trace::{Answer, From, Region};

use crate::Story;

use super::conditions::prefix;

/// Addresses in a row that may all be nobody's.
const FEW: u128 = 16;

/// Parts of a region that are written out before the rest is counted.
const PARTS: usize = 3;

/// The kind of source, as people say it.
pub(crate) fn kind_words(from: From) -> &'static str {
    match from {
        From::Outside => "outside",
        From::Pod => "pods",
        From::Local => "this host",
    }
}

/// All ranges of a region: a prefix where a range is one, else its two ends.
pub(crate) fn ranges(region: &Region) -> Vec<String> {
    let one = |&(first, last): &(u128, u128)| {
        let addr = |bits| net::addr_of(region.family, bits);
        let width = u32::from(region.family.bits());
        let free = if first == last {
            0
        } else {
            128 - (first ^ last).leading_zeros()
        };
        let len = u8::try_from(width.saturating_sub(free)).unwrap_or(0);
        let block = Prefix::containing(addr(first), len);
        if (block.first(), block.last()) == (first, last) {
            prefix(block)
        } else {
            format!("{}-{}", addr(first), addr(last))
        }
    };
    region.ranges.iter().map(one).collect()
}

/// A region for the published document: all its ranges.
pub(crate) fn region_words(region: &Region) -> String {
    ranges(region).join(", ")
}

/// A region for people: a few ranges, or everything but a few.
pub(crate) fn source_words(region: &Region) -> String {
    let inside = ranges(region);
    let outside = ranges(&complement(region));
    if outside.is_empty() {
        return format!("any {} address", region.family);
    }
    if outside.len() < inside.len() && outside.len() <= PARTS {
        return format!("anywhere except {}", outside.join(", "));
    }
    shortened(&inside)
}

/// `region` as a part of `whole`, where it is all but a little of it: ` except A`.
pub(crate) fn except_words(whole: &Region, region: &Region) -> Option<String> {
    let left = ranges(&intersect(&complement(region), whole));
    let holes = !left.is_empty() && left.len() <= PARTS && left.len() < region.ranges.len();
    holes.then(|| left.join(", "))
}

fn shortened(parts: &[String]) -> String {
    match parts.split_at_checked(PARTS) {
        Some((first, rest)) if rest.len() > 1 => {
            format!("{} and {} more ranges", first.join(", "), rest.len())
        }
        _ => parts.join(", "),
    }
}

/// Every address of the family that is not in the region.
fn complement(region: &Region) -> Region {
    let mut ranges = Vec::new();
    let mut next = Some(0);
    for &(first, last) in &region.ranges {
        if let Some(start) = next
            && start < first
        {
            ranges.push((start, first - 1));
        }
        next = last.checked_add(1);
    }
    let max = region.family.max();
    if let Some(start) = next
        && start <= max
    {
        ranges.push((start, max));
    }
    Region {
        family: region.family,
        ranges,
    }
}

fn intersect(a: &Region, b: &Region) -> Region {
    let mut ranges = Vec::new();
    for &(a_first, a_last) in &a.ranges {
        for &(b_first, b_last) in &b.ranges {
            let (first, last) = (a_first.max(b_first), a_last.min(b_last));
            if first <= last {
                ranges.push((first, last));
            }
        }
    }
    Region {
        family: a.family,
        ranges,
    }
}

/// The client of a connection from a region, and whether that is words for many: its address,
/// the prefix that its addresses fill, else that it is any.
pub(crate) fn client_words(story: &Story, region: &Region) -> (String, bool) {
    let (Some(&(first, _)), Some(&(_, last))) = (region.ranges.first(), region.ranges.last())
    else {
        return ("any source".to_owned(), true);
    };
    let addr = net::addr_of(region.family, first);
    if first == last {
        return (addr.to_string(), false);
    }
    let around = around(region, first, last);
    // The ends of a network and the host's own addresses are nobody's source.
    let own = |bits| {
        let addr = net::addr_of(region.family, bits);
        story.host.has_address(addr)
    };
    let whole = Region {
        family: region.family,
        ranges: vec![(around.first(), around.last())],
    };
    let is_nobody = |&(a, b): &(u128, u128)| {
        b - a < FEW
            && (a..=b).all(|bits| bits == around.first() || bits == around.last() || own(bits))
    };
    let missing = intersect(&complement(region), &whole);
    if around.len() > 0 && missing.ranges.iter().all(is_nobody) {
        return (prefix(around), false);
    }
    let mine = story.answers.iter().find(|a| a.region == *region);
    let is_peer = |a: &&Answer| mine.is_some_and(|b| a.from == b.from && a.iif == b.iif);
    let who = if story.answers.iter().filter(is_peer).count() < 2 {
        "any source"
    } else {
        "any such source"
    };
    (who.to_owned(), true)
}

/// The longest prefix around a region.
fn around(region: &Region, first: u128, last: u128) -> Prefix {
    let differ = 128 - (first ^ last).leading_zeros();
    let len = u32::from(region.family.bits()).saturating_sub(differ);
    Prefix::containing(
        net::addr_of(region.family, first),
        u8::try_from(len).unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    use net::Family;

    use super::*;

    fn region(parts: &[&str]) -> Region {
        let bits = |text: &str| net::addr_bits(text.parse().unwrap());
        let range = |part: &&str| {
            if let Some((first, last)) = part.split_once('-') {
                return (bits(first), bits(last));
            }
            let prefix: Prefix = part.parse().unwrap();
            (prefix.first(), prefix.last())
        };
        Region {
            family: Family::V4,
            ranges: parts.iter().map(range).collect(),
        }
    }

    #[test]
    fn a_range_is_a_prefix_where_it_is_one() {
        let region = region(&["10.0.0.0/8", "192.0.2.2-192.0.2.254", "198.51.100.7"]);
        assert_eq!(
            region_words(&region),
            "10.0.0.0/8, 192.0.2.2-192.0.2.254, 198.51.100.7"
        );
    }

    #[test]
    fn a_region_with_few_holes_is_told_by_its_holes() {
        let region = region(&["0.0.0.0-9.255.255.255", "11.0.0.0-255.255.255.255"]);
        assert_eq!(source_words(&region), "anywhere except 10.0.0.0/8");
    }

    #[test]
    fn the_whole_family_is_any_address() {
        let all = region(&["0.0.0.0/0"]);
        assert_eq!(source_words(&all), "any IPv4 address");
        assert_eq!(region_words(&all), "0.0.0.0/0");
        let v6 = Region {
            family: Family::V6,
            ranges: vec![(0, u128::MAX)],
        };
        assert_eq!(source_words(&v6), "any IPv6 address");
        assert_eq!(region_words(&v6), "::/0");
    }

    #[test]
    fn a_hole_in_a_part_is_told_by_the_part() {
        let whole = region(&["10.0.0.0/8"]);
        let part = region(&["10.0.0.0-10.1.2.2", "10.1.2.4-10.255.255.255"]);
        assert_eq!(except_words(&whole, &part), Some("10.1.2.3".to_owned()));
        assert_eq!(except_words(&whole, &whole), None);
    }
}
