//! What goes back to the client: how it is routed, and whether the client takes it.

use std::net::IpAddr;

use net::{Family, addr_bits};

use super::{Reach, Walk};
use crate::answer::{Cause, Did, Stage};
use crate::journey::{Landing, Landings};
use crate::packet::{Fact, Kind, State, Way};
use crate::route::Key;
use crate::routing::{ports_of, take};
use crate::source::{ON_LINK, UNIVERSE};
use crate::ways::Ways;

impl Walk<'_, '_> {
    /// Routes a packet made here, over `only` this link where it says one, and sends it out.
    pub(super) fn send(&mut self, state: State, only: Option<u32>) -> Landings {
        let packet = &state.packet;
        let chosen = match &packet.src {
            Fact::Unknown(_) => None,
            known => Some(known.clone()),
        };
        // The reset of an IPv4 rule is routed like a packet that OUTPUT changed
        // (nf_reject_ipv4.c, nf_send_reset).
        let rerouted = state.family == Family::V4 && packet.kind == Kind::Reset { by_rule: true };
        let reads = !rerouted || self.eval.dissects(Family::V4);
        let key = Key {
            dst: packet.dst.clone(),
            src: chosen,
            iif: None,
            oif: packet.device.or(only),
            mark: packet.mark,
            proto: Some(packet.proto).filter(|_| reads),
            ports: ports_of(packet).filter(|_| reads),
        };
        let mut landed = Vec::new();
        for (state, way) in self.eval.route_out(state, &key) {
            let ways = match (&state.packet.src, way) {
                (Fact::Unknown(_), Ok(chosen)) => self.with_sources(state, &key.dst, &chosen),
                (Fact::Unknown(_), Err(cause)) if state.family == Family::V6 => {
                    self.ask_again(state, &key, &cause)
                }
                (_, way) => vec![(state, way)],
            };
            for (state, way) in ways {
                self.set_out(state, way, &mut landed);
            }
        }
        landed
    }

    /// The source that a way gives packets which have none yet.
    fn with_sources(&mut self, state: State, dst: &Fact, way: &Way) -> Ways<Routed> {
        let sources = match way.source {
            Some(source) => vec![(state, Some(source))],
            None => self.eval.by_source(state, dst, Some(way.oif), ON_LINK),
        };
        let sources = sources.into_iter();
        sources
            .map(|(state, source)| (with_source(state, source), Ok(way.clone())))
            .collect()
    }

    /// IPv6 picks a source where there is no way without one, and asks again with it
    /// (ip6_output.c, ip6_dst_lookup_tail).
    fn ask_again(&mut self, state: State, key: &Key, cause: &Cause) -> Ways<Routed> {
        let mut ways = Vec::new();
        for (state, source) in self.eval.by_source(state, &key.dst, None, UNIVERSE) {
            if source.is_none() {
                ways.push((state, Err(cause.clone())));
                continue;
            }
            let state = with_source(state, source);
            let key = Key {
                src: Some(state.packet.src.clone()),
                ..key.clone()
            };
            ways.extend(self.eval.route_out(state, &key));
        }
        ways
    }

    fn set_out(&mut self, mut state: State, way: Routed, landed: &mut Landings) {
        match way {
            Ok(way) => {
                state.packet.way = Some(way);
                let (unsent, sent) = self.unless_anycast(state);
                landed.extend(sent.into_iter().flat_map(|state| self.eval.go_out(state)));
                landed.extend(unsent.map(|mut state| {
                    let cause = Cause::NotUnicast;
                    state.note(Stage::Routing, None, Did::Stops(cause.clone()));
                    (state, Landing::Lost { cause, hook: None })
                }));
            }
            Err(cause) => {
                state.note(Stage::Routing, None, Did::Stops(cause.clone()));
                landed.push((state, Landing::Lost { cause, hook: None }));
            }
        }
    }

    /// Packets that are not sent, and the others: IPv6 sends no error to the lowest address of a
    /// network on a link, which all its routers have (icmp.c, icmpv6_route_lookup;
    /// ip6_route.h, ipv6_anycast_destination).
    fn unless_anycast(&self, state: State) -> (Option<State>, Option<State>) {
        let host = self.eval.host;
        let as_unicast = "net.ipv6.icmp.error_anycast_as_unicast";
        let is_error = matches!(state.packet.kind, Kind::IcmpError(..));
        let on_link = |way: &Way| way.gateway.is_none() && !way.is_local;
        if state.family == Family::V4
            || !is_error
            || !state.packet.way.as_ref().is_some_and(on_link)
            || host.sysctls.number(as_unicast, 0) != 0
        {
            return (None, Some(state));
        }
        let anycast = self.eval.anycast();
        let dst = state.packet.dst.clone();
        take(state, &dst, &anycast)
    }

    /// Sends an answer made here to the client.
    pub(super) fn send_back(
        &mut self,
        mut answer: State,
        only: Option<u32>,
    ) -> Vec<(State, Reach)> {
        answer.note(Stage::Start, None, Did::AnswerStarts);
        let landed = self.send(answer, only);
        let reach = |(state, landing): (State, Landing)| {
            let reach = self.reach(&state, landing);
            (state, reach)
        };
        landed.into_iter().map(reach).collect()
    }

    /// Whether an answer that landed is one the client takes.
    pub(super) fn reach(&self, state: &State, landing: Landing) -> Reach {
        let arrived = match landing {
            Landing::Here => self.entry.iif.is_none(),
            Landing::Left { .. } => self.entry.iif.is_some(),
            Landing::Lost { cause, .. } | Landing::Answered { cause, .. } => {
                return Reach::Lost(cause);
            }
            Landing::Rejected { with, .. } => return Reach::Lost(Cause::RuleRejects(with)),
            Landing::Queued => {
                return Reach::Unknown("a program in user space decides (NFQUEUE)".into());
            }
            Landing::Unknown(why) => return Reach::Unknown(why),
        };
        let to = self.eval.question.to;
        let packet = &state.packet;
        let is_error = matches!(packet.kind, Kind::IcmpError(..));
        let from_asked = state.ip(&packet.src) == Some(to.addr)
            && state.known_port(&packet.sport) == Some(to.port);
        let same = |a: Option<u128>, b: Option<u128>| a.is_some() && a == b;
        let to_addr = packet.dst == self.entry.source
            || same(
                state.known_addr(&packet.dst),
                state.known_addr(&self.entry.source),
            );
        let port = |fact| state.known_port(fact).map(u128::from);
        let to_port =
            packet.dport == Fact::Client || same(port(&packet.dport), port(&Fact::Client));
        // A client knows an error by the packet inside, which is translated back only where
        // conntrack has looked at it.
        let changed = state.conn.as_ref().is_some_and(|conn| {
            [&conn.dnat, &conn.snat]
                .into_iter()
                .flatten()
                .any(|binding| binding.changes)
        });
        let is_known = if is_error {
            state.entry().is_some() || !changed
        } else {
            from_asked && to_port
        };
        if arrived && to_addr && is_known {
            Reach::Arrives
        } else {
            Reach::Lost(Cause::WrongSource)
        }
    }
}

/// What routing a packet made here gives.
type Routed = Result<Way, Cause>;

fn with_source(mut state: State, source: Option<IpAddr>) -> State {
    if let Some(source) = source {
        state.packet.src = Fact::Known(addr_bits(source));
    }
    state
}
