//! What we cannot read or model, by name and place.

/// Something on the host that we cannot read or model.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// What kind of thing is missing.
    pub kind: GapKind,
    /// What it is and where, in one sentence without a full stop: `nftables rules were not
    /// read: needs CAP_NET_ADMIN`.
    pub what: String,
    /// The device it sits on; absent where it can touch every packet.
    pub device: Option<String>,
}

/// Which part of an answer a gap can touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GapKind {
    /// Netfilter rules that were not read or not understood.
    Rules,
    /// Sockets or their owners.
    Sockets,
    /// Names of processes, pods: the answer stands, a name is missing.
    Names,
    /// Links, addresses, routes, routing rules, sysctls.
    Routing,
    /// Something takes packets past netfilter before or beside its hooks.
    Bypass,
    /// A part of an input file that was skipped.
    Input,
}
