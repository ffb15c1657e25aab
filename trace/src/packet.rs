//! A set of packets that are in the same situation, and what is known of each of their fields.

use std::net::IpAddr;
use std::rc::Rc;

use host::nft;
use net::{Family, Proto};

use crate::answer::{Did, RuleRef, Stage, Step};
use crate::ranges::Ranges;
use crate::value::Seg;

/// An address or a port as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fact {
    /// This value.
    Known(u128),
    /// The client's own: anything in the free dimension of the state.
    Client,
    /// A value from the first to the second that cannot be known, and why.
    Among(u128, u128, &'static str),
    /// Cannot be known, and why.
    Unknown(&'static str),
}

/// What kind of packet it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The client's SYN, or its datagram.
    First,
    /// The server's SYN-ACK, or its datagram.
    Answer,
    /// The last packet of the TCP handshake.
    Ack,
    /// One behind it.
    Data,
    /// A TCP reset, of the kernel or of a rule.
    Reset {
        /// A rule that rejects sends it.
        by_rule: bool,
    },
    /// An ICMP error with type and code.
    IcmpError(u8, u8),
}

/// Whose socket sent a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    /// None of this host's: it came in, or the kernel made it.
    Nobody,
    /// The client asked about.
    Client,
    /// A server here, run by this user and, where known, this group.
    Server(u32, Option<u32>),
}

/// The way on that routing chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Way {
    /// Index of the link; that of `lo` for this host itself.
    pub(crate) oif: u32,
    pub(crate) gateway: Option<IpAddr>,
    /// To this host itself.
    pub(crate) is_local: bool,
    /// The source address that goes with it.
    pub(crate) source: Option<IpAddr>,
}

/// The header and the metadata of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) kind: Kind,
    pub(crate) proto: Proto,
    pub(crate) src: Fact,
    pub(crate) dst: Fact,
    pub(crate) sport: Fact,
    pub(crate) dport: Fact,
    pub(crate) mark: u32,
    /// Index of the incoming link; none for packets made here.
    pub(crate) iif: Option<u32>,
    /// Index of the outgoing link as the rules of the current hook see it. After a new route
    /// in OUTPUT it stays the old one until that hook is over.
    pub(crate) oif: Option<u32>,
    /// The way that routing chose.
    pub(crate) way: Option<Way>,
    /// The link its socket is bound to.
    pub(crate) device: Option<u32>,
    /// Whose socket sent it.
    pub(crate) user: User,
    /// Came over a wire with the client's own link-layer header.
    pub(crate) from_wire: bool,
}

/// How conntrack sees a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tracking {
    /// Not looked at yet, or conntrack is off: reads as invalid.
    None,
    /// Looked at and nothing made of it.
    Invalid,
    /// Told to leave it alone.
    Untracked,
    /// Opens the connection.
    New,
    /// Belongs to it.
    Established,
    /// An error about it.
    Related,
}

/// A NAT binding of a connection, in one of the two directions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binding {
    pub(crate) addr: Fact,
    pub(crate) port: Fact,
    /// The address or port differs from what it was.
    pub(crate) changes: bool,
}

/// A connection as conntrack has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Connection {
    pub(crate) proto: Proto,
    pub(crate) src: Fact,
    pub(crate) dst: Fact,
    pub(crate) sport: Fact,
    pub(crate) dport: Fact,
    pub(crate) mark: u32,
    /// The destination binding; `None` until a hook asked.
    pub(crate) dnat: Option<Binding>,
    /// The source binding.
    pub(crate) snat: Option<Binding>,
    /// Its first packet went all the way.
    pub(crate) confirmed: bool,
    /// The server has answered.
    pub(crate) replied: bool,
    /// The handshake is complete.
    pub(crate) assured: bool,
}

/// One or more packets in the same situation: a box of client addresses and ports, and
/// everything else known.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) family: Family,
    /// The client's addresses.
    pub(crate) addr: Ranges,
    /// The client's ports.
    pub(crate) port: Ranges,
    pub(crate) packet: Packet,
    pub(crate) tracking: Tracking,
    /// The packet goes in reply direction.
    pub(crate) reply: bool,
    /// The connection, once tracked.
    pub(crate) conn: Option<Connection>,
    /// Values that map look-ups and generators put into registers, for the current rule.
    pub(crate) slots: Vec<(u8, Vec<u8>)>,
    /// A rule asked for the connection's socket, which the packet behind the handshake finds
    /// complete.
    pub(crate) half_open: bool,
    /// Keys that rules put into sets, with the set's table and name.
    pub(crate) added: Option<Rc<Added>>,
    /// What happened so far, latest first.
    pub(crate) trail: Option<Rc<Trail>>,
    /// Which way each undecidable thing went, latest first.
    pub(crate) choices: Option<Rc<Choice>>,
}

/// A key that the packet put into a set.
#[derive(Debug)]
pub(crate) struct Added {
    pub(crate) set: (usize, Rc<str>),
    /// Each field as it read when it was put there.
    pub(crate) key: Vec<Seg>,
    pub(crate) op: nft::SetOp,
    pub(crate) before: Option<Rc<Added>>,
}

/// A step, and those before it.
#[derive(Debug)]
pub(crate) struct Trail {
    pub(crate) step: Step,
    pub(crate) before: Option<Rc<Trail>>,
}

/// A branch taken at a fork, and those before it.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) fork: usize,
    pub(crate) branch: usize,
    pub(crate) before: Option<Rc<Choice>>,
}

/// The chains of both may be so long that dropping one link inside the other overflows the
/// stack.
impl Drop for Trail {
    fn drop(&mut self) {
        let mut before = self.before.take();
        while let Some(mut trail) = before.and_then(Rc::into_inner) {
            before = trail.before.take();
        }
    }
}

impl Drop for Choice {
    fn drop(&mut self) {
        let mut before = self.before.take();
        while let Some(mut choice) = before.and_then(Rc::into_inner) {
            before = choice.before.take();
        }
    }
}

impl State {
    /// The connection as the packet's rules see it: not before conntrack's look, and not if
    /// the packet is left alone.
    pub(crate) fn entry(&self) -> Option<&Connection> {
        match self.tracking {
            Tracking::New | Tracking::Established | Tracking::Related => self.conn.as_ref(),
            Tracking::None | Tracking::Invalid | Tracking::Untracked => None,
        }
    }

    /// The same, to be changed.
    pub(crate) fn entry_mut(&mut self) -> Option<&mut Connection> {
        match self.tracking {
            Tracking::New | Tracking::Established | Tracking::Related => self.conn.as_mut(),
            Tracking::None | Tracking::Invalid | Tracking::Untracked => None,
        }
    }

    /// Adds a step to the trail.
    pub(crate) fn note(&mut self, stage: Stage, rule: Option<RuleRef>, did: Did) {
        let step = Step { stage, rule, did };
        self.trail = Some(Rc::new(Trail {
            step,
            before: self.trail.take(),
        }));
    }

    /// Records which way a fork went.
    pub(crate) fn choose(&mut self, fork: usize, branch: usize) {
        self.choices = Some(Rc::new(Choice {
            fork,
            branch,
            before: self.choices.take(),
        }));
    }

    /// The steps in order.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut at = self.trail.as_ref();
        while let Some(trail) = at {
            steps.push(trail.step.clone());
            at = trail.before.as_ref();
        }
        steps.reverse();
        steps
    }

    /// The branches taken, in order.
    pub(crate) fn path(&self) -> Vec<(usize, usize)> {
        let mut path = Vec::new();
        let mut at = self.choices.as_ref();
        while let Some(choice) = at {
            path.push((choice.fork, choice.branch));
            at = choice.before.as_ref();
        }
        path.reverse();
        path
    }

    /// The values an address may have, and whether they are those of the free dimension.
    pub(crate) fn addrs(&self, fact: &Fact) -> Result<Ranges, &'static str> {
        match fact {
            Fact::Known(value) => Ok(Ranges::one(*value)),
            Fact::Client => Ok(self.addr.clone()),
            Fact::Among(_, _, why) | Fact::Unknown(why) => Err(why),
        }
    }

    /// The one address a fact stands for, if it is one.
    pub(crate) fn known_addr(&self, fact: &Fact) -> Option<u128> {
        match fact {
            Fact::Known(value) => Some(*value),
            Fact::Client => self.addr.single(),
            Fact::Among(..) | Fact::Unknown(_) => None,
        }
    }

    /// The one port a fact stands for, if it is one.
    pub(crate) fn known_port(&self, fact: &Fact) -> Option<u16> {
        let value = match fact {
            Fact::Known(value) => Some(*value),
            Fact::Client => self.port.single(),
            Fact::Among(..) | Fact::Unknown(_) => None,
        };
        value.and_then(|port| u16::try_from(port).ok())
    }

    /// An address fact as an address.
    pub(crate) fn ip(&self, fact: &Fact) -> Option<IpAddr> {
        self.known_addr(fact)
            .map(|bits| net::addr_of(self.family, bits))
    }

    /// Whether two states differ in nothing that later rules or the kernel can see.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.addr == other.addr
            && self.port == other.port
            && self.packet == other.packet
            && self.tracking == other.tracking
            && self.reply == other.reply
            && self.conn == other.conn
            && match (&self.added, &other.added) {
                (None, None) => true,
                (Some(a), Some(b)) => Rc::ptr_eq(a, b),
                _ => false,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_of_a_million_branches_goes_without_a_deep_stack() {
        let mut last: Option<Rc<Choice>> = None;
        for fork in 0..1_000_000 {
            let branch = 0;
            let before = last.take();
            last = Some(Rc::new(Choice {
                fork,
                branch,
                before,
            }));
        }
        let fork = last.map(|choice| choice.fork);
        assert_eq!(fork, Some(999_999));
    }
}
