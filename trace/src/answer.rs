//! What is answered: regions of sources, and for each the ways a connection can end.

use std::net::IpAddr;

use host::xt::RejectWith;
use host::{Gap, Hook, Socket};
use net::{Endpoint, Family, Prefix, ServiceName};

/// The kind of source an answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum From {
    /// From links that lead to no pod.
    Outside,
    /// From a pod of this node.
    Pod,
    /// From a process of this host.
    Local,
}

/// Sources that end alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Their kind.
    pub from: From,
    /// The interface their packets come in on; absent for local ones.
    pub iif: Option<String>,
    /// All of them: address ranges, both ends included, sorted and apart.
    pub region: Region,
    /// Every way a connection from there can end.
    pub outcomes: Vec<Outcome>,
    /// What was taken for granted and mattered, each in one sentence.
    pub assumed: Vec<String>,
}

/// A set of source addresses of one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// The family.
    pub family: Family,
    /// Ranges of address numbers, both ends included, sorted, with gaps between.
    pub ranges: Vec<(u128, u128)>,
}

impl Region {
    /// The lowest address.
    pub fn first(&self) -> Option<IpAddr> {
        self.ranges
            .first()
            .map(|&(first, _)| net::addr_of(self.family, first))
    }

    /// Whether `addr` is in it.
    pub fn contains(&self, addr: IpAddr) -> bool {
        let bits = net::addr_bits(addr);
        Family::of(addr) == self.family
            && self
                .ranges
                .iter()
                .any(|&(first, last)| (first..=last).contains(&bits))
    }

    /// The fewest prefixes that cover exactly this set, ascending.
    pub fn prefixes(&self) -> Vec<Prefix> {
        let mut prefixes = Vec::new();
        for &(first, last) in &self.ranges {
            push_prefixes(self.family, first, last, &mut prefixes);
        }
        prefixes
    }
}

/// Splits a range into aligned blocks, largest first from the low end.
fn push_prefixes(family: Family, mut first: u128, last: u128, out: &mut Vec<Prefix>) {
    let width = u32::from(family.bits());
    loop {
        let mut host_bits = first.trailing_zeros().min(width);
        while host_bits > 0 && (host_bits > 127 || last - first < (1 << host_bits) - 1) {
            if host_bits == 128 && last - first == u128::MAX {
                break;
            }
            host_bits -= 1;
        }
        let len = u8::try_from(width - host_bits).expect("a prefix length is at most 128");
        let block = Prefix::containing(net::addr_of(family, first), len);
        out.push(block);
        if block.last() >= last {
            return;
        }
        first = block.last() + 1;
    }
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Reached a socket of this host.
    Delivered,
    /// Left this host for [`Outcome::to`].
    Forwarded,
    /// Answered so that connect() gives ECONNREFUSED.
    Refused,
    /// Answered with another error.
    Rejected,
    /// Discarded without an answer, or the answer cannot reach the client.
    Dropped,
    /// Depends on a gap.
    Unknown,
}

/// What the client sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Client {
    /// The connection stands (TCP), or an answer can come (UDP).
    Connected,
    /// Whatever the machine at [`Outcome::to`] does.
    WhateverAnswers,
    /// `connect()` succeeds, and then nothing arrives.
    Silent,
    /// No answer.
    Timeout,
    /// An error of `connect()`, or of a connected UDP socket: its name.
    Errno(&'static str),
    /// Not known.
    Unknown,
}

/// Why a connection ended so, for those who word it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// A socket of this host takes it.
    Socket,
    /// It leaves over a link.
    Leaves,
    /// A rule's verdict, the last step of the trace: drop.
    RuleDrops,
    /// A rule rejects with this.
    RuleRejects(RejectWith),
    /// The policy of the base chain named by the last step.
    PolicyDrops,
    /// Nothing listens on the address and port it arrives at.
    NothingListens,
    /// A socket is bound there but does not listen.
    BoundOnly,
    /// No route to the destination.
    NoRoute,
    /// A route says blackhole.
    Blackhole,
    /// A route says unreachable.
    Unreachable,
    /// A route says prohibit.
    Prohibited,
    /// The packet would be forwarded and forwarding is off on that interface.
    ForwardingOff,
    /// The source does not route back over the interface it came from.
    ReversePath,
    /// A source or destination that the kernel refuses on that interface.
    Martian,
    /// A broadcast or multicast destination: no connection can be.
    NotUnicast,
    /// The answer comes from another address or port than the client asked.
    WrongSource,
    /// The answer of the server is lost; the inner cause says how, its steps are in the
    /// trace behind the request's.
    AnswerLost(Box<Cause>),
    /// The packet behind the handshake is lost.
    HandshakeLost(Box<Cause>),
    /// A gap decides.
    Gap,
}

/// One way a connection can end.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The share of connections that end so; absent where the chance is not known.
    pub share: Option<f64>,
    /// On what it depends, in words, where it does: `while fewer than 5 a second`.
    pub when: Option<String>,
    /// How it ends.
    pub verdict: Verdict,
    /// What the client sees.
    pub client: Client,
    /// Why.
    pub cause: Cause,
    /// Where the packet ends up after translation, if it is delivered or forwarded.
    pub to: Option<Endpoint>,
    /// The link it leaves by, if it is forwarded.
    pub oif: Option<String>,
    /// The source address the server sees, if it is not the client's own.
    pub seen_source: Option<IpAddr>,
    /// Whether the source was translated.
    pub masquerade: bool,
    /// The socket this connection is about: the one it reached, or the one it would have
    /// reached at the address and port the client asked for.
    pub server: Option<Server>,
    /// The Service in whose name it was taken, where a rule tells.
    pub service: Option<ServiceName>,
    /// What happened, in packet order; the first `request` of them to the first packet, the
    /// rest to the answer and what follows.
    pub steps: Vec<Step>,
    /// How many of the steps belong to the first packet.
    pub request: usize,
    /// What was not known and decided; only [`Verdict::Unknown`] has these.
    pub gaps: Vec<Gap>,
}

impl Outcome {
    /// The last thing that a rule or the kernel decided, which explains the end.
    pub fn deciding(&self) -> Option<&Step> {
        let decides = |step: &&Step| {
            matches!(
                step.did,
                Did::Drop | Did::Reject(_) | Did::Stops(_) | Did::Queue
            )
        };
        self.steps.iter().rev().find(decides).or(self.steps.last())
    }

    /// The step that ended a connection; where it got somewhere, no step did.
    pub fn ended_at(&self) -> Option<&Step> {
        match self.verdict {
            Verdict::Delivered | Verdict::Forwarded | Verdict::Unknown => None,
            Verdict::Refused | Verdict::Rejected | Verdict::Dropped => self.deciding(),
        }
    }

    /// Whether two outcomes are one as far as a client and the deciding rule go, wherever
    /// they lead to.
    pub fn ends_like(&self, other: &Self) -> bool {
        let share = match (self.share, other.share) {
            (Some(a), Some(b)) => (a - b).abs() < 1e-9,
            (None, None) => true,
            _ => false,
        };
        let at = |o: &Self| {
            o.ended_at()
                .map(|step| (step.rule.clone(), step.did.clone()))
        };
        share
            && (self.verdict, self.client) == (other.verdict, other.client)
            && (&self.cause, &self.server) == (&other.cause, &other.server)
            && (&self.service, &self.when) == (&other.service, &other.when)
            && self.gaps == other.gaps
            && at(self) == at(other)
    }
}

/// A listener, and whether the connection gets there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The socket.
    pub socket: Socket,
    /// Whether it was reached.
    pub reached: bool,
}

/// A place in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Arrival on an interface, or the sending process.
    Start,
    /// A netfilter hook.
    Hook(Hook),
    /// Route look-up.
    Routing,
    /// Socket look-up.
    Socket,
    /// Departure over an interface.
    Leave,
}

/// One thing that happened to a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Where.
    pub stage: Stage,
    /// The rule, where it was one.
    pub rule: Option<RuleRef>,
    /// What happened.
    pub did: Did,
}

/// A rule or a base chain's policy, by place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleRef {
    /// Index of the table in [`host::Ruleset::tables`].
    pub table: usize,
    /// Index of the chain in its table.
    pub chain: usize,
    /// Index of the rule in its chain; absent for the chain's policy.
    pub rule: Option<usize>,
}

/// What a step did.
#[expect(missing_docs, reason = "the fields say it by name and type")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Did {
    /// The packet came in on this interface.
    Arrives { iif: String },
    /// A process here sent it, from this address.
    Sent { source: Option<IpAddr> },
    /// It looped back over `lo`.
    LoopsBack,
    /// Routing: the destination is this host.
    RoutedLocal { addr: IpAddr },
    /// Routing: out over a link, by a gateway or directly.
    Routed {
        oif: String,
        gateway: Option<IpAddr>,
        preferred_source: Option<IpAddr>,
    },
    /// A jump to a chain.
    Jump { chain: String },
    /// A goto.
    Goto { chain: String },
    /// A return to the calling chain.
    Return,
    /// A rule or the policy accepted it in this base chain.
    Accept,
    /// Dropped.
    Drop,
    /// Rejected.
    Reject(RejectWith),
    /// The destination became this.
    Dnat { addr: IpAddr, port: u16 },
    /// The source became this.
    Snat {
        addr: Option<IpAddr>,
        masquerade: bool,
    },
    /// The packet mark became this.
    Mark { mark: u32 },
    /// The connection's mark became this.
    CtMark { mark: u32 },
    /// Conntrack leaves it alone.
    Notrack,
    /// Handed to user space.
    Queue,
    /// A socket takes it.
    Delivered,
    /// It leaves over a link.
    Leaves { oif: String },
    /// The kernel answers or discards by itself: the cause says why.
    Stops(Cause),
    /// From here on the answer of the server, or of the kernel, is followed.
    AnswerStarts,
    /// From here on the last packet of the handshake is followed.
    AckStarts,
}
