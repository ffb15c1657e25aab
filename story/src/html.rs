//! Answers as pages: plain HTML with drawings, no script, nothing from elsewhere.
//!
//! A page says what the documents of [`crate::json`] say. Whoever serves it adds [`STYLE`] as
//! `/style.css`, and the addresses that [`why_path`] and its kind give.

mod answers;
mod bands;
mod drawing;
mod findings;
mod form;
mod listeners;
mod markup;
mod ports;

use crate::escape;
use crate::words::page;

use markup::Html;

pub use answers::{Told, why};
pub use findings::{explain, findings};
pub use form::Asking;
pub use listeners::listeners;
pub use ports::ports;

/// The style sheet of all pages.
pub const STYLE: &str = include_str!("html/style.css");

/// What all pages of one host have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The name of the host; empty where it has none.
    pub host: &'a str,
    /// Where the facts come from: `read from this host when asked`.
    pub source: &'a str,
}

/// A view of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    Ports,
    Listeners,
    Ask,
    Findings,
    None,
}

/// A page that says why there is no other.
pub fn problem(frame: &Frame, title: &str, text: &str, asking: &Asking) -> String {
    page(frame, View::None, title, |html| {
        html.leaf("h1", &[], title);
        html.tag("p", &[("class", "lead")], |html| html.sentence(text));
        form::form(html, page::ASK, asking);
    })
}

/// A page with a form to ask and nothing else.
pub fn ask(frame: &Frame, asking: &Asking) -> String {
    page(frame, View::Ask, page::ASK, |html| {
        html.leaf("h1", &[], page::ASK);
        html.leaf("p", &[("class", "lead")], page::ASK_INTRO);
        form::fields(html, asking);
    })
}

/// The address of the answer to a question.
pub fn why_path(to: &str, proto: &str) -> String {
    let to = escape::query(to);
    match proto {
        "tcp" => format!("/why?to={to}"),
        proto => format!("/why?to={to}&proto={}", escape::query(proto)),
    }
}

/// The address of what is known of a kind of finding.
fn explain_path(code: &str) -> String {
    format!("/explain/{}", escape::query(code))
}

/// A link to what is known of a kind of finding.
fn code_link(html: &mut Html, code: &str) {
    let path = explain_path(code);
    html.leaf("a", &[("class", "code"), ("href", &path)], code);
}

/// A document: head, navigation, what `inside` adds, and where the facts come from.
fn page(frame: &Frame, view: View, title: &str, inside: impl FnOnce(&mut Html)) -> String {
    let mut html = Html::default();
    let on = if frame.host.is_empty() { "" } else { " · " };
    html.tag("html", &[("lang", "en")], |html| {
        html.tag("head", &[], |html| {
            html.void("meta", &[("charset", "utf-8")]);
            let viewport = "width=device-width, initial-scale=1";
            html.void("meta", &[("name", "viewport"), ("content", viewport)]);
            html.void(
                "meta",
                &[("name", "color-scheme"), ("content", "light dark")],
            );
            let whole = format!("{title}{on}{} · {}", frame.host, page::PRODUCT);
            html.leaf("title", &[], &whole);
            html.void("link", &[("rel", "stylesheet"), ("href", "/style.css")]);
        });
        html.tag("body", &[], |html| {
            html.leaf("a", &[("class", "skip"), ("href", "#main")], page::SKIP);
            header(html, frame, view);
            html.tag("main", &[("id", "main")], inside);
            html.leaf("footer", &[], &page::footer(frame.host, frame.source));
        });
    });
    html.document()
}

fn header(html: &mut Html, frame: &Frame, view: View) {
    html.tag("header", &[], |html| {
        html.tag("p", &[("class", "brand")], |html| {
            html.leaf("b", &[], page::PRODUCT);
            if !frame.host.is_empty() {
                html.leaf("span", &[], frame.host);
            }
        });
        html.tag("nav", &[("aria-label", page::VIEWS)], |html| {
            html.tag("ul", &[], |html| {
                for (of, path, name) in [
                    (View::Ports, "/", page::VIEW_PORTS),
                    (View::Listeners, "/scan", page::VIEW_LISTENERS),
                    (View::Ask, "/why", page::VIEW_ASK),
                    (View::Findings, "/explain", page::VIEW_FINDINGS),
                ] {
                    let mut attrs = vec![("href", path)];
                    attrs.extend((of == view).then_some(("aria-current", "page")));
                    html.tag("li", &[], |html| html.leaf("a", &attrs, name));
                }
            });
        });
    });
}
