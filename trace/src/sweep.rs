//! Every port of a host, whether or not anybody listens there, and what becomes of the packets
//! for it.
//!
//! Nobody asks for each of them: an answer says which other ports it is for (`alike`), and what
//! ends alike is told together.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::IpAddr;

use host::Host;
use net::{Endpoint, Prefix, Proto};

use crate::answer::{Answer, From, Outcome};
use crate::explore::Tracer;
use crate::question::{Origin, Question};
use crate::ranges::Ranges;
use crate::scan::own_addresses;

/// The ports of addresses that fare alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Sweep {
    /// The addresses; questions are about the first.
    pub addrs: Vec<IpAddr>,
    /// Ports that end alike, the lowest first: each port from 1 to 65535 is in one of them.
    pub stretches: Vec<Stretch>,
}

/// Ports that end alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretch {
    /// The ports: ranges with both ends included, sorted and apart.
    pub ports: Vec<(u16, u16)>,
    /// What was asked, about the lowest of them.
    pub question: Question,
    /// The answers, without steps. Where one says the port that was asked about, it is each port
    /// itself.
    pub answers: Vec<Answer>,
}

/// Asks about every port of every address of a host, from every kind of source.
///
/// `done` is told how many of how many ports are through, those of all addresses. Link-local
/// addresses of IPv6 are left out.
pub fn sweep(
    host: &Host,
    proto: Proto,
    pod_ranges: &[Prefix],
    mut done: impl FnMut(usize, usize),
) -> Vec<Sweep> {
    let mut tracer = Tracer::new(host);
    let addrs = own_addresses(host);
    let each = usize::from(u16::MAX);
    let all = addrs.len() * each;
    let mut sweeps: Vec<Sweep> = Vec::new();
    for (number, addr) in addrs.into_iter().enumerate() {
        let through = |left: usize| done(number * each + (each - left), all);
        let mut question = Question::about(proto, Endpoint { addr, port: 1 });
        if addr.is_loopback() {
            question.origin = Origin::Local;
        }
        question.pod_ranges = pod_ranges.to_vec();
        let stretches = stretches(&mut tracer, question, through);
        let known = sweeps.iter_mut().find(|known| {
            let mut pairs = known.stretches.iter().zip(&stretches);
            known.stretches.len() == stretches.len()
                && known.addrs[0].is_loopback() == addr.is_loopback()
                && pairs.all(|(a, b)| a.ports == b.ports && fare_alike(a, b))
        });
        match known {
            Some(known) => known.addrs.push(addr),
            None => sweeps.push(Sweep {
                addrs: vec![addr],
                stretches,
            }),
        }
    }
    sweeps
}

/// The ports of one address, by how they end.
fn stretches(
    tracer: &mut Tracer<'_>,
    mut question: Question,
    mut left: impl FnMut(usize),
) -> Vec<Stretch> {
    let mut found = Found::default();
    let mut rest = Ranges::span(1, u16::MAX.into());
    while let Some(&(lowest, _)) = rest.as_slice().first() {
        left(usize::try_from(rest.count()).unwrap_or(usize::MAX));
        question.to.port = u16::try_from(lowest).expect("the ranges are of ports");
        // No source of any kind: nobody can send anything.
        let Ok((mut answers, alike)) = tracer.answer_for(&question, rest.clone()) else {
            break;
        };
        for outcome in answers.iter_mut().flat_map(|answer| &mut answer.outcomes) {
            outcome.steps = Vec::new();
            outcome.request = 0;
        }
        rest = rest.minus(&alike);
        found.add(&question, answers, &alike);
    }
    found.into_stretches()
}

/// Stretches as they are found.
#[derive(Default)]
struct Found {
    all: Vec<(Stretch, Vec<(u128, u128)>)>,
    /// Their places, by what is quick to compare of their ends.
    places: HashMap<u64, Vec<usize>>,
}

impl Found {
    /// Adds ports to the stretch that ends like them, or makes one of them.
    fn add(&mut self, question: &Question, answers: Vec<Answer>, ports: &Ranges) {
        let places = self
            .places
            .entry(sketch(&answers, question.to))
            .or_default();
        let stretch = Stretch {
            ports: Vec::new(),
            question: question.clone(),
            answers,
        };
        let known = places
            .iter()
            .find(|&&at| fare_alike(&self.all[at].0, &stretch));
        if let Some(&at) = known {
            self.all[at].1.extend(ports.as_slice());
            return;
        }
        places.push(self.all.len());
        self.all.push((stretch, ports.as_slice().to_vec()));
    }

    /// In the order of their lowest ports, in which they were found.
    fn into_stretches(self) -> Vec<Stretch> {
        let port = |number: u128| u16::try_from(number).unwrap_or(u16::MAX);
        let whole = |(stretch, ports): (Stretch, Vec<(u128, u128)>)| {
            let ports = Ranges::of(ports);
            let ports = ports.as_slice().iter();
            Stretch {
                ports: ports
                    .map(|&(first, last)| (port(first), port(last)))
                    .collect(),
                ..stretch
            }
        };
        self.all.into_iter().map(whole).collect()
    }
}

/// A number that is the same for answers that are alike.
fn sketch(answers: &[Answer], asked: Endpoint) -> u64 {
    let mut hasher = DefaultHasher::new();
    for answer in answers {
        answer.from.hash(&mut hasher);
        for outcome in &answer.outcomes {
            relative(outcome.to, asked).hash(&mut hasher);
            outcome.verdict.hash(&mut hasher);
            outcome
                .service
                .as_ref()
                .map(ToString::to_string)
                .hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// Whether packets to the ports of two stretches end alike: where one is led to the address or
/// the port that was asked about, so is the other.
fn fare_alike(a: &Stretch, b: &Stretch) -> bool {
    let (asked_a, asked_b) = (a.question.to, b.question.to);
    let is_same_addr = asked_a.addr == asked_b.addr;
    let is_same_end = |a: &Outcome, b: &Outcome| {
        relative(a.to, asked_a) == relative(b.to, asked_b)
            && a.ends_like(b)
            && (a.seen_source, a.masquerade, &a.oif) == (b.seen_source, b.masquerade, &b.oif)
    };
    let is_same = |(a, b): (&Answer, &Answer)| {
        // A local client's address goes with the one it sends to.
        let is_own = !is_same_addr && a.from == From::Local;
        let mut ends = a.outcomes.iter().zip(&b.outcomes);
        (a.from, &a.iif) == (b.from, &b.iif)
            && (is_own || a.region == b.region)
            && a.outcomes.len() == b.outcomes.len()
            && ends.all(|(a, b)| is_same_end(a, b))
    };
    asked_a.addr.is_ipv4() == asked_b.addr.is_ipv4()
        && a.answers.len() == b.answers.len()
        && a.answers.iter().zip(&b.answers).all(is_same)
}

/// An end with nothing where it is the address, or the port, that was asked about.
fn relative(to: Option<Endpoint>, asked: Endpoint) -> Option<(Option<IpAddr>, Option<u16>)> {
    let to = to?;
    let addr = Some(to.addr).filter(|addr| *addr != asked.addr);
    Some((addr, Some(to.port).filter(|port| *port != asked.port)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;
    use crate::findings::tests::World;

    fn told(rules: &str, listeners: &[&str]) -> Vec<String> {
        let world = World::of(rules, listeners);
        let sweeps = sweep(&world.host, Proto::TCP, &[], |_, _| {});
        let outside = |stretch: &Stretch| {
            let answer = stretch
                .answers
                .iter()
                .find(|answer| answer.from == From::Outside);
            let verdict: Option<Verdict> = answer.map(|answer| answer.outcomes[0].verdict);
            format!("{:?} {verdict:?}", stretch.ports)
        };
        sweeps[0].stretches.iter().map(outside).collect()
    }

    #[test]
    fn ports_that_end_alike_are_told_together() {
        let rules = "*filter\n:INPUT ACCEPT\n-A INPUT -p tcp --dport 100:200 -j DROP\n\
                     -A INPUT -p tcp --dport 201 -j DROP\nCOMMIT\n";
        assert_eq!(
            told(rules, &["tcp/0.0.0.0:22=sshd"]),
            [
                "[(1, 21), (23, 99), (202, 65535)] Some(Refused)",
                "[(22, 22)] Some(Delivered)",
                "[(100, 201)] Some(Dropped)"
            ]
        );
    }

    #[test]
    fn a_port_that_rules_lead_to_is_not_one_that_stays() {
        let rules = "*nat\n:PREROUTING ACCEPT\n-A PREROUTING -p tcp --dport 80:90 -j REDIRECT \
                     --to-ports 80\nCOMMIT\n";
        let found = told(rules, &["tcp/0.0.0.0:80=web"]);
        let expected = [
            "[(1, 79), (91, 65535)] Some(Refused)",
            "[(80, 80)] Some(Delivered)",
            "[(81, 90)] Some(Delivered)",
        ];
        assert_eq!(found, expected);
    }
}
