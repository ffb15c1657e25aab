//! Sockets of this host and who holds them.

use std::net::IpAddr;

use net::Proto;

/// What a socket is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SocketState {
    /// TCP or SCTP: listens.
    Listen,
    /// TCP: bound, never listened: the kernel refuses connections to it.
    Bound,
    /// UDP: receives from anybody.
    Unconnected,
    /// TCP or UDP: connected to one peer.
    Connected,
    /// TCP: closed here, held for stragglers.
    TimeWait,
}

impl SocketState {
    /// Whether a socket in this state takes packets of clients that it does not know yet.
    pub fn waits(self) -> bool {
        match self {
            Self::Listen | Self::Unconnected => true,
            Self::Bound | Self::Connected | Self::TimeWait => false,
        }
    }
}

/// A socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    /// Transport protocol.
    pub proto: Proto,
    /// Its state.
    pub state: SocketState,
    /// Local address; the unspecified one for a wildcard.
    pub addr: IpAddr,
    /// Local port.
    pub port: u16,
    /// The peer of a connected socket.
    pub peer: Option<(IpAddr, u16)>,
    /// An IPv6 wildcard that does not take IPv4 (`IPV6_V6ONLY`).
    pub v6_only: bool,
    /// Index of the link it is bound to (`SO_BINDTODEVICE`).
    pub device: Option<u32>,
    /// User id of its creator.
    pub uid: u32,
    /// Inode number; 0 where the kernel gives none.
    pub inode: u64,
    /// `SO_MARK`, where readable.
    pub mark: Option<u32>,
    /// `IP_TRANSPARENT`, where readable.
    pub transparent: Option<bool>,
    /// Who has it open; absent where it could not be read, or where the kernel itself does.
    pub holder: Option<Holder>,
}

/// A process that holds a socket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    /// Its command name (`comm`).
    pub name: String,
    /// Its process id; absent where only a name was given.
    pub pid: Option<u32>,
    /// Its group id.
    pub gid: Option<u32>,
    /// The UID of the pod it belongs to, from its cgroup.
    pub pod_uid: Option<String>,
    /// The container id, from its cgroup.
    pub container: Option<String>,
    /// The systemd unit, from its cgroup.
    pub unit: Option<String>,
}
