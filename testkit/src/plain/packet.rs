//! One packet, with its headers as bytes.

use std::net::Ipv4Addr;

/// `SYN` of a TCP header.
pub(super) const SYN: u8 = 2;
/// `RST`.
pub(super) const RST: u8 = 4;
/// `ACK`.
pub(super) const ACK: u8 = 16;

/// A packet at some place in the kernel.
#[derive(Debug, Clone)]
pub(super) struct Packet {
    pub(super) proto: u8,
    pub(super) src: Ipv4Addr,
    pub(super) dst: Ipv4Addr,
    pub(super) sport: u16,
    pub(super) dport: u16,
    /// TCP flags; 0 of other protocols.
    pub(super) flags: u8,
    pub(super) mark: u32,
    /// Index of the incoming link.
    pub(super) iif: Option<u32>,
    /// Index of the outgoing link.
    pub(super) oif: Option<u32>,
    /// Conntrack has seen it.
    pub(super) tracked: bool,
    /// It is of the direction opposite to the connection's first packet.
    pub(super) is_reply: bool,
}

impl Packet {
    /// The IP header.
    pub(super) fn network(&self) -> [u8; 20] {
        let mut header = [0; 20];
        header[0] = 0x45;
        header[3] = 40;
        header[8] = 64;
        header[9] = self.proto;
        header[12..16].copy_from_slice(&self.src.octets());
        header[16..20].copy_from_slice(&self.dst.octets());
        header
    }

    /// The transport header.
    pub(super) fn transport(&self) -> [u8; 20] {
        let mut header = [0; 20];
        header[0..2].copy_from_slice(&self.sport.to_be_bytes());
        header[2..4].copy_from_slice(&self.dport.to_be_bytes());
        if self.proto == net::Proto::TCP.0 {
            header[12] = 0x50;
            header[13] = self.flags;
        }
        header
    }
}
