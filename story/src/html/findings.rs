//! What is known of kinds of findings.

use trace::FindingDoc;

use crate::words::page;

use super::markup::Html;
use super::{Frame, View, explain_path};

/// One finding in full.
pub fn explain(frame: &Frame, doc: &FindingDoc) -> String {
    super::page(frame, View::Findings, doc.code, |html| {
        html.leaf("h1", &[("class", "code")], doc.code);
        html.tag("div", &[("class", "lead")], |html| {
            paragraphs(html, doc.summary);
        });
        for (heading, body) in [
            (page::YOU_SEE, doc.you_see),
            (page::CHECK_BY_HAND, doc.check_by_hand),
            (page::PUT_IT_RIGHT, doc.put_it_right),
        ] {
            html.tag("section", &[("class", "prose")], |html| {
                html.leaf("h2", &[], heading);
                paragraphs(html, body);
            });
        }
        html.tag("p", &[], |html| {
            html.leaf("a", &[("href", "/explain")], page::ALL_FINDINGS);
        });
    })
}

/// All findings: each code, and what it is.
pub fn findings(frame: &Frame, docs: &[FindingDoc]) -> String {
    super::page(frame, View::Findings, page::FINDINGS, |html| {
        html.leaf("h1", &[], page::FINDINGS);
        html.leaf("p", &[("class", "lead")], page::FINDINGS_INTRO);
        html.tag("dl", &[("class", "findings")], |html| {
            for doc in docs {
                html.tag("dt", &[], |html| {
                    html.leaf("a", &[("href", &explain_path(doc.code))], doc.code);
                });
                html.tag("dd", &[], |html| html.sentence(&joined(doc.summary)));
            }
        });
    })
}

/// Text in paragraphs, parted by empty lines.
fn paragraphs(html: &mut Html, text: &str) {
    for part in text.split("\n\n").filter(|part| !part.trim().is_empty()) {
        html.tag("p", &[], |html| html.sentence(&joined(part)));
    }
}

/// Lines as one.
fn joined(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.join(" ").trim().to_owned()
}
