//! The raw material of one reading of a host: what the kernel answered, byte for byte.
//!
//! A saved snapshot is a dump, never a form of our own, so that old files gain from new
//! decoders. `kernel::read` fills it, [`crate::wire`] turns it into a [`crate::Host`].

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The version of the container. The sections inside are the kernel's own formats.
const FORMAT: u32 = 1;

/// Names of the sections. A section is absent where nothing was there to read.
///
/// Netlink sections are whole messages, header included, one behind the other, in the order
/// in which the kernel sent them, without the closing `NLMSG_DONE`.
pub mod section {
    /// Text: `uname -r` of the host.
    pub const RELEASE: &str = "kernel/release";
    /// Text: the host's name.
    pub const HOSTNAME: &str = "kernel/hostname";
    /// `NFT_MSG_GETGEN`'s answer.
    pub const NFT_GENERATION: &str = "nft/generation";
    /// `NFT_MSG_NEWTABLE` messages of all families.
    pub const NFT_TABLES: &str = "nft/tables";
    /// `NFT_MSG_NEWCHAIN` messages.
    pub const NFT_CHAINS: &str = "nft/chains";
    /// `NFT_MSG_NEWOBJ` messages.
    pub const NFT_OBJECTS: &str = "nft/objects";
    /// `NFT_MSG_NEWFLOWTABLE` messages.
    pub const NFT_FLOWTABLES: &str = "nft/flowtables";
    /// `NFT_MSG_NEWSET` messages.
    pub const NFT_SETS: &str = "nft/sets";
    /// `NFT_MSG_NEWRULE` messages, per chain in evaluation order.
    pub const NFT_RULES: &str = "nft/rules";
    /// `NFT_MSG_NEWSETELEM` messages of all sets; each names its table and set.
    pub const NFT_ELEMENTS: &str = "nft/elements";
    /// `NFNL_SUBSYS_HOOK` answers, all families and hooks.
    pub const NFT_HOOKS: &str = "nft/hooks";
    /// Legacy IPv4 tables: `legacy/ip/TABLE` holds the 84 bytes of `IPT_SO_GET_INFO`, then
    /// the whole answer of `IPT_SO_GET_ENTRIES` (name, size, entries).
    pub const LEGACY_IP: &str = "legacy/ip/";
    /// The same for IPv6.
    pub const LEGACY_IP6: &str = "legacy/ip6/";
    /// `IPSET_CMD_LIST` messages.
    pub const IPSET_LIST: &str = "ipset/list";
    /// Text: a line `INDEX NAME` for each ipset that an xt rule names by index.
    pub const IPSET_INDEX: &str = "ipset/index";
    /// Socket dumps: `sock/FAMILY/PROTOCOL` in numbers, `sock/2/6` for TCP over IPv4.
    pub const SOCKETS: &str = "sock/";
    /// JSON lines, one a socket inode, see [`super::Owner`].
    pub const OWNERS: &str = "owners";
    /// Text: a line `ID PATH` for each cgroup a socket names.
    pub const CGROUPS: &str = "cgroups";
    /// `RTM_NEWLINK` messages.
    pub const LINKS: &str = "route/links";
    /// `RTM_NEWADDR` messages.
    pub const ADDRESSES: &str = "route/addresses";
    /// `RTM_NEWRULE` messages.
    pub const RULES: &str = "route/rules";
    /// `RTM_NEWROUTE` messages, all tables.
    pub const ROUTES: &str = "route/routes";
    /// `RTM_NEWNEXTHOP` messages.
    pub const NEXTHOPS: &str = "route/nexthops";
    /// `IPCTNL_MSG_CT_NEW` messages of the destinations asked about.
    pub const CONNTRACK: &str = "conntrack/entries";
    /// Text as `sysctl -a` prints it.
    pub const SYSCTLS: &str = "sysctl";
    /// JSON lines, one for each thing that takes packets past netfilter, see [`super::Bypass`].
    pub const BYPASSES: &str = "bypasses";
}

/// Who holds a socket: one line of [`section::OWNERS`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The socket's inode number.
    pub inode: u64,
    /// The lowest process id that has it open, as seen from where the host was read.
    pub pid: u32,
    /// That process's `comm`: at most 15 bytes, chosen by the process itself.
    pub name: String,
    /// Its group id (the one files are made with), where it could be read.
    #[serde(default)]
    pub gid: Option<u32>,
    /// Its cgroup path, as `/proc/PID/cgroup` has it; empty if it could not be read.
    pub cgroup: String,
}

/// Something on the host that takes packets past the rules: one line of
/// [`section::BYPASSES`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bypass {
    /// The kind, in the field's word: `IPVS`, `XDP`, `tc`, `cgroup BPF`, …
    pub kind: String,
    /// The device it sits on; absent where it can touch every packet.
    pub device: Option<String>,
    /// The cgroup whose sockets it works on, and those below; absent where it is no matter of
    /// cgroups.
    #[serde(default)]
    pub cgroup: Option<String>,
    /// What was seen, in one sentence.
    pub what: String,
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// What was attempted: `nftables rules`, `owners of sockets`, …
    pub what: String,
    /// Why not, and which privilege is missing where that is the cause.
    pub why: String,
}

/// Everything that was read of one host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dump {
    /// Raw bytes by section name, see [`section`].
    pub sections: BTreeMap<String, Vec<u8>>,
    /// What could not be read.
    pub unread: Vec<Unread>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    berth_snapshot: u32,
    sections: Vec<(String, usize)>,
    unread: Vec<Unread>,
}

/// Why bytes are no snapshot.
#[expect(missing_docs, reason = "the fields say it by name and type")]
#[derive(Debug, PartialEq, Eq)]
pub enum LoadError {
    /// The first line is not that of a snapshot.
    NotASnapshot,
    /// Written by a newer version of this program.
    Newer(u64),
    /// The file ends early: inside which section, and how many bytes are missing.
    Truncated { section: String, missing: usize },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotASnapshot => f.write_str("the first line is not that of a berth snapshot"),
            Self::Newer(format) => {
                write!(
                    f,
                    "snapshot format {format} is newer than {FORMAT}: use a newer berth"
                )
            }
            Self::Truncated { section, missing } => {
                write!(
                    f,
                    "the file ends {missing} bytes early, in section {section}: copy it again"
                )
            }
        }
    }
}

impl std::error::Error for LoadError {}

impl Dump {
    /// The bytes of a section; empty where there is none.
    pub fn section(&self, name: &str) -> &[u8] {
        self.sections.get(name).map_or(&[], Vec::as_slice)
    }

    /// The bytes of a section as text; invalid UTF-8 is replaced.
    pub fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(self.section(name)).into_owned()
    }

    /// Appends a line of JSON to a section.
    pub fn push_line(&mut self, name: &str, line: &impl Serialize) {
        let section = self.sections.entry(name.to_owned()).or_default();
        serde_json::to_writer(&mut *section, line).expect("our own structs always serialize");
        section.push(b'\n');
    }

    /// The snapshot file: one line of JSON that names the sections and their sizes, then
    /// their bytes in that order.
    pub fn to_bytes(&self) -> Vec<u8> {
        let header = Header {
            berth_snapshot: FORMAT,
            sections: self
                .sections
                .iter()
                .map(|(n, b)| (n.clone(), b.len()))
                .collect(),
            unread: self.unread.clone(),
        };
        let mut file = serde_json::to_vec(&header).expect("strings and numbers always serialize");
        file.push(b'\n');
        for bytes in self.sections.values() {
            file.extend_from_slice(bytes);
        }
        file
    }

    /// Whether a file starts as a snapshot does.
    pub fn is_snapshot(file: &[u8]) -> bool {
        file.starts_with(b"{\"berth_snapshot\":")
    }

    /// Reads a snapshot file.
    ///
    /// # Errors
    /// [`LoadError`] where the file is none, is newer, or ends early; nothing is half read.
    pub fn from_bytes(file: &[u8]) -> Result<Self, LoadError> {
        if !Self::is_snapshot(file) {
            return Err(LoadError::NotASnapshot);
        }
        let end = file
            .iter()
            .position(|&b| b == b'\n')
            .ok_or(LoadError::NotASnapshot)?;
        let version: serde_json::Value =
            serde_json::from_slice(&file[..end]).map_err(|_| LoadError::NotASnapshot)?;
        match version["berth_snapshot"].as_u64() {
            Some(format) if format == u64::from(FORMAT) => {}
            Some(newer) if newer > u64::from(FORMAT) => return Err(LoadError::Newer(newer)),
            _ => return Err(LoadError::NotASnapshot),
        }
        let header: Header =
            serde_json::from_value(version).map_err(|_| LoadError::NotASnapshot)?;
        let mut rest = &file[end + 1..];
        let mut sections = BTreeMap::new();
        for (name, size) in header.sections {
            let Some((bytes, after)) = rest.split_at_checked(size) else {
                return Err(LoadError::Truncated {
                    section: name,
                    missing: size - rest.len(),
                });
            };
            sections.insert(name, bytes.to_vec());
            rest = after;
        }
        Ok(Self {
            sections,
            unread: header.unread,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Dump {
        let mut dump = Dump::default();
        dump.sections.insert("nft/rules".into(), vec![0, 10, 255]);
        dump.sections.insert("sysctl".into(), b"a = 1\n".to_vec());
        dump.unread.push(Unread {
            what: "ipsets".into(),
            why: "needs CAP_NET_ADMIN".into(),
        });
        dump
    }

    #[test]
    fn a_snapshot_file_reads_back_as_it_was() {
        assert_eq!(Dump::from_bytes(&sample().to_bytes()), Ok(sample()));
    }

    #[test]
    fn a_cut_file_names_the_section_it_ends_in() {
        let file = sample().to_bytes();
        let error = Dump::from_bytes(&file[..file.len() - 2]).unwrap_err();
        assert_eq!(
            error,
            LoadError::Truncated {
                section: "sysctl".into(),
                missing: 2
            }
        );
    }

    #[test]
    fn a_newer_snapshot_says_so() {
        assert_eq!(
            Dump::from_bytes(b"{\"berth_snapshot\":9}\n"),
            Err(LoadError::Newer(9))
        );
    }
}
