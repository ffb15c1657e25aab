//! Matches: `-m NAME` and its options.

use std::net::IpAddr;

use net::{Family, addr_of};

use crate::xt::{
    AddrTypes, ConntrackMatch, IpRange, LimitMatch, Match, Multiport, Not, Owner, Physdev, Policy,
    PortSide, Recent, RecentAction, RpFilter, SetMatch, SocketMatch, Statistic, TcpFlags,
    TransportMatch,
};

use super::conntrack;
use super::option::{Opt, Took};
use super::values;
use super::words;

/// A match that has just been named, before its options.
pub(super) struct Start {
    /// The name it is degraded to when its options cannot be read.
    pub(super) name: &'static str,
    /// The match with its defaults.
    pub(super) item: Match,
    /// It needs no option.
    pub(super) whole: bool,
}

/// The match of this name; `None` where it is not modelled.
pub(super) fn start(name: &str, family: Family) -> Option<Start> {
    let whole = |name, item| Start {
        name,
        item,
        whole: true,
    };
    let part = |name, item| Start {
        name,
        item,
        whole: false,
    };
    let none = Not::is((0, 0));
    Some(match name {
        "tcp" => whole("tcp", Match::Tcp(Box::default())),
        "udp" => whole("udp", Match::Udp(Box::default())),
        "sctp" => whole("sctp", Match::Sctp(Box::default())),
        "icmp" => whole("icmp", Match::Icmp(Not::is((255, (0, 255))))),
        "icmp6" | "icmpv6" | "ipv6-icmp" => part("icmp6", Match::Icmp(Not::is((0, (0, 255))))),
        "multiport" => part("multiport", Match::Multiport(Box::new(no_ports()))),
        "conntrack" => part("conntrack", Match::Conntrack(Box::default())),
        "state" => part(
            "state",
            Match::Conntrack(Box::new(ConntrackMatch {
                written_as_state: true,
                ..ConntrackMatch::default()
            })),
        ),
        "addrtype" => part("addrtype", Match::AddrType(Box::default())),
        "mark" => part("mark", Match::Mark(none)),
        "connmark" => part("connmark", Match::Connmark(none)),
        "comment" => part("comment", Match::Comment(Box::default())),
        "limit" => whole(
            "limit",
            Match::Limit(LimitMatch {
                cost: 12_000_000,
                burst: 5,
            }),
        ),
        "recent" => part("recent", Match::Recent(Box::new(recent(family)))),
        "statistic" => part(
            "statistic",
            Match::Statistic(Statistic::Random {
                probability: 0,
                not: false,
            }),
        ),
        "set" => part("set", Match::Set(Box::new(no_set()))),
        "iprange" => part("iprange", Match::IpRange(Box::default())),
        "mac" => part("mac", Match::Mac(Not::is([0; 6]))),
        "physdev" => part("physdev", Match::Physdev(Box::default())),
        "owner" => part("owner", Match::Owner(Owner::default())),
        "pkttype" => part("pkttype", Match::PktType(Not::is(0))),
        "socket" => whole("socket", Match::Socket(SocketMatch::default())),
        "policy" => part("policy", Match::Policy(NO_POLICY)),
        "ipvs" => part("ipvs", Match::Ipvs(Not::is(()))),
        "rpfilter" => whole("rpfilter", Match::RpFilter(RpFilter::default())),
        _ => return None,
    })
}

const NO_POLICY: Policy = Policy {
    outgoing: false,
    ipsec: false,
};

fn no_ports() -> Multiport {
    Multiport {
        side: PortSide::Either,
        ports: Vec::new(),
        not: false,
    }
}

fn no_set() -> SetMatch {
    SetMatch {
        name: None,
        index: None,
        from_source: Vec::new(),
        not: false,
        return_nomatch: false,
        counts: false,
    }
}

fn recent(family: Family) -> Recent {
    Recent {
        name: "DEFAULT".into(),
        action: RecentAction::Set,
        not: false,
        seconds: 0,
        hit_count: 0,
        by_destination: false,
        reap: false,
        ttl: false,
        mask: addr_of(family, family.max()),
    }
}

/// Gives an option to a match.
pub(super) fn option(item: &mut Match, opt: &mut Opt<'_, '_>) -> Result<Took, String> {
    match item {
        Match::Tcp(m) => transport(m, opt, true),
        Match::Udp(m) | Match::Sctp(m) => transport(m, opt, false),
        Match::Icmp(m) => icmp(m, opt),
        Match::Multiport(m) => multiport(m, opt),
        Match::Conntrack(m) => conntrack::option(m, opt),
        Match::AddrType(m) => addr_type(m, opt),
        Match::Mark(m) | Match::Connmark(m) => mark(m, opt),
        Match::Comment(m) => comment(m, opt),
        Match::Limit(m) => limit(m, opt),
        Match::Recent(m) => recent_option(m, opt),
        Match::Statistic(m) => statistic(m, opt),
        Match::Set(m) => set(m, opt),
        Match::IpRange(m) => ip_range(m, opt),
        Match::Mac(m) => mac(m, opt),
        Match::Physdev(m) => physdev(m, opt),
        Match::Owner(m) => owner(m, opt),
        Match::PktType(m) => pkt_type(m, opt),
        Match::RpFilter(m) => rp_filter(m, opt),
        Match::Socket(m) => socket(m, opt),
        Match::Policy(m) => policy(m, opt),
        Match::Ipvs(m) => Ok(ipvs(m, opt)),
        Match::Src(_)
        | Match::Dst(_)
        | Match::In(_)
        | Match::Out(_)
        | Match::Proto(_)
        | Match::Fragment(_)
        | Match::Gap { .. } => Ok(Took::Nothing),
    }
}

fn transport(m: &mut TransportMatch, opt: &mut Opt<'_, '_>, is_tcp: bool) -> Result<Took, String> {
    let ports = |text: &str| values::port_range(text, ':');
    match &*opt.name {
        "--sport" | "--source-port" => m.sport = Some(opt.not(ports)?),
        "--dport" | "--destination-port" => m.dport = Some(opt.not(ports)?),
        "--tcp-flags" if is_tcp => {
            let mask = opt.value(tcp_flags)?;
            let text = opt.text()?;
            let set = tcp_flags(&text).ok_or_else(|| format!("there are no TCP flags `{text}`"))?;
            m.flags = Some(Not {
                not: opt.not,
                value: TcpFlags { mask, set },
            });
        }
        "--syn" if is_tcp => {
            m.flags = Some(Not {
                not: opt.not,
                value: TcpFlags { mask: 23, set: 2 },
            });
        }
        "--tcp-option" if is_tcp => m.option = Some(opt.not(values::integer)?),
        _ => return Ok(Took::Nothing),
    }
    Ok(Took::Whole)
}

fn tcp_flags(list: &str) -> Option<u8> {
    list.split(',').try_fold(0, |flags, name| {
        let bit = match name {
            "ALL" => 63,
            "NONE" => 0,
            _ => words::TCP_FLAGS.iter().find(|f| f.0 == name)?.1,
        };
        Some(flags | bit)
    })
}

fn icmp(m: &mut Not<words::IcmpCodes>, opt: &mut Opt<'_, '_>) -> Result<Took, String> {
    let is_v6 = match &*opt.name {
        "--icmp-type" => false,
        "--icmpv6-type" => true,
        _ => return Ok(Took::Nothing),
    };
    *m = opt.not(|text| icmp_codes(text, is_v6))?;
    Ok(Took::Whole)
}

fn icmp_codes(text: &str, is_v6: bool) -> Option<words::IcmpCodes> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return words::icmp(text, is_v6);
    }
    match text.split_once('/') {
        Some((kind, code)) => {
            let code = values::integer(code)?;
            Some((values::integer(kind)?, (code, code)))
        }
        None => Some((values::integer(text)?, (0, 255))),
    }
}

fn multiport(m: &mut Multiport, opt: &mut Opt<'_, '_>) -> Result<Took, String> {
    m.side = match &*opt.name {
        "--sports" | "--source-ports" => PortSide::Source,
        "--dports" | "--destination-ports" => PortSide::Destination,
        "--ports" => PortSide::Either,
        _ => return Ok(Took::Nothing),
    };
    m.ports = opt.value(|list| {
        let ports = list.split(',').map(|text| values::port_range(text, ':'));
        ports.collect::<Option<Vec<_>>>()
    })?;
    m.not = opt.not;
    // A range takes two of the fifteen slots (xt_multiport.h).
    let slots: usize = m.ports.iter().map(|p| 1 + usize::from(p.0 != p.1)).sum();
    if slots > 15 {
        return Err(format!("multiport has 15 slots, here are {slots}"));
    }
    Ok(Took::Whole)
}

fn addr_type(m: &mut AddrTypes, opt: &mut Opt<'_, '_>) -> Result<Took, String> {
    let types = |list: &str| {
        list.split(',').try_fold(0, |bits, name| {
            words::addr_type(name).map(|number| bits | 1u16 << number)
        })
    };
    match &*opt.name {
        "--src-type" => m.src = Some(opt.not(types)?),
        "--dst-type" => m.dst = Some(opt.not(types)?),
        "--limit-iface-in" => {
            opt.flag()?;
            m.limit_iface_in = true;
            return Ok(Took::Part);
        }
        "--limit-iface-out" => {
            opt.flag()?;
            m.limit_iface_out = true;
            return Ok(Took::Part);
        }
        _ => return Ok(Took::Nothing),
    }
    Ok(Took::Whole)
}

fn mark(m: &mut Not<(u32, u32)>, opt: &mut Opt<'_, '_>) -> Result<Took, String> {
    if opt.name != "--mark" {
        return Ok(Took::Nothing);
    }
    *m = opt.not(values::masked)?;
    Ok(Took::Whole)
}

fn comment(m: &mut Box<str>, opt: &mut Opt<'_, '_>) -> Result<Took, String> {
    if opt.name != "--comment" {
        return Ok(Took::Nothing);
    }
    *m = opt.text()?.into();
    Ok(Took::Whole)
}

fn limit(m: &mut LimitMatch, opt: &mut Opt<'_, '_>) -> Result<Took, String> {
    match &*opt.name {
        "--limit" => m.cost = opt.plain(values::rate)?,
        "--limit-burst" => m.burst = opt.plain(values::integer)?,
        _ => return Ok(Took::Nothing),
    }
    Ok(Took::Whole)
}

fn recent_option(m: &mut Recent, opt: &mut Opt<'_, '_>) -> Result<Took, String> {
    let family = opt.family;
    let action = match &*opt.name {
        "--set" => RecentAction::Set,
        "--rcheck" => RecentAction::Check,
        "--update" => RecentAction::Update,
        "--remove" => RecentAction::Remove,
        _ => {
            match &*opt.name {
                "--name" => m.name = opt.text()?.into(),
                "--seconds" => m.seconds = opt.plain(values::integer)?,
                "--hitcount" => m.hit_count = opt.plain(values::integer)?,
                "--mask" => m.mask = opt.plain(|text| values::addr(text, family))?,
                "--reap" => m.reap = true,
                "--rttl" => m.ttl = true,
                "--rsource" => m.by_destination = false,
                "--rdest" => m.by_destination = true,
                _ => return Ok(Took::Nothing),
            }
            return opt.flag().map(|()| Took::Part);
        }
    };
    m.action = action;
    m.not = opt.not;
    Ok(Took::Whole)
}

fn statistic(m: &mut Statistic, opt: &mut Opt<'_, '_>) -> Result<Took, String> {
    let (mut each, mut at, mut not_nth) = match *m {
        Statistic::Random { .. } => (0, 0, false),
        Statistic::Nth { every, packet, not } => (every, packet, not),
    };
    match &*opt.name {
        "--mode" => {
            let modes = |text: &str| matches!(text, "random" | "nth").then_some(());
            opt.plain(modes)?;
            return Ok(Took::Part);
        }
        "--probability" => {
            let probability = opt.value(values::probability)?;
            *m = Statistic::Random {
                probability,
                not: opt.not,
            };
            return Ok(Took::Whole);
        }
        "--every" => {
            each = opt.value(|text| values::integer(text).filter(|&every| every > 0))?;
            not_nth = opt.not;
        }
        "--packet" => at = opt.plain(values::integer)?,
        _ => return Ok(Took::Nothing),
    }
    *m = Statistic::Nth {
        every: each,
        packet: at,
        not: not_nth,
    };
    Ok(if each > 0 { Took::Whole } else { Took::Part })
}

fn set(m: &mut SetMatch, opt: &mut Opt<'_, '_>) -> Result<Took, String> {
    match &*opt.name {
        "--match-set" => {
            m.name = Some(opt.value(|name| Some(name.into()))?);
            m.not = opt.not;
            let dirs = opt.text()?;
            let sides = dirs.split(',').map(|dir| match dir {
                "src" => Some(true),
                "dst" => Some(false),
                _ => None,
            });
            let sides: Option<Vec<bool>> = sides.collect();
            m.from_source = sides.ok_or_else(|| format!("`{dirs}` are no directions of a set"))?;
            return Ok(Took::Whole);
        }
        "--return-nomatch" => m.return_nomatch = true,
        "--update-counters" | "--update-subcounters" => {}
        "--packets-eq" | "--packets-lt" | "--packets-gt" | "--bytes-eq" | "--bytes-lt"
        | "--bytes-gt" => {
            opt.text()?;
            m.counts = true;
        }
        _ => return Ok(Took::Nothing),
    }
    Ok(Took::Part)
}

fn ip_range(m: &mut IpRange, opt: &mut Opt<'_, '_>) -> Result<Took, String> {
    let family = opt.family;
    let range = |text: &str| -> Option<(IpAddr, IpAddr)> { values::addr_range(text, family) };
    match &*opt.name {
        "--src-range" => m.src = Some(opt.not(range)?),
        "--dst-range" => m.dst = Some(opt.not(range)?),
        _ => return Ok(Took::Nothing),
    }
    Ok(Took::Whole)
}

fn mac(m: &mut Not<[u8; 6]>, opt: &mut Opt<'_, '_>) -> Result<Took, String> {
    if opt.name != "--mac-source" {
        return Ok(Took::Nothing);
    }
    *m = opt.not(values::mac)?;
    Ok(Took::Whole)
}

fn owner(m: &mut Owner, opt: &mut Opt<'_, '_>) -> Result<Took, String> {
    let range = |text: &str| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        Some((values::integer(first)?, values::integer(last)?))
    };
    match &*opt.name {
        "--uid-owner" => m.uid = Some(opt.not(range)?),
        "--gid-owner" => m.gid = Some(opt.not(range)?),
        _ => return Ok(Took::Nothing),
    }
    Ok(Took::Whole)
}

fn pkt_type(m: &mut Not<u32>, opt: &mut Opt<'_, '_>) -> Result<Took, String> {
    if opt.name != "--pkt-type" {
        return Ok(Took::Nothing);
    }
    *m = opt.not(|text| match text {
        "unicast" | "host" => Some(0),
        "broadcast" => Some(1),
        "multicast" => Some(2),
        _ => None,
    })?;
    Ok(Took::Whole)
}

fn rp_filter(m: &mut RpFilter, opt: &mut Opt<'_, '_>) -> Result<Took, String> {
    match &*opt.name {
        "--loose" => m.loose = true,
        "--validmark" => m.valid_mark = true,
        "--invert" => m.invert = true,
        _ => return Ok(Took::Nothing),
    }
    opt.flag()?;
    Ok(Took::Whole)
}

fn socket(m: &mut SocketMatch, opt: &mut Opt<'_, '_>) -> Result<Took, String> {
    match &*opt.name {
        "--transparent" => m.transparent = true,
        "--nowildcard" => m.no_wildcard = true,
        "--restore-skmark" => m.restore_mark = true,
        _ => return Ok(Took::Nothing),
    }
    opt.flag()?;
    Ok(Took::Whole)
}

fn policy(m: &mut Policy, opt: &mut Opt<'_, '_>) -> Result<Took, String> {
    match &*opt.name {
        "--dir" => {
            m.outgoing = opt.plain(|text| match text {
                "in" => Some(false),
                "out" => Some(true),
                _ => None,
            })?;
            Ok(Took::Part)
        }
        "--pol" => {
            m.ipsec = opt.plain(|text| match text {
                "none" => Some(false),
                "ipsec" => Some(true),
                _ => None,
            })?;
            Ok(Took::Whole)
        }
        _ => Ok(Took::Nothing),
    }
}

fn ipvs(m: &mut Not<()>, opt: &Opt<'_, '_>) -> Took {
    if opt.name != "--ipvs" {
        return Took::Nothing;
    }
    m.not = opt.not;
    Took::Whole
}

fn physdev(m: &mut Physdev, opt: &mut Opt<'_, '_>) -> Result<Took, String> {
    let bit = Not {
        not: opt.not,
        value: (),
    };
    match &*opt.name {
        "--physdev-in" => m.input = Some(opt.not(values::iface)?),
        "--physdev-out" => m.output = Some(opt.not(values::iface)?),
        "--physdev-is-in" => m.is_in = Some(bit),
        "--physdev-is-out" => m.is_out = Some(bit),
        "--physdev-is-bridged" => m.is_bridged = Some(bit),
        _ => return Ok(Took::Nothing),
    }
    Ok(Took::Whole)
}
