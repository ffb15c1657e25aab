//! What the page says around the stories.

use trace::{Answer, Origin, Outcome, Question, Verdict};

use crate::escape;

pub(crate) const PRODUCT: &str = "Berthmaster";
pub(crate) const SKIP: &str = "Skip to the answer";
pub(crate) const VIEWS: &str = "Views";
pub(crate) const VIEW_PORTS: &str = "Ports";
pub(crate) const VIEW_LISTENERS: &str = "Listeners";
pub(crate) const VIEW_ASK: &str = "Ask";
pub(crate) const VIEW_FINDINGS: &str = "Findings";

// The drawing.
pub(crate) const COMES_IN: &str = "comes in";
pub(crate) const IS_SENT: &str = "is sent from here";
pub(crate) const AN_INTERFACE: &str = "an interface";
pub(crate) const A_SOCKET: &str = "a socket";
pub(crate) const A_PROCESS: &str = "a process here";
pub(crate) const NO_SOCKET: &str = "no listener";
pub(crate) const STAMP_UNKNOWN: &str = "? not known";
pub(crate) const STAMP_DELIVERED: &str = "✓ delivered";
pub(crate) const STAMP_LEAVES: &str = "✓ leaves";

// A question and its answers.
pub(crate) const ASK: &str = "Ask about a connection";
pub(crate) const ASK_AGAIN: &str = "Ask about another connection";
pub(crate) const ASK_INTRO: &str = "What becomes of a new connection to this host, or through \
    it? The answer is worked out from the host's own rules, routes and sockets. No packet is \
    sent.";
pub(crate) const TO: &str = "To";
pub(crate) const TO_HINT: &str = "an address and port, a port of this host, or service \
    NAMESPACE/NAME";
pub(crate) const FROM: &str = "From";
pub(crate) const FROM_HINT: &str = "empty for everywhere; or outside, pods, local, an address, \
    pod NAMESPACE/NAME";
pub(crate) const PROTOCOL: &str = "Protocol";
pub(crate) const EVERYWHERE: &str = "everywhere";
pub(crate) const IN: &str = "Interface";
pub(crate) const IN_HINT: &str = "the interface that packets come in on";
pub(crate) const SEND: &str = "Ask";
pub(crate) const NO_SOURCE: &str = "UNKNOWN: no source of the kind asked about leads here";
pub(crate) const ENDS: &str = "It depends on where the client is";
pub(crate) const THE_WAY: &str = "The way of the first packet";
pub(crate) const WHAT_TO_DO: &str = "Why, and what to do";
pub(crate) const DECIDED: &str = "The rule that decided";
pub(crate) const TRANSLATED: &str = "The rule that gave it another destination";
pub(crate) const A_CONNECTION: &str = "A new connection to ";
pub(crate) const MORE: &str = "Read more";
pub(crate) const WHY: &str = "Why";
pub(crate) const CLIENT: &str = "The client sees";
pub(crate) const FIX: &str = "Put it right";
pub(crate) const CHECK: &str = "Check by hand";
pub(crate) const NOT_KNOWN: &str = "Not known";
pub(crate) const ASSUMED: &str = "Taken for granted";
pub(crate) const NOTE: &str = "Note";
pub(crate) const EVERY_STEP: &str = "Show every step";
pub(crate) const FEWER_STEPS: &str = "Show only the steps that mattered";

// Listeners.
pub(crate) const PORT: &str = "Port";
pub(crate) const HELD_BY: &str = "Held by";
pub(crate) const FROM_OUTSIDE: &str = "From outside";
pub(crate) const FROM_PODS: &str = "From pods";
pub(crate) const FROM_HERE: &str = "From this host";
pub(crate) const SHOW_ALL: &str = "show all";
pub(crate) const SHOW_WORST: &str = "Show only those that lose traffic";
pub(crate) const LISTENERS_INTRO: &str = "Every socket that waits for clients, and what becomes \
    of the packets meant for it, proved over all sources and not sampled. A port loses traffic \
    where a rule made for it, or for a Service, refuses its packets or gives them to somebody \
    else. What a firewall keeps out is called blocked, and is no fault.";

// Ports.
pub(crate) const PORTS_INTRO: &str = "Every port of this host that somebody holds: a process \
    that listens, a Service whose rules take its packets, or both.";
pub(crate) const AT_ODDS: &str = "loses traffic";
pub(crate) const IN_DOUBT: &str = "may lose traffic: not all is known";
pub(crate) const PROCESSES: &str = "Processes";
pub(crate) const NODE_PORTS: &str = "NodePort range";
pub(crate) const EPHEMERAL: &str = "Ephemeral range";
pub(crate) const OTHER_PORTS: &str = "Other ports";
pub(crate) const TO_SCALE: &str = "Ports to scale";
pub(crate) const LEGEND_SERVICES: &str = "upper half: a Service, or a rule that leads elsewhere";
pub(crate) const LEGEND_PROCESSES: &str = "lower half: a process";
pub(crate) const LEGEND_LOST: &str = "both: a process that loses traffic";
pub(crate) const EPHEMERAL_IS: &str = "the kernel picks from it for clients on this host";
pub(crate) const UNNAMED: &str = "a process that could not be read";
pub(crate) const ALL_PORTS: &str = "All ports, 1–65535, to scale";
pub(crate) const HELD: &str = "Held ports";
pub(crate) const SERVICE: &str = "Service or rule";
pub(crate) const ITS_PACKETS: &str = "Its packets";
pub(crate) const NOBODY: &str = "–";
pub(crate) const NO_PORTS: &str = "Nobody holds a port of this host";
pub(crate) const PICKED: &str = "(the kernel may give this port to a client of this host)";
pub(crate) const UNREAD: &str = "Not everything could be read";

// Findings.
pub(crate) const FINDINGS: &str = "What can go wrong with a port";
pub(crate) const FINDINGS_INTRO: &str = "Every mistake that is looked for, by name.";
pub(crate) const YOU_SEE: &str = "You see";
pub(crate) const CHECK_BY_HAND: &str = "Check by hand";
pub(crate) const PUT_IT_RIGHT: &str = "Put it right";
pub(crate) const ALL_FINDINGS: &str = "All findings";

/// Whose page it is and where its facts come from.
pub(crate) fn footer(host: &str, source: &str) -> String {
    if host.is_empty() {
        format!(
            "{}. This page reads and never changes anything.",
            upper(source)
        )
    } else {
        format!("{host}: {source}. This page reads and never changes anything.")
    }
}

/// A sentence with a large first letter.
pub(crate) fn upper(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// The words of a link to the story of a port.
pub(crate) fn story_of(port: &str) -> String {
    format!("The whole story of {port}")
}

/// Where the clients are that a question is about, where it says.
pub(crate) fn asked_from(question: &Question) -> Option<String> {
    let over = question.iif.as_deref().map(escape::terminal);
    let over = over.map_or(String::new(), |name| format!(" over {name}"));
    let from = match &question.origin {
        Origin::Everywhere if over.is_empty() => return None,
        Origin::Everywhere => String::new(),
        Origin::Outside => " from outside".to_owned(),
        Origin::Pods => " from pods".to_owned(),
        Origin::Local => " from this host".to_owned(),
        Origin::Address(addr) => format!(" from {addr}"),
    };
    Some(format!("{from}{over}"))
}

/// What a drawing shows: whose first packet, and over which other interfaces it goes alike.
pub(crate) fn way_of(answer: &Answer, likewise: &[String]) -> String {
    let kind = super::kind_words(answer.from);
    let over = answer.iif.as_deref().map(escape::terminal);
    let over = over.map_or(String::new(), |name| format!(" over {name}"));
    let also = if likewise.is_empty() {
        String::new()
    } else {
        format!(", likewise over {}", super::listed(likewise, "and"))
    };
    format!("{THE_WAY} from {kind}{over}{also}")
}

/// How many ports at odds are left to the list.
pub(crate) fn more_at_odds(count: usize) -> String {
    let ports = if count == 1 { "port" } else { "ports" };
    format!("And {count} more {ports}, marked in the list of held ports below.")
}

/// How many ends of other sources are left out.
pub(crate) fn more_ends(count: usize) -> String {
    let ends = if count == 1 { "end" } else { "ends" };
    format!("And {count} more {ends}, of other sources.")
}

/// How many outcomes are left out.
pub(crate) fn more_like_these(count: usize) -> String {
    format!("And {count} more like these.")
}

/// What a map of ports comes to, in a line.
pub(crate) fn ports_headline(held: usize, lost: usize, unknown: usize) -> String {
    let ports = if held == 1 { "port" } else { "ports" };
    match (held, lost, unknown) {
        (0, ..) => NO_PORTS.to_owned(),
        (_, 0, 0) => format!("None of {held} held {ports} loses traffic"),
        (_, 0, _) => format!("{unknown} of {held} held {ports} may lose traffic: not all is known"),
        (_, 1, _) => format!("1 of {held} held {ports} loses traffic"),
        _ => format!("{lost} of {held} held {ports} lose traffic"),
    }
}

/// How many ports are held.
pub(crate) fn counted(held: usize) -> String {
    match held {
        0 => "no held port".to_owned(),
        1 => "1 held port".to_owned(),
        held => format!("{held} held ports"),
    }
}

/// Who waits for clients on a port, and who gets them.
pub(crate) fn between(processes: &[String], takers: &[String]) -> String {
    let listens = if processes.len() == 1 {
        "listens"
    } else {
        "listen"
    };
    let processes = super::listed(processes, "and");
    match takers {
        [] => format!("{processes} {listens}."),
        takers => format!(
            "{processes} {listens}; {} holds the port as well.",
            super::listed(takers, "and")
        ),
    }
}

/// Where in the numbers a part of the list is: `1–29999`.
pub(crate) fn range(first: u16, last: u16) -> String {
    format!("{first}–{last}")
}

/// What of a range is free: `2,764 of 2,768 free for tcp, the lowest 30000`.
pub(crate) fn room(proto: &str, taken: usize, free: usize, first_free: Option<u16>) -> String {
    let all = taken + free;
    match first_free {
        Some(first) => format!("{proto}: {free} of {all} free, the lowest is {first}"),
        None => format!("{proto}: none of {all} is free"),
    }
}

/// What becomes of the packets for a process, in a word.
pub(crate) fn fate(word: &str) -> &'static str {
    match word {
        "lost" => "lost",
        "unknown" => "not known",
        "blocked" => "blocked from some sources",
        _ => "arrive",
    }
}

/// The class that paints a verdict.
pub(crate) fn verdict_class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Delivered | Verdict::Forwarded => "verdict good",
        Verdict::Refused | Verdict::Rejected | Verdict::Dropped => "verdict bad",
        Verdict::Unknown => "verdict unknown",
    }
}

/// The name of the listener that was meant and for certain not reached.
pub(crate) fn missed(outcome: &Outcome) -> Option<String> {
    let server = outcome.server.as_ref().filter(|server| !server.reached)?;
    let holder = server.socket.holder.as_ref();
    let name = holder.map_or(A_SOCKET.to_owned(), |holder| escape::terminal(&holder.name));
    (outcome.verdict != Verdict::Unknown).then_some(name)
}
