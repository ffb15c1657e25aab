//! One step of a trace: its place, what matched, and what changed.

use host::RuleBody;
use net::{Endpoint, Proto};
use trace::{Cause, Did, Outcome, Stage, Step};

use crate::{Story, escape};

use super::compat::compat_conditions;
use super::ends::Ends;
use super::places::{chain_at, place, rule_text, speaks_xt};
use super::{conditions, listens, reject, server, server_name};

/// Where a step happened.
pub(crate) fn step_place(story: &Story, outcome: &Outcome, step: &Step) -> String {
    if let Some(at) = &step.rule {
        return place(story.host, at);
    }
    match &step.did {
        Did::Arrives { iif } => escape::terminal(iif),
        Did::Sent { .. } => "this host".to_owned(),
        Did::LoopsBack => "lo".to_owned(),
        Did::Leaves { oif } => escape::terminal(oif),
        Did::AnswerStarts => "answer".to_owned(),
        Did::AckStarts => "handshake".to_owned(),
        Did::Stops(_) if step.stage == Stage::Start => {
            super::arrival(outcome).map_or("this host".to_owned(), escape::terminal)
        }
        _ => super::stage(step.stage).to_owned(),
    }
}

/// What matched and what changed in a step; `ends` are those before it.
pub(crate) fn step_words(story: &Story, outcome: &Outcome, step: &Step, ends: &Ends) -> String {
    if step.rule.is_some() {
        return rule_words(story, step, ends);
    }
    match &step.did {
        Did::Arrives { .. } => format!("{} arrives", ends.arrow(story)),
        Did::Sent { .. } => format!("{} is sent", ends.arrow(story)),
        Did::LoopsBack => "loops back to this host".to_owned(),
        Did::RoutedLocal { addr } => format!("{addr} is this host"),
        Did::Routed { oif, gateway, .. } => {
            let by = gateway.map_or(String::new(), |addr| format!(", by gateway {addr}"));
            let to = match ends.dst.addr() {
                Some(addr) => addr.to_string(),
                None => format!("the way to {}", ends.dst.target()),
            };
            format!("{to} leads out over {}{by}", escape::terminal(oif))
        }
        Did::Delivered => match &outcome.server {
            Some(found) => format!("{} {}", server(found, story.names), listens(found)),
            None => "a socket takes it".to_owned(),
        },
        Did::Leaves { .. } => format!("{} leaves", ends.arrow(story)),
        Did::Stops(cause) => super::cause_words(story, outcome, cause, ends),
        Did::AnswerStarts => answer_starts(story, outcome, ends),
        Did::AckStarts => {
            let (src, dst) = (ends.asked.0.text(), ends.asked.1.text());
            format!("the client goes on: {} {src} → {dst}", story.question.proto)
        }
        other => effect(other, ends, true),
    }
}

/// Who answers: the server, the kernel by itself or as a rule has it, or a machine elsewhere.
fn answer_starts(story: &Story, outcome: &Outcome, ends: &Ends) -> String {
    let request = &outcome.steps[..outcome.request.min(outcome.steps.len())];
    let client = ends.src.target();
    let who = match request.last().map(|step| &step.did) {
        Some(Did::Reject(with)) => {
            return format!("the kernel answers {client} with {}", reject(*with));
        }
        Some(Did::Stops(Cause::NothingListens | Cause::BoundOnly))
            if story.question.proto == Proto::TCP =>
        {
            return format!("the kernel answers {client} with a reset");
        }
        Some(Did::Stops(_)) => {
            return format!("the kernel answers {client} with an ICMP error");
        }
        _ => match &outcome.server {
            Some(server) if server.reached => server_name(server),
            _ => "the other end".to_owned(),
        },
    };
    let proto = story.question.proto;
    let (from, to) = (ends.dst.text(), ends.src.as_target());
    format!("{who} answers: {proto} {from} → {to}")
}

/// A rule or policy: what it tests, and what it did.
fn rule_words(story: &Story, step: &Step, ends: &Ends) -> String {
    let found = step
        .rule
        .as_ref()
        .and_then(|at| Some((at, chain_at(story.host, at)?)));
    let Some((at, (table, chain))) = found else {
        return effect(&step.did, ends, true);
    };
    let is_xt = speaks_xt(table);
    let did = effect(&step.did, ends, is_xt);
    let Some(rule) = at.rule.and_then(|n| chain.rules.get(n)) else {
        return format!("no rule decided → {did}");
    };
    let tests = match &rule.body {
        RuleBody::Xt(xt) => conditions(xt),
        RuleBody::Nft(exprs) if is_xt => compat_conditions(exprs),
        RuleBody::Nft(_) => nft_tests(&rule_text(chain, rule), &step.did),
        RuleBody::Gap(_) => format!("`{}` was not understood", rule_text(chain, rule)),
    };
    joined(&tests, &step.did, &did)
}

/// Tests before a verdict are followed by an arrow, tests before a change by a colon.
fn joined(tests: &str, did: &Did, effect: &str) -> String {
    let is_change = matches!(
        did,
        Did::Dnat { .. } | Did::Snat { .. } | Did::Mark { .. } | Did::CtMark { .. }
    );
    match (tests.is_empty(), is_change) {
        (true, true) => effect.to_owned(),
        (true, false) => format!("any packet → {effect}"),
        (false, true) => format!("{tests}: {effect}"),
        (false, false) => format!("{tests} → {effect}"),
    }
}

/// What an nft rule tests: its text without counters, comment, and the verdict that is told
/// anyway.
fn nft_tests(text: &str, did: &Did) -> String {
    let text = text.split(" comment \"").next().unwrap_or(text);
    let mut words: Vec<&str> = Vec::new();
    let mut rest = text.split_ascii_whitespace().peekable();
    while let Some(word) = rest.next() {
        if word != "counter" {
            words.push(word);
            continue;
        }
        while let Some(&("packets" | "bytes")) = rest.peek() {
            let _ = (rest.next(), rest.next());
        }
    }
    let spoken = match did {
        Did::Jump { .. } | Did::Goto { .. } => 2,
        Did::Accept | Did::Drop | Did::Return => 1,
        _ => 0,
    };
    let verdict = words.len().checked_sub(spoken).map(|at| words.split_at(at));
    let is_spoken = |tail: &[&str]| match did {
        Did::Jump { chain } => tail == ["jump", chain],
        Did::Goto { chain } => tail == ["goto", chain],
        Did::Accept => tail == ["accept"],
        Did::Drop => tail == ["drop"],
        Did::Return => tail == ["return"],
        _ => false,
    };
    match verdict {
        Some((tests, tail)) if is_spoken(tail) => tests.join(" "),
        _ => words.join(" "),
    }
}

/// What a rule did to the packet: `before → after` where it changed something.
fn effect(did: &Did, ends: &Ends, is_xt: bool) -> String {
    match did {
        Did::Jump { chain } | Did::Goto { chain } => escape::terminal(chain),
        Did::Dnat { addr, port } => {
            let (addr, port) = (*addr, *port);
            let before = ends.dst.as_target();
            format!("destination {before} → {}", Endpoint { addr, port })
        }
        Did::Snat { addr, masquerade } => {
            let to = addr.map_or("the address of the outgoing interface".to_owned(), |addr| {
                ends.src.moved(addr).text()
            });
            let how = if *masquerade { " (masquerade)" } else { "" };
            format!("source {} → {to}{how}", ends.src.text())
        }
        Did::Mark { mark } => format!("mark {:#x} → {mark:#x}", ends.mark),
        Did::CtMark { mark } => format!("connection's mark → {mark:#x}"),
        Did::Queue => "a program in user space decides".to_owned(),
        Did::Notrack => "not tracked".to_owned(),
        Did::Reject(with) if !is_xt => format!("reject with {}", reject(*with)),
        other => super::did(other, is_xt),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_comments_and_the_spoken_verdict_are_left_out() {
        let text = "ip saddr 10.0.0.0/8 counter packets 5 bytes 300 drop comment \"no\"";
        assert_eq!(nft_tests(text, &Did::Drop), "ip saddr 10.0.0.0/8");
        let jump = Did::Jump {
            chain: "web".to_owned(),
        };
        assert_eq!(
            nft_tests("ct state new counter jump web", &jump),
            "ct state new"
        );
        assert_eq!(
            nft_tests("tcp dport vmap @ports", &jump),
            "tcp dport vmap @ports"
        );
    }
}
