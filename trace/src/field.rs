//! The fields of a packet, of its connection and of its surroundings.

use host::nft::PayloadBase;
use net::{Family, Proto};

use crate::eval::Eval;
use crate::lower::Field;
use crate::packet::{Fact, Kind, State, Tracking, User};
use crate::value::{Dim, Free, Loaded, Seg, Vagueness, join};

impl Eval<'_> {
    pub(crate) fn field(&mut self, state: &State, field: Field, len: u32) -> Loaded {
        let packet = &state.packet;
        match field {
            Field::Header { base, offset } => self.header(state, base, offset, len),
            Field::Src => fact(state, &packet.src, Dim::Addr),
            Field::Dst => fact(state, &packet.dst, Dim::Addr),
            Field::Sport => ports(state, &packet.sport),
            Field::Dport => ports(state, &packet.dport),
            Field::Proto => Loaded::known(&[packet.proto.0]),
            Field::NfProto | Field::CtL3Proto => {
                Loaded::known(&[if state.family == Family::V4 { 2 } else { 10 }])
            }
            Field::EtherProto => Loaded::known(ether_type(state.family)),
            Field::Mark => Loaded::known(&packet.mark.to_ne_bytes()),
            Field::SkUid => match packet.user {
                User::Nobody => Loaded::Absent,
                User::Client => Loaded::known(&self.question.user.0.to_ne_bytes()),
                User::Server(uid, _) => Loaded::known(&uid.to_ne_bytes()),
            },
            Field::SkGid => match packet.user {
                User::Nobody => Loaded::Absent,
                User::Client => Loaded::known(&self.question.user.1.to_ne_bytes()),
                User::Server(_, Some(gid)) => Loaded::known(&gid.to_ne_bytes()),
                User::Server(_, None) => {
                    Loaded::Unknown("the group of the server's process".into())
                }
            },
            Field::PktType => Loaded::known(&[0]),
            Field::Iif | Field::IifName | Field::IifType | Field::IifGroup => {
                self.device(packet.iif, field)
            }
            Field::Oif | Field::OifName | Field::OifType | Field::OifGroup => {
                self.device(packet.oif, field)
            }
            Field::Fib { result, flags } => self.fib(state, result, flags),
            Field::CtState => Loaded::known(&ct_state(state.tracking).to_ne_bytes()),
            Field::XtState => Loaded::known(&xt_state(state).to_ne_bytes()),
            Field::CtStatus
            | Field::CtMark
            | Field::CtDirection
            | Field::CtProto
            | Field::CtAddr { .. }
            | Field::CtPort { .. }
            | Field::CtZone => connection(state, field),
        }
    }

    fn device(&self, index: Option<u32>, field: Field) -> Loaded {
        let link = index.and_then(|index| self.host.link(index));
        match field {
            Field::Iif | Field::Oif => Loaded::known(&index.unwrap_or(0).to_ne_bytes()),
            Field::IifName | Field::OifName => {
                let mut name = [0; 16];
                let text = link.map_or(&[][..], |link| link.name.as_bytes());
                let len = text.len().min(16);
                name[..len].copy_from_slice(&text[..len]);
                Loaded::known(&name)
            }
            Field::IifType | Field::OifType => link.map_or(Loaded::Absent, |l| {
                Loaded::known(&l.hardware_type.to_ne_bytes())
            }),
            Field::IifGroup | Field::OifGroup => {
                link.map_or(Loaded::Absent, |l| Loaded::known(&l.group.to_ne_bytes()))
            }
            Field::Header { .. }
            | Field::Src
            | Field::Dst
            | Field::Sport
            | Field::Dport
            | Field::Proto
            | Field::NfProto
            | Field::EtherProto
            | Field::Mark
            | Field::SkUid
            | Field::SkGid
            | Field::PktType
            | Field::CtState
            | Field::CtStatus
            | Field::XtState
            | Field::CtMark
            | Field::CtDirection
            | Field::CtL3Proto
            | Field::CtProto
            | Field::CtAddr { .. }
            | Field::CtPort { .. }
            | Field::CtZone
            | Field::Fib { .. } => Loaded::Absent,
        }
    }

    fn header(&self, state: &State, base: PayloadBase, offset: u32, len: u32) -> Loaded {
        let layout = match base {
            PayloadBase::Network => network_header(state),
            PayloadBase::Transport => transport_header(state),
            PayloadBase::Link => match self.link_header(state) {
                Some(layout) => layout,
                None => return Loaded::Absent,
            },
            PayloadBase::Inner => {
                return Loaded::Segs(vec![varies(len as usize, "the data of the packet")]);
            }
        };
        let (mut segs, mut at, end) = (Vec::new(), offset, offset + len);
        let between = |len: u32| varies(len as usize, "a part of the header");
        for (start, seg) in layout {
            let stop = start + u32::try_from(seg.len()).unwrap_or(0);
            if at < start.min(end) {
                segs.push(between(start.min(end) - at));
                at = start.min(end);
            }
            if at < start || at >= stop || at == end {
                continue;
            }
            let upto = stop.min(end);
            segs.push(seg.cut((at - start) as usize, (upto - at) as usize));
            at = upto;
        }
        if at < end {
            segs.push(between(end - at));
        }
        Loaded::Segs(join(segs))
    }

    /// The link-layer header; none on loopback and on the way out.
    fn link_header(&self, state: &State) -> Option<Layout> {
        let link = self.host.link(state.packet.iif?)?;
        if link.hardware_type != 1 {
            return None;
        }
        let mac = self.question.mac.filter(|_| state.packet.from_wire);
        let unread = |why| Seg::vague(6, why, Vagueness::Unread);
        let source = mac.map_or_else(
            || unread("the link-layer address of the client"),
            |mac| Seg::Known(mac.to_vec()),
        );
        Some(vec![
            (0, unread("the link-layer address the packet was sent to")),
            (6, source),
            (12, Seg::Known(ether_type(state.family).to_vec())),
        ])
    }
}

/// Fields of a header by offset; what lies between them varies.
type Layout = Vec<(u32, Seg)>;

fn varies(len: usize, what: &'static str) -> Seg {
    Seg::vague(len, what, Vagueness::Varies)
}

/// A field that reads as one value; `what` it is where NAT made it something unknown.
fn whole(loaded: Loaded, len: usize, what: &'static str) -> Seg {
    match loaded {
        Loaded::Segs(mut segs) if segs.len() == 1 => segs.swap_remove(0),
        Loaded::Segs(_) | Loaded::Parts(_) | Loaded::Absent | Loaded::Unknown(_) => {
            Seg::vague(len, what, Vagueness::Unread)
        }
    }
}

fn network_header(state: &State) -> Layout {
    let packet = &state.packet;
    let addr = |fact: &Fact| {
        let width = usize::from(state.family.bits()) / 8;
        whole(
            self::fact(state, fact, Dim::Addr),
            width,
            "a translated address",
        )
    };
    let known = |bytes: &[u8]| Seg::Known(bytes.to_vec());
    let (src, dst) = (addr(&packet.src), addr(&packet.dst));
    match state.family {
        Family::V4 => vec![
            (0, known(&[0x45])),
            (1, varies(1, "the DSCP of the packet")),
            (2, varies(2, "the length of the packet")),
            (4, varies(2, "the identification of the packet")),
            (6, known(&[0x40, 0])),
            (8, varies(1, "the TTL of the packet")),
            (9, known(&[packet.proto.0])),
            (10, varies(2, "the checksum of the packet")),
            (12, src),
            (16, dst),
        ],
        Family::V6 => vec![
            (0, varies(2, "the DSCP of the packet")),
            (2, varies(2, "the flow label of the packet")),
            (4, varies(2, "the length of the packet")),
            (6, known(&[packet.proto.0])),
            (7, varies(1, "the hop limit of the packet")),
            (8, src),
            (24, dst),
        ],
    }
}

fn transport_header(state: &State) -> Layout {
    let packet = &state.packet;
    if let Kind::IcmpError(kind, code) = packet.kind {
        return vec![
            (0, Seg::Known(vec![kind, code])),
            (2, varies(2, "the checksum of an ICMP error")),
        ];
    }
    let port = |fact: &Fact| whole(ports(state, fact), 2, "a translated port");
    let mut layout = vec![(0, port(&packet.sport)), (2, port(&packet.dport))];
    if packet.proto == Proto::TCP {
        let flags = match packet.kind {
            Kind::First => 0x02,
            Kind::Answer => 0x12,
            Kind::Ack => 0x10,
            Kind::Data => 0x18,
            Kind::Reset { .. } | Kind::IcmpError(..) => 0x14,
        };
        layout.push((4, varies(8, "the sequence number of the packet")));
        layout.push((12, varies(1, "the length of the TCP header")));
        layout.push((13, Seg::Known(vec![flags])));
    }
    layout
}

fn ether_type(family: Family) -> &'static [u8] {
    match family {
        Family::V4 => &[0x08, 0x00],
        Family::V6 => &[0x86, 0xdd],
    }
}

fn fact(state: &State, fact: &Fact, dim: Dim) -> Loaded {
    let width = u32::from(state.family.bits()) / 8;
    match state.known_addr(fact) {
        Some(bits) => Loaded::known(&bits.to_be_bytes()[16 - width as usize..]),
        None => free(fact, dim, width),
    }
}

fn ports(state: &State, fact: &Fact) -> Loaded {
    if matches!(state.packet.kind, Kind::IcmpError(..)) {
        return Loaded::Absent;
    }
    match state.known_port(fact) {
        Some(port) => Loaded::known(&port.to_be_bytes()),
        None => free(fact, Dim::Port, 2),
    }
}

fn free(fact: &Fact, dim: Dim, width: u32) -> Loaded {
    match fact {
        Fact::Known(_) | Fact::Client => Loaded::Segs(vec![Seg::Free(Free::whole(dim, width))]),
        Fact::Among(first, last, why) => {
            let (len, first, last) = (width as usize, *first, *last);
            Loaded::Segs(vec![Seg::Vague {
                len,
                first,
                last,
                why,
                sort: Vagueness::Chance,
            }])
        }
        Fact::Unknown(why) => Loaded::Unknown((*why).into()),
    }
}

fn ct_state(tracking: Tracking) -> u32 {
    match tracking {
        Tracking::None | Tracking::Invalid => 1,
        Tracking::Established => 2,
        Tracking::Related => 4,
        Tracking::New => 8,
        Tracking::Untracked => 64,
    }
}

fn xt_state(state: &State) -> u32 {
    let base = match state.tracking {
        Tracking::None | Tracking::Invalid => 1,
        Tracking::Established => 2,
        Tracking::Related => 4,
        Tracking::New => 8,
        Tracking::Untracked => 0x100,
    };
    let conn = state.entry();
    let changes = |binding: Option<&crate::packet::Binding>| binding.is_some_and(|b| b.changes);
    base | if changes(conn.and_then(|c| c.snat.as_ref())) {
        0x40
    } else {
        0
    } | if changes(conn.and_then(|c| c.dnat.as_ref())) {
        0x80
    } else {
        0
    }
}

fn connection(state: &State, field: Field) -> Loaded {
    let Some(conn) = state.entry() else {
        return Loaded::Absent;
    };
    match field {
        Field::CtStatus => Loaded::known(&ct_status(conn).to_ne_bytes()),
        Field::CtMark => Loaded::known(&conn.mark.to_ne_bytes()),
        Field::CtDirection => Loaded::known(&[state.reply.into()]),
        Field::CtProto => Loaded::known(&[conn.proto.0]),
        Field::CtZone => Loaded::known(&[0, 0]),
        Field::CtAddr { reply, source } => {
            let of = match (reply, source) {
                (false, true) => &conn.src,
                (false, false) => &conn.dst,
                (true, true) => conn.dnat.as_ref().map_or(&conn.dst, |b| &b.addr),
                (true, false) => conn.snat.as_ref().map_or(&conn.src, |b| &b.addr),
            };
            fact(state, of, Dim::Addr)
        }
        Field::CtPort { reply, source } => {
            let of = match (reply, source) {
                (false, true) => &conn.sport,
                (false, false) => &conn.dport,
                (true, true) => conn.dnat.as_ref().map_or(&conn.dport, |b| &b.port),
                (true, false) => conn.snat.as_ref().map_or(&conn.sport, |b| &b.port),
            };
            match state.known_port(of) {
                Some(port) => Loaded::known(&port.to_be_bytes()),
                None => free(of, Dim::Port, 2),
            }
        }
        Field::Header { .. }
        | Field::Src
        | Field::Dst
        | Field::Sport
        | Field::Dport
        | Field::Proto
        | Field::NfProto
        | Field::EtherProto
        | Field::Iif
        | Field::Oif
        | Field::IifName
        | Field::OifName
        | Field::IifType
        | Field::OifType
        | Field::IifGroup
        | Field::OifGroup
        | Field::Mark
        | Field::SkUid
        | Field::SkGid
        | Field::PktType
        | Field::CtState
        | Field::XtState
        | Field::CtL3Proto
        | Field::Fib { .. } => Loaded::Absent,
    }
}

/// `IPS_*` bits (nf_conntrack_common.h).
fn ct_status(conn: &crate::packet::Connection) -> u32 {
    let bit = |is: bool, bit: u32| if is { bit } else { 0 };
    bit(conn.replied, 2)
        | bit(conn.assured, 4)
        | bit(conn.confirmed, 8)
        | bit(conn.snat.as_ref().is_some_and(|b| b.changes), 0x10)
        | bit(conn.dnat.as_ref().is_some_and(|b| b.changes), 0x20)
        | bit(conn.snat.is_some(), 0x80)
        | bit(conn.dnat.is_some(), 0x100)
}
