//! What the readers of `ip -j` make of real and of odd input.

use net::{Family, Prefix, Proto};

use super::*;
use crate::RoutingAction::{Goto, Nop, Prohibit, Vrf};
use crate::parse::Problem;
use crate::{NextHop, RouteKind, RoutingAction};

fn input(text: &str) -> Input<'_> {
    Input {
        name: "ip.json",
        text: text.as_bytes(),
    }
}

fn index_of(name: &str) -> Option<u32> {
    match name {
        "lo" => Some(1),
        "d0" => Some(2),
        _ => None,
    }
}

fn story(name: &str) -> String {
    let path = format!("../testkit/data/kube-proxy-1.20-story/nft/{name}");
    std::fs::read_to_string(path).unwrap()
}

fn route(text: &str) -> (crate::Route, Vec<Problem>) {
    let (mut routes, problems) = ip_routes(input(text), index_of);
    (routes.remove(0), problems)
}

#[test]
fn a_whole_node_is_read() {
    let (links, problems) = ip_links(input(&story("ip-link.json")));
    assert_eq!(problems, []);
    let eth0 = &links[1];
    assert_eq!((&*eth0.name, &*eth0.kind), ("eth0", "veth"));
    assert!(eth0.up && eth0.peer_elsewhere && !eth0.loopback);
    assert!(links[0].loopback && links[0].hardware_type == 772);
    let (addresses, problems) = ip_addresses(input(&story("ip-addr.json")));
    assert_eq!(problems, []);
    let second = &addresses[3];
    assert_eq!(second.addr.to_string(), "172.20.31.11");
    assert!(second.secondary);
    let name = |name: &str| links.iter().find(|l| l.name == name).map(|l| l.index);
    let (routes, problems) = ip_routes(input(&story("ip-route.json")), name);
    assert_eq!((routes.len(), problems), (47, Vec::new()));
    let (v6, problems) = ip_routes(input(&story("ip-6-route.json")), name);
    assert_eq!(problems, []);
    let of_v6 = |route: &&crate::Route| route.dst.family() == Family::V6;
    assert_eq!(routes.iter().filter(of_v6).count(), v6.len());
    let (rules, problems) = ip_rules(input(&story("ip-rule.json")), Family::V4);
    assert_eq!(problems, []);
    let tables = rules.iter().map(|rule| rule.action.clone());
    let expected = [255, 254, 253].map(RoutingAction::Table);
    assert_eq!(tables.collect::<Vec<_>>(), expected);
}

#[test]
fn a_route_may_have_several_ways_on() {
    let text = r#"[{"dst":"10.0.0.0/8","flags":["linkdown"],"nexthops":[
        {"gateway":"192.0.2.2","dev":"d0","weight":3,"flags":["dead","linkdown"]},
        {"via":{"family":"inet6","host":"fd00::2"},"dev":"d0","weight":1,"flags":[]}]}]"#;
    let (route, problems) = route(text);
    let hop = |gateway: &str, weight, dead| NextHop {
        link: Some(2),
        gateway: gateway.parse().ok(),
        weight,
        dead,
    };
    assert_eq!(problems, []);
    assert_eq!(
        route.next_hops,
        [hop("192.0.2.2", 3, true), hop("fd00::2", 1, false)]
    );
}

#[test]
fn a_route_that_leads_nowhere_has_no_next_hop() {
    let text = r#"[{"type":"unreachable","dst":"fd00::/8","dev":"lo","table":"77","metric":5,"flags":[],"pref":"medium"}]"#;
    let (route, _) = route(text);
    assert_eq!((route.kind, route.table), (RouteKind::Unreachable, 77));
    assert_eq!((route.metric, route.next_hops), (5, Vec::new()));
}

#[test]
fn a_default_route_is_of_the_family_that_its_keys_tell() {
    let v4 = r#"[{"dst":"default","dev":"d0","scope":"link","flags":[]}]"#;
    assert_eq!(route(v4).0.dst, Prefix::all(Family::V4));
    let v6 = r#"[{"dst":"default","dev":"d0","metric":1024,"flags":[],"pref":"medium"}]"#;
    assert_eq!(route(v6).0.dst, Prefix::all(Family::V6));
    let through = r#"[{"dst":"default","via":{"family":"inet6","host":"fe80::1"},"dev":"d0"}]"#;
    assert_eq!(route(through).0.dst, Prefix::all(Family::V4));
}

#[test]
fn a_table_by_name_has_the_same_number_in_routes_and_rules() {
    let (of_route, _) = route(r#"[{"dst":"10.0.0.0/8","dev":"d0","table":"blue"}]"#);
    let rule = r#"[{"priority":5,"src":"all","table":"blue"}]"#;
    let (rules, _) = ip_rules(input(rule), Family::V4);
    assert_eq!(rules[0].action, RoutingAction::Table(of_route.table));
}

#[test]
fn a_device_that_nobody_knows_is_a_problem_of_its_route() {
    let (route, problems) = route(r#"[{"dst":"10.0.0.0/8","dev":"gone"}]"#);
    assert_eq!((route.next_hops[0].link, problems.len()), (None, 1));
}

#[test]
fn every_selector_of_a_rule_is_read() {
    let text = r#"[{"priority":32765,"not":null,"src":"10.0.0.0","srclen":8,"dst":"10.1.0.0",
        "dstlen":16,"tos":"0x10","fwmark":"0x1","fwmask":"0xff","iif":"d0","oif":"d1",
        "uid_start":0,"uid_end":5,"ipproto":"tcp","sport_start":1,"sport_end":2,"dport":80,
        "table":"77","suppress_prefixlen":0,"suppress_ifgroup":"7"}]"#;
    let (rules, problems) = ip_rules(input(text), Family::V4);
    assert_eq!(problems, []);
    let expected = crate::RoutingRule {
        family: Family::V4,
        priority: 32765,
        inverted: true,
        src: Some("10.0.0.0/8".parse().unwrap()),
        dst: Some("10.1.0.0/16".parse().unwrap()),
        iif: Some("d0".to_owned()),
        oif: Some("d1".to_owned()),
        mark: Some((1, 0xff)),
        tos: 0x10,
        proto: Some(Proto::TCP),
        sport: Some((1, 2)),
        dport: Some((80, 80)),
        uid: Some((0, 5)),
        suppress_prefix_len: Some(0),
        suppress_group: Some(7),
        action: RoutingAction::Table(77),
    };
    assert_eq!(rules, [expected]);
}

#[test]
fn rules_do_what_their_keys_say() {
    let text = r#"[{"priority":1,"src":"all","l3mdev":null},{"priority":2,"src":"1.2.3.8","nop":null},
        {"priority":3,"src":"all","goto":32766},{"priority":4,"src":"all","action":"prohibit"},
        {"priority":5,"src":"all","tun_id":7,"table":"main"}]"#;
    let (rules, problems) = ip_rules(input(text), Family::V4);
    let actions: Vec<_> = rules.into_iter().map(|rule| rule.action).collect();
    assert_eq!(actions, [Vrf, Nop, Goto(32766), Prohibit, rules::UNKNOWN]);
    assert_eq!(problems.len(), 1);
}

#[test]
fn the_other_end_of_an_address_carries_the_prefix() {
    let text = r#"[{},{"ifindex":3,"ifname":"d0","addr_info":[{},{"family":"inet","local":"192.0.3.1",
        "address":"192.0.3.2","prefixlen":32,"scope":"link","label":"d0"}]}]"#;
    let (addresses, problems) = ip_addresses(input(text));
    assert_eq!(problems, []);
    assert_eq!(addresses[0].prefix.to_string(), "192.0.3.2/32");
    assert_eq!(addresses[0].peer.unwrap().to_string(), "192.0.3.2");
    assert_eq!(addresses[0].scope, 253);
}

#[test]
fn what_stands_before_the_end_of_a_cut_file_is_kept() {
    let whole = story("ip-route.json");
    let cut = &whole[..whole.len() / 2];
    let (routes, problems) = ip_routes(input(cut), |_| Some(1));
    assert!(routes.len() > 10);
    assert_eq!(problems.len(), 1);
}

#[test]
fn lists_may_stand_one_behind_the_other() {
    let text =
        "[]\n[{\"dst\":\"10.0.0.0/8\",\"dev\":\"d0\"}]\n[{\"dst\":\"fd00::/8\",\"dev\":\"d0\"}]\n";
    let (routes, problems) = ip_routes(input(text), index_of);
    assert_eq!((routes.len(), problems.len()), (2, 0));
    assert_eq!(ip_routes(input(""), index_of), (Vec::new(), Vec::new()));
}

#[test]
fn garbage_is_a_problem() {
    for text in [
        "{\"a\":1}",
        "[1,{\"dst\":7}]",
        "\u{0}",
        "[[[[",
        "[{\"ifindex\":99999999999999}]",
    ] {
        assert!(!ip_routes(input(text), index_of).1.is_empty(), "{text}");
        assert!(!ip_links(input(text)).1.is_empty(), "{text}");
    }
}
