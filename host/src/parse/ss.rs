//! `ss`: sockets of a host and who holds them, from `-tulpen`, `-ltnup` and the like.

mod users;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use net::Proto;

use crate::{Holder, Socket, SocketState};

use super::iptables_save::words;
use super::problem::{Input, Problem, Problems};
use users::users;

/// Reads what `ss` printed, with or without its header line and `-O`, `-H`, `-e`, `-p`.
///
/// `index_of` tells the index of a device by its name. A socket bound to a device that it does
/// not know is left out, since no packet is known to come in there. Of several holders the
/// one with the lowest process id is kept. `*` is a wildcard of both families, `[::]` one of
/// IPv6 alone; the versions before 4.14 that print `:::` mean IPv4 by `*`.
pub fn ss(
    input: Input<'_>,
    mut index_of: impl FnMut(&str) -> Option<u32>,
) -> (Vec<Socket>, Vec<Problem>) {
    let text = String::from_utf8_lossy(input.text);
    let mut problems = Problems::of(input);
    let style = Style {
        is_old: text.contains(" :::"),
        has_udp: text.contains("UNCONN"),
    };
    let mut sockets = Vec::new();
    for (number, line) in text.lines().enumerate() {
        // A line that begins with a blank goes on about the socket above.
        let is_more = line.starts_with([' ', '\t']);
        if is_more || line.is_empty() || line.starts_with("Netid") || line.starts_with("State") {
            continue;
        }
        match socket(line, style, &mut index_of) {
            Ok(socket) => sockets.extend(socket),
            Err(NoSocket::Unknown(what)) => problems.add(number + 1, line, what),
            Err(NoSocket::Elsewhere(what)) => problems.note(number + 1, line, what),
        }
    }
    if style.is_old {
        pair_wildcards(&mut sockets);
    }
    (sockets, problems.into_vec())
}

/// How the program that printed it writes.
#[derive(Debug, Clone, Copy)]
struct Style {
    /// `*` is IPv4, `:::` IPv6.
    is_old: bool,
    /// There are sockets that UDP alone has.
    has_udp: bool,
}

/// Why a line gives no socket.
#[derive(Debug)]
enum NoSocket {
    /// It was not understood.
    Unknown(String),
    /// Its socket hears a device only that is not known.
    Elsewhere(String),
}

impl From<&str> for NoSocket {
    fn from(what: &str) -> Self {
        Self::Unknown(what.to_owned())
    }
}

impl From<String> for NoSocket {
    fn from(what: String) -> Self {
        Self::Unknown(what)
    }
}

/// One line. `None` where the socket is of no interest: of no internet protocol.
fn socket(
    line: &str,
    style: Style,
    index_of: &mut impl FnMut(&str) -> Option<u32>,
) -> Result<Option<Socket>, NoSocket> {
    let mut rest = line;
    let mut word = || next_word(&mut rest);
    let first = word();
    let (proto, state) = match proto_of(first) {
        Some(Netid::Internet(proto)) => (proto, word()),
        Some(Netid::Other) => return Ok(None),
        None => (proto_of_state(first, style)?, first),
    };
    let _ = (word(), word());
    let (local, peer) = (word(), word());
    let (local_name, device) = without_device(local);
    let (name, port) = local_name.rsplit_once(':').ok_or("line is no socket")?;
    let state = state_of(state, proto).ok_or_else(|| format!("`{state}` is no state"))?;
    let port = port_of(port).ok_or_else(|| format!("`{port}` is no port: use `ss -n`"))?;
    let (addr, is_dual) = addr_of(name, style).ok_or_else(|| format!("`{name}` is no address"))?;
    let device = match device {
        Some(name) => Some(index_of(name).ok_or_else(|| {
            let what = "socket was left out: give the links as well";
            NoSocket::Elsewhere(format!("device {name} is unknown, {what}"))
        })?),
        None => None,
    };
    let (users, after) = users(rest);
    let marks = Marks::of(after);
    let is_wildcard = addr == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let v6_only = is_wildcard && marks.v6_only.unwrap_or(!is_dual && !style.is_old);
    let lowest = users.into_iter().min_by_key(|(_, pid)| *pid);
    Ok(Some(Socket {
        proto,
        state,
        addr,
        port,
        peer: peer_of(peer, style),
        v6_only,
        device,
        uid: marks.uid,
        inode: marks.inode,
        mark: marks.mark,
        transparent: None,
        holder: lowest.map(|(name, pid)| Holder::from_cgroup(name, Some(pid), marks.cgroup)),
    }))
}

fn next_word<'t>(rest: &mut &'t str) -> &'t str {
    let text = rest.trim_start();
    let (word, after) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
    *rest = after;
    word
}

/// What the first column says.
enum Netid {
    Internet(Proto),
    Other,
}

fn proto_of(netid: &str) -> Option<Netid> {
    Some(match netid {
        "tcp" => Netid::Internet(Proto::TCP),
        "udp" => Netid::Internet(Proto::UDP),
        "sctp" => Netid::Internet(Proto::SCTP),
        "dccp" => Netid::Internet(Proto(33)),
        "udplite" => Netid::Internet(Proto(136)),
        // A listener of MPTCP shows under TCP too.
        "mptcp" | "raw" | "icmp" | "icmp6" | "nl" | "tipc" | "xdp" | "???" => Netid::Other,
        _ if netid.starts_with("u_") || netid.starts_with("p_") || netid.starts_with("v_") => {
            Netid::Other
        }
        _ => return None,
    })
}

/// The protocol where `ss` was asked for one alone and names none.
fn proto_of_state(state: &str, style: Style) -> Result<Proto, String> {
    match state {
        "UNCONN" => Ok(Proto::UDP),
        "ESTAB" if style.has_udp => Ok(Proto::UDP),
        _ if state_of(state, Proto::TCP).is_some() => Ok(Proto::TCP),
        _ => Err("line is no socket: give what `ss -tulpen` prints".to_owned()),
    }
}

fn state_of(state: &str, proto: Proto) -> Option<SocketState> {
    Some(match state {
        "LISTEN" => SocketState::Listen,
        "UNCONN" if proto == Proto::UDP || proto == Proto(136) => SocketState::Unconnected,
        "UNCONN" | "CLOSED" => SocketState::Bound,
        "TIME-WAIT" => SocketState::TimeWait,
        "ESTAB" | "SYN-SENT" | "SYN-RECV" | "FIN-WAIT-1" | "FIN-WAIT-2" | "CLOSE-WAIT"
        | "LAST-ACK" | "CLOSING" | "CONNECTED" => SocketState::Connected,
        _ => return None,
    })
}

/// Takes the device out of `ADDRESS%DEVICE:PORT`.
fn without_device(local: &str) -> (String, Option<&str>) {
    match local.split_once('%').zip(local.rsplit_once(':')) {
        Some(((addr, _), (front, port))) if front.len() > addr.len() => {
            let device = &front[addr.len() + 1..];
            (format!("{addr}:{port}"), Some(device))
        }
        _ => (local.to_owned(), None),
    }
}

fn port_of(text: &str) -> Option<u16> {
    text.parse().ok().or_else(|| words::service_port(text))
}

/// An address, and whether it stands for both families.
fn addr_of(name: &str, style: Style) -> Option<(IpAddr, bool)> {
    let wildcard = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    if name == "*" {
        return Some(if style.is_old {
            (IpAddr::V4(Ipv4Addr::UNSPECIFIED), false)
        } else {
            (wildcard, true)
        });
    }
    let bare = name.strip_prefix('[').and_then(|n| n.strip_suffix(']'));
    let addr: IpAddr = bare.unwrap_or(name).parse().ok()?;
    // A socket of IPv6 with a mapped address speaks IPv4.
    Some((addr.to_canonical(), false))
}

fn peer_of(text: &str, style: Style) -> Option<(IpAddr, u16)> {
    let (text, _) = without_device(text);
    let (addr, port) = text.rsplit_once(':')?;
    let port = port_of(port)?;
    addr_of(addr, style).map(|(addr, _)| (addr, port))
}

/// What stands behind the holders.
#[derive(Debug, Default)]
struct Marks<'a> {
    uid: u32,
    inode: u64,
    mark: Option<u32>,
    cgroup: &'a str,
    v6_only: Option<bool>,
}

impl<'a> Marks<'a> {
    fn of(text: &'a str) -> Self {
        let mut marks = Self::default();
        for (name, value) in text.split_whitespace().filter_map(|w| w.split_once(':')) {
            match name {
                "uid" => marks.uid = value.parse().unwrap_or(0),
                "ino" => marks.inode = value.parse().unwrap_or(0),
                "fwmark" => {
                    let hex = value.trim_start_matches("0x");
                    marks.mark = u32::from_str_radix(hex, 16).ok();
                }
                "cgroup" if marks.cgroup.is_empty() => marks.cgroup = value,
                "v6only" => marks.v6_only = Some(value == "1"),
                _ => {}
            }
        }
        marks
    }
}

/// Old versions do not say what an IPv6 wildcard takes: where IPv4 has a socket of its own,
/// IPv6 alone.
fn pair_wildcards(sockets: &mut [Socket]) {
    let v4 = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let v6 = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let taken: Vec<_> = sockets
        .iter()
        .filter(|socket| socket.addr == v4)
        .map(|socket| (socket.proto, socket.port))
        .collect();
    for socket in sockets.iter_mut().filter(|socket| socket.addr == v6) {
        socket.v6_only |= taken.contains(&(socket.proto, socket.port));
    }
}
