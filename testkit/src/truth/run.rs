//! Builds one host, has its packets foretold, sends them, and compares.

use std::time::Duration;

use host::Host;
use trace::{Answer, Cause, Outcome};

use super::agree::{Agreement, agrees, is_about};
use super::corners::corners;
use super::coverage::{self, Coverage};
use super::foretell::foretell;
use super::spec::HostSpec;
use crate::world::{Observed, Packet, Patience, Place, World, WorldError};

/// How long silence lasts before it counts, at first and where it made a wrong answer.
const QUICK: Patience = Patience(Duration::from_millis(350));
const THOROUGH: Patience = Patience(Duration::from_millis(900));

/// A packet, what was foretold for it, and what became of it.
#[derive(Debug, Clone)]
pub struct Tried {
    /// The packet.
    pub packet: Packet,
    /// What became of it.
    pub observed: Observed,
    /// What was foretold.
    pub answers: Result<Vec<Answer>, String>,
    /// How the two compare.
    pub agreement: Agreement,
}

/// A host that was tried.
#[derive(Debug, Clone)]
pub struct Report {
    /// Its packets.
    pub tried: Vec<Tried>,
    /// What its rules met.
    pub coverage: Coverage,
    /// It was built again, because at first not all agreed.
    pub again: bool,
}

impl Report {
    /// The first packet that was foretold wrongly.
    pub fn first_wrong(&self) -> Option<&Tried> {
        self.tried
            .iter()
            .find(|tried| matches!(tried.agreement, Agreement::Wrong(_)))
    }
}

impl Tried {
    /// The outcomes that were foretold.
    pub fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        let answers = self.answers.as_deref().unwrap_or_default();
        answers
            .iter()
            .filter(|answer| is_about(answer, &self.packet))
            .flat_map(|answer| &answer.outcomes)
    }

    /// What was foretold, in a few words.
    pub fn foretold(&self) -> String {
        match &self.answers {
            Err(why) => why.clone(),
            Ok(_) => self
                .outcomes()
                .map(|outcome| {
                    let gaps: Vec<&str> = outcome.gaps.iter().map(|gap| &*gap.what).collect();
                    let gaps = gaps.join(", ");
                    format!("{:?} {:?} {gaps}", outcome.cause, outcome.client)
                })
                .collect::<Vec<String>>()
                .join(" or "),
        }
    }
}

/// What a packet must bear out: the answer to a question about it alone, or the answer of a
/// scan for a whole region that it lies at the edge of.
type Foretold = (Packet, Result<Vec<Answer>, String>);

/// Tries a host. A packet that does not agree is sent again, alone, over a host built anew and
/// with more patience: so a busy machine makes no wrong answers, and neither do the limits
/// that the kernel puts on errors of its own (inet_peer_xrlim_allow).
///
/// # Errors
/// Where the host cannot be built or read.
pub fn host(spec: &HostSpec) -> Result<Report, WorldError> {
    let mut report = once(spec, QUICK)?;
    for tried in &mut report.tried {
        if !matches!(tried.agreement, Agreement::Wrong(_)) {
            continue;
        }
        report.again = true;
        let alone = HostSpec {
            packets: vec![tried.packet.clone()],
            ..spec.clone()
        };
        // What was foretold stays: a region's answer is not that to a question of its own.
        let foretold = |_: &Host| vec![(tried.packet.clone(), tried.answers.clone())];
        if let Some(second) = fly(&alone, THOROUGH, foretold)?.tried.pop() {
            *tried = second;
        }
    }
    Ok(report)
}

/// Tries a host once, with little patience.
///
/// # Errors
/// Where the host cannot be built or read.
pub fn quick(spec: &HostSpec) -> Result<Report, WorldError> {
    once(spec, QUICK)
}

/// Tries a host once.
///
/// # Errors
/// Where the host cannot be built or read.
pub fn once(spec: &HostSpec, patience: Patience) -> Result<Report, WorldError> {
    fly(spec, patience, |host| {
        let packets = spec
            .packets
            .iter()
            .map(|packet| (packet.clone(), foretell(host, packet)));
        let corners = corners(host, spec.seed).into_iter();
        packets.chain(corners).collect()
    })
}

/// Builds a host and sends what is foretold for it once it is read.
fn fly(
    spec: &HostSpec,
    patience: Patience,
    foretell: impl FnOnce(&Host) -> Vec<Foretold>,
) -> Result<Report, WorldError> {
    let world = World::new()?;
    world.configure(spec)?;
    let mut servers = world.serve(&spec.listeners)?;
    world.enter(Place::Node)?;
    let dump = kernel::read(&kernel::ReadOptions::default())
        .map_err(|error| WorldError::system("read the host")(std::io::Error::other(error)))?;
    let host = host::wire::host(&dump);
    let foretold = foretell(&host);
    let packets: Vec<Packet> = foretold.iter().map(|(packet, _)| packet.clone()).collect();
    world.settle_clients(&packets)?;
    let observed = world.fly(&mut servers, &packets, patience)?;
    let coverage = coverage::read(spec)?;
    let tried: Vec<Tried> = foretold
        .into_iter()
        .zip(observed)
        .map(|((packet, answers), observed)| compare(spec, &packet, observed, answers))
        .collect();
    let tried = tried.iter().map(|one| excuse(one, &tried)).collect();
    Ok(Report {
        tried,
        coverage,
        again: false,
    })
}

/// Errors of the router's own that one IPv4 source gets at once; later ones wait a second
/// (`ip_error`, route.c: `net.ipv4.route.error_burst` over `error_cost`).
const ROUTE_ERRORS: usize = 5;

/// An error that routing answers with may be held back where a source gets many.
fn excuse(one: &Tried, all: &[Tried]) -> Tried {
    let is_limited = |tried: &Tried| {
        let is_route = |cause: &Cause| {
            let cause = match cause {
                Cause::AnswerLost(inner) => inner,
                other => other,
            };
            matches!(
                cause,
                Cause::NoRoute | Cause::Unreachable | Cause::Prohibited
            )
        };
        tried.packet.src == one.packet.src
            && tried.packet.dst.is_ipv4()
            && tried.packet.place != Place::Node
            && tried.outcomes().any(|outcome| is_route(&outcome.cause))
    };
    let many = all.iter().filter(|tried| is_limited(tried)).count() > ROUTE_ERRORS;
    let mut one = one.clone();
    if many && is_limited(&one) && one.observed == Observed::Nothing(None) {
        one.agreement = Agreement::OneOfSeveral;
    }
    one
}

fn compare(
    spec: &HostSpec,
    packet: &Packet,
    observed: Observed,
    answers: Result<Vec<Answer>, String>,
) -> Tried {
    let agreement = match &answers {
        Ok(answers) => agrees(spec, packet, &observed, answers),
        Err(panic) => Agreement::Wrong(panic.clone()),
    };
    Tried {
        packet: packet.clone(),
        observed,
        answers,
        agreement,
    }
}
