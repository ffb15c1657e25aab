//! A small host for the tests of findings, and what holds for all of them.

use host::nft::Verdict;
use host::nft::{
    Data, DataKind, Element, Expr, Key, KeyRange, MetaKey, PayloadBase, Reject, Set, SetOptions,
    Type,
};
use host::parse::{self, Input};
use host::{
    Address, Base, Chain, ChainKind, Hook, Host, Language, Link, Policy, Rule, RuleBody, Table,
    TableFamily,
};
use net::{Prefix, Proto, ServiceName};

use super::{FINDINGS, Finding, Names};
use crate::question::{Origin, Question};

/// kube-proxy's rules for a Service without endpoints.
pub(crate) const RULES_WITHOUT_ENDPOINTS: &str = "*filter
:INPUT ACCEPT
:FORWARD ACCEPT
:OUTPUT ACCEPT
:KUBE-EXTERNAL-SERVICES -
:KUBE-SERVICES -
-A INPUT -m conntrack --ctstate NEW -m comment --comment \"kubernetes externally-visible service portals\" -j KUBE-EXTERNAL-SERVICES
-A FORWARD -m conntrack --ctstate NEW -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES
-A OUTPUT -m conntrack --ctstate NEW -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES
-A KUBE-EXTERNAL-SERVICES -p tcp -m comment --comment \"default/nginx:http has no endpoints\" -m addrtype --dst-type LOCAL -m tcp --dport 30584 -j REJECT --reject-with icmp-port-unreachable
-A KUBE-SERVICES -d 10.107.20.80/32 -p tcp -m comment --comment \"default/nginx:http has no endpoints\" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable
COMMIT
";

/// Its rules for a Service with two.
pub(crate) const RULES_WITH_ENDPOINTS: &str = "*nat
:PREROUTING ACCEPT
:OUTPUT ACCEPT
:POSTROUTING ACCEPT
:KUBE-MARK-MASQ -
:KUBE-NODEPORTS -
:KUBE-SEP-AAAAAAAAAAAAAAAA -
:KUBE-SEP-BBBBBBBBBBBBBBBB -
:KUBE-SERVICES -
:KUBE-SVC-XPGD46QRK7WJZT7O -
-A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES
-A OUTPUT -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-NODEPORTS -p tcp -m comment --comment \"shop/web:http\" -m tcp --dport 31081 -j KUBE-MARK-MASQ
-A KUBE-NODEPORTS -p tcp -m comment --comment \"shop/web:http\" -m tcp --dport 31081 -j KUBE-SVC-XPGD46QRK7WJZT7O
-A KUBE-SEP-AAAAAAAAAAAAAAAA -p tcp -m comment --comment \"shop/web:http\" -m tcp -j DNAT --to-destination 10.52.1.11:8080
-A KUBE-SEP-BBBBBBBBBBBBBBBB -p tcp -m comment --comment \"shop/web:http\" -m tcp -j DNAT --to-destination 10.52.1.12:8080
-A KUBE-SERVICES -m comment --comment \"kubernetes service nodeports; NOTE: this must be the last rule in this chain\" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-SVC-XPGD46QRK7WJZT7O -m comment --comment \"shop/web:http\" -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-AAAAAAAAAAAAAAAA
-A KUBE-SVC-XPGD46QRK7WJZT7O -m comment --comment \"shop/web:http\" -j KUBE-SEP-BBBBBBBBBBBBBBBB
-A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE
COMMIT
";

/// Its rules, and the kubelet's, for a Service whose endpoints are elsewhere.
pub(super) const RULES_WITH_LOCAL_POLICY: &str = "*filter
:INPUT ACCEPT
:KUBE-FIREWALL -
-A INPUT -j KUBE-FIREWALL
-A KUBE-FIREWALL -m comment --comment \"kubernetes firewall for dropping marked packets\" -m mark --mark 0x8000/0x8000 -j DROP
COMMIT
*nat
:PREROUTING ACCEPT
:OUTPUT ACCEPT
:KUBE-MARK-DROP -
:KUBE-MARK-MASQ -
:KUBE-NODEPORTS -
:KUBE-SERVICES -
:KUBE-SEP-LRH2YR6HCMPX4ZIA -
:KUBE-SVC-7EGNPK25QZDIHRAT -
:KUBE-XLB-7EGNPK25QZDIHRAT -
-A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES
-A OUTPUT -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES
-A KUBE-MARK-DROP -j MARK --set-xmark 0x8000/0x8000
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-NODEPORTS -p tcp -m comment --comment \"shop/local-away:http\" -m tcp --dport 31083 -j KUBE-XLB-7EGNPK25QZDIHRAT
-A KUBE-SEP-LRH2YR6HCMPX4ZIA -p tcp -m comment --comment \"shop/local-away:http\" -m tcp -j DNAT --to-destination 10.52.2.21:8080
-A KUBE-SERVICES -m comment --comment \"kubernetes service nodeports; NOTE: this must be the last rule in this chain\" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-SVC-7EGNPK25QZDIHRAT -m comment --comment \"shop/local-away:http\" -j KUBE-SEP-LRH2YR6HCMPX4ZIA
-A KUBE-XLB-7EGNPK25QZDIHRAT -m comment --comment \"masquerade LOCAL traffic for shop/local-away:http LB IP\" -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ
-A KUBE-XLB-7EGNPK25QZDIHRAT -m comment --comment \"route LOCAL traffic for shop/local-away:http LB IP to service chain\" -m addrtype --src-type LOCAL -j KUBE-SVC-7EGNPK25QZDIHRAT
-A KUBE-XLB-7EGNPK25QZDIHRAT -m comment --comment \"shop/local-away:http has no local endpoints\" -j KUBE-MARK-DROP
COMMIT
";

/// Its rules for a load balancer's address that lets in only some.
pub(super) const RULES_WITH_SOURCE_RANGES: &str = "*filter
:FORWARD ACCEPT
:INPUT ACCEPT
:OUTPUT ACCEPT
:KUBE-FIREWALL -
-A INPUT -j KUBE-FIREWALL
-A OUTPUT -j KUBE-FIREWALL
-A KUBE-FIREWALL -m comment --comment \"kubernetes firewall for dropping marked packets\" -m mark --mark 0x8000/0x8000 -j DROP
COMMIT
*nat
:PREROUTING ACCEPT
:OUTPUT ACCEPT
:KUBE-FW-FAXFPGMJVQWLKPGL -
:KUBE-MARK-DROP -
:KUBE-MARK-MASQ -
:KUBE-SEP-57W5VQQ73RL4AYLR -
:KUBE-SERVICES -
:KUBE-SVC-FAXFPGMJVQWLKPGL -
-A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES
-A OUTPUT -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES
-A KUBE-FW-FAXFPGMJVQWLKPGL -m comment --comment \"shop/checkout:http loadbalancer IP\" -j KUBE-MARK-MASQ
-A KUBE-FW-FAXFPGMJVQWLKPGL -s 192.168.77.128/25 -m comment --comment \"shop/checkout:http loadbalancer IP\" -j KUBE-SVC-FAXFPGMJVQWLKPGL
-A KUBE-FW-FAXFPGMJVQWLKPGL -m comment --comment \"shop/checkout:http loadbalancer IP\" -j KUBE-MARK-DROP
-A KUBE-MARK-DROP -j MARK --set-xmark 0x8000/0x8000
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-SEP-57W5VQQ73RL4AYLR -p tcp -m comment --comment \"shop/checkout:http\" -m tcp -j DNAT --to-destination 10.52.2.21:8080
-A KUBE-SERVICES -d 203.0.113.80/32 -p tcp -m comment --comment \"shop/checkout:http loadbalancer IP\" -m tcp --dport 80 -j KUBE-FW-FAXFPGMJVQWLKPGL
-A KUBE-SVC-FAXFPGMJVQWLKPGL -m comment --comment \"shop/checkout:http\" -j KUBE-SEP-57W5VQQ73RL4AYLR
COMMIT
";

/// A host with eth0 at 192.168.77.1/24, and what others know of its Services.
pub(crate) struct World {
    pub(crate) host: Host,
    pub(super) ready: Option<usize>,
    pub(super) free: Option<u16>,
    pub(super) index: Option<usize>,
}

impl World {
    pub(crate) fn of(rules: &str, listeners: &[&str]) -> Self {
        let mut host = Host {
            links: vec![Link::named(1, "lo"), Link::named(2, "eth0")],
            ..Host::default()
        };
        let addr = "192.168.77.1".parse().unwrap();
        host.addresses.push(Address {
            link: 2,
            addr,
            prefix: Prefix::containing(addr, 24),
            peer: None,
            secondary: false,
            scope: 0,
        });
        host.sysctls.insert("net.ipv4.ip_forward", "1");
        host.given.sysctls = true;
        host.given.rules_v4 = true;
        host.given.sockets = true;
        let input = Input {
            name: "rules",
            text: rules.as_bytes(),
        };
        let (tables, _, problems) = parse::iptables_save(input);
        assert_eq!(problems, []);
        host.ruleset.tables = tables;
        let sockets = listeners.iter().map(|text| parse::listen(text).unwrap());
        host.sockets.extend(sockets);
        let _ = crate::complete(&mut host);
        Self {
            host,
            ready: None,
            free: None,
            index: None,
        }
    }

    /// What a question about a TCP connection from anywhere finds.
    pub(super) fn findings(&self, to: &str) -> Vec<Finding> {
        self.ask(to, Origin::Everywhere)
    }

    pub(super) fn codes(&self, to: &str) -> Vec<&'static str> {
        codes(&self.findings(to))
    }

    pub(super) fn codes_from_outside(&self, to: &str) -> Vec<&'static str> {
        codes(&self.ask(to, Origin::Outside))
    }

    fn ask(&self, to: &str, origin: Origin) -> Vec<Finding> {
        let mut question = Question::about(Proto::TCP, to.parse().unwrap());
        question.origin = origin;
        let answers = crate::answer(&self.host, &question).unwrap();
        super::findings(&self.host, &question, &answers, self)
    }
}

fn codes(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.code).collect()
}

impl Names for World {
    fn at_node_port(&self, _proto: Proto, _port: u16) -> Option<ServiceName> {
        None
    }

    fn ready(&self, _service: &ServiceName) -> Option<usize> {
        self.ready
    }

    fn free_node_port(&self, _host: &Host, _proto: Proto) -> Option<u16> {
        self.free
    }

    fn port_index(&self, _service: &ServiceName) -> Option<usize> {
        self.index
    }
}

fn one(bytes: &[u8]) -> KeyRange {
    KeyRange {
        first: bytes.into(),
        last: bytes.into(),
    }
}

/// Part of the table of kube-proxy's nftables mode: what it does to TCP packets to a NodePort
/// of `default/nginx:http` that it has no endpoint for.
fn kube_proxy_table(port: u16, verdict: Verdict) -> Table {
    let map = Set {
        name: "no-endpoint-nodeports".to_owned(),
        key: vec![Type::Proto, Type::Port],
        data: DataKind::Verdict,
        values: Vec::new(),
        anonymous: false,
        interval: false,
        dynamic: false,
        elements: vec![Element {
            key: Key::Fields(vec![one(&[6]), one(&port.to_be_bytes())]),
            data: Some(Data::Verdict(verdict)),
            comment: Some("default/nginx:http".into()),
            timeout: None,
            exprs: Vec::new(),
        }],
        unread: false,
        options: SetOptions::default(),
    };
    let look = vec![
        Expr::Meta {
            dreg: 4,
            key: MetaKey::L4Proto,
        },
        Expr::Payload {
            dreg: 5,
            base: PayloadBase::Transport,
            offset: 2,
            len: 2,
        },
        Expr::Lookup {
            set: map.name.as_str().into(),
            sreg: 4,
            dreg: None,
            to_verdict: true,
            not: false,
        },
    ];
    let base = Base {
        hook: Hook::Input,
        priority: 0,
        kind: ChainKind::Filter,
        policy: Policy::Accept,
        devices: Vec::new(),
    };
    Table {
        family: TableFamily::Ip,
        name: "kube-proxy".to_owned(),
        language: Language::Nft,
        handle: None,
        dormant: false,
        comment: None,
        chains: vec![
            nft_chain("filter-input", Some(base), look),
            nft_chain("reject-chain", None, vec![Expr::Reject(Reject::Icmpx(1))]),
        ],
        sets: vec![map],
        objects: Vec::new(),
    }
}

fn nft_chain(name: &str, base: Option<Base>, exprs: Vec<Expr>) -> Chain {
    Chain {
        name: name.to_owned(),
        base,
        handle: None,
        comment: None,
        rules: vec![Rule {
            body: RuleBody::Nft(exprs),
            handle: None,
            comment: None,
            text: None,
        }],
    }
}

#[test]
fn a_map_of_the_nftables_mode_names_the_service_that_refuses() {
    let mut world = World::of("", &["tcp/0.0.0.0:30584=python3"]);
    let verdict = Verdict::Goto("reject-chain".into());
    world.host.ruleset.tables = vec![kube_proxy_table(30584, verdict)];
    let found = world.findings("192.168.77.1:30584");
    assert_eq!(codes(&found), ["nodeport-shadows-listener"]);
    let check = "nft -a list chain ip kube-proxy filter-input";
    assert_eq!(found[0].check.as_deref(), Some(check));
}

#[test]
fn a_map_of_the_nftables_mode_that_drops_lacks_a_local_endpoint() {
    let mut world = World::of("", &[]);
    world.host.ruleset.tables = vec![kube_proxy_table(30584, Verdict::Drop)];
    assert_eq!(
        world.codes("192.168.77.1:30584"),
        ["local-policy-without-endpoint"]
    );
}

#[test]
fn a_connection_that_arrives_shows_nothing() {
    let world = World::of("", &["tcp/0.0.0.0:8080=webd"]);
    assert_eq!(world.codes("192.168.77.1:8080"), [""; 0]);
}

#[test]
fn every_text_fits_a_terminal_and_every_code_is_used_once() {
    let mut codes: Vec<_> = FINDINGS.iter().map(|doc| doc.code).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), FINDINGS.len());
    let texts = |doc: &super::FindingDoc| [doc.you_see, doc.check_by_hand, doc.put_it_right];
    let lines = FINDINGS.iter().flat_map(texts).flat_map(str::lines);
    let long: Vec<&str> = lines.filter(|line| line.chars().count() > 78).collect();
    assert_eq!(long, [""; 0]);
}
