//! Ways that the kernel could take, beside foretold ones.

use net::Proto;

use super::*;
use crate::findings::tests::World;
use crate::question::Origin;

const RULES: &str = "*filter
:INPUT DROP
:WEB -
-A INPUT -p tcp -j MARK --set-mark 1
-A INPUT -p tcp --dport 80 -j WEB
-A INPUT -p tcp --dport 22 -j ACCEPT
-A WEB -s 10.0.0.0/8 -j DROP
-A WEB -m statistic --mode random --probability 0.5 -j ACCEPT
-A WEB -j ACCEPT
COMMIT
";
const INPUT: usize = 0;
const WEB: usize = 1;

/// A host with these rules in nftables; a rule's handle is its number in its chain.
fn host() -> Host {
    let mut host = World::of(RULES, &["tcp/0.0.0.0:80=web"]).host;
    for table in &mut host.ruleset.tables {
        table.language = Language::Nft;
        for rules in table.chains.iter_mut().map(|chain| &mut chain.rules) {
            for (rule, handle) in rules.iter_mut().zip(0..) {
                rule.handle = Some(handle);
            }
        }
    }
    host
}

fn report(host: &Host, chain: usize, at: At, verdict: Verdict) -> Report {
    let table = &host.ruleset.tables[0];
    Report {
        id: 1,
        family: table.family,
        table: table.name.clone(),
        chain: table.chains[chain].name.clone(),
        at,
        verdict: Some(verdict),
        mark: 0,
        headers: None,
    }
}

/// A client at 192.168.77.2 asks for port 80, and the kernel reports this.
fn compared(reports: &[(usize, At, Verdict)]) -> Beside {
    let host = host();
    let mut question = Question::about(Proto::TCP, "192.168.77.1:80".parse().unwrap());
    question.origin = Origin::Address("192.168.77.2".parse().unwrap());
    question.sport = Some(40000);
    let reports: Vec<Report> = reports
        .iter()
        .map(|(chain, at, verdict)| report(&host, *chain, *at, verdict.clone()))
        .collect();
    beside(&host, &ways(&host, &question).unwrap(), &reports)
}

fn to_web() -> [(usize, At, Verdict); 2] {
    [
        (INPUT, At::Rule(0), Verdict::Continue),
        (INPUT, At::Rule(1), Verdict::Jump("WEB".into())),
    ]
}

fn ends(last: (usize, At, Verdict)) -> Beside {
    let [first, second] = to_web();
    compared(&[first, second, last])
}

#[test]
fn each_of_the_ways_that_chance_leaves_open_was_foretold() {
    for rule in [1, 2] {
        let beside = ends((WEB, At::Rule(rule), Verdict::Accept));
        assert_eq!((beside.agrees, beside.parted), (Some(true), None));
        assert!(beside.taken.iter().all(|taken| taken.foretold));
    }
}

#[test]
fn a_rule_that_decides_otherwise_is_where_the_ways_part() {
    let beside = ends((WEB, At::Rule(0), Verdict::Drop));
    assert_eq!(beside.agrees, Some(false));
    let parted = beside.parted.unwrap();
    assert_eq!(parted.taken, Some(2));
    assert_eq!(parted.foretold.map(|step| step.did), Some(Did::Accept));
}

#[test]
fn a_way_that_ends_early_parts_at_what_is_missing() {
    let parted = compared(&to_web()).parted.unwrap();
    assert_eq!(parted.taken, None);
    let at = parted.foretold.and_then(|step| step.rule).unwrap();
    assert_eq!((at.chain, at.rule), (WEB, Some(1)));
}

#[test]
fn a_rule_that_only_passes_on_need_not_be_foretold() {
    let [first, second] = to_web();
    let beside = compared(&[
        first,
        (INPUT, At::Rule(2), Verdict::Continue),
        second,
        (WEB, At::Rule(2), Verdict::Accept),
    ]);
    assert_eq!(beside.agrees, Some(true));
    let foretold: Vec<bool> = beside.taken.iter().map(|taken| taken.foretold).collect();
    assert_eq!(foretold, [true, false, true, true]);
}

#[test]
fn a_rule_that_was_not_there_and_decides_was_not_foretold() {
    let beside = ends((WEB, At::Rule(77), Verdict::Accept));
    assert_eq!(beside.agrees, Some(false));
    assert_eq!(beside.taken[2].at, None);
}

#[test]
fn a_hook_that_the_packet_was_not_to_come_to_is_where_the_ways_part() {
    let mut host = host();
    let chains = &mut host.ruleset.tables[0].chains;
    let mut forward = chains[INPUT].clone();
    forward.name = "FORWARD".to_owned();
    forward.rules.clear();
    if let Some(base) = &mut forward.base {
        base.hook = Hook::Forward;
    }
    chains.push(forward);
    let steps = vec![Step {
        stage: Stage::Routing,
        rule: None,
        did: Did::RoutedLocal {
            addr: "192.168.77.1".parse().unwrap(),
        },
    }];
    let way = Way {
        steps,
        is_open: false,
    };
    let forwarded = report(&host, 2, At::Policy, Verdict::Accept);
    let beside = beside(&host, std::slice::from_ref(&way), &[forwarded]);
    assert_eq!(beside.parted.map(|parted| parted.taken), Some(Some(0)));
}

#[test]
fn nothing_certain_is_foretold_behind_a_gap() {
    let host = host();
    let way = Way {
        steps: Vec::new(),
        is_open: true,
    };
    let dropped = report(&host, INPUT, At::Policy, Verdict::Drop);
    let beside = beside(&host, &[way], &[dropped]);
    assert_eq!((beside.agrees, beside.parted), (None, None));
}
