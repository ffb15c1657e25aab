//! What depends on what came before, on the real kernel: flows older than a rule, and errors
//! that come too often. `berth why` tells of a new connection; these show where that differs.
#![cfg(feature = "netns")]
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::io::Write as _;
use std::net::{IpAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::time::Duration;

use kernel::netns::Netns;
use kernel::{ReadOptions, read};
use net::{Endpoint, Proto};
use trace::{Origin, Outcome, Question};

/// For what must come, and for what must not.
const PATIENCE: Duration = Duration::from_millis(400);

/// A client 192.0.2.2 and a node 192.0.2.1 on one wire.
fn world() -> (Netns, Netns) {
    let (client, node) = (Netns::new().unwrap(), Netns::new().unwrap());
    client.join("wire0", &node, "wire0").unwrap();
    client
        .add_address("wire0", "192.0.2.2".parse().unwrap(), 24)
        .unwrap();
    node.add_address("wire0", "192.0.2.1".parse().unwrap(), 24)
        .unwrap();
    (client, node)
}

/// Loads nftables text into a namespace.
fn load(node: &Netns, rules: &str) {
    let run = || {
        let mut nft = Command::new("nft")
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        nft.stdin
            .take()
            .unwrap()
            .write_all(rules.as_bytes())
            .unwrap();
        assert!(nft.wait().unwrap().success());
    };
    node.run(run).unwrap();
}

/// What is foretold of a new datagram from the client to 192.0.2.1:`port`.
fn foretold(node: &Netns, port: u16) -> Outcome {
    let options = ReadOptions {
        netns: Some(node.reference()),
        ..ReadOptions::default()
    };
    let host = host::wire::host(&read(&options).unwrap());
    let to = Endpoint {
        addr: "192.0.2.1".parse().unwrap(),
        port,
    };
    let mut question = Question::about(Proto::UDP, to);
    question.origin = Origin::Address(IpAddr::from([192, 0, 2, 2]));
    let mut answers = trace::answer(&host, &question).unwrap();
    answers.remove(0).outcomes.remove(0)
}

/// The port of the server that answers a datagram of this socket; 0 for nobody.
fn asks(client: &Netns, socket: &UdpSocket, servers: &[UdpSocket]) -> u16 {
    client.run(|| socket.send(b"?").unwrap()).unwrap();
    for server in servers {
        let mut buffer = [0; 8];
        if server.recv_from(&mut buffer).is_ok() {
            return server.local_addr().unwrap().port();
        }
    }
    0
}

/// A connected socket of the client.
fn flow(client: &Netns, port: u16) -> UdpSocket {
    let connect = || {
        let socket = UdpSocket::bind("192.0.2.2:0").unwrap();
        socket.connect(("192.0.2.1", port)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    };
    client.run(connect).unwrap()
}

#[test]
fn a_flow_older_than_a_rule_keeps_its_way_and_a_new_one_takes_the_rules() {
    let (client, node) = world();
    let serve = |port| {
        let socket = node
            .run(|| UdpSocket::bind(("192.0.2.1", port)).unwrap())
            .unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    };
    let servers = [serve(5300), serve(5301)];
    // Conntrack is on, nothing translates yet.
    load(
        &node,
        "table ip t {\n chain c { type filter hook input priority 0; ct state new counter\n }\n }",
    );
    let old = flow(&client, 5300);
    assert_eq!(asks(&client, &old, &servers), 5300);
    load(
        &node,
        "table ip n {\n chain c { type nat hook prerouting priority -100; \
         udp dport 5300 redirect to :5301\n }\n }",
    );
    assert_eq!(asks(&client, &old, &servers), 5300, "the old flow stays");
    let new = flow(&client, 5300);
    assert_eq!(
        asks(&client, &new, &servers),
        5301,
        "a new one is translated"
    );
    let to = foretold(&node, 5300).to.map(|to| to.port);
    assert_eq!(to, Some(5301), "and that is what is foretold");
}

#[test]
fn errors_that_come_too_often_are_held_back_and_the_first_is_as_foretold() {
    let (client, node) = world();
    node.set_sysctl("net.ipv4.icmp_ratelimit", "1000").unwrap();
    load(
        &node,
        "table ip t {\n chain c { type filter hook input priority 0; reject\n }\n }",
    );
    assert_eq!(
        foretold(&node, 5300).client,
        trace::Client::Errno("ECONNREFUSED")
    );
    let errors: Vec<bool> = (0..8)
        .map(|_| {
            let socket = flow(&client, 5300);
            client.run(|| socket.send(b"?").unwrap()).unwrap();
            let got = socket.recv(&mut [0; 8]);
            got.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
        })
        .collect();
    assert!(errors[0], "the first error arrives");
    assert!(
        errors.contains(&false),
        "of many in a row some are held back: {errors:?}"
    );
}
