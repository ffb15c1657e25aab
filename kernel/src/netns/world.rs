//! What is put into a namespace of ours: links, addresses, routes, settings.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::time::Duration;

use net::Prefix;

use super::{Netns, NetnsError};
use crate::netlink::{Messages, Netlink, Request, u32_at};

/// Kernel: include/uapi/linux/rtnetlink.h, if_link.h, if_addr.h, veth.h.
const NEW_LINK: u16 = 16;
const GET_LINK: u16 = 18;
const NEW_ADDRESS: u16 = 20;
const NEW_ROUTE: u16 = 24;
const CREATE_NEW: u16 = 0x200 | 0x400;
const IFLA_IFNAME: u16 = 3;
const IFLA_OPERSTATE: u16 = 16;
const IF_OPER_UP: u8 = 6;
const IFLA_LINKINFO: u16 = 18;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
/// An IPv6 address that can be used at once.
const IFA_F_NODAD: u8 = 2;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const IFF_UP: u32 = 1;
/// `struct ifinfomsg`: where the index is, and its size.
const LINK_INDEX: usize = 4;
const LINK: usize = 16;
/// How long, and how often, a device is waited for: five seconds in all.
const WAIT: Duration = Duration::from_millis(50);
const WAITS: usize = 100;

/// Why something could not be put into a namespace.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The namespace could not be entered.
    #[error(transparent)]
    Namespace(#[from] NetnsError),
    /// The kernel refused.
    #[error("cannot {what}")]
    Refused {
        /// What was attempted, and on what.
        what: String,
        /// Why not.
        source: io::Error,
    },
}

impl Netns {
    /// Joins two namespaces by a pair of Ethernet devices, and waits until packets pass.
    ///
    /// # Errors
    /// [`WorldError`], for instance where a device of that name exists.
    pub fn join(&self, device: &str, peer: &Self, peer_device: &str) -> Result<(), WorldError> {
        let request = Request::new(NEW_LINK, &[0; LINK])
            .flags(CREATE_NEW)
            .text(IFLA_IFNAME, device)
            .nested(IFLA_LINKINFO, |link| {
                let link = link.text(IFLA_INFO_KIND, "veth");
                link.nested(IFLA_INFO_DATA, |data| {
                    data.nested(VETH_INFO_PEER, |end| {
                        end.raw(&[0; LINK])
                            .text(IFLA_IFNAME, peer_device)
                            .attribute(IFLA_NET_NS_FD, &peer.fd.as_raw_fd().to_ne_bytes())
                    })
                })
            });
        let what = format!("join device {device} to {peer_device}");
        self.change(what, || Netlink::open_route()?.change(request))?;
        let ends = [self.end(device)?, peer.end(peer_device)?];
        for mut end in ends {
            let wait = format!("wait for device {} to run", end.device);
            refused(wait, end.runs())?;
        }
        Ok(())
    }

    /// Switches a device on and keeps an eye on it.
    fn end<'a>(&self, device: &'a str) -> Result<End<'a>, WorldError> {
        let made = self.run(|| {
            let watch = Netlink::watch_links()?;
            set_up(device)?;
            let asking = Netlink::open_route()?;
            Ok(End {
                device,
                watch,
                asking,
            })
        })?;
        refused(format!("set device {device} up"), made)
    }

    /// Makes a device of a kind that needs no more than a name: `dummy`, `bridge`.
    ///
    /// # Errors
    /// [`WorldError`], for instance where the kernel does not know the kind.
    pub fn add_device(&self, device: &str, kind: &str) -> Result<(), WorldError> {
        let request = Request::new(NEW_LINK, &[0; LINK])
            .flags(CREATE_NEW)
            .text(IFLA_IFNAME, device)
            .nested(IFLA_LINKINFO, |link| link.text(IFLA_INFO_KIND, kind));
        let what = format!("make device {device} of kind {kind}");
        self.change(what, || Netlink::open_route()?.change(request))?;
        self.set_up(device)
    }

    /// Switches a device on.
    ///
    /// # Errors
    /// [`WorldError`], for instance where there is no such device.
    pub fn set_up(&self, device: &str) -> Result<(), WorldError> {
        self.change(format!("set device {device} up"), || set_up(device))
    }

    /// Gives a device an address with the length of its prefix; it can be used at once.
    ///
    /// # Errors
    /// [`WorldError`], for instance where the device has it already.
    pub fn add_address(&self, device: &str, addr: IpAddr, len: u8) -> Result<(), WorldError> {
        self.change(
            format!("add address {addr}/{len} to device {device}"),
            || {
                let mut fixed = vec![family(addr), len, IFA_F_NODAD, 0];
                fixed.extend_from_slice(&index(device)?.to_ne_bytes());
                let request = Request::new(NEW_ADDRESS, &fixed)
                    .flags(CREATE_NEW)
                    .attribute(IFA_LOCAL, &net::octets(addr))
                    .attribute(IFA_ADDRESS, &net::octets(addr));
                Netlink::open_route()?.change(request)
            },
        )
    }

    /// Adds a route to the main table: through a gateway, through a device, or both.
    ///
    /// # Errors
    /// [`WorldError`], for instance where the gateway cannot be reached.
    pub fn add_route(
        &self,
        to: Prefix,
        gateway: Option<IpAddr>,
        device: Option<&str>,
    ) -> Result<(), WorldError> {
        self.change(format!("add a route to {to}"), || {
            // Main table 254, protocol boot 3, scope link 253 without a gateway, unicast 1.
            let scope = if gateway.is_some() { 0 } else { 253 };
            let fixed = [
                family(to.addr()),
                to.len(),
                0,
                0,
                254,
                3,
                scope,
                1,
                0,
                0,
                0,
                0,
            ];
            let mut request = Request::new(NEW_ROUTE, &fixed)
                .flags(CREATE_NEW)
                .attribute(RTA_DST, &net::octets(to.addr()));
            if let Some(gateway) = gateway {
                request = request.attribute(RTA_GATEWAY, &net::octets(gateway));
            }
            if let Some(device) = device {
                request = request.attribute(RTA_OIF, &index(device)?.to_ne_bytes());
            }
            Netlink::open_route()?.change(request)
        })
    }

    /// Changes a kernel setting of the namespace, by its name with dots.
    ///
    /// # Errors
    /// [`WorldError`], for instance where there is no such setting.
    pub fn set_sysctl(&self, name: &str, value: &str) -> Result<(), WorldError> {
        // As `sysctl` does: a slash stands for a dot inside a device name.
        let swap = |c| match c {
            '.' => '/',
            '/' => '.',
            other => other,
        };
        let path: String = name.chars().map(swap).collect();
        self.change(format!("set {name} to {value}"), || {
            fs::write(format!("/proc/sys/{path}"), value)
        })
    }

    fn change(
        &self,
        what: String,
        change: impl FnOnce() -> io::Result<()> + Send,
    ) -> Result<(), WorldError> {
        refused(what, self.run(change)?)
    }
}

/// One end of a pair of devices.
struct End<'a> {
    device: &'a str,
    watch: Netlink,
    asking: Netlink,
}

impl End<'_> {
    /// Waits until packets pass. Kernel: a device whose carrier comes on drops what is sent
    /// until a worker has seen to it (net/core/link_watch.c).
    fn runs(&mut self) -> io::Result<()> {
        for _ in 0..WAITS {
            let mut answer = Vec::new();
            let request = Request::new(GET_LINK, &[0; LINK]).text(IFLA_IFNAME, self.device);
            self.asking.ask(request, &mut answer)?;
            let link = Messages(&answer).next();
            let state = link.and_then(|link| link.attributes(LINK).get(IFLA_OPERSTATE));
            if state == Some(&[IF_OPER_UP]) {
                return Ok(());
            }
            self.watch.is_told(WAIT)?;
        }
        Err(io::Error::from(io::ErrorKind::TimedOut))
    }
}

fn refused<T>(what: String, result: io::Result<T>) -> Result<T, WorldError> {
    result.map_err(|source| WorldError::Refused { what, source })
}

/// Switches a device of the calling thread's namespace on.
pub(super) fn set_up(device: &str) -> io::Result<()> {
    let mut fixed = vec![0; 8];
    fixed.extend_from_slice(&IFF_UP.to_ne_bytes());
    fixed.extend_from_slice(&IFF_UP.to_ne_bytes());
    Netlink::open_route()?.change(Request::new(NEW_LINK, &fixed).text(IFLA_IFNAME, device))
}

/// The index of a device in the calling thread's namespace.
fn index(device: &str) -> io::Result<u32> {
    let mut answer = Vec::new();
    let request = Request::new(GET_LINK, &[0; LINK]).text(IFLA_IFNAME, device);
    Netlink::open_route()?.ask(request, &mut answer)?;
    let link = Messages(&answer).next();
    let index = link.and_then(|link| u32_at(link.payload, LINK_INDEX));
    index.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
}

fn family(addr: IpAddr) -> u8 {
    if addr.is_ipv4() { 2 } else { 10 }
}
