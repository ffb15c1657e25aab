//! The little that must be known of a device to tell what sits on it.

use crate::netlink::{Messages, u32_at};

/// Kernel: include/uapi/linux/if_link.h.
const IFLA_IFNAME: u16 = 3;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFLA_XDP: u16 = 43;
const IFLA_XDP_ATTACHED: u16 = 2;
const IFLA_XDP_PROG_ID: u16 = 4;
/// `struct ifinfomsg`: where the index is, and its size.
const INDEX: usize = 4;
const LINK: usize = 16;

/// A network device.
#[derive(Debug, Clone, Default)]
pub(super) struct Device {
    pub(super) index: u32,
    pub(super) name: String,
    /// Its kind, as `ip -d link` has it; empty for hardware.
    pub(super) kind: String,
    /// What it is to its master; empty where it has none.
    pub(super) slave_kind: String,
    pub(super) master: Option<u32>,
    /// The XDP program on it; 0 where there are several.
    pub(super) xdp: Option<u32>,
}

/// The devices of a link dump.
pub(super) fn devices(links: &[u8]) -> Vec<Device> {
    let devices = Messages(links).filter_map(|link| {
        let attributes = link.attributes(LINK);
        let kind = attributes.nested(IFLA_LINKINFO);
        let xdp = attributes.nested(IFLA_XDP);
        let is_attached = xdp.get(IFLA_XDP_ATTACHED).is_some_and(|mode| mode != [0]);
        Some(Device {
            index: u32_at(link.payload, INDEX)?,
            name: attributes.text(IFLA_IFNAME)?,
            kind: kind.text(IFLA_INFO_KIND).unwrap_or_default(),
            slave_kind: kind.text(IFLA_INFO_SLAVE_KIND).unwrap_or_default(),
            master: attributes.u32(IFLA_MASTER),
            xdp: is_attached.then(|| xdp.u32(IFLA_XDP_PROG_ID).unwrap_or(0)),
        })
    });
    devices.collect()
}
