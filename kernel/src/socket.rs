//! Sockets of our own: what a connection attempt sees from here.
//!
//! Called inside a network namespace (`netns::in_netns`) a probe sees what a program there
//! would see.

mod errno;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use net::{Endpoint, Proto};
use rustix::event::PollFlags;
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketAddrAny, SocketFlags, SocketType};

pub use errno::errno_name;

use crate::ready::is_ready;

/// How long a server that speaks first is listened to once the connection stands.
const GREETING: Duration = Duration::from_millis(300);
/// Most of a greeting or reply that is kept.
const KEPT: usize = 512;

/// What a connection attempt saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeResult {
    /// The handshake came to its end.
    Connected {
        /// The address and port the kernel gave us.
        source: Endpoint,
        /// What the other side said first; empty where it said nothing.
        greeting: Vec<u8>,
    },
    /// A datagram was answered.
    Answered {
        /// The address and port the kernel gave us.
        source: Endpoint,
        /// The answer.
        reply: Vec<u8>,
    },
    /// The kernel returned an error: its own, or what an ICMP message or a reset told it.
    Refused {
        /// The number; [`errno_name`] has its name.
        errno: i32,
    },
    /// Nothing came until the time was over.
    TimedOut,
}

/// Why an attempt could not even be made.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// We have no socket for the protocol.
    #[error("cannot probe {proto}: only tcp, udp and sctp")]
    Protocol {
        /// The protocol asked for.
        proto: Proto,
    },
    /// The kernel has no socket for the protocol.
    #[error("cannot open a {proto} socket")]
    Open {
        /// The protocol asked for.
        proto: Proto,
        /// Why not.
        source: io::Error,
    },
    /// The source address is not ours.
    #[error("cannot send from {addr}")]
    Source {
        /// The address asked for.
        addr: IpAddr,
        /// Why not.
        source: io::Error,
    },
    /// The source port cannot be had.
    #[error("cannot send from port {port}")]
    Port {
        /// The port asked for.
        port: u16,
        /// Why not.
        source: io::Error,
    },
    /// The kernel did not tell how the attempt went.
    #[error("cannot wait for an answer of {target}")]
    Wait {
        /// Who was asked.
        target: Endpoint,
        /// Why not.
        source: io::Error,
    },
}

/// Tries to reach `target` from the namespace of the calling thread.
///
/// TCP and SCTP connect, listen shortly for a greeting, and close. UDP sends one line end
/// from a connected socket and waits for any answer.
///
/// # Errors
/// [`ProbeError`] where no attempt was made; what the attempt met is a [`ProbeResult`].
pub fn probe(
    proto: Proto,
    target: Endpoint,
    source: Option<IpAddr>,
    timeout: Duration,
) -> Result<ProbeResult, ProbeError> {
    let socket = open(proto, target.addr)?;
    if let Some(addr) = source {
        bind(&socket, addr, 0)?;
    }
    attempt(&socket, (proto, target), timeout, None)
}

/// An attempt to reach a port whose own port is known before it is made.
#[derive(Debug)]
pub struct Attempt {
    socket: OwnedFd,
    proto: Proto,
    target: Endpoint,
    port: u16,
}

impl Attempt {
    /// Takes a port, of the calling thread's namespace: `port`, or any where that is absent.
    /// Without a `source` the kernel picks the address when the attempt is made.
    ///
    /// # Errors
    /// [`ProbeError`], for instance where the port is taken.
    pub fn prepare(
        proto: Proto,
        target: Endpoint,
        source: Option<IpAddr>,
        port: Option<u16>,
    ) -> Result<Self, ProbeError> {
        let socket = open(proto, target.addr)?;
        let any = match target.addr {
            IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
        };
        let addr = source.unwrap_or(any);
        bind(&socket, addr, port.unwrap_or(0))?;
        let bound = local(&socket).map_err(|source| ProbeError::Source { addr, source })?;
        Ok(Self {
            socket,
            proto,
            target,
            port: bound.port,
        })
    }

    /// The port it is made from.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes it, as [`probe`] does; what is not over when `stop` becomes readable times out.
    ///
    /// # Errors
    /// [`ProbeError::Wait`] where the kernel does not tell how it went.
    pub fn make(self, timeout: Duration, stop: BorrowedFd<'_>) -> Result<ProbeResult, ProbeError> {
        let about = (self.proto, self.target);
        attempt(&self.socket, about, timeout, Some(stop))
    }
}

fn bind(socket: &OwnedFd, addr: IpAddr, port: u16) -> Result<(), ProbeError> {
    let from = SocketAddr::new(addr, port);
    rustix::net::bind(socket, &from).map_err(|error| {
        let source = error.into();
        match port {
            0 => ProbeError::Source { addr, source },
            port => ProbeError::Port { port, source },
        }
    })
}

fn attempt(
    socket: &OwnedFd,
    (proto, target): (Proto, Endpoint),
    timeout: Duration,
    stop: Option<BorrowedFd<'_>>,
) -> Result<ProbeResult, ProbeError> {
    let attempt = if proto == Proto::UDP {
        exchange(socket, target, timeout, stop)
    } else {
        connect(socket, target, timeout, stop)
    };
    attempt.or_else(|error| match error.raw_os_error() {
        Some(errno) => Ok(ProbeResult::Refused { errno }),
        None => Err(ProbeError::Wait {
            target,
            source: error,
        }),
    })
}

fn open(proto: Proto, addr: IpAddr) -> Result<OwnedFd, ProbeError> {
    let (kind, number) = match proto {
        Proto::TCP => (SocketType::STREAM, rustix::net::ipproto::TCP),
        Proto::SCTP => (SocketType::STREAM, rustix::net::ipproto::SCTP),
        Proto::UDP => (SocketType::DGRAM, rustix::net::ipproto::UDP),
        _ => return Err(ProbeError::Protocol { proto }),
    };
    let family = match addr {
        IpAddr::V4(_) => AddressFamily::INET,
        IpAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let opened = rustix::net::socket_with(family, kind, flags, Some(number));
    opened.map_err(|error| ProbeError::Open {
        proto,
        source: error.into(),
    })
}

fn connect(
    socket: &OwnedFd,
    target: Endpoint,
    timeout: Duration,
    stop: Option<BorrowedFd<'_>>,
) -> io::Result<ProbeResult> {
    let to = SocketAddr::new(target.addr, target.port);
    match rustix::net::connect(socket, &to) {
        Ok(()) => {}
        Err(Errno::INPROGRESS) => {
            if !is_ready(socket.as_fd(), PollFlags::OUT, timeout, stop)? {
                return Ok(ProbeResult::TimedOut);
            }
            rustix::net::sockopt::socket_error(socket)??;
        }
        Err(error) => return Err(error.into()),
    }
    let source = local(socket)?;
    // A reset behind the handshake is no greeting, but the connection did stand.
    let greeting = if is_ready(socket.as_fd(), PollFlags::IN, timeout.min(GREETING), stop)? {
        receive(socket).unwrap_or_default()
    } else {
        Vec::new()
    };
    Ok(ProbeResult::Connected { source, greeting })
}

fn exchange(
    socket: &OwnedFd,
    target: Endpoint,
    timeout: Duration,
    stop: Option<BorrowedFd<'_>>,
) -> io::Result<ProbeResult> {
    rustix::net::connect(socket, &SocketAddr::new(target.addr, target.port))?;
    let source = local(socket)?;
    rustix::net::send(socket, b"\n", SendFlags::NOSIGNAL)?;
    if !is_ready(socket.as_fd(), PollFlags::IN, timeout, stop)? {
        return Ok(ProbeResult::TimedOut);
    }
    let reply = receive(socket)?;
    Ok(ProbeResult::Answered { source, reply })
}

fn receive(socket: &OwnedFd) -> io::Result<Vec<u8>> {
    let mut kept = vec![0; KEPT];
    let (len, _) = retry_on_intr(|| rustix::net::recv(socket, &mut kept, RecvFlags::empty()))?;
    kept.truncate(len);
    Ok(kept)
}

fn local(socket: &OwnedFd) -> io::Result<Endpoint> {
    let addr: SocketAddrAny = rustix::net::getsockname(socket)?;
    let addr = SocketAddr::try_from(addr)?;
    Ok(Endpoint {
        addr: addr.ip(),
        port: addr.port(),
    })
}
