//! Both rule languages in one small form: tests, effects, verdicts.
//!
//! A rule becomes a list of operations that run from the front; a test that fails ends it.
//! What a rule says but nobody can see (counters, logs, comments) is gone here, so that it
//! cannot make an answer uncertain.

mod lookup;
mod nft;
mod varying;
mod xt;

use std::collections::HashMap;
use std::rc::Rc;

pub(crate) use lookup::{Entry, Lookup, set};
pub(crate) use xt::connmark;

use host::nft::{FibFlags, FibResult, PayloadBase, Reject, SetOp, SocketKey};
use host::xt::{CtMarkMode, RejectWith, SetMatch};
use host::{Chain, RuleBody, Table};

use crate::ranges::Ranges;

/// A lowered rule.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Its index in the chain.
    pub(crate) index: usize,
    pub(crate) ops: Vec<Op>,
}

/// One operation.
#[derive(Debug)]
pub(crate) enum Op {
    /// Goes on where the test holds.
    Test(Test),
    /// Puts a map's value into a slot; goes on where the key is found.
    Map {
        set: Rc<str>,
        key: Vec<Value>,
        slot: u8,
    },
    /// Gives the verdict of a map; goes on with nothing where the key is not found.
    VerdictMap { set: Rc<str>, key: Vec<Value> },
    /// Puts what is asked of the socket that goes with the packet into a slot; goes on where
    /// there is one.
    Socket { slot: u8, key: SocketKey },
    /// Puts `offset + n` into a slot, n below `modulus`, all equally often.
    Choose { slot: u8, modulus: u32, offset: u32 },
    /// Changes something and goes on.
    Do(Effect),
    /// Ends the rule with a verdict.
    End(End),
}

/// Something that is true or false of a packet.
#[derive(Debug)]
pub(crate) enum Test {
    /// Always, or never.
    Const(bool),
    /// The value, as a number of its bytes, is one of these.
    In { value: Value, within: Ranges },
    /// The value can be computed.
    Present(Value),
    /// The key is in the set.
    InSet { set: Rc<str>, key: Vec<Value> },
    /// An xt `set` match.
    InIpSet(Box<SetMatch>),
    /// The address has one of these types (`1 << RTN_*`), as xt `addrtype` asks.
    AddrType {
        source: bool,
        types: u16,
        limit: Option<Side>,
    },
    /// A socket of this host goes with the packet, as xt `socket` asks.
    Socket { wildcards: bool, transparent: bool },
    /// A bridge carries the packet, and its rules are these (br_netfilter).
    Bridged,
    /// Conntrack has an entry for the packet.
    HasConnection,
    /// Not so.
    Not(Box<Test>),
    /// All of them; the rest is not asked once one fails.
    All(Vec<Test>),
    /// One of them.
    Any(Vec<Test>),
    /// Cannot be decided from a dump.
    Doubt(Doubt),
}

/// The incoming or the outgoing interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    In,
    Out,
}

/// Why something cannot be decided.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Doubt {
    /// It is not modelled or not known.
    Gap(Rc<str>),
    /// It depends on traffic: how it reads where it holds, and where not.
    State { holds: Rc<str>, fails: Rc<str> },
    /// It holds by chance with this probability.
    Chance(f64),
}

impl Doubt {
    /// Whether something that differs from packet to packet is as a rule asks.
    pub(crate) fn varies(what: &str) -> Self {
        Self::State {
            holds: format!("where {what} is what the rule asks for").into(),
            fails: format!("where {what} is not what the rule asks for").into(),
        }
    }
}

/// A field of a packet, of its connection, or of its surroundings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    /// Bytes of a header.
    Header {
        base: PayloadBase,
        offset: u32,
    },
    Src,
    Dst,
    Sport,
    Dport,
    Proto,
    NfProto,
    EtherProto,
    Iif,
    Oif,
    IifName,
    OifName,
    IifType,
    OifType,
    IifGroup,
    OifGroup,
    Mark,
    SkUid,
    SkGid,
    PktType,
    CtState,
    CtStatus,
    /// Bits as xt `conntrack` counts them.
    XtState,
    CtMark,
    CtDirection,
    CtL3Proto,
    CtProto,
    CtAddr {
        reply: bool,
        source: bool,
    },
    CtPort {
        reply: bool,
        source: bool,
    },
    CtZone,
    Fib {
        result: FibResult,
        flags: FibFlags,
    },
}

/// What a value's bytes come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Of {
    Bytes(Rc<[u8]>),
    Field(Field),
    Slot(u8),
    Unknown(Rc<str>),
    /// Differs from packet to packet or from time to time: what it is.
    Varies(&'static str),
}

/// A change of a value's bytes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ByteOp {
    MaskXor {
        mask: Rc<[u8]>,
        xor: Rc<[u8]>,
    },
    ShiftLeft(u32),
    ShiftRight(u32),
    /// Reverses each group of this many bytes.
    Swap(u32),
    /// Keeps `len` bytes from `skip` on.
    Cut {
        skip: u32,
        len: u32,
    },
    /// Bit by bit with another value: 3 and, 4 or, 5 xor.
    With {
        op: u32,
        other: Rc<Value>,
    },
}

/// Bytes that a rule computes: a source of so many bytes, and what is done to them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Value {
    pub(crate) of: Of,
    /// Bytes that the source gives.
    pub(crate) len: u32,
    pub(crate) ops: Vec<ByteOp>,
}

/// A change that the rest of the way can see.
#[derive(Debug)]
pub(crate) enum Effect {
    /// The packet mark becomes these four bytes, in the host's order.
    Mark(Value),
    /// The connection's mark becomes these.
    CtMark(Value),
    /// `CONNMARK`.
    Connmark {
        mode: CtMarkMode,
        value: u32,
        ctmask: u32,
        nfmask: u32,
    },
    /// Conntrack leaves the packet alone.
    Notrack,
    /// A key goes into a set or out of it.
    SetOp {
        set: Rc<str>,
        key: Vec<Value>,
        op: SetOp,
    },
    /// Something is changed that is not modelled.
    Gap(Rc<str>),
}

/// Where NAT leads to: lowest and highest, as values.
#[derive(Debug, Default)]
pub(crate) struct NatTo {
    pub(crate) addr: Option<(Value, Value)>,
    pub(crate) port: Option<(Value, Value)>,
    /// Only packets of this family are translated; `None` for either.
    pub(crate) is_v6: Option<bool>,
    pub(crate) random: bool,
    /// The network of the address changes, and the rest of it stays.
    pub(crate) netmap: bool,
    /// Something about it is not modelled.
    pub(crate) gap: Option<Rc<str>>,
}

/// The end of a rule.
#[derive(Debug, Clone)]
pub(crate) enum End {
    Accept,
    Drop,
    Return,
    Jump(Rc<str>),
    Goto(Rc<str>),
    Reject(Reject),
    RejectXt(RejectWith),
    Queue,
    Dnat(Rc<NatTo>),
    Snat(Rc<NatTo>),
    Masquerade(Rc<NatTo>),
    Redirect(Rc<NatTo>),
    /// The source or the destination, as the hook has it.
    Netmap(Rc<NatTo>),
    /// What follows is not known.
    Gap(Rc<str>),
}

impl Value {
    pub(crate) fn field(field: Field, len: u32) -> Self {
        Self {
            of: Of::Field(field),
            len,
            ops: Vec::new(),
        }
    }

    pub(crate) fn bytes(bytes: &[u8]) -> Self {
        let len = u32::try_from(bytes.len()).expect("registers hold 64 bytes");
        Self {
            of: Of::Bytes(bytes.into()),
            len,
            ops: Vec::new(),
        }
    }

    pub(crate) fn unknown(why: &str, len: u32) -> Self {
        Self {
            of: Of::Unknown(why.into()),
            len,
            ops: Vec::new(),
        }
    }

    pub(crate) fn varies(what: &'static str, len: u32) -> Self {
        Self {
            of: Of::Varies(what),
            len,
            ops: Vec::new(),
        }
    }

    /// Bytes after all operations.
    pub(crate) fn width(&self) -> u32 {
        let cut = self.ops.iter().rev().find_map(|op| match op {
            ByteOp::Cut { len, .. } => Some(*len),
            ByteOp::MaskXor { .. }
            | ByteOp::ShiftLeft(_)
            | ByteOp::ShiftRight(_)
            | ByteOp::Swap(_)
            | ByteOp::With { .. } => None,
        });
        cut.unwrap_or(self.len)
    }

    pub(crate) fn then(mut self, op: ByteOp) -> Self {
        self.ops.push(op);
        self
    }

    /// `len` bytes from `skip` on.
    pub(crate) fn cut(self, skip: u32, len: u32) -> Self {
        if skip == 0 && len == self.width() {
            self
        } else {
            self.then(ByteOp::Cut { skip, len })
        }
    }

    pub(crate) fn masked(self, mask: &[u8]) -> Self {
        let xor: Rc<[u8]> = vec![0; mask.len()].into();
        self.then(ByteOp::MaskXor {
            mask: mask.into(),
            xor,
        })
    }

    /// The test that this value, a number in the host's byte order, masked, equals `wanted`.
    pub(crate) fn equals_masked(self, mask: u32, wanted: u32) -> Test {
        let value = if mask == u32::MAX {
            self
        } else {
            self.masked(&mask.to_ne_bytes())
        };
        Test::In {
            value,
            within: Ranges::one(number(&wanted.to_ne_bytes())),
        }
    }
}

impl Test {
    /// The test or, where `not`, its opposite.
    pub(crate) fn inverted(self, not: bool) -> Self {
        if not { Self::Not(Box::new(self)) } else { self }
    }

    pub(crate) fn gap(why: &str) -> Self {
        Self::Doubt(Doubt::Gap(why.into()))
    }
}

/// Up to 16 bytes as a number, first byte highest: the order in which the kernel compares.
pub(crate) fn number(bytes: &[u8]) -> u128 {
    bytes
        .iter()
        .take(16)
        .fold(0, |number, &byte| (number << 8) | u128::from(byte))
}

/// The highest number of so many bytes.
pub(crate) fn highest(bytes: u32) -> u128 {
    if bytes >= 16 {
        u128::MAX
    } else {
        (1 << (bytes * 8)) - 1
    }
}

/// The sets of a table by name: each of its rules may have some of its own.
pub(crate) type Sets<'h> = HashMap<&'h str, &'h host::nft::Set>;

/// Finds the sets of a table once.
pub(crate) fn sets(table: &Table) -> Sets<'_> {
    let sets = table.sets.iter();
    sets.map(|set| (set.name.as_str(), set)).collect()
}

/// Lowers the rules of a chain; those that nobody can tell from no rule are left out.
pub(crate) fn chain(table: &Table, sets: &Sets<'_>, chain: &Chain) -> Vec<Rule> {
    let rules = chain.rules.iter().enumerate();
    let lowered = rules.map(|(index, body)| Rule {
        index,
        ops: without_idle_tail(rule(table, sets, body)),
    });
    lowered.filter(|rule| !rule.ops.is_empty()).collect()
}

/// What a rule does.
pub(crate) fn rule(table: &Table, sets: &Sets<'_>, rule: &host::Rule) -> Vec<Op> {
    match &rule.body {
        RuleBody::Xt(body) => xt::rule(body),
        RuleBody::Nft(exprs) => nft::rule(table, sets, exprs),
        RuleBody::Gap(text) => {
            vec![Op::End(End::Gap(
                format!("a rule is not understood: {text}").into(),
            ))]
        }
    }
}

/// Cuts off tests behind which nothing happens.
fn without_idle_tail(mut ops: Vec<Op>) -> Vec<Op> {
    let acts = |op: &Op| match op {
        Op::VerdictMap { .. } | Op::Do(_) | Op::End(_) => true,
        Op::Test(_) | Op::Map { .. } | Op::Socket { .. } | Op::Choose { .. } => false,
    };
    let end = ops.iter().rposition(acts).map_or(0, |last| last + 1);
    ops.truncate(end);
    ops
}
