//! Clients of a host in a namespace: what they get is what the kernel does.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use host::{Socket, SocketState};
use kernel::netns::Netns;
use net::{Endpoint, Family, Proto};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{
    self, AddressFamily, MsgFlags, SockFlag, SockType, SockaddrStorage, getsockopt, setsockopt,
    sockopt,
};

use super::{Live, LiveError, refused, server};
use crate::world::settle;

/// How long an answer is waited for, in milliseconds. Kernel: an error that meets the socket
/// of the client while it still connects is only told after the first repetition, a second
/// later (tcp_ipv4.c, tcp_v4_err).
const PATIENCE: u16 = 2500;

/// A client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The protocol.
    pub proto: Proto,
    /// Where it connects to.
    pub to: Endpoint,
    /// Its address; the kernel's choice if absent, which only a local client can have.
    pub source: Option<IpAddr>,
    /// Its port, where it matters.
    pub sport: Option<u16>,
    /// The link of the host behind which it is; absent for a process of the host.
    pub link: Option<String>,
}

/// What a client got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Got {
    /// A connection. A datagram never gets one.
    Connection,
    /// An error, by its name.
    Error(Errno),
    /// Nothing.
    Silence,
}

impl Live {
    /// Gives somebody behind a link an address, and for it a way to the host.
    ///
    /// # Errors
    /// Where the address is refused.
    pub fn settle_behind(
        &self,
        link: &str,
        addr: IpAddr,
        gateway: IpAddr,
    ) -> Result<(), LiveError> {
        let (family, len, anywhere) = match Family::of(addr) {
            Family::V4 => ("-4", 32, "0.0.0.0/0"),
            Family::V6 => ("-6", 128, "::/0"),
        };
        let lines = format!(
            "addr replace {addr}/{len} dev {link}\n\
             route replace {anywhere} via {gateway} dev {link} onlink\n"
        );
        let netns = self.behind(link);
        netns.run(|| {
            let _ = crate::world::run(&["ip", family, "-batch", "-"], &lines)?;
            settle().map_err(LiveError::Settle)
        })?
    }

    /// Lets somebody behind a link listen.
    ///
    /// # Errors
    /// Where the port is refused.
    pub fn serve_behind(
        &mut self,
        link: &str,
        proto: Proto,
        at: Endpoint,
    ) -> Result<(), LiveError> {
        let socket = Socket {
            proto,
            state: match proto {
                Proto::UDP => SocketState::Unconnected,
                _ => SocketState::Listen,
            },
            addr: at.addr,
            port: at.port,
            peer: None,
            v6_only: false,
            device: None,
            uid: 0,
            inode: 0,
            mark: None,
            transparent: None,
            holder: None,
        };
        let opened = self.behind(link).run(|| server::open(&socket, None))?;
        self.servers.push(opened.map_err(refused(&socket))?);
        Ok(())
    }

    /// Lets a client try, and waits for what it gets.
    ///
    /// # Errors
    /// Where its namespace cannot be entered.
    pub fn connect(&self, client: &Client) -> Result<Got, LiveError> {
        let netns = match &client.link {
            Some(link) => self.behind(link),
            None => &self.netns,
        };
        Ok(netns.run(|| client.connect().unwrap_or_else(Got::Error))?)
    }

    fn behind(&self, link: &str) -> &Netns {
        let found = self.behind.iter().find(|(name, _)| name == link);
        &found.expect("the link is one of the host's").1
    }
}

impl Client {
    fn connect(&self) -> Result<Got, Errno> {
        let family = match self.to.addr {
            IpAddr::V4(_) => AddressFamily::Inet,
            IpAddr::V6(_) => AddressFamily::Inet6,
        };
        let kind = match self.proto {
            Proto::UDP => SockType::Datagram,
            _ => SockType::Stream,
        };
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let fd = socket::socket(family, kind, flags, None)?;
        if self.source.is_some() || self.sport.is_some() {
            let any = match self.to.addr {
                IpAddr::V4(_) => IpAddr::from([0; 4]),
                IpAddr::V6(_) => IpAddr::from([0u16; 8]),
            };
            let own = SocketAddr::new(self.source.unwrap_or(any), self.sport.unwrap_or(0));
            socket::bind(fd.as_raw_fd(), &SockaddrStorage::from(own))?;
        }
        let to = SockaddrStorage::from(SocketAddr::new(self.to.addr, self.to.port));
        match socket::connect(fd.as_raw_fd(), &to) {
            Ok(()) | Err(Errno::EINPROGRESS) => {}
            Err(errno) => return Err(errno),
        }
        if self.proto == Proto::UDP {
            datagram(&fd)
        } else {
            stream(&fd)
        }
    }
}

fn stream(fd: &OwnedFd) -> Result<Got, Errno> {
    let linger = nix::libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    setsockopt(fd, sockopt::Linger, &linger)?;
    if !is_told(fd, PollFlags::POLLOUT)? {
        return Ok(Got::Silence);
    }
    match getsockopt(fd, sockopt::SocketError)? {
        0 => Ok(Got::Connection),
        error => Err(Errno::from_raw(error)),
    }
}

fn datagram(fd: &OwnedFd) -> Result<Got, Errno> {
    let _ = socket::send(fd.as_raw_fd(), b"?", MsgFlags::empty())?;
    if !is_told(fd, PollFlags::POLLIN)? {
        return Ok(Got::Silence);
    }
    match socket::recv(fd.as_raw_fd(), &mut [0; 8], MsgFlags::empty()) {
        Ok(_) => Ok(Got::Connection),
        Err(errno) => Err(errno),
    }
}

fn is_told(fd: &OwnedFd, what: PollFlags) -> Result<bool, Errno> {
    let mut fds = [PollFd::new(fd.as_fd(), what)];
    Ok(poll(&mut fds, PATIENCE)? > 0)
}
