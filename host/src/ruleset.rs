//! Tables, chains and rules, whatever language they are written in.

use std::fmt;

use crate::nft;
use crate::xt;

/// All netfilter rules of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ruleset {
    /// The tables, in the order found: legacy ones first, then nftables by handle.
    pub tables: Vec<Table>,
    /// nftables' generation when it was read.
    pub generation: Option<u32>,
}

/// The family of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TableFamily {
    /// IPv4.
    Ip,
    /// IPv6.
    Ip6,
    /// Both.
    Inet,
    /// ARP.
    Arp,
    /// Bridged frames.
    Bridge,
    /// A device's ingress or egress.
    Netdev,
}

impl fmt::Display for TableFamily {
    /// nft's word.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ip => "ip",
            Self::Ip6 => "ip6",
            Self::Inet => "inet",
            Self::Arp => "arp",
            Self::Bridge => "bridge",
            Self::Netdev => "netdev",
        })
    }
}

/// Who evaluates the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// The old kernel tables (`iptables-legacy`).
    Legacy,
    /// nftables, in native or compat (`iptables-nft`) expressions. A table of an
    /// iptables-save file headed `(nf_tables)` is one of these, written in xt rules.
    Nft,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its family.
    pub family: TableFamily,
    /// Its name.
    pub name: String,
    /// Who evaluates it.
    pub language: Language,
    /// The kernel's handle; tables with smaller ones were made earlier. Absent in text.
    pub handle: Option<u64>,
    /// `flags dormant`: none of its base chains is hooked.
    pub dormant: bool,
    /// Its comment.
    pub comment: Option<Box<str>>,
    /// Chains in the order found.
    pub chains: Vec<Chain>,
    /// Named and anonymous sets and maps.
    pub sets: Vec<nft::Set>,
    /// Named stateful objects (counter, quota, limit, …), by name and kind.
    pub objects: Vec<nft::Object>,
}

impl Table {
    /// Whether it is one of iptables', whoever evaluates it: by the names of its base chains,
    /// where nftables does.
    pub fn is_of_iptables(&self) -> bool {
        let mut bases = self.chains.iter().filter(|chain| chain.base.is_some());
        self.language == Language::Legacy
            || bases.any(|chain| chain.name.bytes().all(|b| b.is_ascii_uppercase()))
    }
}

/// Where in the kernel's path a base chain sits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// A device's ingress, before everything.
    Ingress,
    /// Before routing.
    Prerouting,
    /// For this host's processes.
    Input,
    /// Through this host.
    Forward,
    /// From this host's processes.
    Output,
    /// After routing.
    Postrouting,
    /// A device's egress, after everything.
    Egress,
}

/// What a base chain may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChainKind {
    /// Filter.
    Filter,
    /// Asked once a connection, to translate it.
    Nat,
    /// Filter whose changes of the packet in output lead to a new route.
    Route,
}

/// What becomes of a packet that no rule of a base chain decided on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// It goes on.
    Accept,
    /// It is dropped.
    Drop,
}

/// The place of a base chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// The hook.
    pub hook: Hook,
    /// The priority; smaller is earlier.
    pub priority: i32,
    /// What it may do.
    pub kind: ChainKind,
    /// What becomes of the rest.
    pub policy: Policy,
    /// The devices of an ingress or egress chain.
    pub devices: Vec<String>,
}

/// A chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Its name.
    pub name: String,
    /// Its place, if it is a base chain.
    pub base: Option<Base>,
    /// The kernel's handle; of two chains of a table the smaller was made earlier.
    pub handle: Option<u64>,
    /// Its comment.
    pub comment: Option<Box<str>>,
    /// Rules in evaluation order.
    pub rules: Vec<Rule>,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What it says.
    pub body: RuleBody,
    /// The kernel's handle.
    pub handle: Option<u64>,
    /// Its comment; for xt rules that of the first `-m comment`.
    pub comment: Option<Box<str>>,
    /// The line it was read from, without counters; absent if it came from the kernel, see
    /// [`crate::print`].
    pub text: Option<Box<str>>,
}

/// A rule in its own language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleBody {
    /// Of iptables, whoever evaluates it.
    Xt(xt::Rule),
    /// nftables expressions; `iptables-nft` rules read from the kernel are these too.
    Nft(Vec<nft::Expr>),
    /// A line that could not be understood: may match, may do anything.
    Gap(Box<str>),
}
