//! A second, slow and plain evaluator, to hold the real one against: one packet at a time, over
//! the bytes of its headers, rule by rule, with no sets of packets and no shortcuts.
//!
//! It shares no code with `trace` but the model of a host. Its world is small on purpose: IPv4,
//! TCP and UDP, two links, no policy routing, no chance; there every source is tried, and each
//! region that `trace` reports must be made of exactly the sources that end so.

pub mod compare;
pub mod draw;

mod connection;
mod nft;
mod packet;
mod path;
mod walk;
mod world;
mod xt;

pub use world::World;
