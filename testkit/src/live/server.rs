//! Sockets of servers, with the options that a model gives them.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use host::{Socket, SocketState};
use net::Proto;
use nix::errno::Errno;
use nix::sys::socket::{
    self, AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, setsockopt, sockopt,
};

/// Opens a socket as `socket` is, on the link named `device` if it is bound to one.
pub(super) fn open(socket: &Socket, device: Option<&str>) -> Result<OwnedFd, Errno> {
    let (family, kind) = match (socket.addr.is_ipv4(), socket.proto) {
        (true, Proto::UDP) => (AddressFamily::Inet, SockType::Datagram),
        (true, _) => (AddressFamily::Inet, SockType::Stream),
        (false, Proto::UDP) => (AddressFamily::Inet6, SockType::Datagram),
        (false, _) => (AddressFamily::Inet6, SockType::Stream),
    };
    let fd = socket::socket(family, kind, SockFlag::SOCK_CLOEXEC, None)?;
    if socket.addr.is_ipv6() {
        setsockopt(&fd, sockopt::Ipv6V6Only, &socket.v6_only)?;
    }
    if let Some(device) = device {
        setsockopt(&fd, sockopt::BindToDevice, &OsString::from(device))?;
    }
    // One on an address may stand beside one on all.
    setsockopt(&fd, sockopt::ReusePort, &true)?;
    let own = SocketAddr::new(socket.addr, socket.port);
    socket::bind(fd.as_raw_fd(), &SockaddrStorage::from(own))?;
    match (socket.state, socket.peer) {
        (SocketState::Listen, _) => socket::listen(&fd, Backlog::new(16)?)?,
        (SocketState::Connected, Some((addr, port))) if socket.proto == Proto::UDP => {
            let peer = SockaddrStorage::from(SocketAddr::new(addr, port));
            socket::connect(fd.as_raw_fd(), &peer)?;
        }
        _ => {}
    }
    Ok(fd)
}
