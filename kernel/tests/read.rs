//! Reads namespaces made for the purpose: what is there is found, and nothing comes to be.
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use host::dump::{Bypass, Dump, Owner, section};
use kernel::netns::{Netns, NetnsRef};
use kernel::socket::probe;
use kernel::{Flow, ReadOptions};
use net::{Endpoint, Proto};
use rustix::net::{AddressFamily, SocketType};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

/// With a lock that root of a user namespace may take as well.
const IPTABLES_LEGACY_RESTORE: &str = "XTABLES_LOCKFILE=/dev/null iptables-legacy-restore";

/// Runs a command line in a namespace with `input` on its standard input.
fn run(netns: &Netns, command: &str, input: &str) {
    let status = netns.run(|| {
        let mut child = Command::new("sh")
            .args(["-c", command])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        child.wait().unwrap()
    });
    assert!(status.unwrap().success(), "{command}");
}

fn read(netns: &Netns) -> Dump {
    let options = ReadOptions {
        netns: Some(netns.reference()),
        ..ReadOptions::default()
    };
    kernel::read(&options).unwrap()
}

fn has(dump: &Dump, section: &str, text: impl AsRef<[u8]>) -> bool {
    let (bytes, text) = (dump.section(section), text.as_ref());
    bytes.windows(text.len()).any(|window| window == text)
}

/// The netlink messages of a section, header included.
fn messages(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut all = Vec::new();
    while let Some(len) = bytes.first_chunk() {
        let len = u32::from_ne_bytes(*len) as usize;
        all.push(&bytes[..len]);
        bytes = &bytes[len.next_multiple_of(4).min(bytes.len())..];
    }
    all
}

/// The set that a message of elements belongs to: the text from `set` to the next NUL.
fn set_name(message: &[u8]) -> &[u8] {
    let start = message
        .windows(3)
        .position(|window| window == b"set")
        .unwrap();
    message[start..].split(|&byte| byte == 0).next().unwrap()
}

fn bypasses(dump: &Dump) -> Vec<(String, Option<String>)> {
    let text = dump.text(section::BYPASSES);
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Bypass>(line).unwrap());
    lines.map(|bypass| (bypass.kind, bypass.device)).collect()
}

fn legacy_names(netns: &Netns) -> [String; 2] {
    let names = || {
        ["ip", "ip6"].map(|family| {
            let path = format!("/proc/thread-self/net/{family}_tables_names");
            fs::read_to_string(path).unwrap_or_default()
        })
    };
    netns.run(names).unwrap()
}

#[test]
fn reading_makes_no_legacy_table() {
    let netns = Netns::new().unwrap();
    read(&netns);
    assert_eq!(legacy_names(&netns), [String::new(), String::new()]);
}

#[test]
fn a_fresh_namespace_is_read_whole() {
    let dump = read(&Netns::new().unwrap());
    // Whoever is root of a user namespace only may not ask for BPF programs.
    assert!(
        dump.unread
            .iter()
            .all(|unread| unread.what == "BPF programs")
    );
    assert!(dump.sections.contains_key(section::NFT_RULES));
    assert!(has(&dump, section::LINKS, "lo\0"));
}

#[test]
fn a_legacy_table_that_exists_is_found_and_no_other() {
    let netns = Netns::new().unwrap();
    run(
        &netns,
        IPTABLES_LEGACY_RESTORE,
        "*filter\n:BERTH-OLD -\n-A BERTH-OLD -j DROP\nCOMMIT\n",
    );
    let dump = read(&netns);
    assert!(has(&dump, "legacy/ip/filter", "BERTH-OLD\0"));
    assert_eq!(dump.section("legacy/ip/filter")[..7], *b"filter\0");
    assert!(!dump.sections.contains_key("legacy/ip/nat"));
    assert_eq!(legacy_names(&netns), ["filter\n".to_owned(), String::new()]);
}

#[test]
fn tables_chains_sets_elements_and_rules_are_found() {
    let netns = Netns::new().unwrap();
    let ruleset = "table inet shop {
        counter visits { }
        set doors { type inet_service; elements = { 30080 } }
        chain entry { type filter hook input priority 0; tcp dport @doors counter name visits; }
    }";
    run(&netns, "nft -f -", ruleset);
    run(
        &netns,
        "ip6tables-nft -A INPUT -m comment --comment left-alone -j ACCEPT",
        "",
    );
    let dump = read(&netns);
    assert!(has(&dump, section::NFT_TABLES, "shop\0"));
    assert!(has(&dump, section::NFT_CHAINS, "entry\0"));
    assert!(has(&dump, section::NFT_OBJECTS, "visits\0"));
    assert!(has(&dump, section::NFT_SETS, "doors\0"));
    assert!(has(&dump, section::NFT_ELEMENTS, 30080_u16.to_be_bytes()));
    assert!(has(&dump, section::NFT_RULES, "visits\0"));
    assert!(has(&dump, section::NFT_RULES, "left-alone\0"));
}

#[test]
fn reading_does_not_move_the_ruleset() {
    let netns = Netns::new().unwrap();
    run(&netns, "nft add table ip shop", "");
    let id = |dump: &Dump| dump.section(section::NFT_GENERATION)[20..28].to_vec();
    assert_eq!(id(&read(&netns)), id(&read(&netns)));
}

#[test]
fn the_elements_of_many_sets_are_read_in_the_order_of_the_sets() {
    let netns = Netns::new().unwrap();
    let mut ruleset = String::from("add table ip shop\n");
    for n in 0..600 {
        let set = "{ type mark; elements = { 7 }; }";
        writeln!(ruleset, "add set ip shop set{n} {set}").unwrap();
    }
    run(&netns, "nft -f -", &ruleset);
    let steps = AtomicUsize::new(0);
    let count = |_| {
        steps.fetch_add(1, Ordering::Relaxed);
    };
    let options = ReadOptions {
        netns: Some(netns.reference()),
        progress: Some(&count),
        ..ReadOptions::default()
    };
    let dump = kernel::read(&options).unwrap();
    // A set may take several messages, the last of them empty.
    let elements = messages(dump.section(section::NFT_ELEMENTS));
    let mut names: Vec<&[u8]> = elements.iter().map(|message| set_name(message)).collect();
    names.dedup();
    let expected: Vec<String> = (0..600).map(|n| format!("set{n}")).collect();
    let expected: Vec<&[u8]> = expected.iter().map(String::as_bytes).collect();
    assert_eq!(names, expected);
    assert_eq!(steps.load(Ordering::Relaxed), 2);
}

#[test]
fn more_rules_than_one_dump_is_good_for_are_all_read() {
    let netns = Netns::new().unwrap();
    run(&netns, "nft add table ip shop", "");
    for chain in 0..50 {
        // A batch of all is more than root of a user namespace may send.
        let add = format!("add rule ip shop c{chain} counter\n").repeat(700);
        run(
            &netns,
            "nft -f -",
            &format!("add chain ip shop c{chain}\n{add}"),
        );
    }
    let dump = read(&netns);
    assert_eq!(messages(dump.section(section::NFT_RULES)).len(), 35_000);
}

#[test]
fn an_ipset_is_found_with_the_name_behind_its_index() {
    let netns = Netns::new().unwrap();
    run(
        &netns,
        "ipset restore",
        "create first hash:ip\ncreate second hash:ip\nadd second 192.0.2.7\n",
    );
    run(&netns, "ipset destroy first", "");
    let dump = read(&netns);
    assert!(has(&dump, section::IPSET_LIST, "second\0"));
    assert_eq!(dump.text(section::IPSET_INDEX), "1 second\n");
}

#[test]
fn a_listener_is_found_and_its_process_is_named() {
    let netns = Netns::new().unwrap();
    let _listener = netns
        .run(|| TcpListener::bind("127.0.0.1:30080").unwrap())
        .unwrap();
    let _socket = netns
        .run(|| UdpSocket::bind("[::1]:30053").unwrap())
        .unwrap();
    let dump = read(&netns);
    assert_eq!(messages(dump.section("sock/2/6")).len(), 1);
    assert_eq!(messages(dump.section("sock/10/17")).len(), 1);
    let owners = dump.text(section::OWNERS);
    let owners: Vec<Owner> = owners
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(owners.len(), 2);
    assert!(owners.iter().all(|owner| owner.pid == std::process::id()));
    let comm = fs::read_to_string("/proc/self/comm").unwrap();
    assert_eq!(owners[0].name, comm.trim_end());
}

#[test]
fn the_cgroup_of_a_socket_has_a_path() {
    let netns = Netns::new().unwrap();
    let _listener = netns
        .run(|| TcpListener::bind("127.0.0.1:30080").unwrap())
        .unwrap();
    let cgroups = read(&netns).text(section::CGROUPS);
    let (id, path) = cgroups.trim_end().split_once(' ').unwrap();
    assert!(id.parse::<u64>().is_ok());
    assert!(path.starts_with('/'));
}

#[test]
fn a_socket_that_is_bound_and_does_not_listen_is_found() {
    let netns = Netns::new().unwrap();
    let bind = || {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        let addr: std::net::SocketAddr = "192.0.2.1:30080".parse().unwrap();
        netns_address(&netns);
        rustix::net::bind(&socket, &addr).unwrap();
        socket
    };
    let _socket = netns.run(bind).unwrap();
    let dump = read(&netns);
    let sockets = messages(dump.section("sock/2/6"));
    // Family 2, state 7, source port 30080.
    assert_eq!(sockets.len(), 1);
    assert_eq!(sockets[0][16..22], [2, 7, 0, 0, 0x75, 0x80]);
}

fn netns_address(netns: &Netns) {
    netns
        .add_address("lo", "192.0.2.1".parse().unwrap(), 32)
        .unwrap();
}

#[test]
fn without_privileges_each_part_names_what_it_needs() {
    let netns = Netns::new().unwrap();
    run(&netns, IPTABLES_LEGACY_RESTORE, "*filter\nCOMMIT\n");
    let dump = netns.run(|| {
        let none = CapabilitySet::empty();
        let sets = CapabilitySets {
            effective: none,
            permitted: none,
            inheritable: none,
        };
        // Of this thread alone, which ends with the closure.
        set_capabilities(None, sets).unwrap();
        kernel::read(&ReadOptions::default()).unwrap()
    });
    let dump = dump.unwrap();
    let why = |what: &str| {
        let found = dump.unread.iter().find(|unread| unread.what == what);
        found.map(|unread| unread.why.as_str())
    };
    let needed = Some("needs CAP_NET_ADMIN: run as root");
    assert_eq!(why("nftables rules"), needed);
    assert_eq!(why("ipsets"), needed);
    assert_eq!(why("legacy table filter of IPv4"), needed);
    assert_eq!(why("XFRM policies"), needed);
    assert_eq!(
        why("BPF programs"),
        Some("needs CAP_BPF and CAP_NET_ADMIN: run as root")
    );
    assert!(!dump.sections.contains_key(section::NFT_RULES));
    assert!(has(&dump, section::LINKS, "lo\0"));
}

#[test]
fn a_namespace_is_read_by_the_id_of_a_process_in_it() {
    let netns = Netns::new().unwrap();
    netns.add_device("island0", "bridge").unwrap();
    let start = || Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let mut child = netns.run(start).unwrap();
    let options = ReadOptions {
        netns: Some(NetnsRef::Pid(child.id())),
        ..ReadOptions::default()
    };
    let dump = kernel::read(&options).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(has(&dump, section::LINKS, "island0\0"));
}

#[test]
fn a_namespace_that_is_not_there_is_an_error_that_names_it() {
    let options = ReadOptions {
        netns: Some("/run/netns/nothere".parse().unwrap()),
        ..ReadOptions::default()
    };
    let error = kernel::read(&options).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot open the network namespace /run/netns/nothere (give a running process, a path, \
         or a name that `ip netns` lists)"
    );
}

#[test]
fn routes_addresses_and_settings_are_those_of_the_namespace() {
    let netns = Netns::new().unwrap();
    netns.add_device("island0", "bridge").unwrap();
    netns
        .add_address("island0", "198.51.100.1".parse().unwrap(), 24)
        .unwrap();
    let gateway = Some("198.51.100.9".parse().unwrap());
    netns
        .add_route("203.0.113.0/24".parse().unwrap(), gateway, None)
        .unwrap();
    netns
        .set_sysctl("net.ipv4.conf.island0.route_localnet", "1")
        .unwrap();
    let dump = read(&netns);
    let holds = |name: &str, bytes: &[u8]| dump.section(name).windows(4).any(|w| w == bytes);
    assert!(holds(section::ADDRESSES, &[198, 51, 100, 1]));
    assert!(holds(section::ROUTES, &[203, 0, 113, 0]));
    assert!(holds(section::ROUTES, &[198, 51, 100, 9]));
    let sysctls = dump.text(section::SYSCTLS);
    assert!(sysctls.contains("\nnet.ipv4.conf.island0.route_localnet = 1\n"));
    assert!(sysctls.contains("\nnet.ipv4.ip_forward = 0\n"));
}

#[test]
fn only_conntrack_entries_of_the_flow_asked_about_are_read() {
    let netns = Netns::new().unwrap();
    run(
        &netns,
        "nft -f -",
        "table ip shop {
        chain entry { type filter hook output priority 0; ct state new accept; }
    }",
    );
    let wait = Duration::from_secs(10);
    for port in [30080, 30081] {
        let target = Endpoint {
            addr: "127.0.0.1".parse().unwrap(),
            port,
        };
        let attempt = || {
            let _listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
            probe(Proto::TCP, target, None, wait).unwrap()
        };
        netns.run(attempt).unwrap();
    }
    let options = ReadOptions {
        netns: Some(netns.reference()),
        flow: Some(Flow {
            proto: Proto::TCP,
            dst: "127.0.0.1".parse().unwrap(),
            port: 30081,
        }),
        ..ReadOptions::default()
    };
    let dump = kernel::read(&options).unwrap();
    assert_eq!(messages(dump.section(section::CONNTRACK)).len(), 1);
    assert!(has(&dump, section::CONNTRACK, 30081_u16.to_be_bytes()));
}

#[test]
fn what_sits_on_a_device_before_the_rules_is_found() {
    let netns = Netns::new().unwrap();
    run(&netns, "tc qdisc add dev lo clsact", "");
    run(
        &netns,
        "tc filter add dev lo ingress bpf bytecode '1,6 0 0 4294967295,' da",
        "",
    );
    run(
        &netns,
        "ip xfrm policy add src 192.0.2.1 dst 192.0.2.2 dir out action block",
        "",
    );
    let found = bypasses(&read(&netns));
    let expected = [
        ("tc".to_owned(), Some("lo".to_owned())),
        ("XFRM".to_owned(), None),
    ];
    assert_eq!(found, expected);
}
