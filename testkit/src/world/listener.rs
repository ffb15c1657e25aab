//! Who listens on the node.

use std::fmt;
use std::net::IpAddr;

use super::Transport;

/// What a socket of the node is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// Answers: a TCP listener, an unconnected UDP socket.
    Answers,
    /// TCP, bound without listening.
    Only,
    /// UDP, connected to this peer; answers it.
    ConnectedTo(IpAddr, u16),
}

/// A socket of the node that packets can meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its protocol.
    pub transport: Transport,
    /// Its address; the unspecified one for a wildcard.
    pub addr: IpAddr,
    /// Its port.
    pub port: u16,
    /// Of an IPv6 socket: takes IPv6 only.
    pub v6_only: bool,
    /// The link it is bound to.
    pub device: Option<&'static str>,
    /// What it is doing.
    pub bound: Bound,
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.transport, self.addr, self.port)?;
        if self.v6_only {
            f.write_str(" v6only")?;
        }
        if let Some(device) = self.device {
            write!(f, " on {device}")?;
        }
        match &self.bound {
            Bound::Answers => Ok(()),
            Bound::Only => f.write_str(" bound only"),
            Bound::ConnectedTo(addr, port) => write!(f, " connected to {addr} {port}"),
        }
    }
}
