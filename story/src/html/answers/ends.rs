//! One ending: its way drawn, its steps, the rule that decided, what the client sees.

use std::iter;

use trace::{Answer, Did, Outcome, RuleRef};

use crate::groups::Group;
use crate::headline::{self, share_words};
use crate::html::drawing::{self, Numbers};
use crate::html::markup::Html;
use crate::strip;
use crate::telling::{self, Told, missed};
use crate::words::{self, page};
use crate::{Story, afterword};

use super::{Manner, fact};

/// Outcomes of one kind that are told one by one before the rest is only counted.
const TOLD: usize = 3;

/// The outcomes of a group.
pub(super) fn tell(html: &mut Html, story: &Story, group: &Group, manner: Manner) {
    let answer = &story.answers[group.answers[0]];
    match answer.outcomes.as_slice() {
        [outcome] => way(
            html,
            story,
            (answer, outcome),
            (&shapes(story, group), manner),
        ),
        outcomes => forks(html, story, (answer, outcomes), manner),
    }
    let client = afterword::client(story, answer);
    let gaps = afterword::gaps(story, answer);
    let check = afterword::check(story, group);
    if client.is_none() && gaps.is_empty() && check.is_none() {
        return;
    }
    html.tag("dl", &[("class", "facts")], |html| {
        if let Some(client) = client {
            fact(html, page::CLIENT, |html| html.text(&client));
        }
        for gap in gaps {
            fact(html, page::NOT_KNOWN, |html| html.sentence(&gap));
        }
        if let Some(check) = check {
            fact(html, page::CHECK, |html| command(html, &check));
        }
    });
}

/// A command on lines of its own.
pub(super) fn command(html: &mut Html, text: &str) {
    html.tag("pre", &[], |html| html.leaf("code", &[], text));
}

/// Several outcomes, each with its share.
fn forks(
    html: &mut Html,
    story: &Story,
    (answer, outcomes): (&Answer, &[Outcome]),
    manner: Manner,
) {
    let most = if manner.every { usize::MAX } else { TOLD };
    let (told, untold) = afterword::first_of_each(outcomes, most);
    for outcome in told {
        let head = headline::short(story, outcome);
        let head = format!("{}{head}", share_words(outcome.share));
        html.leaf("p", &[("class", "fork")], &head);
        let shape = Shape {
            answer,
            outcome,
            likewise: Vec::new(),
        };
        way(html, story, (answer, outcome), (&[shape], manner));
    }
    if untold > 0 {
        html.leaf("p", &[("class", "rest")], &page::more_like_these(untold));
    }
}

/// A way that packets take, and the other interfaces over which they take the same.
struct Shape<'a> {
    answer: &'a Answer,
    outcome: &'a Outcome,
    likewise: Vec<String>,
}

/// The different ways that lead to one end.
fn shapes<'a>(story: &Story<'a>, group: &Group) -> Vec<Shape<'a>> {
    let shapes = strip::shapes(story, group, usize::MAX).into_iter();
    let shapes = shapes.filter_map(|shape| {
        let answer = &story.answers[shape.answer];
        Some(Shape {
            answer,
            outcome: answer.outcomes.first()?,
            likewise: shape.likewise,
        })
    });
    shapes.collect()
}

/// The drawings, and the story of the first of them beside it.
fn way(
    html: &mut Html,
    story: &Story,
    (answer, outcome): (&Answer, &Outcome),
    (shapes, manner): (&[Shape], Manner),
) {
    let told = telling::tell_placed(story, answer, outcome, manner.every);
    let numbers: Vec<(usize, usize)> = (1..)
        .zip(&told)
        .map(|(number, (at, _))| (*at, number))
        .collect();
    html.tag("div", &[("class", "way-and-story")], |html| {
        html.tag("div", &[("class", "ways")], |html| {
            let numbers = [numbers.as_slice()]
                .into_iter()
                .chain(iter::repeat(&[][..]));
            for (shape, numbers) in shapes.iter().zip(numbers) {
                html.tag("figure", &[], |html| drawn(html, story, shape, numbers));
            }
        });
        html.tag("div", &[("class", "story")], |html| {
            html.tag("ol", &[("class", "steps")], |html| {
                for (_, told) in &told {
                    html.tag("li", &[], |html| step(html, told));
                }
            });
            if let Some(missed) = missed(story, outcome) {
                let text = format!("{} {}", missed.text, missed.place);
                html.leaf("p", &[("class", "missed")], &text);
            }
            if let Some((name, at)) = deciding(outcome) {
                rule(html, story, name, at);
            }
        });
    });
}

fn drawn(html: &mut Html, story: &Story, shape: &Shape, numbers: Numbers) {
    drawing::draw(html, story, shape.outcome, numbers);
    let caption = page::way_of(shape.answer, &shape.likewise);
    html.leaf("figcaption", &[], &caption);
}

fn step(html: &mut Html, told: &Told) {
    html.leaf("b", &[], &told.place);
    html.text(" ");
    html.leaf("span", &[], &told.text);
}

/// The rule that ended a connection, or else led it elsewhere.
fn deciding(outcome: &Outcome) -> Option<(&'static str, &RuleRef)> {
    let ended = outcome.ended_at().and_then(|step| step.rule.as_ref());
    if let Some(at) = ended {
        return Some((page::DECIDED, at));
    }
    let request = &outcome.steps[..outcome.request.min(outcome.steps.len())];
    let translates = |step: &&trace::Step| matches!(step.did, Did::Dnat { .. });
    let step = request.iter().rev().find(translates)?;
    Some((page::TRANSLATED, step.rule.as_ref()?))
}

fn rule(html: &mut Html, story: &Story, name: &str, at: &RuleRef) {
    html.tag("div", &[("class", "rule")], |html| {
        html.tag("p", &[], |html| {
            html.text(&format!("{name}: "));
            html.leaf("b", &[], &words::place(story.host, at));
        });
        if let Some(text) = words::text_at(story.host, at) {
            command(html, &text);
        }
    });
}
