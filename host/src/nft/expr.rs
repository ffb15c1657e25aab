//! Expressions, the instructions of an nftables rule.

use net::Family;

use crate::xt;

/// A register: the number of its first 32-bit word, 0 to 15. A value takes as many words as
/// its length needs; 4, 8 and 12 are where the 16-byte registers 2, 3 and 4 begin.
pub type Register = u8;

/// How two values are compared, byte by byte from the front.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CmpOp {
    /// Equal.
    Eq,
    /// Not equal.
    Neq,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
}

/// Which header a payload expression reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PayloadBase {
    /// Link layer.
    Link,
    /// IP.
    Network,
    /// TCP, UDP, ICMP, ….
    Transport,
    /// Data behind the transport header.
    Inner,
}

/// Keys of `meta` (`NFT_META_*`) that have a meaning here; others stay as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetaKey {
    /// Packet length.
    Len,
    /// Ethernet protocol.
    Protocol,
    /// `SO_PRIORITY`, the traffic class.
    Priority,
    /// Packet mark.
    Mark,
    /// Index of the incoming interface.
    Iif,
    /// Index of the outgoing interface.
    Oif,
    /// Name of the incoming interface.
    IifName,
    /// Name of the outgoing interface.
    OifName,
    /// Hardware type of the incoming interface.
    IifType,
    /// Hardware type of the outgoing interface.
    OifType,
    /// User id of the sending socket.
    SkUid,
    /// Group id of the sending socket.
    SkGid,
    /// Whether the packet is traced.
    NfTrace,
    /// `NFPROTO_*`: 2 IPv4, 10 IPv6.
    NfProto,
    /// Transport protocol, behind IPv6 extension headers.
    L4Proto,
    /// Unicast, broadcast or multicast at the link layer.
    PktType,
    /// Group of the incoming interface.
    IifGroup,
    /// Group of the outgoing interface.
    OifGroup,
    /// Any other, by its number.
    Other(u32),
}

/// Keys of `ct` (`NFT_CT_*`) that have a meaning here; others stay as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CtKey {
    /// State bits: invalid 1, established 2, related 4, new 8, untracked 64.
    State,
    /// 0 original, 1 reply.
    Direction,
    /// `IPS_*` bits.
    Status,
    /// Mark.
    Mark,
    /// `NFPROTO_*` of the connection.
    L3Proto,
    /// Transport protocol.
    Protocol,
    /// Source address of a direction (keys 8, 19, 21), of connections of one family; the old
    /// key 8 is for the family of its table.
    Src(Option<Family>),
    /// Destination address of a direction (keys 9, 20, 22), likewise.
    Dst(Option<Family>),
    /// Source port of a direction.
    SrcPort,
    /// Destination port of a direction.
    DstPort,
    /// Zone.
    Zone,
    /// Any other, by its number.
    Other(u32),
}

/// What a bitwise expression does with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BitOp {
    /// `(value & mask) ^ xor`.
    MaskXor {
        /// Kept bits.
        mask: Box<[u8]>,
        /// Flipped bits.
        xor: Box<[u8]>,
    },
    /// Shifted left by this many bits.
    ShiftLeft(u32),
    /// Shifted right.
    ShiftRight(u32),
    /// Bit by bit with another register.
    With {
        /// `NFT_BITWISE_AND` 3, `OR` 4, `XOR` 5.
        op: u32,
        /// The other register.
        sreg2: Register,
    },
}

/// A verdict.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Ends this base chain.
    Accept,
    /// Discards the packet.
    Drop,
    /// Goes on with the next rule.
    Continue,
    /// Ends this rule.
    Break,
    /// Back to the chain it came from.
    Return,
    /// To a chain and back.
    Jump(Box<str>),
    /// To a chain for good.
    Goto(Box<str>),
    /// To a program in user space.
    Queue,
}

/// The direction of a `nat` expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NatKind {
    /// Source.
    Snat,
    /// Destination.
    Dnat,
}

/// `dnat`, `snat`. Absent registers leave that part as it is; a maximum equals its minimum
/// where only one was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nat {
    /// Its direction.
    pub kind: NatKind,
    /// IPv6 addresses rather than IPv4.
    pub is_v6: bool,
    /// Registers with the lowest and highest address.
    pub addr: Option<(Register, Register)>,
    /// Registers with the lowest and highest port.
    pub port: Option<(Register, Register)>,
    /// `NF_NAT_RANGE_*`: 4 random, 8 persistent, 0x10 fully random, 0x40 netmap.
    pub flags: u32,
}

/// `reject`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reject {
    /// One ICMP code of the packet's family, by number (see [`xt::RejectWith`]).
    Icmp(u8),
    /// A TCP reset.
    TcpReset,
    /// A code of both families: 0 no route, 1 port, 2 host, 3 administratively prohibited.
    Icmpx(u8),
}

/// What a `fib` look-up gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FibResult {
    /// Index of the outgoing interface.
    Oif,
    /// Its name.
    OifName,
    /// `RTN_*`.
    AddrType,
}

/// What a `fib` look-up asks for: bits of `NFTA_FIB_F_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FibFlags(pub u32);

impl FibFlags {
    /// The source address.
    pub const SADDR: u32 = 1;
    /// The destination address.
    pub const DADDR: u32 = 2;
    /// With the packet's mark.
    pub const MARK: u32 = 4;
    /// Only over the incoming interface.
    pub const IIF: u32 = 8;
    /// Only over the outgoing interface.
    pub const OIF: u32 = 16;
    /// The result is whether there is one.
    pub const PRESENT: u32 = 32;

    /// Whether `bit` is set.
    pub fn has(self, bit: u32) -> bool {
        self.0 & bit != 0
    }
}

/// What a `socket` expression reads of the socket that goes with a packet
/// (`NFT_SOCKET_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SocketKey {
    /// `transparent`: 1 where it may stand for foreign addresses.
    Transparent,
    /// `mark`: its mark.
    Mark,
    /// `wildcard`: 1 where it is bound to every address.
    Wildcard,
    /// `cgroupv2`: its cgroup.
    Cgroup,
}

/// How `numgen` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NumgenKind {
    /// One after the other.
    Incremental,
    /// By chance.
    Random,
}

/// What a `dynset` does with its set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SetOp {
    /// Adds if it is not there.
    Add,
    /// Adds, or renews the time-out.
    Update,
    /// Deletes.
    Delete,
}

/// `limit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Limit {
    /// Packets or bytes in a unit of time.
    pub rate: u64,
    /// The unit, in seconds.
    pub unit: u64,
    /// Burst.
    pub burst: u32,
    /// Bytes rather than packets.
    pub bytes: bool,
    /// True beyond the rate.
    pub over: bool,
}

/// One expression. Those that read put their value into `dreg`; those that test end the rule
/// when they fail; an expression that cannot be computed ends it too.
#[expect(missing_docs, reason = "the fields say it by name and type")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    /// Reads `len` bytes of a header.
    Payload {
        dreg: Register,
        base: PayloadBase,
        offset: u32,
        len: u32,
    },
    /// Writes `len` bytes of a header.
    PayloadSet {
        sreg: Register,
        base: PayloadBase,
        offset: u32,
        len: u32,
    },
    /// Reads `meta`.
    Meta { dreg: Register, key: MetaKey },
    /// Writes `meta`.
    MetaSet { sreg: Register, key: MetaKey },
    /// Reads `ct`; `reply` where the key has a direction.
    Ct {
        dreg: Register,
        key: CtKey,
        reply: Option<bool>,
    },
    /// Writes `ct`.
    CtSet { sreg: Register, key: CtKey },
    /// Compares the first `data.len()` bytes of a register.
    Cmp {
        sreg: Register,
        op: CmpOp,
        data: Box<[u8]>,
    },
    /// Tests that a register lies in a range, or does not.
    Range {
        sreg: Register,
        not: bool,
        first: Box<[u8]>,
        last: Box<[u8]>,
    },
    /// Computes with bits.
    Bitwise {
        sreg: Register,
        dreg: Register,
        len: u32,
        op: BitOp,
    },
    /// Swaps each `size` bytes of `len` between host and network order.
    Byteorder {
        sreg: Register,
        dreg: Register,
        len: u32,
        size: u32,
    },
    /// Looks a key up. In a set: tests it, `not` inverts. In a map: `dreg` gets the value;
    /// in a verdict map the verdict is given (`to_verdict`).
    Lookup {
        set: Box<str>,
        sreg: Register,
        dreg: Option<Register>,
        to_verdict: bool,
        not: bool,
    },
    /// Puts bytes into a register.
    Immediate { dreg: Register, data: Box<[u8]> },
    /// Gives a verdict.
    Verdict(Verdict),
    /// `dnat`, `snat`.
    Nat(Nat),
    /// `masquerade`, with registers of the lowest and highest port.
    Masquerade {
        port: Option<(Register, Register)>,
        flags: u32,
    },
    /// `redirect`, with registers of the lowest and highest port.
    Redirect {
        port: Option<(Register, Register)>,
        flags: u32,
    },
    /// `reject`.
    Reject(Reject),
    /// `fib`.
    Fib {
        dreg: Register,
        result: FibResult,
        flags: FibFlags,
    },
    /// `socket`.
    Socket { dreg: Register, key: SocketKey },
    /// `numgen`: `offset + n`, n below `modulus`.
    Numgen {
        dreg: Register,
        kind: NumgenKind,
        modulus: u32,
        offset: u32,
    },
    /// Changes a set from the packet path; the rule goes on unless a statement stops it.
    Dynset {
        /// The set.
        set: Box<str>,
        /// What is done.
        op: SetOp,
        /// The key's register.
        sreg_key: Register,
        /// The value's register, in a map.
        sreg_data: Option<Register>,
        /// How long the element stays, in milliseconds, where the rule says it.
        timeout: Option<u64>,
        /// Statements that the element carries.
        exprs: Vec<Expr>,
    },
    /// `limit`.
    Limit(Limit),
    /// `notrack`.
    Notrack,
    /// `queue`: first and last queue, whether packets pass where no program listens, and
    /// whether the processor picks the queue.
    Queue {
        num: u16,
        last: u16,
        bypass: bool,
        fanout: bool,
    },
    /// Counts, logs, traces: changes nothing that a rule can see. The text is the whole
    /// statement, or in brackets the name of one that is not modelled.
    Pass(Box<str>),
    /// An xt match in a compat rule.
    Match(xt::Match),
    /// An xt target in a compat rule.
    Target(xt::Target),
    /// The rest of a rule in a text, which was not understood: it may do anything.
    Unread(Box<str>),
    /// Not modelled, by the kernel's name; where it writes a register, which one.
    Gap {
        name: Box<str>,
        dreg: Option<Register>,
    },
}
