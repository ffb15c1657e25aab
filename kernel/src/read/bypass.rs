//! What takes packets past the rules of netfilter.
//!
//! Every part asks for itself, so that one that cannot be told hides no other.

mod bpf;
mod device;
mod tc;

use std::fs;
use std::io;

use host::dump::{Bypass, Dump, section};
use rustix::net::netlink::XFRM;

use super::modules::{Presence, unknown_module};
use super::route::dump_settled;
use super::{Reader, missed, reason};
use crate::netlink::{Messages, Netlink, Request};
use device::{Device, devices};

/// Kernel: `XFRM_MSG_GETPOLICY`, `struct xfrm_userpolicy_id` (include/uapi/linux/xfrm.h).
const XFRM_GET_POLICY: u16 = 0x15;
const XFRM_POLICY_ID: usize = 64;

impl Reader<'_> {
    /// Finds what can be seen without changing the host. Links, sysctls, hooks and cgroups
    /// are read already.
    pub(super) fn bypasses(&self, dump: &mut Dump) {
        let devices = devices(dump.section(section::LINKS));
        let mut found = Vec::new();
        found.extend(
            devices
                .iter()
                .filter_map(|device| of_kind(device, &devices)),
        );
        found.extend(devices.iter().filter_map(bpf::xdp));
        found.extend(ipvs());
        match tc::filters(&devices) {
            Ok(filters) => found.extend(filters),
            Err(error) => missed(dump, "tc filters", reason(&error, "CAP_NET_ADMIN")),
        }
        self.xfrm(dump, &mut found);
        if let Err(error) = bpf::attached(dump, &devices, &mut found) {
            missed(
                dump,
                "BPF programs",
                reason(&error, "CAP_BPF and CAP_NET_ADMIN"),
            );
        }
        dump.sections
            .insert(section::BYPASSES.to_owned(), Vec::new());
        for bypass in found {
            dump.push_line(section::BYPASSES, &bypass);
        }
    }

    fn xfrm(&self, dump: &mut Dump, found: &mut Vec<Bypass>) {
        let what = "XFRM policies";
        match self.modules.presence("xfrm_user") {
            Presence::There => {}
            Presence::NotLoaded => return,
            Presence::Unknown => return missed(dump, what, unknown_module("xfrm_user")),
        }
        match count_policies() {
            Ok(0) => {}
            Ok(count) => found.push(everywhere("XFRM", format!("{count} IPsec policies"))),
            // Not built.
            Err(error) if error.raw_os_error() == Some(libc::EPROTONOSUPPORT) => {}
            Err(error) => missed(dump, what, reason(&error, "CAP_NET_ADMIN")),
        }
    }
}

/// Something that can touch every packet.
fn everywhere(kind: &str, what: String) -> Bypass {
    Bypass {
        kind: kind.to_owned(),
        device: None,
        cgroup: None,
        what,
    }
}

/// Something on one device.
fn on_device(kind: &str, device: &Device, what: String) -> Bypass {
    Bypass {
        device: Some(device.name.clone()),
        ..everywhere(kind, what)
    }
}

fn of_kind(device: &Device, all: &[Device]) -> Option<Bypass> {
    let master = all.iter().find(|other| Some(other.index) == device.master);
    let is_port = master.is_some_and(|master| master.kind == "openvswitch");
    if device.kind == "vrf" {
        let what = "its members look routes up in a table of their own".to_owned();
        Some(on_device("VRF", device, what))
    } else if device.kind == "openvswitch" || device.slave_kind == "openvswitch" || is_port {
        let what = "flows of Open vSwitch decide about its packets".to_owned();
        Some(on_device("Open vSwitch", device, what))
    } else {
        None
    }
}

fn ipvs() -> Option<Bypass> {
    let table = fs::read_to_string("/proc/thread-self/net/ip_vs").ok()?;
    let services = table.lines().filter(|line| {
        let first = line.split(' ').next();
        matches!(first, Some("TCP" | "UDP" | "SCTP" | "FWM"))
    });
    let count = services.count();
    (count > 0).then(|| everywhere("IPVS", format!("{count} virtual services")))
}

fn count_policies() -> io::Result<usize> {
    let mut socket = Netlink::open(XFRM)?;
    let policies = dump_settled(
        &mut socket,
        &Request::new(XFRM_GET_POLICY, &[0; XFRM_POLICY_ID]),
    )?;
    Ok(Messages(&policies).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(index: u32, kind: &str) -> Device {
        Device {
            index,
            name: format!("dev{index}"),
            kind: kind.to_owned(),
            ..Device::default()
        }
    }

    #[test]
    fn a_port_of_open_vswitch_is_told_by_its_master() {
        let mut port = device(3, "veth");
        port.master = Some(2);
        let all = [device(2, "openvswitch"), port.clone()];
        assert_eq!(of_kind(&port, &all).unwrap().kind, "Open vSwitch");
        assert_eq!(of_kind(&device(4, "veth"), &all), None);
    }
}
