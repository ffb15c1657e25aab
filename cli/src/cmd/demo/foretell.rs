//! What `berth why` foretells the client, to lay beside what the client got.

use anyhow::{Context as _, bail, ensure};
use kernel::Flow;
use net::Proto;
use story::words;
use trace::{Client, From, Origin, Outcome, Question};

use super::client::Seen;
use super::server;
use super::world::{CLIENT, ENDPOINT, TARGET, World};
use crate::args::ClusterArgs;
use crate::cluster::Cluster;
use crate::live;

/// What was foretold.
#[derive(Debug)]
pub(super) struct Foretold {
    /// The verdict in few words.
    pub(super) verdict: String,
    /// The codes of what is wrong.
    pub(super) findings: Vec<&'static str>,
    /// What a client sees in that case; absent where that is open.
    pub(super) seen: Option<Seen>,
}

impl Foretold {
    /// Says so where the client got something else.
    pub(super) fn came_true(&self, seen: &Seen) -> anyhow::Result<()> {
        match &self.seen {
            Some(foretold) => ensure!(
                foretold == seen,
                "`berth why` foretold {foretold}, and the client got {seen}"
            ),
            None => bail!("`berth why` foretold nothing certain: {}", self.verdict),
        }
        Ok(())
    }

    /// Says so where a mistake is not named.
    pub(super) fn names(&self, code: &str) -> anyhow::Result<()> {
        ensure!(
            self.findings.contains(&code),
            "`berth why` says nothing of {code}"
        );
        Ok(())
    }
}

/// Asks what happens to a new connection of the client.
pub(super) fn foretell(world: &World) -> anyhow::Result<Foretold> {
    let flow = Flow {
        proto: Proto::TCP,
        dst: TARGET.addr,
        port: TARGET.port,
    };
    let dump = live::read(Some(&world.node.reference()), Some(flow))?;
    let mut host = host::wire::host(&dump);
    let _ = trace::complete(&mut host);
    let cluster = Cluster::default();
    let question = Question {
        origin: Origin::Address(CLIENT),
        pod_ranges: cluster.pod_ranges(&ClusterArgs::default(), &host),
        ..Question::about(Proto::TCP, TARGET)
    };
    let answers = trace::answer(&host, &question).context("why")?;
    let findings = trace::findings(&host, &question, &answers, &cluster);
    let mut mine = answers
        .iter()
        .filter(|a| a.from == From::Outside && a.region.contains(CLIENT))
        .flat_map(|a| &a.outcomes);
    let (Some(outcome), None) = (mine.next(), mine.next()) else {
        bail!("`berth why` has no single answer for {CLIENT}");
    };
    Ok(Foretold {
        verdict: verdict(outcome),
        findings: findings.iter().map(|finding| finding.code).collect(),
        seen: seen(world, outcome),
    })
}

fn verdict(outcome: &Outcome) -> String {
    let word = words::verdict(outcome.verdict);
    let server = outcome.server.as_ref().filter(|server| server.reached);
    match (server, outcome.to) {
        (Some(server), _) => format!("{word} to {}", words::server_name(server)),
        (None, Some(to)) => format!("{word} to {to}"),
        (None, None) => word.to_owned(),
    }
}

fn seen(world: &World, outcome: &Outcome) -> Option<Seen> {
    match outcome.client {
        Client::Connected => {
            let holder = outcome.server.as_ref()?.socket.holder.as_ref()?;
            let line = server::greeting(&holder.name, holder.pid?);
            Some(Seen::Answer(line))
        }
        Client::WhateverAnswers if outcome.to == Some(ENDPOINT) => {
            Some(Seen::Answer(world.nginx.greeting()))
        }
        Client::Errno(name) => Some(Seen::Error(name.to_owned())),
        Client::Timeout => Some(Seen::Silence),
        Client::WhateverAnswers | Client::Silent | Client::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_gets_something_else_fails_the_act() {
        let refused = Seen::Error("ECONNREFUSED".to_owned());
        let foretold = Foretold {
            verdict: "REFUSED".to_owned(),
            findings: vec!["nodeport-shadows-listener"],
            seen: Some(refused.clone()),
        };
        assert!(foretold.came_true(&refused).is_ok());
        let error = foretold.came_true(&Seen::Answer("hello".to_owned()));
        assert_eq!(
            error.unwrap_err().to_string(),
            "`berth why` foretold ECONNREFUSED, and the client got \"hello\""
        );
    }
}
