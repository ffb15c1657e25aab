//! What the kernel reported of a packet, as data.

use host::nftrace::At;
use serde::Serialize;
use serde_json::{Value, json};
use trace::{Parted, Taken};

use super::{StepItem, step_item};
use crate::{Story, Traced, words};

/// One packet's way as the kernel reported it, beside the foretold one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TraceItem {
    /// The table, of nftables' family inet, that was added for it and removed.
    pub table: String,
    /// The packet as it set out; null where none came.
    pub packet: Option<PacketItem>,
    /// Whether its way was foretold; null where nothing certain was.
    pub agrees: Option<bool>,
    /// Where it left the foretold way.
    pub parted: Option<PartedItem>,
    /// What the kernel reported, in order.
    pub steps: Vec<ReportItem>,
    /// Whether some reports were lost.
    pub lost: bool,
    /// What of the way is not reported.
    pub notes: Vec<String>,
}

/// A packet.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PacketItem {
    /// `tcp`, `udp`, `sctp`.
    pub protocol: String,
    /// Address and port it came from.
    pub from: String,
    /// Address and port it went to.
    pub to: String,
    /// The interface it came in on; null where it was made here.
    #[serde(rename = "in")]
    pub iif: Option<String>,
}

/// Where the kernel left the foretold way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartedItem {
    /// What it did, by its number among the steps from 1; null where it reports nothing more.
    pub step: Option<usize>,
    /// What was foretold instead; null where nothing more was.
    pub foretold: Option<StepItem>,
}

/// One thing that the kernel reported.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReportItem {
    /// The table's family, in nft's word.
    pub family: String,
    /// The table.
    pub table: String,
    /// The chain.
    pub chain: String,
    /// `rule`, `return` or `policy`.
    pub kind: &'static str,
    /// The rule's number in its chain, from 1; null for others, and for rules that were not
    /// there when the host was read.
    pub rule: Option<usize>,
    /// The rule's handle.
    pub handle: Option<u64>,
    /// The verdict, in nft's words; null where it has no name.
    pub verdict: Option<String>,
    /// The packet's mark behind it.
    pub mark: u32,
    /// Whether it was foretold. Rules that let the packet pass on may not be.
    pub foretold: bool,
}

pub(super) fn trace_item(story: &Story, traced: &Traced) -> TraceItem {
    let parted = traced.beside.parted.as_ref();
    TraceItem {
        table: traced.table.clone(),
        packet: traced.packet.as_ref().map(|packet| PacketItem {
            protocol: packet.proto.to_string(),
            from: packet.from.to_string(),
            to: packet.to.to_string(),
            iif: words::arrived(story, packet),
        }),
        agrees: words::agrees(traced),
        parted: parted.map(|parted| parted_item(story, parted)),
        steps: traced.beside.taken.iter().map(report_item).collect(),
        lost: traced.lost,
        notes: words::trace_notes(story, traced),
    }
}

fn parted_item(story: &Story, parted: &Parted) -> PartedItem {
    PartedItem {
        step: parted.taken.map(|n| n + 1),
        foretold: parted.foretold.as_ref().map(|step| step_item(story, step)),
    }
}

fn report_item(taken: &Taken) -> ReportItem {
    let report = &taken.report;
    let (kind, handle) = match report.at {
        At::Rule(handle) => ("rule", Some(handle)),
        At::Return => ("return", None),
        At::Policy => ("policy", None),
    };
    ReportItem {
        family: report.family.to_string(),
        table: report.table.clone(),
        chain: report.chain.clone(),
        kind,
        rule: taken.at.as_ref().and_then(|at| at.rule).map(|n| n + 1),
        handle,
        verdict: report.verdict.as_ref().map(words::nft_verdict),
        mark: report.mark,
        foretold: taken.foretold,
    }
}

/// Its part of the schema; `step` is that of a foretold step.
pub(super) fn schema(step: &Value) -> Value {
    let mut foretold = step.clone();
    foretold["type"] = json!(["object", "null"]);
    foretold["description"] = json!("what was foretold instead; null where nothing more was");
    json!({
        "type": "object",
        "description": "what the kernel reported of one packet, where it was asked to",
        "required": ["table", "packet", "agrees", "parted", "steps", "lost", "notes"],
        "properties": {
            "table": {"type": "string",
                "description": "of family inet, added for it and removed"},
            "packet": {
                "type": ["object", "null"],
                "description": "the packet as it set out; null where none came",
                "required": ["protocol", "from", "to", "in"],
                "properties": {
                    "protocol": {"type": "string"},
                    "from": {"type": "string"},
                    "to": {"type": "string"},
                    "in": {"type": ["string", "null"], "description": "null where it was made here"}
                }
            },
            "agrees": {"type": ["boolean", "null"],
                "description": "whether its way was foretold; null where nothing certain was"},
            "parted": {
                "type": ["object", "null"],
                "description": "where it left the foretold way",
                "required": ["step", "foretold"],
                "properties": {
                    "step": {"type": ["integer", "null"],
                        "description": "what the kernel did, by its number among the steps from 1; null where it reports nothing more"},
                    "foretold": foretold
                }
            },
            "steps": {"type": "array", "description": "what the kernel reported, in order", "items": {
                "type": "object",
                "required": ["family", "table", "chain", "kind", "rule", "handle", "verdict", "mark", "foretold"],
                "properties": {
                    "family": {"type": "string"},
                    "table": {"type": "string"},
                    "chain": {"type": "string"},
                    "kind": {"type": "string", "enum": ["rule", "return", "policy"]},
                    "rule": {"type": ["integer", "null"], "description": "its number in the chain, from 1"},
                    "handle": {"type": ["integer", "null"]},
                    "verdict": {"type": ["string", "null"], "description": "in nft's words"},
                    "mark": {"type": "integer", "description": "the packet's mark behind it"},
                    "foretold": {"type": "boolean",
                        "description": "rules that let the packet pass on may not be"}
                }
            }},
            "lost": {"type": "boolean", "description": "whether some reports were lost"},
            "notes": {"type": "array", "items": {"type": "string"},
                "description": "what of the way is not reported"}
        }
    })
}
