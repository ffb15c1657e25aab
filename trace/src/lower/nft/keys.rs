//! `meta` and `ct`: what a key reads, and what setting it means.

use host::TableFamily;
use host::nft::{CtKey, MetaKey, Register};
use net::Family;

use super::super::{Effect, Field, Op, Test, Value, varying};
use super::Lowering;
use crate::ranges::Ranges;

impl Lowering<'_> {
    pub(super) fn meta(&mut self, dreg: Register, key: MetaKey) {
        let (field, len) = match key {
            MetaKey::Protocol => (Field::EtherProto, 2),
            MetaKey::Mark => (Field::Mark, 4),
            MetaKey::Iif => (Field::Iif, 4),
            MetaKey::Oif => (Field::Oif, 4),
            MetaKey::IifName => (Field::IifName, 16),
            MetaKey::OifName => (Field::OifName, 16),
            MetaKey::IifType => (Field::IifType, 2),
            MetaKey::OifType => (Field::OifType, 2),
            MetaKey::SkUid => (Field::SkUid, 4),
            MetaKey::SkGid => (Field::SkGid, 4),
            MetaKey::NfProto => (Field::NfProto, 1),
            MetaKey::L4Proto => (Field::Proto, 1),
            MetaKey::PktType => (Field::PktType, 1),
            MetaKey::IifGroup => (Field::IifGroup, 4),
            MetaKey::OifGroup => (Field::OifGroup, 4),
            MetaKey::Len | MetaKey::Priority | MetaKey::NfTrace | MetaKey::Other(_) => {
                let unknown = || {
                    let why = format!("meta {key:?} of the packet is not known");
                    Value::unknown(&why, 8)
                };
                let what = varying::meta(key);
                let value = what.map_or_else(unknown, |what| Value::varies(what, 8));
                self.put(dreg, &value);
                return;
            }
        };
        self.load(dreg, field, len);
    }

    pub(super) fn meta_set(&mut self, sreg: Register, key: MetaKey) {
        match key {
            MetaKey::Mark => {
                let mark = self.get(sreg, 4);
                self.ops.push(Op::Do(Effect::Mark(mark)));
            }
            // Nothing that is modelled reads these again.
            MetaKey::NfTrace | MetaKey::Priority | MetaKey::PktType | MetaKey::Other(_) => {}
            MetaKey::Len
            | MetaKey::Protocol
            | MetaKey::Iif
            | MetaKey::Oif
            | MetaKey::IifName
            | MetaKey::OifName
            | MetaKey::IifType
            | MetaKey::OifType
            | MetaKey::SkUid
            | MetaKey::SkGid
            | MetaKey::NfProto
            | MetaKey::L4Proto
            | MetaKey::IifGroup
            | MetaKey::OifGroup => self.gap("meta is set to something that is not modelled"),
        }
    }

    pub(super) fn ct(&mut self, dreg: Register, key: CtKey, reply: Option<bool>) {
        let reply = reply.unwrap_or(false);
        let (field, len) = match key {
            CtKey::State => (Field::CtState, 4),
            CtKey::Direction => (Field::CtDirection, 1),
            CtKey::Status => (Field::CtStatus, 4),
            CtKey::Mark => (Field::CtMark, 4),
            CtKey::L3Proto => (Field::CtL3Proto, 1),
            CtKey::Protocol => (Field::CtProto, 1),
            CtKey::Zone => (Field::CtZone, 2),
            CtKey::Src(family) => (
                Field::CtAddr {
                    reply,
                    source: true,
                },
                self.ct_addr(family),
            ),
            CtKey::Dst(family) => (
                Field::CtAddr {
                    reply,
                    source: false,
                },
                self.ct_addr(family),
            ),
            CtKey::SrcPort => (
                Field::CtPort {
                    reply,
                    source: true,
                },
                2,
            ),
            CtKey::DstPort => (
                Field::CtPort {
                    reply,
                    source: false,
                },
                2,
            ),
            CtKey::Other(number) => {
                self.ops.push(Op::Test(Test::HasConnection));
                let value = match varying::ct(number) {
                    Some(what) => Value::varies(what, 16),
                    None => Value::unknown(&format!("ct key {number} is not modelled"), 16),
                };
                self.put(dreg, &value);
                return;
            }
        };
        self.load(dreg, field, len);
    }

    /// Bytes of an address of a connection; a rule ends for connections of another family
    /// (nft_ct.c, nft_ct_get_eval).
    fn ct_addr(&mut self, family: Option<Family>) -> u32 {
        if let Some(family) = family {
            let number = if family == Family::V4 { 2 } else { 10 };
            let value = Value::field(Field::NfProto, 1);
            self.ops.push(Op::Test(Test::In {
                value,
                within: Ranges::one(number),
            }));
            return u32::from(family.bits()) / 8;
        }
        if self.table.family == TableFamily::Ip6 {
            16
        } else {
            4
        }
    }

    pub(super) fn ct_set(&mut self, sreg: Register, key: CtKey) {
        match key {
            CtKey::Mark => {
                let mark = self.get(sreg, 4);
                self.ops.push(Op::Do(Effect::CtMark(mark)));
            }
            CtKey::Zone => self.gap("ct zone is set"),
            // Labels, events, secmarks: nothing that is modelled reads them.
            CtKey::Other(_) => {}
            CtKey::State
            | CtKey::Direction
            | CtKey::Status
            | CtKey::L3Proto
            | CtKey::Protocol
            | CtKey::Src(_)
            | CtKey::Dst(_)
            | CtKey::SrcPort
            | CtKey::DstPort => self.gap("ct is set to something that is not modelled"),
        }
    }
}
