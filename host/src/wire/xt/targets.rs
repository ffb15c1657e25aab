//! xt targets by name and revision.

use net::Family;

use super::Extension;
use crate::wire::attr::Fields;
use crate::xt::{CtMarkMode, NatRange, RejectWith, Target};

/// The target, if its name and revision are known and its bytes suffice.
pub(super) fn known(ext: Extension<'_>) -> Option<Target> {
    let data = ext.data;
    match (ext.name, ext.revision) {
        ("REJECT", 0) => reject(ext.family, data),
        ("DNAT", 2) => nat_2(ext).map(|range| Target::Dnat(Box::new(range))),
        ("DNAT", _) => nat(ext).map(|range| Target::Dnat(Box::new(range))),
        ("SNAT", _) => nat(ext).map(|range| Target::Snat(Box::new(range))),
        ("MASQUERADE", 0) => nat(ext).map(|range| Target::Masquerade(Box::new(range))),
        ("REDIRECT", 0) => nat(ext).map(|range| Target::Redirect(Box::new(range))),
        ("NETMAP", 0) => nat(ext).map(|range| Target::Netmap(Box::new(range))),
        ("MARK", 2) => Some(Target::Mark {
            value: data.he32(0)?,
            mask: data.he32(4)?,
        }),
        ("CONNMARK", 1 | 2) => connmark(data, ext.revision),
        ("CT", 0..=2) => ct(data),
        ("NOTRACK", _) => Some(Target::Notrack),
        ("NFQUEUE", 0..=3) => queue(data, ext.revision),
        // No verdict, and nothing that a later rule could see in what we model.
        (
            "LOG" | "NFLOG" | "ULOG" | "TRACE" | "AUDIT" | "CHECKSUM" | "TCPMSS" | "CLASSIFY"
            | "TEE" | "DSCP" | "TOS" | "TTL" | "HL" | "SECMARK" | "CONNSECMARK" | "IDLETIMER"
            | "RATEEST" | "LED" | "TCPOPTSTRIP" | "ECN",
            _,
        ) => Some(Target::Pass(ext.name.into())),
        _ => None,
    }
}

/// Numbers of `ipt_REJECT.h` and `ip6t_REJECT.h` as ICMP codes.
fn reject(family: Family, data: Fields<'_>) -> Option<Target> {
    const V4: [Option<RejectWith>; 9] = [
        Some(RejectWith::Icmp(0)),
        Some(RejectWith::Icmp(1)),
        Some(RejectWith::Icmp(2)),
        Some(RejectWith::Icmp(3)),
        None,
        Some(RejectWith::Icmp(9)),
        Some(RejectWith::Icmp(10)),
        Some(RejectWith::TcpReset),
        Some(RejectWith::Icmp(13)),
    ];
    const V6: [Option<RejectWith>; 9] = [
        Some(RejectWith::Icmp6(0)),
        Some(RejectWith::Icmp6(1)),
        None,
        Some(RejectWith::Icmp6(3)),
        Some(RejectWith::Icmp6(4)),
        None,
        Some(RejectWith::TcpReset),
        Some(RejectWith::Icmp6(5)),
        Some(RejectWith::Icmp6(6)),
    ];
    let with = usize::try_from(data.he32(0)?).ok()?;
    let known = match family {
        Family::V4 => V4.get(with),
        Family::V6 => V6.get(with),
    };
    known.copied().flatten().map(Target::Reject)
}

/// `NF_NAT_RANGE_*` (nf_nat.h).
mod range {
    pub(super) const ADDRS: u32 = 1;
    pub(super) const PORTS: u32 = 2;
    pub(super) const RANDOM: u32 = 4;
    pub(super) const PERSISTENT: u32 = 8;
    pub(super) const RANDOM_FULLY: u32 = 0x10;
    pub(super) const OFFSET: u32 = 0x20;
}

/// `struct nf_nat_range2` of both families.
fn nat_2(ext: Extension<'_>) -> Option<NatRange> {
    let mut range = nat_range(ext, ext.data.he32(0)?, 4, 36)?;
    if ext.data.he32(0)? & range::OFFSET != 0 {
        range.base_port = Some(ext.data.be16(40)?);
    }
    Some(range)
}

/// `struct nf_nat_ipv4_multi_range_compat` for IPv4, `struct nf_nat_range` for IPv6.
fn nat(ext: Extension<'_>) -> Option<NatRange> {
    match (ext.family, ext.revision) {
        (Family::V4, 0) if ext.data.he32(0)? == 1 => {
            let flags = ext.data.he32(4)?;
            let mut range = nat_range_v4(ext, flags)?;
            mark_flags(&mut range, flags);
            Some(range)
        }
        (Family::V6, 0 | 1) => nat_range(ext, ext.data.he32(0)?, 4, 36),
        (Family::V4 | Family::V6, _) => None,
    }
}

fn nat_range_v4(ext: Extension<'_>, flags: u32) -> Option<NatRange> {
    let addrs = (ext.addr(8)?, ext.addr(12)?);
    let ports = (ext.data.be16(16)?, ext.data.be16(18)?);
    Some(NatRange {
        addrs: (flags & range::ADDRS != 0).then_some(addrs),
        ports: (flags & range::PORTS != 0).then_some(ports),
        ..NatRange::default()
    })
}

fn nat_range(ext: Extension<'_>, flags: u32, addrs: usize, ports: usize) -> Option<NatRange> {
    let addrs = (ext.addr(addrs)?, ext.addr(addrs + 16)?);
    let ports = (ext.data.be16(ports)?, ext.data.be16(ports + 2)?);
    let mut range = NatRange {
        addrs: (flags & range::ADDRS != 0).then_some(addrs),
        ports: (flags & range::PORTS != 0).then_some(ports),
        ..NatRange::default()
    };
    mark_flags(&mut range, flags);
    Some(range)
}

fn mark_flags(range: &mut NatRange, flags: u32) {
    range.random = flags & range::RANDOM != 0;
    range.random_fully = flags & range::RANDOM_FULLY != 0;
    range.persistent = flags & range::PERSISTENT != 0;
}

fn connmark(data: Fields<'_>, revision: u32) -> Option<Target> {
    let mode = if revision == 2 {
        if data.byte(13)? != 0 {
            // Marks are shifted on the way, which is not modelled.
            return None;
        }
        data.byte(14)?
    } else {
        data.byte(12)?
    };
    Some(Target::Connmark {
        mode: match mode {
            0 => CtMarkMode::Set,
            1 => CtMarkMode::Save,
            2 => CtMarkMode::Restore,
            _ => return None,
        },
        value: data.he32(0)?,
        ctmask: data.he32(4)?,
        nfmask: data.he32(8)?,
    })
}

/// `CT`: `--notrack` hides the packet from conntrack; helpers, events and time-outs change
/// nothing that a rule sees; a zone opens another space of connections.
fn ct(data: Fields<'_>) -> Option<Target> {
    const NOTRACK: u16 = 1;
    const ZONES: u16 = 4 | 8 | 0x10;
    let (flags, zone) = (data.he16(0)?, data.he16(2)?);
    if flags & NOTRACK != 0 {
        Some(Target::Notrack)
    } else if flags & ZONES != 0 || zone != 0 {
        None
    } else {
        Some(Target::Pass("CT".into()))
    }
}

fn queue(data: Fields<'_>, revision: u32) -> Option<Target> {
    let bypass = match revision {
        0 | 1 => false,
        _ => data.he16(4)? & 1 != 0,
    };
    Some(Target::Queue {
        num: data.he16(0)?,
        bypass,
    })
}
