//! Who holds which port, as data.

use host::Socket;
use net::Proto;
use serde::Serialize;
use trace::{Finding, HeldPort, Hold, Severity};

use crate::Ports;
use crate::rows::worst_heard;

use super::{FORMAT, SocketItem, fate_word, severity_word, socket_item};

/// The ports of a host and who holds them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PortsDocument {
    /// The version of this form.
    pub format: u32,
    /// The range that NodePorts are given from.
    pub node_ports: RangeItem,
    /// The range that the kernel gives this host's own clients ports from.
    pub ephemeral: RangeItem,
    /// What of the range of NodePorts is free, by protocol.
    pub room: Vec<RoomItem>,
    /// The ports that somebody holds, by number.
    pub ports: Vec<PortItem>,
    /// What of the host could not be read.
    pub gaps: Vec<String>,
}

/// A range of ports, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RangeItem {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

/// What of a range is free.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoomItem {
    /// `tcp`, `udp`.
    pub protocol: String,
    /// Ports that are not.
    pub taken: usize,
    /// Ports that no socket has and no rule names.
    pub free: usize,
    /// The lowest of them.
    pub first_free: Option<u16>,
}

/// A port that somebody holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PortItem {
    /// `tcp`, `udp`, `sctp`.
    pub protocol: String,
    /// The port.
    pub port: u16,
    /// `process`, `service`, `rule` or `both`.
    pub held_by: &'static str,
    /// The worst that becomes of packets for the processes: `arrives`, `blocked`, `unknown` or
    /// `lost`; null where none listens.
    pub fate: Option<&'static str>,
    /// The sockets on it.
    pub sockets: Vec<SocketItem>,
    /// Services that clients find there: `NAMESPACE/NAME:PORT`.
    pub services: Vec<String>,
    /// Where rules that name no Service lead its clients.
    pub leads_to: Vec<LeadItem>,
    /// Whether the kernel may give the port to a client of this host.
    pub ephemeral: bool,
    /// What to ask about for the whole story: an address and port, or the port alone.
    pub ask: String,
    /// Named mistakes.
    pub findings: Vec<PortFinding>,
}

/// Where a rule leads the clients of a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LeadItem {
    /// Address and port.
    pub to: String,
    /// `NAMESPACE/NAME` of the pod there, where that is known.
    pub pod: Option<String>,
}

/// A named mistake about a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PortFinding {
    /// Its name.
    pub code: &'static str,
    /// `error`, `warning` or `note`.
    pub severity: &'static str,
    /// What it is, here.
    pub title: String,
}

/// The map as data.
pub fn ports_document(ports: &Ports) -> PortsDocument {
    let (first, last) = ports.node_ports;
    let ephemeral = ports.scan.host.sysctls.ephemeral_ports();
    let room = |proto: Proto| {
        let room = ports.map.room(proto, first..=last);
        RoomItem {
            protocol: proto.to_string(),
            taken: room.taken,
            free: room.free,
            first_free: room.first_free,
        }
    };
    PortsDocument {
        format: FORMAT,
        node_ports: RangeItem { first, last },
        ephemeral: RangeItem {
            first: ephemeral.0,
            last: ephemeral.1,
        },
        room: [Proto::TCP, Proto::UDP].map(room).into(),
        ports: ports.map.held.iter().map(|one| item(ports, one)).collect(),
        gaps: super::gaps(ports.scan.host),
    }
}

/// The map as text, indented, with a line feed at its end.
pub fn render_ports(ports: &Ports) -> String {
    super::text(&ports_document(ports))
}

fn item(ports: &Ports, held: &HeldPort) -> PortItem {
    let scan = &ports.scan;
    let sockets = held.listeners.iter().flat_map(|one| &one.sockets);
    let sockets: Vec<&Socket> = sockets.chain(&held.bound).copied().collect();
    PortItem {
        protocol: held.proto.to_string(),
        port: held.port,
        held_by: hold_word(held.hold()),
        fate: held.worst().map(fate_word),
        sockets: sockets
            .into_iter()
            .map(|one| socket_item(one, scan.names))
            .collect(),
        services: held.services.iter().map(ToString::to_string).collect(),
        leads_to: held
            .leads_to
            .iter()
            .map(|to| LeadItem {
                to: to.to_string(),
                pod: (scan.pod_at)(*to),
            })
            .collect(),
        ephemeral: scan.host.sysctls.may_be_picked(held.port),
        ask: ask(held),
        findings: findings(held),
    }
}

/// The worst target of the listeners, else the port alone.
fn ask(held: &HeldPort) -> String {
    let heard = held.listeners.iter().flat_map(|one| &one.heard);
    worst_heard(heard).map_or(held.port.to_string(), |heard| heard.question.to.to_string())
}

/// The mistakes about its listeners, each once, the worst first.
fn findings(held: &HeldPort) -> Vec<PortFinding> {
    let mut all: Vec<&Finding> = Vec::new();
    let heard = held.listeners.iter().flat_map(|one| &one.heard);
    for finding in heard.flat_map(|heard| &heard.findings) {
        let is_known =
            |known: &&Finding| (known.code, &known.title) == (finding.code, &finding.title);
        if finding.severity != Severity::Note && !all.iter().any(is_known) {
            all.push(finding);
        }
    }
    all.sort_by_key(|finding| finding.severity);
    let item = |finding: &Finding| PortFinding {
        code: finding.code,
        severity: severity_word(finding.severity),
        title: finding.title.clone(),
    };
    all.into_iter().map(item).collect()
}

fn hold_word(hold: Hold) -> &'static str {
    match hold {
        Hold::Process => "process",
        Hold::Service => "service",
        Hold::Rule => "rule",
        Hold::Both => "both",
    }
}
