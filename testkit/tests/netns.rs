//! Cases in the running kernel: those with native rules make their stories there, and all
//! others are answered there as they are from text.
//!
//! `UPDATE_CASES=1` rewrites the stories of cases with native rules.
#![cfg(feature = "netns")]

use std::collections::BTreeMap;

use host::dump::Dump;
use host::xt::Match;
use host::{Chain, GapKind, Host, Language, RuleBody, Table};
use story::{Names, Story, json};
use testkit::case::{Asked, Case, CaseError, CaseHost, Folder};
use testkit::live::Live;
use trace::Answer;

#[test]
fn every_case_with_native_rules_makes_its_story_in_the_kernel() {
    let update = std::env::var_os("UPDATE_CASES").is_some();
    let differences = Folder::of_project().check(update, Case::needs_kernel, Case::tell_loaded);
    assert!(differences.is_empty(), "{differences}");
}

/// A case in the running kernel.
struct Loaded {
    name: String,
    case: Case,
    /// The host of its blocks.
    text: CaseHost,
    live: Live,
    /// The host as it was read back.
    kernel: Host,
}

/// Shows all cases but those with native rules to `look`, each in the running kernel.
/// Questions about one host share its namespace.
fn each_loaded(mut look: impl FnMut(&Loaded)) {
    let mut last: Option<Loaded> = None;
    for (name, file) in Folder::of_project().read() {
        let loadable = |case: &Case| !case.needs_kernel() && case.may_load();
        for case in file.cases.into_iter().filter(loadable) {
            let loaded = match last.take() {
                Some(loaded) if loaded.case.inputs == case.inputs => Loaded { case, ..loaded },
                _ => load(&name, case).unwrap_or_else(|error| panic!("{name}: {error}")),
            };
            look(last.insert(loaded));
        }
    }
}

fn load(name: &str, case: Case) -> Result<Loaded, CaseError> {
    let text = CaseHost::of(&case)?;
    let live = case.load(&text)?;
    let kernel = case.read_back(&text, &live)?;
    Ok(Loaded {
        name: name.to_owned(),
        case,
        text,
        live,
        kernel,
    })
}

fn answers(case: &Case, host: &Host) -> Result<Vec<Answer>, String> {
    let asked = Asked::parse(&case.ask).map_err(|error| error.to_string())?;
    trace::answer(host, &asked.question).map_err(|error| error.to_string())
}

/// What matters of answers: who gets where, and what the client sees.
fn gist(answers: &Result<Vec<Answer>, String>) -> Result<Vec<String>, String> {
    let answers = answers.as_ref().map_err(Clone::clone)?;
    let mut lines: Vec<String> = answers.iter().map(gist_of).collect();
    lines.sort();
    Ok(lines)
}

fn gist_of(answer: &Answer) -> String {
    let ends = answer.outcomes.iter().map(|outcome| {
        let to = outcome.to.map(|to| to.to_string());
        format!("{:?} {:?} {to:?}", outcome.verdict, outcome.client)
    });
    let mut ends: Vec<String> = ends.collect();
    ends.sort();
    let from = (answer.from, &answer.iif, answer.region.prefixes());
    format!("{from:?}: {}", ends.join(" or "))
}

fn has_gap(host: &Host, answers: &Result<Vec<Answer>, String>) -> bool {
    let outcomes = answers.iter().flatten().flat_map(|answer| &answer.outcomes);
    let mut gaps = outcomes.flat_map(|outcome| &outcome.gaps);
    let of_host = host.gaps.iter().any(|gap| gap.kind != GapKind::Names);
    of_host || gaps.next().is_some()
}

#[test]
fn the_kernel_answers_as_the_text_does_or_one_has_a_gap() {
    let mut wrong = Vec::new();
    let mut known = (0, 0);
    each_loaded(|loaded| {
        let (host, live) = (&loaded.text.host, &loaded.kernel);
        let (text, kernel) = (answers(&loaded.case, host), answers(&loaded.case, live));
        let is_known = !has_gap(host, &text) && !has_gap(live, &kernel);
        known = (known.0 + usize::from(is_known), known.1 + 1);
        let (text, kernel) = (gist(&text), gist(&kernel));
        if is_known && text != kernel {
            let (name, line) = (&loaded.name, loaded.case.ask.line);
            wrong.push(format!(
                "{name}:{line}\n  text   {text:#?}\n  kernel {kernel:#?}\n"
            ));
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.concat());
    assert!(
        known.0 * 10 > known.1 * 8,
        "gaps kept most from being compared: {known:?}"
    );
}

/// Chains of legacy tables by place, without what only text or only the kernel has.
fn legacy(host: &Host) -> BTreeMap<String, Chain> {
    let tables = host.ruleset.tables.iter();
    let legacy = tables.filter(|table| table.language == Language::Legacy);
    let plain = |table: &Table, chain: &Chain| {
        let mut chain = chain.clone();
        chain.handle = None;
        for rule in &mut chain.rules {
            (rule.handle, rule.text) = (None, None);
            if let RuleBody::Xt(rule) = &mut rule.body {
                rule.matches.retain(|test| !is_any_link(test));
                rule.matches.iter_mut().for_each(without_options);
            }
        }
        (
            format!("{:?} {} {}", table.family, table.name, chain.name),
            chain,
        )
    };
    legacy
        .flat_map(|table| table.chains.iter().map(move |chain| plain(table, chain)))
        .collect()
}

/// `-o +`, which the kernel does not tell from no test at all.
fn is_any_link(test: &Match) -> bool {
    match test {
        Match::In(link) | Match::Out(link) => {
            !link.not && link.value.is_prefix && link.value.name.is_empty()
        }
        _ => false,
    }
}

/// A gap has the words of the text, or the bytes of the kernel.
fn without_options(test: &mut Match) {
    if let Match::Gap { options, .. } = test {
        *options = Box::default();
    }
}

#[test]
fn legacy_rules_read_from_the_kernel_are_those_of_the_text() {
    let mut wrong = Vec::new();
    each_loaded(|loaded| {
        let name = &loaded.name;
        let (text, kernel) = (legacy(&loaded.text.host), legacy(&loaded.kernel));
        for (place, chain) in &text {
            if kernel.get(place) != Some(chain) {
                let found = kernel.get(place);
                wrong.push(format!(
                    "{name} {place}\n  text   {chain:#?}\n  kernel {found:#?}\n"
                ));
            }
        }
        // A table has its built-in chains whether or not a save mentions them.
        let beside = kernel
            .iter()
            .filter(|(place, _)| !text.contains_key(*place));
        for (place, chain) in beside.filter(|(_, chain)| !chain.rules.is_empty()) {
            wrong.push(format!("{name} {place}: the kernel has {chain:#?}\n"));
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

#[test]
fn a_snapshot_gives_the_same_answer_byte_for_byte() {
    let told = |case: &Case, host: &Host| {
        let asked = Asked::parse(&case.ask).unwrap();
        let answers = trace::answer(host, &asked.question).unwrap_or_default();
        let read = CaseHost::default();
        let findings = trace::findings(host, &asked.question, &answers, &read);
        json::render(&Story {
            host,
            question: &asked.question,
            answers: &answers,
            findings: &findings,
            names: &Names::default(),
            probe: None,
            traced: None,
        })
    };
    each_loaded(|loaded| {
        let dump = loaded.live.dump().unwrap();
        let saved = Dump::from_bytes(&dump.to_bytes()).unwrap();
        let (live, saved) = (host::wire::host(&dump), host::wire::host(&saved));
        let (case, name) = (&loaded.case, &loaded.name);
        assert_eq!(
            told(case, &saved),
            told(case, &live),
            "{name}:{}",
            case.ask.line
        );
    });
}
