//! Cases with real clients: what a client gets from the running kernel is what the story of its
//! case says it sees.
#![cfg(feature = "netns")]

use std::error::Error;
use std::net::IpAddr;
use std::thread;

use host::Host;
use net::{Family, Proto};
use testkit::case::{Asked, Case, CaseHost, Folder};
use testkit::live::{Client, Got, Live};
use trace::{Answer, Client as Sees, Did, Origin, Outcome, Question, Verdict};

/// Namespaces that are there at one time.
const WORKERS: usize = 32;

/// Questions that one host is asked.
struct Group {
    name: String,
    cases: Vec<Case>,
}

/// All cases whose host the kernel can be given whole, by host.
fn groups() -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (name, file) in Folder::of_project().read() {
        for case in file.cases.into_iter().filter(Case::may_load) {
            let same = |group: &Group| group.name == name && group.cases[0].inputs == case.inputs;
            match groups.iter_mut().find(|group| same(group)) {
                Some(group) => group.cases.push(case),
                None => groups.push(Group {
                    name: name.clone(),
                    cases: vec![case],
                }),
            }
        }
    }
    groups
}

impl Group {
    /// What clients of this host got that was not foretold, and how many there were.
    fn wrongs(&self) -> Result<(Vec<String>, usize), Box<dyn Error>> {
        let text = CaseHost::of(&self.cases[0])?;
        let mut live = self.cases[0].load(&text)?;
        let host = self.cases[0].read_back(&text, &live)?;
        let (mut wrong, mut tried) = (Vec::new(), 0);
        for case in &self.cases {
            let asked = Asked::parse(&case.ask)?;
            let Some((answer, outcome)) = certain(&host, &asked.question) else {
                continue;
            };
            let client = client(&asked.question, &answer);
            if !can_be(&client, &host) || is_answered_elsewhere(&client, &outcome) {
                continue;
            }
            let got = meet(&mut live, &host, &client, &outcome)?;
            tried += 1;
            if !fits(got, outcome.client, client.proto) {
                let (line, sees) = (case.ask.line, outcome.client);
                wrong.push(format!(
                    "{}:{line}: got {got:?}, foretold {sees:?}\n",
                    self.name
                ));
            }
        }
        Ok((wrong, tried))
    }
}

/// The only outcome of a question, where it has only one.
fn certain(host: &Host, question: &Question) -> Option<(Answer, Outcome)> {
    let mut answers = trace::answer(host, question).ok()?;
    let answer = answers.pop().filter(|_| answers.is_empty())?;
    let [outcome] = answer.outcomes.as_slice() else {
        return None;
    };
    let outcome = outcome.clone();
    let is_known = outcome.verdict != Verdict::Unknown && outcome.when.is_none();
    is_known.then_some((answer, outcome))
}

fn client(question: &Question, answer: &Answer) -> Client {
    let source = match question.origin {
        Origin::Local => None,
        _ if question.to.addr.is_loopback() => None,
        _ => answer.region.first(),
    };
    Client {
        proto: question.proto,
        to: question.to,
        source,
        sport: question.sport,
        link: answer.iif.clone(),
    }
}

/// Whether such a client can be made: its own kernel keeps loopback addresses off the wire, and
/// addresses of the host.
fn can_be(client: &Client, host: &Host) -> bool {
    let is_own = |addr: IpAddr| host.addresses.iter().any(|own| own.addr == addr);
    let is_odd = |addr: IpAddr| addr.is_loopback() || is_own(addr);
    let is_far = client.link.is_some();
    !is_far || !(client.source.is_some_and(is_odd) || client.to.addr.is_loopback())
}

/// Whether the answer leaves over another link than the client is behind.
fn is_answered_elsewhere(client: &Client, outcome: &Outcome) -> bool {
    let mut answer = outcome.steps.iter().skip(outcome.request);
    answer.any(|step| match &step.did {
        Did::Leaves { oif } => client.link.as_ref().is_some_and(|link| link != oif),
        _ => false,
    })
}

/// Puts the client, and the server that it will be led to, behind their links; lets it try.
fn meet(
    live: &mut Live,
    host: &Host,
    client: &Client,
    outcome: &Outcome,
) -> Result<Got, Box<dyn Error>> {
    let gateway = |name: &str, family: Family| {
        let link = host.link_named(name)?.index;
        let mut own = host.addresses.iter().filter(|a| a.link == link);
        Some(own.find(|a| Family::of(a.addr) == family)?.addr)
    };
    let gateway = |name: &str, addr: IpAddr| {
        let none = || format!("the host has no address on {name}");
        gateway(name, Family::of(addr)).ok_or_else(none)
    };
    if let (Some(link), Some(source)) = (&client.link, client.source) {
        live.settle_behind(link, source, gateway(link, source)?)?;
    }
    if let (Some(link), Some(to)) = (&outcome.oif, outcome.to) {
        live.settle_behind(link, to.addr, gateway(link, to.addr)?)?;
        live.serve_behind(link, client.proto, to)?;
    }
    Ok(live.connect(client)?)
}

fn fits(got: Got, sees: Sees, proto: Proto) -> bool {
    match sees {
        // Servers of datagrams here never answer.
        Sees::Connected | Sees::WhateverAnswers if proto == Proto::UDP => got == Got::Silence,
        Sees::Connected | Sees::WhateverAnswers | Sees::Silent => got == Got::Connection,
        Sees::Timeout => got == Got::Silence,
        Sees::Errno(name) => match got {
            Got::Error(errno) => format!("{errno:?}") == name,
            Got::Connection | Got::Silence => false,
        },
        Sees::Unknown => true,
    }
}

#[test]
fn every_client_of_a_case_gets_what_its_story_says() {
    let groups = groups();
    let share = groups.len().div_ceil(WORKERS);
    let tell = |group: &Group| match group.wrongs() {
        Ok(found) => found,
        Err(error) => (vec![format!("{}: {error}\n", group.name)], 0),
    };
    let found: Vec<(Vec<String>, usize)> = thread::scope(|scope| {
        let workers: Vec<_> = groups
            .chunks(share)
            .map(|part| scope.spawn(move || part.iter().map(tell).collect::<Vec<_>>()))
            .collect();
        let found = workers.into_iter().map(|worker| worker.join().unwrap());
        found.flatten().collect()
    });
    let tried: usize = found.iter().map(|(_, tried)| tried).sum();
    let wrong: Vec<String> = found.into_iter().flat_map(|(wrong, _)| wrong).collect();
    assert!(
        wrong.is_empty(),
        "{} of {tried} clients:\n{}",
        wrong.len(),
        wrong.concat()
    );
    assert!(tried > 150, "only {tried} clients could be made");
}
