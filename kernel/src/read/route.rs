//! Links, addresses, routing rules, routes and nexthops.

use std::io;

use host::dump::{Dump, section};

use super::{keep, missed, reason};
use crate::netlink::{Dumped, Netlink, Request};

/// Kernel: include/uapi/linux/rtnetlink.h, if_link.h.
const GET_LINK: u16 = 18;
const GET_ADDRESS: u16 = 22;
const GET_ROUTE: u16 = 26;
const GET_RULE: u16 = 34;
const GET_NEXTHOP: u16 = 106;
const IFLA_EXT_MASK: u16 = 29;
/// Without the statistics of each device.
const SKIP_STATISTICS: u32 = 8;
/// How often a dump that was torn is read again.
const ATTEMPTS: usize = 8;

/// Reads what decides where packets are sent.
pub(super) fn routes(dump: &mut Dump) {
    let link =
        Request::new(GET_LINK, &[0; 16]).attribute(IFLA_EXT_MASK, &SKIP_STATISTICS.to_ne_bytes());
    for (what, part, request) in [
        ("links", section::LINKS, link),
        (
            "addresses",
            section::ADDRESSES,
            Request::new(GET_ADDRESS, &[0; 8]),
        ),
        (
            "routing rules",
            section::RULES,
            Request::new(GET_RULE, &[0; 12]),
        ),
        ("routes", section::ROUTES, Request::new(GET_ROUTE, &[0; 12])),
        (
            "nexthops",
            section::NEXTHOPS,
            Request::new(GET_NEXTHOP, &[0; 8]),
        ),
    ] {
        match Netlink::open_route().and_then(|mut socket| dump_settled(&mut socket, &request)) {
            Ok(bytes) => keep(dump, part, bytes),
            // Kernels before 5.3 have no nexthop objects.
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {}
            Err(error) => missed(dump, what, reason(&error, "CAP_NET_ADMIN")),
        }
    }
}

/// Dumps until nothing changed on the way.
pub(super) fn dump_settled(socket: &mut Netlink, request: &Request) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for _ in 0..ATTEMPTS {
        bytes.clear();
        if socket.dump(request.clone(), &mut bytes)? == Dumped::Whole {
            return Ok(bytes);
        }
    }
    Err(io::Error::other(format!(
        "changed during each of {ATTEMPTS} readings"
    )))
}
