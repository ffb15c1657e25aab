//! What differs from packet to packet or from time to time, so that a rule which asks for it
//! leaves both ways open: nothing of it is on the host to be read.

use host::nft::MetaKey;

use super::Doubt;

/// An nft statement that asks for such a thing.
pub(super) fn statement(name: &str) -> Option<Doubt> {
    let what = match name {
        "quota" => "the traffic so far",
        "connlimit" => "the number of connections",
        "limit" => "the rate of packets",
        _ => return None,
    };
    Some(Doubt::varies(what))
}

/// What an nft expression loads.
pub(super) fn load(name: &str) -> Option<&'static str> {
    Some(match name {
        "exthdr" => "what options and extension headers the packet has",
        "hash" => "a hash of the packet",
        "osf" => "the operating system that sent the packet",
        _ => return None,
    })
}

/// What a key of `meta` reads (nf_tables.h, `nft_meta_keys`).
pub(super) fn meta(key: MetaKey) -> Option<&'static str> {
    Some(match key {
        MetaKey::Len => "the length of the packet",
        MetaKey::Priority => "the priority of the packet",
        MetaKey::Other(20) => "the processor that handles the packet",
        MetaKey::Other(24) => "a random number",
        MetaKey::Other(30..=32) => "the time",
        MetaKey::Protocol
        | MetaKey::Mark
        | MetaKey::Iif
        | MetaKey::Oif
        | MetaKey::IifName
        | MetaKey::OifName
        | MetaKey::IifType
        | MetaKey::OifType
        | MetaKey::SkUid
        | MetaKey::SkGid
        | MetaKey::NfTrace
        | MetaKey::NfProto
        | MetaKey::L4Proto
        | MetaKey::PktType
        | MetaKey::IifGroup
        | MetaKey::OifGroup
        | MetaKey::Other(_) => return None,
    })
}

/// What a key of `ct` reads (nf_tables.h, `nft_ct_keys`).
pub(super) fn ct(number: u32) -> Option<&'static str> {
    Some(match number {
        5 => "the remaining time of the conntrack entry",
        14..=16 => "the traffic of the connection",
        23 => "the number of the conntrack entry",
        _ => return None,
    })
}

/// An xt match that asks for such a thing.
pub(super) fn xt_match(name: &str, options: &str) -> Option<Doubt> {
    const VARYING: [&str; 17] = [
        "connbytes",
        "connlimit",
        "cpu",
        "dscp",
        "ecn",
        "hashlimit",
        "hl",
        "length",
        "osf",
        "quota",
        "quota2",
        "rateest",
        "string",
        "tcpmss",
        "time",
        "tos",
        "ttl",
    ];
    if !VARYING.contains(&name) {
        return None;
    }
    let space = if options.is_empty() { "" } else { " " };
    Some(Doubt::State {
        holds: format!("where `-m {name}{space}{options}` holds").into(),
        fails: format!("where `-m {name}{space}{options}` does not hold").into(),
    })
}
