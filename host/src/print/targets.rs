//! Targets of xt rules.

use std::net::IpAddr;

use crate::parse::words::{REJECT_ICMP, REJECT_ICMP6};
use crate::xt::{CtMarkMode, NatRange, PortRange, RejectWith, Target};

use super::line::Line;
use super::xt::gap;

/// Adds a target; nothing where a rule has none.
pub(super) fn target(line: &mut Line, target: &Target) {
    match target {
        Target::None => {}
        Target::Accept => line.word("-j ACCEPT"),
        Target::Drop => line.word("-j DROP"),
        Target::Return => line.word("-j RETURN"),
        Target::Jump(chain) => {
            line.word("-j");
            line.name(chain);
        }
        Target::Goto(chain) => {
            line.word("-g");
            line.name(chain);
        }
        Target::Reject(with) => {
            line.word("-j REJECT --reject-with");
            reject(line, *with);
        }
        Target::Dnat(range) => nat(line, "-j DNAT", "--to-destination", range),
        Target::Snat(range) => nat(line, "-j SNAT", "--to-source", range),
        Target::Masquerade(range) => nat(line, "-j MASQUERADE", "--to-ports", range),
        Target::Redirect(range) => nat(line, "-j REDIRECT", "--to-ports", range),
        Target::Netmap(range) => netmap(line, range),
        Target::Mark { value, mask } => {
            line.word("-j MARK");
            line.option(false, "--set-xmark", format_args!("{value:#x}/{mask:#x}"));
        }
        Target::Connmark {
            mode,
            value,
            ctmask,
            nfmask,
        } => {
            line.word("-j CONNMARK");
            let masks = format_args!("--nfmask {nfmask:#x} --ctmask {ctmask:#x}");
            match mode {
                CtMarkMode::Set => {
                    line.option(false, "--set-xmark", format_args!("{value:#x}/{ctmask:#x}"));
                }
                CtMarkMode::Save => line.option(false, "--save-mark", masks),
                CtMarkMode::Restore => line.option(false, "--restore-mark", masks),
            }
        }
        Target::Notrack => line.word("-j CT --notrack"),
        Target::Queue { num, bypass } => {
            line.word("-j NFQUEUE");
            line.option(false, "--queue-num", num);
            if *bypass {
                line.word("--queue-bypass");
            }
        }
        Target::Pass(name) => {
            line.word("-j");
            line.name(name);
        }
        Target::Gap { name, options } => gap(line, "-j", name, options),
    }
}

fn netmap(line: &mut Line, range: &NatRange) {
    line.word("-j NETMAP");
    if let Some(network) = range.addrs.and_then(network) {
        line.option(false, "--to", network);
    }
}

/// The block from a first to a last address.
fn network((first, last): (IpAddr, IpAddr)) -> Option<net::Prefix> {
    let family = net::Family::of(first);
    let differ = net::addr_bits(first) ^ net::addr_bits(last);
    let host = u8::try_from(u128::BITS - differ.leading_zeros()).ok()?;
    Some(net::Prefix::containing(
        first,
        family.bits().checked_sub(host)?,
    ))
}

fn reject(line: &mut Line, with: RejectWith) {
    let named = |table: &[(&'static str, &str, u8)], code: u8| {
        let found = table.iter().find(|entry| entry.2 == code);
        found.map(|entry| entry.0)
    };
    match with {
        RejectWith::TcpReset => line.word("tcp-reset"),
        RejectWith::Icmp(code) => match named(&REJECT_ICMP, code) {
            Some(name) => line.word(name),
            None => line.word(format_args!("icmp-code-{code}")),
        },
        RejectWith::Icmp6(code) => match named(&REJECT_ICMP6, code) {
            Some(name) => line.word(name),
            None => line.word(format_args!("icmp6-code-{code}")),
        },
    }
}

fn nat(line: &mut Line, name: &str, option: &str, range: &NatRange) {
    line.word(name);
    if let Some(text) = destination(range, option == "--to-ports") {
        line.option(false, option, text);
    }
    if range.random {
        line.word("--random");
    }
    if range.random_fully {
        line.word("--random-fully");
    }
    if range.persistent {
        line.word("--persistent");
    }
}

/// Addresses and ports; `None` where neither changes. Options for ports alone have no colon.
fn destination(range: &NatRange, ports_only: bool) -> Option<String> {
    let mut text = String::new();
    if let Some((first, last)) = range.addrs {
        let both = if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        };
        let has_brackets = matches!(first, IpAddr::V6(_)) && range.ports.is_some();
        text = if has_brackets {
            format!("[{both}]")
        } else {
            both
        };
    }
    if let Some(span) = range.ports {
        if !ports_only {
            text.push(':');
        }
        text += &ports(span);
        if let Some(base) = range.base_port {
            text.push('/');
            text += &base.to_string();
        }
    }
    (!text.is_empty()).then_some(text)
}

/// `80` or `80-90`.
fn ports(range: PortRange) -> String {
    if range.0 == range.1 {
        range.0.to_string()
    } else {
        format!("{}-{}", range.0, range.1)
    }
}
