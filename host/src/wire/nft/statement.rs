//! Expressions that do something: NAT, verdicts, limits, changes of sets, xt extensions.

use net::Family;

use super::expr::{Args, Decoder, gap};
use super::log;
use super::register::{optional, pair, required};
use crate::TableFamily;
use crate::nft::{Expr, Limit, Nat, NatKind, Register, Reject, SetOp, Verdict};
use crate::wire::attr::{Fields, Table};
use crate::wire::xt::Extension;

/// The kernel adds these two by itself where addresses or ports are given.
const NAT_FLAGS_IMPLIED: u32 = 1 | 2;

/// A statement, or a gap with the name of what is not modelled.
pub(super) fn decode(decoder: Decoder<'_>, name: &[u8], args: &Args<'_>) -> Option<Expr> {
    match name {
        b"match" | b"target" => extension(decoder, name, args),
        b"counter" | b"last" => Some(Expr::Pass(text(name))),
        b"log" => Some(Expr::Pass(log::text(args).into())),
        b"dup" => Some(pass(name)),
        b"flow_offload" => Some(pass(b"flow add")),
        b"notrack" => Some(Expr::Notrack),
        b"nat" => nat(args),
        b"masq" => Some(Expr::Masquerade {
            port: pair(args, 2, 3).ok()?,
            flags: nat_flags(args, 1),
        }),
        b"redir" => Some(Expr::Redirect {
            port: pair(args, 1, 2).ok()?,
            flags: nat_flags(args, 3),
        }),
        b"reject" => reject(args),
        b"limit" => Some(Expr::Limit(limit_of(args)?)),
        b"dynset" => dynset(decoder, args),
        b"queue" => queue(args),
        b"objref" => Some(object(args)),
        _ => unknown(decoder, name, args),
    }
}

fn text(name: &[u8]) -> Box<str> {
    String::from_utf8_lossy(name).into()
}

/// What no rule can see, but is not modelled as a whole.
fn pass(name: &[u8]) -> Expr {
    Expr::Pass(format!("[{}]", text(name)).into())
}

/// What is not modelled, with the register it writes where the attribute is known.
fn unknown(decoder: Decoder<'_>, name: &[u8], args: &Args<'_>) -> Option<Expr> {
    const EXTHDR_DREG: u16 = 1;
    const INNER_EXPR: u16 = 5;
    let dreg = match name {
        // Writing or stripping a TCP option changes nothing that a rule sees here.
        b"exthdr" if !args.has(EXTHDR_DREG) => return Some(pass(name)),
        b"exthdr" | b"rt" | b"osf" | b"xfrm" => optional(args, 1).ok()?,
        b"hash" | b"tunnel" => optional(args, 2).ok()?,
        b"inner" => written(&decoder.inside()?.one(args.get(INNER_EXPR)?)?),
        _ => None,
    };
    Some(gap(&text(name), dreg))
}

/// The register that a load writes.
fn written(expr: &Expr) -> Option<Register> {
    if let Expr::Payload { dreg, .. } | Expr::Meta { dreg, .. } = expr {
        Some(*dreg)
    } else if let Expr::Gap { dreg, .. } = expr {
        *dreg
    } else {
        None
    }
}

/// A verdict from its code and chain.
pub(in crate::wire) fn verdict(data: &[u8]) -> Option<Verdict> {
    const CHAIN: u16 = 2;
    let parts = Table::<3>::of(data);
    Some(match parts.be32(1)?.cast_signed() {
        0 => Verdict::Drop,
        1 => Verdict::Accept,
        -1 => Verdict::Continue,
        -2 => Verdict::Break,
        -3 => Verdict::Jump(parts.text(CHAIN)?.into()),
        -4 => Verdict::Goto(parts.text(CHAIN)?.into()),
        -5 => Verdict::Return,
        // The queue's number is in the upper half.
        code if code & 0xff == 3 => Verdict::Queue,
        _ => return None,
    })
}

fn nat_flags(args: &Args<'_>, kind: u16) -> u32 {
    args.be32(kind).unwrap_or_default() & !NAT_FLAGS_IMPLIED
}

fn nat(args: &Args<'_>) -> Option<Expr> {
    const IPV6: u32 = 10;
    Some(Expr::Nat(Nat {
        kind: match args.be32(1)? {
            0 => NatKind::Snat,
            1 => NatKind::Dnat,
            _ => return None,
        },
        is_v6: args.be32(2)? == IPV6,
        addr: pair(args, 3, 4).ok()?,
        port: pair(args, 5, 6).ok()?,
        flags: nat_flags(args, 7),
    }))
}

fn reject(args: &Args<'_>) -> Option<Expr> {
    let code = args.byte(2).unwrap_or_default();
    Some(Expr::Reject(match args.be32(1)? {
        0 => Reject::Icmp(code),
        1 => Reject::TcpReset,
        2 => Reject::Icmpx(code),
        _ => return Some(gap("reject", None)),
    }))
}

/// A limit, whether it is a statement or an object.
pub(super) fn limit_of<const N: usize>(args: &Table<'_, N>) -> Option<Limit> {
    Some(Limit {
        rate: args.be64(1)?,
        unit: args.be64(2)?,
        burst: args.be32(3).unwrap_or_default(),
        bytes: args.be32(4).unwrap_or_default() == 1,
        over: args.be32(5).unwrap_or_default() & 1 != 0,
    })
}

fn dynset(decoder: Decoder<'_>, args: &Args<'_>) -> Option<Expr> {
    Some(Expr::Dynset {
        set: args.text(1)?.into(),
        op: match args.be32(3)? {
            0 => SetOp::Add,
            1 => SetOp::Update,
            2 => SetOp::Delete,
            _ => return Some(gap("dynset", None)),
        },
        sreg_key: required(args, 4)?,
        sreg_data: optional(args, 5).ok()?,
        timeout: args.be64(6).filter(|&timeout| timeout != 0),
        exprs: stateful(decoder, args.get(7), args.get(10))?,
    })
}

/// The statements that elements carry: one, or a list of them.
pub(super) fn stateful(
    decoder: Decoder<'_>,
    one: Option<&[u8]>,
    list: Option<&[u8]>,
) -> Option<Vec<Expr>> {
    match (one, list) {
        (_, Some(list)) => decoder.inside()?.list(list),
        (Some(one), None) => Some(vec![decoder.inside()?.one(one)?]),
        (None, None) => Some(Vec::new()),
    }
}

fn queue(args: &Args<'_>) -> Option<Expr> {
    const NUMBER_REGISTER: u16 = 4;
    const BYPASS: u16 = 1;
    const FANOUT: u16 = 2;
    if args.has(NUMBER_REGISTER) {
        return Some(gap("queue", None));
    }
    let num = args.be16(1)?;
    let flags = args.be16(3).unwrap_or_default();
    let more = args.be16(2).unwrap_or_default().saturating_sub(1);
    Some(Expr::Queue {
        num,
        last: num.saturating_add(more),
        bypass: flags & BYPASS != 0,
        fanout: flags & FANOUT != 0,
    })
}

/// A named object; one that a map chooses ends the rule where the map has none.
fn object(args: &Args<'_>) -> Expr {
    let name = match args.be32(1) {
        Some(1) => {
            let name = args.text(2);
            return name.map_or_else(
                || pass(b"counter map"),
                |name| Expr::Pass(format!("counter name \"{name}\"").into()),
            );
        }
        Some(3) => return pass(b"ct helper"),
        Some(7) => return pass(b"ct timeout"),
        Some(8) => return pass(b"secmark"),
        Some(9) => return pass(b"ct expectation"),
        Some(2) => "quota",
        Some(4) => "limit",
        Some(5) => "connlimit",
        Some(10) => "synproxy",
        Some(_) | None => "objref",
    };
    gap(name, None)
}

/// An xt match or target. Bridge and ARP tables have extensions of their own.
fn extension(decoder: Decoder<'_>, kind: &[u8], args: &Args<'_>) -> Option<Expr> {
    let name = args.text(1)?;
    let family = match decoder.family {
        TableFamily::Ip => Family::V4,
        TableFamily::Ip6 => Family::V6,
        TableFamily::Inet | TableFamily::Arp | TableFamily::Bridge | TableFamily::Netdev => {
            return Some(gap(&name, None));
        }
    };
    let extension = Extension {
        name: &name,
        revision: args.be32(2).unwrap_or_default(),
        family,
        data: Fields(args.get(3).unwrap_or_default()),
        sets: decoder.sets,
    };
    Some(if kind == b"match" {
        Expr::Match(extension.to_match())
    } else {
        Expr::Target(extension.to_target())
    })
}

/// What the recorded rulesets do not have: the kernel they come from lacks it.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::nft::{BitOp, Verdict};
    use crate::wire::attr::tests::attr;
    use crate::wire::xt::SetNames;

    fn number(kind: u16, value: u32) -> Vec<u8> {
        attr(kind, &value.to_be_bytes())
    }

    fn decoded(name: &str, args: &[Vec<u8>]) -> Option<Expr> {
        let name = attr(1, format!("{name}\0").as_bytes());
        let decoder = Decoder {
            family: TableFamily::Inet,
            sets: &SetNames::new(),
            is_nested: false,
        };
        decoder.one(&[name, attr(2, &args.concat())].concat())
    }

    #[test]
    fn a_queue_has_its_number_and_may_be_bypassed() {
        let args = [attr(1, &[0, 3]), attr(2, &[0, 1]), attr(3, &[0, 1])];
        let expr = Expr::Queue {
            num: 3,
            last: 3,
            bypass: true,
            fanout: false,
        };
        assert_eq!(decoded("queue", &args), Some(expr));
        let by_register = decoded("queue", &[number(4, 1)]);
        assert_eq!(by_register, Some(gap("queue", None)));
    }

    #[test]
    fn a_verdict_to_a_queue_carries_the_number_in_its_upper_half() {
        assert_eq!(verdict(&number(1, 0x0005_0003)), Some(Verdict::Queue));
        assert_eq!(verdict(&number(1, 0x7f)), None);
    }

    #[test]
    fn two_registers_can_be_combined() {
        let args = [
            number(1, 1),
            number(2, 9),
            number(3, 4),
            number(6, 5),
            number(8, 2),
        ];
        let op = BitOp::With { op: 5, sreg2: 4 };
        let expr = Expr::Bitwise {
            sreg: 0,
            dreg: 1,
            len: 4,
            op,
        };
        assert_eq!(decoded("bitwise", &args), Some(expr));
    }

    #[test]
    fn a_look_into_a_tunnel_is_a_gap_that_names_the_register_it_writes() {
        let inner = [number(1, 10), number(2, 1), number(3, 12), number(4, 4)];
        let inner = [attr(1, b"payload\0"), attr(2, &inner.concat())].concat();
        let outer = decoded("inner", &[number(1, 0), attr(5, &inner)]);
        assert_eq!(outer, Some(gap("inner", Some(2))));
        let tunnel = [number(1, 1), number(2, 4), number(3, 0), number(4, 4)];
        assert_eq!(decoded("payload", &tunnel), Some(gap("payload", Some(0))));
    }

    #[test]
    fn what_nobody_knows_is_a_gap_by_its_name() {
        assert_eq!(decoded("novel", &[]), Some(gap("novel", None)));
        assert_eq!(decoded("flow_offload", &[]), Some(pass(b"flow add")));
    }

    #[test]
    fn a_register_that_is_none_makes_the_expression_damaged() {
        let args = [number(1, 5), number(2, 3)];
        assert_eq!(decoded("meta", &args), None);
    }
}
