//! The published document: field names are a promise, new ones may be added.

mod document;
mod schema;

use trace::{Answer, Finding, From, Outcome, Server, Severity, Step};

use crate::words::{self, rule_at, rule_text};
use crate::{Names, Story};

pub use document::{
    AnswerItem, Document, FindingItem, OutcomeItem, ProbeItem, QuestionItem, ServerItem, StepItem,
};
pub use schema::schema;

/// The version of the document's form.
const FORMAT: u32 = 1;

/// The story as data.
pub fn document(story: &Story) -> Document {
    let answers = story.answers.iter().enumerate();
    Document {
        format: FORMAT,
        question: question(story),
        answers: answers
            .map(|(i, answer)| answer_item(story, i, answer))
            .collect(),
        probe: story.probe.map(|probe| ProbeItem {
            saw: probe.saw.clone(),
            agrees: probe.agrees,
        }),
    }
}

/// The document as text, indented, with a line feed at its end.
pub fn render(story: &Story) -> String {
    let text = serde_json::to_string_pretty(&document(story));
    text.expect("strings, numbers and lists always serialize") + "\n"
}

fn question(story: &Story) -> QuestionItem {
    use trace::Origin;
    let question = story.question;
    QuestionItem {
        protocol: question.proto.to_string(),
        to: question.to.to_string(),
        from: match &question.origin {
            Origin::Everywhere => None,
            Origin::Outside => Some("outside".to_owned()),
            Origin::Pods => Some("pod".to_owned()),
            Origin::Local => Some("local".to_owned()),
            Origin::Address(addr) => Some(addr.to_string()),
        },
        iif: question.iif.clone(),
        source_port: question.sport,
    }
}

fn answer_item(story: &Story, index: usize, answer: &Answer) -> AnswerItem {
    let findings = story.findings.iter();
    AnswerItem {
        from: match answer.from {
            From::Outside => "outside",
            From::Pod => "pod",
            From::Local => "local",
        },
        source: answer.region.first().map(|addr| addr.to_string()),
        iif: answer.iif.clone(),
        region: words::region_words(&answer.region),
        outcomes: answer
            .outcomes
            .iter()
            .map(|o| outcome_item(story, answer, o))
            .collect(),
        findings: findings
            .filter(|finding| finding.answers.contains(&index))
            .map(finding_item)
            .collect(),
        assumed: answer.assumed.clone(),
    }
}

fn outcome_item(story: &Story, answer: &Answer, outcome: &Outcome) -> OutcomeItem {
    OutcomeItem {
        share: outcome.share,
        when: outcome.when.clone(),
        verdict: words::verdict(outcome.verdict).to_ascii_lowercase(),
        client: words::client_word(outcome.client),
        to: outcome.to.map(|to| to.to_string()),
        oif: outcome.oif.clone(),
        seen_source: outcome.seen_source.map(|addr| addr.to_string()),
        masquerade: outcome.masquerade,
        server: outcome.server.as_ref().map(|s| server_item(s, story.names)),
        service: outcome.service.as_ref().map(ToString::to_string),
        because: words::cause(story, &answer.region, outcome),
        steps: outcome.steps.iter().map(|s| step_item(story, s)).collect(),
        request_steps: outcome.request,
        gaps: outcome.gaps.iter().map(|gap| gap.what.clone()).collect(),
    }
}

fn server_item(server: &Server, names: &Names) -> ServerItem {
    let holder = server.socket.holder.as_ref();
    let pod = holder.and_then(|holder| names.pod_of(holder));
    ServerItem {
        name: holder.map(|holder| holder.name.clone()),
        pid: holder.and_then(|holder| holder.pid),
        socket: words::socket(&server.socket),
        pod: pod.map(|pod| pod.name.clone()),
        pod_uid: holder.and_then(|holder| holder.pod_uid.clone()),
        unit: holder.and_then(|holder| holder.unit.clone()),
        reached: server.reached,
    }
}

fn step_item(story: &Story, step: &Step) -> StepItem {
    let at = step.rule.as_ref();
    let table = at.and_then(|at| story.host.ruleset.tables.get(at.table));
    let chain = at
        .zip(table)
        .and_then(|(at, table)| table.chains.get(at.chain));
    let rule = at.and_then(|at| rule_at(story.host, at));
    let text = chain.zip(rule);
    StepItem {
        stage: words::stage(step.stage),
        table: table.map(|table| table.name.clone()),
        family: table.map(|table| table.family.to_string()),
        chain: chain.map(|chain| chain.name.clone()),
        rule: at.and_then(|at| at.rule).map(|n| n + 1),
        text: text.map(|(chain, rule)| rule_text(chain, rule)),
        did: words::did(&step.did, table.is_none_or(words::speaks_xt)),
    }
}

fn finding_item(finding: &Finding) -> FindingItem {
    FindingItem {
        code: finding.code,
        severity: match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        },
        title: finding.title.clone(),
        why: finding.why.clone(),
        fix: finding.fix.as_ref().and_then(|fix| fix.command.clone()),
        advice: finding.fix.as_ref().map(|fix| fix.say.clone()),
        check: finding.check.clone(),
    }
}
