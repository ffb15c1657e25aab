//! What a scan tells: a table, and a document that fits its schema.

use serde_json::Value;
use story::Scan;
use story::term::{Options, table};
use trace::{Fate, Heard, Listener, Outcome, Stretch, Sweep, Verdict};

use crate::schema::{breaks, lost};
use crate::world::{self, World, expect, world};

/// The listener of the world's question, with this fate of its one answer.
fn heard(world: &World, fate: Fate) -> Heard {
    Heard {
        addrs: vec![world.question.to.addr],
        question: world.question.clone(),
        answers: world.answers.clone(),
        fates: vec![vec![fate]],
        findings: world.findings.clone(),
        old: 0,
    }
}

fn told(world: &World, heard: Vec<Heard>, all: bool) -> String {
    let socket = world::listener();
    let listeners = [Listener {
        sockets: vec![&socket],
        heard,
    }];
    table(&scan(world, &listeners), &Options::default(), all)
}

fn scan<'a>(world: &'a World, listeners: &'a [Listener<'a>]) -> Scan<'a> {
    Scan {
        host: &world.host,
        listeners,
        names: &world.names,
        ports: None,
        pod_at: &|to| (to.port == 8080).then(|| "shop/a".to_owned()),
    }
}

#[test]
fn a_port_that_loses_packets_has_a_row_with_its_cause() {
    let world = world();
    let text = told(&world, vec![heard(&world, Fate::Lost)], false);
    expect("scan.txt", &text);
}

#[test]
fn what_arrives_is_only_counted_unless_asked_for() {
    let world = world();
    let arrives = || vec![heard(&world, Fate::Arrives)];
    assert_eq!(
        told(&world, arrives(), false),
        "none of 1 listener loses traffic\n\n1 reached from everywhere: --all lists them\n"
    );
    // What a Service takes whose proxy holds the port.
    assert!(told(&world, arrives(), true).contains("  Service "));
    let mut own = heard(&world, Fate::Arrives);
    own.answers[0].outcomes[0].service = None;
    assert!(told(&world, vec![own], true).contains("  ok "));
    let blocked = told(&world, vec![heard(&world, Fate::Blocked)], false);
    assert!(blocked.contains("1 kept from some sources"), "{blocked}");
}

#[test]
fn connections_from_before_the_rules_are_counted_where_new_ones_are_lost() {
    let world = world();
    let with = |old| Heard {
        old,
        ..heard(&world, Fate::Lost)
    };
    let text = told(&world, vec![with(1), with(2)], false);
    let said = "3 connections opened before the rules go on working: some requests";
    assert!(text.contains(said), "{text}");
    let text = told(&world, vec![with(1)], false);
    assert!(text.contains("1 connection opened"), "{text}");
    assert!(!told(&world, vec![with(0)], false).contains("before the rules"));
}

#[test]
fn a_pod_that_gets_the_packets_is_named() {
    let world = world();
    let mut heard = heard(&world, Fate::Lost);
    let outcome = &mut heard.answers[0].outcomes[0];
    *outcome = Outcome {
        to: Some(world::end("10.52.1.11:8080")),
        verdict: Verdict::Forwarded,
        ..outcome.clone()
    };
    let text = told(&world, vec![heard], false);
    assert!(text.contains("→ pod shop/a"), "{text}");
}

#[test]
fn an_address_that_is_not_there_is_said_so() {
    let world = world();
    let mut socket = world::listener();
    socket.addr = world::addr("192.0.2.9");
    let listeners = [Listener {
        sockets: vec![&socket],
        heard: vec![],
    }];
    let text = table(&scan(&world, &listeners), &Options::default(), false);
    let absent = "192.0.2.9 is no address of this host [address-not-here]";
    assert!(text.contains(absent) && text.contains("not here"), "{text}");
    socket.addr = world::addr("224.0.0.251");
    let listeners = [Listener {
        sockets: vec![&socket],
        heard: vec![],
    }];
    let text = table(&scan(&world, &listeners), &Options::default(), true);
    assert!(!text.contains("no address"), "{text}");
}

#[test]
fn the_schema_is_published_word_for_word() {
    let text = serde_json::to_string_pretty(&story::json::scan_schema()).unwrap();
    expect("scan-schema.json", &format!("{text}\n"));
}

#[test]
fn no_published_field_is_removed_or_renamed() {
    let published: Value = serde_json::from_str(include_str!("scan-schema.json")).unwrap();
    let gone = lost(&published, &story::json::scan_schema(), "");
    assert_eq!(gone, Vec::<String>::new());
}

#[test]
fn what_is_rendered_fits_the_schema() {
    let world = world();
    let socket = world::listener();
    let listeners = [Listener {
        sockets: vec![&socket],
        heard: vec![heard(&world, Fate::Lost)],
    }];
    let text = story::json::render_scan(&scan(&world, &listeners));
    let document: Value = serde_json::from_str(&text).unwrap();
    let wrong = breaks(&story::json::scan_schema(), &document, "");
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(document["listeners"][0]["fate"], "lost");
    let outcome = &document["listeners"][0]["targets"][0]["answers"][0]["outcomes"][0];
    assert_eq!(outcome["fate"], "lost");
}

#[test]
fn a_sweep_is_told_in_rows_and_fits_the_schema() {
    let world = world();
    let sweeps = [Sweep {
        addrs: vec![world.question.to.addr],
        stretches: vec![Stretch {
            ports: vec![(30584, 30584)],
            question: world.question.clone(),
            answers: world.answers.clone(),
        }],
    }];
    let scan = Scan {
        ports: Some(&sweeps),
        ..scan(&world, &[])
    };
    let text = table(&scan, &Options::default(), false);
    assert!(text.contains("TCP ports of 192.168.77.1"), "{text}");
    assert!(
        text.contains("  refused       –          –               30584"),
        "{text}"
    );
    let document: Value = serde_json::from_str(&story::json::render_scan(&scan)).unwrap();
    let wrong = breaks(&story::json::scan_schema(), &document, "");
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(document["ports"][0]["stretches"][0]["ports"][0][1], 30584);
}
