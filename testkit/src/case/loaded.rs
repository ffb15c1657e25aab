//! The host of a case in the running kernel, and what comes back when it is read there.

use host::{Host, Language, Socket};

use super::file::{Block, Case, Kind};
use super::{CaseError, CaseHost};
use crate::live::{Live, LiveError};

/// Cases whose rules no program loads today: the negation is out of use, the set is not there.
const UNLOADABLE: &[&str] = &[
    "The old place of the exclamation mark",
    "Names of sets may hold nearly any mark",
];

impl Case {
    /// Whether the programs of today load the rules of this case.
    pub fn may_load(&self) -> bool {
        !UNLOADABLE.contains(&&*self.title)
    }

    /// Puts the host of this case into a namespace, rules, sockets and all.
    ///
    /// # Errors
    /// Where a privilege is missing, or where the kernel or a program refuses a part.
    pub fn load(&self, read: &CaseHost) -> Result<Live, CaseError> {
        let wrong = |block: &Block, error: LiveError| {
            let source = std::error::Error::source(&error);
            let why = source.map_or(String::new(), |source| format!(": {source}"));
            CaseError::at(block.line, format!("{error}{why}"))
        };
        let made = Live::of(&read.host).and_then(|mut live| {
            live.serve(&read.host)?;
            Ok(live)
        });
        let live = made.map_err(|error| wrong(&self.ask, error))?;
        for (kind, block) in &self.inputs {
            let command = match kind {
                Kind::Iptables if is_of_nft(block) => "iptables-nft-restore",
                Kind::Ip6tables if is_of_nft(block) => "ip6tables-nft-restore",
                Kind::Iptables | Kind::LegacyIptables => "iptables-legacy-restore",
                Kind::Ip6tables | Kind::LegacyIp6tables => "ip6tables-legacy-restore",
                Kind::Nft => "nft",
                _ => continue,
            };
            if block.text.trim().is_empty() {
                continue;
            }
            let words: &[&str] = if command == "nft" {
                &["nft", "-f", "-"]
            } else {
                &[command]
            };
            let _ = live
                .run(words, &block.text)
                .map_err(|error| wrong(block, error))?;
        }
        Ok(live)
    }

    /// The host of this case as read from the running kernel, with the sockets of its blocks:
    /// who holds those in the kernel is no part of the case.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn read_back(&self, read: &CaseHost, live: &Live) -> Result<Host, CaseError> {
        let found = live.host();
        let mut host = found.map_err(|error| CaseError::at(self.ask.line, error))?;
        host.sockets = sockets_on(&read.host, &host);
        host.given.sockets = true;
        Ok(host)
    }

    /// The story of this case about the host in the running kernel.
    ///
    /// # Errors
    /// As [`Case::load`], or where the question is none for this host.
    pub fn tell_loaded(&self) -> Result<String, CaseError> {
        let read = CaseHost::of(self)?;
        let live = self.load(&read)?;
        self.tell_of(&read, &self.read_back(&read, &live)?)
    }
}

/// Whether a save is of iptables-nft.
fn is_of_nft(block: &Block) -> bool {
    let input = host::parse::Input {
        name: "",
        text: block.text.as_bytes(),
    };
    let (tables, _, _) = host::parse::iptables_save(input);
    tables.iter().any(|table| table.language == Language::Nft)
}

/// The sockets of one model of a host in terms of another.
fn sockets_on(from: &Host, to: &Host) -> Vec<Socket> {
    let mut sockets = from.sockets.clone();
    for socket in &mut sockets {
        let name = socket.device.and_then(|index| from.link(index));
        socket.device = name.and_then(|link| Some(to.link_named(&link.name)?.index));
    }
    sockets
}
