//! What an xt rule can do.

use std::net::IpAddr;

use super::PortRange;

/// `--reject-with`, both families. Numbers are the kernel's (`ipt_REJECT.h`,
/// `ip6t_REJECT.h`); see [`crate::nft::Reject`] for what nftables adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RejectWith {
    /// `tcp-reset`.
    TcpReset,
    /// ICMP destination unreachable with this code (RFC 792, RFC 1812): 0 network, 1 host,
    /// 2 protocol, 3 port, 9 network prohibited, 10 host prohibited, 13 administratively
    /// prohibited.
    Icmp(u8),
    /// ICMPv6 destination unreachable with this code (RFC 4443): 0 no route, 1
    /// administratively prohibited, 3 address, 4 port, 5 source policy, 6 reject route.
    Icmp6(u8),
}

/// Where NAT leads to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NatRange {
    /// First and last address; absent where the address stays.
    pub addrs: Option<(IpAddr, IpAddr)>,
    /// First and last port; absent where the port stays.
    pub ports: Option<PortRange>,
    /// `--random`.
    pub random: bool,
    /// `--random-fully`.
    pub random_fully: bool,
    /// `--persistent`.
    pub persistent: bool,
    /// The port of a port-shifting `DNAT` (`--to-destination a:1-10/100`).
    pub base_port: Option<u16>,
}

/// Which way `CONNMARK` copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CtMarkMode {
    /// `--set-xmark`: the connection's mark becomes `(mark & ~ctmask) ^ ctmark`.
    Set,
    /// `--save-mark`: packet to connection.
    Save,
    /// `--restore-mark`: connection to packet.
    Restore,
}

/// What an xt rule does when it matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// No target: counts.
    None,
    /// `ACCEPT`.
    Accept,
    /// `DROP`.
    Drop,
    /// `RETURN`.
    Return,
    /// `-j CHAIN`.
    Jump(Box<str>),
    /// `-g CHAIN`.
    Goto(Box<str>),
    /// `REJECT`.
    Reject(RejectWith),
    /// `DNAT`.
    Dnat(Box<NatRange>),
    /// `SNAT`.
    Snat(Box<NatRange>),
    /// `MASQUERADE`.
    Masquerade(Box<NatRange>),
    /// `REDIRECT`.
    Redirect(Box<NatRange>),
    /// `NETMAP`: the network of the address becomes that of the range, which spans it; the rest
    /// of the address stays.
    Netmap(Box<NatRange>),
    /// `MARK`: `mark = (mark & ~mask) ^ value`.
    Mark {
        /// Flipped.
        value: u32,
        /// Cleared first.
        mask: u32,
    },
    /// `CONNMARK`: see `connmark_tg` in xt_connmark.c.
    Connmark {
        /// Which way.
        mode: CtMarkMode,
        /// The value of [`CtMarkMode::Set`].
        value: u32,
        /// Bits of the connection's mark.
        ctmask: u32,
        /// Bits of the packet's mark.
        nfmask: u32,
    },
    /// `NOTRACK`, `CT --notrack`.
    Notrack,
    /// `NFQUEUE`, `QUEUE`.
    Queue {
        /// First queue.
        num: u16,
        /// Accept where no program listens.
        bypass: bool,
    },
    /// A target without a verdict and without influence on later rules that we model: `LOG`,
    /// `NFLOG`, `TRACE`, `AUDIT`, `CHECKSUM`, `TCPMSS`, `CLASSIFY`, `TEE`, …
    Pass(Box<str>),
    /// A target that is not modelled: its name and its options as far as known.
    Gap {
        /// `SYNPROXY`, …
        name: Box<str>,
        /// Its options as written; empty where read from the kernel.
        options: Box<str>,
    },
}
