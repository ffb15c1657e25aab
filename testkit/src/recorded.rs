//! A node under kube-proxy 1.20.2, as recorded: its saved files, and what clients really saw.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use host::parse::{self, Input};
use host::{Given, Host};
use net::{Endpoint, Family, Proto};
use serde_json::Value;
use trace::{Answer, Client, Origin, Outcome, Question, Verdict};

/// The rule languages that it was recorded with.
pub const LANGUAGES: [&str; 2] = ["nft", "legacy"];
/// Its stages: before and after the Services had endpoints.
pub const STAGES: [&str; 2] = ["before", "after"];

/// Pods and the name of each, as the recording's server names have them.
const SERVERS: &[(&str, &str)] = &[
    ("10.52.1.11", "a1"),
    ("10.52.1.12", "a2"),
    ("10.52.2.21", "b1"),
    ("fd52:1::11", "a1"),
    ("fd52:1::12", "a2"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/kube-proxy-1.20-story")
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A reader's part; a problem with the file is a failure.
fn whole<T>((part, problems): (T, Vec<parse::Problem>)) -> T {
    assert_eq!(
        problems,
        vec![],
        "the files are to be read without a problem"
    );
    part
}

fn input(text: &[u8]) -> Input<'_> {
    Input {
        name: "recorded",
        text,
    }
}

/// What iptables-save, or ip6tables-save, printed.
///
/// # Panics
/// Where the file cannot be read.
pub fn saved_rules(rules: &str, stage: &str, family: Family) -> String {
    let name = match family {
        Family::V4 => "iptables-save.txt",
        Family::V6 => "ip6tables-save.txt",
    };
    let bytes = read(&folder().join(rules).join(stage).join(name));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The node from the files of one rule language and stage.
///
/// # Panics
/// Where a file cannot be read whole.
pub fn node(rules: &str, stage: &str) -> Host {
    let at = folder().join(rules);
    let file = |name: &str| read(&at.join(name));
    let mut host = Host {
        links: whole(parse::ip_links(input(&file("ip-link.json")))),
        addresses: whole(parse::ip_addresses(input(&file("ip-addr.json")))),
        sysctls: whole(parse::sysctls(input(&file("sysctl.txt")))),
        ..Host::default()
    };
    // The list of one family has the routes of all tables, and with them those of the other.
    let index = |name: &str| host.link_named(name).map(|link| link.index);
    host.routes = whole(parse::ip_routes(input(&file("ip-route.json")), index));
    for (name, family) in [("ip-rule.json", Family::V4), ("ip-6-rule.json", Family::V6)] {
        let rules = whole(parse::ip_rules(input(&file(name)), family));
        host.routing_rules.extend(rules);
    }
    for family in [Family::V4, Family::V6] {
        let text = saved_rules(rules, stage, family);
        let (tables, _, problems) = parse::iptables_save(input(text.as_bytes()));
        host.ruleset.tables.extend(whole((tables, problems)));
    }
    let index = |name: &str| host.link_named(name).map(|link| link.index);
    let sockets = read(&at.join(stage).join("ss-tulpenOH.txt"));
    host.sockets = whole(parse::ss(input(&sockets), index));
    host.given = Given::everything();
    let assumed = trace::complete(&mut host);
    assert_eq!(assumed, [], "nothing should have to be assumed");
    host
}

/// One row of the recording.
#[derive(Debug)]
pub struct Row {
    /// The rule language.
    pub rules: String,
    /// The stage.
    pub stage: String,
    from: String,
    src: Option<IpAddr>,
    to: Endpoint,
    proto: Proto,
    /// Names of servers without the address, or what the client got instead.
    outcomes: BTreeSet<String>,
    /// The client's address as each server saw it.
    seen: Vec<(String, IpAddr)>,
}

/// All rows.
///
/// # Panics
/// Where the file is not as it was recorded.
pub fn rows() -> Vec<Row> {
    let text = String::from_utf8_lossy(&read(&folder().join("truth.jsonl"))).into_owned();
    let read = |line: &str| row(line).unwrap_or_else(|| panic!("no row: {line}"));
    text.lines().map(read).collect()
}

fn row(line: &str) -> Option<Row> {
    let value: Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| value[name].as_str();
    let seen = value["seen_source"].as_object().into_iter().flatten();
    let seen = seen.map(|(name, addr)| Some((server(name), addr.as_str()?.parse().ok()?)));
    Some(Row {
        rules: text("rules")?.to_owned(),
        stage: text("stage")?.to_owned(),
        from: text("from")?.to_owned(),
        src: match text("src") {
            Some(addr) => Some(addr.parse().ok()?),
            None => None,
        },
        to: Endpoint {
            addr: text("dst")?.parse().ok()?,
            port: value["port"].as_u64()?.try_into().ok()?,
        },
        proto: text("proto")?.parse().ok()?,
        outcomes: value["outcomes"]
            .as_object()?
            .keys()
            .map(|k| server(k))
            .collect(),
        seen: seen.collect::<Option<_>>()?,
    })
}

fn server(name: &str) -> String {
    name.split('/').next().unwrap_or_default().to_owned()
}

impl Row {
    /// The question that the client put.
    pub fn question(&self) -> Question {
        let own = |v4: [u8; 4], v6: [u16; 8]| {
            if self.to.addr.is_ipv6() {
                IpAddr::from(v6)
            } else {
                IpAddr::from(v4)
            }
        };
        let mut question = Question::about(self.proto, self.to);
        let pods = ["10.52.0.0/16", "fd52::/16"];
        question.pod_ranges = pods.map(|text| text.parse().expect("a prefix")).to_vec();
        let (origin, iif) = match self.from.as_str() {
            "node-a" => (self.src.map_or(Origin::Local, Origin::Address), None),
            "client" => {
                let own = own([172, 20, 31, 100], [0xfd20, 0x31, 0, 0, 0, 0, 0, 0x100]);
                (Origin::Address(self.src.unwrap_or(own)), Some("eth0"))
            }
            _ => {
                let own = own([10, 52, 1, 11], [0xfd52, 1, 0, 0, 0, 0, 0, 0x11]);
                (Origin::Address(own), Some("pod-a1"))
            }
        };
        (question.origin, question.iif) = (origin, iif.map(str::to_owned));
        question
    }

    /// Why what was seen is not what these answers foretell.
    pub fn wrong(&self, answers: &[Answer]) -> Option<String> {
        let outcomes = || answers.iter().flat_map(|answer| &answer.outcomes);
        let foretold: BTreeSet<String> = outcomes().map(called).collect();
        // Servers were chosen at random, and twelve tries may miss one; one client was
        // remembered by session affinity. Everything else was seen each time.
        let fits = if foretold.len() > 1 {
            self.outcomes.is_subset(&foretold)
        } else {
            self.outcomes == foretold
        };
        // Nobody has the address that the packet left for.
        let left = foretold.iter().all(|name| name.starts_with("nobody at"))
            && self.outcomes.iter().all(|name| name == "TIMEOUT");
        if !fits && !left {
            return Some(format!("saw {:?}, foretold {foretold:?}", self.outcomes));
        }
        let client = answers.first().and_then(|answer| answer.region.first());
        let untold = self.seen.iter().find(|(server, source)| {
            let mut told = outcomes().filter(|outcome| called(outcome) == *server);
            !told.any(|outcome| outcome.seen_source.or(client) == Some(*source))
        });
        untold.map(|(server, source)| format!("{server} saw {source}, which was not foretold"))
    }
}

/// What the recording would call an outcome.
fn called(outcome: &Outcome) -> String {
    match (outcome.verdict, outcome.client) {
        (_, Client::Errno(name)) => name.to_owned(),
        (_, Client::Timeout) => "TIMEOUT".to_owned(),
        (Verdict::Delivered, _) => {
            let socket = outcome.server.as_ref().map(|server| &server.socket);
            let holder = socket.and_then(|socket| socket.holder.as_ref());
            match holder.map_or("?", |holder| &holder.name) {
                "kube-proxy" => "CONNECTED_SILENT".to_owned(),
                name => name.to_owned(),
            }
        }
        (Verdict::Forwarded, _) => {
            let to = outcome.to.expect("forwarded to somebody");
            let known = SERVERS
                .iter()
                .find(|(addr, _)| to.addr.to_string() == *addr);
            known.map_or_else(|| format!("nobody at {to}"), |(_, name)| (*name).to_owned())
        }
        other => format!("{other:?}"),
    }
}

/// Asks `host` for every row of one rule language and stage, and tells what was not foretold.
///
/// # Panics
/// Where a question is none for this host.
pub fn wrongs(host: &Host, rows: &[Row], rules: &str, stage: &str) -> Vec<String> {
    let of_stage = |row: &&Row| row.rules == rules && row.stage == stage;
    let wrong = |row: &Row| {
        let answers = trace::answer(host, &row.question());
        let answers = answers.unwrap_or_else(|error| panic!("{row:?}: {error}"));
        let why = row.wrong(&answers)?;
        Some(format!("{row:?}\n    {why}\n"))
    };
    rows.iter().filter(of_stage).filter_map(wrong).collect()
}
