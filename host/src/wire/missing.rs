//! What a dump does not hold: which parts were read at all, and which were refused.

use crate::dump::{Bypass, Dump, section};
use crate::{Gap, GapKind, Given};

/// The gaps that a dump names itself: what it could not read, and what takes packets past
/// the rules.
pub(super) fn gaps(dump: &Dump) -> Vec<Gap> {
    let unread = dump.unread.iter().map(|unread| Gap {
        kind: kind_of(&unread.what),
        what: format!("{} could not be read: {}", unread.what, unread.why),
        device: None,
    });
    let mut gaps: Vec<Gap> = unread.collect();
    for line in dump.text(section::BYPASSES).lines() {
        gaps.push(match serde_json::from_str::<Bypass>(line) {
            Ok(bypass) => of_bypass(bypass),
            Err(_) => Gap {
                kind: GapKind::Input,
                what: "a line about what takes packets past the rules was skipped".into(),
                device: None,
            },
        });
    }
    gaps
}

/// Something that takes packets past the rules, with its place: `tc on eth0: at ingress: …`.
fn of_bypass(bypass: Bypass) -> Gap {
    let on = bypass.device.as_ref();
    let on = on.map_or(String::new(), |device| format!(" on {device}"));
    Gap {
        kind: GapKind::Bypass,
        what: format!("{}{on}: {}", bypass.kind, bypass.what),
        device: bypass.device,
    }
}

/// Words in the description of something unread, and which part of an answer it can touch;
/// the first that is there counts.
///
/// Sets that were not read are gaps where a rule asks for them, and connections, nexthop
/// objects and the search for what bypasses the rules leave the answer as it is: these are
/// said once, as a part that was skipped.
const KINDS: [(&str, GapKind); 13] = [
    ("owner", GapKind::Names),
    ("process", GapKind::Names),
    ("socket", GapKind::Sockets),
    ("nexthop", GapKind::Input),
    ("ipset", GapKind::Input),
    ("rout", GapKind::Routing),
    ("link", GapKind::Routing),
    ("address", GapKind::Routing),
    ("sysctl", GapKind::Routing),
    ("nftables", GapKind::Rules),
    ("table", GapKind::Rules),
    ("chain", GapKind::Rules),
    ("rule", GapKind::Rules),
];

fn kind_of(what: &str) -> GapKind {
    let found = KINDS.iter().find(|(word, _)| what.contains(word));
    found.map_or(GapKind::Input, |&(_, kind)| kind)
}

/// Which parts were read.
///
/// A live reading asks for all of them and notes what it was refused; a section that is
/// absent without a note was not there to read, which is as good as read.
pub(super) fn given(dump: &Dump) -> Given {
    let is_live = dump.sections.contains_key(section::RELEASE);
    let missed = |word: &str| dump.unread.iter().any(|unread| unread.what.contains(word));
    let has = |name: &str| dump.sections.contains_key(name);
    let begins = |prefix: &str| dump.sections.keys().any(|name| name.starts_with(prefix));
    let read = |is_there: bool, word: &str| (is_live || is_there) && !missed(word);
    let nft = read(
        has(section::NFT_GENERATION) || has(section::NFT_RULES),
        "nftables",
    );
    Given {
        links: read(has(section::LINKS), "links"),
        addresses: read(has(section::ADDRESSES), "addresses"),
        routes: read(has(section::ROUTES), "routes"),
        routing_rules: read(has(section::RULES), "routing rules"),
        sysctls: read(has(section::SYSCTLS), "sysctl"),
        sockets: read(begins(section::SOCKETS), " sockets") || begins(section::SOCKETS),
        ipsets: read(has(section::IPSET_LIST), "ipset"),
        rules_v4: nft && !missed("IPv4") || begins(section::LEGACY_IP),
        rules_v6: nft && !missed("IPv6") || begins(section::LEGACY_IP6),
        nft,
    }
}
