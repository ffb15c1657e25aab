//! The kernel's stages as a drawing, with the packet's way through them.
//!
//! Down the left goes what comes in, down the right what is sent; between them what is
//! forwarded. The map is always the same, so that one learns to read it once.

mod layout;

use host::Hook;
use trace::{Cause, Outcome, Stage, Verdict};

use crate::words::page;
use crate::{Story, strip, words};

use super::markup::Html;
use layout::{Layout, Spot};

/// What happened at a spot that a packet came to.
struct Visit {
    spot: Spot,
    label: String,
}

/// Numbers of the steps that are told, each with its place in [`Outcome::steps`].
pub(super) type Numbers<'a> = &'a [(usize, usize)];

/// Draws the way of the first packet.
pub(super) fn draw(html: &mut Html, story: &Story, outcome: &Outcome, numbers: Numbers) {
    let visits = visits(outcome);
    let layout = Layout::with(|spot| visits.iter().any(|visit| visit.spot == spot));
    let (width, height) = layout.size();
    let title = strip::line(story, outcome);
    let view = format!("0 0 {width} {height}");
    let attrs = [
        ("class", "drawing"),
        ("viewBox", view.as_str()),
        ("role", "img"),
        ("aria-label", title.as_str()),
    ];
    html.tag("svg", &attrs, |html| {
        html.leaf("title", &[], &title);
        captions(html, &layout);
        ways(html, &layout, &visits);
        for spot in layout.spots() {
            let visit = visits.iter().rev().find(|visit| visit.spot == spot);
            let missed = page::missed(outcome).filter(|_| spot == Spot::Socket);
            let label = match (visit, &missed) {
                (Some(visit), _) => visit.label.clone(),
                (None, Some(name)) => name.clone(),
                (None, None) => spot.name().to_owned(),
            };
            let class = class(visit.is_some(), missed.is_some());
            node(html, &layout, (spot, class), &label);
            badge(html, &layout, spot, &told_at(outcome, spot, numbers));
        }
        if let Some(last) = visits.last() {
            stamp(html, &layout, last.spot, outcome);
        }
    });
}

fn class(is_visited: bool, is_missed: bool) -> &'static str {
    match (is_visited, is_missed) {
        (true, _) => "node on",
        (false, true) => "node missed",
        (false, false) => "node",
    }
}

/// Every spot that the packet came to, in its order.
fn visits(outcome: &Outcome) -> Vec<Visit> {
    let mut visits = Vec::new();
    for pass in strip::passes(outcome) {
        visits.extend(pass.nodes.into_iter().map(|node| Visit {
            spot: Spot::of(node.stage, pass.is_sent),
            label: node.label,
        }));
    }
    let request = outcome.request.min(outcome.steps.len());
    let last = outcome.steps[..request].last().map(|step| step.stage);
    let is_there = |visit: &Visit| visit.spot == Spot::Socket;
    // Where nothing listens the strip has no socket to name.
    if last == Some(Stage::Socket) && !visits.last().is_some_and(is_there) {
        visits.push(Visit {
            spot: Spot::Socket,
            label: page::NO_SOCKET.to_owned(),
        });
    }
    visits
}

/// The numbers of the told steps that happened at a spot: `3`, `3–5`.
fn told_at(outcome: &Outcome, spot: Spot, numbers: Numbers) -> String {
    let mut is_sent = false;
    let mut here = Vec::new();
    let request = outcome.request.min(outcome.steps.len());
    for (i, step) in outcome.steps[..request].iter().enumerate() {
        match step.did {
            trace::Did::Sent { .. } => is_sent = true,
            trace::Did::LoopsBack | trace::Did::Arrives { .. } => is_sent = false,
            _ => {}
        }
        if Spot::of(step.stage, is_sent) == spot {
            let told = numbers.iter().find(|(at, _)| *at == i);
            here.extend(told.map(|(_, number)| *number));
        }
    }
    match (here.first(), here.last()) {
        (Some(first), Some(last)) if first != last => format!("{first}–{last}"),
        (Some(first), _) => first.to_string(),
        (None, _) => String::new(),
    }
}

fn captions(html: &mut Html, layout: &Layout) {
    for (spot, text) in [
        (Spot::Arrives, page::COMES_IN),
        (Spot::Sends, page::IS_SENT),
    ] {
        let (x, _) = layout.center(spot);
        let x = x.to_string();
        html.leaf(
            "text",
            &[("class", "caption"), ("x", &x), ("y", "14")],
            text,
        );
    }
}

/// All ways there are, then those that the packet took, over them.
fn ways(html: &mut Html, layout: &Layout, visits: &[Visit]) {
    for (from, to) in layout.ways() {
        way(html, layout, (from, to), "way");
    }
    for pair in visits.windows(2) {
        way(html, layout, (pair[0].spot, pair[1].spot), "way on");
    }
}

fn way(html: &mut Html, layout: &Layout, (from, to): (Spot, Spot), class: &'static str) {
    let (line, tip) = layout.way(from, to);
    html.tag("g", &[("class", class)], |html| {
        html.leaf("path", &[("d", &line)], "");
        html.leaf("path", &[("class", "tip"), ("d", &tip)], "");
    });
}

fn node(html: &mut Html, layout: &Layout, (spot, class): (Spot, &'static str), label: &str) {
    let (x, y) = layout.center(spot);
    let (width, height) = spot.size();
    let radius = if spot.is_end() { height / 2 } else { 6 };
    let rect = [x - width / 2, y - height / 2, width, height, radius];
    boxed(html, class, rect, &shortened(label));
}

/// A text in the middle of a rectangle: left, top, width, height, radius of its corners.
fn boxed(html: &mut Html, class: &'static str, rect: [i32; 5], text: &str) {
    let [left, top, width, height, _] = rect;
    let (x, y) = (left + width / 2, top + height / 2);
    html.tag("g", &[("class", class)], |html| {
        let [left, top, width, height, radius] = rect.map(|n| n.to_string());
        let attrs = [
            ("x", left.as_str()),
            ("y", &top),
            ("width", &width),
            ("height", &height),
            ("rx", &radius),
        ];
        html.leaf("rect", &attrs, "");
        let (x, y) = (x.to_string(), (y + 4).to_string());
        html.leaf("text", &[("x", &x), ("y", &y)], text);
    });
}

/// A name as it fits into a node; the story beside has it whole.
fn shortened(label: &str) -> String {
    const ROOM: usize = 15;
    if label.chars().count() <= ROOM {
        return label.to_owned();
    }
    let kept: String = label.chars().take(ROOM - 1).collect();
    kept + "…"
}

/// The numbers of steps, in the upper right corner of a node.
fn badge(html: &mut Html, layout: &Layout, spot: Spot, text: &str) {
    if text.is_empty() {
        return;
    }
    let (x, y) = layout.center(spot);
    let (width, height) = spot.size();
    let right = x + width / 2 + 3;
    plate(
        html,
        "badge",
        (right - plate_width(text) / 2, y - height / 2),
        text,
    );
}

/// How it ended, on the lower edge of the last node.
fn stamp(html: &mut Html, layout: &Layout, spot: Spot, outcome: &Outcome) {
    let (x, y) = layout.center(spot);
    let (_, height) = spot.size();
    let (class, text) = match (outcome.verdict, &outcome.cause) {
        (Verdict::Unknown, _) => ("stamp unknown", page::STAMP_UNKNOWN.to_owned()),
        (_, Cause::Socket) => ("stamp good", page::STAMP_DELIVERED.to_owned()),
        (_, Cause::Leaves) => ("stamp good", page::STAMP_LEAVES.to_owned()),
        (_, cause) => ("stamp bad", format!("✗ {}", words::stop_mark(cause))),
    };
    plate(html, class, (x, y + height / 2), &text);
}

/// A text on a plate of its own around a point.
fn plate(html: &mut Html, class: &'static str, (x, y): (i32, i32), text: &str) {
    let (width, height) = (plate_width(text), 16);
    let rect = [x - width / 2, y - height / 2, width, height, height / 2];
    boxed(html, class, rect, text);
}

/// How wide a text of the drawing's letters is, with a margin.
fn plate_width(text: &str) -> i32 {
    let letters = i32::try_from(text.chars().count()).unwrap_or(0);
    letters * 7 + 10
}

impl Spot {
    /// Where a stage is on the map.
    fn of(stage: Stage, is_sent: bool) -> Self {
        match (stage, is_sent) {
            (Stage::Start, false) => Self::Arrives,
            (Stage::Start, true) => Self::Sends,
            (Stage::Routing, false) => Self::RoutingIn,
            (Stage::Routing, true) => Self::RoutingOut,
            (Stage::Socket, _) => Self::Socket,
            (Stage::Leave, _) => Self::Leaves,
            (Stage::Hook(hook), _) => match hook {
                Hook::Ingress => Self::Ingress,
                Hook::Prerouting => Self::Prerouting,
                Hook::Input => Self::Input,
                Hook::Forward => Self::Forward,
                Hook::Output => Self::Output,
                Hook::Postrouting => Self::Postrouting,
                Hook::Egress => Self::Egress,
            },
        }
    }
}
