//! Cases: Markdown files whose blocks describe a host, ask about it, and tell the story that
//! the answer makes.
//!
//! A case is a whole host: what its blocks do not mention is not there, or is as the kernel
//! makes it. Blocks above the first second-level heading hold for the whole file. Below a
//! heading, and below a question, a block takes the place of earlier ones of its kind.
//!
//! | Block | Content |
//! |---|---|
//! | `iptables-save`, `ip6tables-save`, `iptables-legacy-save`, `ip6tables-legacy-save` | rules as the program prints them; a header inside says `(nf_tables)` or legacy |
//! | `nft` | a ruleset as `nft -f` takes it; such a case needs a kernel to load it into |
//! | `ss` | sockets as `ss -tulpen` prints them |
//! | `listen` | listeners, one a line: `tcp/0.0.0.0:30584=web` |
//! | `addresses` | one a line: `192.168.77.1/24@vcli` |
//! | `routes` | one a line, in the words of `ip route`, besides those that addresses bring |
//! | `ip-rules` | one a line, in the words of `ip rule`; `-6` before those of IPv6 |
//! | `sysctls` | one a line: `net.ipv4.ip_forward = 1` |
//! | `manifests` | Services, EndpointSlices, Pods in YAML |
//! | `ask` | a command line of `berth`: `why 192.168.77.1:30584 --from outside` |
//! | `story` | what it prints |
//! | `text`, `sh` | for readers |

mod ask;
mod file;
mod folder;
mod host;
mod ip_rules;
mod loaded;
mod run;

pub use ask::Asked;
pub use file::{Block, Case, CaseFile, Kind};
pub use folder::Folder;
pub use host::CaseHost;
pub use run::{Outcome, check};

use std::fmt;

/// What is wrong with a case file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl CaseError {
    fn at(line: usize, what: impl fmt::Display) -> Self {
        Self {
            line,
            what: what.to_string(),
        }
    }
}

impl fmt::Display for CaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for CaseError {}
