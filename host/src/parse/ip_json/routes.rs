//! `ip -j route show table all`.

use std::collections::BTreeSet;
use std::net::IpAddr;

use net::{Family, Prefix};
use serde_json::Value;

use crate::parse::problem::{Input, Problem, Problems};
use crate::{NextHop, Route, RouteKind};

use super::{Object, objects, table_number, tos};

/// Reads routes of either family, or of both; without a table a route is of `main`.
///
/// `index_of` tells the index of a device by its name. A next hop over a device that it does
/// not know has none.
pub fn ip_routes(
    input: Input<'_>,
    mut index_of: impl FnMut(&str) -> Option<u32>,
) -> (Vec<Route>, Vec<Problem>) {
    let mut problems = Problems::of(input);
    let mut routes = Vec::new();
    let mut unknown = BTreeSet::new();
    for object in objects(input, &mut problems) {
        let mut link = |name: &str| {
            let index = index_of(name);
            if index.is_none() {
                unknown.insert(name.to_owned());
            }
            index
        };
        match route(&object, &mut link) {
            Ok(route) => routes.push(route),
            Err(what) => problems.add(0, &object.to_string(), what),
        }
    }
    if !unknown.is_empty() {
        let names: Vec<String> = unknown.into_iter().collect();
        let names = names.join(", ");
        let what = format!("routes lead over unknown links, {names}: give the links as well");
        problems.add(0, "", what);
    }
    (routes, problems.into_vec())
}

fn route(object: &Object, link: &mut impl FnMut(&str) -> Option<u32>) -> Result<Route, String> {
    let kind = object.text("type").unwrap_or("unicast");
    let kind = kind_of(kind).ok_or_else(|| format!("`{kind}` is no kind of route"))?;
    let dst = object
        .text("dst")
        .ok_or("entry is no route: it lacks `dst`")?;
    let dst = match dst {
        "default" | "all" => Prefix::all(family_of(object)),
        _ => dst.parse().map_err(|error| format!("{error}"))?,
    };
    let src = match object.text("from") {
        Some("all" | "default") | None => None,
        Some(src) => Some(src.parse().map_err(|error| format!("{error}"))?),
    };
    let leads_nowhere = matches!(
        kind,
        RouteKind::Blackhole | RouteKind::Unreachable | RouteKind::Prohibit | RouteKind::Throw
    );
    let hops = object.list("nexthops");
    let next_hops = if leads_nowhere {
        Vec::new()
    } else if hops.is_empty() {
        vec![next_hop(object, link)?]
    } else {
        let hops = hops.iter().map(|hop| next_hop(hop, link));
        hops.collect::<Result<_, _>>()?
    };
    Ok(Route {
        table: table(object),
        kind,
        dst,
        src,
        tos: tos(object)?,
        metric: object.optional("metric")?.unwrap_or(0),
        preferred_source: object.text("prefsrc").and_then(|text| text.parse().ok()),
        next_hops,
    })
}

fn table(object: &Object) -> u32 {
    match object.text("table") {
        Some(name) => table_number(name),
        None => object.number("table").unwrap_or(254),
    }
}

fn next_hop(
    object: &Object,
    link: &mut impl FnMut(&str) -> Option<u32>,
) -> Result<NextHop, String> {
    let gateway = match gateway_of(object) {
        Some(text) => {
            let wrong = |_| format!("`{text}` is no gateway");
            Some(text.parse::<IpAddr>().map_err(wrong)?)
        }
        None => None,
    };
    Ok(NextHop {
        link: object.text("dev").and_then(link),
        gateway,
        weight: object.optional("weight")?.unwrap_or(1),
        dead: object.flag("flags", "dead"),
    })
}

/// The gateway, which a route of IPv4 may have in IPv6.
fn gateway_of(object: &Object) -> Option<&str> {
    let via = object.0.get("via").and_then(|via| via["host"].as_str());
    via.or_else(|| object.text("gateway"))
}

/// The family of a default route. IPv6 alone has a preference, and a gateway of the other
/// family stands in `via`.
fn family_of(object: &Object) -> Family {
    let hops = object.list("nexthops");
    let gateways = [object].into_iter().chain(&hops);
    let is_v6 = object.has("pref")
        || gateways
            .filter_map(|hop| hop.0.get("gateway").and_then(Value::as_str))
            .any(|gateway| gateway.contains(':'));
    if is_v6 { Family::V6 } else { Family::V4 }
}

fn kind_of(name: &str) -> Option<RouteKind> {
    Some(match name {
        "unicast" => RouteKind::Unicast,
        "local" => RouteKind::Local,
        "broadcast" => RouteKind::Broadcast,
        "anycast" => RouteKind::Anycast,
        "multicast" => RouteKind::Multicast,
        "blackhole" => RouteKind::Blackhole,
        "unreachable" => RouteKind::Unreachable,
        "prohibit" => RouteKind::Prohibit,
        "throw" => RouteKind::Throw,
        _ => return None,
    })
}
