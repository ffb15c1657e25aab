//! What is wrong in the answers and what to do, once for all of them.

use trace::{Finding, Fix};

use crate::groups::Group;
use crate::html::code_link;
use crate::html::markup::Html;
use crate::words::page;
use crate::{Story, afterword, headline};

use super::ends::command;
use super::{Manner, fact};

/// Every finding, the one of the first verdict first.
pub(super) fn tell(html: &mut Html, story: &Story, groups: &[Group], manner: Manner) {
    for (finding, is_headline) in afterword::findings(story, groups) {
        html.tag("section", &[("class", "finding")], |html| {
            html.tag(manner.part, &[], |html| {
                if is_headline {
                    return html.text(page::WHAT_TO_DO);
                }
                html.text(&page::upper(headline::severity_word(finding.severity)));
                html.text(" ");
                html.sentence(&finding.title);
            });
            facts(html, finding);
        });
    }
}

fn facts(html: &mut Html, finding: &Finding) {
    html.tag("dl", &[("class", "facts")], |html| {
        if !finding.why.is_empty() {
            fact(html, page::WHY, |html| lines(html, &finding.why));
        }
        if let Some(advice) = &finding.fix {
            fact(html, page::FIX, |html| fix(html, advice));
        }
        if let Some(check) = &finding.check {
            fact(html, page::CHECK, |html| command(html, check));
        }
        fact(html, page::MORE, |html| code_link(html, finding.code));
    });
}

fn lines(html: &mut Html, said: &[String]) {
    for line in said {
        html.tag("p", &[], |html| html.sentence(line));
    }
}

fn fix(html: &mut Html, fix: &Fix) {
    let advice = afterword::fix(fix);
    lines(html, &advice.before);
    if let Some(text) = &advice.command {
        command(html, text);
    }
    lines(html, &advice.behind);
}
