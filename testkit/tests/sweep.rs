//! A sweep asks for few of the ports of a host and tells of all: each fares as it would if it
//! were asked about by itself.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::collections::BTreeMap;
use std::net::IpAddr;

use host::Host;
use net::{Endpoint, Prefix, Proto};
use testkit::plain::{World, draw};
use testkit::recorded::{LANGUAGES, STAGES, node};
use testkit::truth::rng::Rng;
use trace::{Answer, Outcome, Question, Stretch, Sweep, sweep};

/// Random hosts of an ordinary run.
const HOSTS: u64 = 60;

/// Ports that are asked about by themselves, beside those at the edges of stretches.
const AT_RANDOM: usize = 40;

/// Edges that are tried of each address.
const EDGES: usize = 60;

/// What a client and a server see of an answer to `asked`, with blanks for what goes with it.
fn gist(answers: &[Answer], asked: Endpoint) -> Vec<String> {
    let end = |outcome: &Outcome| {
        let to = outcome.to.map(|to| {
            let addr = (to.addr != asked.addr).then_some(to.addr);
            (addr, (to.port != asked.port).then_some(to.port))
        });
        let server = outcome
            .server
            .as_ref()
            .map(|one| (one.socket.inode, one.reached));
        let Outcome {
            share,
            when,
            verdict,
            client,
            cause,
            oif,
            seen_source,
            masquerade,
            service,
            ..
        } = outcome;
        let gaps: Vec<&str> = outcome.gaps.iter().map(|gap| gap.what.as_str()).collect();
        format!(
            "{share:?} {when:?} {verdict:?} {client:?} {cause:?} {oif:?} {seen_source:?} \
             {masquerade} {service:?} {to:?} {server:?} {gaps:?}"
        )
    };
    let of = |answer: &Answer| {
        let ends: Vec<String> = answer.outcomes.iter().map(end).collect();
        format!(
            "{:?} {:?} {:?} {ends:?}",
            answer.from, answer.iif, answer.region
        )
    };
    // Regions that differ by a rule and not by an end may be split in one and not in the other.
    answers.iter().map(of).collect()
}

fn stretch(sweep: &Sweep, port: u16) -> &Stretch {
    let has = |stretch: &&Stretch| {
        let mut ports = stretch.ports.iter();
        ports.any(|(first, last)| (first..=last).contains(&&port))
    };
    let found: Vec<&Stretch> = sweep.stretches.iter().filter(has).collect();
    let [found] = found[..] else {
        panic!("port {port} is in {} stretches", found.len());
    };
    found
}

/// Ports to try: at random, and on both sides of edges.
fn ports(sweep: &Sweep, rng: &mut Rng) -> Vec<u16> {
    let all = sweep.stretches.iter().flat_map(|stretch| &stretch.ports);
    let mut edges: Vec<u16> = all.flat_map(|&(first, last)| [first, last]).collect();
    while edges.len() > EDGES {
        let _ = edges.swap_remove(rng.below(edges.len()));
    }
    let random = (0..AT_RANDOM).map(|_| u16::try_from(1 + rng.below(65_535)).unwrap());
    edges.into_iter().chain(random).collect()
}

/// Holds a sweep of a host against questions about single ports. Gives how many were asked.
fn check(host: &Host, pods: &[Prefix], seed: u64) -> Result<usize, String> {
    let mut rng = Rng::new(seed);
    let mut asked = 0;
    for proto in [Proto::TCP, Proto::UDP] {
        for sweep in sweep(host, proto, pods, |_, _| {}) {
            for port in ports(&sweep, &mut rng) {
                let addr: IpAddr = sweep.addrs[0];
                let told = stretch(&sweep, port);
                let question = Question {
                    to: Endpoint { addr, port },
                    ..told.question.clone()
                };
                let alone = trace::answer(host, &question).map_err(|error| error.to_string())?;
                asked += 1;
                let (told, alone) = (
                    gist(&told.answers, told.question.to),
                    gist(&alone, question.to),
                );
                if told != alone {
                    let to = question.to;
                    return Err(format!(
                        "{proto} {to}\n  told  {told:#?}\n  alone {alone:#?}"
                    ));
                }
            }
        }
    }
    Ok(asked)
}

#[test]
fn every_port_of_a_random_host_fares_as_it_does_alone() {
    let mut asked = 0;
    for seed in 1..=HOSTS {
        let rules = draw::rules(seed);
        let world = World::new(&rules.xt, &rules.nft).unwrap();
        let pods = [World::PODS.parse().unwrap()];
        match check(&world.host, &pods, seed) {
            Ok(count) => asked += count,
            Err(why) => panic!("host {seed}: {why}\n{}\n{}", rules.xt, rules.nft),
        }
    }
    assert!(asked > 10_000, "{asked} ports");
}

#[test]
fn every_port_of_the_recorded_node_fares_as_it_does_alone() {
    let mut sizes = BTreeMap::new();
    for rules in LANGUAGES {
        for stage in STAGES {
            let host = node(rules, stage);
            let pods = ["10.52.1.0/24".parse().unwrap()];
            let asked = check(&host, &pods, 7);
            let asked = asked.unwrap_or_else(|why| panic!("{rules} {stage}: {why}"));
            let _ = sizes.insert((rules, stage), asked);
        }
    }
    assert!(sizes.values().all(|asked| *asked > 100), "{sizes:?}");
}
