//! Sockets as sock_diag dumps them, with who holds them.
//!
//! Kernel: include/uapi/linux/inet_diag.h. The protocol is not in the answer but in the name
//! of the section.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use net::{Family, Proto};

use super::attr::{Fields, Message, Messages, Table};
use super::xt::addr_at;
use crate::dump::{Dump, Owner, section};
use crate::{Gap, GapKind, Holder, Socket, SocketState};

/// Bytes of `struct inet_diag_msg`.
const HEADER: usize = 72;
const V6_ONLY: u16 = 11;
const MARK: u16 = 15;
const CGROUP: u16 = 21;
const OPTIONS: u16 = 22;

/// Reads the sockets of all sections, by section.
pub(super) fn sockets(dump: &Dump, gaps: &mut Vec<Gap>) -> Vec<Socket> {
    let holders = Holders::read(dump, gaps);
    let mut sockets = Vec::new();
    for (name, bytes) in &dump.sections {
        let Some(proto) = protocol(name) else {
            continue;
        };
        let mut messages = Messages::of(bytes);
        let mut lost = 0_usize;
        for message in messages.by_ref() {
            match socket(message, proto, &holders) {
                Some(socket) => sockets.push(socket),
                None => lost += 1,
            }
        }
        if messages.rest() > 0 || lost > 0 {
            let what = format!("{lost} {proto} sockets or the end of their list were not read");
            gaps.push(gap(GapKind::Sockets, what));
        }
    }
    sockets
}

fn gap(kind: GapKind, what: String) -> Gap {
    Gap {
        kind,
        what,
        device: None,
    }
}

/// The protocol of a section, if its sockets have ports.
fn protocol(section: &str) -> Option<Proto> {
    let place = section.strip_prefix(section::SOCKETS)?;
    let (_, proto) = place.split_once('/')?;
    // A listener of MPTCP, 262, is among those of TCP too.
    let proto = Proto(proto.parse().ok()?);
    proto.has_ports().then_some(proto)
}

fn socket(message: Message<'_>, proto: Proto, holders: &Holders) -> Option<Socket> {
    let fields = Fields(message.payload);
    let attributes = Table::<23>::behind(message.payload, HEADER);
    let family = match fields.byte(0)? {
        2 => Family::V4,
        10 => Family::V6,
        _ => return None,
    };
    let state = state(proto, fields.byte(1)?);
    let inode = u64::from(fields.he32(68)?);
    let addr = address(family, fields, 8)?;
    let peer = (address(family, fields, 24)?, fields.be16(6)?);
    let is_connected = match state {
        SocketState::Connected | SocketState::TimeWait => true,
        SocketState::Listen | SocketState::Bound | SocketState::Unconnected => false,
    };
    Some(Socket {
        proto,
        state,
        addr,
        port: fields.be16(4)?,
        peer: is_connected.then_some(peer),
        // Kernel: one bound to an address of IPv6 has the option by itself.
        v6_only: addr.is_unspecified() && attributes.byte(V6_ONLY).unwrap_or_default() != 0,
        device: Some(fields.he32(40)?).filter(|&index| index != 0),
        uid: fields.he32(64)?,
        inode,
        mark: attributes.he32(MARK),
        transparent: attributes.byte(OPTIONS).map(|bits| bits & 1 << 5 != 0),
        holder: holders.of(inode, attributes.get(CGROUP)),
    })
}

/// An address; one of IPv4 in the form for IPv6 is one of IPv4.
fn address(family: Family, fields: Fields<'_>, at: usize) -> Option<IpAddr> {
    addr_at(family, fields, at).map(|addr| addr.to_canonical())
}

/// The state of a socket by TCP's numbers, which the other protocols borrow.
fn state(proto: Proto, number: u8) -> SocketState {
    const TIME_WAIT: u8 = 6;
    const CLOSE: u8 = 7;
    const LISTEN: u8 = 10;
    const BOUND: u8 = 13;
    let has_listeners = matches!(proto, Proto::TCP | Proto::SCTP | Proto(33));
    match number {
        LISTEN => SocketState::Listen,
        TIME_WAIT => SocketState::TimeWait,
        // Kernel: a socket that is bound and does not listen is closed.
        CLOSE | BOUND if has_listeners => SocketState::Bound,
        CLOSE | BOUND => SocketState::Unconnected,
        _ => SocketState::Connected,
    }
}

/// Who holds sockets: processes by inode, and paths by cgroup id.
#[derive(Debug, Default)]
struct Holders {
    by_inode: HashMap<u64, Owner>,
    paths: BTreeMap<u64, String>,
}

impl Holders {
    fn read(dump: &Dump, gaps: &mut Vec<Gap>) -> Self {
        let mut holders = Self::default();
        let mut lost = 0_usize;
        for line in dump.text(section::OWNERS).lines() {
            match serde_json::from_str::<Owner>(line) {
                Ok(owner) => {
                    let _ = holders.by_inode.insert(owner.inode, owner);
                }
                Err(_) if line.trim().is_empty() => {}
                Err(_) => lost += 1,
            }
        }
        if lost > 0 {
            let what = format!("{lost} owners of sockets were not understood");
            gaps.push(gap(GapKind::Names, what));
        }
        for line in dump.text(section::CGROUPS).lines() {
            let id_and_path = line.split_once(' ');
            if let Some((Ok(id), path)) = id_and_path.map(|(id, path)| (id.parse(), path)) {
                let _ = holders.paths.insert(id, path.to_owned());
            }
        }
        holders
    }

    /// The process that has the socket open. Where none is known, a cgroup still tells the
    /// pod, container or unit; the name is empty then.
    fn of(&self, inode: u64, cgroup: Option<&[u8]>) -> Option<Holder> {
        let id = cgroup.and_then(|id| Fields(id).he64(0));
        let path = id.and_then(|id| self.paths.get(&id));
        let path = path.map_or("", String::as_str);
        let owner = self.by_inode.get(&inode).filter(|_| inode != 0);
        if let Some(owner) = owner {
            let own = owner.cgroup.as_str();
            let path = if own.is_empty() { path } else { own };
            let holder = Holder::from_cgroup(&owner.name, Some(owner.pid), path);
            return Some(Holder {
                gid: owner.gid,
                ..holder
            });
        }
        let holder = Holder::from_cgroup("", None, path);
        let tells = holder.pod_uid.is_some() || holder.container.is_some() || holder.unit.is_some();
        tells.then_some(holder)
    }
}
