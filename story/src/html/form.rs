//! The form to ask with.

use crate::words::page;

use super::markup::Html;

/// A question as it was typed; what was not typed is empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asking<'a> {
    /// The target.
    pub to: &'a str,
    /// The source.
    pub from: &'a str,
    /// The protocol.
    pub proto: &'a str,
    /// The interface.
    pub iif: &'a str,
}

/// Protocols that the form offers.
const PROTOCOLS: [&str; 3] = ["tcp", "udp", "sctp"];

/// The form in a section of its own.
pub(super) fn form(html: &mut Html, title: &str, asking: &Asking) {
    html.tag(
        "section",
        &[("class", "ask"), ("aria-labelledby", "ask")],
        |html| {
            html.leaf("h2", &[("id", "ask")], title);
            fields(html, asking);
        },
    );
}

/// The form alone.
pub(super) fn fields(html: &mut Html, asking: &Asking) {
    html.tag("form", &[("action", "/why"), ("method", "get")], |html| {
        let to = [("required", ""), ("placeholder", "192.0.2.10:30584")];
        field(html, ("to", page::TO, page::TO_HINT), asking.to, &to);
        let from = [("placeholder", page::EVERYWHERE)];
        field(
            html,
            ("from", page::FROM, page::FROM_HINT),
            asking.from,
            &from,
        );
        html.tag("div", &[("class", "field short")], |html| {
            html.leaf("label", &[("for", "proto")], page::PROTOCOL);
            html.tag("select", &[("id", "proto"), ("name", "proto")], |html| {
                let other = [asking.proto];
                let is_other = !asking.proto.is_empty() && !PROTOCOLS.contains(&asking.proto);
                let more = other.iter().filter(|_| is_other);
                for proto in PROTOCOLS.iter().chain(more) {
                    let mut attrs = vec![("value", *proto)];
                    attrs.extend((*proto == asking.proto).then_some(("selected", "")));
                    html.leaf("option", &attrs, proto);
                }
            });
        });
        if !asking.iif.is_empty() {
            field(html, ("in", page::IN, page::IN_HINT), asking.iif, &[]);
        }
        html.leaf("button", &[("type", "submit")], page::SEND);
    });
}

fn field(
    html: &mut Html,
    (name, label, hint): (&'static str, &str, &str),
    value: &str,
    more: &[(&'static str, &str)],
) {
    html.tag("div", &[("class", "field")], |html| {
        html.leaf("label", &[("for", name)], label);
        let described = format!("{name}-hint");
        let mut attrs = vec![
            ("id", name),
            ("name", name),
            ("value", value),
            ("aria-describedby", &described),
            ("autocomplete", "off"),
            ("autocapitalize", "none"),
            ("spellcheck", "false"),
        ];
        attrs.extend(more);
        html.void("input", &attrs);
        html.leaf("small", &[("id", &described)], hint);
    });
}
