//! A node under kube-proxy 1.20.2, as recorded: what clients really saw is what is foretold
//! from the saved files.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use host::parse::{self, Input};
use host::{Given, Host};
use net::{Endpoint, Family, Proto};
use trace::{Answer, Client, Origin, Outcome, Question, Verdict};

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
    assert_eq!(problems, vec![], "the files are read without a problem");
    part
}

fn input(text: &[u8]) -> Input<'_> {
    Input {
        name: "recorded",
        text,
    }
}

/// The node from the files of one rule language and stage.
fn node(rules: &str, stage: &str) -> Host {
    let at = folder().join(rules);
    let file = |name: &str| read(&at.join(name));
    let staged = |name: &str| read(&at.join(stage).join(name));
    let mut host = Host {
        links: whole(parse::ip_links(input(&file("ip-link.json")))),
        addresses: whole(parse::ip_addresses(input(&file("ip-addr.json")))),
        sysctls: whole(parse::sysctls(input(&file("sysctl.txt")))),
        ..Host::default()
    };
    for name in ["ip-route.json", "ip-6-route.json"] {
        let index = |name: &str| host.link_named(name).map(|link| link.index);
        let routes = whole(parse::ip_routes(input(&file(name)), index));
        host.routes.extend(routes);
    }
    for (name, family) in [("ip-rule.json", Family::V4), ("ip-6-rule.json", Family::V6)] {
        host.routing_rules
            .extend(whole(parse::ip_rules(input(&file(name)), family)));
    }
    for name in ["iptables-save.txt", "ip6tables-save.txt"] {
        let (tables, _, problems) = parse::iptables_save(input(&staged(name)));
        host.ruleset.tables.extend(whole((tables, problems)));
    }
    let index = |name: &str| host.link_named(name).map(|link| link.index);
    host.sockets = whole(parse::ss(input(&staged("ss-tulpenOH.txt")), index));
    host.given = Given {
        links: true,
        addresses: true,
        routes: true,
        routing_rules: true,
        sysctls: true,
        sockets: true,
        ipsets: true,
        rules_v4: true,
        rules_v6: true,
        nft: true,
    };
    assert_eq!(
        trace::complete(&mut host),
        Vec::<String>::new(),
        "nothing has to be assumed"
    );
    host
}

/// One row of the recording.
#[derive(Debug)]
struct Row {
    rules: String,
    stage: String,
    from: String,
    src: Option<IpAddr>,
    to: Endpoint,
    proto: Proto,
    /// Names of servers without the address, or what the client got instead.
    outcomes: BTreeSet<String>,
    /// The client's address as each server saw it.
    seen: Vec<(String, IpAddr)>,
}

fn server(name: &str) -> String {
    name.split('/').next().unwrap_or_default().to_owned()
}

fn rows() -> Vec<Row> {
    let text = String::from_utf8(read(&folder().join("truth.jsonl"))).unwrap();
    let row = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        let seen = value["seen_source"].as_object().into_iter().flatten();
        Row {
            rules: text("rules").unwrap(),
            stage: text("stage").unwrap(),
            from: text("from").unwrap(),
            src: text("src").map(|addr| addr.parse().unwrap()),
            to: Endpoint {
                addr: text("dst").unwrap().parse().unwrap(),
                port: value["port"].as_u64().unwrap().try_into().unwrap(),
            },
            proto: text("proto").unwrap().parse().unwrap(),
            outcomes: value["outcomes"]
                .as_object()
                .unwrap()
                .keys()
                .map(|k| server(k))
                .collect(),
            seen: seen
                .map(|(name, addr)| (server(name), addr.as_str().unwrap().parse().unwrap()))
                .collect(),
        }
    };
    text.lines().map(row).collect()
}

fn question(row: &Row) -> Question {
    let own = |v4: &str, v6: &str| -> IpAddr {
        if row.to.addr.is_ipv6() {
            v6.parse().unwrap()
        } else {
            v4.parse().unwrap()
        }
    };
    let mut question = Question::about(row.proto, row.to);
    question.pod_ranges = vec![
        "10.52.0.0/16".parse().unwrap(),
        "fd52::/16".parse().unwrap(),
    ];
    let (origin, iif) = match row.from.as_str() {
        "node-a" => (row.src.map_or(Origin::Local, Origin::Address), None),
        "client" => {
            let addr = row
                .src
                .unwrap_or_else(|| own("172.20.31.100", "fd20:31::100"));
            (Origin::Address(addr), Some("eth0"))
        }
        _ => (
            Origin::Address(own("10.52.1.11", "fd52:1::11")),
            Some("pod-a1"),
        ),
    };
    (question.origin, question.iif) = (origin, iif.map(str::to_owned));
    question
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

/// Why a row is not what was foretold.
fn wrong(row: &Row, answers: &[Answer]) -> Option<String> {
    let outcomes: Vec<&Outcome> = answers.iter().flat_map(|answer| &answer.outcomes).collect();
    let foretold: BTreeSet<String> = outcomes.iter().map(|outcome| called(outcome)).collect();
    // Servers were chosen at random, and twelve tries may miss one; one client was remembered
    // by session affinity. Everything else was seen each time.
    let fits = if foretold.len() > 1 {
        row.outcomes.is_subset(&foretold)
    } else {
        row.outcomes == foretold
    };
    // Nobody has the address that the packet left for.
    let left = foretold.iter().all(|name| name.starts_with("nobody at"))
        && row.outcomes.iter().all(|name| name == "TIMEOUT");
    if !fits && !left {
        return Some(format!("saw {:?}, foretold {foretold:?}", row.outcomes));
    }
    let client = answers.first().and_then(|answer| answer.region.first());
    let untold = row.seen.iter().find(|(server, source)| {
        let mut told = outcomes.iter().filter(|outcome| called(outcome) == *server);
        !told.any(|outcome| outcome.seen_source.or(client) == Some(*source))
    });
    untold.map(|(server, source)| format!("{server} saw {source}, which was not foretold"))
}

#[test]
fn every_recorded_connection_ends_as_foretold_from_the_saved_files() {
    let mut wrongs = Vec::new();
    let rows = rows();
    for rules in ["nft", "legacy"] {
        for stage in ["before", "after"] {
            let host = node(rules, stage);
            for row in rows
                .iter()
                .filter(|row| row.rules == rules && row.stage == stage)
            {
                let answers = trace::answer(&host, &question(row)).unwrap();
                wrongs.extend(wrong(row, &answers).map(|why| format!("{row:?}\n    {why}")));
            }
        }
    }
    assert!(
        wrongs.is_empty(),
        "{} of {} wrong:\n{}",
        wrongs.len(),
        rows.len(),
        wrongs.join("\n")
    );
}
