//! The command as people call it: help, errors, exit status.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn berth(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_berth"))
        .args(words)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What a misuse says on stderr; nothing is on stdout and the exit status is 2.
fn misuse(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let output = berth(&words);
    assert_eq!(output.status.code(), Some(2), "{line}");
    assert_eq!(text(&output.stdout), "", "{line}");
    text(&output.stderr)
}

/// Compares with a file of `tests/help`; `UPDATE_HELP=1` writes it instead.
#[expect(
    clippy::disallowed_methods,
    reason = "tests may be told to write what they expect"
)]
fn expect(name: &str, text: &str) {
    let file: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/help")
        .join(name);
    if std::env::var("UPDATE_HELP").is_ok() {
        std::fs::write(&file, text).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(expected == text, "{name} is now:\n{text}");
}

#[test]
fn help_is_as_reviewed() {
    for (name, words) in [
        ("berth.txt", vec!["--help"]),
        ("why.txt", vec!["why", "--help"]),
        ("scan.txt", vec!["scan", "--help"]),
        ("diff.txt", vec!["diff", "--help"]),
        ("page.txt", vec!["page", "--help"]),
        ("snapshot.txt", vec!["snapshot", "--help"]),
        ("explain.txt", vec!["explain", "--help"]),
    ] {
        let output = berth(&words);
        assert_eq!(output.status.code(), Some(0), "{name}");
        expect(name, &text(&output.stdout));
    }
}

#[test]
fn misuse_is_one_line() {
    assert_eq!(
        misuse("zzz"),
        "berth: unrecognized subcommand 'zzz': see berth --help\n"
    );
    assert_eq!(
        misuse("why 10.0.0.1:80 --sprot 3"),
        "berth: unexpected argument '--sprot' found; a similar argument exists: '--sport': see \
         berth why --help\n"
    );
    assert_eq!(
        misuse("why 10.0.0.1:80 --proto icmp"),
        "berth: invalid value 'icmp' for '--proto <PROTOCOL>': icmp has no ports: give tcp, udp, \
         sctp, dccp or udplite: see berth --help\n"
    );
    assert_eq!(
        misuse("why 10.0.0.1:80 --trace --snapshot node-1.berth"),
        "berth: why: --trace connects from this machine: ask it without files and short forms\n"
    );
    assert_eq!(
        misuse("why 10.0.0.1:80 --trace --wait 0"),
        "berth: invalid value '0' for '--wait <SECONDS>': 0 is not in 1..=3600: see berth --help\n"
    );
    assert_eq!(
        misuse("why 10.0.0.1:80 --sysctl net.ipv4.ip_forward=banana"),
        "berth: why: cannot read --sysctl `net.ipv4.ip_forward=banana`: its value must be a \
         number\n"
    );
}

#[test]
fn an_error_is_one_line() {
    assert_eq!(
        misuse("why db:5432"),
        "berth: why: `db` is no address, and names are not looked up: give ADDRESS:5432\n"
    );
    assert_eq!(
        misuse("why 10.0.0.1:80 --snapshot /no/such/file"),
        "berth: why: cannot read /no/such/file: No such file or directory (os error 2)\n"
    );
    assert_eq!(
        misuse("why service shop/web --listen tcp/0.0.0.0:80=x"),
        "berth: why: there is no Service shop/web among the manifests: give --manifests DIR, or \
         its ADDRESS:PORT\n"
    );
}

#[test]
fn a_file_that_is_no_snapshot_says_so() {
    assert_eq!(
        misuse("why 10.0.0.1:80 --snapshot Cargo.toml"),
        "berth: why: cannot read Cargo.toml: the first line is not that of a berth snapshot\n"
    );
}

#[test]
fn an_unknown_finding_points_to_the_list() {
    let said = misuse("explain no-such-finding-anywhere");
    assert!(said.contains("`berth explain` lists them all"), "{said}");
}

#[test]
fn the_schema_is_json() {
    let output = berth(&["schema"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).starts_with("{\n  \"$schema\""));
}

#[test]
fn a_reader_that_stops_listening_is_no_fault() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_berth"))
        .arg("schema")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output.stderr), "");
}

/// `berth why` about a node that was recorded with its rules, sockets and routes.
fn why(line: &str) -> Output {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testkit/data/kube-proxy-1.20-story");
    let mut words = vec!["why".to_owned()];
    words.extend(line.split(' ').map(str::to_owned));
    for (option, file) in [
        ("--rules", "nft/after/iptables-save.txt"),
        ("--rules", "nft/after/ip6tables-save.txt"),
        ("--sockets", "nft/after/ss-tulpenOH.txt"),
        ("--links", "nft/ip-link.json"),
        ("--addresses", "nft/ip-addr.json"),
        ("--routes", "nft/ip-route.json"),
        ("--routes", "nft/ip-6-route.json"),
        ("--ip-rules", "nft/ip-rule.json"),
        ("--ip-rules", "nft/ip-6-rule.json"),
        ("--sysctls", "nft/sysctl.txt"),
    ] {
        words.push(option.to_owned());
        words.push(data.join(file).to_str().unwrap().to_owned());
    }
    berth(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn a_refusal_is_told_and_gives_status_1() {
    let output = why("172.20.31.10:31080 --from 172.20.31.100");
    let told = text(&output.stdout);
    assert!(told.starts_with("REFUSED in INPUT: "), "{told}");
    assert!(
        told.contains("(never reached)           shopd (pid 23818) listens on 0.0.0.0:31080"),
        "{told}"
    );
    assert!(
        told.contains("client connect() fails with ECONNREFUSED"),
        "{told}"
    );
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_way_that_leads_somewhere_gives_status_0() {
    let output = why("10.107.20.81:80 --from outside");
    let told = text(&output.stdout);
    assert!(
        told.starts_with("50% FORWARDED to 10.52.1.11:8080"),
        "{told}"
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_bare_port_says_which_address_it_stands_for() {
    let output = why("31080 --from outside");
    assert_eq!(
        text(&output.stderr),
        "berth: asking about 172.20.31.10:31080, the address that the default route prefers\n"
    );
}

#[test]
fn the_answer_as_data_is_one_document() {
    let output = why("172.20.31.10:31080 --from outside --json");
    let told = text(&output.stdout);
    assert!(told.starts_with("{\n  \"format\": 1,\n"), "{told}");
    assert!(told.ends_with("}\n"), "{told}");
    assert!(told.contains("\"verdict\": \"refused\""), "{told}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn an_interface_that_is_not_there_is_misuse() {
    let output = why("172.20.31.10:31080 --in nope");
    assert_eq!(
        text(&output.stderr),
        "berth: why: this host has no interface nope\n"
    );
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn output_that_goes_to_no_terminal_carries_no_styles() {
    let output = why("172.20.31.10:31080");
    assert!(!output.stdout.contains(&0x1b));
}

#[test]
fn every_port_is_told_of_by_how_it_fares() {
    let file = std::env::temp_dir().join(format!("berth-ports-{}", std::process::id()));
    let rules = "*filter\n:INPUT ACCEPT\n-A INPUT -p tcp --dport 100:199 -j DROP\n\
                 -A INPUT ! -i lo -p tcp --dport 443 -j REJECT --reject-with tcp-reset\nCOMMIT\n";
    std::fs::write(&file, rules).unwrap();
    let of = |more: &[&str]| {
        let rules = file.to_str().unwrap();
        let host = [
            "--address",
            "192.0.2.1/24@eth0",
            "--listen",
            "tcp/0.0.0.0:22=sshd",
        ];
        let words = [&["scan", "--rules", rules], &host[..], more].concat();
        text(&berth(&words).stdout)
    };
    let (told, json) = (of(&["--ports"]), of(&["--ports", "--json"]));
    let (without, udp) = (of(&[]), of(&["--ports=udp"]));
    std::fs::remove_file(&file).unwrap();
    let rows = "TCP ports of 192.0.2.1\n\n  \
                FROM OUTSIDE  FROM PODS  FROM THIS HOST  PORTS\n  \
                closed        –          closed          1–21, 23–99, 200–442, 444–65535\n  \
                open: sshd    –          open: sshd      22\n  \
                filtered      –          filtered        100–199\n  \
                refused       –          closed          443\n";
    assert!(told.contains(rows), "{told}");
    assert!(
        udp.contains("1–65535") && udp.contains("UDP ports of 192.0.2.1"),
        "{udp}"
    );
    assert!(json.contains("\"stretches\""), "{json}");
    assert!(!without.contains("PORTS"), "{without}");
}
