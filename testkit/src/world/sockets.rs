//! Sockets with the options that clients and servers of the world need.

use std::ffi::OsString;
use std::io::{IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    self, AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType,
    SockaddrStorage, setsockopt, sockopt,
};

use super::{Bound, Listener, Transport};

/// Datagrams are short.
const LONGEST: usize = 64;

/// A non-blocking socket of the calling thread's namespace, whose end leaves nothing behind.
pub(super) fn open(transport: Transport, is_v6: bool) -> Result<OwnedFd, Errno> {
    let family = if is_v6 {
        AddressFamily::Inet6
    } else {
        AddressFamily::Inet
    };
    let kind = match transport {
        Transport::Tcp => SockType::Stream,
        Transport::Udp => SockType::Datagram,
    };
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let fd = socket::socket(family, kind, flags, None)?;
    if transport == Transport::Tcp {
        // A closing connection would hold the namespace until its timers end.
        reset_on_close(&fd)?;
    }
    Ok(fd)
}

/// Makes closing a TCP socket a reset.
pub(super) fn reset_on_close(fd: &OwnedFd) -> Result<(), Errno> {
    let linger = nix::libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    setsockopt(fd, sockopt::Linger, &linger)
}

/// Binds to an address and port.
pub(super) fn bind(fd: &OwnedFd, addr: IpAddr, port: u16) -> Result<(), Errno> {
    socket::bind(
        fd.as_raw_fd(),
        &SockaddrStorage::from(SocketAddr::new(addr, port)),
    )
}

/// Starts to connect, or gives a datagram socket its peer.
pub(super) fn connect(fd: &OwnedFd, to: SocketAddr) -> Result<(), Errno> {
    socket::connect(fd.as_raw_fd(), &SockaddrStorage::from(to))
}

/// A server's socket.
pub(super) fn serve(listener: &Listener) -> Result<OwnedFd, Errno> {
    let fd = open(listener.transport, listener.addr.is_ipv6())?;
    if listener.addr.is_ipv6() {
        setsockopt(&fd, sockopt::Ipv6V6Only, &listener.v6_only)?;
    }
    if let Some(device) = listener.device {
        setsockopt(&fd, sockopt::BindToDevice, &OsString::from(device))?;
    }
    bind(&fd, listener.addr, listener.port)?;
    match (&listener.bound, listener.transport) {
        (Bound::Only, _) => {}
        (_, Transport::Tcp) => {
            let backlog = socket::Backlog::new(64).expect("64 is a valid backlog");
            socket::listen(&fd, backlog)?;
        }
        (Bound::ConnectedTo(addr, port), Transport::Udp) => {
            learn_destinations(&fd, listener)?;
            connect(&fd, SocketAddr::new(*addr, *port))?;
        }
        (Bound::Answers, Transport::Udp) => learn_destinations(&fd, listener)?,
    }
    Ok(fd)
}

/// Asks for the address that each datagram was sent to.
fn learn_destinations(fd: &OwnedFd, listener: &Listener) -> Result<(), Errno> {
    if listener.addr.is_ipv6() {
        setsockopt(fd, sockopt::Ipv6RecvPacketInfo, &true)
    } else {
        setsockopt(fd, sockopt::Ipv4PacketInfo, &true)
    }
}

/// A datagram: its text, who sent it, and the address it was sent to.
pub(super) fn receive(fd: &OwnedFd) -> Result<(String, SocketAddr, IpAddr), Errno> {
    let mut text = [0; LONGEST];
    let mut parts = [IoSliceMut::new(&mut text)];
    let mut control = nix::cmsg_space!(nix::libc::in_pktinfo, nix::libc::in6_pktinfo);
    let message = socket::recvmsg::<SockaddrStorage>(
        fd.as_raw_fd(),
        &mut parts,
        Some(&mut control),
        MsgFlags::empty(),
    )?;
    let source = message
        .address
        .as_ref()
        .and_then(socket_addr)
        .ok_or(Errno::EDESTADDRREQ)?;
    let mut to = None;
    for part in message.cmsgs()? {
        match part {
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                to = Some(IpAddr::from(info.ipi_addr.s_addr.to_ne_bytes()));
            }
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                to = Some(IpAddr::from(info.ipi6_addr.s6_addr));
            }
            _ => {}
        }
    }
    let to = to.ok_or(Errno::EDESTADDRREQ)?;
    let len = message.bytes;
    let text = String::from_utf8_lossy(&text[..len]).into_owned();
    Ok((text, source, to))
}

/// Answers a datagram from the address it was sent to.
pub(super) fn answer(
    fd: &OwnedFd,
    text: &str,
    from: IpAddr,
    to: SocketAddr,
    is_connected: bool,
) -> Result<(), Errno> {
    let v4;
    let v6;
    let control = match from {
        IpAddr::V4(addr) => {
            v4 = nix::libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: nix::libc::in_addr {
                    s_addr: u32::from_ne_bytes(addr.octets()),
                },
                ipi_addr: nix::libc::in_addr { s_addr: 0 },
            };
            ControlMessage::Ipv4PacketInfo(&v4)
        }
        IpAddr::V6(addr) => {
            v6 = nix::libc::in6_pktinfo {
                ipi6_addr: nix::libc::in6_addr {
                    s6_addr: addr.octets(),
                },
                ipi6_ifindex: 0,
            };
            ControlMessage::Ipv6PacketInfo(&v6)
        }
    };
    let to = SockaddrStorage::from(to);
    let parts = [IoSlice::new(text.as_bytes())];
    let to = (!is_connected).then_some(&to);
    socket::sendmsg(fd.as_raw_fd(), &parts, &[control], MsgFlags::empty(), to).map(drop)
}

/// The local address of an accepted connection.
pub(super) fn local(fd: &OwnedFd) -> Result<SocketAddr, Errno> {
    let local: SockaddrStorage = socket::getsockname(fd.as_raw_fd())?;
    socket_addr(&local).map(plain).ok_or(Errno::EAFNOSUPPORT)
}

fn socket_addr(addr: &SockaddrStorage) -> Option<SocketAddr> {
    match (addr.as_sockaddr_in(), addr.as_sockaddr_in6()) {
        (Some(v4), _) => Some(SocketAddr::new(IpAddr::V4(v4.ip()), v4.port())),
        (None, Some(v6)) => Some(SocketAddr::new(IpAddr::V6(v6.ip()), v6.port())),
        (None, None) => None,
    }
}

/// An IPv4 address that an IPv6 socket reports, as itself.
pub(super) fn plain(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(plain_ip(addr.ip()), addr.port())
}

/// The same for an address alone.
pub(super) fn plain_ip(addr: IpAddr) -> IpAddr {
    match addr {
        IpAddr::V6(v6) => mapped(v6).unwrap_or(addr),
        IpAddr::V4(_) => addr,
    }
}

fn mapped(addr: Ipv6Addr) -> Option<IpAddr> {
    addr.to_ipv4_mapped().map(IpAddr::V4)
}
