//! Namespaces of our own, joined and furnished, and what a probe sees in them.
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::io::Write as _;
use std::net::{TcpListener, UdpSocket};
use std::thread;
use std::time::Duration;

use kernel::netns::Netns;
use kernel::socket::{ProbeResult, errno_name, probe};
use net::{Endpoint, Proto};

/// For what must not come.
const SHORT: Duration = Duration::from_millis(300);
/// For what must come.
const LONG: Duration = Duration::from_secs(10);

/// Two hosts on one wire: 192.0.2.1 and fd00::1, and 192.0.2.2 and fd00::2.
fn pair() -> (Netns, Netns) {
    let (near, far) = (Netns::new().unwrap(), Netns::new().unwrap());
    near.join("wire0", &far, "wire0").unwrap();
    for (netns, number) in [(&near, 1), (&far, 2)] {
        let v4 = format!("192.0.2.{number}").parse().unwrap();
        let v6 = format!("fd00::{number}").parse().unwrap();
        netns.add_address("wire0", v4, 24).unwrap();
        netns.add_address("wire0", v6, 64).unwrap();
    }
    (near, far)
}

fn at(text: &str) -> Endpoint {
    text.parse().unwrap()
}

#[test]
fn a_connection_over_ipv6_hears_the_greeting() {
    let (near, far) = pair();
    let listener = far
        .run(|| TcpListener::bind("[fd00::2]:80").unwrap())
        .unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"hello").unwrap();
    });
    let result = near
        .run(|| probe(Proto::TCP, at("[fd00::2]:80"), None, LONG))
        .unwrap()
        .unwrap();
    server.join().unwrap();
    let ProbeResult::Connected { source, greeting } = result else {
        panic!("{result:?}");
    };
    assert_eq!(source.addr.to_string(), "fd00::1");
    assert_eq!(greeting, b"hello");
}

#[test]
fn a_port_nobody_listens_on_refuses() {
    let (near, _far) = pair();
    let attempt = || probe(Proto::TCP, at("192.0.2.2:80"), None, LONG);
    let ProbeResult::Refused { errno } = near.run(attempt).unwrap().unwrap() else {
        panic!("not refused");
    };
    assert_eq!(errno_name(errno), Some("ECONNREFUSED"));
}

#[test]
fn a_datagram_to_a_closed_port_is_refused_by_icmp() {
    let (near, _far) = pair();
    let attempt = || probe(Proto::UDP, at("192.0.2.2:53"), None, LONG);
    let refused = ProbeResult::Refused {
        errno: libc::ECONNREFUSED,
    };
    assert_eq!(near.run(attempt).unwrap().unwrap(), refused);
}

#[test]
fn a_datagram_nobody_answers_times_out() {
    let (near, far) = pair();
    let _mute = far
        .run(|| UdpSocket::bind("192.0.2.2:53").unwrap())
        .unwrap();
    let attempt = || probe(Proto::UDP, at("192.0.2.2:53"), None, SHORT);
    assert_eq!(near.run(attempt).unwrap().unwrap(), ProbeResult::TimedOut);
}

#[test]
fn an_address_without_a_host_times_out() {
    let (near, _far) = pair();
    let attempt = || probe(Proto::TCP, at("192.0.2.77:80"), None, SHORT);
    assert_eq!(near.run(attempt).unwrap().unwrap(), ProbeResult::TimedOut);
}

#[test]
fn a_source_that_is_not_ours_is_an_error() {
    let (near, _far) = pair();
    let from = Some("198.51.100.7".parse().unwrap());
    let error = near
        .run(|| probe(Proto::TCP, at("192.0.2.2:80"), from, SHORT))
        .unwrap();
    assert_eq!(
        error.unwrap_err().to_string(),
        "cannot send from 198.51.100.7"
    );
}

#[test]
fn a_route_through_a_gateway_leads_to_another_namespace() {
    let (near, far) = pair();
    let behind = Netns::new().unwrap();
    far.join("wire1", &behind, "wire0").unwrap();
    far.add_address("wire1", "198.51.100.1".parse().unwrap(), 24)
        .unwrap();
    behind
        .add_address("wire0", "198.51.100.2".parse().unwrap(), 24)
        .unwrap();
    far.set_sysctl("net.ipv4.ip_forward", "1").unwrap();
    let gateway = |text: &str| Some(text.parse().unwrap());
    let all = "0.0.0.0/0".parse().unwrap();
    near.add_route(all, gateway("192.0.2.2"), None).unwrap();
    behind
        .add_route(all, gateway("198.51.100.1"), Some("wire0"))
        .unwrap();
    let _listener = behind
        .run(|| TcpListener::bind("198.51.100.2:80").unwrap())
        .unwrap();
    let attempt = || probe(Proto::TCP, at("198.51.100.2:80"), None, LONG);
    let result = near.run(attempt).unwrap().unwrap();
    assert!(
        matches!(result, ProbeResult::Connected { .. }),
        "{result:?}"
    );
}

#[test]
fn an_unknown_device_is_named_in_the_error() {
    let error = Netns::new().unwrap().set_up("nothere").unwrap_err();
    assert_eq!(error.to_string(), "cannot set device nothere up");
}
