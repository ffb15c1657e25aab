//! A chain and the place of a base chain.

use super::userdata;
use crate::wire::attr::{Attrs, Table, text_of};
use crate::{Base, Chain, ChainKind, Hook, Policy, TableFamily};

const HANDLE: u16 = 2;
const HOOK: u16 = 4;
const POLICY: u16 = 5;
const TYPE: u16 = 7;
const USERDATA: u16 = 12;

/// Reads a chain without rules. Beside it, what of it could not be read.
pub(super) fn read(
    attributes: &Table<'_, 13>,
    family: TableFamily,
    name: &str,
) -> (Chain, Option<String>) {
    let base = attributes
        .get(HOOK)
        .map(|hook| base(attributes, hook, family));
    let is_lost = matches!(base, Some(None)) || !attributes.is_whole;
    let lost = is_lost.then(|| format!("the hook of nftables chain {name} was not understood"));
    let chain = Chain {
        name: name.to_owned(),
        base: base.flatten(),
        handle: attributes.be64(HANDLE),
        comment: attributes.get(USERDATA).and_then(userdata::comment),
        rules: Vec::new(),
    };
    (chain, lost)
}

fn base(attributes: &Table<'_, 13>, hook: &[u8], family: TableFamily) -> Option<Base> {
    const NUMBER: u16 = 1;
    const PRIORITY: u16 = 2;
    const DEVICE: u16 = 3;
    const DEVICES: u16 = 4;
    const DROP: u32 = 0;
    let place = Table::<5>::of(hook);
    let priority = place.be32(PRIORITY)?.cast_signed();
    let mut devices: Vec<String> = place
        .get(DEVICES)
        .map(|list| {
            Attrs::of(list)
                .filter_map(|a| device(a.kind, a.value))
                .collect()
        })
        .unwrap_or_default();
    if devices.is_empty() {
        devices.extend(place.text(DEVICE).map(std::borrow::Cow::into_owned));
    }
    Some(Base {
        hook: hook_of(family, place.be32(NUMBER)?)?,
        priority,
        kind: match attributes.get(TYPE).map(text_of).as_deref() {
            Some("filter") => ChainKind::Filter,
            Some("nat") => ChainKind::Nat,
            Some("route") => ChainKind::Route,
            Some(_) | None => return None,
        },
        policy: match attributes.be32(POLICY) {
            Some(DROP) => Policy::Drop,
            Some(_) | None => Policy::Accept,
        },
        devices,
    })
}

/// A device by name, or all whose names begin so, written with a `*`.
fn device(kind: u16, value: &[u8]) -> Option<String> {
    const NAME: u16 = 1;
    const PREFIX: u16 = 2;
    match kind {
        NAME => Some(text_of(value).into_owned()),
        PREFIX => Some(format!("{}*", text_of(value))),
        _ => None,
    }
}

/// A hook by its number, which depends on the family (`nf_inet_hooks`, `nf_dev_hooks`,
/// netfilter_arp.h).
fn hook_of(family: TableFamily, number: u32) -> Option<Hook> {
    let ip = [
        Hook::Prerouting,
        Hook::Input,
        Hook::Forward,
        Hook::Output,
        Hook::Postrouting,
    ];
    let hooks: &[Hook] = match family {
        TableFamily::Inet if number == 5 => &[Hook::Ingress; 6],
        TableFamily::Ip | TableFamily::Ip6 | TableFamily::Inet | TableFamily::Bridge => &ip,
        TableFamily::Arp => &[Hook::Input, Hook::Output, Hook::Forward],
        TableFamily::Netdev => &[Hook::Ingress, Hook::Egress],
    };
    hooks.get(usize::try_from(number).ok()?).copied()
}
