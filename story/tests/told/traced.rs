//! What the kernel reports of a packet, beside what was foretold.

use host::Language;
use host::nft::Verdict;
use host::nftrace::{At, Headers, Report};
use net::Proto;
use serde_json::Value;
use story::Traced;
use story::term::{Options, render};
use trace::{Beside, Way};

use crate::schema::breaks;
use crate::world::{World, end, expect, world};

/// The chains of table 0, `filter`.
const INPUT: usize = 0;

/// A report of a rule or policy of table 0.
fn report(world: &World, chain: usize, at: At, verdict: Verdict) -> Report {
    let table = &world.host.ruleset.tables[0];
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

/// The contract's host, whose rules have their numbers as handles.
fn numbered() -> World {
    let mut world = world();
    for chain in &mut world.host.ruleset.tables[0].chains {
        for (rule, handle) in chain.rules.iter_mut().zip(1..) {
            rule.handle = Some(handle);
        }
    }
    world
}

fn chain(world: &World, name: &str) -> usize {
    let mut chains = world.host.ruleset.tables[0].chains.iter();
    chains.position(|chain| chain.name == name).unwrap()
}

/// The way into the chain of Services, and then what it says about the packet.
fn traced(world: &World, last: (At, Verdict)) -> Traced {
    let services = chain(world, "KUBE-EXTERNAL-SERVICES");
    let outcome = &world.answers[0].outcomes[0];
    let way = Way {
        steps: outcome.steps[..outcome.request].to_vec(),
        is_open: false,
    };
    let jump = |to: &str| Verdict::Jump(to.into());
    let reports = [
        report(world, INPUT, At::Rule(1), jump("KUBE-FIREWALL")),
        report(world, INPUT, At::Rule(2), jump("KUBE-EXTERNAL-SERVICES")),
        report(world, services, last.0, last.1),
    ];
    Traced {
        table: "berth-trace-1".to_owned(),
        packet: Some(Headers {
            proto: Proto::TCP,
            from: end("192.168.77.2:40000"),
            to: end("192.168.77.1:30584"),
            iif: Some(2),
            rest: Vec::new(),
        }),
        beside: trace::beside(&world.host, &[way], &reports),
        lost: false,
        waited: Some(30),
    }
}

fn told(world: &World, traced: &Traced) -> String {
    let story = story::Story {
        traced: Some(traced),
        ..world.story()
    };
    let text = render(&story, &Options::default());
    let start = text.find("\ntrace ").unwrap();
    text[start + 1..].to_owned()
}

#[test]
fn a_way_as_foretold_is_told_rule_by_rule() {
    let world = numbered();
    let text = told(&world, &traced(&world, (At::Rule(1), Verdict::Drop)));
    expect("traced.txt", &text);
}

#[test]
fn the_place_where_the_kernel_left_the_foretold_way_is_said_plainly() {
    let world = numbered();
    let text = told(&world, &traced(&world, (At::Rule(99), Verdict::Accept)));
    expect("parted.txt", &text);
}

#[test]
fn no_packet_and_no_legacy_table_are_told_of() {
    let mut world = numbered();
    world.host.ruleset.tables[1].language = Language::Legacy;
    let nobody = Traced {
        packet: None,
        beside: Beside {
            taken: Vec::new(),
            agrees: None,
            parted: None,
        },
        ..traced(&world, (At::Rule(1), Verdict::Drop))
    };
    assert_eq!(
        told(&world, &nobody),
        "trace  no packet that opens such a connection came within 30 s\n\
         note   legacy tables are not traced by the kernel this way\n"
    );
}

#[test]
fn a_way_that_was_not_heard_whole_proves_nothing() {
    let world = numbered();
    let traced = Traced {
        lost: true,
        ..traced(&world, (At::Rule(1), Verdict::Drop))
    };
    let text = told(&world, &traced);
    assert!(!text.contains("the kernel took"), "{text}");
    assert!(text.contains("some of it is lost"), "{text}");
}

fn document(world: &World, traced: &Traced) -> Value {
    let story = story::Story {
        traced: Some(traced),
        ..world.story()
    };
    serde_json::to_value(story::json::document(&story)).unwrap()
}

#[test]
fn the_document_has_the_steps_and_where_they_part() {
    let world = numbered();
    let parted = document(&world, &traced(&world, (At::Rule(99), Verdict::Accept)));
    assert_eq!(
        breaks(&story::json::schema(), &parted, ""),
        Vec::<String>::new()
    );
    let trace = &parted["trace"];
    assert_eq!(trace["agrees"], false);
    assert_eq!(trace["parted"]["step"], 3);
    assert_eq!(
        trace["parted"]["foretold"]["chain"],
        "KUBE-EXTERNAL-SERVICES"
    );
    assert_eq!(trace["steps"][1]["rule"], 2);
    assert_eq!(trace["steps"][1]["foretold"], true);
    assert_eq!(trace["steps"][2]["rule"], Value::Null);
    assert_eq!(trace["steps"][2]["handle"], 99);
    let agreed = document(&world, &traced(&world, (At::Rule(1), Verdict::Drop)));
    assert_eq!(
        breaks(&story::json::schema(), &agreed, ""),
        Vec::<String>::new()
    );
    assert_eq!(agreed["trace"]["parted"], Value::Null);
}
