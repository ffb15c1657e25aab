//! Tracing in namespaces of our own: what is added, what is heard, and that nothing is left.
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::io::Write as _;
use std::net::UdpSocket;
use std::os::fd::AsFd as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use host::nftrace::{At, Wanted, way};
use host::{Hook, nft::Verdict, wire::reports};
use kernel::Held;
use kernel::netns::Netns;
use kernel::nftrace::{Heard, TraceError, Tracing};
use kernel::socket::{Attempt, ProbeResult};
use net::{Endpoint, Proto};
use rustix::io::Errno;

const OURS: &str = "berth-trace-test";
const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(200);

/// Rules without counters, so that packets leave no trace in their listing.
const RULES: &str = "table inet theirs {
  chain in {
    type filter hook input priority 0; policy accept;
    jump ports
  }
  chain ports {
    tcp dport 80 reject with tcp reset
    udp dport { 53, 54 } accept
  }
}
";

/// Runs nft in a namespace.
fn nft(netns: &Netns, arguments: &[&str], input: &str) -> String {
    let run = || {
        let mut child = Command::new("nft")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        child.wait_with_output().unwrap()
    };
    let output = netns.run(run).unwrap();
    assert!(output.status.success(), "nft {arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn listing(netns: &Netns) -> String {
    nft(netns, &["list", "ruleset"], "")
}

fn furnished() -> Netns {
    let netns = Netns::new().unwrap();
    nft(&netns, &["-f", "-"], RULES);
    netns
}

fn generation(netns: &Netns) -> u32 {
    let options = kernel::ReadOptions {
        netns: Some(netns.reference()),
        ..kernel::ReadOptions::default()
    };
    let host = host::wire::host(&kernel::read(&options).unwrap());
    host.ruleset.generation.unwrap()
}

fn at(text: &str) -> Endpoint {
    text.parse().unwrap()
}

fn made_here(proto: Proto, to: &str) -> Wanted {
    Wanted {
        hook: Hook::Output,
        proto,
        to: at(to),
        from: None,
        sport: None,
        iif: None,
    }
}

fn start(netns: &Netns, wanted: &Wanted) -> Result<Tracing, TraceError> {
    let built_on = generation(netns);
    netns
        .run(|| Tracing::start(wanted, OURS, built_on))
        .unwrap()
}

/// What is listed while it is traced is what was there, our table, and the rule as announced.
fn is_listed_as_announced(wanted: &Wanted) {
    let netns = furnished();
    let before = listing(&netns);
    let tracing = start(&netns, wanted).unwrap();
    let now = listing(&netns);
    assert!(now.starts_with(&before), "{now}");
    let ours = &now[before.len()..];
    let name = match wanted.hook {
        Hook::Output => "output",
        _ => "prerouting",
    };
    let lines: Vec<&str> = ours
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect();
    let announced = wanted.to_string();
    let base = format!("type filter hook {name} priority -2147483648; policy accept;");
    let expected = [
        format!("table inet {OURS} {{ # progname berth"),
        "flags owner".to_owned(),
        "chain first {".to_owned(),
        base,
        announced,
        "}".to_owned(),
        "}".to_owned(),
    ];
    // nft names the owner's program, which here is the test.
    assert!(
        lines[0].starts_with(expected[0].split(" #").next().unwrap()),
        "{ours}"
    );
    assert_eq!(lines[1..], expected[1..], "{ours}");
    drop(tracing);
    assert_eq!(listing(&netns), before);
}

#[test]
fn the_rule_is_listed_as_announced_and_goes_with_its_table() {
    is_listed_as_announced(&Wanted {
        sport: Some(4711),
        from: Some("192.0.2.7".parse().unwrap()),
        ..made_here(Proto::TCP, "192.0.2.1:80")
    });
    is_listed_as_announced(&Wanted {
        hook: Hook::Prerouting,
        ..made_here(Proto::UDP, "[2001:db8::1]:53")
    });
    is_listed_as_announced(&Wanted {
        hook: Hook::Prerouting,
        iif: Some("eth0".to_owned()),
        ..made_here(Proto::SCTP, "[2001:db8::1]:53")
    });
}

/// Connects once and gives what was heard of it.
fn traced(netns: &Netns, proto: Proto, to: &str) -> (ProbeResult, Heard) {
    let built_on = generation(netns);
    let held = Held::new().unwrap();
    let stop = held.as_fd();
    let run = || {
        let attempt = Attempt::prepare(proto, at(to), None, None).unwrap();
        let wanted = Wanted {
            sport: Some(attempt.port()),
            ..made_here(proto, to)
        };
        let tracing = Tracing::start(&wanted, OURS, built_on).unwrap();
        let met = attempt.make(LONG, stop).unwrap();
        (met, tracing.stop().unwrap())
    };
    netns.run(run).unwrap()
}

fn verdicts(heard: &Heard) -> Vec<(String, Option<Verdict>)> {
    let way = way(&reports(&heard.bytes), OURS).unwrap();
    let said = way.reports.into_iter().filter(|r| r.at != At::Return);
    said.map(|report| (report.chain, report.verdict)).collect()
}

#[test]
fn the_way_of_a_packet_is_heard_over_loopback_in_both_families() {
    for to in ["127.0.0.1:80", "[::1]:80"] {
        let netns = furnished();
        let before = listing(&netns);
        let (met, heard) = traced(&netns, Proto::TCP, to);
        assert_eq!(
            met,
            ProbeResult::Refused {
                errno: Errno::CONNREFUSED.raw_os_error()
            }
        );
        let jump = Verdict::Jump("ports".into());
        let expected = [
            ("in".to_owned(), Some(jump)),
            ("ports".to_owned(), Some(Verdict::Drop)),
        ];
        assert_eq!(verdicts(&heard), expected, "{to}");
        assert!(!heard.lost);
        assert_eq!(listing(&netns), before);
    }
}

#[test]
fn packets_of_other_flows_are_not_heard_as_ours() {
    let netns = furnished();
    nft(
        &netns,
        &["-f", "-"],
        "table inet nosy {
  chain out {
    type filter hook output priority -500; policy accept;
    meta nftrace set 1
  }
}
",
    );
    let other = netns
        .run(|| UdpSocket::bind("127.0.0.1:54").unwrap())
        .unwrap();
    let built_on = generation(&netns);
    let wanted = made_here(Proto::TCP, "127.0.0.1:80");
    let heard = netns
        .run(|| {
            let tracing = Tracing::start(&wanted, OURS, built_on).unwrap();
            let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
            let _ = sender.send_to(b"x", other.local_addr().unwrap()).unwrap();
            tracing.stop().unwrap()
        })
        .unwrap();
    let heard = reports(&heard.bytes);
    assert!(
        heard.iter().any(|report| report.table == "nosy"),
        "{heard:?}"
    );
    assert_eq!(way(&heard, OURS), None);
}

#[test]
fn a_client_is_waited_for_and_one_that_does_not_come_is_not() {
    let netns = furnished();
    let held = Held::new().unwrap();
    let (stop, wanted) = (held.as_fd(), made_here(Proto::UDP, "127.0.0.1:53"));
    let built_on = generation(&netns);
    let run = || {
        let mut tracing = Tracing::start(&wanted, OURS, built_on).unwrap();
        let early = tracing.wait(SHORT, stop).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let _ = sender.send_to(b"x", "127.0.0.1:53").unwrap();
        let late = tracing.wait(LONG, stop).unwrap();
        (early, late, tracing.stop().unwrap())
    };
    let (early, late, heard) = netns.run(run).unwrap();
    assert_eq!((early, late), (false, true));
    assert_eq!(verdicts(&heard).last().unwrap().1, Some(Verdict::Accept));
}

#[test]
fn rules_that_changed_since_they_were_read_are_not_added_to() {
    let netns = furnished();
    let built_on = generation(&netns);
    nft(&netns, &["add", "table", "inet", "later"], "");
    let before = listing(&netns);
    let wanted = made_here(Proto::TCP, "127.0.0.1:80");
    let started = netns
        .run(|| Tracing::start(&wanted, OURS, built_on))
        .unwrap();
    assert!(matches!(started, Err(TraceError::Stale)), "{started:?}");
    assert_eq!(listing(&netns), before);
}

#[test]
fn a_table_of_that_name_is_not_touched() {
    let netns = furnished();
    nft(&netns, &["add", "table", "inet", OURS], "");
    let before = listing(&netns);
    let error = start(&netns, &made_here(Proto::TCP, "127.0.0.1:80")).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot add table inet {OURS} (it is there: another trace is going on)")
    );
    assert_eq!(listing(&netns), before);
}

#[test]
fn reports_that_were_too_many_to_hear_are_told_of() {
    let netns = furnished();
    nft(
        &netns,
        &["-f", "-"],
        "table inet nosy {
  chain out {
    type filter hook output priority -500; policy accept;
    udp dport 9 meta nftrace set 1
  }
}
",
    );
    let built_on = generation(&netns);
    let wanted = made_here(Proto::TCP, "127.0.0.1:80");
    let heard = netns
        .run(|| {
            let tracing = Tracing::start(&wanted, OURS, built_on).unwrap();
            let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
            for _ in 0..20_000 {
                // Refused now and then: nobody is there.
                let _ = sender.send_to(b"x", "127.0.0.1:9");
            }
            tracing.stop().unwrap()
        })
        .unwrap();
    assert!(heard.lost);
}
