//! A random host in pieces that can be left out one by one.

use std::fmt::Write as _;

use crate::world::{Listener, Packet};

/// One test or action of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its text.
    pub text: String,
    /// Its word in the vocabulary.
    pub kind: &'static str,
    /// What it does depends on packets before, on time or on chance.
    pub stateful: bool,
}

impl Part {
    /// A part without state.
    pub fn new(kind: &'static str, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            kind,
            stateful: false,
        }
    }

    /// A part with state.
    pub fn stateful(kind: &'static str, text: impl Into<String>) -> Self {
        Self {
            stateful: true,
            ..Self::new(kind, text)
        }
    }
}

/// A rule: tests, then what it does. A verdict map is an action that may not match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The tests in order.
    pub tests: Vec<Part>,
    /// What it does.
    pub action: Part,
    /// A counting rule stands beside it: of xt before it, with all tests but the last; of nft
    /// behind it, where a verdict map's misses come to.
    pub watched: bool,
}

/// A chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Its name.
    pub name: String,
    /// nft: the line of a base chain, empty for others. xt: the policy, `-` for others.
    pub head: String,
    /// Its rules.
    pub rules: Vec<Rule>,
}

/// A set of either kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// Its name.
    pub name: String,
    /// nft: `set` or `map` and the lines that say of what. ipset: type and options.
    pub head: String,
    /// Its elements.
    pub elements: Vec<String>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// xt: `filter`. nft: `inet t1`.
    pub name: String,
    /// nft's sets.
    pub sets: Vec<Set>,
    /// Its chains.
    pub chains: Vec<Chain>,
}

/// What loads rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    /// `iptables-legacy-restore`.
    Legacy4,
    /// `ip6tables-legacy-restore`.
    Legacy6,
    /// `iptables-nft-restore`.
    Compat4,
    /// `ip6tables-nft-restore`.
    Compat6,
    /// `nft`.
    Nft,
}

impl Tool {
    /// The command that loads its text.
    pub fn restore(self) -> &'static [&'static str] {
        match self {
            Self::Legacy4 => &["iptables-legacy-restore"],
            Self::Legacy6 => &["ip6tables-legacy-restore"],
            Self::Compat4 => &["iptables-nft-restore"],
            Self::Compat6 => &["ip6tables-nft-restore"],
            Self::Nft => &["nft", "-f", "-"],
        }
    }

    /// The command that prints rules with their counters.
    pub fn save(self) -> &'static [&'static str] {
        match self {
            Self::Legacy4 => &["iptables-legacy-save", "-c"],
            Self::Legacy6 => &["ip6tables-legacy-save", "-c"],
            Self::Compat4 => &["iptables-nft-save", "-c"],
            Self::Compat6 => &["ip6tables-nft-save", "-c"],
            Self::Nft => &["nft", "-j", "list", "ruleset"],
        }
    }

    /// Whether its rules are for IPv6.
    pub fn is_v6(self) -> bool {
        matches!(self, Self::Legacy6 | Self::Compat6)
    }
}

/// Tables that one call of a tool loads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// The tool.
    pub tool: Tool,
    /// The tables.
    pub tables: Vec<Table>,
}

/// A host and the packets it is tried with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSpec {
    /// What it was drawn from.
    pub seed: u64,
    /// Settings, in order.
    pub sysctls: Vec<(String, String)>,
    /// Lines of `ip`: addresses, routes, routing rules.
    pub ip: Vec<String>,
    /// ipsets, by name, in order of creation.
    pub ipsets: Vec<Set>,
    /// Rules, in the order of loading.
    pub loads: Vec<Load>,
    /// Sockets of the node.
    pub listeners: Vec<Listener>,
    /// What is tried.
    pub packets: Vec<Packet>,
}

impl HostSpec {
    /// All rules.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.loads
            .iter()
            .flat_map(|load| &load.tables)
            .flat_map(|table| &table.chains)
            .flat_map(|chain| &chain.rules)
    }

    /// The text for `ipset restore`.
    pub fn ipset_text(&self) -> String {
        let mut text = String::new();
        for set in &self.ipsets {
            let _ = writeln!(text, "create {} {}", set.name, set.head);
            for element in &set.elements {
                let _ = writeln!(text, "add {} {element}", set.name);
            }
        }
        text
    }
}

impl Load {
    /// The text that the tool loads.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for table in &self.tables {
            match self.tool {
                Tool::Nft => table.nft_text(&mut text),
                Tool::Legacy4 | Tool::Legacy6 | Tool::Compat4 | Tool::Compat6 => {
                    table.xt_text(&mut text);
                }
            }
        }
        text
    }
}

impl Table {
    fn xt_text(&self, text: &mut String) {
        let _ = writeln!(text, "*{}", self.name);
        for chain in &self.chains {
            let _ = writeln!(text, ":{} {} [0:0]", chain.name, chain.head);
        }
        for chain in &self.chains {
            for line in chain.rules.iter().flat_map(Rule::xt_lines) {
                let _ = writeln!(text, "-A {}{line}", chain.name);
            }
        }
        text.push_str("COMMIT\n");
    }

    fn nft_text(&self, text: &mut String) {
        let _ = writeln!(text, "table {} {{", self.name);
        for set in &self.sets {
            let (kind, body) = set.head.split_once(' ').unwrap_or(("set", &set.head));
            let _ = writeln!(text, "  {kind} {} {{\n    {body}", set.name);
            if !set.elements.is_empty() {
                let _ = writeln!(text, "    elements = {{ {} }}", set.elements.join(", "));
            }
            text.push_str("  }\n");
        }
        for chain in &self.chains {
            let _ = writeln!(text, "  chain {} {{", chain.name);
            if !chain.head.is_empty() {
                let _ = writeln!(text, "    {}", chain.head);
            }
            for line in chain.rules.iter().flat_map(Rule::nft_lines) {
                let _ = writeln!(text, "    {line}");
            }
            text.push_str("  }\n");
        }
        text.push_str("}\n");
    }
}

impl Rule {
    /// Its lines in iptables-save form, behind the chain's name.
    pub fn xt_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let joined = |parts: &[Part]| -> String {
            parts.iter().flat_map(|part| [" ", &part.text]).collect()
        };
        if self.watched {
            let before = self.tests.len().saturating_sub(1);
            lines.push(joined(&self.tests[..before]));
        }
        let mut line = joined(&self.tests);
        if !self.action.text.is_empty() {
            let _ = write!(line, " {}", self.action.text);
        }
        lines.push(line);
        lines
    }

    /// Its lines in nft form, with a counter before each part.
    pub fn nft_lines(&self) -> Vec<String> {
        let mut line = String::new();
        for part in self.tests.iter().chain([&self.action]) {
            let _ = write!(line, "counter {} ", part.text);
        }
        let mut lines = vec![line.trim_end().to_owned()];
        if self.watched {
            lines.push("counter".to_owned());
        }
        lines
    }
}
