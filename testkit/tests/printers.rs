//! What is printed is loaded by the real tools, and is then listed the same: random hosts are
//! read from the kernel, printed, loaded into a namespace that has the same links, and read
//! and listed there again.
#![cfg(feature = "netns")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use host::nft::Set;
use host::{Host, Language, RuleBody, Table, TableFamily, nft::Expr, print};
use testkit::truth::generate;
use testkit::truth::spec::{HostSpec, Tool};
use testkit::truth::vocabulary::printable;
use testkit::world::{Place, World, run};

/// Hosts that are printed.
const HOSTS: u64 = 60;

fn read() -> Host {
    host::wire::host(&kernel::read(&kernel::ReadOptions::default()).unwrap())
}

/// The ruleset of the calling thread's namespace as nft lists it, without numbers that count.
fn nft_listing() -> String {
    run(&["nft", "-s", "list", "ruleset"], "").unwrap()
}

/// A world with the links, addresses and ipsets of a host, and the rules of one kind of tool.
fn world(spec: &HostSpec, is_of: impl Fn(Tool) -> bool) -> World {
    let mut spec = spec.clone();
    spec.loads.retain(|load| is_of(load.tool));
    let world = World::new().unwrap();
    world.configure(&spec).unwrap();
    world.enter(Place::Node).unwrap();
    world
}

/// A table without what differs in a copy: handles, the order of elements in a hash table, and
/// the names of sets that belong to one rule.
fn comparable(table: &Table) -> Table {
    let mut table = table.clone();
    table.handle = None;
    for chain in &mut table.chains {
        chain.handle = None;
        for rule in &mut chain.rules {
            rule.handle = None;
            if let RuleBody::Nft(exprs) = &mut rule.body {
                for expr in exprs {
                    place_of_set(expr, &table.sets);
                }
            }
        }
    }
    for (at, set) in table.sets.iter_mut().enumerate() {
        set.elements.sort_by(|a, b| a.key.cmp(&b.key));
        if set.anonymous {
            set.name = format!("#{at}");
        }
    }
    table
}

/// Names a rule's own set by its place among the sets.
fn place_of_set(expr: &mut Expr, sets: &[Set]) {
    if let Expr::Lookup { set, .. } = expr
        && let Some(at) = sets.iter().position(|s| s.anonymous && *s.name == **set)
    {
        *set = format!("#{at}").into();
    }
}

/// Holds two listings against each other, and tells the lines that differ.
fn same_lines(again: &str, before: &str, seed: u64) {
    let lines = before.lines().zip(again.lines());
    let differing: Vec<_> = lines.filter(|(before, again)| before != again).collect();
    assert!(before == again, "seed {seed}: {differing:#?}");
}

fn native(host: &Host) -> Vec<Table> {
    let tables = host.ruleset.tables.iter();
    let native = tables.filter(|t| t.language == Language::Nft && !t.is_of_iptables());
    native.map(comparable).collect()
}

#[test]
fn nft_takes_what_is_printed_and_lists_it_the_same() {
    let mut rules = 0;
    for seed in 0..HOSTS {
        let spec = printable(generate::host(seed + 900, 0));
        let world = world(&spec, |tool| tool == Tool::Nft);
        let host = read();
        let listed = nft_listing();
        let text: String = host
            .ruleset
            .tables
            .iter()
            .map(|table| print::nft_table(table, &host.links))
            .collect();
        drop(world);
        let _copy = self::world(&spec, |_| false);
        if let Err(error) = run(&["nft", "-f", "-"], &text) {
            panic!("seed {}: {error}\n{text}", spec.seed);
        }
        same_lines(&nft_listing(), &listed, spec.seed);
        assert!(
            native(&read()) == native(&host),
            "seed {}\n{text}",
            spec.seed
        );
        rules += text.lines().count();
    }
    assert!(rules > 1000, "{rules} lines");
}

/// What `iptables-save` of a family prints, without its comments and the names of chains: of
/// tables that nobody used there is no more. Tables come in the order in which they were made.
fn legacy_listing(tool: Tool) -> String {
    let saved = run(&tool.save()[..1], "").unwrap();
    // Two names of one target.
    let saved = saved.replace("-j CT --notrack", "-j NOTRACK");
    let lines = saved.lines().filter(|line| !line.starts_with(['#', ':']));
    // What a rule logs is not in the model.
    let text: String = lines
        .map(|line| line.trim_end_matches(" --log-prefix truth"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut tables: Vec<&str> = text.split_inclusive("COMMIT\n").collect();
    tables.sort_unstable();
    tables.concat()
}

fn legacy(host: &Host, tool: Tool) -> Vec<Table> {
    let is_of = |table: &&Table| {
        table.language == Language::Legacy && (table.family == TableFamily::Ip6) == tool.is_v6()
    };
    host.ruleset
        .tables
        .iter()
        .filter(is_of)
        .map(comparable)
        .collect()
}

#[test]
fn iptables_legacy_takes_what_is_printed_and_lists_it_the_same() {
    let tools = [Tool::Legacy4, Tool::Legacy6];
    let mut rules = 0;
    for seed in 0..HOSTS {
        let spec = printable(generate::host(seed + 1900, 0));
        let world = world(&spec, |tool| tools.contains(&tool));
        let host = read();
        let listed = tools.map(legacy_listing);
        drop(world);
        let _copy = self::world(&spec, |_| false);
        for (tool, listed) in tools.into_iter().zip(listed) {
            let before = legacy(&host, tool);
            let text = print::iptables_save(&before.iter().collect::<Vec<_>>());
            if let Err(error) = run(tool.restore(), &text) {
                panic!("seed {}: {error}\n{text}", spec.seed);
            }
            same_lines(&legacy_listing(tool), &listed, spec.seed);
            assert!(
                legacy(&read(), tool) == before,
                "seed {}\n{text}",
                spec.seed
            );
            rules += text.lines().filter(|line| line.starts_with("-A")).count();
        }
    }
    assert!(rules > 300, "{rules} rules");
}

#[test]
fn kube_proxys_tables_are_loaded_and_listed_the_same() {
    let node = || {
        let world = World::new().unwrap();
        world.enter(Place::Node).unwrap();
        world
    };
    let world = node();
    let packed = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/data/kube-proxy-1.36-5000-services.nft.gz"
    );
    run(&["sh", "-c", &format!("gzip -dc {packed} | nft -f -")], "").unwrap();
    let (host, listed) = (read(), nft_listing());
    drop(world);
    let _copy = node();
    let tables = host.ruleset.tables.iter();
    let text: String = tables
        .map(|table| print::nft_table(table, &host.links))
        .collect();
    run(&["nft", "-f", "-"], &text).unwrap();
    same_lines(&nft_listing(), &listed, 0);
    assert!(native(&read()) == native(&host));
}
