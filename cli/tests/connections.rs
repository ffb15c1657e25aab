//! Connections that are older than the rules: real ones, in namespaces of their own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kernel::netns::{Netns, NetnsRef};

const NODE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 77, 1));
const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 77, 2));

/// Makes the kernel track connections.
const TRACKS: &str =
    "table ip t { chain c { type filter hook input priority 0; ct state new accept; }; }";

/// Refuses new connections to a port.
const REFUSES: &str = "table ip u { chain c { type filter hook input priority 0; \
                       tcp dport 30584 ct state new reject with tcp reset; }; }";

fn run(netns: &Netns, words: &[&str], input: &str) -> String {
    let output = netns.run(|| {
        let mut child = Command::new(words[0])
            .args(&words[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        child.wait_with_output().unwrap()
    });
    let output = output.unwrap();
    assert!(output.status.success(), "{words:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn path(netns: &Netns) -> PathBuf {
    match netns.reference() {
        NetnsRef::Path(path) => path,
        other @ NetnsRef::Pid(_) => panic!("{other}"),
    }
}

/// What `berth` prints with these words, and its exit status.
fn berth(words: &[&str], file: &Path) -> (String, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_berth"))
        .args(words)
        .arg(file)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (
        String::from_utf8(output.stdout).unwrap(),
        output.status.code(),
    )
}

/// A node that listens on two ports, with a client behind a link.
fn world() -> (Netns, Netns, [TcpListener; 2]) {
    let (node, client) = (Netns::new().unwrap(), Netns::new().unwrap());
    node.join("eth0", &client, "eth0").unwrap();
    node.add_address("eth0", NODE, 24).unwrap();
    client.add_address("eth0", CLIENT, 24).unwrap();
    run(&node, &["nft", "-f", "-"], TRACKS);
    let listen = |port| {
        node.run(|| TcpListener::bind((NODE, port)).unwrap())
            .unwrap()
    };
    let listeners = [listen(30584), listen(30585)];
    (node, client, listeners)
}

fn connect(client: &Netns, listener: &TcpListener) -> (TcpStream, TcpStream) {
    let to: SocketAddr = listener.local_addr().unwrap();
    let near = client.run(|| TcpStream::connect(to).unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

#[test]
fn a_connection_opened_before_the_rule_is_told_and_goes_on() {
    let (node, client, [lost, spared]) = world();
    let (mut near, mut far) = connect(&client, &lost);
    let _other = connect(&client, &spared);
    run(&node, &["nft", "-f", "-"], REFUSES);

    let (text, status) = berth(&["scan", "--netns"], &path(&node));
    assert_eq!(status, Some(1), "{text}");
    let told = "1 connection opened before the rules goes on working";
    assert_eq!(text.matches(told).count(), 1, "{text}");

    // The connection does, and new ones do not.
    near.write_all(b"x").unwrap();
    far.read_exact(&mut [0]).unwrap();
    let refused = client.run(|| TcpStream::connect((NODE, 30584)).is_err());
    assert!(refused.unwrap());
    let listed = [
        "conntrack",
        "-L",
        "-p",
        "tcp",
        "--orig-port-dst",
        "30584",
        "--status",
        "SEEN_REPLY",
    ];
    let listed = run(&node, &listed, "");
    let open = listed.lines().filter(|line| line.contains("ESTABLISHED"));
    assert_eq!(open.count(), 1, "{listed}");

    // A snapshot says the same, and keeps nothing but what was asked for.
    let file = std::env::temp_dir().join(format!("berth-old-{}.berth", std::process::id()));
    let netns = path(&node);
    let saved = Command::new(env!("CARGO_BIN_EXE_berth"))
        .args(["snapshot", "--netns"])
        .arg(&netns)
        .arg("-o")
        .arg(&file)
        .status();
    let (again, _) = berth(&["scan", "--json", "--snapshot"], &file);
    std::fs::remove_file(&file).unwrap();
    assert!(saved.unwrap().success());
    let (live, _) = berth(&["scan", "--json", "--netns"], &netns);
    assert_eq!(again, live);
    assert_eq!(live.matches("\"old_connections\": 1").count(), 1, "{live}");
    assert_eq!(live.matches("\"old_connections\": 0").count(), 1, "{live}");
}
