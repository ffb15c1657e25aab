//! The host of the contract's example, and what happens on it.

use std::net::IpAddr;

use host::xt::{
    AddrTypes, ConntrackMatch, Match, NatRange, Not, RejectWith, Target, TransportMatch,
};
use host::{
    Base, Chain, ChainKind, Holder, Hook, Host, Language, Policy, Rule, RuleBody, Socket,
    SocketState, Table, TableFamily, xt,
};
use net::{Endpoint, Family, Prefix, Proto};
use story::{Names, PodLabel, Story};
use trace::{
    Answer, Cause, Client, Did, Finding, Fix, From, Outcome, Question, Region, RuleRef, Server,
    Severity, Stage, Step, Verdict,
};

pub const UID: &str = "0a1b2c3d-1111-2222-3333-0123456789ab";

/// Everything a story borrows.
pub struct World {
    pub host: Host,
    pub question: Question,
    pub answers: Vec<Answer>,
    pub findings: Vec<Finding>,
    pub names: Names,
}

impl World {
    pub fn story(&self) -> Story<'_> {
        Story {
            host: &self.host,
            question: &self.question,
            answers: &self.answers,
            findings: &self.findings,
            names: &self.names,
            probe: None,
            traced: None,
        }
    }
}

pub fn addr(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub fn end(text: &str) -> Endpoint {
    text.parse().unwrap()
}

/// `-p tcp -m tcp --dport PORT`.
fn tcp_port(port: u16) -> Vec<Match> {
    let ports = TransportMatch {
        dport: Some(Not::is((port, port))),
        ..TransportMatch::default()
    };
    vec![
        Match::Proto(Not::is(Proto::TCP)),
        Match::Tcp(Box::new(ports)),
    ]
}

fn is_new() -> Match {
    Match::Conntrack(Box::new(ConntrackMatch {
        state: Some(Not::is(8)),
        ..ConntrackMatch::default()
    }))
}

fn is_local() -> Match {
    Match::AddrType(Box::new(AddrTypes {
        dst: Some(Not::is(4)),
        ..AddrTypes::default()
    }))
}

fn rule(text: &str, matches: Vec<Match>, target: Target) -> Rule {
    Rule {
        body: RuleBody::Xt(xt::Rule { matches, target }),
        handle: None,
        comment: None,
        text: Some(text.into()),
    }
}

fn chain(name: &str, hook: Option<Hook>, rules: Vec<Rule>) -> Chain {
    Chain {
        name: name.to_owned(),
        base: hook.map(|hook| Base {
            hook,
            priority: 0,
            kind: ChainKind::Filter,
            policy: Policy::Accept,
            devices: Vec::new(),
        }),
        handle: None,
        comment: None,
        rules,
    }
}

fn table(name: &str, chains: Vec<Chain>) -> Table {
    Table {
        family: TableFamily::Ip,
        name: name.to_owned(),
        language: Language::Nft,
        handle: None,
        dormant: false,
        comment: None,
        chains,
        sets: Vec::new(),
        objects: Vec::new(),
    }
}

fn jump(to: &str, matches: Vec<Match>) -> Rule {
    rule(&format!("-j {to}"), matches, Target::Jump(to.into()))
}

/// Table 0 is `filter` with the rejecting chains of kube-proxy, table 1 its `nat`.
fn rules() -> Vec<Table> {
    let reject = "-A KUBE-EXTERNAL-SERVICES -p tcp -m comment --comment \"default/nginx:http has \
                  no endpoints\" -m addrtype --dst-type LOCAL -m tcp --dport 30584 -j REJECT \
                  --reject-with icmp-port-unreachable";
    let mut matches = tcp_port(30584);
    matches.insert(1, is_local());
    let reject = rule(reject, matches, Target::Reject(RejectWith::Icmp(3)));
    let input = vec![
        jump("KUBE-FIREWALL", vec![]),
        jump("KUBE-EXTERNAL-SERVICES", vec![is_new()]),
    ];
    let dnat = |to: &str| {
        let to = addr(to);
        let range = NatRange {
            addrs: Some((to, to)),
            ports: Some((8080, 8080)),
            ..NatRange::default()
        };
        let tcp = vec![
            Match::Proto(Not::is(Proto::TCP)),
            Match::Tcp(Box::default()),
        ];
        rule("-j DNAT", tcp, Target::Dnat(Box::new(range)))
    };
    vec![
        table(
            "filter",
            vec![
                chain("INPUT", Some(Hook::Input), input),
                chain("KUBE-EXTERNAL-SERVICES", None, vec![reject]),
                chain("KUBE-FIREWALL", None, vec![]),
            ],
        ),
        table(
            "nat",
            vec![
                chain(
                    "PREROUTING",
                    Some(Hook::Prerouting),
                    vec![jump("KUBE-NODEPORTS", vec![])],
                ),
                chain(
                    "KUBE-NODEPORTS",
                    None,
                    vec![jump("KUBE-SVC-WEB", tcp_port(31080))],
                ),
                chain(
                    "KUBE-SVC-WEB",
                    None,
                    vec![dnat("10.52.1.11"), dnat("10.52.2.21")],
                ),
            ],
        ),
    ]
}

pub fn region(parts: &[&str]) -> Region {
    let bits = |text: &str| net::addr_bits(text.parse().unwrap());
    let range = |part: &&str| {
        if let Some((first, last)) = part.split_once('-') {
            return (bits(first), bits(last));
        }
        let prefix: Prefix = part.parse().unwrap();
        (prefix.first(), prefix.last())
    };
    Region {
        family: Family::V4,
        ranges: parts.iter().map(range).collect(),
    }
}

pub fn step(stage: Stage, did: Did) -> Step {
    Step {
        stage,
        rule: None,
        did,
    }
}

pub fn by_rule(hook: Hook, (table, chain, rule): (usize, usize, usize), did: Did) -> Step {
    let rule = Some(rule);
    Step {
        stage: Stage::Hook(hook),
        rule: Some(RuleRef { table, chain, rule }),
        did,
    }
}

pub fn jumps(chain: &str) -> Did {
    let chain = chain.to_owned();
    Did::Jump { chain }
}

pub fn arrives() -> Step {
    let iif = "vcli".to_owned();
    step(Stage::Start, Did::Arrives { iif })
}

pub fn is_this_host(text: &str) -> Step {
    step(Stage::Routing, Did::RoutedLocal { addr: addr(text) })
}

/// The last steps of everything that the rejecting rule catches.
fn rejected() -> Vec<Step> {
    vec![
        by_rule(Hook::Input, (0, 0, 0), jumps("KUBE-FIREWALL")),
        by_rule(Hook::Input, (0, 0, 1), jumps("KUBE-EXTERNAL-SERVICES")),
        by_rule(Hook::Input, (0, 1, 0), Did::Reject(RejectWith::Icmp(3))),
    ]
}

pub fn listener() -> Socket {
    Socket {
        proto: Proto::TCP,
        state: SocketState::Listen,
        addr: addr("0.0.0.0"),
        port: 30584,
        peer: None,
        v6_only: false,
        device: None,
        uid: 0,
        inode: 7,
        mark: None,
        transparent: None,
        holder: Some(Holder {
            name: "python3".to_owned(),
            pid: Some(16140),
            gid: None,
            pod_uid: Some(UID.to_owned()),
            container: None,
            unit: None,
        }),
    }
}

pub fn outcome(verdict: Verdict, cause: Cause, client: Client, steps: Vec<Step>) -> Outcome {
    Outcome {
        share: Some(1.0),
        when: None,
        verdict,
        client,
        cause,
        to: None,
        oif: None,
        seen_source: None,
        masquerade: false,
        server: None,
        service: None,
        request: steps.len(),
        steps,
        gaps: Vec::new(),
    }
}

pub fn refused(before: Vec<Step>) -> Outcome {
    let steps = before.into_iter().chain(rejected()).collect();
    let cause = Cause::RuleRejects(RejectWith::Icmp(3));
    let client = Client::Errno("ECONNREFUSED");
    Outcome {
        server: Some(Server {
            socket: listener(),
            reached: false,
        }),
        service: Some("default/nginx:http".parse().unwrap()),
        ..outcome(Verdict::Refused, cause, client, steps)
    }
}

pub fn answer(from: From, iif: Option<&str>, parts: &[&str], outcomes: Vec<Outcome>) -> Answer {
    Answer {
        from,
        iif: iif.map(str::to_owned),
        region: region(parts),
        outcomes,
        assumed: Vec::new(),
    }
}

pub fn from_outside() -> Answer {
    let steps = vec![arrives(), is_this_host("192.168.77.1")];
    let parts = ["192.168.77.2-192.168.77.254"];
    answer(From::Outside, Some("vcli"), &parts, vec![refused(steps)])
}

pub fn from_here() -> Answer {
    let oif = "lo".to_owned();
    let source = Some(addr("192.168.77.1"));
    let steps = vec![
        step(Stage::Start, Did::Sent { source }),
        is_this_host("192.168.77.1"),
        step(Stage::Leave, Did::Leaves { oif }),
        step(Stage::Start, Did::LoopsBack),
        is_this_host("192.168.77.1"),
    ];
    answer(From::Local, None, &["192.168.77.1"], vec![refused(steps)])
}

pub fn shadowed(answers: Vec<usize>) -> Finding {
    let patch = "kubectl -n default patch service nginx --type=json \
                 -p='[{\"op\":\"replace\",\"path\":\"/spec/ports/0/nodePort\",\"value\":31544}]'";
    Finding {
        code: "nodeport-shadows-listener",
        severity: Severity::Error,
        title: "default/nginx:http took the port from the process that listens on it".to_owned(),
        why: vec![
            "Service default/nginx has NodePort 30584 for port http and no ready endpoints; \
             python3 listens on the same port"
                .to_owned(),
        ],
        fix: Some(Fix {
            say: "give the Service another NodePort\n31544 is free on this host and held by no \
                  Service"
                .to_owned(),
            command: Some(patch.to_owned()),
        }),
        check: Some("iptables -t filter -S KUBE-EXTERNAL-SERVICES 1".to_owned()),
        answers,
    }
}

/// The contract's example.
pub fn world() -> World {
    let mut names = Names::default();
    names.insert(
        UID,
        PodLabel {
            name: "default/web-0".to_owned(),
            host_network: true,
        },
    );
    let mut host = Host::default();
    host.ruleset.tables = rules();
    World {
        host,
        question: Question::about(Proto::TCP, end("192.168.77.1:30584")),
        answers: vec![from_outside()],
        findings: vec![shadowed(vec![0])],
        names,
    }
}

/// Compares a text with the file of that name beside this one; `UPDATE_STORIES=1` writes the
/// file instead, to be reviewed like code.
#[expect(
    clippy::disallowed_methods,
    reason = "tests may be told to write what they expect"
)]
pub fn expect(name: &str, text: &str) {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/told");
    let file = dir.join(name);
    if std::env::var("UPDATE_STORIES").is_ok() {
        std::fs::write(&file, text).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        expected == text,
        "{name} is now:\n{text}\nand was:\n{expected}"
    );
}
