//! Pages: what they say, how they are built, and that nothing from elsewhere gets out of its
//! place in them.

use host::{Gap, GapKind, Host};
use net::Endpoint;
use serde_json::Value;
use story::html::{self, Asking, Frame};
use story::{Names, Ports, Scan, json};
use trace::{FINDINGS, From, Listener};

use crate::markup::{Element, elements};
use crate::schema::{breaks, lost};
use crate::world::{self, World, expect, from_here, shadowed, world};

const FRAME: Frame = Frame {
    host: "node-1",
    source: "read when you ask",
};

struct Nobody;

impl trace::Names for Nobody {
    fn at_node_port(&self, _: net::Proto, _: u16) -> Option<net::ServiceName> {
        None
    }

    fn ready(&self, _: &net::ServiceName) -> Option<usize> {
        None
    }

    fn free_node_port(&self, _: &Host, _: net::Proto) -> Option<u16> {
        None
    }
}

/// The contract's example as a host that can be scanned.
fn scanned() -> (Host, Names) {
    let World {
        mut host, names, ..
    } = world();
    let link = host::Link::named(2, "vcli");
    host.links.push(link);
    host.addresses.push(host::Address {
        link: 2,
        addr: world::addr("192.168.77.1"),
        prefix: "192.168.77.0/24".parse().unwrap(),
        peer: None,
        secondary: false,
        scope: 0,
    });
    host.ruleset.tables[0].chains[1].rules[0].comment =
        Some("default/nginx:http has no endpoints".into());
    host.sockets.push(world::listener());
    let mut web = world::listener();
    web.port = 22;
    host.sockets.push(web);
    host.given = host::Given::everything();
    let _ = trace::complete(&mut host);
    (host, names)
}

/// Scans a host and gives what `tell` makes of it.
fn with_ports<T>(host: &Host, names: &Names, tell: impl FnOnce(&Ports) -> T) -> T {
    let listeners: Vec<Listener> = trace::scan(host, &[], &Nobody, |_, _| {});
    let map = trace::ports(host, &[], &listeners, &[]);
    let pod_at = |_: Endpoint| Some("shop/<a>".to_owned());
    let scan = Scan {
        host,
        listeners: &listeners,
        names,
        pod_at: &pod_at,
        ports: None,
    };
    tell(&Ports {
        scan,
        map: &map,
        node_ports: (30000, 32767),
    })
}

/// Every page of a host, with what it is.
fn pages(host: &Host, world: &World, asking: &Asking) -> Vec<(&'static str, String)> {
    let told = [(Some("asking about it"), world.story())];
    let both = [
        (None, world.story()),
        (Some("and its node port"), world.story()),
    ];
    let mut pages = with_ports(host, &world.names, |ports| {
        vec![
            ("ports", html::ports(&FRAME, ports)),
            ("listeners", html::listeners(&FRAME, &ports.scan, false)),
            ("all listeners", html::listeners(&FRAME, &ports.scan, true)),
        ]
    });
    pages.extend([
        ("why", html::why(&FRAME, asking, &told, (false, "/why?all"))),
        (
            "every step",
            html::why(&FRAME, asking, &told, (true, "/why")),
        ),
        ("two", html::why(&FRAME, asking, &both, (false, "/why?all"))),
        ("ask", html::ask(&FRAME, asking)),
        ("findings", html::findings(&FRAME, FINDINGS)),
        ("finding", html::explain(&FRAME, &FINDINGS[0])),
        ("problem", html::problem(&FRAME, "No", asking.to, asking)),
    ]);
    pages
}

fn text_of(page: &str, class: &str) -> Vec<String> {
    let with = elements(page).into_iter();
    let with = with.filter(|element| element.has_class(class));
    with.map(|element| element.text).collect()
}

#[test]
fn a_map_of_ports_says_first_what_loses_traffic_and_then_who_holds_what() {
    let (host, names) = scanned();
    let page = with_ports(&host, &names, |ports| html::ports(&FRAME, ports));
    let all = elements(&page);
    let heading: Vec<_> = all.iter().filter(|one| one.name == "h1").collect();
    assert_eq!(heading[0].text, "1 of 2 held ports loses traffic");
    let odds = text_of(&page, "odds");
    assert_eq!(odds.len(), 1);
    assert!(
        odds[0].starts_with(
            "30584/tcp loses traffic\npython3 (pid 16140, pod default/web-0) listens; \
             default/nginx:http holds the port as well."
        ),
        "{}",
        odds[0]
    );
    let rows: Vec<_> = all.iter().filter(|one| one.name == "tr").collect();
    let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
    assert!(texts[2].starts_with("22/tcp"), "{texts:?}");
    assert!(texts[4].starts_with("30584/tcp"), "{texts:?}");
    assert!(rows[4].has_class("lost") && !rows[2].has_class("lost"));
}

#[test]
fn the_page_of_a_map_says_what_its_document_says() {
    let (host, names) = scanned();
    let (page, document) = with_ports(&host, &names, |ports| {
        (html::ports(&FRAME, ports), json::render_ports(ports))
    });
    let document: Value = serde_json::from_str(&document).unwrap();
    let wrong = breaks(&json::ports_schema(), &document, "");
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(document["ports"][1]["held_by"], "both");
    assert_eq!(document["ports"][1]["fate"], "lost");
    let rows = elements(&page).into_iter().filter(|one| one.name == "tr");
    let ports: Vec<String> = rows
        .filter_map(|row| Some(row.text.split_once('/')?.0.to_owned()))
        .collect();
    let expected = document["ports"].as_array().unwrap().iter();
    let expected: Vec<String> = expected.map(|port| port["port"].to_string()).collect();
    assert_eq!(ports, expected);
    let room = &document["room"][0];
    let said = format!(
        "tcp: {} of 2768 free, the lowest is {}",
        room["free"], room["first_free"]
    );
    assert!(page.contains(&said), "{said}");
}

#[test]
fn the_schema_of_a_map_is_published_and_keeps_its_promise() {
    let text = serde_json::to_string_pretty(&json::ports_schema()).unwrap();
    expect("ports-schema.json", &format!("{text}\n"));
    let published: Value = serde_json::from_str(include_str!("ports-schema.json")).unwrap();
    assert_eq!(
        lost(&published, &json::ports_schema(), ""),
        Vec::<String>::new()
    );
}

#[test]
fn an_answer_begins_with_its_verdict_and_draws_the_way() {
    let world = world();
    let page = html::why(
        &FRAME,
        &Asking::default(),
        &[(None, world.story())],
        (false, "/why?all"),
    );
    let all = elements(&page);
    let first = |name: &str| all.iter().find(|one| one.name == name).unwrap();
    assert_eq!(
        first("h1").text,
        "REFUSED in INPUT: default/nginx:http took the port from the process that listens on it"
    );
    assert_eq!(first("strong").attr("class"), Some("verdict bad"));
    let visited: Vec<_> = all
        .iter()
        .filter(|one| one.attr("class") == Some("node on"))
        .collect();
    let visited: Vec<&str> = visited.iter().map(|one| one.text.as_str()).collect();
    assert_eq!(visited, ["vcli", "PREROUTING", "routing", "INPUT"]);
    assert_eq!(text_of(&page, "missed")[0], "python3");
    assert_eq!(text_of(&page, "badge"), ["1", "2", "3–4"]);
    assert_eq!(text_of(&page, "stamp"), ["✗ REJECT"]);
    let title = "vcli ─▶ PREROUTING ─▶ routing ─▶ INPUT ─✗ REJECT      python3 (never reached)";
    assert_eq!(first("svg").attr("aria-label"), Some(title));
    let rule = &text_of(&page, "rule")[0];
    assert!(
        rule.starts_with("The rule that decided: KUBE-EXTERNAL-SERVICES #1\n-A KUBE"),
        "{rule}"
    );
}

#[test]
fn a_packet_of_a_process_here_is_drawn_over_both_columns_and_lo() {
    let mut world = world();
    world.answers = vec![from_here()];
    world.findings = vec![shadowed(vec![0])];
    let page = html::why(
        &FRAME,
        &Asking::default(),
        &[(None, world.story())],
        (false, "/why?all"),
    );
    let on: Vec<String> = elements(&page)
        .into_iter()
        .filter(|one| one.attr("class") == Some("node on"))
        .map(|one| one.text)
        .collect();
    let expected = [
        "lo",
        "PREROUTING",
        "routing",
        "INPUT",
        "this host",
        "routing",
        "OUTPUT",
        "POSTROUTING",
        "lo",
    ];
    assert_eq!(on, expected);
}

#[test]
fn ends_that_differ_are_listed_and_told_one_by_one() {
    let mut world = world();
    let mut other = from_here();
    other.outcomes[0].verdict = trace::Verdict::Dropped;
    world.answers.push(other);
    let page = html::why(
        &FRAME,
        &Asking::default(),
        &[(None, world.story())],
        (false, "/why?all"),
    );
    let all = elements(&page);
    let links: Vec<&str> = all
        .iter()
        .filter_map(|one| one.attr("href"))
        .filter(|path| path.starts_with("#end"))
        .collect();
    assert_eq!(links, ["#end-1-1", "#end-1-2"]);
    assert_eq!(text_of(&page, "contents").len(), 1);
    assert!(text_of(&page, "contents")[0].contains("DROPPED from this host"));
    assert_eq!(world.answers[1].from, From::Local);
}

/// What every page must be for a keyboard, a screen reader and a browser without scripts.
#[test]
fn every_page_is_sound() {
    let (host, _) = scanned();
    for (name, page) in pages(&host, &world(), &Asking::default()) {
        let all = elements(&page);
        let of = |tag: &'static str| all.iter().filter(move |one| one.name == tag);
        assert_eq!(of("h1").count(), 1, "{name}");
        assert_eq!(of("main").count(), 1, "{name}");
        assert_eq!(
            of("html").next().unwrap().attr("lang"),
            Some("en"),
            "{name}"
        );
        assert_eq!(of("script").count() + of("style").count(), 0, "{name}");
        assert!(all.iter().all(|one| one.attr("style").is_none()), "{name}");
        let ids: Vec<&str> = all.iter().filter_map(|one| one.attr("id")).collect();
        let mut once = ids.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(ids.len(), once.len(), "{name}: {ids:?}");
        for field in of("input").chain(of("select")) {
            let id = field.attr("id");
            assert!(
                of("label").any(|label| label.attr("for") == id),
                "{name}: {id:?}"
            );
        }
        for svg in of("svg") {
            assert!(
                svg.attr("aria-label").is_some_and(|text| !text.is_empty()),
                "{name}"
            );
        }
        for link in all.iter().filter_map(|one| one.attr("href")) {
            assert!(
                link.starts_with(['/', '#']) && !link.starts_with("//"),
                "{name}: {link}"
            );
        }
        let levels = all.iter().filter_map(|one| match one.name.as_str() {
            "h1" => Some(1),
            "h2" => Some(2),
            "h3" => Some(3),
            _ => None,
        });
        let levels: Vec<u8> = levels.collect();
        let leaps = levels.windows(2).any(|pair| pair[1] > pair[0] + 1);
        assert!(!leaps, "{name}: {levels:?}");
    }
}

/// Everything that one could try to get out of a text with.
pub const HOSTILE: &str = "</title><script>alert(1)</script><img src=x onerror=alert(1)>\"'`$(rm)\
    `;&amp;&#x3c;\u{202e}\u{1b}[2J\u{0}\n\u{200b}javascript:";

/// The example with that in every name and text that others choose.
fn hostile() -> (Host, World) {
    let bad = || HOSTILE.to_owned();
    let (mut host, mut names) = scanned();
    let table = &mut host.ruleset.tables[0];
    table.name = bad();
    table.chains[1].name = format!("KUBE-{HOSTILE}");
    for rule in table.chains.iter_mut().flat_map(|chain| &mut chain.rules) {
        rule.text = Some(HOSTILE.into());
        rule.comment = Some(HOSTILE.into());
    }
    host.links[0].name = bad();
    for socket in &mut host.sockets {
        let holder = socket.holder.as_mut().unwrap();
        holder.name = bad();
        holder.unit = Some(bad());
        holder.pod_uid = (socket.port == 22).then(|| "uid".to_owned());
    }
    let label = story::PodLabel {
        name: bad(),
        host_network: true,
    };
    names.insert("uid", label);
    host.name = bad();
    host.gaps.push(Gap {
        kind: GapKind::Rules,
        what: bad(),
        device: Some(bad()),
    });
    let mut world = world();
    world.host = host.clone();
    world.names = names;
    for answer in &mut world.answers {
        answer.iif = Some(bad());
        answer.assumed = vec![bad()];
        for outcome in &mut answer.outcomes {
            outcome.when = Some(bad());
            outcome.gaps.clone_from(&host.gaps);
            outcome.service = Some(net::ServiceName {
                namespace: bad(),
                name: bad(),
                port: bad(),
            });
            outcome.server.as_mut().unwrap().socket = host.sockets[0].clone();
            for step in &mut outcome.steps {
                if let trace::Did::Arrives { iif } = &mut step.did {
                    *iif = bad();
                }
            }
        }
    }
    for finding in &mut world.findings {
        finding.title = bad();
        finding.why = vec![bad()];
        finding.check = Some(bad());
        let fix = finding.fix.as_mut().unwrap();
        fix.say = bad();
        fix.command = Some(bad());
    }
    (host, world)
}

#[test]
fn hostile_text_stays_text_in_every_page() {
    let (host, world) = hostile();
    let asking = Asking {
        to: HOSTILE,
        from: HOSTILE,
        proto: HOSTILE,
        iif: HOSTILE,
    };
    for (name, page) in pages(&host, &world, &asking) {
        // Reads markup that is ours alone, and fails on any other.
        let all = elements(&page);
        let is_seen = all
            .iter()
            .any(|one: &Element| one.text.contains("<script>alert(1)"));
        assert!(is_seen || name.starts_with("finding"), "{name}");
        assert!(
            !page.contains("<script") && !page.contains("<img"),
            "{name}"
        );
        let strange = |c: char| c != '\n' && c.is_control() || "\u{202e}\u{200b}".contains(c);
        assert_eq!(page.matches(strange).count(), 0, "{name}");
    }
    let title = world.story();
    let frame = Frame {
        host: HOSTILE,
        source: HOSTILE,
    };
    let page = html::why(&frame, &asking, &[(Some(HOSTILE), title)], (true, HOSTILE));
    assert_eq!(
        elements(&page)
            .iter()
            .filter(|one| one.name == "title")
            .count(),
        2
    );
}

#[test]
fn hostile_text_moves_nothing_in_a_terminal() {
    let (host, world) = hostile();
    let options = story::term::Options {
        verbose: true,
        ..story::term::Options::default()
    };
    let table = with_ports(&host, &world.names, |ports| {
        story::term::table(&ports.scan, &options, true)
    });
    for text in [story::term::render(&world.story(), &options), table] {
        let strange = |c: char| c != '\n' && c.is_control() || "\u{202e}\u{200b}".contains(c);
        assert_eq!(text.matches(strange).count(), 0, "{text}");
    }
}
