//! Readers of text: what programs print about a host, and what people write by hand.
//!
//! Text in, model out, no I/O. Reading never fails as a whole: a part that is not understood
//! becomes a gap in its place and a [`Problem`], and the rest still serves.

mod conntrack;
mod ip_json;
mod ipset_save;
mod iptables_save;
mod kind;
mod nft_json;
mod nft_list;
mod problem;
mod short;
mod ss;
mod sysctl;

pub use conntrack::conntrack;
pub use ip_json::{ip_addresses, ip_links, ip_routes, ip_rules};
pub use ipset_save::ipset_save;
pub(crate) use iptables_save::words;
pub use iptables_save::{IptablesSave, iptables_save};
pub use kind::{Kind, kind};
pub use nft_json::nft_json;
pub use nft_list::nft_list;
pub use problem::{Input, Problem};
pub use short::{AddressText, ShortError, address, listen, route};
pub use ss::ss;
pub use sysctl::sysctls;
