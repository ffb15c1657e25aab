//! Tests of where a packet comes from: its socket, its way back, what handled it before.

use host::xt::{Owner, Policy, RpFilter, SocketMatch};

use super::is;

pub(super) fn sender(owner: Owner) -> Vec<String> {
    let ids = [("user", owner.uid), ("group", owner.gid)];
    let words = ids.into_iter().filter_map(|(what, id)| {
        let id = id?;
        let value = match id.value {
            (first, last) if first == last => first.to_string(),
            (first, last) => format!("{first}-{last}"),
        };
        Some(is(what, &id, &value))
    });
    words.collect()
}

pub(super) fn way_back(filter: RpFilter) -> String {
    let leads = if filter.invert {
        "does not lead"
    } else {
        "leads"
    };
    let over = if filter.loose {
        "anywhere"
    } else {
        "over that interface"
    };
    format!("the way back {leads} {over}")
}

pub(super) fn socket(socket: SocketMatch) -> String {
    let kind = if socket.transparent {
        "a transparent socket"
    } else {
        "a socket"
    };
    let bound = if socket.no_wildcard {
        ""
    } else {
        ", not bound to every address,"
    };
    format!("{kind}{bound} of this host goes with it")
}

pub(super) fn policy(policy: Policy) -> String {
    let way = if policy.outgoing { "will go" } else { "came" };
    let how = if policy.ipsec { "by" } else { "without" };
    format!("{way} {how} IPsec")
}
