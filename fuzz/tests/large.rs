//! Large inputs take time in proportion to their size.
//!
//! Each is of a few megabytes and made so that a reader that looks through what it has read
//! for each new part would take minutes.

#![expect(
    clippy::unwrap_used,
    reason = "a test helper that fails fails its test"
)]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// What a reader may take for each of these, in a debug build on a busy machine.
const MOST: Duration = Duration::from_secs(10);

const PARTS: usize = 30_000;

#[expect(clippy::disallowed_methods, reason = "to measure time is its purpose")]
fn now() -> Instant {
    Instant::now()
}

/// Hands a text to a target: `head`, then `part` for each number, then `tail`.
#[track_caller]
fn read(target: &str, head: &str, part: impl Fn(&mut String, usize), tail: &str) {
    let mut text = head.to_owned();
    for number in 0..PARTS {
        part(&mut text, number);
    }
    text.push_str(tail);
    let start = now();
    (fuzz::find(target).unwrap().run)(text.as_bytes());
    let took = now() - start;
    assert!(took < MOST, "{target} took {took:?}");
}

#[test]
fn entries_of_many_ipsets() {
    let part = |text: &mut String, i| {
        let _ = writeln!(text, "create s{i} hash:ip family inet");
    };
    let mut adds = String::new();
    for i in 0..PARTS {
        let _ = writeln!(adds, "add s{i} 10.0.0.1");
    }
    read("ipset-save", "", part, &adds);
}

#[test]
fn many_tables_of_iptables() {
    let whole = |text: &mut String, i| {
        let _ = writeln!(text, "*t{i}\n:INPUT ACCEPT [0:0]\nCOMMIT");
    };
    read("iptables-save", "", whole, "");
    let cut = |text: &mut String, i| {
        let _ = writeln!(text, "*t{i}");
    };
    read("iptables-save", "", cut, "");
}

#[test]
fn many_chains_of_iptables() {
    let part = |text: &mut String, i| {
        let _ = writeln!(text, "-A C{i} -j C{}", i + 1);
    };
    read("iptables-save", "*filter\n", part, "COMMIT\n");
}

#[test]
fn many_tables_of_nft() {
    let text = |text: &mut String, i| {
        let _ = writeln!(text, "table ip t{i} {{\nchain c {{\naccept\n}}\n}}");
    };
    read("nft-list", "", text, "");
    let json = |text: &mut String, i| {
        let _ = write!(text, r#"{{"table":{{"family":"ip","name":"t{i}"}}}},"#);
    };
    read("nft-json", r#"{"nftables":["#, json, "{}]}");
}

#[test]
fn rules_of_many_chains_of_nft() {
    let part = |text: &mut String, i| {
        let chain = r#"{"chain":{"family":"ip","table":"t","name":"#;
        let rule = r#"{"rule":{"family":"ip","table":"t","chain":"#;
        let _ = write!(text, r#"{chain}"c{i}"}}}},{rule}"c{i}","expr":[]}}}},"#);
    };
    read("nft-json", r#"{"nftables":["#, part, "{}]}");
}

#[test]
fn brackets_inside_of_each_other() {
    for (target, head, bracket) in [
        ("nft-list", "table ip t {\nchain c {\n", "{ "),
        ("nft-list", "table ip t {\nchain c {\ntcp dport ", "( "),
        ("nft-json", "", r#"{"nftables":["#),
        ("ip-json", "", "["),
        ("manifest", "a: ", "["),
        ("manifest", "", "- "),
        ("snapshot", r#"{"berth_snapshot":"#, "["),
    ] {
        read(target, head, |text, _| text.push_str(bracket), "\n");
    }
}
