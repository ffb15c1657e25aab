//! One real connection from here, beside what was foretold.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::Context as _;
use kernel::netns::{NetnsRef, in_netns};
use kernel::socket::{ProbeResult, errno_name, probe};
use net::Proto;
use story::Probe;
use trace::{Answer, Client, From, Origin, Question};

/// Long enough for a second try of the kernel, after one second, to be answered.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// The question that a connection from here answers.
pub(crate) fn question(asked: &Question) -> Question {
    let mut local = asked.clone();
    local.iif = None;
    if !matches!(local.origin, Origin::Address(_)) {
        local.origin = Origin::Local;
    }
    local
}

/// Connects once and compares; `answers` are those to [`question`].
pub(crate) fn compare(
    question: &Question,
    answers: &[Answer],
    netns: Option<&NetnsRef>,
) -> anyhow::Result<Probe> {
    let (proto, to) = (question.proto, question.to);
    let attempt = || probe(proto, to, source(question), PATIENCE);
    let saw = match netns {
        Some(netns) => in_netns(netns, attempt).context("why: --probe")?,
        None => attempt(),
    };
    let saw = saw.with_context(|| format!("why: --probe: cannot try {proto} {to}"))?;
    Ok(beside(&saw, proto, answers))
}

/// The address that a connection is to come from; absent where the kernel picks it.
pub(crate) fn source(question: &Question) -> Option<IpAddr> {
    match question.origin {
        Origin::Address(addr) => Some(addr),
        _ => None,
    }
}

/// What a connection met, beside the answers to [`question`].
pub(crate) fn beside(saw: &ProbeResult, proto: Proto, answers: &[Answer]) -> Probe {
    let foretold: Vec<Client> = answers
        .iter()
        .filter(|answer| answer.from == From::Local)
        .flat_map(|answer| answer.outcomes.iter().map(|outcome| outcome.client))
        .collect();
    Probe {
        saw: words(saw, proto),
        agrees: agrees(saw, proto, &foretold),
    }
}

fn words(saw: &ProbeResult, proto: Proto) -> String {
    match saw {
        ProbeResult::Connected { source, .. } => format!("connected from {source}"),
        ProbeResult::Answered { source, .. } => format!("answered to {source}"),
        ProbeResult::Refused { errno } => named(*errno),
        ProbeResult::TimedOut if proto == Proto::UDP => {
            format!("no answer within {} s", PATIENCE.as_secs())
        }
        ProbeResult::TimedOut => format!("no connection within {} s", PATIENCE.as_secs()),
    }
}

fn named(errno: i32) -> String {
    errno_name(errno).map_or_else(|| format!("error {errno}"), str::to_owned)
}

/// Whether the kernel did what one of the foretold ends lets a client see; absent where
/// nothing certain was foretold.
fn agrees(saw: &ProbeResult, proto: Proto, foretold: &[Client]) -> Option<bool> {
    let open = |client: &Client| matches!(client, Client::WhateverAnswers | Client::Unknown);
    let fits = |client: &Client| match (saw, client) {
        (ProbeResult::Connected { .. }, Client::Connected | Client::Silent)
        | (ProbeResult::Answered { .. }, Client::Connected)
        | (ProbeResult::TimedOut, Client::Timeout) => true,
        // A server may well keep silent about an empty datagram.
        (ProbeResult::TimedOut, Client::Connected | Client::Silent) => proto == Proto::UDP,
        (ProbeResult::Refused { errno }, Client::Errno(name)) => named(*errno) == *name,
        _ => false,
    };
    if foretold.iter().any(fits) {
        return Some(true);
    }
    let is_open = foretold.is_empty() || foretold.iter().any(open);
    (!is_open).then_some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: ProbeResult = ProbeResult::Refused { errno: 111 };

    #[test]
    fn the_kernel_agrees_where_one_of_the_foretold_ends_came_true() {
        let foretold = [Client::Connected, Client::Errno("ECONNREFUSED")];
        assert_eq!(agrees(&REFUSED, Proto::TCP, &foretold), Some(true));
        assert_eq!(
            agrees(&REFUSED, Proto::TCP, &[Client::Timeout]),
            Some(false)
        );
    }

    #[test]
    fn what_another_machine_answers_proves_nothing() {
        let foretold = [Client::WhateverAnswers];
        assert_eq!(agrees(&REFUSED, Proto::TCP, &foretold), None);
        assert_eq!(agrees(&REFUSED, Proto::TCP, &[]), None);
    }

    #[test]
    fn a_udp_server_may_keep_silent() {
        let silent = &ProbeResult::TimedOut;
        assert_eq!(agrees(silent, Proto::UDP, &[Client::Connected]), Some(true));
        assert_eq!(
            agrees(silent, Proto::TCP, &[Client::Connected]),
            Some(false)
        );
    }
}
