//! What a listing of nft says is what the kernel's own bytes say: packets through random
//! rules end alike, whichever of the two was read.
#![cfg(feature = "netns")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::process::Command;

use host::parse::{Input, ipset_save, nft_json, nft_list};
use host::{Host, Language, RuleBody, nft::Expr};
use testkit::truth::foretell::foretell;
use testkit::truth::generate;
use testkit::truth::spec::Tool;
use testkit::world::{Place, World};
use trace::{Answer, Outcome, Verdict};

/// Hosts that are listed.
const HOSTS: u64 = 60;
/// Packets foretold for each.
const PACKETS: usize = 20;

fn listing(options: &[&str]) -> String {
    let listed = Command::new("nft")
        .args(options)
        .args(["list", "ruleset"])
        .output()
        .unwrap();
    assert!(listed.status.success());
    String::from_utf8(listed.stdout).unwrap()
}

/// The host with the tables of the listing in place of its own.
fn read(host: &Host, text: &str, unread: &mut BTreeSet<String>) -> Host {
    let input = Input {
        name: "listing",
        text: text.as_bytes(),
    };
    let (tables, problems) = if text.starts_with('{') {
        nft_json(input)
    } else {
        nft_list(input)
    };
    unread.extend(
        problems
            .iter()
            .map(|problem| format!("{}: {}", problem.what, problem.text)),
    );
    let mut host = host.clone();
    host.ruleset
        .tables
        .retain(|table| table.language == Language::Legacy);
    host.ruleset.tables.extend(tables);
    host
}

/// What a client and a server see. Handles, which tell the order of chains, are not listed.
fn ends(answers: &Result<Vec<Answer>, String>) -> Option<BTreeSet<String>> {
    let sees = |o: &Outcome| format!("{:?}", (o.verdict, o.client, o.to, o.seen_source, &o.when));
    let outcomes = || answers.iter().flatten().flat_map(|answer| &answer.outcomes);
    let is_known = outcomes().all(|outcome| outcome.verdict != Verdict::Unknown);
    is_known.then(|| outcomes().map(sees).collect())
}

#[test]
fn a_listing_says_what_the_kernel_says() {
    let (mut compared, mut unknown) = (0, 0);
    let (mut unread, mut wrong) = (BTreeSet::new(), Vec::new());
    for seed in 0..HOSTS {
        let mut spec = generate::host(seed + 500, PACKETS);
        spec.loads.retain(|load| load.tool == Tool::Nft);
        let world = World::new().unwrap();
        world.configure(&spec).unwrap();
        let _servers = world.serve(&spec.listeners).unwrap();
        world.enter(Place::Node).unwrap();
        let dump = kernel::read(&kernel::ReadOptions::default()).unwrap();
        let host = host::wire::host(&dump);
        let listed = [&[][..], &["-j"]].map(|options| {
            let text = listing(options);
            read(&host, &text, &mut unread)
        });
        for (packet, listed) in spec
            .packets
            .iter()
            .flat_map(|p| listed.iter().map(move |l| (p, l)))
        {
            let (kernel, text) = (foretell(&host, packet), foretell(listed, packet));
            match (ends(&kernel), ends(&text)) {
                (Some(kernel), Some(text)) if kernel == text => compared += 1,
                (Some(kernel), Some(text)) => {
                    wrong.push(format!(
                        "seed {}: {packet}: {kernel:?} and {text:?}",
                        spec.seed
                    ));
                }
                _ => unknown += 1,
            }
        }
    }
    println!("{compared} packets end alike, {unknown} are not known");
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(unread, BTreeSet::new());
    assert!(
        unknown * 10 < compared,
        "{unknown} unknown beside {compared}"
    );
}

/// Sets and their entries in an order of their own: the kernel's hash tables have none.
fn sorted(mut sets: Vec<host::IpSet>) -> Vec<host::IpSet> {
    for set in &mut sets {
        set.entries.sort_by_key(|entry| format!("{entry:?}"));
    }
    sets
}

#[test]
fn a_save_of_ipsets_says_what_the_kernel_says() {
    let mut compared = 0;
    for seed in 0..HOSTS / 2 {
        let mut spec = generate::host(seed + 500, PACKETS);
        spec.loads.clear();
        let world = World::new().unwrap();
        world.configure(&spec).unwrap();
        world.enter(Place::Node).unwrap();
        let dump = kernel::read(&kernel::ReadOptions::default()).unwrap();
        let saved = Command::new("ipset").arg("save").output().unwrap();
        let (sets, problems) = ipset_save(Input {
            name: "sets",
            text: &saved.stdout,
        });
        assert_eq!(problems, []);
        let kernel = host::wire::host(&dump).ipsets;
        compared += kernel.iter().map(|set| set.entries.len()).sum::<usize>();
        assert_eq!(sorted(sets), sorted(kernel));
    }
    assert!(compared > 100, "{compared} entries");
}

#[test]
fn kube_proxys_table_is_understood_as_a_whole() {
    let world = World::new().unwrap();
    world.enter(Place::Node).unwrap();
    let packed = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/data/kube-proxy-1.36-5000-services.nft.gz"
    );
    let script = format!("gzip -dc {packed} | nft -f -");
    assert!(
        Command::new("sh")
            .args(["-c", &script])
            .status()
            .unwrap()
            .success()
    );
    let text = listing(&[]);
    let input = Input {
        name: "listing",
        text: text.as_bytes(),
    };
    let (tables, problems) = nft_list(input);
    assert_eq!(problems, []);
    let dump = kernel::read(&kernel::ReadOptions::default()).unwrap();
    let host = host::wire::host(&dump);
    let counts = |tables: &[host::Table]| {
        let rules = |table: &host::Table| table.chains.iter().map(|c| c.rules.len()).sum::<usize>();
        let named = |table: &host::Table| {
            let sets = table.sets.iter().filter(|set| !set.anonymous);
            sets.map(|set| set.elements.len()).sum::<usize>()
        };
        tables
            .iter()
            .map(|table| {
                (
                    table.name.clone(),
                    table.chains.len(),
                    rules(table),
                    named(table),
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(counts(&tables), counts(&host.ruleset.tables));
    let unread = tables.iter().flat_map(|t| &t.chains).flat_map(|c| &c.rules);
    let unread = unread.filter(|rule| match &rule.body {
        RuleBody::Nft(exprs) => exprs.iter().any(|expr| matches!(expr, Expr::Unread(_))),
        RuleBody::Xt(_) | RuleBody::Gap(_) => true,
    });
    assert_eq!(unread.count(), 0);
}
