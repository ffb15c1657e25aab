//! What becomes of ports, in a word or two, and ports as ranges.

use trace::{Cause, From, Outcome, Stretch, Verdict};

use super::{client_word, server_name};
use crate::escape;

/// How packets of a kind of source fare at ports that end alike; `–` where there is no such
/// source. Without names all Services, servers and machines elsewhere are one.
pub(crate) fn fare(stretch: &Stretch, kind: From, with_names: bool) -> String {
    let of_kind = stretch.answers.iter().filter(|answer| answer.from == kind);
    let mut words: Vec<String> = Vec::new();
    for outcome in of_kind.flat_map(|answer| &answer.outcomes) {
        let word = end(stretch, outcome, with_names);
        if !words.contains(&word) {
            words.push(word);
        }
    }
    match words.len() {
        0 => "–".to_owned(),
        1 | 2 => words.join(" or "),
        count => format!("{count} ends"),
    }
}

/// `open: sshd`, `closed`, `→ shop/web:http`.
fn end(stretch: &Stretch, outcome: &Outcome, with_names: bool) -> String {
    let led_away = outcome.to != Some(stretch.question.to);
    match (outcome.verdict, &outcome.service) {
        (Verdict::Delivered | Verdict::Forwarded, Some(service)) if with_names => {
            format!("→ {}", escape::terminal(&service.to_string()))
        }
        (Verdict::Delivered | Verdict::Forwarded, Some(_)) => "→ a Service".to_owned(),
        (Verdict::Delivered, None) => {
            let word = if led_away { "led to" } else { "open:" };
            let server = outcome.server.as_ref().filter(|_| with_names);
            match server {
                Some(server) => format!("{word} {}", server_name(server)),
                None if led_away => "led to another".to_owned(),
                None => "open".to_owned(),
            }
        }
        (Verdict::Forwarded, None) => match outcome.to.filter(|_| with_names) {
            Some(to) => format!("→ {to}"),
            None => "→ elsewhere".to_owned(),
        },
        (Verdict::Refused, _) if is_closed(&outcome.cause) => "closed".to_owned(),
        (Verdict::Refused, _) => "refused".to_owned(),
        (Verdict::Rejected, _) => match client_word(outcome.client) {
            Some(word) => format!("rejected: {word}"),
            None => "rejected".to_owned(),
        },
        (Verdict::Dropped, _) => "filtered".to_owned(),
        (Verdict::Unknown, _) => "unknown".to_owned(),
    }
}

/// Whether nobody is there, and no rule refuses.
fn is_closed(cause: &Cause) -> bool {
    matches!(cause, Cause::NothingListens | Cause::BoundOnly)
}

/// `22, 80–89 and 3 more ranges`; all of them where `most` is none.
pub(crate) fn port_ranges(ports: &[(u16, u16)], most: Option<usize>) -> String {
    let most = most.unwrap_or(ports.len());
    let word = |&(first, last): &(u16, u16)| match last - first {
        0 => first.to_string(),
        _ => format!("{first}–{last}"),
    };
    let named: Vec<String> = ports.iter().take(most).map(word).collect();
    let named = named.join(", ");
    match ports.len().saturating_sub(most) {
        0 => named,
        1 => format!("{named} and 1 more"),
        more => format!("{named} and {more} more ranges"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_told_as_ranges_and_the_rest_is_counted() {
        let ports = [(22, 22), (80, 89), (100, 200)];
        assert_eq!(port_ranges(&ports, None), "22, 80–89, 100–200");
        assert_eq!(port_ranges(&ports, Some(2)), "22, 80–89 and 1 more");
        assert_eq!(port_ranges(&ports, Some(1)), "22 and 2 more ranges");
    }
}
