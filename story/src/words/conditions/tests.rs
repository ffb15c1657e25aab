//! How conditions are said.

use host::xt::Target;

use super::*;

fn said(matches: Vec<Match>) -> String {
    let target = Target::Accept;
    conditions(&Rule { matches, target })
}

fn dport(port: u16) -> Match {
    let dport = Some(Not::is((port, port)));
    Match::Tcp(Box::new(TransportMatch {
        dport,
        ..TransportMatch::default()
    }))
}

fn new() -> Match {
    Match::Conntrack(Box::new(ConntrackMatch {
        state: Some(Not::is(8)),
        ..ConntrackMatch::default()
    }))
}

fn local() -> Match {
    Match::AddrType(Box::new(AddrTypes {
        dst: Some(Not::is(1 << 2)),
        ..AddrTypes::default()
    }))
}

#[test]
fn a_rejecting_rule_of_kube_proxy_reads_as_a_sentence() {
    let tcp = Match::Proto(Not::is(Proto::TCP));
    let comment = Match::Comment("default/nginx:http has no endpoints".into());
    assert_eq!(
        said(vec![tcp, comment, local(), dport(30584)]),
        "destination is local, tcp port 30584"
    );
    assert_eq!(said(vec![new()]), "connection is new");
}

#[test]
fn a_transport_match_without_options_tests_the_protocol() {
    let tcp = || Match::Proto(Not::is(Proto::TCP));
    let bare = Match::Tcp(Box::default());
    assert_eq!(said(vec![tcp(), bare.clone()]), "tcp");
    assert_eq!(said(vec![tcp()]), "tcp");
    assert_eq!(said(vec![]), "");
}

#[test]
fn masks_and_inversions_are_said() {
    let addr = MaskedAddr {
        addr: "127.0.0.0".parse().unwrap(),
        mask: "255.0.0.0".parse().unwrap(),
    };
    assert_eq!(
        said(vec![Match::Src(Not::is_not(addr))]),
        "source is not 127.0.0.0/8"
    );
    let state = Some(Not::is_not(0x02 | 0x04 | 0x80));
    let ct = ConntrackMatch {
        state,
        ..ConntrackMatch::default()
    };
    assert_eq!(
        said(vec![Match::Conntrack(Box::new(ct))]),
        "connection is neither established nor related nor translated"
    );
    assert_eq!(
        said(vec![Match::Mark(Not::is((0x8000, 0x8000)))]),
        "mark has 0x8000"
    );
}

#[test]
fn a_mask_that_is_no_prefix_is_written_out() {
    let addr = MaskedAddr {
        addr: "10.0.0.1".parse().unwrap(),
        mask: "255.0.0.255".parse().unwrap(),
    };
    assert_eq!(
        said(vec![Match::Dst(Not::is(addr))]),
        "destination is 10.0.0.1/255.0.0.255"
    );
}

#[test]
fn rates_and_chances_are_said_in_their_units() {
    let limit = LimitMatch {
        cost: 120_000,
        burst: 5,
    };
    assert_eq!(
        said(vec![Match::Limit(limit)]),
        "while no more than 5 a minute come, after a burst of 5"
    );
    let half = Statistic::Random {
        probability: 1 << 30,
        not: false,
    };
    assert_eq!(
        said(vec![Match::Statistic(half)]),
        "50% of packets by chance"
    );
}

#[test]
fn names_from_elsewhere_are_escaped() {
    let name = IfaceName {
        name: "e\x1b[0m".into(),
        is_prefix: true,
    };
    assert_eq!(
        said(vec![Match::In(Not::is(name))]),
        "comes in on e\\u{1b}[0m*"
    );
}
