//! The fields of the published document.

use serde::Serialize;

use super::traced::TraceItem;

/// One question and its answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Document {
    /// The version of this form.
    pub format: u32,
    /// What was asked.
    pub question: QuestionItem,
    /// One answer for each set of sources that end alike.
    pub answers: Vec<AnswerItem>,
    /// One real connection, where one was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<ProbeItem>,
    /// What the kernel reported of one packet, where it was asked to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceItem>,
}

/// Every listener of a host, and what becomes of the packets for it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScanDocument {
    /// The version of this form.
    pub format: u32,
    /// One for each port of each process, by port.
    pub listeners: Vec<ListenerItem>,
    /// Listeners that take packets to link-local addresses of IPv6, which were not asked about.
    pub at_link_local: usize,
    /// What becomes of every port, where that was asked: one for the addresses that fare alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<Vec<SweepItem>>,
    /// What of the host could not be read.
    pub gaps: Vec<String>,
}

/// Every port of addresses that fare alike.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SweepItem {
    /// The addresses.
    pub addresses: Vec<String>,
    /// Each port from 1 to 65535 is in one of them.
    pub stretches: Vec<StretchItem>,
}

/// Ports that end alike.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StretchItem {
    /// Ranges of ports, first and last.
    pub ports: Vec<(u16, u16)>,
    /// What was asked, about the first address and the lowest port.
    pub question: QuestionItem,
    /// The answers, without steps.
    pub answers: Vec<AnswerItem>,
}

/// What ends otherwise in two states of a host.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChangesDocument {
    /// The version of this form.
    pub format: u32,
    /// One for each destination and each set of sources.
    pub changes: Vec<ChangeItem>,
    /// Networks elsewhere that rules ask for and that were not asked about.
    pub unasked: usize,
}

/// Connections that end otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChangeItem {
    /// `tcp`, `udp`, `sctp`.
    pub protocol: String,
    /// Address and port.
    pub to: String,
    /// `outside`, `pod` or `local`.
    pub from: &'static str,
    /// The interface; null for local ones.
    #[serde(rename = "in")]
    pub iif: Option<String>,
    /// The sources.
    pub region: String,
    /// Every possible end before; null where no such source was there.
    pub before: Option<Vec<OutcomeItem>>,
    /// Every possible end after.
    pub after: Option<Vec<OutcomeItem>>,
}

/// A port that a process waits on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ListenerItem {
    /// `tcp`, `udp`, `sctp`.
    pub protocol: String,
    /// The port.
    pub port: u16,
    /// The socket; several where they share the port.
    pub sockets: Vec<SocketItem>,
    /// The worst that becomes of a packet: `arrives`, `blocked`, `unknown` or `lost`; null where
    /// none of its addresses is there.
    pub fate: Option<&'static str>,
    /// The same from outside; null where nobody can send from there.
    pub from_outside: Option<&'static str>,
    /// The same from pods.
    pub from_pods: Option<&'static str>,
    /// The same from this host.
    pub from_this_host: Option<&'static str>,
    /// Connections that were opened before the rules and go on working where no new one gets.
    pub old_connections: usize,
    /// What becomes of packets, in full: one for the addresses that fare alike.
    pub targets: Vec<TargetItem>,
}

/// A socket and who holds it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SocketItem {
    /// Where it listens.
    pub socket: String,
    /// The process's name; null where it could not be read.
    pub name: Option<String>,
    /// Its id.
    pub pid: Option<u32>,
    /// `NAMESPACE/NAME` of its pod.
    pub pod: Option<String>,
    /// The UID of its pod.
    pub pod_uid: Option<String>,
    /// Its systemd unit.
    pub unit: Option<String>,
}

/// Addresses of a listener that fare alike.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetItem {
    /// The addresses.
    pub addresses: Vec<String>,
    /// What was asked, about the first of them.
    pub question: QuestionItem,
    /// The answers; connections that arrive have no steps.
    pub answers: Vec<AnswerItem>,
}

/// What a real connection from the host met.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProbeItem {
    /// What it saw.
    pub saw: String,
    /// Whether that was foretold; null where nothing certain was.
    pub agrees: Option<bool>,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QuestionItem {
    /// `tcp`, `udp`, `sctp`, or another protocol's name or number.
    pub protocol: String,
    /// Address and port.
    pub to: String,
    /// The kind of source or its address, where one was asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The interface asked about.
    #[serde(rename = "in", skip_serializing_if = "Option::is_none")]
    pub iif: Option<String>,
    /// The source port asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_port: Option<u16>,
}

/// Sources that end alike.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnswerItem {
    /// `outside`, `pod` or `local`.
    pub from: &'static str,
    /// The lowest address of the region.
    pub source: Option<String>,
    /// The interface; null for local ones.
    #[serde(rename = "in")]
    pub iif: Option<String>,
    /// All sources: prefixes and `FIRST-LAST` ranges, separated by a comma and a blank.
    pub region: String,
    /// Every possible end.
    pub outcomes: Vec<OutcomeItem>,
    /// Named mistakes.
    pub findings: Vec<FindingItem>,
    /// What was taken for granted and mattered.
    pub assumed: Vec<String>,
}

/// One way a connection can end.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OutcomeItem {
    /// The share of connections; null where the chance is not known.
    pub share: Option<f64>,
    /// On what it depends.
    pub when: Option<String>,
    /// The verdict.
    pub verdict: String,
    /// What that is to the listener: `arrives`, `blocked`, `unknown` or `lost`; of a scan only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fate: Option<&'static str>,
    /// What the client sees; null where not known.
    pub client: Option<&'static str>,
    /// Address and port after translation.
    pub to: Option<String>,
    /// The interface it leaves by.
    pub oif: Option<String>,
    /// The source that the server sees, where it is not the client's own.
    pub seen_source: Option<String>,
    /// Whether the source was translated.
    pub masquerade: bool,
    /// The socket it is about.
    pub server: Option<ServerItem>,
    /// `NAMESPACE/NAME:PORT`.
    pub service: Option<String>,
    /// Why it ended so, in a sentence.
    pub because: String,
    /// Everything that happened, in packet order.
    pub steps: Vec<StepItem>,
    /// How many of the steps belong to the first packet.
    pub request_steps: usize,
    /// What was not known and decided.
    pub gaps: Vec<String>,
}

/// A socket and who holds it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServerItem {
    /// The process's name; null where it could not be read.
    pub name: Option<String>,
    /// Its id.
    pub pid: Option<u32>,
    /// Where it listens.
    pub socket: String,
    /// `NAMESPACE/NAME` of its pod.
    pub pod: Option<String>,
    /// The UID of its pod.
    pub pod_uid: Option<String>,
    /// Its systemd unit.
    pub unit: Option<String>,
    /// Whether the connection got there.
    pub reached: bool,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepItem {
    /// Where in the kernel.
    pub stage: &'static str,
    /// The rule's table.
    pub table: Option<String>,
    /// The table's family, in nft's word.
    pub family: Option<String>,
    /// The rule's chain.
    pub chain: Option<String>,
    /// The rule's number in its chain, from 1; null for the chain's policy.
    pub rule: Option<usize>,
    /// The rule as its own language writes it.
    pub text: Option<String>,
    /// What happened.
    pub did: String,
}

/// A named mistake.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FindingItem {
    /// Its name, never reused.
    pub code: &'static str,
    /// `error`, `warning` or `note`.
    pub severity: &'static str,
    /// What it is, here.
    pub title: String,
    /// Why.
    pub why: Vec<String>,
    /// A command that puts it right.
    pub fix: Option<String>,
    /// What to do, in words.
    pub advice: Option<String>,
    /// A command that shows it.
    pub check: Option<String>,
}

/// What is known of kinds of findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FindingsDocument {
    /// The version of this form.
    pub format: u32,
    /// One for each.
    pub findings: Vec<FindingDocItem>,
}

/// What is known of a kind of finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FindingDocItem {
    /// Its name.
    pub code: &'static str,
    /// What it is.
    pub summary: &'static str,
    /// What the user sees.
    pub you_see: &'static str,
    /// How to check it by hand.
    pub check_by_hand: &'static str,
    /// How to put it right.
    pub put_it_right: &'static str,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProblemDocument {
    /// The version of this form.
    pub format: u32,
    /// In one sentence.
    pub error: String,
}
