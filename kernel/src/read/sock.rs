//! Sockets that listen, or are bound and could.

mod text;

use host::dump::{Dump, section};
use rustix::net::netlink::SOCK_DIAG;

use super::modules::{Presence, unknown_module};
use super::{Reader, keep, missed, reason};
use crate::netlink::{Netlink, Request};

/// Kernel: include/uapi/linux/sock_diag.h.
const BY_FAMILY: u16 = 20;
/// TCP that listens, and TCP that is bound and does not: state 13 exists for asking only,
/// from Linux 6.8 on; older kernels ignore it (net/ipv4/inet_diag.c).
const TCP_STATES: u32 = 1 << 10 | 1 << 13;
/// Kernel: SCTP has the states of TCP for this (`SCTP_SS_LISTENING`, include/net/sctp).
const SCTP_STATES: u32 = 1 << 10;
const ALL_STATES: u32 = u32::MAX;

/// What to ask for: protocol, its name, states, and the modules that answer.
const PROTOCOLS: [(u8, &str, u32, &[&str]); 3] = [
    (6, "TCP", TCP_STATES, &["inet_diag", "tcp_diag"]),
    (17, "UDP", ALL_STATES, &["inet_diag", "udp_diag"]),
    (
        132,
        "SCTP",
        SCTP_STATES,
        &["inet_diag", "sctp", "sctp_diag"],
    ),
];

impl Reader<'_> {
    /// Reads the sockets of both families.
    ///
    /// Where the modules that answer are not loaded, the tables in `/proc` are read for TCP
    /// and UDP; these do not tell devices, nor sockets bound without listening.
    pub(super) fn sockets(&self, dump: &mut Dump) {
        for (proto, name, states, modules) in PROTOCOLS {
            let what = format!("{name} sockets");
            match self.modules.all(modules) {
                Presence::There => ask(dump, proto, &what, states),
                Presence::NotLoaded | Presence::Unknown if matches!(proto, 6 | 17) => {
                    text::read(dump, proto, &what);
                }
                Presence::NotLoaded => {}
                Presence::Unknown => missed(dump, &what, unknown_module("sctp_diag")),
            }
        }
    }
}

fn ask(dump: &mut Dump, proto: u8, what: &str, states: u32) {
    for family in [2_u8, 10] {
        let mut bytes = Vec::new();
        let dumped = Netlink::open(SOCK_DIAG).and_then(|mut socket| {
            // Sockets come and go all the time: a torn dump is as good as any.
            socket.dump(request(family, proto, states), &mut bytes)
        });
        match dumped {
            Ok(_) => keep(dump, &section_name(family, proto), bytes),
            // The protocol is not built, or the family is switched off.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
            Err(error) => missed(dump, what, reason(&error, "CAP_NET_ADMIN")),
        }
    }
}

fn section_name(family: u8, proto: u8) -> String {
    format!("{}{family}/{proto}", section::SOCKETS)
}

/// `struct inet_diag_req_v2` with an empty id.
fn request(family: u8, proto: u8, states: u32) -> Request {
    let mut fixed = vec![family, proto, 0, 0];
    fixed.extend_from_slice(&states.to_ne_bytes());
    fixed.resize(56, 0);
    Request::new(BY_FAMILY, &fixed)
}
