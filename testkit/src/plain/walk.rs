//! One connection: its request, the answer, and the client's next packets.

use std::net::Ipv4Addr;

use net::{Endpoint, Proto};
use trace::Verdict;

use super::connection::{Connection, Place};
use super::packet::{ACK, Packet, RST, SYN};
use super::path::{Landing, Path};
use super::world::{Client, LO, World};

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct End {
    /// How.
    pub(super) verdict: Verdict,
    /// Where, if it got somewhere.
    pub(super) to: Option<Endpoint>,
    /// The source that its server sees, if it is another than the client's.
    pub(super) seen_source: Option<Ipv4Addr>,
}

impl End {
    fn lost(verdict: Verdict) -> Self {
        Self {
            verdict,
            to: None,
            seen_source: None,
        }
    }
}

/// Tries a connection from one source port.
pub(super) fn connect(
    world: &World,
    client: Client,
    sport: u16,
    (proto, to): (Proto, Endpoint),
) -> End {
    let std::net::IpAddr::V4(dst) = to.addr else {
        panic!("the plain world has no IPv6")
    };
    let src = match client {
        Client::Outside(addr) | Client::Pod(addr) => addr,
        Client::Local => match World::route(dst) {
            Some(LO) => dst,
            Some(link) => World::addr_on(link),
            None => return End::lost(Verdict::Rejected),
        },
    };
    let first = Packet {
        proto: proto.0,
        src,
        dst,
        sport,
        dport: to.port,
        flags: if proto == Proto::TCP { SYN } else { 0 },
        mark: 0,
        iif: client.link(),
        oif: None,
        tracked: false,
        is_reply: false,
    };
    let connection = Connection::of(&first);
    Walk {
        world,
        client,
        first,
        connection,
    }
    .run()
}

struct Walk<'a> {
    world: &'a World,
    client: Client,
    first: Packet,
    connection: Connection,
}

impl Walk<'_> {
    fn run(mut self) -> End {
        let is_tcp = self.first.proto == Proto::TCP.0;
        let mut packet = self.first.clone();
        match self.send(&mut packet) {
            Landing::Dropped { .. } => End::lost(Verdict::Dropped),
            Landing::Rejected { in_send } if in_send && !is_tcp => End::lost(Verdict::Rejected),
            Landing::Rejected { .. } => End::lost(Verdict::Refused),
            Landing::NoRoute => End::lost(Verdict::Rejected),
            Landing::Here if !World::is_served(packet.dst, packet.dport) => {
                if !is_tcp || self.answer(&packet, RST | ACK) {
                    End::lost(Verdict::Refused)
                } else {
                    End::lost(Verdict::Dropped)
                }
            }
            Landing::Here => self.served(&packet, Verdict::Delivered),
            Landing::Left(_) => self.served(&packet, Verdict::Forwarded),
        }
    }

    /// A server has the request: whether its answer comes back, and what follows it arrives.
    fn served(mut self, request: &Packet, verdict: Verdict) -> End {
        let answered = self.answer(request, SYN | ACK);
        let is_tcp = self.first.proto == Proto::TCP.0;
        if !answered || (is_tcp && !self.goes_on(request)) {
            return End::lost(Verdict::Dropped);
        }
        End {
            verdict,
            to: Some(Endpoint {
                addr: request.dst.into(),
                port: request.dport,
            }),
            seen_source: self.connection.is_snat().then_some(request.src),
        }
    }

    /// Whether the client's packets behind the answer arrive: what the first of them changed,
    /// the second meets.
    fn goes_on(&mut self, request: &Packet) -> bool {
        let mut arrives = false;
        for _ in 0..2 {
            let mut packet = Packet {
                flags: ACK,
                ..self.first.clone()
            };
            let landing = self.send(&mut packet);
            let is_there = matches!(landing, Landing::Here | Landing::Left(_));
            arrives = is_there && places(&packet) == places(request);
        }
        arrives
    }

    fn send(&mut self, packet: &mut Packet) -> Landing {
        let is_local = self.client == Client::Local;
        let mut path = Path {
            world: self.world,
            packet,
            connection: &mut self.connection,
        };
        if is_local {
            path.go_out()
        } else {
            path.come_in()
        }
    }

    /// Whether an answer to a request that got somewhere reaches the client as it expects it.
    fn answer(&mut self, request: &Packet, flags: u8) -> bool {
        let is_tcp = self.first.proto == Proto::TCP.0;
        let mut packet = Packet {
            src: request.dst,
            dst: request.src,
            sport: request.dport,
            dport: request.sport,
            flags: if is_tcp { flags } else { 0 },
            mark: 0,
            iif: request.oif,
            oif: None,
            tracked: false,
            is_reply: true,
            ..self.first.clone()
        };
        // A packet is of an answered connection from conntrack's look-up on, before its rules.
        self.connection.answered = true;
        let from_here = World::is_own(packet.src) && request.oif.is_none();
        let mut path = Path {
            world: self.world,
            packet: &mut packet,
            connection: &mut self.connection,
        };
        let landing = if from_here {
            path.go_out()
        } else {
            path.come_in()
        };
        let wanted = match self.client.link() {
            Some(link) => Landing::Left(link),
            None => Landing::Here,
        };
        let (src, dst) = places(&packet);
        landing == wanted && (dst, src) == places(&self.first)
    }
}

fn places(packet: &Packet) -> (Place, Place) {
    ((packet.src, packet.sport), (packet.dst, packet.dport))
}
