//! Links, addresses, routes and routing rules.

use std::path::Path;

use anyhow::Context as _;
use host::{Address, GapKind, Host, Link, RoutingRule, parse};
use net::Family;

use crate::args::HostArgs;

use super::{Desk, index_of};

/// Where the numbers of links that only a short form names begin: beyond those of files.
const MADE_UP: u32 = 1 << 20;
/// The priority of the last rule that IPv4 has by itself and IPv6 has not (fib_rules.c).
const DEFAULT_RULE: u32 = 32767;

/// Reads the files, then the short forms beside them.
pub(super) fn read(desk: &mut Desk, args: &HostArgs) -> anyhow::Result<()> {
    links(desk, args)?;
    addresses(desk, args)?;
    rules(desk, args)?;
    routes(desk, args)
}

/// `ip -j addr` lists the links as well, and serves where nothing else tells them.
fn links(desk: &mut Desk, args: &HostArgs) -> anyhow::Result<()> {
    let files = if args.links.is_empty() {
        &args.addresses
    } else {
        &args.links
    };
    if files.is_empty() {
        return Ok(());
    }
    desk.host.links.clear();
    for path in files {
        let links = desk.parsed(GapKind::Routing, path, |_, input| parse::ip_links(input))?;
        for link in links {
            if desk.host.link(link.index).is_none() {
                desk.host.links.push(link);
            }
        }
    }
    desk.host.links.sort_by_key(|link| link.index);
    desk.host.given.links = true;
    Ok(())
}

fn addresses(desk: &mut Desk, args: &HostArgs) -> anyhow::Result<()> {
    if !args.addresses.is_empty() {
        desk.host.addresses.clear();
        desk.forget(GapKind::Routing);
    }
    for path in &args.addresses {
        let addresses = desk.parsed(GapKind::Routing, path, |_, input| {
            parse::ip_addresses(input)
        })?;
        desk.host.addresses.extend(addresses);
    }
    for text in &args.address {
        let found = parse::address(text).context("--address")?;
        let link = link_for(&mut desk.host, &found.link);
        let same = |a: &&Address| a.link == link && a.prefix == found.prefix;
        let secondary = desk.host.addresses.iter().any(|a| same(&a));
        desk.host.addresses.push(Address {
            link,
            addr: found.addr,
            prefix: found.prefix,
            peer: None,
            secondary,
            scope: 0,
        });
    }
    // Nobody types the loopback addresses by hand.
    desk.host.given.addresses |= !args.addresses.is_empty();
    Ok(())
}

/// The index of a link, which comes to be where no file has it.
fn link_for(host: &mut Host, name: &str) -> u32 {
    if let Some(index) = index_of(host, name) {
        return index;
    }
    let beyond = host.links.iter().map(|link| link.index + 1).max();
    let index = beyond.unwrap_or(0).max(MADE_UP);
    host.links.push(Link::named(index, name));
    index
}

fn rules(desk: &mut Desk, args: &HostArgs) -> anyhow::Result<()> {
    if args.ip_rules.is_empty() {
        return Ok(());
    }
    desk.host.routing_rules.clear();
    for path in &args.ip_rules {
        let rules = desk.parsed(GapKind::Routing, path, |_, input| {
            let (rules, problems) = parse::ip_rules(input, Family::V4);
            match family(&rules, path) {
                Family::V4 => (rules, problems),
                Family::V6 => parse::ip_rules(input, Family::V6),
            }
        })?;
        desk.host.routing_rules.extend(rules);
    }
    desk.host.routing_rules.sort_by_key(|rule| rule.priority);
    let has = |family| {
        desk.host
            .routing_rules
            .iter()
            .any(|rule| rule.family == family)
    };
    desk.host.given.routing_rules = has(Family::V4) && has(Family::V6);
    Ok(())
}

/// The family that a list of rules is of, which it does not say: that of an address in it,
/// else IPv4 where the rule is that only IPv4 has, else what the name of the file says.
fn family(rules: &[RoutingRule], path: &Path) -> Family {
    let prefixes = rules.iter().flat_map(|rule| [rule.src, rule.dst]);
    if let Some(prefix) = prefixes.flatten().find(|prefix| prefix.len() > 0) {
        return prefix.family();
    }
    let is_v4 = rules.iter().any(|rule| rule.priority == DEFAULT_RULE);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if is_v4 || !name.contains('6') {
        Family::V4
    } else {
        Family::V6
    }
}

fn routes(desk: &mut Desk, args: &HostArgs) -> anyhow::Result<()> {
    if !args.routes.is_empty() {
        desk.host.routes.clear();
    }
    for path in &args.routes {
        let routes = desk.parsed(GapKind::Routing, path, |host, input| {
            parse::ip_routes(input, |name| index_of(host, name))
        })?;
        desk.host.routes.extend(routes);
        desk.host.given.routes = true;
    }
    for text in &args.route {
        let mut words = text.split_whitespace().skip_while(|word| *word != "dev");
        let named = words.nth(1).filter(|_| !desk.host.given.links);
        if let Some(name) = named {
            let _ = link_for(&mut desk.host, name);
        }
        let host = &desk.host;
        let route = parse::route(text, |name| index_of(host, name)).context("--route")?;
        desk.host.routes.push(route);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(words: &[(&str, &str)]) -> Host {
        let mut args = HostArgs::default();
        for (option, text) in words {
            match *option {
                "address" => args.address.push((*text).to_owned()),
                _ => args.route.push((*text).to_owned()),
            }
        }
        let mut desk = Desk::default();
        read(&mut desk, &args).unwrap();
        desk.host
    }

    #[test]
    fn a_short_form_makes_the_link_it_names() {
        let host = put(&[
            ("address", "192.0.2.1/24@eth0"),
            ("address", "192.0.2.2/24@eth0"),
            ("route", "default via 192.0.2.254 dev eth0"),
        ]);
        let names: Vec<_> = host.links.iter().map(|link| link.name.as_str()).collect();
        assert_eq!(names, ["eth0"]);
        let secondary: Vec<_> = host.addresses.iter().map(|a| a.secondary).collect();
        assert_eq!(secondary, [false, true]);
        assert_eq!(host.routes[0].next_hops[0].link, Some(host.links[0].index));
    }

    #[test]
    fn rules_of_ipv6_are_told_by_what_they_lack() {
        let rule = |priority| RoutingRule::lookup(Family::V4, priority, 254);
        let v6_file = Path::new("ip-6-rule.json");
        assert_eq!(family(&[rule(0), rule(32766)], v6_file), Family::V6);
        assert_eq!(family(&[rule(0), rule(32767)], v6_file), Family::V4);
        assert_eq!(family(&[rule(0)], Path::new("rules.json")), Family::V4);
    }
}
