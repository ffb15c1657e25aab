//! ipsets: sets that xt rules refer to. nftables' own sets are in [`crate::nft`].

use std::net::IpAddr;

use net::{Prefix, Proto};

/// What one dimension of an ipset holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum IpSetField {
    /// One address (`ip`).
    Ip,
    /// A block of addresses (`net`).
    Net,
    /// A port with its protocol (`port` of hash types).
    Port,
    /// A port of any protocol (`bitmap:port`).
    BarePort,
    /// A link-layer address (`mac`).
    Mac,
    /// An interface name (`iface`).
    Iface,
    /// A packet mark (`mark`).
    Mark,
    /// The name of another set (`list:set`).
    Set,
}

impl IpSetField {
    /// What each dimension holds, by the name of the type; none where one is unknown.
    pub fn of_type(type_name: &str) -> Vec<Self> {
        let (method, list) = type_name.split_once(':').unwrap_or_default();
        let field = |name: &str| match name {
            "ip" => Some(Self::Ip),
            "net" => Some(Self::Net),
            "port" if method == "bitmap" => Some(Self::BarePort),
            "port" => Some(Self::Port),
            "mac" => Some(Self::Mac),
            "iface" => Some(Self::Iface),
            "mark" => Some(Self::Mark),
            "set" => Some(Self::Set),
            _ => None,
        };
        let fields: Option<Vec<_>> = list.split(',').map(field).collect();
        fields.unwrap_or_default()
    }
}

/// The value of one dimension of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IpSetMember {
    /// An address or a block.
    Net(Prefix),
    /// Addresses from the first to the second, both included (`bitmap:ip`).
    Range(IpAddr, IpAddr),
    /// A port of a protocol.
    Port(Proto, u16),
    /// A port of any protocol.
    BarePort(u16),
    /// A link-layer address.
    Mac([u8; 6]),
    /// An interface name.
    Iface(String),
    /// A packet mark.
    Mark(u32),
    /// The name of another set.
    Set(String),
}

/// One entry of an ipset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpSetEntry {
    /// One value for each dimension.
    pub members: Vec<IpSetMember>,
    /// The entry carves a hole (`nomatch`).
    pub nomatch: bool,
}

/// An ipset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpSet {
    /// Its name.
    pub name: String,
    /// The type as ipset names it: `hash:ip,port`.
    pub type_name: String,
    /// What each dimension holds; empty where the type is not modelled.
    pub fields: Vec<IpSetField>,
    /// `family inet6`.
    pub is_v6: bool,
    /// `netmask`: addresses are cut to this prefix length before they are looked up.
    pub netmask: Option<u8>,
    /// Its entries.
    pub entries: Vec<IpSetEntry>,
}
