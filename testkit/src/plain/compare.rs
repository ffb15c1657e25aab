//! Every source of a question, tried one by one and held against the regions of its answer.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use net::{Endpoint, Proto};
use trace::{Answer, From, Outcome, Question, Verdict};

use super::walk::{End, connect};
use super::world::{Client, World};

/// Source ports that are tried: both sides of every edge that a rule can draw.
const SOURCE_PORTS: [u16; 18] = [
    1024, 8039, 8040, 8080, 8081, 30_039, 30_040, 30_080, 30_081, 32_768, 39_999, 40_000, 40_009,
    40_010, 49_999, 50_000, 60_999, 65_535,
];

/// What the kernel picks from for its own processes.
const EPHEMERAL: std::ops::RangeInclusive<u16> = 32_768..=60_999;

/// Destinations that are asked about.
const DESTINATIONS: [[u8; 4]; 4] = [[10, 0, 0, 1], [10, 0, 2, 1], [10, 0, 1, 5], [10, 0, 0, 6]];

/// Ports that are asked about.
const PORTS: [u16; 3] = [80, 53, 9];

/// What was compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Questions.
    pub questions: usize,
    /// Regions of their answers.
    pub regions: usize,
    /// Connections that were tried one by one.
    pub connections: usize,
}

/// Holds every question about a world against every source there is.
///
/// # Errors
/// The first source of whom the two evaluators say different things.
pub fn compare(world: &World) -> Result<Count, String> {
    let mut count = Count::default();
    for proto in [Proto::TCP, Proto::UDP] {
        for dst in DESTINATIONS {
            for port in PORTS {
                let addr = IpAddr::V4(dst.into());
                ask(world, (proto, Endpoint { addr, port }), &mut count)?;
            }
        }
    }
    Ok(count)
}

fn ask(world: &World, to: (Proto, Endpoint), count: &mut Count) -> Result<(), String> {
    let question = Question {
        pod_ranges: vec![World::PODS.parse().expect("it is a prefix")],
        ..Question::about(to.0, to.1)
    };
    let answers = trace::answer(&world.host, &question).map_err(|error| error.to_string())?;
    count.questions += 1;
    count.regions += answers.len();
    for client in Client::all() {
        let addr = match client {
            Client::Outside(addr) | Client::Pod(addr) => Some(addr),
            Client::Local => None,
        };
        // A machine that asks itself asks nobody here.
        if addr.map(IpAddr::V4) == Some(to.1.addr) {
            continue;
        }
        let regions: Vec<&Answer> = answers
            .iter()
            .filter(|answer| is_about(answer, client))
            .collect();
        let [region] = regions[..] else {
            return Err(format!(
                "{client:?} is in {} regions of {to:?}",
                regions.len()
            ));
        };
        let told: BTreeSet<End> = region.outcomes.iter().map(told).collect();
        let may_use = |port: &&u16| client != Client::Local || EPHEMERAL.contains(port);
        let ports: Vec<&u16> = SOURCE_PORTS.iter().filter(may_use).collect();
        count.connections += ports.len();
        let tried: BTreeSet<End> = ports
            .into_iter()
            .map(|sport| connect(world, client, *sport, to))
            .collect();
        if told != tried {
            return Err(format!(
                "{client:?} to {to:?}\n  told  {told:?}\n  tried {tried:?}"
            ));
        }
    }
    Ok(())
}

fn is_about(answer: &Answer, client: Client) -> bool {
    let (from, iif, addr) = match client {
        Client::Outside(addr) => (From::Outside, "eth0", addr),
        Client::Pod(addr) => (From::Pod, "pod1", addr),
        Client::Local => return answer.from == From::Local,
    };
    answer.from == from && answer.iif.as_deref() == Some(iif) && answer.region.contains(addr.into())
}

fn told(outcome: &Outcome) -> End {
    let v4 = |addr: IpAddr| match addr {
        IpAddr::V4(addr) => addr,
        IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    };
    let arrives = matches!(outcome.verdict, Verdict::Delivered | Verdict::Forwarded);
    End {
        verdict: outcome.verdict,
        to: outcome.to.filter(|_| arrives),
        seen_source: outcome.seen_source.filter(|_| arrives).map(v4),
    }
}
