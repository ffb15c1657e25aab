//! The connections that are tried.

use std::fmt;
use std::net::IpAddr;

use super::Place;

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// One connection attempt: `connect()`, or a datagram from a connected socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Its protocol.
    pub transport: Transport,
    /// Where the client is.
    pub place: Place,
    /// The node's link it comes in on; absent for the node's own.
    pub iif: Option<&'static str>,
    /// The client's address; absent: the node picks it.
    pub src: Option<IpAddr>,
    /// The client's port, different for every packet of a host.
    pub sport: u16,
    /// Where it connects to.
    pub dst: IpAddr,
    /// The port it connects to.
    pub dport: u16,
    /// The client's user.
    pub uid: u32,
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {:?}", self.transport, self.place)?;
        if let Some(iif) = self.iif {
            write!(f, " over {iif}")?;
        }
        match self.src {
            Some(src) => write!(f, " {src}")?,
            None => f.write_str(" unbound")?,
        }
        write!(f, " {} to {} {}", self.sport, self.dst, self.dport)?;
        if self.uid != 0 {
            write!(f, " as user {}", self.uid)?;
        }
        Ok(())
    }
}
