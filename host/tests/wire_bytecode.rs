//! Every nftables expression, decoded from netlink, against what `nft --debug=netlink` prints
//! of the same rules: both see the kernel's instructions, by code that shares nothing.

#![expect(
    clippy::unwrap_used,
    reason = "a test helper that fails fails its test"
)]

use std::fmt::Write as _;
use std::path::PathBuf;

use host::RuleBody;
use host::dump::Dump;
use host::nft::{
    BitOp, CmpOp, CtKey, Expr, FibFlags, FibResult, Limit, MetaKey, Nat, NatKind, NumgenKind,
    PayloadBase, Register, Reject, SetOp, SocketKey, Verdict,
};

fn file(name: &str) -> Vec<u8> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../testkit/data/wire");
    std::fs::read(dir.join(name)).unwrap()
}

/// A register by the number that libnftnl prints.
fn reg(word: Register) -> u8 {
    if word.is_multiple_of(4) {
        word / 4 + 1
    } else {
        word + 8
    }
}

/// Bytes as libnftnl prints them: words in host order.
fn words(bytes: &[u8]) -> String {
    let word = |chunk: &[u8]| {
        let mut word = [0; 4];
        word[..chunk.len()].copy_from_slice(chunk);
        format!("0x{:08x}", u32::from_ne_bytes(word))
    };
    bytes.chunks(4).map(word).collect::<Vec<_>>().join(" ")
}

fn base(base: PayloadBase) -> &'static str {
    match base {
        PayloadBase::Link => "link",
        PayloadBase::Network => "network",
        PayloadBase::Transport => "transport",
        PayloadBase::Inner => "inner",
    }
}

fn meta(key: MetaKey) -> String {
    let name = match key {
        MetaKey::Len => "len",
        MetaKey::Protocol => "protocol",
        MetaKey::Priority => "priority",
        MetaKey::Mark => "mark",
        MetaKey::Iif => "iif",
        MetaKey::Oif => "oif",
        MetaKey::IifName => "iifname",
        MetaKey::OifName => "oifname",
        MetaKey::IifType => "iiftype",
        MetaKey::OifType => "oiftype",
        MetaKey::SkUid => "skuid",
        MetaKey::SkGid => "skgid",
        MetaKey::NfTrace => "nftrace",
        MetaKey::NfProto => "nfproto",
        MetaKey::L4Proto => "l4proto",
        MetaKey::PktType => "pkttype",
        MetaKey::IifGroup => "iifgroup",
        MetaKey::OifGroup => "oifgroup",
        MetaKey::Other(20) => "cpu",
        MetaKey::Other(24) => "prandom",
        MetaKey::Other(32) => "hour",
        MetaKey::Other(other) => return other.to_string(),
    };
    name.to_owned()
}

fn ct(key: CtKey) -> String {
    let name = match key {
        CtKey::State => "state",
        CtKey::Direction => "direction",
        CtKey::Status => "status",
        CtKey::Mark => "mark",
        CtKey::L3Proto => "l3protocol",
        CtKey::Protocol => "protocol",
        CtKey::Src(_) => "src_ip",
        CtKey::Dst(_) => "dst_ip",
        CtKey::SrcPort => "proto_src",
        CtKey::DstPort => "proto_dst",
        CtKey::Zone => "zone",
        CtKey::Other(13) => "label",
        CtKey::Other(15) => "bytes",
        CtKey::Other(18) => "event",
        CtKey::Other(other) => return other.to_string(),
    };
    name.to_owned()
}

fn cmp(op: CmpOp) -> &'static str {
    match op {
        CmpOp::Eq => "eq",
        CmpOp::Neq => "neq",
        CmpOp::Lt => "lt",
        CmpOp::Lte => "lte",
        CmpOp::Gt => "gt",
        CmpOp::Gte => "gte",
    }
}

fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Accept => "accept".to_owned(),
        Verdict::Drop => "drop".to_owned(),
        Verdict::Continue => "continue".to_owned(),
        Verdict::Break => "break".to_owned(),
        Verdict::Return => "return".to_owned(),
        Verdict::Queue => "queue".to_owned(),
        Verdict::Jump(chain) => format!("jump -> {chain}"),
        Verdict::Goto(chain) => format!("goto -> {chain}"),
    }
}

fn pair(name: &str, pair: Option<(Register, Register)>) -> String {
    pair.map_or_else(String::new, |(min, max)| {
        format!(" {name}_min reg {} {name}_max reg {}", reg(min), reg(max))
    })
}

/// The flags as the kernel keeps them, with those it adds by itself.
fn nat_flags(flags: u32, addr: bool, port: bool) -> String {
    let flags = flags | u32::from(addr) | (u32::from(port) * 2);
    if flags == 0 {
        String::new()
    } else {
        format!(" flags 0x{flags:x}")
    }
}

fn nat(nat: &Nat) -> String {
    let kind = match nat.kind {
        NatKind::Snat => "snat",
        NatKind::Dnat => "dnat",
    };
    let family = if nat.is_v6 { "ip6" } else { "ip" };
    let (addr, port) = (pair("addr", nat.addr), pair("proto", nat.port));
    let flags = nat_flags(nat.flags, nat.addr.is_some(), nat.port.is_some());
    format!("nat {kind} {family}{addr}{port}{flags}")
}

fn fib(result: FibResult, flags: FibFlags) -> String {
    let mut parts = Vec::new();
    for (bit, name) in [
        (FibFlags::SADDR, "saddr"),
        (FibFlags::DADDR, "daddr"),
        (FibFlags::MARK, "mark"),
        (FibFlags::IIF, "iif"),
        (FibFlags::OIF, "oif"),
    ] {
        if flags.has(bit) {
            parts.push(name);
        }
    }
    let result = match result {
        FibResult::Oif => "oif",
        FibResult::OifName => "oifname",
        FibResult::AddrType => "type",
    };
    let present = if flags.has(FibFlags::PRESENT) {
        " present"
    } else {
        ""
    };
    format!("{} {result}{present}", parts.join(" . "))
}

fn limit(limit: &Limit) -> String {
    let unit = match limit.unit {
        1 => "second",
        60 => "minute",
        3600 => "hour",
        _ => "other",
    };
    let kind = if limit.bytes { "bytes" } else { "packets" };
    format!(
        "limit rate {}/{unit} burst {} type {kind} flags 0x{:x}",
        limit.rate,
        limit.burst,
        u8::from(limit.over)
    )
}

fn bitwise(sreg: Register, dreg: Register, op: &BitOp) -> String {
    let (sreg, dreg) = (reg(sreg), reg(dreg));
    match op {
        BitOp::MaskXor { mask, xor } => format!(
            "bitwise reg {dreg} = ( reg {sreg} & {} ) ^ {}",
            words(mask),
            words(xor)
        ),
        BitOp::ShiftLeft(bits) => format!("bitwise reg {dreg} = ( reg {sreg} << 0x{bits:08x} )"),
        BitOp::ShiftRight(bits) => format!("bitwise reg {dreg} = ( reg {sreg} >> 0x{bits:08x} )"),
        BitOp::With { op, sreg2 } => format!("bitwise {op} {}", reg(*sreg2)),
    }
}

/// A line of libnftnl; of what is not modelled only its beginning.
#[expect(clippy::too_many_lines, reason = "one arm for each expression")]
fn line(expr: &Expr) -> String {
    match expr {
        Expr::Payload {
            dreg,
            base: header,
            offset,
            len,
        } => format!(
            "payload load {len}b @ {} header + {offset} => reg {}",
            base(*header),
            reg(*dreg)
        ),
        Expr::PayloadSet {
            sreg,
            base: header,
            offset,
            len,
        } => format!(
            "payload write reg {} => {len}b @ {} header + {offset}",
            reg(*sreg),
            base(*header)
        ),
        Expr::Meta { dreg, key } => format!("meta load {} => reg {}", meta(*key), reg(*dreg)),
        Expr::MetaSet { sreg, key } => format!("meta set {} with reg {}", meta(*key), reg(*sreg)),
        Expr::Ct { dreg, key, reply } => {
            let direction = match reply {
                Some(true) => " , dir reply",
                Some(false) => " , dir original",
                None => "",
            };
            format!("ct load {} => reg {}{direction}", ct(*key), reg(*dreg))
        }
        Expr::Socket { dreg, key } => {
            let key = match key {
                SocketKey::Transparent => "transparent",
                SocketKey::Mark => "mark",
                SocketKey::Wildcard => "wildcard",
                SocketKey::Cgroup => "cgroupv2",
            };
            format!("socket load {key} => reg {}", reg(*dreg))
        }
        Expr::CtSet { sreg, key } => format!("ct set {} with reg {}", ct(*key), reg(*sreg)),
        Expr::Cmp { sreg, op, data } => {
            format!("cmp {} reg {} {}", cmp(*op), reg(*sreg), words(data))
        }
        Expr::Range {
            sreg,
            not,
            first,
            last,
        } => format!(
            "range {} reg {} {} {}",
            if *not { "neq" } else { "eq" },
            reg(*sreg),
            words(first),
            words(last)
        ),
        Expr::Bitwise { sreg, dreg, op, .. } => bitwise(*sreg, *dreg, op),
        Expr::Byteorder {
            sreg,
            dreg,
            len,
            size,
        } => format!(
            "byteorder reg {} = hton(reg {}, {size}, {len})",
            reg(*dreg),
            reg(*sreg)
        ),
        Expr::Lookup {
            set,
            sreg,
            dreg,
            to_verdict,
            not,
        } => {
            let dreg = dreg.map(reg).or(to_verdict.then_some(0));
            let dreg = dreg.map_or_else(String::new, |dreg| format!(" dreg {dreg}"));
            format!(
                "lookup reg {} set {set}{dreg} 0x{}",
                reg(*sreg),
                u8::from(*not)
            )
        }
        Expr::Immediate { dreg, data } => format!("immediate reg {} {}", reg(*dreg), words(data)),
        Expr::Verdict(code) => format!("immediate reg 0 {}", verdict(code)),
        Expr::Nat(expr) => nat(expr),
        Expr::Masquerade { port, flags } => format!(
            "masq{}{}",
            pair("proto", *port),
            nat_flags(*flags, false, port.is_some())
        ),
        Expr::Redirect { port, flags } => format!(
            "redir{}{}",
            pair("proto", *port),
            nat_flags(*flags, false, port.is_some())
        ),
        Expr::Reject(reject) => match reject {
            Reject::Icmp(code) => format!("reject type 0 code {code}"),
            Reject::TcpReset => "reject type 1 code 0".to_owned(),
            Reject::Icmpx(code) => format!("reject type 2 code {code}"),
        },
        Expr::Fib {
            dreg,
            result,
            flags,
        } => format!("fib {} => reg {}", fib(*result, *flags), reg(*dreg)),
        Expr::Numgen {
            dreg,
            kind,
            modulus,
            offset,
        } => {
            let kind = match kind {
                NumgenKind::Incremental => "inc",
                NumgenKind::Random => "random",
            };
            let mut text = format!("numgen reg {} = {kind} mod {modulus}", reg(*dreg));
            if *offset != 0 {
                write!(text, " offset {offset}").unwrap();
            }
            text
        }
        Expr::Dynset {
            set,
            op,
            sreg_key,
            sreg_data,
            ..
        } => {
            let op = match op {
                SetOp::Add => "add",
                SetOp::Update => "update",
                SetOp::Delete => "delete",
            };
            let data =
                sreg_data.map_or_else(String::new, |sreg| format!(" sreg_data {}", reg(sreg)));
            format!("dynset {op} reg_key {} set {set}{data}", reg(*sreg_key))
        }
        Expr::Limit(expr) => limit(expr),
        Expr::Notrack => "notrack".to_owned(),
        Expr::Queue { num, .. } => format!("queue num {num}"),
        Expr::Match(_) => "match name".to_owned(),
        Expr::Target(_) => "target name".to_owned(),
        // A statement as nft lists it, or in brackets the kernel's name of one: its first word.
        Expr::Pass(text) => {
            let words = text.trim_matches(['[', ']']);
            words.split(' ').next().unwrap_or_default().to_owned()
        }
        Expr::Unread(text) => format!("unread {text}"),
        Expr::Gap { name, dreg } => match dreg {
            Some(dreg) => format!("{name} … reg {}", reg(*dreg)),
            None => name.to_string(),
        },
    }
}

/// Whether a line of libnftnl says what ours does.
fn agrees(ours: &str, theirs: &str) -> bool {
    let theirs = theirs
        .trim()
        .trim_start_matches("[ ")
        .trim_end_matches(" ]");
    if let Some((name, reg)) = ours.split_once(" … ") {
        return theirs.starts_with(name) && theirs.contains(reg);
    }
    let object = match ours {
        "counter" => "objref type 1 ",
        "quota" => "objref type 2 ",
        "limit" => "objref type 4 ",
        _ => "",
    };
    if !object.is_empty() && theirs.starts_with(object) {
        return true;
    }
    let whole = [
        "counter",
        "log",
        "objref",
        "connlimit",
        "exthdr",
        "tproxy",
        "synproxy",
        "meta set nftrace",
        "dynset",
        "payload write",
    ];
    if whole.iter().any(|name| ours.starts_with(name)) {
        theirs == ours || theirs.starts_with(&format!("{ours} "))
    } else {
        theirs == ours
    }
}

#[test]
fn every_expression_says_what_nft_prints_of_it() {
    let listed = String::from_utf8(file("every.bytecode")).unwrap();
    let mut theirs = listed
        .lines()
        .skip_while(|line| !line.starts_with("inet every side "))
        .filter(|line| !line.is_empty() && !line.contains("userdata = {"));
    let host = host::wire::host(&Dump::from_bytes(&file("every.snapshot")).unwrap());
    let mut count = 0;
    for table in &host.ruleset.tables {
        for chain in &table.chains {
            for rule in &chain.rules {
                let place = format!("{} {} {} ", table.family, table.name, chain.name);
                let head = theirs.next().unwrap();
                assert!(head.starts_with(&place), "{head}, not {place}");
                let RuleBody::Nft(exprs) = &rule.body else {
                    panic!("{head}: {rule:?}");
                };
                for expr in exprs {
                    let (ours, theirs) = (line(expr), theirs.next().unwrap());
                    assert!(agrees(&ours, theirs), "{head}: {ours}, not {theirs}");
                    count += 1;
                }
            }
        }
    }
    assert_eq!(theirs.next(), None);
    assert!(count > 200, "only {count} expressions");
}
