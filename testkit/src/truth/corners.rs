//! Packets at the edges of the regions that a scan reports: each region holds for its lowest
//! address, its highest, and one inside.

use std::net::IpAddr;

use host::Host;
use net::{Proto, ServiceName};
use trace::{Answer, Names, Origin, Outcome, Question, Region, Verdict};

use super::agree::is_about;

use super::foretell::pod_ranges;
use super::pool;
use super::rng::Rng;
use crate::world::{LINKS, Packet, Transport, mac_of};

/// Packets of one host at the edges of its regions.
const MOST: usize = 10;

/// The source port of the first of them; beyond those of a host's other packets.
const FIRST_PORT: u16 = 21_000;

/// Packets at the edges of the regions that a scan of `host` reports, each with the answer it
/// must bear out: the region's, for the packet's source port alone.
pub fn corners(host: &Host, seed: u64) -> Vec<(Packet, Result<Vec<Answer>, String>)> {
    let mut rng = Rng::new(seed ^ 0xc0);
    let mut found = Vec::new();
    for listener in trace::scan(host, &pod_ranges(), &Nobody, |_, _| {}) {
        for heard in listener.heard {
            for answer in &heard.answers {
                let Some(side) = side(answer) else { continue };
                for src in edges(&mut rng, &answer.region) {
                    let mut question = heard.question.clone();
                    question.to.addr = *rng.pick(&heard.addrs);
                    found.push((src, side, question, answer.clone()));
                }
            }
        }
    }
    let mut picked = Vec::new();
    while picked.len() < MOST && !found.is_empty() {
        let at = rng.below(found.len());
        let (src, side, mut question, scanned) = found.swap_remove(at);
        let sport = FIRST_PORT + u16::try_from(picked.len()).unwrap_or(0);
        question.sport = Some(sport);
        question.mac = Some(mac_of(side, true));
        let packet = Packet {
            transport: match question.proto {
                Proto::UDP => Transport::Udp,
                _ => Transport::Tcp,
            },
            place: side.place,
            iif: Some(side.node_link),
            src: Some(src),
            sport,
            dst: question.to.addr,
            dport: question.to.port,
            uid: 0,
        };
        let answers = of_region(host, &question, &scanned, &packet);
        picked.push((packet, answers));
    }
    picked
}

/// The answer to a question about a source alone, which must be what is said of its region:
/// by the scan, for all source ports, and by an answer for this one.
fn of_region(
    host: &Host,
    question: &Question,
    scanned: &Answer,
    packet: &Packet,
) -> Result<Vec<Answer>, String> {
    let whole = trace::answer(host, question).map_err(|error| error.to_string())?;
    let region = whole.into_iter().find(|answer| {
        (answer.from, &answer.iif) == (scanned.from, &scanned.iif) && is_about(answer, packet)
    });
    let region = region.ok_or("the scan has a region that no answer has")?;
    let alone = Question {
        origin: packet.src.map_or(Origin::Local, Origin::Address),
        iif: packet.iif.map(str::to_owned),
        ..question.clone()
    };
    let alone = trace::answer(host, &alone).map_err(|error| error.to_string())?;
    let is_unknown = |answer: &Answer| {
        let mut outcomes = answer.outcomes.iter();
        outcomes.any(|outcome| outcome.verdict == Verdict::Unknown)
    };
    if is_unknown(&region) {
        return Ok(vec![region]);
    }
    let sees = |o: &Outcome| (o.verdict, o.client, o.to, o.seen_source);
    let said = |o: &Outcome| region.outcomes.iter().any(|other| sees(other) == sees(o));
    let all = alone.iter().flat_map(|answer| &answer.outcomes);
    if let Some(other) = all.clone().find(|outcome| !said(outcome)) {
        return Err(format!("the region says otherwise than {:?}", sees(other)));
    }
    // Which of several rules decided may go with the source port.
    let sees = |o: &Outcome| (o.verdict, o.client);
    let said = |o: &Outcome| scanned.outcomes.iter().any(|other| sees(other) == sees(o));
    if is_unknown(scanned) || all.clone().all(said) {
        Ok(alone)
    } else {
        Err("the scan says otherwise of the region".to_owned())
    }
}

fn side(answer: &Answer) -> Option<&'static crate::world::Side> {
    let iif = answer.iif.as_deref()?;
    LINKS.iter().find(|side| side.node_link == iif)
}

/// The lowest and the highest address of a range of the region, and one inside.
fn edges(rng: &mut Rng, region: &Region) -> Vec<IpAddr> {
    let (first, last) = *rng.pick(&region.ranges);
    let width = last - first;
    let inside = first + u128::from(rng.next_u64()) % width.saturating_add(1).max(1);
    let addrs = [first, last, inside].map(|bits| net::addr_of(region.family, bits));
    let mut addrs: Vec<IpAddr> = addrs
        .into_iter()
        .filter(|addr| can_be_a_client(*addr))
        .collect();
    addrs.dedup();
    addrs
}

/// Whether a client can be given the address: nobody has it, and it may stand on a link.
fn can_be_a_client(addr: IpAddr) -> bool {
    let is_special = match addr {
        IpAddr::V4(_) => false,
        // Link-local ones need a link in the packet, and those below 2000::/3 have meanings.
        IpAddr::V6(addr) => addr.is_unicast_link_local() || addr.segments()[0] < 0x2000,
    };
    !is_special && !pool::addrs(addr.is_ipv6()).contains(&addr)
}

/// Nothing is known of Services.
struct Nobody;

impl Names for Nobody {
    fn at_node_port(&self, _proto: Proto, _port: u16) -> Option<ServiceName> {
        None
    }

    fn ready(&self, _service: &ServiceName) -> Option<usize> {
        None
    }

    fn free_node_port(&self, _host: &Host, _proto: Proto) -> Option<u16> {
        None
    }
}
