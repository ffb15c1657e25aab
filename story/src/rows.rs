//! What a scan found, row by row: one for each port of each process.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use host::Socket;
use net::{Endpoint, Proto};
use trace::{Answer, Fate, From, Heard, Listener, Outcome, Severity, Verdict};

use crate::groups::{self, Group};
use crate::headline::share_words;
use crate::{Scan, escape, words};

/// The kinds of source, in the order of their columns.
pub(crate) const KINDS: [From; 3] = [From::Outside, From::Pod, From::Local];

/// Addresses of a listener that are named before the rest is counted.
const NAMED: usize = 3;

/// How many listeners fare how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) all: usize,
    pub(crate) lost: usize,
    pub(crate) unknown: usize,
    pub(crate) blocked: usize,
}

/// One port, on all addresses where it fares alike.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// `30584/tcp`, with the address where it is not any.
    pub(crate) port: String,
    /// Who holds it.
    pub(crate) holder: String,
    /// For each kind of source, how its packets fare.
    pub(crate) cells: [(String, Option<Fate>); 3],
    /// Which packets, where not all of a kind fare alike.
    pub(crate) parts: Vec<String>,
    /// An address that is not there.
    pub(crate) absent: Option<String>,
    /// Named mistakes with their codes.
    pub(crate) causes: Vec<(String, &'static str)>,
    /// Connections that were opened before the rules and go on working.
    pub(crate) old: usize,
    /// What to ask about for the whole story.
    pub(crate) ask: Option<(Proto, Endpoint)>,
    /// The worst that becomes of a packet.
    pub(crate) worst: Option<Fate>,
}

/// A row for each listener. The same port of the same process on another address adds nothing
/// where it fares alike.
pub(crate) fn rows(scan: &Scan) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for listener in scan.listeners {
        let row = row(scan, listener);
        let told = |known: &Row| {
            (&known.port, &known.holder) == (&row.port, &row.holder)
                && (&known.cells, &known.parts) == (&row.cells, &row.parts)
                && known.causes == row.causes
                && known.old == row.old
        };
        if !rows
            .iter()
            .rev()
            .take_while(|known| known.port == row.port)
            .any(told)
        {
            rows.push(row);
        }
    }
    rows
}

/// Counts rows by how they fare.
pub(crate) fn counts(rows: &[Row]) -> Counts {
    let of = |fate| rows.iter().filter(|row| row.worst == Some(fate)).count();
    Counts {
        all: rows.len(),
        lost: of(Fate::Lost),
        unknown: of(Fate::Unknown),
        blocked: of(Fate::Blocked),
    }
}

impl Counts {
    /// What a scan found, in a line.
    pub(crate) fn headline(self) -> String {
        let Self {
            all, lost, unknown, ..
        } = self;
        let listeners = if all == 1 { "listener" } else { "listeners" };
        match (all, lost, unknown) {
            (0, ..) => "nothing listens on this host".to_owned(),
            (_, 0, 0) => format!("none of {all} {listeners} loses traffic"),
            (_, 0, _) => {
                format!("{unknown} of {all} {listeners} may lose traffic: not all is known")
            }
            (_, 1, _) => format!("1 of {all} {listeners} loses traffic"),
            _ => format!("{lost} of {all} {listeners} lose traffic"),
        }
    }

    /// Those of whom a list of the worst says nothing, in a line; `rest` of them are left out.
    pub(crate) fn rest(self, rest: usize) -> Option<String> {
        let Self { blocked, .. } = self;
        let mut parts = Vec::new();
        if blocked > 0 {
            parts.push(format!(
                "{blocked} kept from some sources by a firewall or by routing"
            ));
        }
        if rest > blocked {
            parts.push(format!("{} reached from everywhere", rest - blocked));
        }
        (rest > 0).then(|| parts.join(", "))
    }
}

impl Row {
    /// Whether a list of the worst has it: packets for it are lost, may be, or cannot be.
    pub(crate) fn is_grave(&self) -> bool {
        self.worst.is_some_and(|fate| fate >= Fate::Unknown) || self.absent.is_some()
    }
}

fn row(scan: &Scan, listener: &Listener) -> Row {
    let cells = KINDS.map(|kind| (cell(scan, listener, kind), listener.fate(kind)));
    let mut causes = Vec::new();
    let is_grave = |fate: Option<Fate>| fate.is_some_and(|fate| fate >= Fate::Unknown);
    let told = listener.heard.iter().filter(|heard| {
        is_grave(
            KINDS
                .iter()
                .flat_map(|kind| heard.of_kind(*kind))
                .map(|(.., fate)| fate)
                .max(),
        )
    });
    for finding in told.flat_map(|heard| &heard.findings) {
        let cause = (escape::terminal(&finding.title), finding.code);
        if finding.severity == Severity::Error && !causes.contains(&cause) {
            causes.push(cause);
        }
    }
    Row {
        port: port(listener.sockets[0]),
        holder: holder(scan, &listener.sockets),
        cells,
        parts: parts(scan, listener),
        absent: absent(scan, listener),
        causes,
        old: listener.old(),
        ask: ask(listener),
        worst: listener.worst(),
    }
}

/// What keeps packets from a socket whose address is no address of this host.
fn absent(scan: &Scan, listener: &Listener) -> Option<String> {
    let addr = listener.sockets[0].addr;
    let is_broadcast = addr == IpAddr::V4(Ipv4Addr::BROADCAST);
    let is_of_one = !addr.is_unspecified() && !addr.is_multicast() && !is_broadcast;
    let is_absent = listener.heard.is_empty() && is_of_one && !scan.host.has_address(addr);
    is_absent.then(|| format!("{addr} is no address of this host [address-not-here]"))
}

/// `30584/tcp`; with the address where it is not any.
fn port(socket: &Socket) -> String {
    let port = format!("{}/{}", socket.port, socket.proto);
    if socket.addr.is_unspecified() {
        port
    } else {
        format!("{}/{}", words::socket(socket), socket.proto)
    }
}

/// `python3 (pod default/web-0)`, `nginx (4 sockets)`.
fn holder(scan: &Scan, sockets: &[&Socket]) -> String {
    let held: BTreeSet<String> = sockets
        .iter()
        .map(|socket| words::held_by(socket, scan.names))
        .collect();
    let text = held.into_iter().collect::<Vec<_>>().join(", ");
    match sockets.len() {
        1 => text,
        sockets => format!("{text}, {sockets} sockets"),
    }
}

/// How packets of a kind fare, in a word or two.
fn cell(scan: &Scan, listener: &Listener, kind: From) -> String {
    let Some(worst) = listener.fate(kind) else {
        return if absent(scan, listener).is_some() {
            "not here".to_owned()
        } else {
            "–".to_owned()
        };
    };
    let bad = || ends(listener, kind).filter(|(_, fate)| *fate == worst);
    let words: BTreeSet<String> = bad().map(|(outcome, fate)| end(outcome, fate)).collect();
    let server = only_server(scan, bad().map(|(outcome, _)| outcome));
    let text = match (words.len(), server.filter(|_| worst == Fate::Lost)) {
        (1, Some(server)) => server,
        (1, None) => words.into_iter().next().unwrap_or_default(),
        (count, _) => format!("{count} ends"),
    };
    if ends(listener, kind).all(|(_, fate)| fate == worst) {
        text
    } else {
        format!("part {text}")
    }
}

/// Every end of packets of a kind.
fn ends<'l>(listener: &'l Listener, kind: From) -> impl Iterator<Item = (&'l Outcome, Fate)> {
    let ends = listener
        .heard
        .iter()
        .flat_map(move |heard| heard.of_kind(kind));
    ends.map(|(_, outcome, fate)| (outcome, fate))
}

/// `ok`, `blocked`, `REFUSED`, `→ shop/web:http`.
fn end(outcome: &Outcome, fate: Fate) -> String {
    let is_own = outcome.service.is_none() || fate != Fate::Arrives;
    let word = words::verdict(outcome.verdict).to_owned();
    match (fate, outcome.verdict, &outcome.service) {
        (Fate::Arrives, ..) if is_own => "ok".to_owned(),
        (Fate::Arrives, ..) => "Service".to_owned(),
        (Fate::Blocked, ..) => "blocked".to_owned(),
        (_, Verdict::Delivered | Verdict::Forwarded, Some(service)) => {
            format!("→ {}", escape::terminal(&service.to_string()))
        }
        (_, Verdict::Delivered, None) => match &outcome.server {
            Some(server) => format!("→ {}", words::server_name(server)),
            None => word,
        },
        (_, Verdict::Forwarded, None) => outcome.to.map_or(word, |to| format!("→ {to}")),
        _ => word,
    }
}

/// The one server that all of these lead to, if it is one.
fn only_server<'l>(scan: &Scan, ends: impl Iterator<Item = &'l Outcome>) -> Option<String> {
    let server = |outcome: &Outcome| match (outcome.verdict, &outcome.server) {
        (Verdict::Delivered, Some(server)) if server.reached => {
            Some(format!("→ {}", words::server_name(server)))
        }
        (Verdict::Forwarded, _) => outcome.to.map(|to| match (scan.pod_at)(to) {
            Some(pod) => format!("→ pod {}", escape::terminal(&pod)),
            None => format!("→ {to}"),
        }),
        _ => None,
    };
    let servers: BTreeSet<Option<String>> = ends.map(server).collect();
    let mut servers = servers.into_iter();
    servers
        .next()
        .flatten()
        .filter(|_| servers.next().is_none())
}

/// Which packets fare how, for kinds of source that are not all alike: in words, and where
/// from, with the addresses they are for.
fn parts(scan: &Scan, listener: &Listener) -> Vec<String> {
    let mut said = Vec::new();
    for kind in KINDS {
        let words: BTreeSet<String> = ends(listener, kind)
            .map(|(outcome, fate)| end(outcome, fate))
            .collect();
        if words.len() < 2 {
            continue;
        }
        let mut parts: Vec<(String, Vec<IpAddr>)> = Vec::new();
        for heard in &listener.heard {
            for part in parts_of(scan, heard, kind) {
                match parts.iter_mut().find(|(known, _)| *known == part) {
                    Some((_, addrs)) => addrs.extend(&heard.addrs),
                    None => parts.push((part, heard.addrs.clone())),
                }
            }
        }
        let all: usize = listener.heard.iter().map(|heard| heard.addrs.len()).sum();
        said.extend(parts.into_iter().map(|(part, addrs)| {
            if addrs.len() == all {
                part
            } else {
                format!("{part} to {}", addresses(&addrs))
            }
        }));
    }
    said
}

/// The ends of packets of a kind to one target, those that arrive left out.
fn parts_of(scan: &Scan, heard: &Heard, kind: From) -> Vec<String> {
    let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
    let answers = heard.answers.iter().zip(&heard.fates).enumerate();
    for (i, (answer, fates)) in answers.filter(|(_, (answer, _))| answer.from == kind) {
        if fates.iter().all(|fate| *fate == Fate::Arrives) {
            continue;
        }
        let text = shares(answer, fates);
        match groups.iter_mut().find(|(known, _)| *known == text) {
            Some((_, members)) => members.push(i),
            None => groups.push((text, vec![i])),
        }
    }
    let story = scan.story(heard);
    let told = groups.into_iter().map(|(text, answers)| {
        let label = groups::label(&story, &Group { answers });
        format!("{text} {label}")
    });
    told.collect()
}

/// The ends of one answer, with their shares where there are several.
fn shares(answer: &Answer, fates: &[Fate]) -> String {
    let mut ends: Vec<(String, Option<f64>)> = Vec::new();
    for (outcome, fate) in answer.outcomes.iter().zip(fates) {
        let text = end(outcome, *fate);
        match ends.iter_mut().find(|(known, _)| *known == text) {
            Some((_, share)) => *share = share.zip(outcome.share).map(|(a, b)| a + b),
            None => ends.push((text, outcome.share)),
        }
    }
    let is_one = ends.len() == 1;
    let words = ends.into_iter().map(|(text, share)| match share {
        _ if is_one => text,
        share => format!("{}{text}", share_words(share)),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// The first of some addresses, and how many more there are.
pub(crate) fn addresses(addrs: &[IpAddr]) -> String {
    let mut named: Vec<String> = addrs.iter().take(NAMED).map(ToString::to_string).collect();
    if addrs.len() > NAMED {
        named.push(format!("{} more", addrs.len() - NAMED));
    }
    words::listed(&named, "and")
}

/// The question that tells the whole story: about the worst target.
fn ask(listener: &Listener) -> Option<(Proto, Endpoint)> {
    let heard = worst_heard(listener.heard.iter())?;
    Some((heard.question.proto, heard.question.to))
}

/// The target whose packets fare worst, the first of those that fare alike.
pub(crate) fn worst_heard<'a>(
    heard: impl DoubleEndedIterator<Item = &'a Heard>,
) -> Option<&'a Heard> {
    let worst = |heard: &&Heard| heard.fates.iter().flatten().max().copied();
    heard.rev().max_by_key(worst)
}

/// Listeners whose packets were not all asked about.
pub(crate) fn link_local(scan: &Scan) -> Option<String> {
    let listeners = match trace::at_link_local(scan.host, scan.listeners) {
        0 => return None,
        1 => "1 listener takes them".to_owned(),
        count => format!("{count} listeners take them"),
    };
    let what = "packets to link-local addresses of IPv6 were not asked about";
    Some(format!("{what}: {listeners}"))
}

/// What connections opened before the rules make of a port that new ones lose; a finding's
/// code tells more.
pub(crate) fn old(count: usize) -> Option<String> {
    let open = match count {
        0 => return None,
        1 => "1 connection opened before the rules goes on working".to_owned(),
        count => format!("{count} connections opened before the rules go on working"),
    };
    Some(format!("{open}: some requests fail"))
}

/// NodePorts that the kernel may give to clients of this host; a finding's code tells more.
pub(crate) fn ephemeral(scan: &Scan) -> Option<String> {
    let ports = trace::ephemeral_node_ports(scan.host);
    let (first, last) = scan.host.sysctls.ephemeral_ports();
    let mut named: Vec<String> = ports.iter().take(NAMED).map(ToString::to_string).collect();
    if ports.len() > NAMED {
        named.push("…".to_owned());
    }
    let (count, named) = (ports.len(), named.join(" "));
    let node_ports = if count == 1 {
        "NodePort lies"
    } else {
        "NodePorts lie"
    };
    (count > 0)
        .then(|| format!("{count} {node_ports} in the ephemeral range {first}–{last}: {named}"))
}
