//! What is said of a packet whose way the kernel reports.

use host::Language;
use host::nft::Verdict;
use host::nftrace::{At, Headers, Wanted};
use trace::{Parted, Step, Taken};

use crate::{Story, Traced, escape};

use super::places::{chain_at, place, speaks_xt};
use super::{did, stage};

/// What is about to be done to the host, said before it is.
pub fn trace_begins(wanted: &Wanted, table: &str, where_: &str, seconds: Option<u64>) -> String {
    let until = match seconds {
        None => "until the probe is over".to_owned(),
        Some(seconds) => format!("until a packet came, for {seconds} s at most"),
    };
    format!("adding table inet {table}{where_} {until}, with one rule and nothing else: {wanted}")
}

/// What to do should we be killed, where the kernel does not remove the table by itself.
pub fn trace_may_stay(table: &str) -> String {
    format!(
        "this kernel does not remove the table should this be killed: then `nft delete table inet \
         {table}`"
    )
}

/// Whether the way was foretold; absent where nothing certain was, or not all of it was heard.
pub(crate) fn agrees(traced: &Traced) -> Option<bool> {
    traced.beside.agrees.filter(|_| !traced.lost)
}

/// The interface that a packet came in on.
pub(crate) fn arrived(story: &Story, packet: &Headers) -> Option<String> {
    let link = packet.iif.and_then(|index| story.host.link(index));
    link.map(|link| link.name.clone())
}

/// What the reports come to, in one sentence.
pub(crate) fn traced(story: &Story, traced: &Traced) -> String {
    let Some(packet) = &traced.packet else {
        return match traced.waited {
            Some(seconds) => {
                format!("no packet that opens such a connection came within {seconds} s")
            }
            None => "the probe's packet came to no rule".to_owned(),
        };
    };
    let over = arrived(story, packet);
    let over = over.map_or(String::new(), |iif| {
        format!(" over {}", escape::terminal(&iif))
    });
    let (proto, from, to) = (packet.proto, packet.from, packet.to);
    let end = match (agrees(traced), &traced.beside.parted) {
        (Some(true), _) => "the kernel took the foretold way".to_owned(),
        (_, Some(parted)) => parted_words(story, traced, parted),
        (_, None) => "nothing certain was foretold of its way".to_owned(),
    };
    format!("{proto} {from} → {to}{over}: {end}")
}

fn parted_words(story: &Story, traced: &Traced, parted: &Parted) -> String {
    let taken = parted.taken.and_then(|n| traced.beside.taken.get(n));
    let foretold = parted
        .foretold
        .as_ref()
        .map(|step| foretold_step(story, step).join(": "));
    let taken = taken.map(|taken| (report_place(story, taken), report_words(taken)));
    match (taken, foretold) {
        (Some((at, verdict)), Some(foretold)) => format!(
            "the kernel left the foretold way at {at}: {verdict}, where {foretold} was foretold"
        ),
        (Some((at, verdict)), None) => format!(
            "the kernel left the foretold way at {at}: {verdict}, where nothing more was foretold"
        ),
        (None, Some(foretold)) => format!(
            "the kernel left the foretold way: it reports nothing more, where {foretold} was \
             foretold"
        ),
        (None, None) => "the kernel left the foretold way".to_owned(),
    }
}

/// What of the way is not reported.
pub(crate) fn trace_notes(story: &Story, traced: &Traced) -> Vec<String> {
    let tables = &story.host.ruleset.tables;
    let has_rules = |table: &host::Table| table.chains.iter().any(|chain| !chain.rules.is_empty());
    let mut notes = Vec::new();
    if tables
        .iter()
        .any(|table| table.language == Language::Legacy && has_rules(table))
    {
        notes.push("legacy tables are not traced by the kernel this way".to_owned());
    }
    if traced.lost {
        notes.push(
            "the kernel reported more than could be heard, and some of it is lost: ask again"
                .to_owned(),
        );
    }
    notes
}

/// A step that was foretold: its place, and what it was to do.
pub(crate) fn foretold_step(story: &Story, step: &Step) -> [String; 2] {
    let at = step.rule.as_ref();
    let is_xt = at
        .and_then(|at| chain_at(story.host, at))
        .is_none_or(|(table, _)| speaks_xt(table));
    let place = at.map_or(stage(step.stage).to_owned(), |at| place(story.host, at));
    [place, did(&step.did, is_xt)]
}

/// What reports, by place; by handle where it was not there when the host was read.
pub(crate) fn report_place(story: &Story, taken: &Taken) -> String {
    if let Some(at) = &taken.at {
        return place(story.host, at);
    }
    let report = &taken.report;
    let chain = format!(
        "{} {} {}",
        report.family,
        escape::terminal(&report.table),
        escape::terminal(&report.chain)
    );
    match report.at {
        At::Rule(handle) => format!("{chain} handle {handle}"),
        At::Return => format!("{chain} end"),
        At::Policy => format!("{chain} policy"),
    }
}

/// What a report says about the packet.
pub(crate) fn report_words(taken: &Taken) -> String {
    let verdict = taken.report.verdict.as_ref();
    verdict.map_or("takes it away".to_owned(), |verdict| {
        escape::terminal(&nft_verdict(verdict))
    })
}

/// A verdict in nft's words.
pub(crate) fn nft_verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Accept => "accept".to_owned(),
        Verdict::Drop => "drop".to_owned(),
        Verdict::Continue => "continue".to_owned(),
        Verdict::Break => "break".to_owned(),
        Verdict::Return => "return".to_owned(),
        Verdict::Jump(chain) => format!("jump {chain}"),
        Verdict::Goto(chain) => format!("goto {chain}"),
        Verdict::Queue => "queue".to_owned(),
    }
}
