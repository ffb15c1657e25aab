//! Expressions: those that load a value into a register, test one or compute with it.

use super::register::{VERDICT, optional, required};
use super::statement;
use net::Family;

use crate::TableFamily;
use crate::nft::{
    BitOp, CmpOp, CtKey, Expr, FibFlags, FibResult, MetaKey, NumgenKind, PayloadBase, Register,
    SocketKey,
};
use crate::wire::attr::{Attrs, Table};
use crate::wire::xt::SetNames;

/// The attributes of an expression.
pub(super) type Args<'a> = Table<'a, 16>;

/// Decodes the expressions of one table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decoder<'a> {
    /// The table's family, on which xt structs depend.
    pub(super) family: TableFamily,
    /// Names of ipsets, which xt structs name by index.
    pub(super) sets: &'a SetNames,
    /// Inside of another expression, where no further one can be.
    pub(super) is_nested: bool,
}

impl Decoder<'_> {
    /// The decoder of expressions inside of one.
    pub(super) fn inside(self) -> Option<Self> {
        (!self.is_nested).then_some(Self {
            is_nested: true,
            ..self
        })
    }

    /// The expressions in a list; none at all where the bytes of one are damaged.
    pub(super) fn list(self, list: &[u8]) -> Option<Vec<Expr>> {
        let mut exprs = Vec::with_capacity(Attrs::of(list).count());
        let mut elements = Attrs::of(list);
        for element in elements.by_ref() {
            exprs.push(self.one(element.value)?);
        }
        elements.is_whole().then_some(exprs)
    }

    /// One expression: its name, and attributes that depend on it.
    pub(super) fn one(self, element: &[u8]) -> Option<Expr> {
        let parts = Table::<3>::of(element);
        let name = parts.get(1)?;
        let name = name.strip_suffix(&[0]).unwrap_or(name);
        let args = Args::of(parts.get(2).unwrap_or_default());
        if !parts.is_whole || !args.is_whole {
            return None;
        }
        match name {
            b"payload" => payload(&args),
            b"meta" => meta(&args),
            b"ct" => ct(&args),
            b"cmp" => cmp(&args),
            b"range" => range(&args),
            b"bitwise" => bitwise(&args),
            b"byteorder" => byteorder(&args),
            b"lookup" => lookup(&args),
            b"fib" => fib(&args),
            b"numgen" => numgen(&args),
            b"socket" => socket(&args),
            b"immediate" => immediate(&args),
            _ => statement::decode(self, name, &args),
        }
    }
}

/// An expression that is not modelled.
pub(super) fn gap(name: &str, dreg: Option<Register>) -> Expr {
    Expr::Gap {
        name: name.into(),
        dreg,
    }
}

fn payload(args: &Args<'_>) -> Option<Expr> {
    const DREG: u16 = 1;
    const BASE: u16 = 2;
    const OFFSET: u16 = 3;
    const LEN: u16 = 4;
    const SREG: u16 = 5;
    let (offset, len) = (args.be32(OFFSET)?, args.be32(LEN)?);
    let base = match args.be32(BASE)? {
        0 => PayloadBase::Link,
        1 => PayloadBase::Network,
        2 => PayloadBase::Transport,
        3 => PayloadBase::Inner,
        _ => return Some(gap("payload", optional(args, DREG).ok()?)),
    };
    Some(match optional(args, SREG).ok()? {
        Some(sreg) => Expr::PayloadSet {
            sreg,
            base,
            offset,
            len,
        },
        None => Expr::Payload {
            dreg: required(args, DREG)?,
            base,
            offset,
            len,
        },
    })
}

fn meta(args: &Args<'_>) -> Option<Expr> {
    let key = meta_key(args.be32(2)?);
    Some(match optional(args, 3).ok()? {
        Some(sreg) => Expr::MetaSet { sreg, key },
        None => Expr::Meta {
            dreg: required(args, 1)?,
            key,
        },
    })
}

fn meta_key(number: u32) -> MetaKey {
    match number {
        0 => MetaKey::Len,
        1 => MetaKey::Protocol,
        2 => MetaKey::Priority,
        3 => MetaKey::Mark,
        4 => MetaKey::Iif,
        5 => MetaKey::Oif,
        6 => MetaKey::IifName,
        7 => MetaKey::OifName,
        8 => MetaKey::IifType,
        9 => MetaKey::OifType,
        10 => MetaKey::SkUid,
        11 => MetaKey::SkGid,
        12 => MetaKey::NfTrace,
        15 => MetaKey::NfProto,
        16 => MetaKey::L4Proto,
        19 => MetaKey::PktType,
        21 => MetaKey::IifGroup,
        22 => MetaKey::OifGroup,
        other => MetaKey::Other(other),
    }
}

fn ct(args: &Args<'_>) -> Option<Expr> {
    let key = ct_key(args.be32(2)?);
    if let Some(sreg) = optional(args, 4).ok()? {
        return Some(Expr::CtSet { sreg, key });
    }
    Some(Expr::Ct {
        dreg: required(args, 1)?,
        key,
        reply: args.byte(3).map(|direction| direction != 0),
    })
}

fn ct_key(number: u32) -> CtKey {
    match number {
        0 => CtKey::State,
        1 => CtKey::Direction,
        2 => CtKey::Status,
        3 => CtKey::Mark,
        7 => CtKey::L3Proto,
        8 => CtKey::Src(None),
        19 => CtKey::Src(Some(Family::V4)),
        21 => CtKey::Src(Some(Family::V6)),
        9 => CtKey::Dst(None),
        20 => CtKey::Dst(Some(Family::V4)),
        22 => CtKey::Dst(Some(Family::V6)),
        10 => CtKey::Protocol,
        11 => CtKey::SrcPort,
        12 => CtKey::DstPort,
        17 => CtKey::Zone,
        other => CtKey::Other(other),
    }
}

fn cmp(args: &Args<'_>) -> Option<Expr> {
    Some(Expr::Cmp {
        sreg: required(args, 1)?,
        op: match args.be32(2)? {
            0 => CmpOp::Eq,
            1 => CmpOp::Neq,
            2 => CmpOp::Lt,
            3 => CmpOp::Lte,
            4 => CmpOp::Gt,
            5 => CmpOp::Gte,
            _ => return None,
        },
        data: value(args.get(3)?)?,
    })
}

/// The bytes in an attribute that may hold a value or a verdict.
pub(super) fn value(data: &[u8]) -> Option<Box<[u8]>> {
    Table::<2>::of(data).get(1).map(Box::from)
}

fn range(args: &Args<'_>) -> Option<Expr> {
    Some(Expr::Range {
        sreg: required(args, 1)?,
        not: match args.be32(2)? {
            0 => false,
            1 => true,
            _ => return None,
        },
        first: value(args.get(3)?)?,
        last: value(args.get(4)?)?,
    })
}

fn bitwise(args: &Args<'_>) -> Option<Expr> {
    const DREG: u16 = 2;
    // Kernels before 5.6 know one operation and do not name it.
    let op = args.be32(6).unwrap_or_default();
    let op = match op {
        0 => BitOp::MaskXor {
            mask: value(args.get(4)?)?,
            xor: value(args.get(5)?)?,
        },
        1 | 2 => {
            let bits = value(args.get(7)?)?;
            let bits = u32::from_ne_bytes(bits.as_ref().try_into().ok()?);
            match op {
                1 => BitOp::ShiftLeft(bits),
                _ => BitOp::ShiftRight(bits),
            }
        }
        3..=5 => match optional(args, 8).ok()? {
            Some(sreg2) => BitOp::With { op, sreg2 },
            None => return Some(gap("bitwise", optional(args, DREG).ok()?)),
        },
        _ => return Some(gap("bitwise", optional(args, DREG).ok()?)),
    };
    Some(Expr::Bitwise {
        sreg: required(args, 1)?,
        dreg: required(args, DREG)?,
        len: args.be32(3)?,
        op,
    })
}

/// Both directions swap the same bytes.
fn byteorder(args: &Args<'_>) -> Option<Expr> {
    Some(Expr::Byteorder {
        sreg: required(args, 1)?,
        dreg: required(args, 2)?,
        len: args.be32(4)?,
        size: args.be32(5)?,
    })
}

fn lookup(args: &Args<'_>) -> Option<Expr> {
    const DREG: u16 = 3;
    const INVERTED: u32 = 1;
    let to_verdict = args.be32(DREG) == Some(VERDICT);
    Some(Expr::Lookup {
        set: args.text(1)?.into(),
        sreg: required(args, 2)?,
        dreg: if to_verdict {
            None
        } else {
            optional(args, DREG).ok()?
        },
        to_verdict,
        not: args.be32(5).unwrap_or_default() & INVERTED != 0,
    })
}

fn fib(args: &Args<'_>) -> Option<Expr> {
    let dreg = required(args, 1)?;
    let result = match args.be32(2)? {
        1 => FibResult::Oif,
        2 => FibResult::OifName,
        3 => FibResult::AddrType,
        _ => return Some(gap("fib", Some(dreg))),
    };
    Some(Expr::Fib {
        dreg,
        result,
        flags: FibFlags(args.be32(3)?),
    })
}

fn numgen(args: &Args<'_>) -> Option<Expr> {
    let dreg = required(args, 1)?;
    let kind = match args.be32(3)? {
        0 => NumgenKind::Incremental,
        1 => NumgenKind::Random,
        _ => return Some(gap("numgen", Some(dreg))),
    };
    Some(Expr::Numgen {
        dreg,
        kind,
        modulus: args.be32(2)?,
        offset: args.be32(4).unwrap_or_default(),
    })
}

fn socket(args: &Args<'_>) -> Option<Expr> {
    let dreg = required(args, 2)?;
    let key = match args.be32(1)? {
        0 => SocketKey::Transparent,
        1 => SocketKey::Mark,
        2 => SocketKey::Wildcard,
        3 => SocketKey::Cgroup,
        _ => return Some(gap("socket", Some(dreg))),
    };
    Some(Expr::Socket { dreg, key })
}

fn immediate(args: &Args<'_>) -> Option<Expr> {
    let data = args.get(2)?;
    if args.be32(1)? == VERDICT {
        let verdict = Table::<3>::of(data).get(2)?;
        return statement::verdict(verdict).map(Expr::Verdict);
    }
    Some(Expr::Immediate {
        dreg: required(args, 1)?,
        data: value(data)?,
    })
}
