//! What depends on what came before, on the real kernel: flows older than a rule, and errors
//! that come too often. `berth why` tells of a new connection; these show where that differs.
#![cfg(feature = "netns")]
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::io::{self, ErrorKind, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::time::Duration;

use host::Host;
use kernel::netns::Netns;
use kernel::{ReadOptions, read};
use net::{Endpoint, Proto};
use testkit::case::CaseHost;
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

fn read_node(node: &Netns) -> Host {
    let options = ReadOptions {
        netns: Some(node.reference()),
        ..ReadOptions::default()
    };
    host::wire::host(&read(&options).unwrap())
}

/// What is foretold of a new datagram from the client to 192.0.2.1:`port`.
fn foretold(node: &Netns, port: u16) -> Outcome {
    let host = read_node(node);
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

/// A rule that refuses, settings of the node, and whether the client is the node itself.
struct Refusal {
    to: &'static str,
    with: &'static str,
    settings: &'static [(&'static str, &'static str)],
    here: bool,
}

impl Refusal {
    fn node(&self) -> (Netns, Netns) {
        let (client, node) = world();
        for (space, addr) in [(&client, "fd00::2"), (&node, "fd00::1")] {
            for of in ["all", "wire0"] {
                let name = format!("net.ipv6.conf.{of}.accept_dad");
                space.set_sysctl(&name, "0").unwrap();
            }
            space
                .add_address("wire0", addr.parse().unwrap(), 64)
                .unwrap();
        }
        for (name, value) in self.settings {
            node.set_sysctl(name, value).unwrap();
        }
        let (proto, with) = (self.proto(), self.with);
        load(
            &node,
            &format!(
                "table inet t {{\n chain c {{ type filter hook input priority 0; \
                 {proto} dport 80 reject with {with}\n }}\n }}"
            ),
        );
        (client, node)
    }

    fn proto(&self) -> Proto {
        match self.with {
            "tcp reset" => Proto::TCP,
            _ => Proto::UDP,
        }
    }

    /// Errors meet TCP clients on the same machine while these still hold their socket, and
    /// are lost then: a datagram asks for the ICMP ones.
    fn try_once(&self) -> io::Result<()> {
        let to: SocketAddr = self.to.parse().unwrap();
        if self.proto() == Proto::TCP {
            return TcpStream::connect_timeout(&to, PATIENCE).map(drop);
        }
        let any: &str = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any)?;
        socket.connect(to)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.send(b"?")?;
        socket.recv(&mut [0; 8]).map(drop)
    }

    /// Lets neighbors find each other: a reset has no limit, and the first packet that asks for
    /// one may be lost.
    fn meet(&self, client: &Netns) {
        let mut closed: SocketAddr = self.to.parse().unwrap();
        closed.set_port(81);
        let met = client
            .run(|| TcpStream::connect_timeout(&closed, 10 * PATIENCE))
            .unwrap();
        assert_eq!(met.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }

    /// Whether of many connections in a row some get no error in time.
    fn is_held_back(&self) -> bool {
        let (client, node) = self.node();
        self.meet(&client);
        let from = if self.here { &node } else { &client };
        let refused = |_| {
            let got = from.run(|| self.try_once()).unwrap();
            got.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
        };
        let errors: Vec<bool> = (0..12).map(refused).collect();
        assert!(
            errors[0],
            "the first error arrives: {} {}",
            self.to, self.with
        );
        errors.contains(&false)
    }

    /// Whether that is told.
    fn is_told(&self) -> bool {
        let (_client, node) = self.node();
        let host = read_node(&node);
        let mut question = Question::about(self.proto(), self.to.parse().unwrap());
        question.origin = match (self.here, question.to.addr.is_ipv4()) {
            (true, _) => Origin::Local,
            (false, true) => Origin::Address("192.0.2.2".parse().unwrap()),
            (false, false) => Origin::Address("fd00::2".parse().unwrap()),
        };
        let answers = trace::answer(&host, &question).unwrap();
        let client = answers[0].outcomes[0].client;
        assert_eq!(client, trace::Client::Errno("ECONNREFUSED"), "{}", self.to);
        let found = trace::findings(&host, &question, &answers, &CaseHost::default());
        let codes: Vec<&str> = found.iter().map(|finding| finding.code).collect();
        codes.contains(&"icmp-errors-rate-limited")
    }
}

#[test]
fn a_refusal_that_the_kernel_limits_is_told_and_no_other() {
    const V4: &str = "192.0.2.1:80";
    const V6: &str = "[fd00::1]:80";
    const LIMIT: (&str, &str) = ("net.ipv4.icmp_ratelimit", "1000");
    const LIMIT_V6: (&str, &str) = ("net.ipv6.icmp.ratelimit", "4000");
    let unlimited = &[("net.ipv4.icmp_ratelimit", "0")];
    let unmasked = &[LIMIT, ("net.ipv4.icmp_ratemask", "6160")];
    let unmasked_v6 = &[LIMIT_V6, ("net.ipv6.icmp.ratemask", "0,3-127")];
    let table: [(&str, &str, &[_], bool, bool); 8] = [
        (V4, "icmp port-unreachable", &[LIMIT], false, true),
        (V4, "icmp port-unreachable", unlimited, false, false),
        (V4, "icmp port-unreachable", unmasked, false, false),
        (V4, "icmp port-unreachable", &[LIMIT], true, false),
        (V4, "tcp reset", &[LIMIT], false, false),
        (V6, "icmpv6 port-unreachable", &[LIMIT_V6], false, true),
        (V6, "icmpv6 port-unreachable", unmasked_v6, false, false),
        (V6, "tcp reset", &[LIMIT_V6], false, false),
    ];
    for (to, with, settings, here, expected) in table {
        let refusal = Refusal {
            to,
            with,
            settings,
            here,
        };
        let line = format!("{to} {with} {settings:?} here: {here}");
        assert_eq!(refusal.is_held_back(), expected, "in the kernel: {line}");
        assert_eq!(refusal.is_told(), expected, "in the answer: {line}");
    }
}
