//! The first line of a story: the verdict, where, and the cause in the user's words.

use host::{Gap, GapKind};
use trace::{Answer, Cause, Finding, Outcome, Severity, Verdict};

use crate::groups::Group;
use crate::{Story, escape, words};

/// Outcomes that a headline names before it counts the rest.
const NAMED: usize = 3;

/// The finding that explains how a group ends: the gravest of its findings, and for
/// connections that get somewhere only a grave one.
pub(crate) fn finding<'a>(story: &'a Story, group: &Group) -> Option<&'a Finding> {
    let first = group.answers[0];
    let gets_there = |o: &Outcome| matches!(o.verdict, Verdict::Delivered | Verdict::Forwarded);
    let least = if story.answers[first].outcomes.iter().all(gets_there) {
        Severity::Error
    } else {
        Severity::Warning
    };
    let mine = story.findings.iter().filter(|f| f.answers.contains(&first));
    // An answer that is lost ends the connection, whatever the answer was.
    let is_lost = |o: &Outcome| matches!(o.cause, Cause::AnswerLost(_) | Cause::HandshakeLost(_));
    let is_lost = story.answers[first].outcomes.iter().all(is_lost);
    mine.filter(|f| f.severity <= least)
        .min_by_key(|f| (f.severity, is_lost && f.code != "reply-cannot-return"))
}

/// The word before a finding that is no headline.
pub(crate) fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "also wrong:",
        Severity::Warning => "warning:",
        Severity::Note => "note:",
    }
}

/// The first line, without the finding's code.
pub(crate) fn headline(story: &Story, answer: &Answer, finding: Option<&Finding>) -> String {
    let title = finding.map(|f| escape::terminal(&f.title));
    match answer.outcomes.as_slice() {
        [] => "UNKNOWN: no way for such a connection to end was found".to_owned(),
        [outcome] => one(story, answer, outcome, title.as_deref()),
        outcomes => several(story, outcomes, title.as_deref()),
    }
}

fn one(story: &Story, answer: &Answer, outcome: &Outcome, title: Option<&str>) -> String {
    let when = outcome.when.as_deref().map(escape::terminal);
    let when = when.map_or(String::new(), |when| format!(" {when}"));
    let word = words::verdict(outcome.verdict);
    let because = match title {
        Some(title) => title.to_owned(),
        None => match outcome.verdict {
            Verdict::Delivered | Verdict::Forwarded => {
                return format!("{}{when}{}", short(story, outcome), for_service(outcome));
            }
            _ => words::cause(story, &answer.region, outcome),
        },
    };
    match outcome.verdict {
        Verdict::Unknown => format!("{word}{when}: {because}"),
        _ => format!("{}{when}: {because}", short(story, outcome)),
    }
}

fn several(story: &Story, outcomes: &[Outcome], title: Option<&str>) -> String {
    // Ends that are one to the reader count as one, with the sum of their shares.
    let mut ends: Vec<(String, Option<f64>)> = Vec::new();
    for outcome in outcomes {
        let text = short(story, outcome);
        match ends.iter_mut().find(|(known, _)| *known == text) {
            Some((_, share)) => *share = share.zip(outcome.share).map(|(a, b)| a + b),
            None => ends.push((text, outcome.share)),
        }
    }
    let is_one = ends.len() == 1;
    let word = |(text, share): (String, Option<f64>)| {
        if is_one {
            text
        } else {
            format!("{}{text}", share_words(share))
        }
    };
    let parts = ends.into_iter().map(word);
    let mut parts: Vec<String> = parts.collect();
    if parts.len() > NAMED + 1 {
        let more = parts.len() - NAMED;
        parts.truncate(NAMED);
        parts.push(format!("{more} more"));
    }
    let line = parts.join(", ");
    match title {
        Some(title) => format!("{line}: {title}"),
        None => line + &for_service(&outcomes[0]),
    }
}

/// The chance of an outcome, in front of it.
pub(crate) fn share_words(share: Option<f64>) -> String {
    match share {
        Some(share) => format!("{} ", words::percent(share)),
        None => "sometimes ".to_owned(),
    }
}

/// An outcome in few words: verdict, and where to or where.
pub(crate) fn short(story: &Story, outcome: &Outcome) -> String {
    let word = words::verdict(outcome.verdict);
    match outcome.verdict {
        Verdict::Delivered => match &outcome.server {
            Some(server) => {
                let name = words::server_name(server);
                format!("{word} to {name} on {}", words::socket(&server.socket))
            }
            None => word.to_owned(),
        },
        Verdict::Forwarded => {
            let to = outcome.to.unwrap_or(story.question.to);
            format!("{word} to {to}")
        }
        Verdict::Unknown => word.to_owned(),
        Verdict::Refused | Verdict::Rejected | Verdict::Dropped => {
            format!("{word}{}", words::stopped_in(outcome))
        }
    }
}

fn for_service(outcome: &Outcome) -> String {
    let name = outcome.service.as_ref();
    name.map_or(String::new(), |name| {
        format!(" for {}", escape::terminal(&name.to_string()))
    })
}

/// Gaps that decide nothing here and still should be known: parts of an input that were
/// skipped, and names that are missing from what is told.
pub(crate) fn notes<'a>(story: &'a Story) -> Vec<&'a Gap> {
    let outcomes = || story.answers.iter().flat_map(|a| &a.outcomes);
    let nameless = outcomes()
        .filter_map(|o| o.server.as_ref())
        .any(|server| server.socket.holder.is_none());
    let told: Vec<&Gap> = outcomes().flat_map(|o| &o.gaps).collect();
    let is_note = |gap: &&'a Gap| match gap.kind {
        GapKind::Input => true,
        GapKind::Names => nameless,
        GapKind::Rules | GapKind::Sockets | GapKind::Routing | GapKind::Bypass => false,
    };
    let all = story.host.gaps.iter().filter(is_note);
    all.filter(|gap| !told.contains(gap)).collect()
}
