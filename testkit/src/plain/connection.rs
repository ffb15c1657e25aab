//! What conntrack remembers of the one connection that is tried.

use std::net::Ipv4Addr;

use super::packet::Packet;

/// State bits, as `nft` and `-m conntrack` count them (nf_conntrack_common.h).
const ESTABLISHED: u32 = 2;
const NEW: u32 = 8;
const INVALID: u32 = 1;

/// An address and a port.
pub(super) type Place = (Ipv4Addr, u16);

/// The connection.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    /// Who asked, as the first packet said.
    pub(super) src: Place,
    /// Who was asked.
    pub(super) dst: Place,
    /// Where NAT leads it; absent until a NAT hook has decided, even if only to leave it.
    pub(super) dnat: Option<Place>,
    /// From where it seems to come.
    pub(super) snat: Option<Place>,
    pub(super) mark: u32,
    /// An answer was seen.
    pub(super) answered: bool,
}

impl Connection {
    pub(super) fn of(first: &Packet) -> Self {
        Self {
            src: (first.src, first.sport),
            dst: (first.dst, first.dport),
            dnat: None,
            snat: None,
            mark: 0,
            answered: false,
        }
    }

    /// `IPS_DST_NAT`.
    pub(super) fn is_dnat(&self) -> bool {
        self.dnat.is_some_and(|place| place != self.dst)
    }

    /// `IPS_SRC_NAT`.
    pub(super) fn is_snat(&self) -> bool {
        self.snat.is_some_and(|place| place != self.src)
    }

    /// The state of a packet, in bits.
    pub(super) fn state(&self, packet: &Packet) -> u32 {
        match packet {
            Packet { tracked: false, .. } => INVALID,
            Packet { is_reply: true, .. } => ESTABLISHED,
            Packet { .. } if self.answered => ESTABLISHED,
            Packet { .. } => NEW,
        }
    }
}
