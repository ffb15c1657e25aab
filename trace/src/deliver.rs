//! Which socket gets a packet.

use std::net::IpAddr;

use host::nft::SocketKey;
use host::{GapKind, Socket, SocketState};
use net::{Proto, addr_bits};

use crate::eval::{Eval, Fork};
use crate::lower::Doubt;
use crate::packet::{Binding, Fact, Kind, State, User};
use crate::ranges::Ranges;
use crate::routing::take;
use crate::value::Dim;
use crate::ways::{Ways, each, sift};

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
    pub(crate) fn takers(&mut self, state: State) -> Ways<Taker<'h>> {
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
        // A UDP socket that is connected to the client goes before all others.
        let proto = state.packet.proto;
        let sockets = self.sockets(proto, port);
        let connected = sockets.iter().copied().filter(|socket| {
            proto == Proto::UDP && socket.state == SocketState::Connected && socket.addr == dst
        });
        let (mut taken, mut open) = (Vec::new(), vec![state]);
        for socket in connected {
            let Some(peer) = socket.peer else { continue };
            let ways = each(open, |state| by_peer(state, peer));
            let mut own = Vec::new();
            open = sift(ways, &mut own, |is_peer| !is_peer);
            taken.extend(
                own.into_iter()
                    .map(|(state, _)| (state, Taker::Socket(socket))),
            );
        }
        taken.extend(each(open, |state| self.unconnected(state, dst, &sockets)));
        taken
    }

    /// The sockets of one protocol and port that may get packets from a client not known yet.
    fn unconnected(
        &mut self,
        state: State,
        dst: IpAddr,
        sockets: &[&'h Socket],
    ) -> Ways<Taker<'h>> {
        let device = self.receiving_link(&state);
        let here = |socket: &&'h Socket| {
            accepts(socket, dst) && (socket.device.is_none() || socket.device == device)
        };
        let open = |socket: &&'h Socket| socket.state.waits();
        // The exact address goes before the wildcard, then a bound device, then IPv4 before a
        // dual-stack socket (inet_hashtables.c, udp.c: compute_score).
        let rank = |socket: &Socket| {
            (
                socket.addr == dst,
                socket.device.is_some(),
                socket.addr.is_ipv4() == dst.is_ipv4(),
            )
        };
        let here = || sockets.iter().copied().filter(here);
        let best = here().filter(open).map(rank).max();
        let Some(best) = best else {
            let bound = here().find(|s| s.state == SocketState::Bound);
            return vec![(state, Taker::Nobody { bound })];
        };
        let group = here().filter(open).filter(|s| rank(s) == best);
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

    /// Splits packets by whether a socket goes with them, as xt `socket` asks.
    pub(crate) fn by_socket(
        &mut self,
        state: State,
        wildcards: bool,
        transparent: bool,
    ) -> Ways<bool> {
        let mut ways = Ways::new();
        for (state, companion) in self.companions(state) {
            let (counts, is_transparent) = match companion {
                Companion::None => (false, Some(false)),
                Companion::Waiting(s) => (wildcards || !s.addr.is_unspecified(), s.transparent),
                Companion::Half(s) | Companion::Accepted(s) => (true, s.transparent),
                Companion::Client => (true, Some(false)),
                Companion::Unknown(why) => {
                    ways.extend(self.fork(state, &Doubt::Gap(why.into())));
                    continue;
                }
            };
            match (counts && transparent, is_transparent) {
                (false, _) => ways.push((state, counts)),
                (true, Some(holds)) => ways.push((state, holds)),
                (true, None) => {
                    let why = "whether a socket is transparent was not read";
                    ways.extend(self.fork(state, &Doubt::Gap(why.into())));
                }
            }
        }
        ways
    }

    /// What nft `socket` reads; nothing where no socket goes with the packet, or one that has
    /// not all of its fields yet (nft_socket.c).
    pub(crate) fn socket_key(
        &mut self,
        state: State,
        key: SocketKey,
    ) -> Ways<Result<Option<Vec<u8>>, &'static str>> {
        let byte = |is: bool| Some(vec![u8::from(is)]);
        let unread = "a property of a socket was not read";
        let read = |companion: &Companion<'_>| match (companion, key) {
            (Companion::None, _) => Ok(None),
            (Companion::Unknown(why), _) => Err(*why),
            (_, SocketKey::Cgroup) => Err("the cgroup of a socket"),
            // The client asked about has set no mark.
            (Companion::Client, SocketKey::Mark) => Ok(Some(vec![0; 4])),
            (Companion::Client, _) => Ok(byte(false)),
            (
                Companion::Waiting(s) | Companion::Half(s) | Companion::Accepted(s),
                SocketKey::Transparent,
            ) => s.transparent.map(byte).ok_or(unread),
            (Companion::Half(_), _) => Ok(None),
            (Companion::Waiting(s) | Companion::Accepted(s), SocketKey::Mark) => {
                let mark = s.mark.map(|mark| mark.to_ne_bytes().to_vec());
                mark.map(Some).ok_or(unread)
            }
            (Companion::Accepted(_), SocketKey::Wildcard) => Ok(byte(false)),
            (Companion::Waiting(s), SocketKey::Wildcard) => Ok(byte(s.addr.is_unspecified())),
        };
        let companions = self.companions(state).into_iter();
        companions
            .map(|(state, companion)| {
                let read = read(&companion);
                (state, read)
            })
            .collect()
    }

    fn companions(&mut self, mut state: State) -> Ways<Companion<'h>> {
        let packet = &state.packet;
        if packet.iif.is_none() {
            let companion = match packet.user {
                User::Client => Companion::Client,
                User::Server(..) | User::Nobody => Companion::Unknown("the socket that answers"),
            };
            return vec![(state, companion)];
        }
        match packet.kind {
            Kind::First => self.waiting(state, Companion::Waiting),
            Kind::Ack if self.is_here(&state) && is_accepted(&state) => {
                state.half_open = true;
                self.waiting(state, Companion::Half)
            }
            Kind::Data if self.is_here(&state) && is_accepted(&state) => {
                self.waiting(state, Companion::Accepted)
            }
            Kind::Ack | Kind::Data => self.waiting(state, Companion::Waiting),
            // Of an ICMP error the packet it is about counts.
            Kind::Answer | Kind::Reset { .. } | Kind::IcmpError(..) => {
                let companion = self.asker(&state);
                vec![(state, companion)]
            }
        }
    }

    /// Whether a packet is for this host: a socket bound to every address waits for packets
    /// to others too, but makes nothing of them.
    fn is_here(&self, state: &State) -> bool {
        let dst = state.ip(&state.packet.dst);
        dst.is_some_and(|dst| self.host.is_own(dst))
    }

    /// The socket that waits for a packet, or what it made of it.
    fn waiting(
        &mut self,
        state: State,
        made: impl Fn(&'h Socket) -> Companion<'h>,
    ) -> Ways<Companion<'h>> {
        let takers = self.takers(state).into_iter();
        let companion = |taker| match taker {
            Taker::Socket(socket) => made(socket),
            Taker::Nobody { .. } => Companion::None,
            Taker::Unknown => Companion::Unknown("the sockets of this host were not read"),
        };
        takers
            .map(|(state, taker)| (state, companion(taker)))
            .collect()
    }

    /// The socket that an answer goes to: the client's, where that is a process here; else
    /// perhaps one that waits at the client's port.
    fn asker(&self, state: &State) -> Companion<'h> {
        let asked = state
            .conn
            .as_ref()
            .map_or(&state.packet.dst, |conn| &conn.src);
        if state.ip(asked).is_some_and(|addr| self.host.is_own(addr)) {
            // The client knows the server by the address it asked for.
            let dnat = state.conn.as_ref().filter(|conn| {
                let binding = conn.dnat.as_ref();
                binding.is_some_and(|binding| binding.changes)
            });
            let (src, sport) = (&state.packet.src, &state.packet.sport);
            return match (dnat, state.packet.kind) {
                (None, _) => Companion::Client,
                (Some(_), Kind::IcmpError(..)) => {
                    Companion::Unknown("the socket that an error about a translated packet is for")
                }
                (Some(conn), _) if (&conn.dst, &conn.dport) == (src, sport) => Companion::Client,
                (Some(_), _) => Companion::None,
            };
        }
        let proto = state.packet.proto;
        let may_wait = |socket: &&Socket| {
            let port = state.port.contains(socket.port.into());
            socket.state.waits() && port && socket.proto == proto && socket.addr.is_unspecified()
        };
        match self.host.sockets.iter().find(may_wait) {
            Some(_) => Companion::Unknown("a socket may wait at the port of the client"),
            None => Companion::None,
        }
    }

    /// The socket that would get packets to the address and port asked for, if no rule took
    /// them.
    pub(crate) fn intended(&self) -> Option<&'h Socket> {
        let (host, question) = (self.host, &self.question);
        let to = question.to;
        if !host.is_own(to.addr) {
            return None;
        }
        if let Some(asked) = self.alike.asked() {
            let ports = host
                .sockets
                .iter()
                .filter(|socket| socket.proto == question.proto);
            let ports = ports.map(|socket| (socket.port.into(), socket.port.into()));
            let ports = Ranges::of(ports.collect());
            self.alike.looked_up(asked, &ports);
        }
        let here = |socket: &&'h Socket| {
            socket.proto == question.proto
                && socket.port == to.port
                && accepts(socket, to.addr)
                && socket.state.waits()
        };
        host.sockets
            .iter()
            .filter(here)
            .max_by_key(|s| (s.addr == to.addr, s.device.is_some()))
    }
}

/// The socket that goes with a packet, as rules see it (nf_socket_ipv4.c).
enum Companion<'h> {
    /// None.
    None,
    /// One that waits for packets like it.
    Waiting(&'h Socket),
    /// The beginning of one that such a socket makes for this very connection: a request.
    Half(&'h Socket),
    /// One that it has made.
    Accepted(&'h Socket),
    /// That of the client, a process here.
    Client,
    /// Which one is not known.
    Unknown(&'static str),
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

/// Whether a packet is as the socket that its connection has would see it: not to be
/// translated any more.
fn is_accepted(state: &State) -> bool {
    let (packet, conn) = (&state.packet, state.conn.as_ref());
    let is = |binding: Option<&Binding>, addr: &Fact, port: &Fact| {
        binding.is_none_or(|binding| {
            !binding.changes || (&binding.addr, &binding.port) == (addr, port)
        })
    };
    let (dnat, snat) = (
        conn.and_then(|conn| conn.dnat.as_ref()),
        conn.and_then(|conn| conn.snat.as_ref()),
    );
    is(dnat, &packet.dst, &packet.dport) && is(snat, &packet.src, &packet.sport)
}

/// Packets by whether they come from a peer.
fn by_peer(state: State, (addr, port): (IpAddr, u16)) -> Ways<bool> {
    let (src, sport) = (state.packet.src.clone(), state.packet.sport.clone());
    let (inside, outside) = take(state, &src, &Ranges::one(addr_bits(addr)));
    let mut ways: Ways<bool> = outside.map(|state| (state, false)).into_iter().collect();
    let Some(state) = inside else { return ways };
    match (state.known_port(&sport), &sport) {
        (Some(known), _) => ways.push((state, known == port)),
        (None, Fact::Client) => {
            let (own, other) = state.cut(Dim::Port, &Ranges::one(port.into()));
            ways.extend(own.map(|state| (state, true)));
            ways.extend(other.map(|state| (state, false)));
        }
        (None, _) => ways.push((state, false)),
    }
    ways
}

#[cfg(test)]
mod tests {
    use host::{Address, Given, Host, Link};
    use net::{Endpoint, Prefix};

    use super::*;
    use crate::{Origin, Question, Verdict, answer, complete};

    /// A socket of 192.0.2.1:53 that is connected to a port of 192.0.2.9.
    fn connected(peer_port: u16) -> Socket {
        Socket {
            proto: Proto::UDP,
            state: SocketState::Connected,
            addr: IpAddr::from([192, 0, 2, 1]),
            port: 53,
            peer: Some((IpAddr::from([192, 0, 2, 9]), peer_port)),
            v6_only: false,
            device: None,
            uid: 0,
            inode: 0,
            mark: None,
            transparent: None,
            holder: None,
        }
    }

    fn verdict(host: &Host, sport: u16) -> Verdict {
        let to = Endpoint {
            addr: IpAddr::from([192, 0, 2, 1]),
            port: 53,
        };
        let mut question = Question::about(Proto::UDP, to);
        question.origin = Origin::Address(IpAddr::from([192, 0, 2, 9]));
        question.sport = Some(sport);
        answer(host, &question).unwrap()[0].outcomes[0].verdict
    }

    #[test]
    fn each_of_several_sockets_connected_to_a_client_gets_its_own_datagrams() {
        let addr = IpAddr::from([192, 0, 2, 1]);
        let mut host = Host {
            links: vec![Link::named(1, "lo"), Link::named(2, "eth0")],
            addresses: vec![Address {
                link: 2,
                addr,
                prefix: Prefix::containing(addr, 24),
                peer: None,
                secondary: false,
                scope: 0,
            }],
            sockets: vec![connected(1000), connected(2000)],
            ..Host::default()
        };
        let _ = complete(&mut host);
        host.given = Given::everything();
        let ends = [1000, 2000, 3000].map(|sport| verdict(&host, sport));
        assert_eq!(
            ends,
            [Verdict::Delivered, Verdict::Delivered, Verdict::Refused]
        );
    }
}
