//! Bytes that a kernel answered, decoded, against what the programs of the same host listed.

#![expect(
    clippy::unwrap_used,
    reason = "a test helper that fails fails its test"
)]

use std::path::PathBuf;

use host::dump::{Bypass, Dump, Unread};
use host::nft::{Data, Element, Expr, Key, Set, Verdict};
use host::parse::{Input, ip_addresses, ip_links, ip_routes, ip_rules, iptables_save};
use host::xt::{Match, Target};
use host::{
    Address, ChainKind, Gap, GapKind, Holder, Hook, Host, IpSetMember, Language, Link, NextHop,
    Policy, RouteKind, RoutingAction, RuleBody, Socket, SocketState, Table, TableFamily,
};
use net::{Family, Proto};

fn file(name: &str) -> Vec<u8> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../testkit/data/wire");
    std::fs::read(dir.join(name)).unwrap()
}

fn decoded(name: &str) -> Host {
    host::wire::host(&Dump::from_bytes(&file(name)).unwrap())
}

fn saved(names: [&str; 2]) -> Vec<Table> {
    let mut tables = Vec::new();
    for name in names {
        let bytes = file(name);
        let (read, _, problems) = iptables_save(Input { name, text: &bytes });
        assert_eq!(problems, Vec::new());
        tables.extend(read);
    }
    tables
}

/// Only what both the bytes and the text of a table can tell.
fn comparable(mut tables: Vec<Table>) -> Vec<Table> {
    let chains = tables.iter_mut().flat_map(|table| &mut table.chains);
    for rule in chains.flat_map(|chain| &mut chain.rules) {
        rule.text = None;
        if let RuleBody::Xt(xt) = &mut rule.body {
            xt.matches.iter_mut().for_each(forget);
            forget_target(&mut xt.target);
        }
    }
    tables.sort_by(|a, b| (a.family, &a.name).cmp(&(b.family, &b.name)));
    tables
}

fn forget(test: &mut Match) {
    if let Match::Set(set) = test {
        set.index = None;
    } else if let Match::Gap { options, .. } = test {
        *options = Box::default();
    }
}

fn forget_target(target: &mut Target) {
    if let Target::Gap { options, .. } = target {
        *options = Box::default();
    }
}

#[test]
fn legacy_tables_are_the_same_as_bytes_and_as_text() {
    let bytes = comparable(decoded("legacy.snapshot").ruleset.tables);
    let text = comparable(saved([
        "legacy-v4.iptables-save",
        "legacy-v6.ip6tables-save",
    ]));
    for (bytes, text) in bytes.iter().zip(&text) {
        assert_eq!(bytes.language, Language::Legacy);
        for (bytes, text) in bytes.chains.iter().zip(&text.chains) {
            for (bytes, text) in bytes.rules.iter().zip(&text.rules) {
                assert_eq!(bytes, text);
            }
        }
    }
    assert_eq!(bytes, text);
    assert_eq!(decoded("legacy.snapshot").gaps, []);
}

/// What iptables-nft writes in expressions of its own rather than as an xt match.
fn is_native(test: &Match) -> bool {
    match test {
        Match::Src(_)
        | Match::Dst(_)
        | Match::In(_)
        | Match::Out(_)
        | Match::Proto(_)
        | Match::Fragment(_)
        | Match::Udp(_)
        | Match::Limit(_)
        | Match::Mark(_) => true,
        Match::Tcp(tcp) => tcp.option.is_none(),
        Match::Sctp(_)
        | Match::Icmp(_)
        | Match::Multiport(_)
        | Match::Conntrack(_)
        | Match::AddrType(_)
        | Match::Connmark(_)
        | Match::Comment(_)
        | Match::Recent(_)
        | Match::Statistic(_)
        | Match::Set(_)
        | Match::IpRange(_)
        | Match::Mac(_)
        | Match::Owner(_)
        | Match::PktType(_)
        | Match::RpFilter(_)
        | Match::Socket(_)
        | Match::Policy(_)
        | Match::Ipvs(_)
        | Match::Physdev(_)
        | Match::Gap { .. } => false,
    }
}

/// The xt parts of a rule, its target last.
fn xt_parts(rule: &host::Rule) -> Vec<(Option<Match>, Option<Target>)> {
    let mut parts = Vec::new();
    match &rule.body {
        RuleBody::Xt(xt) => {
            let matches = xt.matches.iter().filter(|test| !is_native(test));
            parts.extend(matches.map(|test| (Some(test.clone()), None)));
            let named = match &xt.target {
                Target::None
                | Target::Accept
                | Target::Drop
                | Target::Return
                | Target::Jump(_)
                | Target::Goto(_) => false,
                Target::Pass(name) => !matches!(&**name, "NFLOG" | "TRACE"),
                Target::Reject(_)
                | Target::Dnat(_)
                | Target::Snat(_)
                | Target::Masquerade(_)
                | Target::Redirect(_)
                | Target::Netmap(_)
                | Target::Mark { .. }
                | Target::Connmark { .. }
                | Target::Notrack
                | Target::Queue { .. }
                | Target::Gap { .. } => true,
            };
            parts.extend(named.then(|| (None, Some(xt.target.clone()))));
        }
        RuleBody::Nft(exprs) => {
            for expr in exprs {
                if let Expr::Match(test) = expr {
                    parts.push((Some(test.clone()), None));
                } else if let Expr::Target(target) = expr {
                    parts.push((None, Some(target.clone())));
                }
            }
        }
        RuleBody::Gap(what) => panic!("{what}"),
    }
    for (test, target) in &mut parts {
        test.iter_mut().for_each(forget);
        target.iter_mut().for_each(forget_target);
    }
    parts
}

#[test]
fn xt_parts_of_nftables_rules_are_what_iptables_nft_prints() {
    let tables = decoded("compat.snapshot").ruleset.tables;
    let saved = saved(["compat-v4.iptables-save", "compat-v6.ip6tables-save"]);
    let mut count = 0;
    for table in &saved {
        let same = |other: &&Table| other.family == table.family && other.name == table.name;
        let bytes = tables.iter().find(same).unwrap();
        for text in &table.chains {
            let Some(bytes) = bytes.chains.iter().find(|chain| chain.name == text.name) else {
                // A base chain that nobody used is not there.
                assert_eq!(text.rules, []);
                continue;
            };
            // iptables-nft puts the chains of `security` at 150, where the kernel's own are at 50.
            let mut base = text.base.clone();
            if let Some(base) = base.as_mut().filter(|_| table.name == "security") {
                base.priority = 150;
            }
            assert_eq!(bytes.base, base, "{}", text.name);
            assert_eq!(bytes.rules.len(), text.rules.len(), "{}", text.name);
            for (bytes, text) in bytes.rules.iter().zip(&text.rules) {
                assert_eq!(xt_parts(bytes), xt_parts(text), "{:?}", text.text);
                assert_eq!(bytes.comment, text.comment);
                count += 1;
            }
        }
    }
    assert!(count > 100, "only {count} rules");
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

fn key(element: &Element) -> String {
    let Key::Fields(fields) = &element.key else {
        return "*".to_owned();
    };
    let field = |range: &host::nft::KeyRange| match (hex(&range.first), hex(&range.last)) {
        (first, last) if first == last => first,
        (first, last) => format!("{first}-{last}"),
    };
    fields.iter().map(field).collect::<Vec<_>>().join(" . ")
}

/// The set's elements, sorted: hash sets have no order of their own.
fn elements(host: &Host, name: &str) -> Vec<String> {
    let set = set(host, name);
    assert!(!set.unread, "{name}");
    let data = |element: &Element| match &element.data {
        None => String::new(),
        Some(Data::Value(bytes)) => format!(" : {}", hex(bytes)),
        Some(Data::Range(first, last)) => format!(" : {}-{}", hex(first), hex(last)),
        Some(Data::Verdict(verdict)) => format!(" : {verdict:?}"),
        Some(Data::Object(name)) => format!(" : {name}"),
    };
    let element = |element: &Element| format!("{}{}", key(element), data(element));
    let mut elements: Vec<String> = set.elements.iter().map(element).collect();
    elements.sort();
    elements
}

fn set<'a>(host: &'a Host, name: &str) -> &'a Set {
    let mut sets = host.ruleset.tables.iter().flat_map(|table| &table.sets);
    sets.find(|set| set.name == name).unwrap()
}

#[test]
fn ranges_of_a_set_include_both_ends() {
    let host = decoded("every.snapshot");
    let nets = ["0a010000-0a01ffff", "c0000205", "c000020a-c0000214"];
    assert_eq!(elements(&host, "nets")[..3], nets);
    assert_eq!(elements(&host, "nets")[3..], ["ffffff00-ffffffff"]);
    assert_eq!(elements(&host, "zero"), ["0000-03ff", "1f90"]);
    assert_eq!(elements(&host, "__set1"), ["0001-000a", "0014"]);
}

#[test]
fn fields_of_a_concatenation_have_no_padding() {
    let host = decoded("every.snapshot");
    let pairs = ["0a000001 . 06 . 0050", "0a000002 . 11 . 0035"];
    assert_eq!(elements(&host, "pairs"), pairs);
    let pairs = set(&host, "pairs").key.iter();
    assert_eq!(pairs.map(|of| of.len()).collect::<Vec<_>>(), [4, 1, 2]);
    let ranges = ["0a000000-0a0000ff . 03e8-07d0", "0a000101 . 0050"];
    assert_eq!(elements(&host, "ranges"), ranges);
    assert_eq!(elements(&host, "fromtype"), ["0a000001 . 10000000"]);
    assert_eq!(elements(&host, "lengths"), ["00640000 . 0a000001"]);
}

#[test]
fn maps_keep_their_values_as_they_land_in_registers() {
    let host = decoded("every.snapshot");
    let ports = ["0050 : 0a0000011f900000", "01bb : 0a00000220fb0000"];
    assert_eq!(elements(&host, "ports"), ports);
    let spread = ["0a000000-0a0000ff : 0a050001-0a050009"];
    assert_eq!(elements(&host, "spread"), spread);
    assert_eq!(elements(&host, "objs"), ["0050 : hits"]);
}

#[test]
fn a_verdict_map_may_have_ranges_and_an_element_for_the_rest() {
    let host = decoded("every.snapshot");
    let verdicts = [
        "* : Continue",
        "0001-0063 : Drop",
        "0064-00c8 : Jump(\"side\")",
        "00c9 : Goto(\"side\")",
    ];
    assert_eq!(elements(&host, "verdicts"), verdicts);
    let marks = ["01000000 : Accept", "02000000 : Return"];
    assert_eq!(elements(&host, "marks"), marks);
}

#[test]
fn an_empty_set_is_read_and_a_set_without_answer_is_not() {
    let mut dump = Dump::from_bytes(&file("every.snapshot")).unwrap();
    assert!(elements(&host::wire::host(&dump), "empty").is_empty());
    dump.sections.remove("nft/elements");
    let host = host::wire::host(&dump);
    assert!(set(&host, "empty").unread);
}

#[test]
fn comments_and_statements_stay_with_their_elements() {
    let host = decoded("every.snapshot");
    let addrs = &set(&host, "addrs").elements;
    let comments: Vec<_> = addrs.iter().map(|e| e.comment.as_deref()).collect();
    assert_eq!(comments, [None, Some("one")]);
    let nets = set(&host, "nets").elements.iter();
    let comments: Vec<_> = nets.filter_map(|e| e.comment.as_deref()).collect();
    assert_eq!(comments, ["ten to twenty"]);
    assert!(
        matches!(set(&host, "limited").elements[0].exprs[..], [Expr::Limit(limit)] if limit.rate == 1)
    );
}

#[test]
fn base_chains_have_their_place_in_every_family() {
    let host = decoded("every.snapshot");
    let mut places = Vec::new();
    for table in &host.ruleset.tables {
        for chain in table.chains.iter().filter(|chain| chain.base.is_some()) {
            let base = chain.base.as_ref().unwrap();
            let place = (base.hook, base.priority, base.kind, base.policy);
            places.push((table.family, &*chain.name, place));
            let on_device = matches!(base.hook, Hook::Ingress | Hook::Egress);
            assert_eq!(base.devices, if on_device { vec!["lo"] } else { vec![] });
        }
    }
    let (filter, nat, route) = (ChainKind::Filter, ChainKind::Nat, ChainKind::Route);
    let accept = Policy::Accept;
    let inet = TableFamily::Inet;
    let expected = vec![
        (inet, "in", (Hook::Input, -5, filter, Policy::Drop)),
        (inet, "raw", (Hook::Prerouting, -300, filter, accept)),
        (inet, "reroute", (Hook::Output, -150, route, accept)),
        (inet, "early", (Hook::Ingress, 0, filter, accept)),
        (inet, "pre", (Hook::Prerouting, -100, nat, accept)),
        (inet, "post", (Hook::Postrouting, 100, nat, accept)),
        (inet, "tp", (Hook::Prerouting, -150, filter, accept)),
        (inet, "inline", (Hook::Forward, 0, filter, accept)),
        (
            TableFamily::Netdev,
            "lo",
            (Hook::Ingress, -10, filter, accept),
        ),
        (
            TableFamily::Netdev,
            "out",
            (Hook::Egress, 0, filter, accept),
        ),
        (TableFamily::Bridge, "f", (Hook::Forward, 0, filter, accept)),
        (TableFamily::Arp, "o", (Hook::Output, 0, filter, accept)),
        (TableFamily::Ip, "c", (Hook::Input, 0, filter, accept)),
    ];
    assert_eq!(places, expected);
}

#[test]
fn tables_come_by_handle_with_their_objects_and_flags() {
    let host = decoded("every.snapshot");
    let tables = &host.ruleset.tables;
    assert!(tables.is_sorted_by_key(|table| table.handle));
    assert!(
        tables
            .iter()
            .all(|table| table.dormant == (table.name == "asleep"))
    );
    let objects = tables[0].objects.iter().map(|o| (&*o.name, o.kind));
    assert_eq!(
        objects.collect::<Vec<_>>(),
        [("hits", 1), ("q", 2), ("lim", 4)]
    );
    let rule = &tables[0].chains[0].rules[0];
    assert_eq!(rule.comment.as_deref(), Some("known"));
    assert!(host.ruleset.generation.is_some() && host.given.nft);
    let last = tables[0].chains[1].rules.last().unwrap();
    assert_eq!(
        last.body,
        RuleBody::Nft(vec![Expr::Verdict(Verdict::Return)])
    );
    assert_eq!(host.gaps, []);
}

fn addr(text: &str) -> std::net::IpAddr {
    text.parse().unwrap()
}

#[test]
fn links_tell_what_they_are_and_where_they_lead() {
    let host = decoded("routes.snapshot");
    let pod = Link {
        index: 8,
        name: "pod0".into(),
        up: true,
        loopback: false,
        kind: "veth".into(),
        master: None,
        group: 0,
        hardware_type: 1,
        peer_elsewhere: true,
    };
    assert_eq!(host.link_named("pod0"), Some(&pod));
    let bridge = host.link_named("br0").unwrap();
    assert_eq!(host.link_named("v1").unwrap().master, Some(bridge.index));
    assert_eq!(host.link_named("d0").unwrap().group, 7);
    assert!(!host.link_named("d1").unwrap().up);
    let lo = host.link_named("lo").unwrap();
    assert_eq!((lo.loopback, lo.hardware_type), (true, 772));
}

#[test]
fn an_address_knows_its_peer_and_whether_another_comes_first() {
    let host = decoded("routes.snapshot");
    let at = |text: &str| {
        let wanted = addr(text);
        host.addresses
            .iter()
            .find(move |a| a.addr == wanted)
            .unwrap()
    };
    assert!(!at("192.0.2.1").secondary && at("192.0.2.2").secondary);
    let expected = Address {
        link: 6,
        addr: addr("10.0.0.1"),
        prefix: "10.0.0.9/32".parse().unwrap(),
        peer: Some(addr("10.0.0.9")),
        secondary: false,
        scope: 0,
    };
    assert_eq!(at("10.0.0.1"), &expected);
    assert_eq!((at("169.254.1.1").scope, at("127.0.0.1").scope), (253, 254));
    assert_eq!(at("2001:db8::1").prefix, "2001:db8::/64".parse().unwrap());
}

fn way(link: u32, gateway: &str, weight: u32) -> NextHop {
    NextHop {
        link: Some(link),
        gateway: Some(addr(gateway)),
        weight,
        dead: false,
    }
}

#[test]
fn routes_have_all_their_ways() {
    let host = decoded("routes.snapshot");
    let to = |text: &str| {
        let dst = text.parse().unwrap();
        let mut routes = host.routes.iter().filter(move |route| route.dst == dst);
        routes.next().unwrap().clone()
    };
    assert_eq!(to("0.0.0.0/0").next_hops, [way(3, "192.0.2.254", 1)]);
    assert_eq!((to("0.0.0.0/0").metric, to("0.0.0.0/0").table), (100, 254));
    let both = [way(3, "192.0.2.5", 1), way(3, "192.0.2.6", 5)];
    assert_eq!(to("10.10.0.0/16").next_hops, both);
    assert_eq!(to("10.16.0.0/16").next_hops, [way(3, "2001:db8::99", 1)]);
    assert_eq!(to("10.17.0.0/16").next_hops, [way(3, "192.0.2.7", 1)]);
    let group = [way(3, "192.0.2.7", 1), way(3, "192.0.2.8", 4)];
    assert_eq!(to("10.18.0.0/16").next_hops, group);
    for (dst, kind) in [
        ("10.11.0.0/16", RouteKind::Blackhole),
        ("10.12.0.0/16", RouteKind::Unreachable),
        ("10.13.0.0/16", RouteKind::Prohibit),
        ("10.14.0.0/16", RouteKind::Throw),
        ("10.19.0.0/16", RouteKind::Blackhole),
        ("2001:db8:3::/48", RouteKind::Unreachable),
    ] {
        assert_eq!((to(dst).kind, to(dst).next_hops), (kind, vec![]), "{dst}");
    }
    let special = to("10.15.0.0/16");
    let source = Some(addr("192.0.2.2"));
    assert_eq!(
        (special.table, special.tos, special.preferred_source),
        (100, 16, source)
    );
    let from = to("2001:db8:4::/48").src;
    assert_eq!(from, Some("2001:db8:5::/64".parse().unwrap()));
    assert_eq!(to("192.0.2.1/32").kind, RouteKind::Local);
}

#[test]
fn a_route_that_only_names_a_nexthop_object_gets_its_ways() {
    // `nexthop_compat_mode` off: attributes 4, 5 and 9 are not in the answer.
    let dump = Dump::from_bytes(&file("routes.snapshot")).unwrap();
    let mut cut = dump.clone();
    let routes = cut.sections.get_mut("route/routes").unwrap();
    let mut at = 0;
    while at < routes.len() {
        let len = u32::from_ne_bytes(routes[at..at + 4].try_into().unwrap()) as usize;
        let mut attr = at + 28;
        let has_nexthop = dump_has(&routes[at..at + len], 30);
        while attr < at + len {
            let size = u16::from_ne_bytes(routes[attr..attr + 2].try_into().unwrap());
            if has_nexthop && matches!(routes[attr + 2], 4 | 5 | 9) {
                routes[attr + 2] = 99;
            }
            attr += usize::from(size).next_multiple_of(4);
        }
        at += len.next_multiple_of(4);
    }
    assert_ne!(cut, dump);
    assert_eq!(
        host::wire::host(&cut).routes,
        host::wire::host(&dump).routes
    );
}

fn dump_has(message: &[u8], kind: u8) -> bool {
    let mut at = 28;
    while at < message.len() {
        if message[at + 2] == kind {
            return true;
        }
        let size = u16::from_ne_bytes(message[at..at + 2].try_into().unwrap());
        at += usize::from(size).next_multiple_of(4);
    }
    false
}

#[test]
fn routing_rules_have_all_their_selectors() {
    let host = decoded("routes.snapshot");
    let at = |priority: u32| {
        let rule = host
            .routing_rules
            .iter()
            .find(|rule| rule.priority == priority);
        rule.unwrap().clone()
    };
    let first = at(100);
    assert_eq!(first.src, Some("10.0.0.0/8".parse().unwrap()));
    assert_eq!(first.dst, Some("192.0.2.0/24".parse().unwrap()));
    let ifaces = (first.iif.as_deref(), first.oif.as_deref());
    assert_eq!(ifaces, (Some("lo"), Some("d0")));
    assert_eq!((first.mark, first.tos), (Some((0x10, 0xff)), 0x10));
    assert_eq!(first.action, RoutingAction::Table(100));
    assert_eq!(
        (at(200).inverted, at(200).mark),
        (true, Some((5, u32::MAX)))
    );
    let ports = at(300);
    assert_eq!(
        (ports.proto, ports.uid),
        (Some(Proto::TCP), Some((1000, 2000)))
    );
    assert_eq!(
        (ports.sport, ports.dport),
        (Some((100, 200)), Some((443, 443)))
    );
    assert_eq!(at(400).suppress_prefix_len, Some(0));
    assert_eq!(at(500).suppress_group, Some(7));
    for (priority, action) in [
        (0, RoutingAction::Table(255)),
        (300, RoutingAction::Blackhole),
        (600, RoutingAction::Goto(32766)),
        (700, RoutingAction::Nop),
        (800, RoutingAction::Unreachable),
        (900, RoutingAction::Prohibit),
        (1000, RoutingAction::Vrf),
        (32766, RoutingAction::Table(254)),
    ] {
        assert_eq!(at(priority).action, action);
    }
}

#[test]
fn a_routing_rule_with_an_unknown_selector_is_a_gap_in_its_place() {
    let host = decoded("routes.snapshot");
    let rule = host.routing_rules.iter().find(|rule| rule.priority == 1100);
    assert_eq!(rule.unwrap().action, RoutingAction::Unknown(255));
    assert_eq!(host.gaps, []);
}

#[test]
fn sockets_have_their_state_device_mark_and_flags() {
    let host = decoded("sockets.snapshot");
    let at = |proto: Proto, port: u16, state: SocketState| -> Socket {
        let same = |s: &&Socket| (s.proto, s.port, s.state) == (proto, port, state);
        host.sockets.iter().find(same).unwrap().clone()
    };
    let tcp = |port: u16| at(Proto::TCP, port, SocketState::Listen);
    assert_eq!(
        (tcp(80).addr, tcp(81).addr),
        (addr("0.0.0.0"), addr("127.0.0.1"))
    );
    assert_eq!((tcp(82).addr, tcp(82).v6_only), (addr("::"), false));
    assert_eq!((tcp(83).addr, tcp(83).v6_only), (addr("::"), true));
    assert_eq!((tcp(84).addr, tcp(84).v6_only), (addr("::1"), false));
    assert_eq!((tcp(86).device, tcp(80).device), (Some(1), None));
    assert_eq!((tcp(87).mark, tcp(80).mark), (Some(0x1234), Some(0)));
    assert_eq!(
        (tcp(88).transparent, tcp(80).transparent),
        (Some(true), Some(false))
    );
    assert_eq!(tcp(89).addr, addr("127.0.0.1"));
    assert_eq!(at(Proto::TCP, 85, SocketState::Bound).peer, None);
    assert_eq!(at(Proto::UDP, 53, SocketState::Unconnected).peer, None);
    let peer = Some((addr("127.0.0.1"), 53));
    assert_eq!(at(Proto::UDP, 56, SocketState::Connected).peer, peer);
    let peer = Some((addr("127.0.0.1"), 80));
    assert_eq!(at(Proto::TCP, 4001, SocketState::TimeWait).peer, peer);
}

#[test]
fn a_holder_is_known_by_process_or_else_by_cgroup() {
    let host = decoded("sockets.snapshot");
    let holder = |port: u16| {
        let socket = host.sockets.iter().find(|socket| socket.port == port);
        socket.unwrap().holder.clone().unwrap()
    };
    let web = holder(80);
    assert_eq!((&*web.name, web.pid), ("web", Some(4242)));
    assert_eq!(
        web.pod_uid.as_deref(),
        Some("8f3b1c2d-0a1b-4c5d-8e9f-0123456789ab")
    );
    // The process's cgroup could not be read: that of the socket tells the unit.
    assert_eq!(holder(85).unit.as_deref(), Some("dns.service"));
    let dns = Holder {
        name: String::new(),
        pid: None,
        gid: None,
        pod_uid: None,
        container: None,
        unit: Some("dns.service".into()),
    };
    assert_eq!(holder(53), dns);
}

#[test]
fn a_translated_connection_has_both_tuples() {
    let host = decoded("sockets.snapshot");
    let nat = host
        .connections
        .as_slice()
        .iter()
        .find(|c| c.original.dport == 8080)
        .unwrap();
    assert_eq!((nat.proto, nat.mark, nat.zone), (Proto::TCP, 5, 0));
    assert_eq!((nat.reply.src, nat.reply.sport), (addr("127.0.0.1"), 81));
    assert_eq!(nat.status & 0x30, 0x20, "destination translated");
    assert_eq!(host.connections.as_slice().len(), 3);
}

#[test]
fn ipsets_of_every_type_have_their_members() {
    let host = decoded("legacy.snapshot");
    let set = |name: &str| host.ipsets.iter().find(|set| set.name == name).unwrap();
    let members = |name: &str| {
        let mut lines: Vec<String> = Vec::new();
        for entry in &set(name).entries {
            let members: Vec<String> = entry.members.iter().map(member).collect();
            let nomatch = if entry.nomatch { " nomatch" } else { "" };
            lines.push(format!("{}{nomatch}", members.join(",")));
        }
        lines.sort();
        lines
    };
    assert_eq!(members("addrs"), ["10.0.0.1/32", "10.0.0.2/32"]);
    assert_eq!(set("masked").netmask, Some(24));
    assert_eq!(members("masked"), ["10.0.5.0/32"]);
    let nets = ["0.0.0.0/1", "10.1.0.0/16", "10.1.2.0/24 nomatch"];
    assert_eq!(members("nets"), nets);
    assert_eq!(
        members("pairs"),
        ["10.0.0.1/32,tcp:80", "10.0.0.2/32,udp:53"]
    );
    assert_eq!(members("triple"), ["10.0.0.1/32,tcp:80,10.0.0.9/32"]);
    assert_eq!(members("tripnet"), ["10.0.0.1/32,tcp:80,10.2.0.0/24"]);
    assert_eq!(members("netport"), ["10.3.0.0/16,sctp:99"]);
    assert_eq!(members("netif"), ["10.3.0.0/16,eth0"]);
    assert_eq!(members("ports"), ["30080", "30100", "30101", "30102"]);
    assert_eq!(members("bip"), ["10.0.0.7/32"]);
    assert_eq!(members("bipmac"), ["10.0.0.8/32,02:00:00:00:00:03"]);
    assert_eq!(members("six"), ["fd00::1/128"]);
    assert_eq!(
        (members("six6"), set("six6").is_v6),
        (vec!["fd00:1::/64".into()], true)
    );
    assert_eq!(members("list"), ["addrs", "nets"]);
    assert_eq!((members("none"), set("none").fields.len()), (vec![], 1));
    assert_eq!(set("physif").fields, [], "bridge ports are not modelled");
}

fn member(member: &IpSetMember) -> String {
    match member {
        IpSetMember::Net(prefix) => prefix.to_string(),
        IpSetMember::Range(first, last) => format!("{first}-{last}"),
        IpSetMember::Port(proto, port) => format!("{proto}:{port}"),
        IpSetMember::BarePort(port) => port.to_string(),
        IpSetMember::Mac(mac) => {
            let parts: Vec<String> = mac.iter().map(|byte| format!("{byte:02x}")).collect();
            parts.join(":")
        }
        IpSetMember::Iface(name) | IpSetMember::Set(name) => name.clone(),
        IpSetMember::Mark(mark) => format!("{mark:#x}"),
    }
}

#[test]
fn what_could_not_be_read_and_what_bypasses_the_rules_are_gaps() {
    let mut dump = Dump::default();
    dump.sections
        .insert("kernel/release".into(), b"6.18".into());
    dump.unread.push(Unread {
        what: "nftables rules".into(),
        why: "needs CAP_NET_ADMIN: run as root".into(),
    });
    let bypass = Bypass {
        kind: "XDP".into(),
        device: Some("eth0".into()),
        cgroup: None,
        what: "a program sees every frame first".into(),
    };
    let line = serde_json::to_vec(&bypass).unwrap();
    dump.sections.insert("bypasses".into(), line);
    let host = host::wire::host(&dump);
    let unread = Gap {
        kind: GapKind::Rules,
        what: "nftables rules could not be read: needs CAP_NET_ADMIN: run as root".into(),
        device: None,
    };
    let bypass = Gap {
        kind: GapKind::Bypass,
        what: "XDP on eth0: a program sees every frame first".into(),
        device: Some("eth0".into()),
    };
    assert_eq!(host.gaps, [unread, bypass]);
    let given = host.given;
    assert!(!given.nft && !given.rules_v4 && given.ipsets && given.sockets);
}

#[test]
fn routing_is_the_same_as_bytes_and_as_json() {
    let host = decoded("routes.snapshot");
    let index_of = |name: &str| host.link_named(name).map(|link| link.index);
    let (links, _) = ip_links(text("routes.links.json", &file("routes.links.json")));
    assert_eq!(host.links, links);
    let (addresses, _) = ip_addresses(text("", &file("routes.addresses.json")));
    let sorted = |mut addresses: Vec<Address>| {
        addresses.sort_by_key(|a| (a.link, a.addr));
        addresses
    };
    assert_eq!(sorted(host.addresses.clone()), sorted(addresses));
    let mut routes = ip_routes(text("", &file("routes.routes4.json")), index_of).0;
    routes.extend(ip_routes(text("", &file("routes.routes6.json")), index_of).0);
    // This version of ip lists the routes of IPv6 twice.
    routes.truncate(host.routes.len());
    for (bytes, text) in host.routes.iter().zip(&routes) {
        assert_eq!(bytes, text);
    }
    assert_eq!(host.routes.len(), routes.len());
    let mut rules = ip_rules(text("", &file("routes.rules4.json")), Family::V4).0;
    rules.extend(ip_rules(text("", &file("routes.rules6.json")), Family::V6).0);
    rules.sort_by_key(|rule| rule.priority);
    for (bytes, text) in host.routing_rules.iter().zip(&rules) {
        assert_eq!(bytes, text);
    }
    assert_eq!(host.routing_rules.len(), rules.len());
}

fn text<'a>(name: &'a str, bytes: &'a [u8]) -> Input<'a> {
    Input { name, text: bytes }
}
