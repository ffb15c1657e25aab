//! The published document: field names are a promise, new ones may be added.

mod document;
mod ports;
mod schema;
mod traced;

use host::{Host, Socket};
use serde::Serialize;
use trace::{
    Answer, Change, Fate, Finding, FindingDoc, From, Heard, Listener, Outcome, Server, Severity,
    Step, Stretch, Sweep,
};

use crate::words;
use crate::{Comparison, Names, Scan, Story};

pub use document::{
    AnswerItem, ChangeItem, ChangesDocument, Document, FindingDocItem, FindingItem,
    FindingsDocument, ListenerItem, OutcomeItem, ProbeItem, ProblemDocument, QuestionItem,
    ScanDocument, ServerItem, SocketItem, StepItem, StretchItem, SweepItem, TargetItem,
};
pub use ports::{
    LeadItem, PortFinding, PortItem, PortsDocument, RangeItem, RoomItem, ports_document,
    render_ports,
};
pub use schema::{changes_schema, ports_schema, scan_schema, schema};
pub use traced::{PacketItem, PartedItem, ReportItem, TraceItem};

use traced::trace_item;

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
        trace: story.traced.map(|traced| trace_item(story, traced)),
    }
}

/// The document as text, indented, with a line feed at its end.
pub fn render(story: &Story) -> String {
    text(&document(story))
}

/// A scan as text, likewise.
pub fn render_scan(scan: &Scan) -> String {
    text(&scan_document(scan))
}

/// What ends otherwise, likewise.
pub fn render_changes(comparison: &Comparison) -> String {
    text(&changes_document(comparison))
}

/// What ends otherwise, as data.
pub fn changes_document(comparison: &Comparison) -> ChangesDocument {
    let changes = comparison.changes.iter();
    ChangesDocument {
        format: FORMAT,
        changes: changes.map(|one| change_item(comparison, one)).collect(),
        unasked: comparison.unasked,
    }
}

/// What is known of a kind of finding, as text, likewise.
pub fn render_finding(doc: &FindingDoc) -> String {
    text(&finding_doc_item(doc))
}

/// What is known of all kinds of findings, likewise.
pub fn render_findings(docs: &[FindingDoc]) -> String {
    text(&FindingsDocument {
        format: FORMAT,
        findings: docs.iter().map(finding_doc_item).collect(),
    })
}

/// Why there is no answer, likewise.
pub fn render_problem(problem: &str) -> String {
    text(&ProblemDocument {
        format: FORMAT,
        error: problem.to_owned(),
    })
}

fn finding_doc_item(doc: &FindingDoc) -> FindingDocItem {
    FindingDocItem {
        code: doc.code,
        summary: doc.summary,
        you_see: doc.you_see,
        check_by_hand: doc.check_by_hand,
        put_it_right: doc.put_it_right,
    }
}

fn change_item(comparison: &Comparison, change: &Change) -> ChangeItem {
    let names = Names::default();
    let side = |host, answer: &Option<Answer>| {
        let answer = answer.as_ref()?;
        let story = Story {
            host,
            question: &change.question,
            answers: std::slice::from_ref(answer),
            findings: &[],
            names: &names,
            probe: None,
            traced: None,
        };
        let item = answer_item(&story, 0, answer);
        Some(item.outcomes)
    };
    ChangeItem {
        protocol: change.question.proto.to_string(),
        to: change.question.to.to_string(),
        from: kind_word(change.from),
        iif: change.iif.clone(),
        region: words::region_words(&change.region),
        before: side(comparison.before, &change.before),
        after: side(comparison.after, &change.after),
    }
}

fn kind_word(from: From) -> &'static str {
    match from {
        From::Outside => "outside",
        From::Pod => "pod",
        From::Local => "local",
    }
}

fn text(document: &impl Serialize) -> String {
    let text = serde_json::to_string_pretty(document);
    text.expect("strings, numbers and lists always serialize") + "\n"
}

/// A scan as data.
pub fn scan_document(scan: &Scan) -> ScanDocument {
    let listeners = scan.listeners.iter();
    ScanDocument {
        format: FORMAT,
        listeners: listeners.map(|one| listener_item(scan, one)).collect(),
        at_link_local: trace::at_link_local(scan.host, scan.listeners),
        ports: scan
            .ports
            .map(|sweeps| sweeps.iter().map(|one| sweep_item(scan, one)).collect()),
        gaps: gaps(scan.host),
    }
}

fn gaps(host: &Host) -> Vec<String> {
    host.gaps.iter().map(|gap| gap.what.clone()).collect()
}

fn listener_item(scan: &Scan, listener: &Listener) -> ListenerItem {
    let from = |kind| listener.fate(kind).map(fate_word);
    let sockets = listener.sockets.iter();
    let socket = listener.sockets[0];
    ListenerItem {
        protocol: socket.proto.to_string(),
        port: socket.port,
        sockets: sockets.map(|one| socket_item(one, scan.names)).collect(),
        fate: listener.worst().map(fate_word),
        from_outside: from(From::Outside),
        from_pods: from(From::Pod),
        from_this_host: from(From::Local),
        old_connections: listener.old(),
        targets: listener
            .heard
            .iter()
            .map(|heard| target_item(scan, heard))
            .collect(),
    }
}

fn sweep_item(scan: &Scan, sweep: &Sweep) -> SweepItem {
    let item = |stretch: &Stretch| {
        let story = Story {
            host: scan.host,
            question: &stretch.question,
            answers: &stretch.answers,
            findings: &[],
            names: scan.names,
            probe: None,
            traced: None,
        };
        let answers = stretch.answers.iter().enumerate();
        StretchItem {
            ports: stretch.ports.clone(),
            question: question(&story),
            answers: answers
                .map(|(i, answer)| answer_item(&story, i, answer))
                .collect(),
        }
    };
    SweepItem {
        addresses: sweep.addrs.iter().map(ToString::to_string).collect(),
        stretches: sweep.stretches.iter().map(item).collect(),
    }
}

fn target_item(scan: &Scan, heard: &Heard) -> TargetItem {
    let story = scan.story(heard);
    let answers = heard.answers.iter().zip(&heard.fates).enumerate();
    let item = |(i, (answer, fates)): (usize, (&Answer, &Vec<Fate>))| {
        let mut item = answer_item(&story, i, answer);
        for (outcome, fate) in item.outcomes.iter_mut().zip(fates) {
            outcome.fate = Some(fate_word(*fate));
        }
        item
    };
    TargetItem {
        addresses: heard.addrs.iter().map(ToString::to_string).collect(),
        question: question(&story),
        answers: answers.map(item).collect(),
    }
}

/// A fate in a word, which is also the class that paints it on a page.
pub(crate) fn fate_word(fate: Fate) -> &'static str {
    match fate {
        Fate::Arrives => "arrives",
        Fate::Blocked => "blocked",
        Fate::Unknown => "unknown",
        Fate::Lost => "lost",
    }
}

fn socket_item(socket: &Socket, names: &Names) -> SocketItem {
    let holder = socket.holder.as_ref();
    let pod = holder.and_then(|holder| names.pod_of(holder));
    SocketItem {
        socket: words::socket(socket),
        name: holder.map(|holder| holder.name.clone()),
        pid: holder.and_then(|holder| holder.pid),
        pod: pod.map(|pod| pod.name.clone()),
        pod_uid: holder.and_then(|holder| holder.pod_uid.clone()),
        unit: holder.and_then(|holder| holder.unit.clone()),
    }
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
        from: kind_word(answer.from),
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
        fate: None,
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
    let SocketItem {
        socket,
        name,
        pid,
        pod,
        pod_uid,
        unit,
    } = socket_item(&server.socket, names);
    ServerItem {
        name,
        pid,
        socket,
        pod,
        pod_uid,
        unit,
        reached: server.reached,
    }
}

fn step_item(story: &Story, step: &Step) -> StepItem {
    let at = step.rule.as_ref();
    let table = at.and_then(|at| story.host.ruleset.tables.get(at.table));
    let chain = at
        .zip(table)
        .and_then(|(at, table)| table.chains.get(at.chain));
    StepItem {
        stage: words::stage(step.stage),
        table: table.map(|table| table.name.clone()),
        family: table.map(|table| table.family.to_string()),
        chain: chain.map(|chain| chain.name.clone()),
        rule: at.and_then(|at| at.rule).map(|n| n + 1),
        text: at.and_then(|at| words::text_at(story.host, at)),
        did: words::did(&step.did, table.is_none_or(words::speaks_xt)),
    }
}

fn finding_item(finding: &Finding) -> FindingItem {
    FindingItem {
        code: finding.code,
        severity: severity_word(finding.severity),
        title: finding.title.clone(),
        why: finding.why.clone(),
        fix: finding.fix.as_ref().and_then(|fix| fix.command.clone()),
        advice: finding.fix.as_ref().map(|fix| fix.say.clone()),
        check: finding.check.clone(),
    }
}

fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}
