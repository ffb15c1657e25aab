//! What scans find on small hosts.

use super::*;
use crate::findings::tests::{RULES_WITH_ENDPOINTS, RULES_WITHOUT_ENDPOINTS, World};

fn fates(rules: &str, listeners: &[&str]) -> Vec<[Option<Fate>; 3]> {
    let world = World::of(rules, listeners);
    let found = scan(&world.host, &[], &world, |_, _| {});
    let of = |listener: &Listener| {
        let kinds = [From::Outside, From::Pod, From::Local];
        kinds.map(|kind| listener.fate(kind))
    };
    found.iter().map(of).collect()
}

const ARRIVES: Option<Fate> = Some(Fate::Arrives);
const LOST: Option<Fate> = Some(Fate::Lost);
const BLOCKED: Option<Fate> = Some(Fate::Blocked);

#[test]
fn a_port_that_a_service_takes_is_lost_and_others_are_not() {
    let listeners = ["tcp/0.0.0.0:30584=python3", "tcp/0.0.0.0:22=sshd"];
    let found = fates(RULES_WITHOUT_ENDPOINTS, &listeners);
    assert_eq!(found, [[ARRIVES, None, ARRIVES], [LOST, None, LOST]]);
    let found = fates(RULES_WITH_ENDPOINTS, &["tcp/0.0.0.0:31081=python3"]);
    assert_eq!(found, [[LOST, None, LOST]]);
}

#[test]
fn a_proxy_that_holds_the_ports_of_its_services_loses_nothing() {
    let listeners = ["tcp/0.0.0.0:30584=kube-proxy"];
    let found = fates(RULES_WITHOUT_ENDPOINTS, &listeners);
    assert_eq!(found, [[ARRIVES, None, ARRIVES]]);
}

#[test]
fn a_rule_for_the_port_makes_it_lost_and_one_for_more_makes_it_blocked() {
    let rules = |rule: &str| format!("*filter\n:INPUT ACCEPT\n:A -\n{rule}\nCOMMIT\n");
    let of = |rule: &str| fates(&rules(rule), &["tcp/192.168.77.1:80=web"])[0][0];
    assert_eq!(of("-A INPUT -p tcp --dport 80 -j DROP"), LOST);
    assert_eq!(of("-A INPUT -p tcp --dport 1:1024 -j DROP"), BLOCKED);
    assert_eq!(of("-A INPUT -i eth0 -j DROP"), BLOCKED);
    assert_eq!(
        of("-A INPUT -p tcp -m multiport --dports 79,80 -j REJECT"),
        LOST
    );
    // What leads there counts, if it has not returned.
    let called = "-A INPUT -p tcp --dport 80 -j A\n-A A -j DROP";
    assert_eq!(of(called), LOST);
    let returned = "-A A -j RETURN\n-A INPUT -p tcp --dport 80 -j A\n-A INPUT -j DROP";
    assert_eq!(of(returned), BLOCKED);
}

#[test]
fn a_part_that_fares_badly_is_a_region_of_its_own() {
    let rules = "*filter\n:INPUT ACCEPT\n-A INPUT -s 10.1.2.3/32 -j ACCEPT\n\
                 -A INPUT -s 10.0.0.0/8 -p tcp --dport 80 -j REJECT\nCOMMIT\n";
    let world = World::of(rules, &["tcp/0.0.0.0:80=web"]);
    let found = scan(&world.host, &[], &world, |_, _| {});
    let outside = &found[0].heard[0];
    let lost = outside
        .of_kind(From::Outside)
        .find(|(.., fate)| *fate == Fate::Lost);
    let (answer, ..) = lost.unwrap();
    let ten = |text: &str| net::addr_bits(text.parse().unwrap());
    let expected = [
        (ten("10.0.0.0"), ten("10.1.2.2")),
        (ten("10.1.2.4"), ten("10.255.255.255")),
    ];
    assert_eq!(answer.region.ranges, expected);
}

#[test]
fn sockets_that_share_a_port_are_one_listener_and_addresses_that_fare_alike_one_target() {
    let listeners = ["tcp/0.0.0.0:80=a", "tcp/0.0.0.0:80=b", "tcp/127.0.0.1:81=c"];
    let world = World::of("*filter\n:INPUT ACCEPT\nCOMMIT\n", &listeners);
    let found = scan(&world.host, &[], &world, |_, _| {});
    let sizes: Vec<_> = found
        .iter()
        .map(|one| (one.sockets.len(), one.heard.len()))
        .collect();
    assert_eq!(sizes, [(2, 2), (1, 1)]);
    let addrs = |at: usize| found[0].heard[at].addrs.clone();
    assert_eq!(addrs(0), ["192.168.77.1".parse::<IpAddr>().unwrap()]);
    assert_eq!(addrs(1), ["127.0.0.1".parse::<IpAddr>().unwrap()]);
}

#[test]
fn a_wildcard_is_not_asked_where_another_socket_goes_first() {
    let listeners = ["tcp/0.0.0.0:80=any", "tcp/192.168.77.1:80=one"];
    let world = World::of("*filter\n:INPUT ACCEPT\nCOMMIT\n", &listeners);
    let found = scan(&world.host, &[], &world, |_, _| {});
    let any = &found[0];
    assert!(any.sockets[0].addr.is_unspecified());
    let addrs: Vec<_> = any.heard.iter().flat_map(|heard| &heard.addrs).collect();
    assert_eq!(addrs, [&"127.0.0.1".parse::<IpAddr>().unwrap()]);
}

#[test]
fn a_listener_on_an_address_that_is_not_there_is_heard_by_nobody() {
    let found = fates(
        "*filter\n:INPUT ACCEPT\nCOMMIT\n",
        &["tcp/192.0.2.9:80=web"],
    );
    assert_eq!(found, [[None, None, None]]);
}
