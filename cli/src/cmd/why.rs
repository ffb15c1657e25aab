//! `berth why`: what happens to a connection, and why.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use kernel::Flow;
use story::{Probe, Traced, json, term};
use trace::{Answer, Finding, Origin, Question, Severity, Verdict};

use crate::args::WhyArgs;
use crate::cluster;
use crate::read::Connections;
use crate::source::Source;
use crate::subject::{Inquiry, Subject};
use crate::target::{Asked, Target};
use crate::{out, probe, traced};

/// Asks, prints the answers, and gives the exit status.
pub(crate) fn run(args: &WhyArgs) -> anyhow::Result<u8> {
    let mut words = args.target.clone();
    let source = Source::parse(args.from.as_deref(), &mut words)?;
    let target = Target::parse(&words)?;
    for (is_asked, option) in [(args.trace, "--trace"), (args.probe, "--probe")] {
        if is_asked && args.host.is_offline() {
            bail!("why: {option} connects from this machine: ask it without files and short forms");
        }
    }
    let cluster = Arc::new(cluster::load(&args.cluster).context("why")?);
    let connections = match target.endpoint() {
        Some(to) => Connections::Of(Flow {
            proto: args.protocol(),
            dst: to.addr,
            port: to.port,
        }),
        None => Connections::Unread,
    };
    let subject = Subject::read(&args.host, &args.cluster, cluster, connections).context("why")?;
    let asked = target.resolve(args.protocol(), &subject.host, &subject.cluster.catalog)?;
    let desk = Desk {
        args,
        subject,
        inquiry: Inquiry {
            source,
            iif: args.iif.clone(),
            sport: args.sport,
            mac: args.mac,
            user: args.uid.unwrap_or_default(),
        },
    };
    let mut statuses = Vec::new();
    let is_one_of_many = asked.len() > 1;
    for (i, asked) in asked.iter().enumerate() {
        if i > 0 && !args.json {
            out::print("\n")?;
        }
        match &asked.remark {
            Some(remark) if is_one_of_many && !args.json => out::print(&format!("{remark}\n\n"))?,
            Some(remark) => out::say(remark),
            None => {}
        }
        statuses.push(desk.ask(asked)?);
    }
    Ok(worst(&statuses))
}

/// Everything that all questions of one call share.
struct Desk<'a> {
    args: &'a WhyArgs,
    subject: Subject,
    inquiry: Inquiry,
}

impl Desk<'_> {
    fn ask(&self, asked: &Asked) -> anyhow::Result<u8> {
        let question = self.subject.question(&self.inquiry, asked)?;
        self.check_client(&question)?;
        let replied = self.subject.reply(question)?;
        let (probe, traced) = self.tried(&replied.question)?;
        let mut story = self.subject.story(&replied);
        (story.probe, story.traced) = (probe.as_ref(), traced.as_ref());
        if self.args.json {
            out::print(&json::render(&story))?;
        } else {
            let options = term::Options {
                verbose: self.args.verbose,
                width: out::width(),
                styled: true,
            };
            out::print(&term::render(&story, &options))?;
        }
        Ok(status(&replied.answers, &replied.findings))
    }

    /// Refuses what has no meaning for the kind of client that is asked about.
    fn check_client(&self, question: &Question) -> anyhow::Result<()> {
        let args = self.args;
        let is_local = match &question.origin {
            Origin::Local => true,
            Origin::Address(addr) => self.subject.host.is_own(*addr) && args.iif.is_none(),
            Origin::Outside | Origin::Pods => false,
            // Every kind of client is asked about: each takes what is for it.
            Origin::Everywhere => return Ok(()),
        };
        if is_local && args.iif.is_some() {
            bail!("why: a client on this host comes in on no interface: leave out --in, or --from");
        }
        if is_local && args.mac.is_some() {
            bail!(
                "why: a client on this host has no link-layer address: leave out --mac, or --from"
            );
        }
        if !is_local && args.uid.is_some() {
            bail!("why: --uid is of a client on this host: leave it out, or give --from local");
        }
        Ok(())
    }

    /// What one real connection met, and the way of its first packet, as far as asked for.
    fn tried(&self, question: &Question) -> anyhow::Result<(Option<Probe>, Option<Traced>)> {
        let netns = self.args.host.netns.as_ref();
        if !self.args.trace {
            let probe = self.args.probe.then(|| self.probe(question)).transpose()?;
            return Ok((probe, None));
        }
        if let Some(seconds) = self.args.wait {
            let traced = traced::watch(&self.subject.host, question, netns, seconds)?;
            return Ok((None, Some(traced)));
        }
        let (asked, saw, traced) = traced::probe(&self.subject.host, question, netns)?;
        let probe = probe::beside(&saw, asked.proto, &self.subject.answers(&asked)?);
        Ok((Some(probe), Some(traced)))
    }

    fn probe(&self, question: &Question) -> anyhow::Result<Probe> {
        let local = probe::question(question);
        let answers = self.subject.answers(&local)?;
        probe::compare(&local, &answers, self.args.host.netns.as_ref())
    }
}

/// 1 where something is proven wrong, else 2 where it cannot tell, else 0.
fn status(answers: &[Answer], findings: &[Finding]) -> u8 {
    let verdicts = || answers.iter().flat_map(|a| &a.outcomes).map(|o| o.verdict);
    let is_wrong = |verdict: Verdict| match verdict {
        Verdict::Refused | Verdict::Rejected | Verdict::Dropped => true,
        Verdict::Delivered | Verdict::Forwarded | Verdict::Unknown => false,
    };
    let errors = findings.iter().any(|f| f.severity == Severity::Error);
    if errors || verdicts().any(is_wrong) {
        1
    } else if verdicts().any(|verdict| verdict == Verdict::Unknown) || verdicts().count() == 0 {
        2
    } else {
        0
    }
}

/// The status of several questions: wrong outweighs not knowing.
fn worst(statuses: &[u8]) -> u8 {
    let has = |status: u8| statuses.contains(&status);
    if has(1) {
        1
    } else if has(2) || statuses.is_empty() {
        2
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_of_fault_outweighs_not_knowing() {
        assert_eq!(worst(&[0, 2, 1]), 1);
        assert_eq!(worst(&[0, 2]), 2);
        assert_eq!(worst(&[0, 0]), 0);
    }

    #[test]
    fn no_answer_at_all_cannot_tell() {
        assert_eq!(status(&[], &[]), 2);
    }
}
