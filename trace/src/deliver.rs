//! Which socket gets a packet.

use std::net::IpAddr;

use host::{GapKind, Socket, SocketState};
use net::{Proto, addr_bits};

use crate::eval::{Eval, Fork};
use crate::packet::{Fact, State};
use crate::ranges::Ranges;
use crate::value::Dim;

/// The socket that packets reach.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Taker<'h> {
    /// This one.
    Socket(&'h Socket),
    /// None; one is bound there that does not listen, or nothing at all.
    Nobody { bound: Option<&'h Socket> },
    /// Sockets were not read.
    Unknown,
}

impl<'h> Eval<'h> {
    /// The sockets that get the packets of a state.
    pub(crate) fn takers(&mut self, state: State) -> Vec<(State, Taker<'h>)> {
        let host = self.host;
        let unread = host.gaps.iter().any(|gap| gap.kind == GapKind::Sockets);
        if !host.given.sockets || unread {
            return vec![(state, Taker::Unknown)];
        }
        let (Some(dst), Some(port)) = (
            state.ip(&state.packet.dst),
            state.known_port(&state.packet.dport),
        ) else {
            return vec![(state, Taker::Unknown)];
        };
        let (mut taken, mut rest) = (Vec::new(), Some(state));
        // A UDP socket that is connected to the client goes before all others.
        for socket in &host.sockets {
            let Some(state) = rest.take() else { break };
            let proto = state.packet.proto;
            let fits = socket.state == SocketState::Connected
                && proto == Proto::UDP
                && socket.proto == proto
                && socket.port == port
                && socket.addr == dst;
            match socket.peer.filter(|_| fits) {
                None => rest = Some(state),
                Some(peer) => {
                    let (inside, outside) = of_peer(state, peer);
                    taken.extend(inside.map(|state| (state, Taker::Socket(socket))));
                    taken.extend(
                        outside
                            .1
                            .map(|state| self.unconnected(state, dst, port))
                            .into_iter()
                            .flatten(),
                    );
                    rest = outside.0;
                }
            }
        }
        if let Some(state) = rest {
            taken.extend(self.unconnected(state, dst, port));
        }
        taken
    }

    fn unconnected(&mut self, state: State, dst: IpAddr, port: u16) -> Vec<(State, Taker<'h>)> {
        let host = self.host;
        let device = self.receiving_link(&state);
        let proto = state.packet.proto;
        let here = |socket: &&'h Socket| {
            socket.proto == proto
                && socket.port == port
                && accepts(socket, dst)
                && (socket.device.is_none() || socket.device == device)
        };
        let open = |socket: &&'h Socket| match socket.state {
            SocketState::Listen | SocketState::Unconnected => true,
            SocketState::Bound | SocketState::Connected | SocketState::TimeWait => false,
        };
        // The exact address goes before the wildcard, then a bound device, then IPv4 before a
        // dual-stack socket (inet_hashtables.c, udp.c: compute_score).
        let rank = |socket: &Socket| {
            (
                socket.addr == dst,
                socket.device.is_some(),
                socket.addr.is_ipv4() == dst.is_ipv4(),
            )
        };
        let best = host
            .sockets
            .iter()
            .filter(here)
            .filter(open)
            .map(rank)
            .max();
        let Some(best) = best else {
            let bound = host
                .sockets
                .iter()
                .filter(here)
                .find(|s| s.state == SocketState::Bound);
            return vec![(state, Taker::Nobody { bound })];
        };
        let group = host
            .sockets
            .iter()
            .filter(here)
            .filter(open)
            .filter(|s| rank(s) == best);
        let group: Vec<&Socket> = group.collect();
        if let [only] = group[..] {
            return vec![(state, Taker::Socket(only))];
        }
        // SO_REUSEPORT: the kernel hashes the connection to one of the group.
        #[expect(clippy::cast_precision_loss, reason = "a handful of sockets")]
        let fork = self.new_fork(Fork::Chance(vec![1.0 / group.len() as f64; group.len()]));
        let branch = |(at, socket)| {
            let mut state = state.clone();
            state.choose(fork, at);
            (state, Taker::Socket(socket))
        };
        group.into_iter().enumerate().map(branch).collect()
    }

    /// The socket that would get packets to the address and port asked for, if no rule took
    /// them.
    pub(crate) fn intended(&self) -> Option<&'h Socket> {
        let (host, question) = (self.host, self.question);
        let to = question.to;
        let is_own = host.addresses.iter().any(|a| a.addr == to.addr) || to.addr.is_loopback();
        if !is_own {
            return None;
        }
        let here = |socket: &&'h Socket| {
            socket.proto == question.proto
                && socket.port == to.port
                && accepts(socket, to.addr)
                && matches!(socket.state, SocketState::Listen | SocketState::Unconnected)
        };
        host.sockets
            .iter()
            .filter(here)
            .max_by_key(|s| (s.addr == to.addr, s.device.is_some()))
    }
}

/// Whether a socket takes packets to an address: its own, or any of the families it is for.
pub(crate) fn accepts(socket: &Socket, dst: IpAddr) -> bool {
    if socket.addr == dst {
        return true;
    }
    socket.addr.is_unspecified()
        && match (socket.addr, dst) {
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => true,
            (IpAddr::V6(_), IpAddr::V4(_)) => !socket.v6_only,
            (IpAddr::V4(_), IpAddr::V6(_)) => false,
        }
}

/// Packets from a peer; and the others, in two parts.
fn of_peer(
    state: State,
    (addr, port): (IpAddr, u16),
) -> (Option<State>, (Option<State>, Option<State>)) {
    let src = state.packet.src.clone();
    let sport = state.packet.sport.clone();
    let addr = Ranges::one(addr_bits(addr));
    let (inside, outside) = crate::routing::take(state, &src, &addr);
    let Some(state) = inside else {
        return (None, (outside, None));
    };
    match (state.known_port(&sport), &sport) {
        (Some(known), _) if known == port => (Some(state), (outside, None)),
        (None, Fact::Client) => {
            let (inside, other) = state.cut(Dim::Port, &Ranges::one(port.into()));
            (inside, (outside, other))
        }
        _ => (None, (outside, Some(state))),
    }
}
