//! From iptables' matches and targets to the small form.

mod origin;

use std::net::IpAddr;
use std::rc::Rc;

use host::nft::PayloadBase;
use host::xt::{
    AddrTypes, ConntrackMatch, CtMarkMode, IfaceName, IpRange, LimitMatch, MaskedAddr, Match,
    Multiport, NatRange, Not, PortRange, PortSide, Recent, RecentAction, Rule, Statistic, Target,
    TransportMatch,
};
use net::addr_bits;

use super::{Doubt, Effect, End, Field, NatTo, Op, Side, Test, Value, varying};
use crate::ranges::Ranges;

/// The operations of a rule.
pub(super) fn rule(rule: &Rule) -> Vec<Op> {
    let tests = rule.matches.iter().filter_map(test).map(Op::Test);
    tests.chain(target(&rule.target)).collect()
}

/// The operations of a target.
pub(super) fn target(target: &Target) -> Option<Op> {
    let end = match target {
        Target::None | Target::Pass(_) => return None,
        Target::Accept => End::Accept,
        Target::Drop => End::Drop,
        Target::Return => End::Return,
        Target::Jump(chain) => End::Jump(chain.as_ref().into()),
        Target::Goto(chain) => End::Goto(chain.as_ref().into()),
        Target::Reject(with) => End::RejectXt(*with),
        Target::Dnat(range) => End::Dnat(nat(range)),
        Target::Snat(range) => End::Snat(nat(range)),
        Target::Masquerade(range) => End::Masquerade(nat(range)),
        Target::Redirect(range) => End::Redirect(nat(range)),
        Target::Netmap(range) => End::Netmap(nat(range)),
        Target::Mark { value, mask } => return Some(Op::Do(mark(*value, *mask))),
        Target::Connmark {
            mode,
            value,
            ctmask,
            nfmask,
        } => {
            return Some(Op::Do(Effect::Connmark {
                mode: *mode,
                value: *value,
                ctmask: *ctmask,
                nfmask: *nfmask,
            }));
        }
        Target::Notrack => return Some(Op::Do(Effect::Notrack)),
        Target::Queue { .. } => End::Queue,
        Target::Gap { name, options } if options.is_empty() => {
            let why = format!("{name} is no chain of this table and no target that is modelled");
            End::Gap(why.into())
        }
        Target::Gap { name, options } => End::Gap(not_modelled("target", name, options).into()),
    };
    Some(Op::End(end))
}

fn mark(value: u32, mask: u32) -> Effect {
    let (keep, xor): (Rc<[u8]>, Rc<[u8]>) = (
        (!mask).to_ne_bytes().as_slice().into(),
        value.to_ne_bytes().as_slice().into(),
    );
    let op = super::ByteOp::MaskXor { mask: keep, xor };
    Effect::Mark(Value::field(Field::Mark, 4).then(op))
}

fn nat(range: &NatRange) -> Rc<NatTo> {
    let ports = range.ports.map(|(first, last)| {
        (
            Value::bytes(&first.to_be_bytes()),
            Value::bytes(&last.to_be_bytes()),
        )
    });
    Rc::new(NatTo {
        addr: range
            .addrs
            .map(|(first, last)| (address(first), address(last))),
        port: ports,
        is_v6: None,
        random: range.random || range.random_fully,
        netmap: false,
        gap: range
            .base_port
            .map(|_| "a port-shifting DNAT is not modelled".into()),
    })
}

fn address(addr: IpAddr) -> Value {
    match addr {
        IpAddr::V4(v4) => Value::bytes(&v4.octets()),
        IpAddr::V6(v6) => Value::bytes(&v6.octets()),
    }
}

/// Lowers one match; `None` where it always holds.
pub(super) fn test(matched: &Match) -> Option<Test> {
    Some(match matched {
        Match::Src(addr) => masked(Field::Src, addr),
        Match::Dst(addr) => masked(Field::Dst, addr),
        Match::In(name) => iface(Field::IifName, name),
        Match::Out(name) => iface(Field::OifName, name),
        Match::Proto(proto) => one(Field::Proto, 1, proto.value.0.into()).inverted(proto.not),
        // A fragment never meets a rule behind conntrack's defragmentation, and the packets
        // asked about are whole.
        Match::Fragment(fragment) => Test::Const(fragment.not),
        Match::Tcp(tcp) | Match::Udp(tcp) | Match::Sctp(tcp) => transport(tcp),
        Match::Icmp(icmp) => icmp_test(*icmp),
        Match::Multiport(multiport) => ports(multiport),
        Match::Conntrack(conntrack) => connection(conntrack),
        Match::AddrType(types) => addr_types(types),
        Match::Mark(mark) => Value::field(Field::Mark, 4)
            .equals_masked(mark.value.1, mark.value.0)
            .inverted(mark.not),
        Match::Connmark(mark) => Test::All(vec![
            Test::HasConnection,
            Value::field(Field::CtMark, 4)
                .equals_masked(mark.value.1, mark.value.0)
                .inverted(mark.not),
        ]),
        Match::Comment(_) => return None,
        Match::Limit(limit) => Test::Doubt(rate(*limit)),
        Match::Recent(recent) => remembered(recent),
        Match::Statistic(statistic) => chance(*statistic),
        Match::Set(set) => {
            let mut plain = set.clone();
            plain.not = false;
            Test::InIpSet(plain).inverted(set.not)
        }
        Match::IpRange(range) => address_range(range),
        Match::Mac(mac) => origin::link_layer(*mac),
        Match::Physdev(physdev) => origin::bridge_port(physdev),
        Match::Owner(owner) => origin::sender(*owner),
        Match::PktType(kind) => one(Field::PktType, 1, kind.value.into()).inverted(kind.not),
        Match::RpFilter(filter) => origin::way_back(*filter),
        Match::Socket(socket) => origin::socket(*socket),
        // A packet that went through IPsec or IPVS is none of those asked about: where there
        // are such, they are a gap of their own.
        Match::Policy(policy) => Test::Const(!policy.ipsec),
        Match::Ipvs(handled) => Test::Const(handled.not),
        Match::Gap { name, options } => match varying::xt_match(name, options) {
            Some(doubt) => Test::Doubt(doubt),
            None => Test::gap(&not_modelled("match", name, options)),
        },
    })
}

fn one(field: Field, len: u32, value: u128) -> Test {
    Test::In {
        value: Value::field(field, len),
        within: Ranges::one(value),
    }
}

fn masked(field: Field, addr: &Not<MaskedAddr>) -> Test {
    let mask = net::octets(addr.value.mask);
    let len = if mask.len() == 4 { 4 } else { 16 };
    let value = Value::field(field, len).masked(&mask);
    Test::In {
        value,
        within: Ranges::one(addr_bits(addr.value.addr)),
    }
    .inverted(addr.not)
}

/// An absent device has an empty name: a negated test holds for it (ip_tables.c).
fn iface(field: Field, name: &Not<IfaceName>) -> Test {
    let text = name.value.name.as_bytes();
    let bound = |fill: u8| {
        let mut bytes = [fill; 16];
        let len = text.len().min(16);
        bytes[..len].copy_from_slice(&text[..len]);
        super::number(&bytes)
    };
    let last = if name.value.is_prefix {
        bound(0xff)
    } else {
        bound(0)
    };
    let within = Ranges::span(bound(0), last);
    Test::In {
        value: Value::field(field, 16),
        within,
    }
    .inverted(name.not)
}

fn span(field: Field, range: PortRange) -> Test {
    let within = Ranges::span(range.0.into(), range.1.into());
    Test::In {
        value: Value::field(field, 2),
        within,
    }
}

fn transport(tests: &TransportMatch) -> Test {
    let mut all = Vec::new();
    all.extend(
        tests
            .sport
            .map(|p| span(Field::Sport, p.value).inverted(p.not)),
    );
    all.extend(
        tests
            .dport
            .map(|p| span(Field::Dport, p.value).inverted(p.not)),
    );
    all.extend(tests.flags.map(|f| {
        let flags = Field::Header {
            base: PayloadBase::Transport,
            offset: 13,
        };
        let value = Value::field(flags, 1).masked(&[f.value.mask]);
        Test::In {
            value,
            within: Ranges::one(f.value.set.into()),
        }
        .inverted(f.not)
    }));
    all.extend(
        tests
            .option
            .map(|_| Test::Doubt(Doubt::varies("what TCP options the packet has"))),
    );
    Test::All(all)
}

fn icmp_test(icmp: Not<(u8, (u8, u8))>) -> Test {
    let (kind, (low, high)) = icmp.value;
    let byte = |offset| Field::Header {
        base: PayloadBase::Transport,
        offset,
    };
    // Type 255 stands for any (xt_tcpudp.c, icmp_type_code_match).
    if kind == 255 {
        return Test::Const(!icmp.not);
    }
    let codes = Ranges::span(low.into(), high.into());
    let code = Test::In {
        value: Value::field(byte(1), 1),
        within: codes,
    };
    Test::All(vec![one(byte(0), 1, kind.into()), code]).inverted(icmp.not)
}

fn ports(multiport: &Multiport) -> Test {
    let list = multiport
        .ports
        .iter()
        .map(|&(first, last)| (first.into(), last.into()));
    let within = Ranges::of(list.collect());
    let side = |field| Test::In {
        value: Value::field(field, 2),
        within: within.clone(),
    };
    let test = match multiport.side {
        PortSide::Source => side(Field::Sport),
        PortSide::Destination => side(Field::Dport),
        PortSide::Either => Test::Any(vec![side(Field::Sport), side(Field::Dport)]),
    };
    test.inverted(multiport.not)
}

/// Whether any of `bits` is set in a field of the host's byte order.
fn any_bit(field: Field, bits: u32) -> Test {
    let value = Value::field(field, 4).masked(&bits.to_ne_bytes());
    Test::In {
        value,
        within: Ranges::span(1, u32::MAX.into()),
    }
}

/// Without an entry only the state is looked at, and the rest counts as true if it was asked
/// (xt_conntrack.c, conntrack_mt).
fn connection(m: &ConntrackMatch) -> Test {
    let state = m
        .state
        .map(|s| any_bit(Field::XtState, s.value).inverted(s.not));
    let rest = connection_fields(m);
    match (state, rest.is_empty()) {
        (Some(state), true) => state,
        (Some(state), false) => {
            let without = Test::Not(Box::new(Test::HasConnection));
            Test::All(vec![state, Test::Any(vec![without, Test::All(rest)])])
        }
        (None, _) => Test::All(std::iter::once(Test::HasConnection).chain(rest).collect()),
    }
}

fn connection_fields(m: &ConntrackMatch) -> Vec<Test> {
    let addr = |reply, source| Field::CtAddr { reply, source };
    let port = |reply, source| Field::CtPort { reply, source };
    let addrs = [
        (m.orig_src, addr(false, true)),
        (m.orig_dst, addr(false, false)),
        (m.reply_src, addr(true, true)),
        (m.reply_dst, addr(true, false)),
    ];
    let ports = [
        (m.orig_sport, port(false, true)),
        (m.orig_dport, port(false, false)),
        (m.reply_sport, port(true, true)),
        (m.reply_dport, port(true, false)),
    ];
    let mut tests = Vec::new();
    tests.extend(
        m.proto
            .map(|p| one(Field::CtProto, 1, p.value.0.into()).inverted(p.not)),
    );
    tests.extend(
        addrs
            .into_iter()
            .filter_map(|(a, field)| a.map(|a| masked(field, &a))),
    );
    let ranges = ports
        .into_iter()
        .filter_map(|(p, field)| p.map(|p| (p, field)));
    tests.extend(ranges.map(|(p, field)| span(field, p.value).inverted(p.not)));
    tests.extend(
        m.status
            .map(|s| any_bit(Field::CtStatus, s.value).inverted(s.not)),
    );
    tests.extend(m.expire.map(|_| {
        let holds = "while the conntrack entry's remaining time is in the range asked for";
        let fails = "while the conntrack entry's remaining time is outside the range asked for";
        Test::Doubt(Doubt::State {
            holds: holds.into(),
            fails: fails.into(),
        })
    }));
    tests.extend(
        m.reply_direction
            .map(|reply| one(Field::CtDirection, 1, reply.into())),
    );
    tests
}

fn addr_types(m: &AddrTypes) -> Test {
    let limit = match (m.limit_iface_in, m.limit_iface_out) {
        (true, _) => Some(Side::In),
        (_, true) => Some(Side::Out),
        _ => None,
    };
    let test = |source, types: Not<u16>| {
        Test::AddrType {
            source,
            types: types.value,
            limit,
        }
        .inverted(types.not)
    };
    let tests = [m.src.map(|t| test(true, t)), m.dst.map(|t| test(false, t))];
    Test::All(tests.into_iter().flatten().collect())
}

fn rate(limit: LimitMatch) -> Doubt {
    let (count, unit) = [
        (10_000, "second"),
        (600_000, "minute"),
        (36_000_000, "hour"),
    ]
    .into_iter()
    .find(|(scale, _)| *scale >= limit.cost)
    .map_or((1, "day"), |(scale, unit)| {
        (scale / limit.cost.max(1), unit)
    });
    Doubt::State {
        holds: format!("while there are no more than {count} a {unit}").into(),
        fails: format!("while there are more than {count} a {unit}").into(),
    }
}

fn remembered(recent: &Recent) -> Test {
    let name = &recent.name;
    let test = match recent.action {
        RecentAction::Set => Test::Const(true),
        RecentAction::Check | RecentAction::Update | RecentAction::Remove => {
            Test::Doubt(Doubt::State {
                holds: format!("if the client is remembered in {name}").into(),
                fails: format!("if the client is not remembered in {name}").into(),
            })
        }
    };
    test.inverted(recent.not)
}

fn chance(statistic: Statistic) -> Test {
    let (share, not) = match statistic {
        Statistic::Random { probability, not } => {
            (f64::from(probability) / f64::from(1_u32 << 31), not)
        }
        Statistic::Nth { every, not, .. } => (1.0 / f64::from(every.max(1)), not),
    };
    let test = if share >= 1.0 {
        Test::Const(true)
    } else if share <= 0.0 {
        Test::Const(false)
    } else {
        Test::Doubt(Doubt::Chance(share))
    };
    test.inverted(not)
}

fn address_range(m: &IpRange) -> Test {
    let test = |field, range: Not<(IpAddr, IpAddr)>| {
        let len = if range.value.0.is_ipv4() { 4 } else { 16 };
        let within = Ranges::span(addr_bits(range.value.0), addr_bits(range.value.1));
        Test::In {
            value: Value::field(field, len),
            within,
        }
        .inverted(range.not)
    };
    let tests = [
        m.src.map(|r| test(Field::Src, r)),
        m.dst.map(|r| test(Field::Dst, r)),
    ];
    Test::All(tests.into_iter().flatten().collect())
}

/// The way `CONNMARK` changes marks, for the evaluator (xt_connmark.c, connmark_tg_shift).
pub(crate) fn connmark(
    mode: CtMarkMode,
    marks: (u32, u32),
    (value, ctmask, nfmask): (u32, u32, u32),
) -> (u32, u32) {
    let (nf, ct) = marks;
    match mode {
        CtMarkMode::Set => (nf, (ct & !ctmask) ^ value),
        CtMarkMode::Save => (nf, (ct & !ctmask) ^ (nf & nfmask)),
        CtMarkMode::Restore => ((nf & !nfmask) ^ (ct & ctmask), ct),
    }
}

/// What a part of a rule is called that may do anything; its options as far as known.
fn not_modelled(what: &str, name: &str, options: &str) -> String {
    let space = if options.is_empty() { "" } else { " " };
    format!("{what} {name}{space}{options} is not modelled")
}
