//! Who holds ports of small hosts.

use super::*;
use crate::findings::tests::{RULES_WITH_ENDPOINTS, RULES_WITHOUT_ENDPOINTS, World};
use crate::scan::scan;

const PUBLISHED: &str = "*nat\n:PREROUTING ACCEPT\n:OUTPUT ACCEPT\n:DOCKER -\n\
    -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n\
    -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80\n\
    COMMIT\n*filter\n:INPUT ACCEPT\n-A INPUT -p tcp --dport 9999 -j DROP\nCOMMIT\n";

/// Each held port in a line: number, protocol, holder, Services, and where it leads.
fn told(rules: &str, listeners: &[&str], promised: &[Frontend]) -> Vec<String> {
    let world = World::of(rules, listeners);
    let listeners = scan(&world.host, &[], &world, |_, _| {});
    let map = ports(&world.host, &[], &listeners, promised);
    let line = |port: &HeldPort| {
        let services = port.services.iter().map(|name| format!(" {name}"));
        let leads = port.leads_to.iter().map(|to| format!(" → {to}"));
        let rest: String = services.chain(leads).collect();
        format!("{}/{} {:?}{rest}", port.port, port.proto, port.hold())
    };
    map.held.iter().map(line).collect()
}

#[test]
fn a_process_and_a_service_on_one_port_both_hold_it() {
    let listeners = ["tcp/0.0.0.0:22=sshd", "tcp/0.0.0.0:30584=python3"];
    assert_eq!(
        told(RULES_WITHOUT_ENDPOINTS, &listeners, &[]),
        ["22/tcp Process", "30584/tcp Both default/nginx:http"]
    );
}

#[test]
fn a_proxy_that_listens_for_its_service_is_no_holder_of_its_own() {
    let listeners = [
        "tcp/0.0.0.0:10256=kube-proxy",
        "tcp/0.0.0.0:31081=kube-proxy",
    ];
    assert_eq!(
        told(RULES_WITH_ENDPOINTS, &listeners, &[]),
        ["10256/tcp Process", "31081/tcp Service shop/web:http"]
    );
}

#[test]
fn a_rule_holds_a_port_whose_clients_it_leads_away_and_not_one_it_shuts() {
    assert_eq!(told(PUBLISHED, &[], &[]), ["8080/tcp Rule → 172.17.0.2:80"]);
    assert_eq!(
        told(PUBLISHED, &["tcp/0.0.0.0:8080=java"], &[]),
        ["8080/tcp Both → 172.17.0.2:80"]
    );
}

#[test]
fn a_promised_node_port_is_held_before_any_rule_is_there() {
    let promised = Frontend {
        port: 30000,
        proto: Some(Proto::UDP),
        addr: None,
        service: Some("shop/dns".parse().unwrap()),
    };
    assert_eq!(
        told("*filter\n:INPUT ACCEPT\nCOMMIT\n", &[], &[promised]),
        ["30000/udp Service shop/dns"]
    );
}

#[test]
fn a_port_is_free_where_no_socket_has_it_and_no_rule_names_it() {
    let world = World::of(PUBLISHED, &["tcp/0.0.0.0:9997=web"]);
    let listeners = scan(&world.host, &[], &world, |_, _| {});
    let map = ports(&world.host, &[], &listeners, &[]);
    let room = map.room(Proto::TCP, 9997..=10000);
    let expected = Room {
        taken: 2,
        free: 2,
        first_free: Some(9998),
    };
    assert_eq!(room, expected);
    assert_eq!(map.room(Proto::UDP, 9997..=9999).taken, 0);
    assert_eq!(map.room(Proto::TCP, 9999..=9999).first_free, None);
}
