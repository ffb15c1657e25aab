//! Truth: random hosts, real packets, and what was foretold for them.
//!
//! [`generate`] draws a host from a seed, [`run`] builds it in namespaces of its own, has what
//! will happen foretold, sends the packets and compares; [`shrink`] makes a wrong one small,
//! and [`campaign`] does so with many.

pub mod agree;
pub mod campaign;
pub mod case;
pub mod corners;
pub mod coverage;
pub mod foretell;
pub mod generate;
pub mod ipset;
pub mod nft;
pub mod pool;
pub mod rng;
pub mod routing;
pub mod run;
pub mod shrink;
pub mod spec;
pub mod traffic;
pub mod vocabulary;
pub mod xt;

mod load;
