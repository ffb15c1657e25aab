//! Decoders of what a kernel answers, and of the file that keeps it.

use host::Host;
use host::dump::{Dump, section};

use crate::frame;
use crate::text::printed;

/// Sets that xt rules name by index.
const SETS: &str = "0 hosts\n1 nets\n2 ports\n";

pub(crate) fn snapshot(bytes: &[u8]) {
    if let Ok(dump) = Dump::from_bytes(bytes) {
        let _ = decoded(&dump);
        let again = Dump::from_bytes(&dump.to_bytes());
        assert!(again.as_ref() == Ok(&dump), "a snapshot reads as written");
    }
}

pub(crate) fn nft(bytes: &[u8]) {
    let _ = decoded(&nft_dump(bytes));
}

pub(crate) fn nft_dump(bytes: &[u8]) -> Dump {
    with_sets(frame::dump(bytes, section::NFT_HOOKS))
}

pub(crate) fn legacy(bytes: &[u8]) {
    let _ = decoded(&legacy_dump(bytes));
}

/// The same bytes as a table of both families: the wrong one reads other fields of them.
pub(crate) fn legacy_dump(bytes: &[u8]) -> Dump {
    let mut dump = Dump::default();
    for family in [section::LEGACY_IP, section::LEGACY_IP6] {
        let name = format!("{family}filter");
        let _ = dump.sections.insert(name, bytes.to_vec());
    }
    with_sets(dump)
}

pub(crate) fn route(bytes: &[u8]) {
    let _ = decoded(&frame::dump(bytes, section::ROUTES));
}

pub(crate) fn ipset(bytes: &[u8]) {
    let _ = decoded(&frame::dump(bytes, section::IPSET_LIST));
}

pub(crate) fn conntrack(bytes: &[u8]) {
    let _ = decoded(&frame::dump(bytes, section::CONNTRACK));
}

pub(crate) fn sockets(bytes: &[u8]) {
    let mut dump = Dump::default();
    for name in ["2/6", "10/6", "2/17", "10/17", "2/132"] {
        let name = format!("{}{name}", section::SOCKETS);
        let _ = dump.sections.insert(name, bytes.to_vec());
    }
    let _ = decoded(&dump);
}

/// Sections that are lines of text; the same lines are taken for each of them.
pub(crate) fn lines(bytes: &[u8]) {
    let mut dump = Dump::default();
    for name in [
        section::RELEASE,
        section::HOSTNAME,
        section::IPSET_INDEX,
        section::OWNERS,
        section::CGROUPS,
        section::SYSCTLS,
        section::BYPASSES,
    ] {
        let _ = dump.sections.insert(name.to_owned(), bytes.to_vec());
    }
    let _ = decoded(&dump);
}

pub(crate) fn decoded(dump: &Dump) -> Host {
    let host = host::wire::host(dump);
    printed(&host.ruleset.tables);
    host
}

fn with_sets(mut dump: Dump) -> Dump {
    let name = section::IPSET_INDEX.to_owned();
    let _ = dump.sections.insert(name, SETS.into());
    dump
}
