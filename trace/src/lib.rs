//! Where packets go: one, or all of a kind; and what is wrong when they do not arrive.
//!
//! One evaluator over sets of flows: a single packet is a set of one. [`answer`] follows new
//! connections from each kind of source through rules (`chain`), translation (`nat`), routing
//! (`routing`) and sockets (`deliver`) to their ends (`walk`), and gathers those into regions
//! of sources that end alike (`resolve`).

mod addr_type;
mod alike;
mod answer;
mod assume;
mod base;
mod beside;
mod bind;
mod chain;
mod deliver;
mod diff;
mod end;
mod errno;
mod eval;
mod explore;
mod field;
mod findings;
mod frontends;
mod hook;
mod index;
mod ipset;
mod journey;
mod look;
mod lower;
mod nat;
mod owner;
mod packet;
mod ports;
mod question;
mod ranges;
mod resolve;
mod route;
mod routing;
mod rule;
mod scan;
mod source;
mod split;
mod sweep;
mod value;
mod walk;
mod ways;

pub use answer::{
    Answer, Cause, Client, Did, From, Outcome, Region, RuleRef, Server, Stage, Step, Verdict,
};
pub use assume::{Assumption, complete};
pub use beside::{Beside, Parted, Taken, Way, beside, ways};
pub use diff::{Change, Differences, Side, diff};
pub use explore::{AskError, Tracer, answer};
pub use findings::{FINDINGS, Finding, FindingDoc, Fix, Names, Severity, findings};
pub use frontends::{Frontend, frontends, frontends_here};
pub use ports::{HeldPort, Hold, PortMap, Room, ports};
pub use question::{Origin, Question};
pub use scan::{Fate, Heard, Listener, at_link_local, ephemeral_node_ports, scan};
pub use sweep::{Stretch, Sweep, sweep};
