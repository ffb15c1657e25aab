//! What an xt rule can test.

use std::net::IpAddr;

use net::Proto;

/// A value with the `!` that may stand before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Not<T> {
    /// The test is inverted.
    pub not: bool,
    /// What is tested.
    pub value: T,
}

impl<T> Not<T> {
    /// The plain test.
    pub fn is(value: T) -> Self {
        Self { not: false, value }
    }

    /// The inverted test.
    pub fn is_not(value: T) -> Self {
        Self { not: true, value }
    }
}

/// An address under a mask; masks need not be prefixes. Bits outside the mask are clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaskedAddr {
    /// The address, masked.
    pub addr: IpAddr,
    /// The mask, of the same family.
    pub mask: IpAddr,
}

/// An interface name, exact or a prefix (`eth+`). `+` alone is an empty prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IfaceName {
    /// The name or its beginning, without the `+`.
    pub name: Box<str>,
    /// Any name that begins so.
    pub is_prefix: bool,
}

/// Ports from the first to the second, both included.
pub type PortRange = (u16, u16);

/// `--tcp-flags MASK COMP`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpFlags {
    /// Flags looked at (FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32).
    pub mask: u8,
    /// Of these, the ones that must be set.
    pub set: u8,
}

/// `-m tcp`, `-m udp`, `-m sctp`, `-m dccp`, `-m udplite`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TransportMatch {
    /// `--sport`.
    pub sport: Option<Not<PortRange>>,
    /// `--dport`.
    pub dport: Option<Not<PortRange>>,
    /// `--tcp-flags`; TCP only.
    pub flags: Option<Not<TcpFlags>>,
    /// `--tcp-option`; TCP only.
    pub option: Option<Not<u8>>,
}

/// Which port `multiport` looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortSide {
    /// `--sports`.
    Source,
    /// `--dports`.
    Destination,
    /// `--ports`: either of the two.
    Either,
}

/// `-m multiport`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Multiport {
    /// The port looked at.
    pub side: PortSide,
    /// The list; at most 15 slots.
    pub ports: Vec<PortRange>,
    /// Inverted.
    pub not: bool,
}

/// A set of bits under `!`.
pub type ConntrackBits = Not<u32>;

/// `-m conntrack` and `-m state`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConntrackMatch {
    /// `--ctstate`: INVALID 1, ESTABLISHED 2, RELATED 4, NEW 8, SNAT 0x40, DNAT 0x80,
    /// UNTRACKED 0x100 (`xt_conntrack.h`).
    pub state: Option<ConntrackBits>,
    /// `--ctproto`.
    pub proto: Option<Not<Proto>>,
    /// `--ctorigsrc`.
    pub orig_src: Option<Not<MaskedAddr>>,
    /// `--ctorigdst`.
    pub orig_dst: Option<Not<MaskedAddr>>,
    /// `--ctreplsrc`.
    pub reply_src: Option<Not<MaskedAddr>>,
    /// `--ctrepldst`.
    pub reply_dst: Option<Not<MaskedAddr>>,
    /// `--ctorigsrcport`.
    pub orig_sport: Option<Not<PortRange>>,
    /// `--ctorigdstport`.
    pub orig_dport: Option<Not<PortRange>>,
    /// `--ctreplsrcport`.
    pub reply_sport: Option<Not<PortRange>>,
    /// `--ctrepldstport`.
    pub reply_dport: Option<Not<PortRange>>,
    /// `--ctstatus`: `IPS_*` bits: EXPECTED 1, SEEN_REPLY 2, ASSURED 4, CONFIRMED 8.
    pub status: Option<ConntrackBits>,
    /// `--ctexpire`, seconds.
    pub expire: Option<Not<(u32, u32)>>,
    /// `--ctdir REPLY` (true) or `ORIGINAL` (false).
    pub reply_direction: Option<bool>,
    /// Written as `-m state`.
    pub written_as_state: bool,
}

/// What `addrtype` calls an address, by its `RTN_*` number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum AddrType {
    /// Unspecified.
    Unspec = 0,
    /// Unicast.
    Unicast = 1,
    /// An address of this host.
    Local = 2,
    /// Broadcast.
    Broadcast = 3,
    /// Anycast.
    Anycast = 4,
    /// Multicast.
    Multicast = 5,
    /// A blackhole route leads there.
    Blackhole = 6,
    /// An unreachable route leads there.
    Unreachable = 7,
    /// A prohibit route leads there.
    Prohibit = 8,
    /// A throw route leads there.
    Throw = 9,
    /// A NAT route leads there; never on a modern kernel.
    Nat = 10,
    /// External resolution; never on a modern kernel.
    Xresolve = 11,
}

/// `-m addrtype`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddrTypes {
    /// `--src-type`: bits `1 << AddrType`.
    pub src: Option<Not<u16>>,
    /// `--dst-type`.
    pub dst: Option<Not<u16>>,
    /// `--limit-iface-in`.
    pub limit_iface_in: bool,
    /// `--limit-iface-out`.
    pub limit_iface_out: bool,
}

/// `-m limit`: true while the rate is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitMatch {
    /// `10000 * seconds / rate`: the cost of one packet in ten-thousandths of a second.
    pub cost: u32,
    /// `--limit-burst`.
    pub burst: u32,
}

/// What `recent` does with its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecentAction {
    /// `--set`: puts the address in; true.
    Set,
    /// `--rcheck`: true if it is there.
    Check,
    /// `--update`: as check, and renews it.
    Update,
    /// `--remove`: takes it out; true if it was there.
    Remove,
}

/// `-m recent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recent {
    /// `--name`.
    pub name: Box<str>,
    /// What it does.
    pub action: RecentAction,
    /// Inverted.
    pub not: bool,
    /// `--seconds`; 0 = not asked.
    pub seconds: u32,
    /// `--hitcount`; 0 = not asked.
    pub hit_count: u32,
    /// `--rdest` rather than `--rsource`.
    pub by_destination: bool,
    /// `--reap`.
    pub reap: bool,
    /// `--rttl`.
    pub ttl: bool,
    /// `--mask`.
    pub mask: IpAddr,
}

/// `-m statistic`.
#[expect(missing_docs, reason = "the fields say it by name and type")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// `--mode random --probability p`: `p * 2^31`.
    Random { probability: u32, not: bool },
    /// `--mode nth --every n --packet k`.
    Nth { every: u32, packet: u32, not: bool },
}

/// The directions of `-m set`, one for each dimension: true for source.
pub type SetDirections = Vec<bool>;

/// `-m set --match-set`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetMatch {
    /// The set's name; `None` where the kernel gave an index that nobody could resolve.
    pub name: Option<Box<str>>,
    /// The index, where read from the kernel.
    pub index: Option<u16>,
    /// The directions.
    pub from_source: SetDirections,
    /// Inverted.
    pub not: bool,
    /// `--return-nomatch`.
    pub return_nomatch: bool,
    /// Tests on packet or byte counters stand with it: the answer depends on traffic.
    pub counts: bool,
}

/// `-m iprange`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IpRange {
    /// `--src-range`.
    pub src: Option<Not<(IpAddr, IpAddr)>>,
    /// `--dst-range`.
    pub dst: Option<Not<(IpAddr, IpAddr)>>,
}

/// `-m physdev`: the ports of a bridge that a bridged packet comes in and goes out by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Physdev {
    /// `--physdev-in`.
    pub input: Option<Not<IfaceName>>,
    /// `--physdev-out`.
    pub output: Option<Not<IfaceName>>,
    /// `--physdev-is-in`.
    pub is_in: Option<Not<()>>,
    /// `--physdev-is-out`.
    pub is_out: Option<Not<()>>,
    /// `--physdev-is-bridged`.
    pub is_bridged: Option<Not<()>>,
}

impl Physdev {
    /// Whether every test is inverted: so it holds for packets that are not bridged
    /// (xt_physdev.c, physdev_mt).
    pub fn holds_unbridged(&self) -> bool {
        let names = [&self.input, &self.output]
            .into_iter()
            .flatten()
            .map(|name| name.not);
        let bits = [self.is_in, self.is_out, self.is_bridged];
        names
            .chain(bits.into_iter().flatten().map(|bit| bit.not))
            .all(|not| not)
    }
}

/// `-m owner`: lowest and highest id of the sender's user and group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Owner {
    /// `--uid-owner`.
    pub uid: Option<Not<(u32, u32)>>,
    /// `--gid-owner`.
    pub gid: Option<Not<(u32, u32)>>,
}

impl Owner {
    /// Whether every test is inverted: so it holds for packets that no socket sent
    /// (xt_owner.c, owner_mt).
    pub fn holds_unowned(&self) -> bool {
        [self.uid, self.gid].into_iter().flatten().all(|id| id.not)
    }
}

/// `-m rpfilter`: whether the way back to the source leads over the incoming interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RpFilter {
    /// `--loose`: over any.
    pub loose: bool,
    /// `--validmark`: with the packet's mark.
    pub valid_mark: bool,
    /// `--invert`: whether it does not.
    pub invert: bool,
}

/// `-m socket`: whether a socket of this host goes with the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SocketMatch {
    /// `--transparent`: one that may stand for foreign addresses (`IP_TRANSPARENT`).
    pub transparent: bool,
    /// `--nowildcard`: those bound to every address count too.
    pub no_wildcard: bool,
    /// `--restore-skmark`: the packet gets the socket's mark.
    pub restore_mark: bool,
}

/// `-m policy` without a word on single transformations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// `--dir out` rather than `in`.
    pub outgoing: bool,
    /// `--pol ipsec` rather than `none`.
    pub ipsec: bool,
}

/// One test of an xt rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// `-s`.
    Src(Not<MaskedAddr>),
    /// `-d`.
    Dst(Not<MaskedAddr>),
    /// `-i`.
    In(Not<IfaceName>),
    /// `-o`.
    Out(Not<IfaceName>),
    /// `-p`.
    Proto(Not<Proto>),
    /// `-f`: a fragment that is not the first.
    Fragment(Not<()>),
    /// `-m tcp`.
    Tcp(Box<TransportMatch>),
    /// `-m udp`.
    Udp(Box<TransportMatch>),
    /// `-m sctp`, ports only.
    Sctp(Box<TransportMatch>),
    /// `-m icmp`, `-m icmp6`: type (255 in IPv4: any) and codes.
    Icmp(Not<(u8, (u8, u8))>),
    /// `-m multiport`.
    Multiport(Box<Multiport>),
    /// `-m conntrack`, `-m state`.
    Conntrack(Box<ConntrackMatch>),
    /// `-m addrtype`.
    AddrType(Box<AddrTypes>),
    /// `-m mark`: value and mask.
    Mark(Not<(u32, u32)>),
    /// `-m connmark`: value and mask.
    Connmark(Not<(u32, u32)>),
    /// `-m comment`.
    Comment(Box<str>),
    /// `-m limit`.
    Limit(LimitMatch),
    /// `-m recent`.
    Recent(Box<Recent>),
    /// `-m statistic`.
    Statistic(Statistic),
    /// `-m set`.
    Set(Box<SetMatch>),
    /// `-m iprange`.
    IpRange(Box<IpRange>),
    /// `-m mac --mac-source`.
    Mac(Not<[u8; 6]>),
    /// `-m physdev`.
    Physdev(Box<Physdev>),
    /// `-m owner`.
    Owner(Owner),
    /// `-m pkttype`: 0 unicast, 1 broadcast, 2 multicast.
    PktType(Not<u32>),
    /// `-m rpfilter`.
    RpFilter(RpFilter),
    /// `-m socket`.
    Socket(SocketMatch),
    /// `-m policy`.
    Policy(Policy),
    /// `-m ipvs --ipvs`: IPVS has handled the packet.
    Ipvs(Not<()>),
    /// A match that is not modelled: its name, and its options as far as known.
    Gap {
        /// `hashlimit`, `string`, …
        name: Box<str>,
        /// Its options as written; empty where read from the kernel.
        options: Box<str>,
    },
}
