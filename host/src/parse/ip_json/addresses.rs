//! `ip -j addr`.

use std::net::IpAddr;

use net::Prefix;

use crate::Address;
use crate::parse::problem::{Input, Problem, Problems};

use super::{Object, objects};

/// Reads `ip -j addr`.
pub fn ip_addresses(input: Input<'_>) -> (Vec<Address>, Vec<Problem>) {
    let mut problems = Problems::of(input);
    let mut addresses = Vec::new();
    for object in objects(input, &mut problems) {
        let Some(link) = object.number("ifindex") else {
            let what = "entry is no link: it lacks `ifindex` or `ifname`";
            problems.add(0, &object.to_string(), what);
            continue;
        };
        for info in object.list("addr_info") {
            match address(&info, link) {
                Ok(address) => addresses.extend(address),
                Err(what) => problems.add(0, &info.to_string(), what),
            }
        }
    }
    (addresses, problems.into_vec())
}

/// `None` where it is no internet address.
fn address(info: &Object, link: u32) -> Result<Option<Address>, String> {
    if info.0.is_empty() || !matches!(info.text("family"), Some("inet" | "inet6")) {
        return Ok(None);
    }
    let addr = |key| info.text(key).and_then(|text| text.parse::<IpAddr>().ok());
    let local = addr("local").ok_or("entry is no address: `local` is none")?;
    let len = info.optional("prefixlen")?;
    let len = len.ok_or("entry is no address: it lacks `prefixlen`")?;
    let peer = addr("address").filter(|peer| *peer != local);
    Ok(Some(Address {
        link,
        addr: local,
        prefix: Prefix::containing(peer.unwrap_or(local), len),
        peer,
        secondary: info.has("secondary"),
        scope: scope(info),
    }))
}

/// The number of a scope (`rt_scopes`).
fn scope(info: &Object) -> u8 {
    match info.text("scope") {
        Some("site") => 200,
        Some("link") => 253,
        Some("host") => 254,
        Some("nowhere") => 255,
        _ => info.number("scope").unwrap_or(0),
    }
}
