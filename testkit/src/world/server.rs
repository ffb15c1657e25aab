//! The servers of the world: they record who reached them, and answer datagrams.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use nix::sys::socket::{self, MsgFlags};
use rustix::net::{SocketFlags, acceptfrom_with};

use super::layout::CLIENT_PORTS;
use super::listener::{Bound, Listener};
use super::sockets;
use super::{Arrival, Place, Transport, World, WorldError};

/// All open server sockets, and who reached them.
#[derive(Debug)]
pub struct Servers {
    sockets: Vec<Server>,
    accepted: Vec<Accepted>,
    arrivals: Vec<(usize, Arrival)>,
}

#[derive(Debug)]
struct Server {
    place: Place,
    listener: Option<usize>,
    transport: Transport,
    port: u16,
    bound: Bound,
    fd: OwnedFd,
}

/// A connection whose client has not named itself yet.
#[derive(Debug)]
struct Accepted {
    arrival: Arrival,
    is_named: bool,
    fd: OwnedFd,
}

impl Servers {
    pub(super) fn open(world: &World, listeners: &[Listener]) -> Result<Self, WorldError> {
        let mut sockets = Vec::new();
        for place in [Place::Client, Place::Pod1, Place::Pod2] {
            world.enter(place)?;
            for listener in fixed() {
                let fd = sockets::serve(&listener).map_err(|errno| {
                    WorldError::system(format!("serve {listener} at {place:?}"))(errno.into())
                })?;
                sockets.push(Server::new(place, None, &listener, fd));
            }
        }
        world.enter(Place::Node)?;
        for (number, listener) in listeners.iter().enumerate() {
            // A refusal is a port that another listener of the list has.
            if let Ok(fd) = sockets::serve(listener) {
                sockets.push(Server::new(Place::Node, Some(number), listener, fd));
            }
        }
        Ok(Self {
            sockets,
            accepted: Vec::new(),
            arrivals: Vec::new(),
        })
    }

    /// Whether the listener of that number could be opened.
    pub fn is_open(&self, number: usize) -> bool {
        self.sockets
            .iter()
            .any(|server| server.listener == Some(number))
    }

    /// Where the client of that number arrived.
    pub fn arrival(&self, client: usize) -> Option<&Arrival> {
        self.arrivals
            .iter()
            .find_map(|(number, arrival)| (*number == client).then_some(arrival))
    }

    /// Takes what came in.
    pub(super) fn advance(&mut self) {
        for server in &self.sockets {
            match (server.transport, &server.bound) {
                (_, Bound::Only) => {}
                (Transport::Tcp, _) => server.accept(&mut self.accepted),
                (Transport::Udp, _) => server.answer(&mut self.arrivals),
            }
        }
        for accepted in &mut self.accepted {
            if let Some(client) = accepted.named() {
                self.arrivals.push((client, accepted.arrival.clone()));
            }
        }
    }

    /// What to wait for.
    pub(super) fn awaited(&self) -> impl Iterator<Item = PollFd<'_>> {
        let servers = self
            .sockets
            .iter()
            .filter(|server| server.bound != Bound::Only)
            .map(|server| server.fd.as_fd());
        let accepted = self
            .accepted
            .iter()
            .filter(|accepted| !accepted.is_named)
            .map(|accepted| accepted.fd.as_fd());
        servers
            .chain(accepted)
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
    }
}

/// The servers of every namespace but the node.
fn fixed() -> impl Iterator<Item = Listener> {
    CLIENT_PORTS.into_iter().flat_map(|port| {
        [Transport::Tcp, Transport::Udp].map(|transport| Listener {
            transport,
            addr: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            port,
            v6_only: false,
            device: None,
            bound: Bound::Answers,
        })
    })
}

impl Server {
    fn new(place: Place, listener: Option<usize>, spec: &Listener, fd: OwnedFd) -> Self {
        Self {
            place,
            listener,
            transport: spec.transport,
            port: spec.port,
            bound: spec.bound.clone(),
            fd,
        }
    }

    fn accept(&self, accepted: &mut Vec<Accepted>) {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        while let Ok((fd, remote)) = acceptfrom_with(&self.fd, flags) {
            let local = sockets::reset_on_close(&fd).and_then(|()| sockets::local(&fd));
            let remote = remote.and_then(|addr| SocketAddr::try_from(addr).ok());
            if let (Ok(local), Some(remote)) = (local, remote) {
                let source = sockets::plain_ip(remote.ip());
                accepted.push(Accepted {
                    arrival: self.arrival(local.ip(), local.port(), source),
                    is_named: false,
                    fd,
                });
            }
        }
    }

    fn answer(&self, arrivals: &mut Vec<(usize, Arrival)>) {
        loop {
            match sockets::receive(&self.fd) {
                Ok((text, source, to)) => {
                    // Another server's answer that was led here is none to answer: it would go
                    // back and forth for ever.
                    let Ok(client) = text.parse() else { continue };
                    let is_connected = matches!(self.bound, Bound::ConnectedTo(..));
                    // Its loss is what the client sees.
                    let _ = sockets::answer(&self.fd, "answer", to, source, is_connected);
                    let arrival = self.arrival(
                        sockets::plain_ip(to),
                        self.port,
                        sockets::plain_ip(source.ip()),
                    );
                    arrivals.push((client, arrival));
                }
                Err(Errno::EAGAIN) => return,
                // An error that an answer met on its way: the next call goes on.
                Err(_) => {}
            }
        }
    }

    fn arrival(&self, to: IpAddr, port: u16, source: IpAddr) -> Arrival {
        Arrival {
            place: self.place,
            listener: self.listener,
            to: SocketAddr::new(to, port),
            source,
        }
    }
}

impl Accepted {
    /// The client's number, once it comes.
    fn named(&mut self) -> Option<usize> {
        if self.is_named {
            return None;
        }
        let mut text = [0; 16];
        match socket::recv(self.fd.as_raw_fd(), &mut text, MsgFlags::empty()) {
            Err(Errno::EAGAIN | Errno::EINTR) => None,
            Ok(0) | Err(_) => {
                self.is_named = true;
                None
            }
            Ok(len) => {
                self.is_named = true;
                String::from_utf8_lossy(&text[..len]).parse().ok()
            }
        }
    }
}
