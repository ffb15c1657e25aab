//! Policy routing rules.
//!
//! Kernel: include/uapi/linux/fib_rules.h.

use net::{Family, Prefix, Proto};

use super::{addr, each, family_of};
use crate::wire::attr::{Attrs, Fields, Message, Table};
use crate::{Gap, RoutingAction, RoutingRule};

const HEADER: usize = 12;
const DST: u16 = 1;
const SRC: u16 = 2;
const IIF: u16 = 3;
const GOTO: u16 = 4;
const PRIORITY: u16 = 6;
const MARK: u16 = 10;
const TUNNEL: u16 = 12;
const SUPPRESS_GROUP: u16 = 13;
const SUPPRESS_PREFIX_LEN: u16 = 14;
const TABLE: u16 = 15;
const MARK_MASK: u16 = 16;
const OIF: u16 = 17;
const L3MDEV: u16 = 19;
const UID_RANGE: u16 = 20;
const IP_PROTO: u16 = 22;
const SPORT_RANGE: u16 = 23;
const DPORT_RANGE: u16 = 24;
const DSCP: u16 = 25;
const SPORT_MASK: u16 = 28;
const DPORT_MASK: u16 = 29;
/// The highest that is known: a mask for DSCP.
const LAST: u16 = 30;

/// In place of the action of a rule that tests something we do not know; no action has it.
const UNKNOWN_SELECTOR: u8 = 255;

/// Reads rules, by priority; those of one priority in the order of the dump.
///
/// A rule with a selector that is not modelled keeps its place with an unknown action: the gap is
/// there.
pub(in super::super) fn rules(bytes: &[u8], gaps: &mut Vec<Gap>) -> Vec<RoutingRule> {
    // Families 128 and 129 are multicast routing.
    let is_unicast = |message: Message<'_>| !matches!(message.payload.first(), Some(128 | 129));
    let read = |message: Message<'_>| {
        if is_unicast(message) {
            rule(message).map(Some)
        } else {
            Some(None)
        }
    };
    let all = each(bytes, "routing rules", gaps, read);
    let mut rules: Vec<RoutingRule> = all.into_iter().flatten().collect();
    rules.sort_by_key(|rule| rule.priority);
    rules
}

fn rule(message: Message<'_>) -> Option<RoutingRule> {
    const INVERTED: u32 = 2;
    let header = Fields(message.payload);
    let family = family_of(header.byte(0)?)?;
    let attributes = Table::<31>::behind(message.payload, HEADER);
    let prefix = |kind: u16, len: u8| {
        let addr = attributes.get(kind).and_then(|bytes| addr(family, bytes));
        addr.filter(|_| len > 0)
            .map(|addr| Prefix::containing(addr, len))
    };
    let ports = |kind: u16| {
        let range = Fields(attributes.get(kind)?);
        Some((range.he16(0)?, range.he16(2)?))
    };
    let uid = |range: &[u8]| Some((Fields(range).he32(0)?, Fields(range).he32(4)?));
    let suppressed = |kind: u16| attributes.he32(kind).filter(|&value| value != u32::MAX);
    Some(RoutingRule {
        family,
        priority: attributes.he32(PRIORITY).unwrap_or_default(),
        inverted: header.he32(8)? & INVERTED != 0,
        src: prefix(SRC, header.byte(2)?),
        dst: prefix(DST, header.byte(1)?),
        iif: attributes.text(IIF).map(Into::into),
        oif: attributes.text(OIF).map(Into::into),
        mark: mark(&attributes),
        tos: header.byte(3)?,
        proto: attributes.byte(IP_PROTO).filter(|&p| p != 0).map(Proto),
        sport: ports(SPORT_RANGE),
        dport: ports(DPORT_RANGE),
        uid: attributes.get(UID_RANGE).and_then(uid),
        suppress_prefix_len: suppressed(SUPPRESS_PREFIX_LEN),
        suppress_group: suppressed(SUPPRESS_GROUP),
        action: if attributes.is_whole && is_modelled(message.payload, &attributes, family) {
            action(header, &attributes)?
        } else {
            RoutingAction::Unknown(UNKNOWN_SELECTOR)
        },
    })
}

/// The kernel names mark and mask only where one of them is not 0.
fn mark(attributes: &Table<'_, 31>) -> Option<(u32, u32)> {
    let mask = attributes.he32(MARK_MASK).unwrap_or(u32::MAX);
    match attributes.he32(MARK) {
        Some(value) => Some((value, mask)),
        None => (attributes.has(MARK_MASK) && mask != 0).then_some((0, mask)),
    }
}

/// Whether every selector of the rule is one we know.
fn is_modelled(payload: &[u8], attributes: &Table<'_, 31>, family: Family) -> bool {
    let is_full = |kind: u16| {
        let mask = attributes.get(kind).map(Fields);
        mask.is_none_or(|mask| matches!(mask.he16(0), Some(u16::MAX)))
    };
    let newest = Attrs::of(payload.get(HEADER..).unwrap_or_default())
        .map(|attr| attr.kind)
        .max();
    let selects_more =
        attributes.has(TUNNEL) || (DSCP..SPORT_MASK).any(|kind| attributes.has(kind));
    let has_ends = |kind: u16, len: usize| {
        let bits = usize::from(family.bits()) / 8;
        payload.get(len).is_none_or(|&len| len == 0)
            || attributes.get(kind).is_some_and(|addr| addr.len() == bits)
    };
    !selects_more
        && newest.is_none_or(|kind| kind <= LAST)
        && is_full(SPORT_MASK)
        && is_full(DPORT_MASK)
        && has_ends(DST, 1)
        && has_ends(SRC, 2)
}

fn action(header: Fields<'_>, attributes: &Table<'_, 31>) -> Option<RoutingAction> {
    Some(match header.byte(7)? {
        1 if attributes.byte(L3MDEV) == Some(1) => RoutingAction::Vrf,
        1 => {
            let table = attributes.he32(TABLE);
            RoutingAction::Table(table.unwrap_or(header.byte(4)?.into()))
        }
        2 => RoutingAction::Goto(attributes.he32(GOTO)?),
        3 => RoutingAction::Nop,
        6 => RoutingAction::Blackhole,
        7 => RoutingAction::Unreachable,
        8 => RoutingAction::Prohibit,
        other => RoutingAction::Unknown(other),
    })
}
