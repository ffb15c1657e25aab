//! Random rules for the plain world, in both languages.
//!
//! Whatever can end a packet asks for TCP or UDP, so that no ICMP error is touched: the plain
//! evaluator does not follow those.

mod nft;
mod xt;

use crate::truth::rng::Rng;

/// Rules of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// What `iptables-restore` loads; may be empty.
    pub xt: String,
    /// What `nft -f` loads; may be empty.
    pub nft: String,
}

/// The rules that a seed stands for.
pub fn rules(seed: u64) -> Rules {
    let mut rng = Rng::new(seed ^ 0x91a1);
    let which = rng.below(5);
    let (mut xt, mut nft) = (String::new(), String::new());
    if which != 0 {
        xt = xt::tables(&mut rng);
    }
    if which == 0 || which > 2 {
        nft = nft::table(&mut rng);
    }
    Rules { xt, nft }
}

/// Ports that are asked for, or led to.
const PORTS: [u16; 5] = [80, 8080, 53, 9, 30080];
/// Destinations that are asked for: the node's, a pod, a machine outside.
const DESTINATIONS: [&str; 5] = ["10.0.0.1", "10.0.1.1", "10.0.2.1", "10.0.1.5", "10.0.0.6"];
/// Addresses that may be translated to: those where a socket or a route is.
const TARGETS: [&str; 5] = ["10.0.1.5", "10.0.1.9", "10.0.0.6", "10.0.2.1", "10.0.0.1"];
/// The node's own.
const OWN: [&str; 3] = ["10.0.0.1", "10.0.1.1", "10.0.2.1"];

/// A block of addresses that some of the sources are in, or the destination is.
fn block(rng: &mut Rng, of_clients: bool) -> String {
    if !of_clients {
        return (*rng.pick(&DESTINATIONS)).to_owned();
    }
    let net = *rng.pick(&[0, 0, 0, 1]);
    let len = rng.weighted(&[(3, 32), (3, 31), (4, 30), (3, 29), (1, 28)]);
    let host = rng.below(16) & !((1 << (32 - len)) - 1);
    format!("10.0.{net}.{host}/{len}")
}

/// Addresses from a first to a last.
fn span(rng: &mut Rng) -> (String, String) {
    let net = *rng.pick(&[0, 0, 1]);
    let first = 2 + rng.below(12);
    let last = first + rng.below(15 - first);
    (format!("10.0.{net}.{first}"), format!("10.0.{net}.{last}"))
}

/// Source ports from a first to a last: the edges that the comparison tries.
fn source_ports(rng: &mut Rng) -> (u16, u16) {
    *rng.pick(&[(40_000, 40_000), (40_000, 40_009), (50_000, 65_535)])
}

fn proto(rng: &mut Rng) -> &'static str {
    rng.weighted(&[(3, "tcp"), (2, "udp")])
}
