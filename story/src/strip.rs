//! One line that draws the kernel's stages with the packet's way through them.

use host::Hook;
use trace::{Cause, Did, Outcome, Stage, Step, Verdict};

use crate::groups::Group;
use crate::{Story, escape, words};

const ARROW: &str = " ─▶ ";

/// The ways through the kernel, from arrival to the end.
const TO_SOCKET: &[Stage] = &[
    Stage::Start,
    Stage::Hook(Hook::Ingress),
    Stage::Hook(Hook::Prerouting),
    Stage::Routing,
    Stage::Hook(Hook::Input),
    Stage::Socket,
];
const THROUGH: &[Stage] = &[
    Stage::Start,
    Stage::Hook(Hook::Ingress),
    Stage::Hook(Hook::Prerouting),
    Stage::Routing,
    Stage::Hook(Hook::Forward),
    Stage::Hook(Hook::Postrouting),
    Stage::Hook(Hook::Egress),
    Stage::Leave,
];
const FROM_HERE: &[Stage] = &[
    Stage::Start,
    Stage::Routing,
    Stage::Hook(Hook::Output),
    Stage::Hook(Hook::Postrouting),
    Stage::Hook(Hook::Egress),
    Stage::Leave,
];

/// A stage on the strip.
pub(crate) struct Node {
    pub(crate) stage: Stage,
    pub(crate) label: String,
    /// Something happened there, so that it may not be left out.
    is_eventful: bool,
}

/// One pass through the kernel: a packet that a process here sends to this host makes two.
pub(crate) struct Pass {
    /// It begins with a process of this host, not with an interface.
    pub(crate) is_sent: bool,
    pub(crate) nodes: Vec<Node>,
}

/// A drawing.
pub(crate) struct Strip {
    /// Where packets start: an interface, or this host.
    pub(crate) start: String,
    /// The stages behind it: two drawings of the same way differ in the interface only.
    pub(crate) way: Vec<String>,
    /// The drawing itself.
    pub(crate) lines: Vec<String>,
}

/// A way that packets take, and the other interfaces over which they take the same.
pub(crate) struct Shape {
    /// The place in [`Story::answers`] of the first that takes it.
    pub(crate) answer: usize,
    pub(crate) strip: Strip,
    pub(crate) likewise: Vec<String>,
}

/// The different ways that lead to the one end of a group, drawn `width` columns wide.
pub(crate) fn shapes(story: &Story, group: &Group, width: usize) -> Vec<Shape> {
    let mut shapes: Vec<Shape> = Vec::new();
    for &answer in &group.answers {
        let Some(outcome) = story.answers[answer].outcomes.first() else {
            continue;
        };
        let strip = draw(story, outcome, width);
        let known = shapes.iter_mut().find(|shape| shape.strip.way == strip.way);
        match known {
            Some(shape) if shape.strip.start != strip.start => {
                if !shape.likewise.contains(&strip.start) {
                    shape.likewise.push(strip.start);
                }
            }
            Some(_) => {}
            None => shapes.push(Shape {
                answer,
                strip,
                likewise: Vec::new(),
            }),
        }
    }
    shapes
}

/// Draws the way of the first packet in `width` columns, on several lines where that is not
/// enough even without the stages in which nothing happened.
pub(crate) fn draw(story: &Story, outcome: &Outcome, width: usize) -> Strip {
    let mut nodes = nodes(outcome);
    let start = nodes
        .first()
        .map_or(String::new(), |node| node.label.clone());
    let way: Vec<String> = nodes.iter().skip(1).map(|n| n.label.clone()).collect();
    let end = end(story, outcome);
    let missed = missed(outcome);
    let drawn = |nodes: &[Node]| {
        let labels: Vec<_> = nodes.iter().map(|node| node.label.as_str()).collect();
        format!("{}{end}", labels.join(ARROW))
    };
    for spare in [
        Stage::Hook(Hook::Postrouting),
        Stage::Routing,
        Stage::Hook(Hook::Prerouting),
        Stage::Hook(Hook::Output),
        Stage::Hook(Hook::Input),
        Stage::Hook(Hook::Forward),
    ] {
        if columns(&drawn(&nodes)) <= width {
            break;
        }
        let ends_at = nodes.len() - 1;
        let mut at = 0;
        nodes.retain(|node| {
            at += 1;
            let dull = spare == Stage::Routing || !node.is_eventful;
            node.stage != spare || !dull || at > ends_at
        });
    }
    let line = drawn(&nodes);
    let lines = if columns(&line) + columns(&missed) <= width {
        vec![line + &missed]
    } else {
        broken(&line, width)
    };
    Strip { start, way, lines }
}

/// The whole way in one line, however long.
pub(crate) fn line(story: &Story, outcome: &Outcome) -> String {
    draw(story, outcome, usize::MAX).lines.concat()
}

/// Breaks a strip before its arrows.
fn broken(line: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for (i, part) in line.split(ARROW).enumerate() {
        let part = if i == 0 {
            part.to_owned()
        } else {
            format!("{ARROW}{part}")
        };
        match lines.last_mut() {
            Some(last) if last.is_empty() || columns(last) + columns(&part) <= width => {
                last.push_str(&part);
            }
            _ => lines.push(format!("  {}", part.trim_start())),
        }
    }
    lines
}

fn columns(text: &str) -> usize {
    text.chars().count()
}

/// The stages of all passes, where one pass ends and the next begins at the same only once.
fn nodes(outcome: &Outcome) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    for node in passes(outcome).into_iter().flat_map(|pass| pass.nodes) {
        if nodes.last().is_none_or(|last| last.label != node.label) {
            nodes.push(node);
        }
    }
    nodes
}

/// The way of the first packet, pass by pass.
pub(crate) fn passes(outcome: &Outcome) -> Vec<Pass> {
    let request = outcome.request.min(outcome.steps.len());
    let steps = &outcome.steps[..request];
    let mut passes = Vec::new();
    let mut from = 0;
    while from < steps.len() {
        let loops = steps[from + 1..]
            .iter()
            .position(|s| s.did == Did::LoopsBack);
        let to = loops.map_or(steps.len(), |n| from + 1 + n);
        passes.push(Pass {
            is_sent: is_sent(&steps[from]),
            nodes: segment(outcome, &steps[from..to], to == steps.len()),
        });
        from = to;
    }
    passes
}

fn is_sent(first: &Step) -> bool {
    matches!(first.did, Did::Sent { .. })
}

/// The stages of one pass through the kernel, as far as it went.
fn segment(outcome: &Outcome, steps: &[Step], is_last: bool) -> Vec<Node> {
    let is_sent = is_sent(&steps[0]);
    let goes_on = |step: &Step| {
        matches!(step.did, Did::Routed { .. } | Did::Leaves { .. })
            || step.stage == Stage::Hook(Hook::Forward)
    };
    let way = match (is_sent, steps.iter().any(goes_on)) {
        (true, _) => FROM_HERE,
        (false, true) => THROUGH,
        (false, false) => TO_SOCKET,
    };
    let place = |step: &Step| way.iter().position(|&stage| stage == step.stage);
    let reached = steps.iter().filter_map(place).max().unwrap_or(0);
    let reached = if is_last { reached } else { way.len() - 1 };
    let mut nodes = Vec::new();
    for &stage in &way[..=reached] {
        let mut here = steps.iter().filter(|step| step.stage == stage);
        let is_eventful = here.clone().any(|step| {
            !matches!(
                step.did,
                Did::Jump { .. } | Did::Return | Did::Accept | Did::Goto { .. }
            )
        });
        let is_rare = matches!(stage, Stage::Hook(Hook::Ingress | Hook::Egress));
        if is_rare && here.next().is_none() {
            continue;
        }
        if let Some(label) = label(outcome, stage, steps) {
            nodes.push(Node {
                stage,
                label,
                is_eventful,
            });
        }
    }
    nodes
}

/// What a stage is called on the strip; nothing where no socket was found.
fn label(outcome: &Outcome, stage: Stage, steps: &[Step]) -> Option<String> {
    match stage {
        Stage::Start => Some(match &steps[0].did {
            Did::Arrives { iif } => escape::terminal(iif),
            Did::LoopsBack => "lo".to_owned(),
            _ => "this host".to_owned(),
        }),
        Stage::Leave => {
            let oif = steps.iter().rev().find_map(|step| match &step.did {
                Did::Leaves { oif } | Did::Routed { oif, .. } => Some(escape::terminal(oif)),
                _ => None,
            });
            Some(oif.unwrap_or_else(|| "lo".to_owned()))
        }
        Stage::Socket => {
            let server = outcome.server.as_ref().filter(|server| server.reached)?;
            Some(match &server.socket.holder {
                Some(holder) => escape::terminal(&holder.name),
                None => "socket".to_owned(),
            })
        }
        Stage::Hook(_) | Stage::Routing => Some(words::stage(stage).to_owned()),
    }
}

/// How the strip ends.
fn end(story: &Story, outcome: &Outcome) -> String {
    if outcome.verdict == Verdict::Unknown {
        return " ─? not known".to_owned();
    }
    let mark = words::stop_mark(&outcome.cause);
    if mark.is_empty() {
        let to = outcome.to.filter(|_| outcome.cause == Cause::Leaves);
        return to.map_or(String::new(), |to| format!("{ARROW}{to}"));
    }
    let rule = outcome.deciding().and_then(|step| step.rule.as_ref());
    let table = rule.and_then(|at| story.host.ruleset.tables.get(at.table));
    if table.is_some_and(|table| !words::speaks_xt(table)) {
        return format!(" ─✗ {}", mark.to_lowercase());
    }
    format!(" ─✗ {mark}")
}

/// The server that was meant and for certain not reached.
fn missed(outcome: &Outcome) -> String {
    match &outcome.server {
        Some(server) if !server.reached && outcome.verdict != Verdict::Unknown => {
            let name = server.socket.holder.as_ref().map(|holder| &holder.name);
            let name = name.map_or("the listener".to_owned(), |name| escape::terminal(name));
            format!("      {name} (never reached)")
        }
        _ => String::new(),
    }
}
