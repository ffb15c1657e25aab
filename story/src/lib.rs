//! Answers as people read them: text for the terminal, JSON for programs.
//!
//! Everything said is worded here, in [`words`]; nothing here decides what is true.

pub mod escape;
pub mod explain;
pub mod html;
pub mod json;
pub mod term;
pub mod words;

mod afterword;
mod groups;
mod headline;
mod names;
mod rows;
mod strip;
mod telling;

use host::Host;
use host::nftrace::Headers;
use net::Endpoint;
use trace::{Answer, Beside, Change, Finding, Heard, Listener, PortMap, Question, Sweep};

pub use names::{Names, PodLabel};

/// What there is to tell: a question about a host, its answers, and what is wrong in them.
#[derive(Debug, Clone, Copy)]
pub struct Story<'a> {
    /// The host the question is about; steps refer to its rules by place.
    pub host: &'a Host,
    /// The question.
    pub question: &'a Question,
    /// Its answers.
    pub answers: &'a [Answer],
    /// Named mistakes found in them.
    pub findings: &'a [Finding],
    /// How pods are called.
    pub names: &'a Names,
    /// One real connection from the host itself, where one was made.
    pub probe: Option<&'a Probe>,
    /// What the kernel reported of one packet, where it was asked to.
    pub traced: Option<&'a Traced>,
}

/// What a scan found: every listener of a host, and what becomes of the packets for it.
#[derive(Clone, Copy)]
pub struct Scan<'a> {
    /// The host.
    pub host: &'a Host,
    /// Its listeners.
    pub listeners: &'a [Listener<'a>],
    /// How pods are called that hold sockets.
    pub names: &'a Names,
    /// What becomes of every port, where that was asked.
    pub ports: Option<&'a [Sweep]>,
    /// How a pod is called that has an address and a port.
    pub pod_at: &'a dyn Fn(Endpoint) -> Option<String>,
}

impl<'a> Scan<'a> {
    /// The story of one target of a listener.
    fn story(&self, heard: &'a Heard) -> Story<'a> {
        Story {
            host: self.host,
            question: &heard.question,
            answers: &heard.answers,
            findings: &heard.findings,
            names: self.names,
            probe: None,
            traced: None,
        }
    }
}

/// Who holds which port of a host.
#[derive(Clone, Copy)]
pub struct Ports<'a> {
    /// The scan that the map was drawn from.
    pub scan: Scan<'a>,
    /// The map.
    pub map: &'a PortMap<'a, 'a>,
    /// The range that NodePorts are given from, both ends included.
    pub node_ports: (u16, u16),
}

/// Two states of a host, and what ends otherwise in them.
#[derive(Debug, Clone, Copy)]
pub struct Comparison<'a> {
    /// The host as it was.
    pub before: &'a Host,
    /// The host as it is.
    pub after: &'a Host,
    /// Connections that end otherwise.
    pub changes: &'a [Change],
    /// Networks elsewhere that were not asked about, as there are too many.
    pub unasked: usize,
}

/// What a real connection met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What it saw: `connected from 192.0.2.1:40000`, `ECONNREFUSED`.
    pub saw: String,
    /// Whether that is what was foretold; absent where nothing certain was.
    pub agrees: Option<bool>,
}

/// What the kernel reported of one packet on its way through the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced {
    /// The table that had it reported.
    pub table: String,
    /// The packet as it set out; absent where none came.
    pub packet: Option<Headers>,
    /// Its way, beside what was foretold.
    pub beside: Beside,
    /// Whether some reports were lost.
    pub lost: bool,
    /// For how many seconds a client was waited for; absent where the packet was our own.
    pub waited: Option<u64>,
}
