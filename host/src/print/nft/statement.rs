//! What a rule does, as nft writes it.

use std::fmt::Write as _;

use crate::nft::{
    Expr, ICMP_CODES, ICMP6_CODES, ICMPX_CODES, Limit, Nat, NatKind, Register, Reject, SetOp, Type,
    Verdict,
};
use crate::{TableFamily, print};

use net::{Family, Proto};

use super::fields::{self, Place};
use super::rule::{Statements, can_be_set, line};

/// A statement; it takes what it needs from the registers.
pub(super) fn text(rule: &mut Statements<'_>, expr: &Expr) -> String {
    match expr {
        Expr::PayloadSet {
            sreg,
            base,
            offset,
            len,
        } => {
            let place = Place {
                base: *base,
                offset: *offset,
                len: *len,
            };
            let field = rule.field(place);
            rule.assigned(&field, *sreg)
        }
        Expr::MetaSet { sreg, key } => {
            let text = rule.assigned(&fields::meta(*key), *sreg);
            if can_be_set(*key) {
                text
            } else {
                format!("[{text}]")
            }
        }
        Expr::CtSet { sreg, key } => rule.assigned(&fields::ct(*key, None), *sreg),
        Expr::Verdict(verdict) => self::verdict(verdict),
        Expr::Nat(nat) => self::nat(rule, nat),
        Expr::Masquerade { port, flags } => ports_only(rule, "masquerade", *port, *flags),
        Expr::Redirect { port, flags } => ports_only(rule, "redirect", *port, *flags),
        Expr::Reject(reject) => self::reject(rule, *reject),
        Expr::Dynset { .. } => dynset(rule, expr),
        Expr::Limit(limit) => self::limit(*limit),
        Expr::Notrack => "notrack".to_owned(),
        Expr::Queue {
            num,
            last,
            bypass,
            fanout,
        } => queue((*num, *last), *bypass, *fanout),
        Expr::Pass(text) | Expr::Unread(text) => text.to_string(),
        Expr::Match(item) => print::xt_match(item, rule.known.proto == Some(Proto::ICMP6)),
        Expr::Target(target) => print::xt_target(target),
        _ => String::new(),
    }
}

/// A verdict.
pub(super) fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Accept => "accept".to_owned(),
        Verdict::Drop => "drop".to_owned(),
        Verdict::Continue => "continue".to_owned(),
        Verdict::Break => "[break]".to_owned(),
        Verdict::Return => "return".to_owned(),
        Verdict::Jump(chain) => format!("jump {chain}"),
        Verdict::Goto(chain) => format!("goto {chain}"),
        Verdict::Queue => "queue".to_owned(),
    }
}

fn reject(rule: &Statements<'_>, reject: Reject) -> String {
    let named = |names: &[(&str, u64)], code: u8| {
        let found = names.iter().find(|(_, value)| *value == u64::from(code));
        found.map_or_else(|| code.to_string(), |(name, _)| (*name).to_owned())
    };
    let table = rule.scope.table.map(|table| table.family);
    match (reject, rule.known.family) {
        (Reject::TcpReset, _) => "reject with tcp reset".to_owned(),
        // What is meant where nothing is written.
        (Reject::Icmp(3), _) if table == Some(TableFamily::Ip) => "reject".to_owned(),
        (Reject::Icmp(4), _) if table == Some(TableFamily::Ip6) => "reject".to_owned(),
        // Where the family is known, nft would take the error of that one.
        (Reject::Icmpx(1), None) if table.is_some() => "reject".to_owned(),
        (Reject::Icmp(code), Some(Family::V6)) => {
            format!("reject with icmpv6 {}", named(&ICMP6_CODES, code))
        }
        (Reject::Icmp(code), Some(Family::V4)) => {
            format!("reject with icmp {}", named(&ICMP_CODES, code))
        }
        (Reject::Icmp(code), None) => format!("reject with icmp {code}"),
        (Reject::Icmpx(code), _) => format!("reject with icmpx {}", named(&ICMPX_CODES, code)),
    }
}

fn queue((first, last): (u16, u16), bypass: bool, fanout: bool) -> String {
    let flags: Vec<_> = [(bypass, "bypass"), (fanout, "fanout")]
        .iter()
        .filter(|(is, _)| *is)
        .map(|(_, word)| *word)
        .collect();
    let flags = match &flags[..] {
        [] => String::new(),
        flags => format!(" flags {}", flags.join(",")),
    };
    if first == last {
        format!("queue{flags} to {first}")
    } else {
        format!("queue{flags} to {first}-{last}")
    }
}

fn nat(rule: &mut Statements<'_>, nat: &Nat) -> String {
    const PREFIX: u32 = 0x40;
    let name = match nat.kind {
        NatKind::Snat => "snat",
        NatKind::Dnat => "dnat",
    };
    let family = if nat.is_v6 { Family::V6 } else { Family::V4 };
    let of = Type::Addr(family);
    let addr = nat.addr.map(|(first, last)| span(rule, (first, last), of));
    let port = match nat.port {
        // A map can hold address and port in one value.
        Some((first, _)) if addr.is_some() && !rule.registers.has(first) => None,
        Some(registers) => Some(span(rule, registers, Type::Port)),
        None => None,
    };
    // Where the table sees both families the address tells which is meant.
    let of_both = rule
        .scope
        .table
        .is_some_and(|table| table.family == TableFamily::Inet);
    let family = match family {
        Family::V4 if of_both && addr.is_some() => " ip",
        Family::V6 if of_both && addr.is_some() => " ip6",
        _ => "",
    };
    let prefix = if nat.flags & PREFIX != 0 {
        " prefix"
    } else {
        ""
    };
    let to = match (addr, port) {
        (Some(addr), Some(port)) if nat.is_v6 => {
            format!(" to [{}]:{port}", addr.replace('-', "]-["))
        }
        (Some(addr), Some(port)) => format!(" to {addr}:{port}"),
        (Some(addr), None) => format!(" to {addr}"),
        (None, Some(port)) => format!(" to :{port}"),
        (None, None) => String::new(),
    };
    format!("{name}{family}{prefix}{to}{}", nat_flags(nat.flags))
}

fn ports_only(
    rule: &mut Statements<'_>,
    name: &str,
    port: Option<(Register, Register)>,
    flags: u32,
) -> String {
    rule.needs_tests();
    let to = port.map(|registers| format!(" to :{}", span(rule, registers, Type::Port)));
    format!("{name}{}{}", to.unwrap_or_default(), nat_flags(flags))
}

/// What two registers hold, lowest and highest; one text where they are the same, or where a
/// map gave both at once.
fn span(rule: &mut Statements<'_>, (first, last): (Register, Register), of: Type) -> String {
    let links = rule.scope.links;
    let low = rule.registers.take(first).as_type(of, links);
    if first == last || !rule.registers.has(last) {
        return low;
    }
    let high = rule.registers.take(last).as_type(of, links);
    if low == high {
        low
    } else {
        format!("{low}-{high}")
    }
}

fn dynset(rule: &mut Statements<'_>, expr: &Expr) -> String {
    let Expr::Dynset {
        set,
        op,
        sreg_key,
        sreg_data,
        timeout,
        exprs,
    } = expr
    else {
        return String::new();
    };
    let op = match op {
        SetOp::Add => "add",
        SetOp::Update => "update",
        SetOp::Delete => "delete",
    };
    let (_, mut text) = rule.key(set, *sreg_key);
    if let Some(timeout) = timeout {
        let _ = write!(text, " timeout {}", duration(*timeout));
    }
    let statements = line(exprs, rule.scope);
    if !statements.is_empty() {
        let _ = write!(text, " {statements}");
    }
    if let Some(sreg) = sreg_data {
        let of = rule.set(set).and_then(|set| set.values.first().copied());
        let value = rule.registers.take(*sreg);
        let of = of.unwrap_or(value.of);
        let _ = write!(text, " : {}", value.as_type(of, rule.scope.links));
    }
    format!("{op} @{set} {{ {text} }}")
}

/// A limit.
pub(super) fn limit(limit: Limit) -> String {
    let unit = match limit.unit {
        1 => "second".to_owned(),
        60 => "minute".to_owned(),
        3600 => "hour".to_owned(),
        86400 => "day".to_owned(),
        604_800 => "week".to_owned(),
        seconds => format!("[{seconds} seconds]"),
    };
    let over = if limit.over { "over " } else { "" };
    if limit.bytes {
        let burst = match limit.burst {
            0 => String::new(),
            burst => format!(" burst {}", size(u64::from(burst))),
        };
        return format!("limit rate {over}{}/{unit}{burst}", size(limit.rate));
    }
    let burst = match limit.burst {
        5 => String::new(),
        burst => format!(" burst {burst} packets"),
    };
    format!("limit rate {over}{}/{unit}{burst}", limit.rate)
}

/// A number of bytes in the largest unit that it is whole in.
pub(super) fn size(bytes: u64) -> String {
    const KILO: u64 = 1024;
    match bytes {
        bytes if bytes > 0 && bytes % (KILO * KILO) == 0 => {
            format!("{} mbytes", bytes / (KILO * KILO))
        }
        bytes if bytes > 0 && bytes % KILO == 0 => format!("{} kbytes", bytes / KILO),
        bytes => format!("{bytes} bytes"),
    }
}

/// A time in milliseconds.
pub(super) fn duration(mut milliseconds: u64) -> String {
    let units = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1_000, "s"),
        (1, "ms"),
    ];
    let mut text = String::new();
    for (unit, name) in units {
        if milliseconds >= unit {
            let _ = write!(text, "{}{name}", milliseconds / unit);
            milliseconds %= unit;
        }
    }
    if text.is_empty() {
        "0s".to_owned()
    } else {
        text
    }
}

/// `NF_NAT_RANGE_*` of nf_nat.h.
fn nat_flags(flags: u32) -> String {
    let names = [(4, "random"), (0x10, "fully-random"), (8, "persistent")];
    let given: Vec<_> = names
        .iter()
        .filter(|(bit, _)| flags & bit != 0)
        .map(|(_, name)| *name)
        .collect();
    if given.is_empty() {
        return String::new();
    }
    format!(" {}", given.join(","))
}
