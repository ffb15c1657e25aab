//! System calls: reads a host, makes namespaces and the links between them, probes a port.
//!
//! Reading changes nothing: no table comes to be, no module is loaded, no counter is zeroed.
//! Only [`nftrace`] adds something to a host, one table, and takes it away again.
//! What the kernel answers is kept byte for byte in a [`host::dump::Dump`]; decoding it is
//! left to `host::wire`. Calls block, and no state outlives them.

pub mod netns;
pub mod nftrace;
pub mod socket;

mod netlink;
mod read;
mod ready;
mod signals;
mod sys;

pub use read::{Flow, Progress, ReadError, ReadOptions, Wanted, read, read_connections};
pub use signals::{Held, hold_end};
