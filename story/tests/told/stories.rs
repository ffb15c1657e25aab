//! What the terminal shows.

use host::xt::RejectWith;
use host::{Gap, GapKind, Hook};
use story::term::{Options, render};
use trace::{Answer, Cause, Client, Did, From, Outcome, Question, Server, Stage, Step, Verdict};

use crate::world::{self, World, by_rule, expect, jumps, step, world};

fn told(world: &World) -> String {
    render(&world.story(), &Options::default())
}

fn told_in_full(world: &World) -> String {
    let options = Options {
        verbose: true,
        ..Options::default()
    };
    render(&world.story(), &options)
}

#[test]
fn the_contracts_example_is_told_in_its_order() {
    expect("refused.txt", &told(&world()));
}

#[test]
fn a_verbose_story_has_the_rules_that_did_nothing() {
    let text = told_in_full(&world());
    assert!(text.contains("filter INPUT #1"), "{text}");
    assert!(text.contains("any packet → KUBE-FIREWALL"), "{text}");
}

#[test]
fn sources_that_end_alike_are_told_once_with_both_ways() {
    let mut world = world();
    world.answers.push(world::from_here());
    world.findings = vec![world::shadowed(vec![0, 1])];
    expect("alike.txt", &told(&world));
}

fn delivered() -> Answer {
    let steps = vec![
        step(
            Stage::Start,
            Did::Sent {
                source: Some(world::addr("127.0.0.1")),
            },
        ),
        world::is_this_host("127.0.0.1"),
        step(
            Stage::Leave,
            Did::Leaves {
                oif: "lo".to_owned(),
            },
        ),
        step(Stage::Start, Did::LoopsBack),
        step(Stage::Socket, Did::Delivered),
    ];
    let outcome = Outcome {
        to: Some(world::end("127.0.0.1:30584")),
        server: Some(Server {
            socket: world::listener(),
            reached: true,
        }),
        ..world::outcome(Verdict::Delivered, Cause::Socket, Client::Connected, steps)
    };
    world::answer(From::Local, None, &["127.0.0.1"], vec![outcome])
}

#[test]
fn sources_that_end_otherwise_are_told_apart() {
    let mut world = world();
    world.answers.push(delivered());
    expect("apart.txt", &told(&world));
}

fn forwarded(to: &str, share: f64, rule: usize, oif: &str) -> Outcome {
    let dnat = world::end(to);
    let steps = vec![
        world::arrives(),
        by_rule(Hook::Prerouting, (1, 0, 0), jumps("KUBE-NODEPORTS")),
        by_rule(Hook::Prerouting, (1, 1, 0), jumps("KUBE-SVC-WEB")),
        by_rule(
            Hook::Prerouting,
            (1, 2, rule),
            Did::Dnat {
                addr: dnat.addr,
                port: dnat.port,
            },
        ),
        step(
            Stage::Routing,
            Did::Routed {
                oif: oif.to_owned(),
                gateway: None,
                preferred_source: None,
            },
        ),
        step(
            Stage::Leave,
            Did::Leaves {
                oif: oif.to_owned(),
            },
        ),
    ];
    Outcome {
        share: Some(share),
        to: Some(dnat),
        oif: Some(oif.to_owned()),
        service: Some("shop/web:http".parse().unwrap()),
        ..world::outcome(
            Verdict::Forwarded,
            Cause::Leaves,
            Client::WhateverAnswers,
            steps,
        )
    }
}

fn about(port: &str, outcomes: Vec<Outcome>) -> World {
    let parts = ["192.168.77.2-192.168.77.254"];
    World {
        question: Question::about(net::Proto::TCP, world::end(&format!("192.168.77.1:{port}"))),
        answers: vec![world::answer(From::Outside, Some("vcli"), &parts, outcomes)],
        findings: vec![],
        ..world()
    }
}

#[test]
fn chances_are_told_with_their_shares_and_what_they_have_in_common() {
    let world = about(
        "31080",
        vec![
            forwarded("10.52.1.11:8080", 0.5, 0, "veth-a"),
            forwarded("10.52.2.21:8080", 0.5, 1, "eth1"),
        ],
    );
    expect("shares.txt", &told(&world));
}

#[test]
fn ends_that_read_alike_are_one_in_the_headline() {
    let likewise = |share| forwarded("10.52.1.11:8080", share, 0, "veth-a");
    let dropped = Outcome {
        share: Some(0.01),
        ..world::outcome(Verdict::Dropped, Cause::RuleDrops, Client::Timeout, vec![])
    };
    let first_line = |outcomes| {
        let text = told(&about("31080", outcomes));
        text.lines().next().unwrap().to_owned()
    };
    assert_eq!(
        first_line(vec![likewise(0.96), likewise(0.04)]),
        "FORWARDED to 10.52.1.11:8080 for shop/web:http"
    );
    assert_eq!(
        first_line(vec![likewise(0.95), dropped, likewise(0.04)]),
        "99% FORWARDED to 10.52.1.11:8080, 1% DROPPED for shop/web:http"
    );
}

#[test]
fn of_very_many_ends_the_explained_ones_are_told_and_the_rest_is_counted() {
    let mut world = world();
    let refused = world.answers.pop().unwrap();
    for i in 0..12 {
        let part = format!("10.0.{i}.0/24");
        let to = format!("10.52.1.{i}:8080");
        let outcome = forwarded(&to, 1.0, 0, "veth-a");
        let from = From::Outside;
        world
            .answers
            .push(world::answer(from, Some("vcli"), &[&part], vec![outcome]));
    }
    world.answers.push(refused);
    world.findings[0].answers = vec![12];
    let text = told(&world);
    assert!(text.starts_with("REFUSED"), "{text}");
    assert_eq!(text.matches("FORWARDED").count(), 9, "{text}");
    assert!(text.contains("and 3 more ends, of other sources"), "{text}");
    assert_eq!(told_in_full(&world).matches("FORWARDED").count(), 12);
}

#[test]
fn a_single_forwarded_connection_shows_where_it_went() {
    let world = about(
        "31080",
        vec![forwarded("10.52.1.11:8080", 1.0, 0, "veth-a")],
    );
    expect("forwarded.txt", &told(&world));
}

#[test]
fn an_unknown_end_lists_its_gaps() {
    let gap = Gap {
        kind: GapKind::Rules,
        what: "nftables rules were not read: needs CAP_NET_ADMIN".to_owned(),
        device: None,
    };
    let steps = vec![
        world::arrives(),
        step(Stage::Hook(Hook::Prerouting), Did::Stops(Cause::Gap)),
    ];
    let mut outcome = world::outcome(Verdict::Unknown, Cause::Gap, Client::Unknown, steps);
    outcome.gaps = vec![gap];
    let mut world = about("31080", vec![outcome]);
    world.answers[0].assumed = vec!["a default route over vcli".to_owned()];
    expect("unknown.txt", &told(&world));
}

#[test]
fn names_that_others_chose_cannot_steer_the_terminal() {
    let mut world = world();
    let server = world.answers[0].outcomes[0].server.as_mut().unwrap();
    server.socket.holder.as_mut().unwrap().name = "x\x1b[2J\u{202e}".to_owned();
    let text = told(&world);
    assert!(text.contains("x\\u{1b}[2J\\u{202e} (pid 16140"), "{text}");
    assert!(!text.contains('\x1b'));
}

#[test]
fn nothing_that_listens_is_refused_by_the_kernel() {
    let steps = vec![
        world::arrives(),
        world::is_this_host("192.168.77.1"),
        step(Stage::Socket, Did::Stops(Cause::NothingListens)),
    ];
    let client = Client::Errno("ECONNREFUSED");
    let end = world::outcome(Verdict::Refused, Cause::NothingListens, client, steps);
    expect("nothing.txt", &told(&about("81", vec![end])));
}

#[test]
fn an_answer_that_is_lost_shows_its_way_back() {
    let mut steps = vec![world::arrives(), world::is_this_host("192.168.77.1")];
    steps.push(step(Stage::Socket, Did::Delivered));
    let request = steps.len();
    steps.extend([
        step(Stage::Start, Did::AnswerStarts),
        by_rule(Hook::Input, (0, 1, 0), Did::Drop),
    ]);
    let cause = Cause::AnswerLost(Box::new(Cause::RuleDrops));
    let outcome = Outcome {
        server: Some(Server {
            socket: world::listener(),
            reached: true,
        }),
        request,
        ..world::outcome(Verdict::Dropped, cause, Client::Timeout, steps)
    };
    expect("lost.txt", &told(&about("30584", vec![outcome])));
}

#[test]
fn styles_wrap_words_and_change_none() {
    let world = world();
    let options = Options {
        styled: true,
        ..Options::default()
    };
    let styled = render(&world.story(), &options);
    let mut plain = String::new();
    let mut rest = styled.as_str();
    while let Some((before, after)) = rest.split_once('\x1b') {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    assert_eq!(plain + rest, told(&world));
}

#[test]
fn a_reset_is_named_as_iptables_names_it() {
    let steps: Vec<Step> = vec![
        world::arrives(),
        by_rule(Hook::Input, (0, 1, 0), Did::Reject(RejectWith::TcpReset)),
    ];
    let cause = Cause::RuleRejects(RejectWith::TcpReset);
    let outcome = world::outcome(
        Verdict::Refused,
        cause,
        Client::Errno("ECONNREFUSED"),
        steps,
    );
    let text = told(&about("30584", vec![outcome]));
    let first = text.lines().next().unwrap();
    assert_eq!(
        first,
        "REFUSED in INPUT: KUBE-EXTERNAL-SERVICES #1 rejects it with tcp-reset"
    );
}

#[test]
fn a_real_connection_stands_beside_what_was_foretold() {
    let world = world();
    let probe = story::Probe {
        saw: "ECONNREFUSED".to_owned(),
        agrees: Some(true),
    };
    let mut story = world.story();
    story.probe = Some(&probe);
    let text = render(&story, &Options::default());
    assert!(
        text.ends_with("probe  ECONNREFUSED: the kernel agrees\n"),
        "{text}"
    );
    let document = story::json::document(&story);
    assert_eq!(document.probe.unwrap().agrees, Some(true));
}
