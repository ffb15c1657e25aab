//! Connections that the kernel tracks.

use std::net::IpAddr;

use net::{Endpoint, Proto};

/// One direction of a tracked connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConntrackTuple {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// Source port.
    pub sport: u16,
    /// Destination port.
    pub dport: u16,
}

/// A tracked connection: an entry of `conntrack -L`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Transport protocol.
    pub proto: Proto,
    /// As the client sent it.
    pub original: ConntrackTuple,
    /// As the answer comes back.
    pub reply: ConntrackTuple,
    /// `IPS_*` bits (nf_conntrack_common.h): 2 seen reply, 0x10 SNAT, 0x20 DNAT.
    pub status: u32,
    /// The connection's mark.
    pub mark: u32,
    /// The conntrack zone.
    pub zone: u16,
}

/// Tracked connections, in an order in which those to one destination are found at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connections(Vec<Connection>);

impl Connections {
    /// Puts connections in order; those to one destination stay in theirs.
    pub fn of(mut all: Vec<Connection>) -> Self {
        all.sort_by_key(key);
        Self(all)
    }

    /// Those that a client opened to an address and port, before any translation.
    pub fn to(&self, proto: Proto, to: Endpoint) -> &[Connection] {
        let wanted = (proto, to.port, to.addr);
        let start = self.0.partition_point(|one| key(one) < wanted);
        let rest = &self.0[start..];
        &rest[..rest.partition_point(|one| key(one) == wanted)]
    }

    /// All of them.
    pub fn as_slice(&self) -> &[Connection] {
        &self.0
    }
}

fn key(connection: &Connection) -> (Proto, u16, IpAddr) {
    let original = &connection.original;
    (connection.proto, original.dport, original.dst)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(to: &str, sport: u16) -> Connection {
        let to: Endpoint = to.parse().unwrap();
        let tuple = ConntrackTuple {
            src: IpAddr::from([192, 0, 2, 9]),
            dst: to.addr,
            sport,
            dport: to.port,
        };
        Connection {
            proto: Proto::TCP,
            original: tuple.clone(),
            reply: tuple,
            status: 0,
            mark: 0,
            zone: 0,
        }
    }

    #[test]
    fn connections_are_found_by_where_they_were_opened_to() {
        let (a, b) = ("192.0.2.1:80", "192.0.2.2:80");
        let all = [(b, 1), (a, 2), ("192.0.2.1:443", 3), (b, 4)];
        let all = Connections::of(all.map(|(to, sport)| connection(to, sport)).to_vec());
        let sports = |proto, to: &str| -> Vec<u16> {
            let found = all.to(proto, to.parse().unwrap()).iter();
            found.map(|one| one.original.sport).collect()
        };
        assert_eq!(sports(Proto::TCP, a), [2]);
        assert_eq!(sports(Proto::TCP, b), [1, 4]);
        assert_eq!(sports(Proto::UDP, b), [0; 0]);
        assert_eq!(sports(Proto::TCP, "192.0.2.3:80"), [0; 0]);
    }
}
