//! Decoders of what the kernel answers: nftables, xt structs, ipsets, sockets, routes.
//!
//! Pure: bytes become the model on any operating system, and no bytes can fail as a whole.
//! What is cut short, lies about its length or is unknown becomes a [`crate::Gap`], or a gap
//! in its place.

mod attr;
mod conntrack;
mod diag;
mod ipset;
mod legacy;
mod missing;
mod nft;
mod nftrace;
mod route;
mod xt;

pub use nftrace::reports;

use crate::dump::{Dump, section};
use crate::{Connections, Host, Ruleset, Sysctls};

/// The machine that a dump was read from.
///
/// What the dump says it could not read, and what takes packets past the rules, are gaps.
pub fn host(dump: &Dump) -> Host {
    let mut gaps = missing::gaps(dump);
    let sets = ipset::names(&dump.text(section::IPSET_INDEX));
    let mut tables = legacy::tables(dump, &sets, &mut gaps);
    tables.extend(nft::tables(dump, &sets, &mut gaps));
    Host {
        name: dump.text(section::HOSTNAME).trim().to_owned(),
        links: route::links(dump.section(section::LINKS), &mut gaps),
        addresses: route::addresses(dump.section(section::ADDRESSES), &mut gaps),
        routing_rules: route::rules(dump.section(section::RULES), &mut gaps),
        routes: route::routes(
            dump.section(section::ROUTES),
            dump.section(section::NEXTHOPS),
            &mut gaps,
        ),
        sysctls: sysctls(&dump.text(section::SYSCTLS)),
        ruleset: Ruleset {
            tables,
            generation: nft::generation(dump.section(section::NFT_GENERATION)),
        },
        ipsets: ipset::sets(dump.section(section::IPSET_LIST), &mut gaps),
        sockets: diag::sockets(dump, &mut gaps),
        connections: Connections::of(conntrack::connections(
            dump.section(section::CONNTRACK),
            &mut gaps,
        )),
        given: missing::given(dump),
        gaps,
    }
}

/// Adds to a host what its dump has gained since: connections, which are read when it is known
/// which are wanted.
pub fn add_connections(host: &mut Host, dump: &Dump) {
    let mut gaps = missing::gaps(dump);
    gaps.retain(|gap| !host.gaps.contains(gap));
    let entries = dump.section(section::CONNTRACK);
    host.connections = Connections::of(conntrack::connections(entries, &mut gaps));
    host.gaps.extend(gaps);
}

/// Settings as `sysctl -a` prints them, a line each.
fn sysctls(text: &str) -> Sysctls {
    let mut sysctls = Sysctls::default();
    for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
        sysctls.insert(name.trim(), value);
    }
    sysctls
}
