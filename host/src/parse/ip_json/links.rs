//! `ip -j link`.

use crate::Link;
use crate::parse::problem::{Input, Problem, Problems};

use super::{Object, objects};

/// Reads `ip -j link` or `ip -j addr`. Kinds of links are known with `-d` only.
pub fn ip_links(input: Input<'_>) -> (Vec<Link>, Vec<Problem>) {
    let mut problems = Problems::of(input);
    let objects = objects(input, &mut problems);
    let index_of = |name: &str| {
        let found = objects.iter().find(|o| o.text("ifname") == Some(name));
        found.and_then(|object| object.number("ifindex"))
    };
    let mut links = Vec::new();
    for object in &objects {
        match link(object, index_of) {
            Ok(link) => links.push(link),
            Err(what) => problems.add(0, &object.to_string(), what),
        }
    }
    links.sort_by_key(|link| link.index);
    (links, problems.into_vec())
}

fn link(object: &Object, index_of: impl Fn(&str) -> Option<u32>) -> Result<Link, String> {
    let index = object.number("ifindex").filter(|&index: &u32| index > 0);
    let name = object.text("ifname");
    let (Some(index), Some(name)) = (index, name) else {
        return Err("entry is no link: it lacks `ifindex` or `ifname`".to_owned());
    };
    let master = match object.text("master") {
        Some(master) => {
            Some(index_of(master).ok_or_else(|| format!("there is no link {master}, its master"))?)
        }
        None => None,
    };
    let info = object.0.get("linkinfo");
    let kind = info.and_then(|info| info["info_kind"].as_str());
    Ok(Link {
        index,
        name: name.to_owned(),
        up: object.flag("flags", "UP"),
        loopback: object.flag("flags", "LOOPBACK"),
        kind: kind.unwrap_or_default().to_owned(),
        master,
        group: object.number("group").unwrap_or(0),
        hardware_type: hardware_type(object.text("link_type").unwrap_or_default()),
        peer_elsewhere: object.has("link_netnsid"),
    })
}

/// `ARPHRD_*` of if_arp.h by the names of iproute2; others are 65535, void.
fn hardware_type(name: &str) -> u16 {
    match name {
        "ether" => 1,
        "infiniband" => 32,
        "ppp" => 512,
        "rawip" => 519,
        "ipip" => 768,
        "tunnel6" => 769,
        "loopback" => 772,
        "sit" => 776,
        "gre" => 778,
        "gre6" => 823,
        "netlink" => 824,
        "none" => 65534,
        _ => u16::MAX,
    }
}
