//! Rules of iptables: matches and targets, as text and as the kernel's structs say them.
//!
//! The meaning of each is in iptables-extensions(8); traps are in the case files.

mod matches;
mod targets;

pub use matches::{
    AddrType, AddrTypes, ConntrackBits, ConntrackMatch, IfaceName, IpRange, LimitMatch, MaskedAddr,
    Match, Multiport, Not, Owner, Physdev, Policy, PortRange, PortSide, Recent, RecentAction,
    RpFilter, SetDirections, SetMatch, SocketMatch, Statistic, TcpFlags, TransportMatch,
};
pub use targets::{CtMarkMode, NatRange, RejectWith, Target};

/// A rule: every match must hold, then the target acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The tests, in the order in which the kernel makes them.
    pub matches: Vec<Match>,
    /// What the rule does; a rule without target counts only.
    pub target: Target,
}
