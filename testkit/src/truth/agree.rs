//! Whether what happened to a packet is what was foretold for it.
//!
//! What leaves the node is completed by what the world's other namespaces do with it.

use std::net::{IpAddr, SocketAddr};

use net::Endpoint;
use trace::{Answer, Cause, Client, Did, Outcome, Step, Verdict};

use super::spec::HostSpec;
use crate::world::{
    Arrival, Bound, CLIENT_PORTS, LINKS, Observed, Packet, Place, Transport, home_side, owner_of,
};

/// How an observation and the answers for it compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Agreement {
    /// It was foretold alone.
    Right,
    /// It was foretold among others.
    OneOfSeveral,
    /// What was foretold depends on what a host cannot tell.
    Unknown,
    /// It was foretold otherwise: what.
    Wrong(String),
}

/// What a client and a server must see for an outcome to be right.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Expected {
    /// A server answers.
    Connected {
        place: Place,
        to: SocketAddr,
        source: Option<IpAddr>,
        socket: Option<(IpAddr, u16)>,
    },
    /// An error.
    Errno(String),
    /// Nothing comes back; where it is known, whether the request arrived.
    Nothing(Option<bool>),
    /// The client connects, the server never hears of it.
    Silent,
    /// The machine beyond refuses; its refusal may be lost where an answer would not.
    RefusedBeyond,
    /// The world's own routing makes it unclear.
    Any,
    /// A gap.
    Unknown,
}

/// Compares what was seen of a packet with what was foretold for it.
pub fn agrees(
    spec: &HostSpec,
    packet: &Packet,
    observed: &Observed,
    answers: &[Answer],
) -> Agreement {
    let outcomes: Vec<&Outcome> = answers
        .iter()
        .filter(|answer| is_about(answer, packet))
        .flat_map(|answer| &answer.outcomes)
        .collect();
    if outcomes.is_empty() {
        return Agreement::Wrong("no answer is for this source".to_owned());
    }
    let expected: Vec<Expected> = outcomes
        .iter()
        .map(|outcome| expect(outcome, packet))
        .collect();
    let fits = expected
        .iter()
        .any(|expected| fits(spec, packet, expected, observed));
    match (fits, outcomes.len()) {
        (true, 1) => Agreement::Right,
        (true, _) => Agreement::OneOfSeveral,
        (false, _) if expected.contains(&Expected::Unknown) => unknown(&outcomes),
        (false, _) => Agreement::Wrong(tell(&outcomes, &expected)),
    }
}

/// Gaps that a host cannot tell: the order of chains of two languages at one priority, and the
/// link-layer address of the machine that answers. And two that are told of many sources only,
/// and one of ICMP errors, whose inner packet is translated on the way.
const EXCUSED: [&str; 5] = [
    "the socket that an error about a translated packet",
    "which address NETMAP makes",
    "which runs first",
    "the link-layer address",
    "a packet is translated to the client's own address",
];

/// Where the evaluator gives up.
const TOO_MANY: &str = "the rules are too many to follow for this question";

/// The generated language is what the tracer models: few gaps are excused.
fn unknown(outcomes: &[&Outcome]) -> Agreement {
    let mut gaps: Vec<&str> = outcomes
        .iter()
        .flat_map(|outcome| &outcome.gaps)
        .map(|gap| gap.what.as_str())
        .collect();
    gaps.dedup();
    let is_excused = |gap: &&str| EXCUSED.iter().any(|known| gap.starts_with(known));
    // Both orders of chains, one inside the other, may be too many ways to follow.
    if gaps.iter().any(is_excused) {
        gaps.retain(|gap| *gap != TOO_MANY);
    }
    if !gaps.is_empty() && gaps.iter().all(is_excused) {
        Agreement::Unknown
    } else {
        Agreement::Wrong(format!("unknown: {}", gaps.join("; ")))
    }
}

/// Whether an answer is for the source of a packet.
pub fn is_about(answer: &Answer, packet: &Packet) -> bool {
    let is_local = answer.from == trace::From::Local;
    if packet.place == Place::Node {
        return is_local && packet.src.is_none_or(|src| answer.region.contains(src));
    }
    let src = packet.src.expect("clients beyond the node are bound");
    !is_local && answer.iif.as_deref() == packet.iif && answer.region.contains(src)
}

fn tell(outcomes: &[&Outcome], expected: &[Expected]) -> String {
    let one = |(outcome, expected): (&&Outcome, &Expected)| {
        format!(
            "{:?} because of {:?}, so {expected:?}",
            outcome.verdict, outcome.cause
        )
    };
    let all: Vec<String> = outcomes.iter().zip(expected).map(one).collect();
    all.join("; or ")
}

fn expect(outcome: &Outcome, packet: &Packet) -> Expected {
    if outcome.verdict == Verdict::Unknown {
        return Expected::Unknown;
    }
    if answer_goes_astray(outcome, packet) {
        // Where nobody serves the port, it is an error that comes back, by a way of its own.
        let refused = left(outcome, packet).is_some_and(|(to, oif)| {
            let beyond = beyond(to, &oif, packet, source(outcome, packet));
            matches!(beyond, Expected::RefusedBeyond | Expected::Any)
        });
        return if refused {
            Expected::Any
        } else {
            Expected::Nothing(None)
        };
    }
    match outcome.client {
        Client::Connected => match outcome.to {
            Some(to) => Expected::Connected {
                place: Place::Node,
                to: SocketAddr::new(to.addr, to.port),
                source: source(outcome, packet),
                socket: outcome
                    .server
                    .as_ref()
                    .filter(|server| server.reached)
                    .map(|server| (server.socket.addr, server.socket.port)),
            },
            None => Expected::Unknown,
        },
        Client::WhateverAnswers => match (outcome.to, &outcome.oif) {
            (Some(to), Some(oif)) => beyond(to, oif, packet, source(outcome, packet)),
            _ => Expected::Unknown,
        },
        Client::Silent if packet.transport == Transport::Tcp => match left(outcome, packet) {
            // Whether there is a handshake at all is for the machine beyond.
            Some((to, oif)) => match beyond(to, &oif, packet, source(outcome, packet)) {
                Expected::Connected { .. } => Expected::Silent,
                other => other,
            },
            None => Expected::Silent,
        },
        Client::Silent => Expected::Nothing(None),
        Client::Timeout => {
            refused_beyond(outcome, packet).unwrap_or(Expected::Nothing(match outcome.cause {
                // The kernel's own answers are lost too, to requests that arrive nowhere.
                Cause::AnswerLost(_) => outcome
                    .server
                    .as_ref()
                    .is_some_and(|server| server.reached)
                    .then_some(true),
                _ => Some(false),
            }))
        }
        Client::Errno(name) => Expected::Errno(name.to_owned()),
        Client::Unknown => Expected::Unknown,
    }
}

/// Whether the answer leaves the node for another namespace than the client's.
fn answer_goes_astray(outcome: &Outcome, packet: &Packet) -> bool {
    let after = &outcome.steps[outcome.request.min(outcome.steps.len())..];
    // What a rule says to the answer goes to the server, and so does what the client says to it.
    let is_answer = |step: &&Step| !matches!(step.did, Did::Reject(_) | Did::AckStarts);
    let answer: Vec<&Step> = after.iter().take_while(is_answer).collect();
    let by = answer.iter().rev().find_map(|step| match &step.did {
        Did::Leaves { oif } => LINKS.iter().find(|side| side.node_link == oif),
        _ => None,
    });
    packet.place != Place::Node && by.is_some_and(|side| side.place != packet.place)
}

/// The source that a server sees; absent where the node picks it.
fn source(outcome: &Outcome, packet: &Packet) -> Option<IpAddr> {
    outcome.seen_source.or(packet.src)
}

/// Where the request went and the link it left by, by its steps.
fn left(outcome: &Outcome, packet: &Packet) -> Option<(Endpoint, String)> {
    let steps = &outcome.steps[..outcome.request.min(outcome.steps.len())];
    let mut to = Endpoint {
        addr: packet.dst,
        port: packet.dport,
    };
    let mut oif = None;
    for step in steps {
        match &step.did {
            Did::Dnat { addr, port } => {
                to = Endpoint {
                    addr: *addr,
                    port: *port,
                };
            }
            Did::Leaves { oif: link } => oif = Some(link.clone()),
            _ => {}
        }
    }
    Some((to, oif?))
}

/// What a machine beyond makes of a request that it may refuse: a reset or an error is not the
/// answer that was foretold to be lost.
fn refused_beyond(outcome: &Outcome, packet: &Packet) -> Option<Expected> {
    let is_answer = matches!(outcome.cause, Cause::AnswerLost(_));
    let (to, oif) = left(outcome, packet).filter(|_| is_answer)?;
    let beyond = beyond(to, &oif, packet, source(outcome, packet));
    matches!(beyond, Expected::RefusedBeyond | Expected::Any).then_some(beyond)
}

/// What becomes of a packet that leaves the node.
fn beyond(to: Endpoint, oif: &str, packet: &Packet, source: Option<IpAddr>) -> Expected {
    let Some(home) = home_side(to.addr) else {
        return Expected::Nothing(Some(false));
    };
    if home.node_link != oif {
        let reached = LINKS
            .iter()
            .any(|side| side.node_link == oif && side.place == home.place);
        // It arrives, and the answer takes the other link.
        return if reached {
            Expected::Any
        } else {
            Expected::Nothing(Some(false))
        };
    }
    let own = |source: IpAddr| {
        let is_client = packet.place == home.place && packet.src == Some(source);
        owner_of(source) == Some(home.place) || source.is_loopback() || is_client
    };
    if source.is_some_and(own) {
        return Expected::Nothing(None);
    }
    if CLIENT_PORTS.contains(&to.port) {
        Expected::Connected {
            place: home.place,
            to: SocketAddr::new(to.addr, to.port),
            source,
            socket: None,
        }
    } else {
        Expected::RefusedBeyond
    }
}

fn fits(spec: &HostSpec, packet: &Packet, expected: &Expected, observed: &Observed) -> bool {
    match (expected, observed) {
        (Expected::Any, _) | (Expected::Silent, Observed::Silent) => true,
        (
            Expected::Connected {
                place,
                to,
                source,
                socket,
            },
            Observed::Connected(arrival),
        ) => {
            let right_socket = match (socket, arrival.listener) {
                (Some((addr, port)), Some(number)) => {
                    let listener = &spec.listeners[number];
                    // The kernel gives a socket that connects an address of its own.
                    let connects = matches!(listener.bound, Bound::ConnectedTo(..));
                    let chosen = connects && listener.addr.is_unspecified();
                    (listener.addr == *addr || chosen) && listener.port == *port
                }
                _ => true,
            };
            arrival.place == *place
                && arrival.to == *to
                && source.is_none_or(|source| source == arrival.source)
                && right_socket
        }
        (Expected::Errno(name), Observed::Errno(seen)) => name == seen,
        (Expected::RefusedBeyond, Observed::Errno(seen)) => seen == "ECONNREFUSED",
        (Expected::RefusedBeyond, Observed::Nothing(arrival)) => arrival.is_none(),
        (Expected::Errno(name), Observed::SendError(seen, later)) => {
            name == seen || later.as_ref() == Some(name)
        }
        (Expected::Nothing(arrives), Observed::Nothing(arrival)) => {
            // Of TCP only whole handshakes are known to have arrived.
            packet.transport == Transport::Tcp
                || arrives.is_none_or(|arrives| arrives == arrival.is_some())
        }
        _ => false,
    }
}

/// An observation in one line.
pub fn describe(observed: &Observed) -> String {
    let at = |arrival: &Arrival| {
        format!(
            "{} at {:?}, coming from {}",
            arrival.to, arrival.place, arrival.source
        )
    };
    match observed {
        Observed::Connected(arrival) => format!("connected to {}", at(arrival)),
        Observed::Errno(name) => name.clone(),
        Observed::SendError(name, None) => format!("{name} from send"),
        Observed::SendError(name, Some(later)) => format!("{name} from send, then {later}"),
        Observed::Silent => "connected, but the server never heard of it".to_owned(),
        Observed::Nothing(None) => "nothing".to_owned(),
        Observed::Nothing(Some(arrival)) => format!("nothing, but it arrived: {}", at(arrival)),
    }
}
