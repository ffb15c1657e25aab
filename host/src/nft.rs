//! nftables as the kernel holds it: expressions over registers, sets, objects.
//!
//! Numbers and names follow `nf_tables.h`. A register is counted in 32-bit words, 0 to 15;
//! the verdict register is not among them.

mod expr;
mod set;

pub use expr::{
    BitOp, CmpOp, CtKey, Expr, FibFlags, FibResult, Limit, MetaKey, Nat, NatKind, NumgenKind,
    PayloadBase, Register, Reject, SetOp, SocketKey, Verdict,
};
pub use set::{Data, DataKind, Element, Key, KeyRange, Set};

/// A named stateful object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its name.
    pub name: String,
    /// `NFT_OBJECT_*`: 1 counter, 2 quota, 3 ct helper, 4 limit, 5 connlimit, 7 ct timeout,
    /// 8 secmark, 9 ct expectation, 10 synproxy.
    pub kind: u32,
}
