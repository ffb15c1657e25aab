//! Findings that lean on what the kernel does beside its rules, each shown by real packets.
#![cfg(feature = "netns")]
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use host::Host;
use kernel::netns::Netns;
use kernel::{Flow, ReadOptions, read};
use net::{Endpoint, Proto};
use testkit::case::CaseHost;
use testkit::world::run;
use trace::{Finding, Origin, Question, Severity, Verdict};

/// For what must come, and for what must not.
const PATIENCE: Duration = Duration::from_millis(400);

/// A client 10.0.0.2 and a peer 192.0.2.2, with a node between them at 10.0.0.1 and 192.0.2.1.
struct World {
    client: Netns,
    node: Netns,
    peer: Netns,
}

impl World {
    fn new() -> Self {
        let [client, node, peer] = [(); 3].map(|()| Netns::new().unwrap());
        client.join("wire0", &node, "wire0").unwrap();
        peer.join("wire1", &node, "wire1").unwrap();
        for (space, link, addr) in [
            (&client, "wire0", "10.0.0.2"),
            (&node, "wire0", "10.0.0.1"),
            (&node, "wire1", "192.0.2.1"),
            (&peer, "wire1", "192.0.2.2"),
        ] {
            space.add_address(link, addr.parse().unwrap(), 24).unwrap();
        }
        let world = Self { client, node, peer };
        command(&world.client, "ip route add default via 10.0.0.1", "");
        world.node.set_sysctl("net.ipv4.ip_forward", "1").unwrap();
        world
    }

    /// Gives the node rules that masquerade the client.
    fn masquerade(&self, ports: &str) {
        let rules = format!(
            "table ip n {{\n chain p {{ type nat hook postrouting priority 100; \
             ip saddr 10.0.0.0/24 meta l4proto udp masquerade {ports}\n }}\n }}"
        );
        command(&self.node, "nft -f -", &rules);
    }

    /// The node, with what conntrack remembers of a flow.
    fn host(&self, proto: Proto, to: Endpoint) -> Host {
        let options = ReadOptions {
            netns: Some(self.node.reference()),
            flow: Some(Flow {
                proto,
                dst: to.addr,
                port: to.port,
            }),
            ..ReadOptions::default()
        };
        host::wire::host(&read(&options).unwrap())
    }

    /// What is told of a connection from `from`: how it ends, and the finding of a code.
    fn told(&self, (proto, to): (Proto, &str), from: &str, code: &str) -> Told {
        let to: Endpoint = to.parse().unwrap();
        let host = self.host(proto, to);
        let mut question = Question::about(proto, to);
        question.origin = Origin::Address(from.parse().unwrap());
        let answers = trace::answer(&host, &question).unwrap();
        let found = trace::findings(&host, &question, &answers, &CaseHost::default());
        Told {
            verdict: answers[0].outcomes[0].verdict,
            finding: found.into_iter().find(|finding| finding.code == code),
        }
    }
}

struct Told {
    verdict: Verdict,
    finding: Option<Finding>,
}

fn command(netns: &Netns, line: &str, input: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    netns.run(|| run(&words, input)).unwrap().unwrap()
}

fn bound(netns: &Netns, at: &str) -> UdpSocket {
    let socket = netns.run(|| UdpSocket::bind(at)).unwrap().unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn send(netns: &Netns, from: &UdpSocket, to: &str) {
    // What the kernel drops on its way out may be an error of the sender's.
    let _ = netns.run(|| from.send_to(b"?", to)).unwrap();
}

/// Who sent the datagram that came, if one did.
fn heard(socket: &UdpSocket) -> Option<SocketAddr> {
    let (_, from) = socket.recv_from(&mut [0; 8]).ok()?;
    Some(from)
}

#[test]
fn an_ipsec_policy_blocks_what_the_rules_deliver_and_is_named() {
    let world = World::new();
    let bind = || TcpListener::bind("10.0.0.1:80").unwrap();
    let _server = world.node.run(bind).unwrap();
    let connect = || {
        let to = "10.0.0.1:80".parse().unwrap();
        let tried = || TcpStream::connect_timeout(&to, PATIENCE);
        world.client.run(tried).unwrap().is_ok()
    };
    let asked = (Proto::TCP, "10.0.0.1:80");
    let told = || world.told(asked, "10.0.0.2", "outside-netfilter");
    assert!(connect());
    let before = told();
    assert_eq!((before.verdict, before.finding), (Verdict::Delivered, None));

    let policy = "ip xfrm policy add src 10.0.0.2 dst 10.0.0.1 dir in action block";
    command(&world.node, policy, "");
    assert!(!connect());
    let after = told();
    assert_eq!(after.verdict, Verdict::Unknown);
    let finding = after.finding.unwrap();
    assert_eq!(
        finding.title,
        "XFRM may decide, outside of netfilter's rules"
    );
    let shown = command(&world.node, &finding.check.unwrap(), "");
    assert!(shown.contains("action block"), "{shown}");
}

#[test]
fn connections_beyond_the_source_ports_of_a_rule_are_dropped_and_told_before() {
    const PEER: &str = "192.0.2.2:6000";
    let world = World::new();
    world.masquerade("to :40000-40003");
    let peer = bound(&world.peer, PEER);
    let told = || {
        let told = world.told((Proto::UDP, PEER), "10.0.0.2", "masquerade-port-collision");
        let finding = told.finding.unwrap();
        (finding.severity, finding.title)
    };
    let title = format!("at most 4 connections at a time go to {PEER} this way");
    assert_eq!(told(), (Severity::Note, title));

    let clients: Vec<UdpSocket> = (0..5).map(|_| bound(&world.client, "10.0.0.2:0")).collect();
    let arrived: Vec<bool> = clients
        .iter()
        .map(|client| {
            send(&world.client, client, PEER);
            heard(&peer).is_some()
        })
        .collect();
    assert_eq!(arrived, [true, true, true, true, false]);
    let title = format!("4 of 4 source ports towards {PEER} are taken");
    assert_eq!(told(), (Severity::Warning, title));
}

#[test]
fn a_masqueraded_client_gets_what_a_peer_sends_to_a_listener_with_its_port() {
    let world = World::new();
    world.masquerade("");
    let listener = bound(&world.node, "0.0.0.0:5000");
    let peer = bound(&world.peer, "192.0.2.2:5000");
    let client = bound(&world.client, "10.0.0.2:5000");
    let asked = (Proto::UDP, "192.0.2.1:5000");
    let told = || world.told(asked, "192.0.2.2", "masquerade-port-collision");
    assert_eq!(told().finding, None);

    send(&world.client, &client, "192.0.2.2:5000");
    let node = SocketAddr::from((IpAddr::from([192, 0, 2, 1]), 5000));
    assert_eq!(heard(&peer), Some(node), "the client keeps its port");
    send(&world.peer, &peer, "192.0.2.1:5000");
    assert_eq!(heard(&listener), None);
    assert!(heard(&client).is_some());
    let title = told().finding.unwrap().title;
    assert!(
        title.starts_with("what 192.0.2.2:5000 sends to 192.0.2.1:5000 gets to 10.0.0.2:5000"),
        "{title}"
    );
}

#[test]
fn an_answer_to_a_masqueraded_client_is_taken_by_no_listener_and_no_service() {
    let world = World::new();
    world.masquerade("to :5000-5001");
    let service = "table ip s {\n chain c { type nat hook prerouting priority -100; \
                   udp dport 5000-5001 redirect to :7000\n }\n }";
    command(&world.node, "nft -f -", service);
    let listeners = [5000, 5001, 7000].map(|port| bound(&world.node, &format!("0.0.0.0:{port}")));
    let peer = bound(&world.peer, "192.0.2.2:6000");
    let client = bound(&world.client, "10.0.0.2:0");
    send(&world.client, &client, "192.0.2.2:6000");
    let seen_as = heard(&peer).unwrap();
    assert!((5000..=5001).contains(&seen_as.port()), "{seen_as}");
    send(&world.peer, &peer, &seen_as.to_string());
    assert!(heard(&client).is_some());
    assert_eq!(listeners.map(|listener| heard(&listener)), [None; 3]);
}

#[test]
fn of_two_tables_that_translate_a_port_the_first_wins_and_the_other_is_told() {
    const ASKED: &str = "192.0.2.1:5000";
    let world = World::new();
    let table = |name: &str, priority: i32, port: u16| {
        let rules = format!(
            "table ip {name} {{\n chain c {{ type nat hook prerouting priority {priority}; \
             udp dport 5000 redirect to :{port}\n }}\n }}"
        );
        command(&world.node, "nft -f -", &rules);
    };
    table("late", -90, 7001);
    table("early", -110, 7000);
    let servers = [7000, 7001].map(|port| bound(&world.node, &format!("192.0.2.1:{port}")));
    let asks = |from: &str| {
        let client = bound(&world.peer, from);
        send(&world.peer, &client, ASKED);
        servers.each_ref().map(|server| heard(server).is_some())
    };
    let told = || {
        let asked = (Proto::UDP, ASKED);
        world
            .told(asked, "192.0.2.2", "two-programs-translate-it")
            .finding
    };
    assert_eq!(asks("192.0.2.2:6000"), [true, false]);
    let finding = told().unwrap();
    assert_eq!(
        finding.title,
        "table early and table late both translate 192.0.2.1:5000: the first wins"
    );
    assert!(finding.why[1].contains("would lead to 192.0.2.1:7001"));

    command(&world.node, "nft delete table ip early", "");
    assert_eq!(asks("192.0.2.2:6001"), [false, true], "as was told");
    assert_eq!(told(), None);
}
