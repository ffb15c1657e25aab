//! Targets: `-j NAME` and its options.

use net::Family;

use crate::xt::{CtMarkMode, NatRange, RejectWith, Target};

use super::option::{Opt, Took};
use super::values;
use super::words;

/// Targets without a verdict that change nothing a modelled match can see.
const PASSES: [&str; 20] = [
    "AUDIT",
    "CHECKSUM",
    "CLASSIFY",
    "CONNSECMARK",
    "DSCP",
    "ECN",
    "HL",
    "IDLETIMER",
    "LED",
    "LOG",
    "NFLOG",
    "RATEEST",
    "SECMARK",
    "TCPMSS",
    "TCPOPTSTRIP",
    "TEE",
    "TOS",
    "TRACE",
    "TTL",
    "ULOG",
];

/// A target that has just been named, before its options.
pub(super) struct Start {
    /// The name it is degraded to when its options cannot be read.
    pub(super) name: &'static str,
    /// The target with its defaults.
    pub(super) item: Target,
    /// It needs no option.
    pub(super) whole: bool,
}

/// The target of this name; `None` where it is not modelled.
pub(super) fn start(name: &str, family: Family) -> Option<Start> {
    let nat = Box::<NatRange>::default;
    let (name, item, whole) = match name {
        "ACCEPT" => ("ACCEPT", Target::Accept, true),
        "DROP" => ("DROP", Target::Drop, true),
        "RETURN" => ("RETURN", Target::Return, true),
        "REJECT" => {
            let with = match family {
                Family::V4 => RejectWith::Icmp(3),
                Family::V6 => RejectWith::Icmp6(4),
            };
            ("REJECT", Target::Reject(with), true)
        }
        "DNAT" => ("DNAT", Target::Dnat(nat()), false),
        "SNAT" => ("SNAT", Target::Snat(nat()), false),
        "NETMAP" => ("NETMAP", Target::Netmap(nat()), false),
        "MASQUERADE" => ("MASQUERADE", Target::Masquerade(nat()), true),
        "REDIRECT" => ("REDIRECT", Target::Redirect(nat()), true),
        "MARK" => ("MARK", Target::Mark { value: 0, mask: 0 }, false),
        "CONNMARK" => {
            let item = Target::Connmark {
                mode: CtMarkMode::Set,
                value: 0,
                ctmask: u32::MAX,
                nfmask: u32::MAX,
            };
            ("CONNMARK", item, false)
        }
        "NOTRACK" => ("NOTRACK", Target::Notrack, true),
        "CT" => ("CT", Target::Pass("CT".into()), true),
        "NFQUEUE" | "QUEUE" => {
            let item = Target::Queue {
                num: 0,
                bypass: false,
            };
            ("NFQUEUE", item, true)
        }
        _ => {
            let known = PASSES.iter().find(|known| **known == name)?;
            (*known, Target::Pass((*known).into()), true)
        }
    };
    Some(Start { name, item, whole })
}

/// Gives an option to a target. `CT` is a pass until an option says otherwise.
pub(super) fn option(item: &mut Target, name: &str, opt: &mut Opt<'_, '_>) -> Result<Took, String> {
    match item {
        Target::Reject(with) => reject(with, opt),
        Target::Dnat(range) | Target::Snat(range) => nat(range, opt),
        Target::Masquerade(range) | Target::Redirect(range) => ports(range, opt),
        Target::Netmap(range) => network(range, opt),
        Target::Mark { value, mask } => mark(value, mask, opt),
        Target::Connmark { .. } => connmark(item, opt),
        Target::Queue { num, bypass } if name == "NFQUEUE" => queue(num, bypass, opt),
        Target::Pass(_) | Target::Notrack if name == "CT" => conntrack(item, opt),
        Target::None
        | Target::Accept
        | Target::Drop
        | Target::Return
        | Target::Jump(_)
        | Target::Goto(_)
        | Target::Notrack
        | Target::Queue { .. }
        | Target::Pass(_)
        | Target::Gap { .. } => Ok(Took::Nothing),
    }
}

fn reject(with: &mut RejectWith, opt: &mut Opt<'_, '_>) -> Result<Took, String> {
    if opt.name != "--reject-with" {
        return Ok(Took::Nothing);
    }
    let family = opt.family;
    *with = opt.plain(|name| reject_with(name, family))?;
    Ok(Took::Whole)
}

fn reject_with(name: &str, family: Family) -> Option<RejectWith> {
    if matches!(name, "tcp-reset" | "tcp-rst") {
        return Some(RejectWith::TcpReset);
    }
    let named = |known: &&(&str, &str, u8)| known.0 == name || known.1 == name;
    match family {
        Family::V4 => {
            let found = words::REJECT_ICMP.iter().find(named)?;
            Some(RejectWith::Icmp(found.2))
        }
        Family::V6 => {
            let found = words::REJECT_ICMP6.iter().find(named)?;
            Some(RejectWith::Icmp6(found.2))
        }
    }
}

fn nat(range: &mut NatRange, opt: &mut Opt<'_, '_>) -> Result<Took, String> {
    match &*opt.name {
        "--to-destination" | "--to-source" | "--to" => {
            if range.addrs.is_some() || range.ports.is_some() {
                return Err(format!("{} is given twice", opt.name));
            }
            let family = opt.family;
            opt.plain(|text| values::nat_range(text, family, range))?;
            Ok(Took::Whole)
        }
        _ => nat_flags(range, opt),
    }
}

fn ports(range: &mut NatRange, opt: &mut Opt<'_, '_>) -> Result<Took, String> {
    match &*opt.name {
        "--to-ports" | "--to-port" | "--to" => {
            opt.plain(|text| values::nat_ports(text, range))?;
            Ok(Took::Whole)
        }
        _ => nat_flags(range, opt),
    }
}

fn network(range: &mut NatRange, opt: &mut Opt<'_, '_>) -> Result<Took, String> {
    if opt.name != "--to" {
        return Ok(Took::Nothing);
    }
    let family = opt.family;
    range.addrs = Some(opt.plain(|text| {
        let prefix: net::Prefix = if text.contains('/') {
            text.parse().ok()?
        } else {
            net::Prefix::containing(text.parse().ok()?, family.bits())
        };
        let end = |bits| net::addr_of(family, bits);
        (prefix.family() == family).then(|| (end(prefix.first()), end(prefix.last())))
    })?);
    Ok(Took::Whole)
}

fn nat_flags(range: &mut NatRange, opt: &mut Opt<'_, '_>) -> Result<Took, String> {
    match &*opt.name {
        "--random" => range.random = true,
        "--random-fully" => range.random_fully = true,
        "--persistent" => range.persistent = true,
        _ => return Ok(Took::Nothing),
    }
    opt.flag()?;
    Ok(Took::Part)
}

fn mark(value: &mut u32, mask: &mut u32, opt: &mut Opt<'_, '_>) -> Result<Took, String> {
    let Some(set) = mark_change(opt)? else {
        return Ok(Took::Nothing);
    };
    (*value, *mask) = set;
    Ok(Took::Whole)
}

/// The flipped and the cleared bits of the options that set a mark.
fn mark_change(opt: &mut Opt<'_, '_>) -> Result<Option<(u32, u32)>, String> {
    let (value, mask) = match &*opt.name {
        "--set-xmark" => opt.plain(values::masked)?,
        "--set-mark" => {
            let (value, mask) = opt.plain(values::masked)?;
            (value, mask | value)
        }
        "--and-mark" => (0, !opt.plain(values::integer::<u32>)?),
        "--or-mark" => {
            let bits = opt.plain(values::integer)?;
            (bits, bits)
        }
        "--xor-mark" => (opt.plain(values::integer)?, 0),
        _ => return Ok(None),
    };
    Ok(Some((value, mask)))
}

fn connmark(item: &mut Target, opt: &mut Opt<'_, '_>) -> Result<Took, String> {
    let Target::Connmark {
        mode,
        value,
        ctmask,
        nfmask,
    } = item
    else {
        return Ok(Took::Nothing);
    };
    if let Some((bits, cleared)) = mark_change(opt)? {
        (*mode, *value, *ctmask) = (CtMarkMode::Set, bits, cleared);
        return Ok(Took::Whole);
    }
    match &*opt.name {
        "--save-mark" => *mode = CtMarkMode::Save,
        "--restore-mark" => *mode = CtMarkMode::Restore,
        "--nfmask" => *nfmask = opt.plain(values::integer)?,
        "--ctmask" => *ctmask = opt.plain(values::integer)?,
        "--mask" => {
            *nfmask = opt.plain(values::integer)?;
            *ctmask = *nfmask;
        }
        _ => return Ok(Took::Nothing),
    }
    opt.flag()?;
    Ok(if *mode == CtMarkMode::Set {
        Took::Part
    } else {
        Took::Whole
    })
}

fn queue(num: &mut u16, bypass: &mut bool, opt: &mut Opt<'_, '_>) -> Result<Took, String> {
    match &*opt.name {
        "--queue-num" => *num = opt.plain(values::integer)?,
        "--queue-balance" => {
            let (first, _) = opt.plain(values::number_range)?;
            *num = u16::try_from(first).map_err(|_| format!("there is no queue {first}"))?;
        }
        "--queue-bypass" => *bypass = true,
        "--queue-cpu-fanout" => {}
        _ => return Ok(Took::Nothing),
    }
    opt.flag()?;
    Ok(Took::Whole)
}

/// What `CT` does beside `--notrack` touches later packets only, but for zones.
fn conntrack(item: &mut Target, opt: &mut Opt<'_, '_>) -> Result<Took, String> {
    match &*opt.name {
        "--notrack" => *item = Target::Notrack,
        "--helper" | "--timeout" | "--ctevents" | "--expevents" => {
            opt.text()?;
        }
        _ => return Ok(Took::Nothing),
    }
    opt.flag()?;
    Ok(Took::Whole)
}
