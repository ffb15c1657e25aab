//! A small world of network namespaces around one host: clients outside, pods behind.
//!
//! ```text
//!            eth0 ─┐            ┌─ pod1 ── eth0  POD1
//!   CLIENT         ├── the node ┤
//!            eth1 ─┘            └─ pod2 ── eth0  POD2
//! ```
//!
//! The node is what is tested; the others have no rules, send everything they do not own back
//! to the node, and answer on a few fixed ports. A namespace lives as long as its descriptor,
//! so nothing is left when the world is dropped or the process dies.

mod build;
mod flight;
mod layout;
mod listener;
mod packet;
mod server;
mod sockets;
mod space;
mod tool;

pub(crate) use build::settle;
pub use build::{World, WorldError};
pub(crate) use flight::is_user;
pub use flight::{Arrival, Observed, Patience};
pub use layout::{
    CLIENT_PORTS, LINKS, NODE_LINKS, Place, Side, home_side, mac_of, owner_of, peer_addrs,
};
pub use listener::{Bound, Listener};
pub use packet::{Packet, Transport};
pub use server::Servers;
pub use space::Space;
pub use tool::{ToolError, run};
