//! A host and everything that questions about it share.

use std::sync::Arc;

use anyhow::Context as _;
use host::Host;
use net::{Endpoint, Family, Prefix};
use story::{Names, Scan, Story};
use trace::{Answer, Assumption, Finding, Listener, Origin, Question};

use crate::args::{ClusterArgs, HostArgs};
use crate::cluster::Cluster;
use crate::names;
use crate::read::{Connections, read};
use crate::source::Source;
use crate::target::Asked;

/// A host, what is known of its cluster, and what was taken for granted to have it whole.
pub(crate) struct Subject {
    pub(crate) host: Host,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) names: Names,
    pub(crate) pod_ranges: Vec<Prefix>,
    assumed: Vec<Assumption>,
}

/// What is asked beside the target.
pub(crate) struct Inquiry {
    pub(crate) source: Source,
    pub(crate) iif: Option<String>,
    pub(crate) sport: Option<u16>,
    pub(crate) mac: Option<[u8; 6]>,
    pub(crate) user: (u32, u32),
}

/// A question with its answers, and what is wrong in them.
pub(crate) struct Replied {
    pub(crate) question: Question,
    pub(crate) answers: Vec<Answer>,
    pub(crate) findings: Vec<Finding>,
}

impl Subject {
    /// Reads a host, with those of conntrack's entries that are asked for.
    pub(crate) fn read(
        host: &HostArgs,
        cluster_args: &ClusterArgs,
        cluster: Arc<Cluster>,
        connections: Connections,
    ) -> anyhow::Result<Self> {
        let mut read = read(host, connections)?;
        let assumed = trace::complete(&mut read.host);
        Ok(Self {
            names: names::names(&read.host, read.dump.as_ref(), &cluster.catalog),
            pod_ranges: cluster.pod_ranges(cluster_args, &read.host),
            host: read.host,
            cluster,
            assumed,
        })
    }

    /// Answers a question about one of the destinations that a target means.
    pub(crate) fn ask(&self, inquiry: &Inquiry, asked: &Asked) -> anyhow::Result<Replied> {
        self.reply(self.question(inquiry, asked)?)
    }

    /// Answers a question, and says what is wrong in the answers.
    pub(crate) fn reply(&self, question: Question) -> anyhow::Result<Replied> {
        let answers = self.answers(&question)?;
        let findings = trace::findings(&self.host, &question, &answers, &*self.cluster);
        Ok(Replied {
            question,
            answers,
            findings,
        })
    }

    /// The question about one of the destinations that a target means.
    pub(crate) fn question(&self, inquiry: &Inquiry, asked: &Asked) -> anyhow::Result<Question> {
        let family = Family::of(asked.to.addr);
        let mut question = Question::about(asked.proto, asked.to);
        question.origin = inquiry.source.origin(family, &self.cluster.catalog)?;
        let is_open = question.origin == Origin::Everywhere && inquiry.iif.is_none();
        if is_open && asked.to.addr.is_loopback() {
            // Only this host can mean it: packets to loopback addresses come from nowhere else.
            question.origin = Origin::Local;
        }
        question.iif.clone_from(&inquiry.iif);
        question.sport = inquiry.sport;
        question.mac = inquiry.mac;
        question.user = inquiry.user;
        question.pod_ranges.clone_from(&self.pod_ranges);
        Ok(question)
    }

    /// The answers to a question, each with what was taken for granted and mattered.
    pub(crate) fn answers(&self, question: &Question) -> anyhow::Result<Vec<Answer>> {
        let mut answers = trace::answer(&self.host, question).context("why")?;
        for answer in &mut answers {
            let concerns = |assumed: &&Assumption| assumed.concerns(&self.host, answer);
            let mattered = self.assumed.iter().filter(concerns);
            let texts: Vec<String> = mattered.map(|assumed| assumed.text.clone()).collect();
            answer.assumed.extend(texts);
        }
        Ok(answers)
    }

    /// What there is to tell of a question.
    pub(crate) fn story<'a>(&'a self, replied: &'a Replied) -> Story<'a> {
        Story {
            host: &self.host,
            question: &replied.question,
            answers: &replied.answers,
            findings: &replied.findings,
            names: &self.names,
            probe: None,
            traced: None,
        }
    }

    /// Asks about every listener; `done` is told how many of how many are through.
    pub(crate) fn listeners(&self, done: impl FnMut(usize, usize)) -> Vec<Listener<'_>> {
        trace::scan(&self.host, &self.pod_ranges, &*self.cluster, done)
    }

    /// The name of the pod that has an address and port.
    pub(crate) fn pod_at(&self, to: Endpoint) -> Option<String> {
        let pod = self.cluster.catalog.pod_at(to)?;
        Some(pod.name.to_string())
    }

    /// What there is to tell of a scan.
    pub(crate) fn scan<'a>(
        &'a self,
        listeners: &'a [Listener<'a>],
        pod_at: &'a dyn Fn(Endpoint) -> Option<String>,
    ) -> Scan<'a> {
        Scan {
            host: &self.host,
            listeners,
            names: &self.names,
            ports: None,
            pod_at,
        }
    }
}
