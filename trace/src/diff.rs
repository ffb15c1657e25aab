//! Two states of a host: every connection that ends differently in the one and in the other.

use std::collections::BTreeSet;
use std::net::IpAddr;

use host::Host;
use net::{Endpoint, Prefix, Proto, ServiceName};

use crate::answer::{Answer, Client, From, Outcome, Region, Verdict};
use crate::explore::Tracer;
use crate::frontends::{frontends, marks};
use crate::question::{Origin, Question};
use crate::ranges::Ranges;
use crate::scan::own_addresses;

/// Shares that differ by less are the same.
const ALIKE: f64 = 1e-9;

/// Networks that stand for destinations elsewhere, and ports asked about in each.
const NETWORKS: usize = 100;

/// Protocols that rules mean that name none.
const PROTOS: [Proto; 2] = [Proto::TCP, Proto::UDP];

/// Connections that end differently.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What was asked.
    pub question: Question,
    /// The kind of source.
    pub from: From,
    /// The interface; absent for this host.
    pub iif: Option<String>,
    /// The sources.
    pub region: Region,
    /// They are all sources of their kind on that interface.
    pub is_whole: bool,
    /// How they ended; absent where no such source was there.
    pub before: Option<Answer>,
    /// How they end.
    pub after: Option<Answer>,
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq)]
pub struct Differences {
    /// Connections that end differently.
    pub changes: Vec<Change>,
    /// Networks elsewhere that rules ask for and that nobody asked about: there are more than a
    /// comparison asks about.
    pub unasked: usize,
}

/// One side of a comparison.
#[derive(Debug, Clone, Copy)]
pub struct Side<'h> {
    /// The host.
    pub host: &'h Host,
    /// Addresses of its pods.
    pub pod_ranges: &'h [Prefix],
}

/// Compares two states of a host, from every kind of source: for every destination that a rule
/// or a socket of either singles out, one port of each range at the host's own addresses, and
/// one address of each network that rules ask for.
///
/// `done` is told how many of how many destinations are through.
pub fn diff(before: Side<'_>, after: Side<'_>, mut done: impl FnMut(usize, usize)) -> Differences {
    let (targets, unasked) = targets(before.host, after.host);
    let all = targets.len();
    let (mut old, mut new) = (Tracer::new(before.host), Tracer::new(after.host));
    let mut changes = Vec::new();
    for (number, (proto, to)) in targets.into_iter().enumerate() {
        done(number, all);
        let mut question = Question::about(proto, to);
        if to.addr.is_loopback() {
            question.origin = Origin::Local;
        }
        let mut ask = |tracer: &mut Tracer<'_>, side: Side<'_>| {
            question.pod_ranges = side.pod_ranges.to_vec();
            tracer.answer(&question).unwrap_or_default()
        };
        let (old, new) = (ask(&mut old, before), ask(&mut new, after));
        compare(&question, &old, &new, &mut changes);
    }
    Differences { changes, unasked }
}

/// Every destination that one of the two hosts makes a difference for, and how many networks
/// are left out.
fn targets(before: &Host, after: &Host) -> (BTreeSet<(Proto, Endpoint)>, usize) {
    let own: BTreeSet<IpAddr> = [before, after]
        .into_iter()
        .flat_map(own_addresses)
        .collect();
    let mut targets = BTreeSet::new();
    let mut add = |proto, addr: Option<IpAddr>, port| match addr {
        Some(addr) => {
            targets.insert((proto, Endpoint { addr, port }));
        }
        None => targets.extend(own.iter().map(|&addr| (proto, Endpoint { addr, port }))),
    };
    for host in [before, after] {
        for frontend in frontends(host) {
            let protos = match &frontend.proto {
                Some(proto) => std::slice::from_ref(proto),
                None => &PROTOS,
            };
            for proto in protos {
                add(*proto, frontend.addr, frontend.port);
            }
        }
        for socket in host.sockets.iter().filter(|socket| socket.state.waits()) {
            let addr = Some(socket.addr).filter(|addr| !addr.is_unspecified());
            add(socket.proto, addr, socket.port);
        }
    }
    // What rules say of ranges of ports and of networks, and of ports that none asks for.
    let named: BTreeSet<u16> = targets.iter().map(|(_, to)| to.port).collect();
    let marks = [before, after].map(marks);
    let mut ports: BTreeSet<u16> = marks
        .iter()
        .flat_map(|marks| &marks.ports)
        .copied()
        .collect();
    ports.extend(
        (1..=u16::MAX)
            .rev()
            .find(|port| !named.contains(port) && !ports.contains(port)),
    );
    let beyond = marks
        .iter()
        .flat_map(|marks| &marks.addrs)
        .filter(|addr| !own.contains(addr));
    let mut beyond: Vec<IpAddr> = beyond.copied().collect();
    beyond.sort_unstable();
    beyond.dedup();
    let unasked = beyond.len().saturating_sub(NETWORKS);
    beyond.truncate(NETWORKS);
    for addr in own.iter().chain(&beyond) {
        // Elsewhere, ports that are singled out for this host may be meant as well.
        let named = named
            .iter()
            .filter(|_| beyond.contains(addr) && named.len() <= NETWORKS);
        for port in ports.iter().chain(named) {
            for proto in PROTOS {
                let (addr, port) = (*addr, *port);
                targets.insert((proto, Endpoint { addr, port }));
            }
        }
    }
    (targets, unasked)
}

/// Lays the answers of both over each other.
fn compare(question: &Question, old: &[Answer], new: &[Answer], changes: &mut Vec<Change>) {
    let mut change = |one: &Answer, region: Ranges, before, after| {
        if region.is_empty() {
            return;
        }
        let all = old.iter().chain(new).filter(|other| is_of(one, other));
        let whole = all.fold(Ranges::none(), |all, other| all.or(&ranges(other)));
        changes.push(Change {
            question: question.clone(),
            from: one.from,
            iif: one.iif.clone(),
            is_whole: region == whole,
            region: Region {
                family: one.region.family,
                ranges: region.as_slice().to_vec(),
            },
            before,
            after,
        });
    };
    for before in old {
        let mut rest = ranges(before);
        for after in new.iter().filter(|after| is_of(before, after)) {
            let both = ranges(before).and(&ranges(after));
            rest = rest.minus(&both);
            if !ends_alike(before, after) {
                change(before, both, Some(before.clone()), Some(after.clone()));
            }
        }
        change(before, rest, Some(before.clone()), None);
    }
    for after in new {
        let known = old.iter().filter(|before| is_of(before, after));
        let rest = known.fold(ranges(after), |rest, before| rest.minus(&ranges(before)));
        change(after, rest, None, Some(after.clone()));
    }
}

fn ranges(answer: &Answer) -> Ranges {
    Ranges::of(answer.region.ranges.clone())
}

/// Whether two answers are for the same kind of source.
fn is_of(a: &Answer, b: &Answer) -> bool {
    (a.from, &a.iif) == (b.from, &b.iif) && a.region.family == b.region.family
}

/// Whether a client and a server see the same in both.
fn ends_alike(a: &Answer, b: &Answer) -> bool {
    let (a, b) = (ends(a), ends(b));
    a.len() == b.len()
        && a.iter().all(|(end, share)| {
            b.iter().any(|(other, theirs)| {
                end == other
                    && match (share, theirs) {
                        (Some(a), Some(b)) => (a - b).abs() < ALIKE,
                        (None, None) => true,
                        _ => false,
                    }
            })
        })
}

/// What a client and a server see.
type End = (
    Verdict,
    Client,
    Option<Endpoint>,
    Option<IpAddr>,
    Option<(IpAddr, u16, Option<String>)>,
    Option<ServiceName>,
);

/// The ends of an answer, each once with the sum of its shares.
fn ends(answer: &Answer) -> Vec<(End, Option<f64>)> {
    let mut ends: Vec<(End, Option<f64>)> = Vec::new();
    for outcome in &answer.outcomes {
        let end = end(outcome);
        match ends.iter_mut().find(|(known, _)| *known == end) {
            Some((_, share)) => *share = share.zip(outcome.share).map(|(a, b)| a + b),
            None => ends.push((end, outcome.share)),
        }
    }
    ends
}

fn end(outcome: &Outcome) -> End {
    let reached = outcome.server.as_ref().filter(|server| server.reached);
    let server = reached.map(|server| {
        let name = server
            .socket
            .holder
            .as_ref()
            .map(|holder| holder.name.clone());
        (server.socket.addr, server.socket.port, name)
    });
    let (verdict, client) = (outcome.verdict, outcome.client);
    let service = outcome.service.clone();
    (
        verdict,
        client,
        outcome.to,
        outcome.seen_source,
        server,
        service,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::tests::{RULES_WITH_ENDPOINTS, World};

    const OPEN: &str = "*filter\n:INPUT ACCEPT\nCOMMIT\n";

    fn changed(before: &World, after: &World) -> Vec<String> {
        let sides = [before, after].map(|world| Side {
            host: &world.host,
            pod_ranges: &[],
        });
        let verdict = |answer: &Option<Answer>| match answer {
            Some(answer) => format!("{:?}", answer.outcomes[0].verdict),
            None => "none".to_owned(),
        };
        let told = |change: Change| {
            format!(
                "{} {} from {:?}: {} → {}",
                change.question.proto,
                change.question.to,
                change.from,
                verdict(&change.before),
                verdict(&change.after)
            )
        };
        diff(sides[0], sides[1], |_, _| {})
            .changes
            .into_iter()
            .map(told)
            .collect()
    }

    #[test]
    fn a_host_does_not_differ_from_itself() {
        let world = World::of(RULES_WITH_ENDPOINTS, &["tcp/0.0.0.0:80=web"]);
        assert_eq!(changed(&world, &world), Vec::<String>::new());
    }

    #[test]
    fn a_rule_for_some_sources_changes_these_alone() {
        let before = World::of(OPEN, &["tcp/0.0.0.0:80=web"]);
        let rules =
            "*filter\n:INPUT ACCEPT\n-A INPUT -s 10.0.0.0/8 -p tcp --dport 80 -j DROP\nCOMMIT\n";
        let after = World::of(rules, &["tcp/0.0.0.0:80=web"]);
        assert_eq!(
            changed(&before, &after),
            ["tcp 192.168.77.1:80 from Outside: Delivered → Dropped"]
        );
        let sides = [&before, &after].map(|world| Side {
            host: &world.host,
            pod_ranges: &[],
        });
        let changes = diff(sides[0], sides[1], |_, _| {}).changes;
        let ten: Prefix = "10.0.0.0/8".parse().unwrap();
        assert_eq!(changes[0].region.ranges, [(ten.first(), ten.last())]);
    }

    #[test]
    fn networks_that_are_not_asked_about_are_counted() {
        let rule = |n: usize| format!("-A FORWARD -d 10.{n}.0.0/16 -j DROP\n");
        let rules: String = (0..NETWORKS + 3).map(rule).collect();
        let world = World::of(&format!("*filter\n:FORWARD ACCEPT\n{rules}COMMIT\n"), &[]);
        let side = Side {
            host: &world.host,
            pod_ranges: &[],
        };
        assert_eq!(diff(side, side, |_, _| {}).unasked, 3);
    }

    #[test]
    fn a_policy_changes_ports_that_no_rule_names() {
        let before = World::of(OPEN, &[]);
        let after = World::of("*filter\n:INPUT DROP\nCOMMIT\n", &[]);
        let changes = changed(&before, &after);
        let outside = |text: &&String| text.starts_with("tcp 192.168.77.1:65535 from Outside");
        assert!(changes.iter().any(|text| outside(&text)), "{changes:?}");
    }

    #[test]
    fn a_service_that_comes_is_seen_at_its_port() {
        let before = World::of(OPEN, &[]);
        let after = World::of(RULES_WITH_ENDPOINTS, &[]);
        let changes = changed(&before, &after);
        let wanted = "tcp 192.168.77.1:31081 from Outside: Refused → Forwarded";
        assert!(changes.contains(&wanted.to_owned()), "{changes:?}");
    }
}
