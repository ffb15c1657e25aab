//! What nftables reports of single packets on their way through its rules.
//!
//! Kernel: a packet with `nftrace` set makes every rule that it meets to its last expression
//! report itself, and every base chain whose policy it falls to (nf_tables_trace.c).

use std::fmt;

use net::{Endpoint, Family, Proto};

use crate::nft::Verdict;
use crate::{Hook, TableFamily};

/// Packets whose way is to be reported: those of one flow that open a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Where they are picked out: prerouting for packets that arrive, output for those made
    /// here.
    pub hook: Hook,
    /// Their protocol.
    pub proto: Proto,
    /// Where they go to, before any translation.
    pub to: Endpoint,
    /// Where they come from, if that matters.
    pub from: Option<std::net::IpAddr>,
    /// Their source port, if that matters.
    pub sport: Option<u16>,
    /// The interface they come in on, if that matters.
    pub iif: Option<String>,
}

impl fmt::Display for Wanted {
    /// The rule that picks them out, as nft lists it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.iif {
            Some(name) => write!(f, "iifname \"{name}\" ")?,
            // What loops back was made here.
            None if self.hook == Hook::Prerouting => write!(f, "iif != \"lo\" ")?,
            None => {}
        }
        let ip = match Family::of(self.to.addr) {
            Family::V4 => "ip",
            Family::V6 => "ip6",
        };
        if let Some(from) = self.from {
            write!(f, "{ip} saddr {from} ")?;
        }
        let proto = self.proto;
        write!(f, "{ip} daddr {} ", self.to.addr)?;
        if let Some(port) = self.sport {
            write!(f, "{proto} sport {port} ")?;
        }
        write!(f, "{proto} dport {} ", self.to.port)?;
        if proto == Proto::TCP {
            f.write_str("tcp flags syn / fin,syn,rst,ack ")?;
        }
        f.write_str("meta nftrace set 1")
    }
}

/// One thing that the kernel reports of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The packet's number; it has another after it looped back over `lo`.
    pub id: u32,
    /// The family of the table.
    pub family: TableFamily,
    /// The table.
    pub table: String,
    /// The chain.
    pub chain: String,
    /// What in the chain reports.
    pub at: At,
    /// What it says about the packet; absent where that has no name here.
    pub verdict: Option<Verdict>,
    /// The packet's mark behind it; 0 where it has none.
    pub mark: u32,
    /// The packet, in the first report of each base chain.
    pub headers: Option<Headers>,
}

/// What in a chain reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The rule with this handle.
    Rule(u64),
    /// The end of a chain that was called; newer kernels do not report it.
    Return,
    /// The base chain's policy.
    Policy,
}

/// A packet as a report shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headers {
    /// Its protocol.
    pub proto: Proto,
    /// Where it says it comes from.
    pub from: Endpoint,
    /// Where it goes to.
    pub to: Endpoint,
    /// Index of the interface it came in on.
    pub iif: Option<u32>,
    /// The start of its transport header without ports and checksum: what no translation
    /// changes, such as the sequence number of TCP.
    pub rest: Vec<u8>,
}

/// The way of one packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The packet where it was picked out.
    pub headers: Headers,
    /// What was reported behind that.
    pub reports: Vec<Report>,
}

/// The way of the first packet that a rule of the table `picker` picked out.
///
/// Reports of other packets are left out, whoever wants them; so are those of `picker` itself.
/// The way ends where the same packet is sent again.
pub fn way(reports: &[Report], picker: &str) -> Option<Way> {
    let picks = |report: &Report| report.table == picker && matches!(report.at, At::Rule(_));
    let start = reports
        .iter()
        .position(|report| picks(report) && report.headers.is_some())?;
    let headers = reports[start].headers.clone()?;
    let mut ids = vec![reports[start].id];
    let mut way = Vec::new();
    for report in &reports[start + 1..] {
        let is_known = ids.contains(&report.id);
        if picks(report) && (is_known || headers.is_sent_again(report)) {
            break;
        }
        if !is_known {
            if !headers.loops_back(report) {
                continue;
            }
            ids.push(report.id);
        }
        if report.table != picker {
            way.push(report.clone());
        }
    }
    Some(Way {
        headers,
        reports: way,
    })
}

impl Headers {
    fn is_same(&self, other: &Self) -> bool {
        (self.proto, &self.rest) == (other.proto, &other.rest)
    }

    fn is_sent_again(&self, report: &Report) -> bool {
        let other = report.headers.as_ref();
        other.is_some_and(|other| self.is_same(other))
    }

    /// Whether a report shows this packet, made here, coming in over `lo`.
    fn loops_back(&self, report: &Report) -> bool {
        let other = report.headers.as_ref();
        self.iif.is_none() && other.is_some_and(|other| other.iif.is_some() && self.is_same(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "picker";

    fn headers(to: &str, iif: Option<u32>, sequence: u8) -> Headers {
        Headers {
            proto: Proto::TCP,
            from: "192.0.2.1:4000".parse().unwrap(),
            to: to.parse().unwrap(),
            iif,
            rest: vec![sequence],
        }
    }

    fn report(id: u32, table: &str, at: At, headers: impl Into<Option<Headers>>) -> Report {
        Report {
            id,
            family: TableFamily::Inet,
            table: table.to_owned(),
            chain: "chain".to_owned(),
            at,
            verdict: Some(Verdict::Continue),
            mark: 0,
            headers: headers.into(),
        }
    }

    fn ids(reports: &[Report]) -> Vec<u32> {
        let way = way(reports, OURS).unwrap();
        way.reports.iter().map(|report| report.id).collect()
    }

    #[test]
    fn a_packet_is_known_again_behind_translation_and_loopback() {
        let reports = [
            report(1, OURS, At::Rule(2), headers("192.0.2.1:80", None, 7)),
            report(1, OURS, At::Policy, None),
            report(1, "nat", At::Rule(5), headers("192.0.2.1:80", None, 7)),
            report(2, "nat", At::Policy, headers("127.0.0.1:99", Some(1), 7)),
        ];
        assert_eq!(ids(&reports), [1, 2]);
    }

    #[test]
    fn packets_that_others_trace_are_left_out() {
        let reports = [
            report(9, "theirs", At::Rule(1), headers("192.0.2.1:80", None, 3)),
            report(1, OURS, At::Rule(2), headers("192.0.2.1:80", None, 7)),
            report(9, OURS, At::Policy, headers("192.0.2.1:80", Some(1), 3)),
            report(9, "nat", At::Policy, None),
            report(1, "nat", At::Policy, None),
        ];
        assert_eq!(ids(&reports), [1]);
        assert_eq!(way(&reports[..1], OURS), None);
    }

    #[test]
    fn a_packet_that_is_sent_again_goes_its_own_way() {
        let first = headers("192.0.2.1:80", None, 7);
        let reports = [
            report(1, OURS, At::Rule(2), first.clone()),
            report(1, "filter", At::Policy, None),
            report(1, OURS, At::Rule(2), first.clone()),
            report(1, "filter", At::Policy, None),
        ];
        assert_eq!(ids(&reports).len(), 1);
    }
}
