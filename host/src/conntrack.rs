//! Connections that the kernel tracks.

use std::net::IpAddr;

use net::Proto;

/// One direction of a tracked connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConntrackTuple {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// Source port.
    pub sport: u16,
    /// Destination port.
    pub dport: u16,
}

/// A tracked connection: an entry of `conntrack -L`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Transport protocol.
    pub proto: Proto,
    /// As the client sent it.
    pub original: ConntrackTuple,
    /// As the answer comes back.
    pub reply: ConntrackTuple,
    /// `IPS_*` bits (nf_conntrack_common.h): 2 seen reply, 0x10 SNAT, 0x20 DNAT.
    pub status: u32,
    /// The connection's mark.
    pub mark: u32,
    /// The conntrack zone.
    pub zone: u16,
}
