//! Every reader of what others wrote, as a function of bytes that must not fail.
//!
//! A [`Target`] takes any bytes at all. It may take its time for large ones, and it may not
//! panic, not hang, and not ask for memory that the bytes do not justify. `cargo xtask fuzz`
//! hands the targets to an engine that looks for bytes which break that; `tests/corpus.rs`
//! replays what was found, on any machine.

pub mod mutate;
pub mod seeds;

mod frame;
mod text;
mod way;
mod wire;

/// One way for foreign bytes into the program.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, and that of its folder in the corpus.
    pub name: &'static str,
    /// Reads the bytes. Panics where something is not as it has to be.
    pub run: fn(&[u8]),
}

/// All targets: readers of text, decoders of bytes, and whole ways to a story.
pub const TARGETS: &[Target] = &[
    target("kind", text::kind),
    target("iptables-save", text::iptables_save),
    target("nft-list", text::nft_list),
    target("nft-json", text::nft_json),
    target("ipset-save", text::ipset_save),
    target("conntrack", text::conntrack),
    target("ss", text::ss),
    target("ip-json", text::ip_json),
    target("sysctl", text::sysctl),
    target("short", text::short),
    target("manifest", text::manifest),
    target("snapshot", wire::snapshot),
    target("wire-nft", wire::nft),
    target("wire-legacy", wire::legacy),
    target("wire-route", wire::route),
    target("wire-ipset", wire::ipset),
    target("wire-sockets", wire::sockets),
    target("wire-conntrack", wire::conntrack),
    target("wire-lines", wire::lines),
    target("way-iptables-save", way::iptables_save),
    target("way-nft-list", way::nft_list),
    target("way-nft-json", way::nft_json),
    target("way-manifest", way::manifest),
    target("way-wire-nft", way::wire_nft),
    target("way-wire-legacy", way::wire_legacy),
    target("way-wire-route", way::wire_route),
    target("way-snapshot", way::snapshot),
];

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

/// The target of this name.
pub fn find(name: &str) -> Option<Target> {
    TARGETS.iter().find(|target| target.name == name).copied()
}
