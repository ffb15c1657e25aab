//! The structs of xt matches and targets, the same in legacy tables and inside nftables.
//!
//! Only the fields in use are read: behind them, and in fields that another mode owns, the
//! kernel leaves private and stale bytes.

mod matches;
mod targets;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use net::Family;

use super::attr::Fields;
use crate::xt::{MaskedAddr, Match, Not, Target};

/// Names of ipsets by their index, which is all that an xt struct says of a set.
pub(super) type SetNames = BTreeMap<u16, Box<str>>;

/// A match or target as the kernel holds it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extension<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Its revision, on which the layout depends.
    pub(super) revision: u32,
    /// The family of its table.
    pub(super) family: Family,
    /// Its struct.
    pub(super) data: Fields<'a>,
    /// Names of ipsets.
    pub(super) sets: &'a SetNames,
}

impl Extension<'_> {
    /// What it tests; a gap with its name where name, revision or bytes are unknown.
    pub(super) fn to_match(self) -> Match {
        matches::known(self).unwrap_or_else(|| Match::Gap {
            name: self.name.into(),
            options: "".into(),
        })
    }

    /// What it does; a gap with its name where name, revision or bytes are unknown.
    pub(super) fn to_target(self) -> Target {
        targets::known(self).unwrap_or_else(|| Target::Gap {
            name: self.name.into(),
            options: "".into(),
        })
    }

    /// An address in a `union nf_inet_addr` or its like: IPv4 is in front.
    fn addr(self, at: usize) -> Option<IpAddr> {
        addr_at(self.family, self.data, at)
    }

    fn masked(self, addr: usize, mask: usize) -> Option<MaskedAddr> {
        Some(masked(self.addr(addr)?, self.addr(mask)?))
    }
}

/// An address in network order.
pub(super) fn addr_at(family: Family, fields: Fields<'_>, at: usize) -> Option<IpAddr> {
    Some(match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::from_bits(fields.be32(at)?)),
        Family::V6 => {
            let bytes: [u8; 16] = fields.bytes(at, 16)?.try_into().ok()?;
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
    })
}

/// An address under a mask, with the bits outside of it cleared.
pub(super) fn masked(addr: IpAddr, mask: IpAddr) -> MaskedAddr {
    let bits = net::addr_bits(addr) & net::addr_bits(mask);
    MaskedAddr {
        addr: net::addr_of(Family::of(addr), bits),
        mask,
    }
}

/// A value that may be inverted, by a flag among others.
fn not_if<T>(flags: u32, bit: u32, value: T) -> Not<T> {
    Not {
        not: flags & bit != 0,
        value,
    }
}
