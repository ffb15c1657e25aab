//! Connection tracking and address translation: one binding in each direction, made by the
//! first packet, applied to all.

use std::net::IpAddr;

use host::Hook;
use net::Proto;

use crate::base::Fate;
use crate::chain::Flow;
use crate::eval::Eval;
use crate::hook::Item;
use crate::packet::{Binding, Connection, Kind, State, Tracking};
use crate::ways::{Ways, all, each, sift};

/// Which end of a connection a hook translates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manip {
    Source,
    Destination,
}

impl Eval<'_> {
    /// Conntrack's look at a packet.
    pub(crate) fn track(&mut self, mut state: State) -> Ways<Fate> {
        if state.tracking != Tracking::None || !self.is_tracking(state.family) {
            return vec![(state, Fate::Pass)];
        }
        let loose = self
            .host
            .sysctls
            .number("net.netfilter.nf_conntrack_tcp_loose", 1)
            != 0;
        let packet = &state.packet;
        let opens = match packet.kind {
            Kind::First => true,
            Kind::Answer => packet.proto != Proto::TCP,
            Kind::Ack | Kind::Data => loose,
            Kind::Reset { .. } | Kind::IcmpError(..) => false,
        };
        state.tracking = match (&mut state.conn, packet.kind) {
            (Some(_), Kind::IcmpError(..)) => Tracking::Related,
            (Some(conn), Kind::Answer | Kind::Reset { .. }) => {
                conn.replied = true;
                Tracking::Established
            }
            // An answer that conntrack has not seen leaves the connection in SYN_SENT, where an
            // ACK of the client's is out of place (nf_conntrack_proto_tcp.c, tcp_conntracks).
            (Some(conn), Kind::Ack | Kind::Data) if !conn.replied => Tracking::Invalid,
            (Some(conn), Kind::Ack | Kind::Data) => {
                conn.assured = true;
                Tracking::Established
            }
            (Some(_), Kind::First) => Tracking::New,
            (None, _) if opens => {
                state.reply = false;
                state.conn = Some(Connection {
                    proto: packet.proto,
                    src: packet.src.clone(),
                    dst: packet.dst.clone(),
                    sport: packet.sport.clone(),
                    dport: packet.dport.clone(),
                    mark: 0,
                    dnat: None,
                    snat: None,
                    confirmed: false,
                    replied: false,
                    assured: false,
                });
                Tracking::New
            }
            (None, _) => Tracking::Invalid,
        };
        vec![(state, Fate::Pass)]
    }

    /// The NAT dispatcher of a hook: asks the chains if the connection is not bound yet, and
    /// translates the packet (nf_nat_core.c, nf_nat_inet_fn).
    pub(crate) fn translate(&mut self, state: State, hook: Hook) -> Ways<Fate> {
        let manip = match hook {
            Hook::Prerouting | Hook::Output => Manip::Destination,
            Hook::Input | Hook::Postrouting => Manip::Source,
            Hook::Forward | Hook::Ingress | Hook::Egress => return vec![(state, Fate::Pass)],
        };
        let Some(conn) = &state.conn else {
            return vec![(state, Fate::Pass)];
        };
        let bound = match manip {
            Manip::Source => conn.snat.is_some(),
            Manip::Destination => conn.dnat.is_some(),
        };
        let is_icmp = matches!(state.packet.kind, Kind::IcmpError(..));
        let asks = match state.tracking {
            Tracking::New => true,
            Tracking::Related => !is_icmp,
            Tracking::None | Tracking::Invalid | Tracking::Untracked | Tracking::Established => {
                false
            }
        };
        let ways = if asks && !bound {
            self.ask_nat_chains(state, hook)
        } else {
            vec![(state, Fate::Pass)]
        };
        let apply = |(state, fate): (State, Fate)| match fate {
            Fate::Pass => self.apply(state, hook, manip),
            other => vec![(state, other)],
        };
        ways.into_iter().flat_map(apply).collect()
    }

    /// Chains in turn until one binds; `accept` in one does not keep the next from binding.
    fn ask_nat_chains(&mut self, state: State, hook: Hook) -> Ways<Fate> {
        let order = self.order(state.family, hook);
        let (mut done, mut open) = (Vec::new(), vec![state]);
        for group in &order.nat {
            let ways = each(open, |state| {
                self.in_any_order(state, hook, group, |eval, state, order| {
                    eval.nat_in_order(state, hook, order)
                })
            });
            open = sift(ways, &mut done, Option::is_none);
        }
        let decided = done
            .into_iter()
            .filter_map(|(state, fate)| Some((state, fate?)));
        let unbound = open
            .into_iter()
            .map(|state| (with_null_binding(state, hook), Fate::Pass));
        decided.chain(unbound).collect()
    }

    /// `None` for packets that no chain bound or dropped.
    fn nat_in_order(&mut self, state: State, hook: Hook, items: &[Item]) -> Ways<Option<Fate>> {
        let (mut done, mut open) = (Vec::new(), vec![state]);
        for item in items {
            let Item::Chain(chain) = item else { continue };
            let flows = each(open, |state| self.run_base(state, hook, *chain));
            let ways = flows
                .into_iter()
                .map(|(state, flow)| (state, fate_of(flow)))
                .collect();
            open = sift(ways, &mut done, Option::is_none);
        }
        done.extend(all(open, &None));
        done
    }

    /// Rewrites the packet as the connection's bindings say.
    fn apply(&mut self, mut state: State, hook: Hook, manip: Manip) -> Ways<Fate> {
        let Some(conn) = state.conn.clone() else {
            return vec![(state, Fate::Pass)];
        };
        // The addresses of an ICMP error about the connection are translated with it
        // (nf_nat_proto.c, nf_nat_icmp_reply_translation).
        if !is_tracked(state.tracking) {
            return vec![(state, Fate::Pass)];
        }
        let before = state.packet.dst.clone();
        let packet = &mut state.packet;
        match (state.reply, manip) {
            (false, Manip::Destination) => {
                if let Some(binding) = conn.dnat.filter(|b| b.changes) {
                    (packet.dst, packet.dport) = (binding.addr, binding.port);
                }
            }
            (false, Manip::Source) => {
                if let Some(binding) = conn.snat.filter(|b| b.changes) {
                    (packet.src, packet.sport) = (binding.addr, binding.port);
                }
            }
            (true, Manip::Destination) => {
                if conn.snat.is_some_and(|b| b.changes) {
                    (packet.dst, packet.dport) = (conn.src, conn.sport);
                }
            }
            (true, Manip::Source) => {
                if conn.dnat.is_some_and(|b| b.changes) {
                    (packet.src, packet.sport) = (conn.dst, conn.dport);
                }
            }
        }
        if hook == Hook::Output && state.packet.dst != before {
            return self.reroute(state);
        }
        vec![(state, Fate::Pass)]
    }
}

/// What a NAT chain's flow means to the packet; `None` where the next chain is asked.
fn fate_of(flow: Flow) -> Option<Fate> {
    match flow {
        Flow::Accept | Flow::Return => None,
        other => Some(other.into()),
    }
}

fn with_null_binding(mut state: State, hook: Hook) -> State {
    let packet = &state.packet;
    let source = matches!(hook, Hook::Input | Hook::Postrouting);
    let (addr, port) = if source {
        (packet.src.clone(), packet.sport.clone())
    } else {
        (packet.dst.clone(), packet.dport.clone())
    };
    let binding = Binding {
        addr,
        port,
        changes: false,
    };
    if let Some(conn) = &mut state.conn {
        let slot = if source {
            &mut conn.snat
        } else {
            &mut conn.dnat
        };
        *slot = Some(binding);
    }
    state
}

fn is_tracked(tracking: Tracking) -> bool {
    match tracking {
        Tracking::New | Tracking::Established | Tracking::Related => true,
        Tracking::None | Tracking::Invalid | Tracking::Untracked => false,
    }
}

pub(crate) fn is_link_local(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}
