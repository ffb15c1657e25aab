//! Readers of text: what programs print about a host, and what people write by hand.
//!
//! Text in, model out, no I/O. Reading never fails as a whole: a part that is not understood
//! becomes a gap in its place and a [`Problem`], and the rest still serves.

mod iptables_save;
mod problem;
mod ss;
mod sysctl;

pub use iptables_save::{IptablesSave, iptables_save};
pub use problem::{Input, Problem};
pub use ss::ss;
pub use sysctl::sysctls;
