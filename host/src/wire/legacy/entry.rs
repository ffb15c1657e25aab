//! One entry of a legacy table: `struct ipt_entry` or `struct ip6t_entry`, its matches and
//! its target.

use std::borrow::Cow;
use std::net::IpAddr;

use net::{Family, Proto, addr_bits};

use crate::wire::attr::{Fields, text_of};
use crate::wire::xt::{Extension, SetNames, addr_at, masked};
use crate::xt::{IfaceName, MaskedAddr, Match, Not, Target};

/// Where the fields of an entry are.
struct Layout {
    size: usize,
    src: usize,
    dst: usize,
    src_mask: usize,
    dst_mask: usize,
    ifaces: usize,
    proto: usize,
    flags: usize,
    inverted: usize,
    target_offset: usize,
    goto: u8,
}

const V4: Layout = Layout {
    size: 112,
    src: 0,
    dst: 4,
    src_mask: 8,
    dst_mask: 12,
    ifaces: 16,
    proto: 80,
    flags: 82,
    inverted: 83,
    target_offset: 88,
    goto: 2,
};

const V6: Layout = Layout {
    size: 168,
    src: 0,
    dst: 16,
    src_mask: 32,
    dst_mask: 48,
    ifaces: 64,
    proto: 128,
    flags: 131,
    inverted: 132,
    target_offset: 140,
    goto: 4,
};

/// Bits of the inversions.
mod inverted {
    pub(super) const IN: u8 = 1;
    pub(super) const OUT: u8 = 2;
    pub(super) const SRC: u8 = 8;
    pub(super) const DST: u8 = 0x10;
    pub(super) const FRAGMENT: u8 = 0x20;
    pub(super) const PROTO: u8 = 0x40;
}

/// The header of a match or target: size, name, revision.
const HEADER: usize = 32;

/// What a standard target says.
pub(super) enum Verdict {
    /// A verdict.
    Target(Target),
    /// The offset of an entry to go on at.
    Offset(usize),
}

/// An entry, borrowed.
pub(super) struct Entry<'a> {
    family: Family,
    layout: &'static Layout,
    fields: Fields<'a>,
    target_offset: usize,
    /// How many bytes it takes.
    pub(super) size: usize,
}

impl<'a> Entry<'a> {
    /// The entry at an offset; none at the end, and none where its lengths cannot be.
    pub(super) fn at(family: Family, entries: &'a [u8], offset: usize) -> Option<Self> {
        let layout = match family {
            Family::V4 => &V4,
            Family::V6 => &V6,
        };
        let rest = entries.get(offset..)?;
        let header = Fields(rest);
        let target_offset = usize::from(header.he16(layout.target_offset)?);
        let size = usize::from(header.he16(layout.target_offset + 2)?);
        let fits = layout.size <= target_offset && target_offset + HEADER <= size;
        fits.then_some(Self {
            family,
            layout,
            fields: Fields(rest.get(..size)?),
            target_offset,
            size,
        })
    }

    fn target_name(&self) -> Option<Cow<'a, str>> {
        self.fields.text(self.target_offset + 2, 29)
    }

    fn target_data(&self) -> Fields<'a> {
        let data = self.fields.0.get(self.target_offset + HEADER..);
        Fields(data.unwrap_or_default())
    }

    /// The name of the chain that begins behind this entry, which is no rule then.
    pub(super) fn chain_name(&self) -> Option<Cow<'a, str>> {
        let is_head = self.target_name()? == "ERROR";
        is_head.then(|| text_of(self.target_data().0))
    }

    /// Whether a jump does not come back.
    pub(super) fn is_goto(&self) -> bool {
        let flags = self.fields.byte(self.layout.flags).unwrap_or_default();
        flags & self.layout.goto != 0
    }

    /// What the standard target says; none where it has another target.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        if !self.target_name()?.is_empty() {
            return None;
        }
        // Kernel: verdicts are stored as -1 - NF_*; RETURN is -1 - NF_REPEAT.
        Some(Verdict::Target(match self.target_data().signed(0)? {
            -1 => Target::Drop,
            -2 => Target::Accept,
            -4 => Target::Queue {
                num: 0,
                bypass: false,
            },
            -5 => Target::Return,
            offset => return usize::try_from(offset).ok().map(Verdict::Offset),
        }))
    }

    /// What a target with a name does.
    pub(super) fn target(&self, sets: &SetNames) -> Option<Target> {
        let name = self.target_name().filter(|name| !name.is_empty())?;
        let extension = Extension {
            name: &name,
            revision: self.fields.byte(self.target_offset + 31)?.into(),
            family: self.family,
            data: self.target_data(),
            sets,
        };
        Some(extension.to_target())
    }

    /// All that it tests: what every entry can, then the matches.
    pub(super) fn matches(&self, sets: &SetNames) -> Option<Vec<Match>> {
        let mut matches = self.selectors()?;
        let mut at = self.layout.size;
        while at < self.target_offset {
            let size = usize::from(self.fields.he16(at)?);
            if size < HEADER || at + size > self.target_offset {
                return None;
            }
            let name = self.fields.text(at + 2, 29)?;
            let extension = Extension {
                name: &name,
                revision: self.fields.byte(at + 31)?.into(),
                family: self.family,
                data: Fields(self.fields.bytes(at + HEADER, size - HEADER)?),
                sets,
            };
            matches.push(extension.to_match());
            at += size;
        }
        Some(matches)
    }

    fn selectors(&self) -> Option<Vec<Match>> {
        let (layout, fields) = (self.layout, self.fields);
        let (flags, inverted) = (fields.byte(layout.flags)?, fields.byte(layout.inverted)?);
        let mut matches = Vec::new();
        let src = self.addr(layout.src, layout.src_mask)?;
        matches.extend(test(src, is_any_addr(src), inverted & inverted::SRC).map(Match::Src));
        let dst = self.addr(layout.dst, layout.dst_mask)?;
        matches.extend(test(dst, is_any_addr(dst), inverted & inverted::DST).map(Match::Dst));
        let input = self.iface(0)?;
        let is_any = is_any_iface(&input);
        matches.extend(test(input, is_any, inverted & inverted::IN).map(Match::In));
        let output = self.iface(16)?;
        let is_any = is_any_iface(&output);
        matches.extend(test(output, is_any, inverted & inverted::OUT).map(Match::Out));
        matches.extend(self.proto(flags, inverted));
        matches.extend(self.rare(flags, inverted));
        Some(matches)
    }

    fn addr(&self, addr: usize, mask: usize) -> Option<MaskedAddr> {
        let at = |at: usize| addr_at(self.family, self.fields, at);
        Some(masked(at(addr)?, at(mask)?))
    }

    /// An interface: the mask covers the name with its NUL, or only the beginning of a name.
    fn iface(&self, at: usize) -> Option<IfaceName> {
        let name = self.fields.bytes(self.layout.ifaces + at, 16)?;
        let mask = self.fields.bytes(self.layout.ifaces + 32 + at, 16)?;
        let covered = mask.iter().take_while(|&&byte| byte != 0).count();
        let name = &name[..covered];
        Some(IfaceName {
            name: text_of(name).into(),
            is_prefix: !name.contains(&0),
        })
    }

    fn proto(&self, flags: u8, inverted: u8) -> Option<Match> {
        /// `IP6T_F_PROTO`: without it IPv6 does not look at the number.
        const GIVEN: u8 = 1;
        let number = self.fields.he16(self.layout.proto)?;
        let is_tested = match self.family {
            Family::V4 => number != 0,
            Family::V6 => flags & GIVEN != 0,
        };
        let value = Proto(u8::try_from(number).ok()?);
        let not = inverted & inverted::PROTO != 0;
        is_tested.then_some(Match::Proto(Not { not, value }))
    }

    /// Fragments in IPv4, the traffic class in IPv6, which nobody writes any more.
    fn rare(&self, flags: u8, inverted: u8) -> Option<Match> {
        const FRAGMENT: u8 = 1;
        const TOS: u8 = 2;
        match self.family {
            Family::V4 => (flags & FRAGMENT != 0).then_some(Match::Fragment(Not {
                not: inverted & inverted::FRAGMENT != 0,
                value: (),
            })),
            Family::V6 => (flags & TOS != 0).then(|| Match::Gap {
                name: "tos".into(),
                options: "".into(),
            }),
        }
    }
}

/// A test; one that holds for anything is none, unless it is inverted.
fn test<T>(value: T, is_any: bool, inverted: u8) -> Option<Not<T>> {
    let not = inverted != 0;
    (not || !is_any).then_some(Not { not, value })
}

fn is_any_addr(addr: MaskedAddr) -> bool {
    let bits = |addr: IpAddr| addr_bits(addr);
    bits(addr.addr) == 0 && bits(addr.mask) == 0
}

fn is_any_iface(iface: &IfaceName) -> bool {
    iface.name.is_empty()
}
