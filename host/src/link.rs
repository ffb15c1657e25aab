//! Network devices and the addresses on them.

use std::net::IpAddr;

use net::Prefix;

/// A network device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Interface index.
    pub index: u32,
    /// Interface name.
    pub name: String,
    /// `IFF_UP`: administratively up.
    pub up: bool,
    /// `IFF_LOOPBACK`.
    pub loopback: bool,
    /// The kind the kernel gives (`veth`, `bridge`, `vrf`, `dummy`, …); empty for hardware.
    pub kind: String,
    /// Index of the bridge, bond or VRF it belongs to.
    pub master: Option<u32>,
    /// The device group (`ip link set … group`).
    pub group: u32,
    /// Hardware type (`ARPHRD_*`): 1 Ethernet, 772 loopback.
    pub hardware_type: u16,
    /// Whether its other end is in another network namespace (`link-netnsid`): a pod's.
    pub peer_elsewhere: bool,
}

impl Link {
    /// A link that only its name is known of: `lo` is the loopback, any other an Ethernet
    /// device that is up.
    pub fn named(index: u32, name: &str) -> Self {
        let loopback = name == "lo";
        Self {
            index,
            name: name.to_owned(),
            up: true,
            loopback,
            kind: String::new(),
            master: None,
            group: 0,
            hardware_type: if loopback { 772 } else { 1 },
            peer_elsewhere: false,
        }
    }
}

/// An address of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Index of the link it is on.
    pub link: u32,
    /// The address itself.
    pub addr: IpAddr,
    /// The prefix that is on the link.
    pub prefix: Prefix,
    /// The other end of a point-to-point address.
    pub peer: Option<IpAddr>,
    /// Another address of the same prefix on this link comes first.
    pub secondary: bool,
    /// The scope number: 0 global, 253 link, 254 host (`rtnetlink.h`).
    pub scope: u8,
}
