//! Random ipsets.

use super::pool::{self, Pool};
use super::rng::Rng;
use super::spec::Set;

/// The types, their word in the vocabulary, and how many dimensions they have.
const TYPES: [(&str, &str, usize); 9] = [
    ("hash:ip", "ipset hash:ip", 1),
    ("hash:net", "ipset hash:net", 1),
    ("hash:ip,port", "ipset hash:ip,port", 2),
    ("hash:ip,port,ip", "ipset hash:ip,port,ip", 3),
    ("hash:net,port", "ipset hash:net,port", 2),
    ("hash:ip,port,net", "ipset hash:ip,port,net", 3),
    ("bitmap:port", "ipset bitmap:port", 1),
    ("bitmap:ip", "ipset bitmap:ip", 1),
    ("list:set", "ipset list:set", 1),
];

/// The word of a set's type in the vocabulary, and its dimensions.
pub fn word_of(set: &Set) -> (&'static str, usize) {
    let name = set.head.split(' ').next().unwrap_or_default();
    TYPES
        .iter()
        .find(|(type_name, ..)| *type_name == name)
        .map_or(("ipset", 1), |&(_, word, dimensions)| (word, dimensions))
}

/// Sets of some types for each family; names begin with `s4` or `s6`.
pub fn sets(rng: &mut Rng, pool: Pool<'_>) -> Vec<Set> {
    let mut sets = Vec::new();
    for is_v6 in [false, true] {
        let begin = if is_v6 { "s6" } else { "s4" };
        for (number, (type_name, _, dimensions)) in TYPES.iter().enumerate() {
            let fits = !(is_v6 && *type_name == "bitmap:ip");
            if fits && rng.percent(40) {
                let name = format!("{begin}-{number}");
                let members: Vec<String> = sets
                    .iter()
                    .filter(|set: &&Set| set.name.starts_with(begin) && word_of(set).1 == 1)
                    .map(|set| set.name.clone())
                    .collect();
                let set = set(rng, pool, (type_name, *dimensions), is_v6, &members);
                sets.push(Set { name, ..set });
            }
        }
    }
    sets
}

fn set(
    rng: &mut Rng,
    pool: Pool<'_>,
    (type_name, dimensions): (&str, usize),
    is_v6: bool,
    members: &[String],
) -> Set {
    let head = match type_name {
        "bitmap:port" => "bitmap:port range 0-40000".to_owned(),
        "bitmap:ip" => "bitmap:ip range 10.2.0.0-10.2.255.255".to_owned(),
        "list:set" => "list:set size 8".to_owned(),
        _ => format!(
            "{type_name} family {}",
            if is_v6 { "inet6" } else { "inet" }
        ),
    };
    let mut elements = Vec::new();
    if type_name == "list:set" {
        elements.extend(members.iter().filter(|_| rng.percent(70)).cloned());
    } else {
        for _ in 0..=rng.below(4) {
            let element = element(rng, pool, type_name, is_v6);
            let fits = type_name != "bitmap:ip" || in_bitmap(&element);
            let known = elements
                .iter()
                .any(|other: &String| same_key(other, &element));
            if fits && !known {
                elements.push(element);
            }
        }
    }
    debug_assert!(dimensions > 0);
    Set {
        name: String::new(),
        head,
        elements,
    }
}

/// Two elements with one key cannot both be added.
fn same_key(left: &str, right: &str) -> bool {
    left.trim_end_matches(" nomatch") == right.trim_end_matches(" nomatch")
}

fn in_bitmap(element: &str) -> bool {
    element.starts_with("10.2.")
}

fn element(rng: &mut Rng, pool: Pool<'_>, type_name: &str, is_v6: bool) -> String {
    let hint = pool.hint(rng, is_v6);
    let port = format!("{}:{}", hint.transport, hint.dport);
    let nomatch = |rng: &mut Rng| if rng.percent(20) { " nomatch" } else { "" };
    match type_name {
        "bitmap:port" => hint.dport.to_string(),
        "hash:ip,port" => format!("{},{port}", hint.dst),
        "hash:ip,port,ip" => format!("{},{port},{}", hint.dst, hint.src),
        "hash:net" => format!("{}{}", pool::block(rng, hint.dst), nomatch(rng)),
        "hash:net,port" => format!("{},{port}{}", pool::block(rng, hint.dst), nomatch(rng)),
        "hash:ip,port,net" => format!(
            "{},{port},{}{}",
            hint.dst,
            pool::block(rng, hint.src),
            nomatch(rng)
        ),
        _ => (if rng.percent(70) { hint.dst } else { hint.src }).to_string(),
    }
}
