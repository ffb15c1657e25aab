//! nftables as the kernel holds it: expressions over registers, sets, objects.
//!
//! Numbers and names follow `nf_tables.h`. A register is counted in 32-bit words, 0 to 15;
//! the verdict register is not among them.

mod expr;
mod headers;
mod names;
mod object;
mod set;
mod types;

pub use expr::{
    BitOp, CmpOp, CtKey, Expr, FibFlags, FibResult, Limit, MetaKey, Nat, NatKind, NumgenKind,
    PayloadBase, Register, Reject, SetOp, SocketKey, Verdict,
};
pub(crate) use headers::{Bits, HEADERS, Header, HeaderField, OTHER_META, header};
pub(crate) use names::{ICMP_CODES, ICMP6_CODES, ICMPX_CODES};
pub use object::{Object, ObjectBody};
pub use set::{Data, DataKind, Element, Key, KeyRange, Set, SetOptions};
pub use types::Type;
