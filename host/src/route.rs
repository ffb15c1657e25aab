//! Routes and policy routing rules.

use std::net::IpAddr;

use net::{Family, Prefix, Proto};

/// What a route does with a packet; `RTN_*` of `rtnetlink.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RouteKind {
    /// Leads to a gateway or a link.
    Unicast,
    /// The destination is this host.
    Local,
    /// A broadcast address of a link.
    Broadcast,
    /// An address of no single host.
    Anycast,
    /// Multicast.
    Multicast,
    /// Discarded in silence.
    Blackhole,
    /// Answered with host unreachable.
    Unreachable,
    /// Answered with administratively prohibited.
    Prohibit,
    /// Look-up goes on with the next rule.
    Throw,
}

/// One way on from here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NextHop {
    /// Index of the outgoing link.
    pub link: Option<u32>,
    /// The gateway; absent where the destination is on the link.
    pub gateway: Option<IpAddr>,
    /// Weight among the next hops of a multipath route, from 1.
    pub weight: u32,
    /// `RTNH_F_DEAD` or `RTNH_F_LINKDOWN` with the sysctl that heeds it: not used.
    pub dead: bool,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The routing table: 255 local, 254 main, 253 default.
    pub table: u32,
    /// What it does.
    pub kind: RouteKind,
    /// Destinations it covers.
    pub dst: Prefix,
    /// IPv6 source-specific routing: sources it covers.
    pub src: Option<Prefix>,
    /// The TOS it is for; 0 for all.
    pub tos: u8,
    /// The metric (`RTA_PRIORITY`); smaller is preferred.
    pub metric: u32,
    /// The source address the host prefers on this way.
    pub preferred_source: Option<IpAddr>,
    /// The ways on; empty for the kinds that lead nowhere.
    pub next_hops: Vec<NextHop>,
}

/// What a matching routing rule does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoutingAction {
    /// Look the destination up in this table.
    Table(u32),
    /// Go on at the rule with this priority.
    Goto(u32),
    /// Nothing.
    Nop,
    /// Discard.
    Blackhole,
    /// Answer unreachable.
    Unreachable,
    /// Answer prohibited.
    Prohibit,
    /// Look up in the table of the packet's VRF (`l3mdev`).
    Vrf,
    /// An action we do not know, by number.
    Unknown(u8),
}

/// One policy routing rule (`ip rule`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutingRule {
    /// The family it is for.
    pub family: Family,
    /// Evaluation order; equal priorities in the order listed.
    pub priority: u32,
    /// The whole selector is inverted (`not`).
    pub inverted: bool,
    /// Sources.
    pub src: Option<Prefix>,
    /// Destinations.
    pub dst: Option<Prefix>,
    /// Incoming interface by name; `lo` means packets made here.
    pub iif: Option<String>,
    /// Outgoing interface a socket is bound to.
    pub oif: Option<String>,
    /// `(mark, mask)`.
    pub mark: Option<(u32, u32)>,
    /// The TOS; 0 for all.
    pub tos: u8,
    /// The transport protocol.
    pub proto: Option<Proto>,
    /// Source ports, both ends included.
    pub sport: Option<(u16, u16)>,
    /// Destination ports, both ends included.
    pub dport: Option<(u16, u16)>,
    /// User ids of local senders, both ends included.
    pub uid: Option<(u32, u32)>,
    /// Results with a prefix of this length or shorter are not taken
    /// (`suppress_prefixlength`).
    pub suppress_prefix_len: Option<u32>,
    /// Results over a link of this group are not taken (`suppress_ifgroup`).
    pub suppress_group: Option<u32>,
    /// What it does.
    pub action: RoutingAction,
}

impl RoutingRule {
    /// A rule for every packet of a family: looks it up in a table.
    pub fn lookup(family: Family, priority: u32, table: u32) -> Self {
        Self {
            family,
            priority,
            inverted: false,
            src: None,
            dst: None,
            iif: None,
            oif: None,
            mark: None,
            tos: 0,
            proto: None,
            sport: None,
            dport: None,
            uid: None,
            suppress_prefix_len: None,
            suppress_group: None,
            action: RoutingAction::Table(table),
        }
    }

    /// The rules a kernel starts with (fib_rules.c, fib6_rules.c).
    pub fn defaults(family: Family) -> Vec<Self> {
        let tables: &[(u32, u32)] = match family {
            Family::V4 => &[(0, 255), (32766, 254), (32767, 253)],
            Family::V6 => &[(0, 255), (32766, 254)],
        };
        let rule = |&(priority, table): &(u32, u32)| Self::lookup(family, priority, table);
        tables.iter().map(rule).collect()
    }
}
