//! Sends all packets of a host side by side, and records what became of each.
//!
//! A client names itself in what it sends, so that an arrival is known even where no answer
//! comes back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{self, MsgFlags, setsockopt, sockopt};
use nix::unistd::{Uid, setfsuid};

use super::listener::Listener;
use super::server::Servers;
use super::sockets;
use super::{Packet, Place, Transport, World, WorldError};

/// How long to wait for something to happen before silence counts as silence.
#[derive(Debug, Clone, Copy)]
pub struct Patience(pub Duration);

/// A request as its server saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Where.
    pub place: Place,
    /// The position of the socket among the node's listeners; absent for the others.
    pub listener: Option<usize>,
    /// The address and port it came to.
    pub to: SocketAddr,
    /// The address it seemed to come from.
    pub source: IpAddr,
}

/// What became of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observed {
    /// It was answered by this server.
    Connected(Arrival),
    /// The client got this error.
    Errno(String),
    /// `send` gave this error; a later receive that one.
    SendError(String, Option<String>),
    /// `connect()` succeeded, and then nothing reached the server.
    Silent,
    /// Nothing came back; if it is known to have arrived, where.
    Nothing(Option<Arrival>),
}

/// How far a client is.
#[derive(Debug)]
enum Progress {
    /// TCP: the handshake is under way.
    Connecting,
    /// TCP: the handshake is done here.
    Connected,
    /// UDP: sent, no answer yet.
    Sent,
    /// UDP: answered.
    Answered,
    /// Ended.
    Failed(Observed),
}

#[derive(Debug)]
struct Client {
    fd: OwnedFd,
    progress: Progress,
}

impl World {
    /// Opens the servers of the world: the node's, and the fixed ones of the others.
    /// A listener of the node that the kernel refuses, because another has its port, is left
    /// out: [`Servers::is_open`] tells.
    ///
    /// # Errors
    /// Where a namespace cannot be entered or a fixed server is refused.
    pub fn serve(&self, listeners: &[Listener]) -> Result<Servers, WorldError> {
        Servers::open(self, listeners)
    }

    /// Sends the packets and waits until nothing more happens. The calling thread is in the
    /// node afterwards.
    ///
    /// # Errors
    /// Where a namespace cannot be entered, or a client cannot have its address.
    pub fn fly(
        &self,
        servers: &mut Servers,
        packets: &[Packet],
        patience: Patience,
    ) -> Result<Vec<Observed>, WorldError> {
        let mut clients = Vec::new();
        for (number, packet) in packets.iter().enumerate() {
            self.enter(packet.place)?;
            let client = Client::start(packet, number).map_err(|errno| {
                WorldError::system(format!("open a client for {packet}"))(errno.into())
            })?;
            clients.push(client);
        }
        self.enter(Place::Node)?;
        wait(&mut clients, servers, patience)?;
        Ok(clients
            .into_iter()
            .enumerate()
            .map(|(number, client)| client.ended(servers.arrival(number)))
            .collect())
    }
}

/// Whether a client can be this user: a user namespace knows but a few.
pub(crate) fn is_user(uid: u32) -> bool {
    as_user(uid, || ()).is_some()
}

/// Does something as another user, where there is such a user.
fn as_user<T>(uid: u32, action: impl FnOnce() -> T) -> Option<T> {
    let user = Uid::from_raw(uid);
    setfsuid(user);
    // The call tells who the user was before, and never that it failed.
    let done = (setfsuid(user) == user).then(action);
    setfsuid(Uid::from_raw(0));
    done
}

impl Client {
    /// Opens the socket in the calling thread's namespace and sends the first packet.
    fn start(packet: &Packet, number: usize) -> Result<Self, Errno> {
        let fd = as_user(packet.uid, || {
            sockets::open(packet.transport, packet.dst.is_ipv6())
        })
        .ok_or(Errno::EINVAL)??;
        if packet.place == Place::Client {
            // The client's routing rules take a marked packet over the link it is for, whatever
            // its source.
            let mark = if packet.iif == Some("eth1") { 3 } else { 1 };
            setsockopt(&fd, sockopt::Mark, &mark)?;
        }
        let any = match packet.dst {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        sockets::bind(&fd, packet.src.unwrap_or(any), packet.sport)?;
        let to = SocketAddr::new(packet.dst, packet.dport);
        let progress = match (sockets::connect(&fd, to), packet.transport) {
            (Err(Errno::EINPROGRESS), _) | (Ok(()), Transport::Tcp) => Progress::Connecting,
            (Ok(()), Transport::Udp) => send_datagram(&fd, number),
            (Err(errno), _) => Progress::Failed(Observed::Errno(name(errno))),
        };
        let mut client = Self { fd, progress };
        client.advance(number);
        Ok(client)
    }

    /// Looks what happened to the socket.
    fn advance(&mut self, number: usize) {
        match self.progress {
            Progress::Connecting => self.advance_connecting(number),
            Progress::Sent => self.advance_sent(),
            Progress::Connected | Progress::Answered | Progress::Failed(_) => {}
        }
    }

    fn advance_connecting(&mut self, number: usize) {
        let fd = self.fd.as_raw_fd();
        if socket::getpeername::<socket::SockaddrStorage>(fd).is_ok() {
            let text = number.to_string();
            // Where this fails, the server does not hear of it either.
            let _ = socket::send(fd, text.as_bytes(), MsgFlags::MSG_NOSIGNAL);
            self.progress = Progress::Connected;
            return;
        }
        // An ICMP error that comes back while connect() runs is soft: only SO_ERROR tells it
        // before the first retransmission (tcp_v4_err and tcp_v6_err, tcp_ipv4.c).
        let error = socket::getsockopt(&self.fd, sockopt::SocketError).unwrap_or(0);
        match Errno::from_raw(error) {
            _ if error == 0 => {}
            // Only a connection that stood can be reset.
            Errno::ECONNRESET => self.progress = Progress::Connected,
            errno => self.progress = Progress::Failed(Observed::Errno(name(errno))),
        }
    }

    fn advance_sent(&mut self) {
        let mut text = [0; 16];
        match socket::recv(self.fd.as_raw_fd(), &mut text, MsgFlags::empty()) {
            Ok(_) => self.progress = Progress::Answered,
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(errno) => self.progress = Progress::Failed(Observed::Errno(name(errno))),
        }
    }

    /// What to wait for; nothing once it cannot go on by itself.
    fn awaits(&self) -> Option<PollFlags> {
        match self.progress {
            Progress::Connecting => Some(PollFlags::POLLOUT),
            Progress::Sent => Some(PollFlags::POLLIN),
            Progress::Connected | Progress::Answered | Progress::Failed(_) => None,
        }
    }

    /// What became of it.
    fn ended(self, arrival: Option<&Arrival>) -> Observed {
        match (self.progress, arrival) {
            (Progress::Failed(observed), _) => observed,
            (Progress::Connected | Progress::Answered, Some(arrival)) => {
                Observed::Connected(arrival.clone())
            }
            (Progress::Connected | Progress::Answered, None) => Observed::Silent,
            (Progress::Connecting | Progress::Sent, arrival) => Observed::Nothing(arrival.cloned()),
        }
    }

    /// Whether nothing more is to be expected of it.
    fn is_over(&self, has_arrived: bool) -> bool {
        match self.progress {
            Progress::Failed(_) | Progress::Answered => true,
            Progress::Connected => has_arrived,
            Progress::Connecting | Progress::Sent => false,
        }
    }
}

/// Sends the one datagram of a UDP client.
fn send_datagram(fd: &OwnedFd, number: usize) -> Progress {
    let text = number.to_string();
    match socket::send(fd.as_raw_fd(), text.as_bytes(), MsgFlags::MSG_NOSIGNAL) {
        Ok(_) => Progress::Sent,
        Err(errno) => {
            let mut text = [0; 16];
            let later = socket::recv(fd.as_raw_fd(), &mut text, MsgFlags::empty());
            let later = later.err().filter(|&later| later != Errno::EAGAIN);
            Progress::Failed(Observed::SendError(name(errno), later.map(name)))
        }
    }
}

/// Serves and listens until all clients are done or nothing happens for as long as patience
/// lasts.
fn wait(
    clients: &mut [Client],
    servers: &mut Servers,
    patience: Patience,
) -> Result<(), WorldError> {
    let millis = u16::try_from(patience.0.as_millis()).unwrap_or(u16::MAX);
    loop {
        servers.advance();
        for (number, client) in clients.iter_mut().enumerate() {
            client.advance(number);
        }
        let over = clients
            .iter()
            .enumerate()
            .all(|(number, client)| client.is_over(servers.arrival(number).is_some()));
        if over {
            return Ok(());
        }
        let waiting = clients
            .iter()
            .filter_map(|client| Some(PollFd::new(client.fd.as_fd(), client.awaits()?)));
        let mut fds: Vec<PollFd<'_>> = waiting.chain(servers.awaited()).collect();
        let ready = poll(&mut fds, PollTimeout::from(millis))
            .map_err(|errno| WorldError::system("wait for packets")(errno.into()))?;
        if ready == 0 {
            drop(fds);
            for (number, client) in clients.iter_mut().enumerate() {
                client.advance(number);
            }
            servers.advance();
            return Ok(());
        }
    }
}

fn name(errno: Errno) -> String {
    format!("{errno:?}")
}
