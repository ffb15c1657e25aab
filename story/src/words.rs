//! All wording: verdicts, causes, clients, steps, places, sources.
//!
//! Literals that a program or a person chose are escaped for one line of a terminal.

mod compat;
mod conditions;
mod ends;
pub(crate) mod page;
mod places;
mod ports;
mod sources;
mod steps;
mod traced;

use host::xt::RejectWith;
use host::{Gap, Hook, Socket, SocketState};
use net::{Endpoint, Proto};
use trace::{Cause, Client, Did, Outcome, Region, Server, Stage, Verdict};

use crate::{Names, Probe, Story, escape};

pub use conditions::conditions;
pub(crate) use ends::Ends;
pub(crate) use places::{arrival, default_check, place, rule_at, speaks_xt, text_at};
pub(crate) use ports::{fare, port_ranges};
pub(crate) use sources::{except_words, kind_words, region_words, source_words};
pub(crate) use steps::{step_place, step_words};
pub(crate) use traced::{
    agrees, arrived, foretold_step, nft_verdict, report_place, report_words, trace_notes, traced,
};
pub use traced::{trace_begins, trace_may_stay};

/// The value of `rp_filter` that asks for any way back to the source.
const LOOSE: i64 = 2;

/// The word of a verdict that starts a story.
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Delivered => "DELIVERED",
        Verdict::Forwarded => "FORWARDED",
        Verdict::Refused => "REFUSED",
        Verdict::Rejected => "REJECTED",
        Verdict::Dropped => "DROPPED",
        Verdict::Unknown => "UNKNOWN",
    }
}

/// What the client sees, as one word of the published document; absent where not known.
pub fn client_word(client: Client) -> Option<&'static str> {
    match client {
        Client::Connected => Some("connected"),
        Client::WhateverAnswers => Some("whatever-answers"),
        Client::Silent => Some("CONNECTED_SILENT"),
        Client::Timeout => Some("TIMEOUT"),
        Client::Errno(name) => Some(name),
        Client::Unknown => None,
    }
}

/// What the client sees, in a sentence.
pub fn client(client: Client, proto: Proto, to: Option<Endpoint>) -> String {
    let connects = proto == Proto::TCP || proto == Proto::SCTP;
    match (client, connects) {
        (Client::Connected, true) => "connect() succeeds".to_owned(),
        (Client::Connected, false) => "a request arrives, and an answer can come back".to_owned(),
        (Client::WhateverAnswers, _) => {
            let who = to.map_or("the machine there".to_owned(), |to| to.to_string());
            format!("whatever {who} answers")
        }
        (Client::Silent, true) => "connect() succeeds, and then nothing arrives".to_owned(),
        (Client::Silent, false) => "a request arrives, and no answer comes back".to_owned(),
        (Client::Timeout, true) => "connect() gets no answer and times out".to_owned(),
        (Client::Timeout, false) => "no answer".to_owned(),
        (Client::Errno(name), true) => format!("connect() fails with {name}"),
        (Client::Errno("EPERM"), false) => "send() fails with EPERM".to_owned(),
        (Client::Errno(name), false) => {
            format!("the next send() or recv() on a connected socket fails with {name}")
        }
        (Client::Unknown, _) => "not known".to_owned(),
    }
}

/// What a real connection met, and whether that was foretold.
pub fn probe(probe: &Probe) -> String {
    let saw = escape::terminal(&probe.saw);
    match probe.agrees {
        Some(true) => format!("{saw}: the kernel agrees"),
        Some(false) => format!("{saw}: the kernel disagrees, so this story is wrong here"),
        None => format!("{saw}: nothing certain was foretold"),
    }
}

/// The name of a reject type, as iptables has it.
pub fn reject(with: RejectWith) -> String {
    let name = match with {
        RejectWith::TcpReset => "tcp-reset",
        RejectWith::Icmp(0) => "icmp-net-unreachable",
        RejectWith::Icmp(1) => "icmp-host-unreachable",
        RejectWith::Icmp(2) => "icmp-proto-unreachable",
        RejectWith::Icmp(3) => "icmp-port-unreachable",
        RejectWith::Icmp(9) => "icmp-net-prohibited",
        RejectWith::Icmp(10) => "icmp-host-prohibited",
        RejectWith::Icmp(13) => "icmp-admin-prohibited",
        RejectWith::Icmp(code) => return format!("icmp-unreachable code {code}"),
        RejectWith::Icmp6(0) => "icmp6-no-route",
        RejectWith::Icmp6(1) => "icmp6-adm-prohibited",
        RejectWith::Icmp6(3) => "icmp6-addr-unreachable",
        RejectWith::Icmp6(4) => "icmp6-port-unreachable",
        RejectWith::Icmp6(5) => "icmp6-policy-fail",
        RejectWith::Icmp6(6) => "icmp6-reject-route",
        RejectWith::Icmp6(code) => return format!("icmp6-unreachable code {code}"),
    };
    name.to_owned()
}

/// The name of a hook, as everybody writes it.
pub fn hook(hook: Hook) -> &'static str {
    match hook {
        Hook::Ingress => "INGRESS",
        Hook::Prerouting => "PREROUTING",
        Hook::Input => "INPUT",
        Hook::Forward => "FORWARD",
        Hook::Output => "OUTPUT",
        Hook::Postrouting => "POSTROUTING",
        Hook::Egress => "EGRESS",
    }
}

/// The name of a place in the kernel.
pub fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Start => "start",
        Stage::Hook(at) => hook(at),
        Stage::Routing => "routing",
        Stage::Socket => "socket",
        Stage::Leave => "leave",
    }
}

/// A share as people say it: `50%`, `0.4%`.
pub fn percent(share: f64) -> String {
    let hundred = share * 100.0;
    if hundred >= 1.0 || hundred == 0.0 {
        format!("{hundred:.0}%")
    } else if hundred >= 0.05 {
        format!("{hundred:.1}%")
    } else {
        "less than 0.1%".to_owned()
    }
}

/// Some words as a list: `a, b and c`.
pub(crate) fn listed(words: &[String], joint: &str) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} {joint} {last}", rest.join(", ")),
    }
}

/// Where a socket listens.
pub fn socket(socket: &Socket) -> String {
    let (addr, port) = (socket.addr, socket.port);
    Endpoint { addr, port }.to_string()
}

/// The name of the process that holds a server's socket.
pub fn server_name(server: &Server) -> String {
    match &server.socket.holder {
        Some(holder) => escape::terminal(&holder.name),
        None => "a process that could not be read".to_owned(),
    }
}

/// A server by name, process, pod or unit: `python3 (pid 16140, pod default/web-0,
/// hostNetwork)`.
pub fn server(server: &Server, names: &Names) -> String {
    let name = server_name(server);
    let Some(holder) = &server.socket.holder else {
        return name;
    };
    let mut known = Vec::new();
    known.extend(holder.pid.map(|pid| format!("pid {pid}")));
    if let Some(pod) = names.pod_of(holder) {
        known.push(format!("pod {}", escape::terminal(&pod.name)));
        known.extend(pod.host_network.then(|| "hostNetwork".to_owned()));
    } else if let Some(uid) = &holder.pod_uid {
        known.push(format!("pod {}", escape::terminal(uid)));
    } else if let Some(unit) = &holder.unit {
        known.push(format!("unit {}", escape::terminal(unit)));
    }
    if known.is_empty() {
        name
    } else {
        format!("{name} ({})", known.join(", "))
    }
}

/// Who holds a socket: `python3 (pod default/web-0)`, `sshd`.
pub fn held_by(socket: &Socket, names: &Names) -> String {
    let Some(holder) = &socket.holder else {
        return "?".to_owned();
    };
    let name = escape::terminal(&holder.name);
    match names.pod_of(holder) {
        Some(pod) => format!("{name} (pod {})", escape::terminal(&pod.name)),
        None => name,
    }
}

/// What a server's socket does: `listens on 0.0.0.0:30584`.
pub fn listens(server: &Server) -> String {
    let at = socket(&server.socket);
    match server.socket.state {
        SocketState::Listen => format!("listens on {at}"),
        SocketState::Bound => format!("is bound to {at} and does not listen"),
        SocketState::Unconnected => format!("receives on {at}"),
        SocketState::Connected => format!("has a connection on {at}"),
        SocketState::TimeWait => format!("had a connection on {at}"),
    }
}

/// Where a connection ended that did not get through: ` in INPUT`; empty where the place is
/// in the cause.
pub(crate) fn stopped_in(outcome: &Outcome) -> String {
    match outcome.deciding().map(|step| step.stage) {
        Some(Stage::Hook(at)) => format!(" in {}", hook(at)),
        Some(Stage::Routing) => " in routing".to_owned(),
        Some(Stage::Start) => " on arrival".to_owned(),
        Some(Stage::Socket | Stage::Leave) | None => String::new(),
    }
}

/// Why a connection ended so, in one sentence.
pub(crate) fn cause(story: &Story, region: &Region, outcome: &Outcome) -> String {
    let ends = Ends::at_end(story, region, outcome);
    cause_words(story, outcome, &outcome.cause, &ends)
}

/// A cause in words, where the packet that met it has these ends.
fn cause_words(story: &Story, outcome: &Outcome, cause: &Cause, ends: &Ends) -> String {
    let rule = || {
        let step = outcome.deciding().and_then(|step| step.rule.as_ref());
        step.map_or("a rule".to_owned(), |rule| place(story.host, rule))
    };
    let (proto, to) = (story.question.proto, ends.dst.target());
    match cause {
        Cause::Socket => "a socket takes it".to_owned(),
        Cause::Leaves => "it leaves this host".to_owned(),
        Cause::RuleDrops => format!("{} drops it", rule()),
        Cause::RuleRejects(with) => format!("{} rejects it with {}", rule(), reject(*with)),
        Cause::PolicyDrops => format!("no rule decides, and the policy drops: {}", rule()),
        Cause::NothingListens => {
            format!("nothing listens on {proto} {}", ends.dst.as_target())
        }
        Cause::BoundOnly => match &outcome.server {
            Some(server) => format!("{} {}", server_name(server), listens(server)),
            None => format!(
                "the socket on {proto} {} does not listen",
                ends.dst.as_target()
            ),
        },
        Cause::NoRoute => format!("no route leads to {to}"),
        Cause::Blackhole => format!("a blackhole route swallows {to}"),
        Cause::Unreachable => format!("a route calls {to} unreachable"),
        Cause::Prohibited => format!("a route prohibits {to}"),
        Cause::ForwardingOff => "the packet would be forwarded, and forwarding is off".to_owned(),
        Cause::ReversePath => reverse_path(story, outcome),
        Cause::Martian => format!(
            "the kernel takes no packet from {} to {to} there",
            ends.src.who()
        ),
        Cause::NotUnicast => format!("{to} is no unicast address"),
        Cause::WrongSource => {
            "the answer comes from another address or port than the client asked".to_owned()
        }
        Cause::AnswerLost(inner) => {
            let lost = cause_words(story, outcome, inner, ends);
            match reply(outcome) {
                Some(reply) => format!("{reply} is lost: {lost}"),
                None => format!("the answer is lost: {lost}"),
            }
        }
        Cause::HandshakeLost(inner) => format!(
            "the packet that completes the handshake is lost: {}",
            cause_words(story, outcome, inner, ends)
        ),
        Cause::Gap => match outcome.gaps.as_slice() {
            [] => "something that could not be read decides".to_owned(),
            [gap] => gap_words(gap),
            [gap, rest @ ..] => format!("{}, and {} more", gap_words(gap), rest.len()),
        },
    }
}

/// Characters that are told of what others wrote, who may have written as much as they liked.
const LONG: usize = 240;

/// What is not known, in one line that is not too long.
pub(crate) fn gap_words(gap: &Gap) -> String {
    shortened(&gap.what)
}

/// A text of somebody else's as one line that is not too long.
pub(crate) fn shortened(text: &str) -> String {
    let mut told: String = text.chars().take(LONG + 1).collect();
    if told.chars().count() > LONG {
        let _ = told.pop();
        told.push('…');
    }
    escape::terminal(&told)
}

/// What the kernel answers by itself with, where that is what answers.
fn reply(outcome: &Outcome) -> Option<&'static str> {
    let last = outcome.request.checked_sub(1)?;
    match &outcome.steps.get(last)?.did {
        Did::Reject(_) => Some("the rejection"),
        Did::Stops(_) => Some("the error"),
        _ => None,
    }
}

/// A loose filter is content with any way back.
fn reverse_path(story: &Story, outcome: &Outcome) -> String {
    let iif = match outcome.cause {
        Cause::AnswerLost(_) => outcome.oif.as_deref(),
        _ => arrival(outcome),
    };
    if iif.is_some_and(|iif| story.host.sysctls.rp_filter(iif) == LOOSE) {
        "no way leads back to the source (rp_filter)".to_owned()
    } else {
        "the way back to the source leads over another interface, or none leads there (rp_filter)"
            .to_owned()
    }
}

/// The mark at the end of the strip where a packet stops.
pub(crate) fn stop_mark(cause: &Cause) -> &'static str {
    match cause {
        Cause::Socket | Cause::Leaves | Cause::Gap => "",
        Cause::RuleDrops | Cause::PolicyDrops => "DROP",
        Cause::RuleRejects(_) => "REJECT",
        Cause::NothingListens => "nothing listens",
        Cause::BoundOnly => "does not listen",
        Cause::NoRoute => "no route",
        Cause::Blackhole => "blackhole",
        Cause::Unreachable => "unreachable",
        Cause::Prohibited => "prohibited",
        Cause::ForwardingOff => "forwarding off",
        Cause::ReversePath => "rp_filter",
        Cause::Martian => "martian",
        Cause::NotUnicast => "not unicast",
        Cause::WrongSource => "wrong source",
        Cause::AnswerLost(_) => "answer lost",
        Cause::HandshakeLost(_) => "handshake lost",
    }
}

/// What a step did, in few words, for the published document.
pub fn did(did: &Did, is_xt: bool) -> String {
    let verdict = |upper: &str| {
        if is_xt {
            upper.to_owned()
        } else {
            upper.to_lowercase()
        }
    };
    match did {
        Did::Arrives { iif } => format!("arrives on {}", escape::terminal(iif)),
        Did::Sent { source: Some(addr) } => format!("sent from {addr}"),
        Did::Sent { source: None } => "sent".to_owned(),
        Did::LoopsBack => "loops back".to_owned(),
        Did::RoutedLocal { addr } => format!("{addr} is this host"),
        Did::Routed { oif, gateway, .. } => {
            let by = gateway.map_or(String::new(), |addr| format!(" by {addr}"));
            format!("routed over {}{by}", escape::terminal(oif))
        }
        Did::Jump { chain } => format!("jump {}", escape::terminal(chain)),
        Did::Goto { chain } => format!("goto {}", escape::terminal(chain)),
        Did::Return => verdict("RETURN"),
        Did::Accept => verdict("ACCEPT"),
        Did::Drop => verdict("DROP"),
        Did::Reject(with) => format!("{} {}", verdict("REJECT"), reject(*with)),
        Did::Dnat { addr, port } => {
            let (addr, port) = (*addr, *port);
            format!("DNAT to {}", Endpoint { addr, port })
        }
        Did::Snat {
            masquerade: true, ..
        } => "MASQUERADE".to_owned(),
        Did::Snat {
            addr: Some(addr), ..
        } => format!("SNAT to {addr}"),
        Did::Snat { addr: None, .. } => "SNAT".to_owned(),
        Did::Mark { mark } => format!("mark becomes {mark:#x}"),
        Did::CtMark { mark } => format!("connection mark becomes {mark:#x}"),
        Did::Notrack => "NOTRACK".to_owned(),
        Did::Queue => "NFQUEUE".to_owned(),
        Did::Delivered => "delivered".to_owned(),
        Did::Leaves { oif } => format!("leaves over {}", escape::terminal(oif)),
        Did::Stops(cause) => stop_words(cause),
        Did::AnswerStarts => "the answer starts back".to_owned(),
        Did::AckStarts => "the handshake goes on".to_owned(),
    }
}

/// What the kernel did by itself, without the addresses.
pub(crate) fn stop_words(cause: &Cause) -> String {
    match stop_mark(cause) {
        "" => "ends".to_owned(),
        mark => mark.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_whole_percents_where_that_says_enough() {
        assert_eq!(percent(1.0 / 3.0), "33%");
        assert_eq!(percent(0.004), "0.4%");
        assert_eq!(percent(0.000_4), "less than 0.1%");
        assert_eq!(percent(1.0), "100%");
    }

    #[test]
    fn an_error_is_named_where_the_client_meets_it() {
        let errno = Client::Errno("ECONNREFUSED");
        assert_eq!(
            client(errno, Proto::TCP, None),
            "connect() fails with ECONNREFUSED"
        );
        assert_eq!(
            client(Client::Errno("EPERM"), Proto::UDP, None),
            "send() fails with EPERM"
        );
    }
}
