//! `berth why --trace` on the real kernel: it hears what nft hears, and leaves nothing behind,
//! however it ends.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

use kernel::netns::{Netns, NetnsRef};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};

/// Rules without counters, so that packets leave no trace in their listing.
const RULES: &str = "table ip nat {
  chain out {
    type nat hook output priority -100; policy accept;
    ip daddr 127.0.0.5 tcp dport 8080 dnat to 127.0.0.1:9090
  }
}
table inet filter {
  chain in {
    type filter hook input priority 0; policy drop;
    ct state established accept
    meta mark set 7
    tcp dport vmap { 9090 : jump web, 22 : drop }
  }
  chain web {
    ip saddr 203.0.113.0/24 drop
    accept
  }
}
";

fn path(netns: &Netns) -> String {
    match netns.reference() {
        NetnsRef::Path(path) => path.display().to_string(),
        NetnsRef::Pid(pid) => pid.to_string(),
    }
}

fn start(netns: &Netns, program: &str, arguments: &[&str]) -> Child {
    // Who starts the tests in the background of a script leaves them to ignore an interrupt.
    let run = || {
        Command::new("env")
            .args(["--default-signal=INT", program])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    netns.run(run).unwrap()
}

fn nft(netns: &Netns, arguments: &[&str], input: &str) -> String {
    let mut child = start(netns, "nft", arguments);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "nft {arguments:?}: {}",
        text(&output.stderr)
    );
    text(&output.stdout)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn listing(netns: &Netns) -> String {
    nft(netns, &["list", "ruleset"], "")
}

fn furnished() -> Netns {
    let netns = Netns::new().unwrap();
    nft(&netns, &["-f", "-"], RULES);
    netns
}

/// Starts `berth why` about a namespace, from outside it.
fn begin(netns: &Netns, words: &[&str]) -> Child {
    let here = path(netns);
    Command::new("env")
        .args(["--default-signal=INT", env!("CARGO_BIN_EXE_berth"), "why"])
        .args(words)
        .args(["--netns", &here])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn why(netns: &Netns, words: &[&str]) -> Output {
    begin(netns, words).wait_with_output().unwrap()
}

fn listener(netns: &Netns) -> TcpListener {
    netns
        .run(|| TcpListener::bind("127.0.0.1:9090").unwrap())
        .unwrap()
}

/// The process whose table is there, and its first line on stderr.
fn waiting(netns: &Netns) -> (Child, String) {
    let words = [
        "127.0.0.5:8080",
        "--trace",
        "--wait",
        "60",
        "--from",
        "local",
    ];
    let mut child = begin(netns, &words);
    let mut said = String::new();
    let mut stderr = BufReader::new(child.stderr.as_mut().unwrap());
    assert_ne!(stderr.read_line(&mut said).unwrap(), 0);
    await_table(netns);
    (child, said)
}

/// What is said comes before the table: that it is there only the kernel tells.
fn await_table(netns: &Netns) {
    let is_there = |_| nft(netns, &["list", "tables"], "").contains("berth-trace-");
    assert!((0..2000).any(is_there), "no table came to be");
}

#[test]
fn the_kernel_takes_the_foretold_way_and_nothing_is_left() {
    let netns = furnished();
    let _listener = listener(&netns);
    let before = listing(&netns);
    let output = why(&netns, &["127.0.0.5:8080", "--trace"]);
    let (told, said) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{told}{said}");
    assert!(
        told.contains(": the kernel took the foretold way"),
        "{told}"
    );
    assert!(told.contains("web #2"), "{told}");
    assert!(
        said.starts_with("berth: adding table inet berth-trace-"),
        "{said}"
    );
    assert!(
        said.contains("with one rule and nothing else: ip daddr 127.0.0.5 tcp sport"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(listing(&netns), before);
}

/// What nft tells of packets to these TCP ports: rules and policies with their verdicts.
fn heard_by_nft(told: &str, ports: &[&str]) -> Vec<String> {
    let (mut ids, mut steps) = (Vec::new(), Vec::new());
    for line in told.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["trace", "id", id, family, table, chain, kind, ..] = words[..] else {
            continue;
        };
        if kind == "packet:" {
            let is_to = |port: &&str| line.contains(&format!("tcp dport {port} "));
            ids.extend(ports.iter().any(is_to).then_some(id));
        } else if ids.contains(&id) && !table.starts_with("berth-trace-") {
            let verdict = match line.split_once("(verdict ") {
                Some((_, verdict)) => verdict.trim_end().trim_end_matches(')'),
                None => words[7],
            };
            steps.push(format!("{family} {table} {chain} {kind} {verdict}"));
        }
    }
    steps
}

/// `nft monitor`, which ends with the test, however that does.
struct Monitor(Child);

impl Drop for Monitor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn it_hears_what_nft_hears() {
    let netns = furnished();
    let _listener = listener(&netns);
    let mut monitor = Monitor(start(&netns, "nft", &["monitor", "trace"]));
    let mut stdout = listens(&netns, &mut monitor.0);
    let output = why(&netns, &["127.0.0.5:8080", "--trace", "--json"]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let trace = &document["trace"];
    assert_eq!(trace["agrees"], true);
    let ours = trace["steps"].as_array().unwrap().iter().map(|step| {
        let word = |name: &str| step[name].as_str().unwrap().to_owned();
        ["family", "table", "chain", "kind", "verdict"]
            .map(word)
            .join(" ")
    });
    let ours: Vec<String> = ours.collect();
    assert_eq!(ours.len(), 4, "{ours:?}");
    let (mut told, ports) = (String::new(), ["8080", "9090"]);
    while heard_by_nft(&told, &ports).len() < ours.len() {
        assert!(is_ready(&stdout, Duration::from_secs(10)), "{told}");
        assert_ne!(stdout.read_line(&mut told).unwrap(), 0, "{told}");
    }
    assert_eq!(heard_by_nft(&told, &ports), ours);
}

/// Waits until `nft monitor` listens, which only a packet that it tells of shows, and gives
/// what it tells from there on.
fn listens(netns: &Netns, monitor: &mut Child) -> BufReader<ChildStdout> {
    const KNOCK: &str = "table inet knock {
      chain out { type filter hook output priority -1; policy accept;
        udp dport 9 meta nftrace set 1
      }
    }";
    nft(netns, &["-f", "-"], KNOCK);
    let stdout = BufReader::new(monitor.stdout.take().unwrap());
    let knock = || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        (0..200).any(|_| {
            // Refused now and then: nobody is there.
            let _ = socket.send_to(b"x", "127.0.0.1:9");
            is_ready(&stdout, Duration::from_millis(50))
        })
    };
    assert!(netns.run(knock).unwrap(), "nft tells of nothing");
    nft(netns, &["delete", "table", "inet", "knock"], "");
    stdout
}

/// Whether there is something to read, now or soon.
fn is_ready(stdout: &BufReader<ChildStdout>, within: Duration) -> bool {
    let within = Timespec::try_from(within).unwrap();
    let mut pipe = [PollFd::new(stdout.get_ref(), PollFlags::IN)];
    !stdout.buffer().is_empty() || poll(&mut pipe, Some(&within)).unwrap() > 0
}

#[test]
fn however_it_ends_nothing_is_left() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::KILL] {
        let netns = furnished();
        let before = listing(&netns);
        let (mut child, _) = waiting(&netns);
        kill_process(Pid::from_child(&child), signal).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(signal.as_raw()));
        assert_eq!(listing(&netns), before, "{signal:?}");
    }
}

#[test]
fn a_client_that_connects_by_itself_is_followed() {
    let netns = furnished();
    let _listener = listener(&netns);
    let before = listing(&netns);
    let (child, said) = waiting(&netns);
    assert!(
        said.contains("until a packet came, for 60 s at most"),
        "{said}"
    );
    let client = netns
        .run(|| TcpStream::connect("127.0.0.5:8080").unwrap())
        .unwrap();
    let from = client.local_addr().unwrap();
    let output = child.wait_with_output().unwrap();
    let told = text(&output.stdout);
    let words = told.split_whitespace().collect::<Vec<_>>().join(" ");
    let expected = format!("trace tcp {from} → 127.0.0.5:8080: the kernel took the foretold way");
    assert!(words.contains(&expected), "{told}");
    assert_eq!(listing(&netns), before);
}

#[test]
fn a_client_elsewhere_is_followed_from_the_interface_it_came_in_on() {
    let (node, client) = (furnished(), Netns::new().unwrap());
    node.join("eth0", &client, "eth0").unwrap();
    node.add_address("eth0", "192.0.2.1".parse().unwrap(), 24)
        .unwrap();
    client
        .add_address("eth0", "192.0.2.2".parse().unwrap(), 24)
        .unwrap();
    let _listener = node
        .run(|| TcpListener::bind("192.0.2.1:9090").unwrap())
        .unwrap();
    let words = [
        "192.0.2.1:9090",
        "--trace",
        "--wait",
        "60",
        "--from",
        "192.0.2.2",
    ];
    let child = begin(&node, &words);
    await_table(&node);
    let _stream = client
        .run(|| TcpStream::connect("192.0.2.1:9090").unwrap())
        .unwrap();
    let told = text(&child.wait_with_output().unwrap().stdout);
    let words = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("→ 192.0.2.1:9090 over eth0: the kernel took the foretold way"),
        "{told}"
    );
}

#[test]
fn nobody_came_is_an_answer() {
    let netns = furnished();
    let output = why(&netns, &["127.0.0.5:8080", "--trace", "--wait", "1"]);
    let told = text(&output.stdout);
    assert!(
        told.contains("trace  no packet that opens such a connection came within 1 s"),
        "{told}"
    );
}

#[test]
fn a_table_that_was_left_is_not_touched() {
    let netns = furnished();
    nft(&netns, &["add", "table", "inet", "berth-trace-7"], "");
    let before = listing(&netns);
    let output = why(&netns, &["127.0.0.5:8080", "--trace"]);
    assert_eq!(
        text(&output.stderr),
        "berth: why: --trace: table inet berth-trace-7 is there: another trace is going on, or \
         one was killed: then `nft delete table inet berth-trace-7`\n"
    );
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(listing(&netns), before);
}

#[test]
fn a_source_that_is_not_here_is_an_error_and_nothing_is_added() {
    let netns = furnished();
    let before = listing(&netns);
    let output = why(
        &netns,
        &[
            "127.0.0.5:8080",
            "--trace",
            "--from",
            "203.0.113.9",
            "--in",
            "lo",
        ],
    );
    let said = text(&output.stderr);
    assert!(
        said.starts_with(
            "berth: why: --trace: without --wait SECONDS the connection is made from here: cannot \
             send from 203.0.113.9: "
        ),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(listing(&netns), before);
}
