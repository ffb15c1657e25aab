//! Any bytes at all decode to some model: cut, changed, or random.

#![expect(
    clippy::unwrap_used,
    reason = "a test helper that fails fails its test"
)]

use std::path::PathBuf;

use host::dump::Dump;
use proptest::prelude::*;

const SNAPSHOTS: [&str; 5] = ["every", "compat", "legacy", "routes", "sockets"];

fn snapshot(place: usize) -> Dump {
    let name = format!("../testkit/data/wire/{}.snapshot", SNAPSHOTS[place]);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name);
    Dump::from_bytes(&std::fs::read(path).unwrap()).unwrap()
}

/// A change to one section: where it is cut, if it is, and bytes that are written over it.
#[derive(Debug, Clone)]
struct Damage {
    section: usize,
    cut: Option<usize>,
    writes: Vec<(usize, u8)>,
}

fn damage() -> impl Strategy<Value = Damage> {
    let writes = prop::collection::vec((any::<usize>(), any::<u8>()), 0..12);
    let cut = prop::option::of(any::<usize>());
    let parts = (any::<usize>(), cut, writes);
    parts.prop_map(|(section, cut, writes)| Damage {
        section,
        cut,
        writes,
    })
}

fn apply(dump: &mut Dump, damage: &Damage) {
    let section = damage.section % dump.sections.len();
    let bytes = dump.sections.values_mut().nth(section).unwrap();
    if let Some(cut) = damage.cut {
        bytes.truncate(cut % (bytes.len() + 1));
    }
    for &(at, byte) in &damage.writes {
        if !bytes.is_empty() {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_snapshot_never_panics(
        place in 0..SNAPSHOTS.len(),
        damages in prop::collection::vec(damage(), 1..4),
    ) {
        let mut dump = snapshot(place);
        for damage in &damages {
            apply(&mut dump, damage);
        }
        let _ = host::wire::host(&dump);
    }

    #[test]
    fn random_bytes_never_panic(
        place in 0..SNAPSHOTS.len(),
        section in any::<usize>(),
        bytes in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        let mut dump = snapshot(place);
        let section = section % dump.sections.len();
        *dump.sections.values_mut().nth(section).unwrap() = bytes;
        let _ = host::wire::host(&dump);
    }

    #[test]
    fn damaged_reports_of_traced_packets_never_panic(
        headers in prop::collection::vec(any::<u8>(), 0..60),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let numbers = [(4, 3_u32), (6, 7)].map(|(kind, n)| attr(kind, &n.to_be_bytes()));
        let names = [attr(1, b"filter\0"), attr(2, b"INPUT\0"), attr(3, &[0; 8])];
        let verdict = attr(5, &attr(1, &[0; 4]));
        let packet = [attr(8, &headers), attr(9, &headers)];
        let mut message = vec![0; 8];
        message[4..6].copy_from_slice(&0x0a11_u16.to_ne_bytes());
        message.extend([0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
        message.extend([numbers.concat(), names.concat(), verdict, packet.concat()].concat());
        let len = u32::try_from(message.len()).unwrap();
        message[..4].copy_from_slice(&len.to_ne_bytes());
        assert_eq!(host::wire::reports(&message).len(), 1);
        *at.get_mut(&mut message) = byte;
        let _ = host::nftrace::way(&host::wire::reports(&message), "filter");
    }
}

/// A netlink attribute.
fn attr(kind: u16, value: &[u8]) -> Vec<u8> {
    let len = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    let mut bytes = [len.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

#[test]
fn expressions_inside_of_each_other_do_not_exhaust_the_stack() {
    let mut expr = Vec::new();
    while expr.len() < 60_000 {
        let data = attr(2, &attr(5, &expr));
        expr = [attr(1, b"inner\0"), data].concat();
    }
    let mut dump = snapshot(0);
    let rules = dump.sections.get_mut("nft/rules").unwrap();
    // Table and chain of the first rule, with the nested expression alone.
    let mut message = rules[16..20].to_vec();
    message.extend(attr(1, b"every\0"));
    message.extend(attr(2, b"side\0"));
    message.extend(attr(4, &attr(1, &expr)));
    let len = u32::try_from(16 + message.len()).unwrap();
    let mut bytes = rules[..16].to_vec();
    bytes[..4].copy_from_slice(&len.to_ne_bytes());
    bytes.extend(message);
    *rules = bytes;
    let host = host::wire::host(&dump);
    assert_eq!(host.ruleset.tables[0].chains[0].rules.len(), 1);
}
