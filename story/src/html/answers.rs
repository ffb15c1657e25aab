//! The answer to a question, as a page: the verdict, the way drawn, the story beside it.

mod ends;
mod findings;

use trace::{Answer, Outcome};

use crate::groups::{self, Group};
use crate::headline;
use crate::words::{self, page};
use crate::{Story, afterword};

use super::form::{self, Asking};
use super::markup::Html;
use super::{Frame, View, code_link};

/// A story, and where somebody may wonder why it is about this address, the reason.
pub type Told<'a> = (Option<&'a str>, Story<'a>);

/// How the stories of a page are told.
#[derive(Clone, Copy)]
struct Manner {
    /// Every step, not only those that mattered.
    every: bool,
    /// The tag of a verdict.
    verdict: &'static str,
    /// The tag of a part below it.
    part: &'static str,
    /// Which story of the page it is, from 1.
    story: usize,
}

/// The answers to a question: one for most, several for a Service. `every` tells all steps;
/// `toggle` is the address of the same page that does otherwise.
pub fn why(frame: &Frame, asking: &Asking, told: &[Told], (every, toggle): (bool, &str)) -> String {
    let title = match told {
        [(_, story)] => title(story),
        _ => asking.to.to_owned(),
    };
    super::page(frame, View::Ask, &title, |html| {
        let (verdict, part) = if told.len() == 1 {
            ("h1", "h2")
        } else {
            html.leaf("h1", &[], &title);
            ("h2", "h3")
        };
        for (number, (remark, story)) in (1..).zip(told) {
            let manner = Manner {
                every,
                verdict,
                part,
                story: number,
            };
            html.tag("article", &[], |html| {
                asked(html, story, *remark);
                tell(html, story, manner);
            });
        }
        html.tag("p", &[("class", "rest")], |html| {
            let name = if every {
                page::FEWER_STEPS
            } else {
                page::EVERY_STEP
            };
            html.leaf("a", &[("href", toggle)], name);
        });
        form::form(html, page::ASK_AGAIN, asking);
    })
}

/// The story in a line, for the title of a window.
fn title(story: &Story) -> String {
    let question = story.question;
    let groups = groups::groups(story);
    let end = match groups.as_slice() {
        [] => page::NO_SOURCE.to_owned(),
        [group] => line(story, group),
        _ => page::ENDS.to_owned(),
    };
    format!("{} {}: {end}", question.proto, question.to)
}

/// The headline of a group.
fn line(story: &Story, group: &Group) -> String {
    let answer = &story.answers[group.answers[0]];
    headline::headline(story, answer, headline::finding(story, group))
}

/// What was asked.
fn asked(html: &mut Html, story: &Story, remark: Option<&str>) {
    html.tag("p", &[("class", "asked")], |html| {
        html.text(page::A_CONNECTION);
        let question = story.question;
        html.leaf("b", &[], &format!("{} {}", question.proto, question.to));
        if let Some(from) = page::asked_from(question) {
            html.text(&from);
        }
        if let Some(remark) = remark {
            html.leaf("small", &[], &page::upper(remark));
        }
    });
}

fn tell(html: &mut Html, story: &Story, manner: Manner) {
    let groups::Told {
        groups,
        untold,
        is_one_of_many,
    } = groups::told(story, manner.every);
    match groups.as_slice() {
        [] => html.leaf(manner.verdict, &[], page::NO_SOURCE),
        [group] => verdict(html, manner.verdict, story, group),
        groups => contents(html, story, groups, manner),
    }
    for (i, group) in groups.iter().enumerate() {
        let id = end_id(manner, i);
        html.tag("section", &[("class", "end"), ("id", &id)], |html| {
            if is_one_of_many {
                verdict(html, manner.part, story, group);
            }
            from(html, story, group, is_one_of_many);
            ends::tell(html, story, group, manner);
        });
    }
    if untold > 0 {
        html.leaf("p", &[("class", "rest")], &page::more_ends(untold));
    }
    findings::tell(html, story, &groups, manner);
    remarks(html, story);
}

/// The ends in a list, where there are several.
fn contents(html: &mut Html, story: &Story, groups: &[Group], manner: Manner) {
    html.leaf(manner.verdict, &[], page::ENDS);
    html.tag("ul", &[("class", "contents")], |html| {
        for (i, group) in groups.iter().enumerate() {
            let path = format!("#{}", end_id(manner, i));
            html.tag("li", &[], |html| {
                html.tag("a", &[("href", &path)], |html| entry(html, story, group));
            });
        }
    });
}

/// The verdicts of a group, and where its clients are.
fn entry(html: &mut Html, story: &Story, group: &Group) {
    let answer = &story.answers[group.answers[0]];
    let mut verdicts: Vec<_> = answer.outcomes.iter().map(|o| o.verdict).collect();
    verdicts.dedup();
    for one in verdicts {
        let class = page::verdict_class(one);
        html.leaf("strong", &[("class", class)], words::verdict(one));
        html.text(" ");
    }
    html.text(&groups::label(story, group));
}

/// The name of an end, to link to.
fn end_id(manner: Manner, end: usize) -> String {
    format!("end-{}-{}", manner.story, end + 1)
}

/// A headline with its verdicts marked.
fn verdict(html: &mut Html, tag: &'static str, story: &Story, group: &Group) {
    let answer = &story.answers[group.answers[0]];
    let text = line(story, group);
    let class = ("class", "headline");
    html.tag(tag, &[class], |html| marked(html, answer, &text));
}

/// A line in which the words of an answer's verdicts are marked.
fn marked(html: &mut Html, answer: &Answer, text: &str) {
    for (i, word) in text.split(' ').enumerate() {
        if i > 0 {
            html.text(" ");
        }
        let plain = word.trim_end_matches([':', ',']);
        let is_word = |outcome: &&Outcome| words::verdict(outcome.verdict) == plain;
        match answer.outcomes.iter().find(is_word) {
            Some(outcome) => {
                let class = page::verdict_class(outcome.verdict);
                html.leaf("strong", &[("class", class)], plain);
                html.text(&word[plain.len()..]);
            }
            None => html.text(word),
        }
    }
}

/// Where the clients are, and the name of the mistake.
fn from(html: &mut Html, story: &Story, group: &Group, is_one_of_many: bool) {
    let finding = headline::finding(story, group);
    let is_labelled = is_one_of_many || group.answers.len() > 1;
    if finding.is_none() && !is_labelled {
        return;
    }
    html.tag("p", &[("class", "from")], |html| {
        if is_labelled {
            html.leaf("span", &[], &groups::label(story, group));
        }
        if let Some(finding) = finding {
            html.text(" ");
            code_link(html, finding.code);
        }
    });
}

/// What was taken for granted, and what is missing.
fn remarks(html: &mut Html, story: &Story) {
    let assumed = afterword::assumed(story);
    let notes = headline::notes(story);
    if assumed.is_empty() && notes.is_empty() {
        return;
    }
    html.tag("section", &[("class", "note")], |html| {
        html.tag("dl", &[("class", "facts")], |html| {
            for line in &assumed {
                fact(html, page::ASSUMED, |html| html.sentence(line));
            }
            for gap in notes {
                fact(html, page::NOTE, |html| html.sentence(&gap.what));
            }
        });
    });
}

/// A word in the margin, and what is to be said under it.
fn fact(html: &mut Html, name: &str, inside: impl FnOnce(&mut Html)) {
    html.tag("div", &[], |html| {
        html.leaf("dt", &[], name);
        html.tag("dd", &[], inside);
    });
}
